# moesim_sanitized_program(NAME SANITIZER SOURCE...): a program that is built with the `address` or the `thread` sanitizer
# in a build that is not, and which nothing but what depends on it builds. NAME_FILE is set to where it lies; empty where
# this compiler has no such sanitizer, or the build has another one already.
include(CheckCXXSourceCompiles)

function(moesim_sanitized_program name sanitizer)
  set(${name}_FILE "" PARENT_SCOPE)
  if(CMAKE_CXX_FLAGS MATCHES "-fsanitize=" AND NOT CMAKE_CXX_FLAGS MATCHES "-fsanitize=[a-z,-]*${sanitizer}")
    message(STATUS "This build has another sanitizer than the ${sanitizer} one: ${name} is left out")
    return()
  endif()
  set(CMAKE_REQUIRED_FLAGS -fsanitize=${sanitizer})
  set(CMAKE_REQUIRED_QUIET ON)
  check_cxx_source_compiles("int main() {}" MOESIM_HAS_SANITIZER_${sanitizer})
  if(NOT MOESIM_HAS_SANITIZER_${sanitizer})
    message(STATUS "${CMAKE_CXX_COMPILER} has no ${sanitizer} sanitizer: ${name} is left out")
    return()
  endif()
  add_executable(${name} EXCLUDE_FROM_ALL ${ARGN})
  target_compile_options(${name} PRIVATE -O1 -g1 -fsanitize=${sanitizer} -fno-omit-frame-pointer)
  target_link_options(${name} PRIVATE -fsanitize=${sanitizer})
  set(${name}_FILE $<TARGET_FILE:${name}> PARENT_SCOPE)
endfunction()
