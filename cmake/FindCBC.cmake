# COIN-OR's branch and cut, and the library that it writes its files with: the target CBC::CBC. (Its .pc file names libraries that only its own
# shared libraries need, and that need not be there to link against.)
find_path(CBC_INCLUDE_DIR Cbc_C_Interface.h PATH_SUFFIXES coin coin-or)
find_library(CBC_LIBRARY CbcSolver)
find_library(CBC_COINUTILS_LIBRARY CoinUtils)
mark_as_advanced(CBC_INCLUDE_DIR CBC_LIBRARY CBC_COINUTILS_LIBRARY)
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(CBC REQUIRED_VARS CBC_LIBRARY CBC_COINUTILS_LIBRARY CBC_INCLUDE_DIR)
if(CBC_FOUND AND NOT TARGET CBC::CBC)
  add_library(CBC::CBC UNKNOWN IMPORTED)
  set_target_properties(CBC::CBC PROPERTIES IMPORTED_LOCATION "${CBC_LIBRARY}"
                                            INTERFACE_LINK_LIBRARIES "${CBC_COINUTILS_LIBRARY}"
                                            INTERFACE_INCLUDE_DIRECTORIES "${CBC_INCLUDE_DIR}")
endif()
