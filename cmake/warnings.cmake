# Warnings for our own targets, and the flags that make floating point the same in every build type.
add_library(moesim_flags INTERFACE)
target_compile_options(moesim_flags INTERFACE -Wall -Wextra -Wconversion -Wno-psabi
  $<$<CXX_COMPILER_ID:GNU>:-Wshadow>  # Clang minds names that sources compiled together share, too
  # Contracting a*b+c would round differently between optimisation levels: results must not depend on the build.
  -ffp-contract=off)
if(MOESIM_WERROR)
  target_compile_options(moesim_flags INTERFACE -Werror)
endif()
