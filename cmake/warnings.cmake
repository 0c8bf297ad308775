# Warnings for our own targets, and the flags that make floating point the same in every build type.
add_library(moesim_flags INTERFACE)
target_compile_options(moesim_flags INTERFACE -Wall -Wextra -Wconversion -Wno-psabi
  # Clang minds names that sources compiled together share, too.
  $<$<NOT:$<AND:$<CXX_COMPILER_ID:Clang>,$<BOOL:${MOESIM_UNITY}>>>:-Wshadow>
  # Contracting a*b+c would round differently between optimisation levels: results must not depend on the build.
  -ffp-contract=off)
if(MOESIM_WERROR)
  target_compile_options(moesim_flags INTERFACE -Werror)
endif()
