# CUDA, where nvcc is at hand: MOESIM_HAS_CUDA says whether it is. No GPU is needed for building.
#
#   moesim_cuda_objects(NAME [ONLY ARCHITECTURE] SOURCE...)   an object library for all of MOESIM_CUDA_CODE, or
#                              for one, warnings as errors, each object with a report of its kernels' resources beside it
#   moesim_check_resources(NAME [--allow-stack REGEX])   a test that fails where a kernel of it spills registers
option(MOESIM_CUDA "Build the CUDA kernels where nvcc is found" ON)
set(MOESIM_HAS_CUDA FALSE)
# 100 has nothing that the kernels treat apart from 90, so both are assembled from one translation, which takes longest.
set(MOESIM_CUDA_CODE --generate-code=arch=compute_80,code=[sm_80] --generate-code=arch=compute_90,code=[sm_90,sm_100])
# Those that nvcc has to know for it.
set(MOESIM_CUDA_ARCHITECTURES 80 90 100)

if(MOESIM_CUDA)
  find_program(MOESIM_NVCC nvcc HINTS ENV CUDACXX ENV CUDA_PATH ENV CUDA_HOME PATHS /usr/local/cuda PATH_SUFFIXES bin)
  if(NOT MOESIM_NVCC)
    message(STATUS "No nvcc: the CUDA kernels are not compiled (on the host they are tested all the same)")
  else()
    set(unknown)
    execute_process(COMMAND ${MOESIM_NVCC} --list-gpu-arch OUTPUT_VARIABLE known ERROR_QUIET)
    foreach(architecture ${MOESIM_CUDA_ARCHITECTURES})
      if(NOT known MATCHES "compute_${architecture}(\n|$)")
        list(APPEND unknown sm_${architecture})
      endif()
    endforeach()
    if(unknown)
      message(STATUS "${MOESIM_NVCC} does not know ${unknown} (CUDA 12.8 does): the CUDA kernels are not compiled")
    else()
      set(ENV{CUDACXX} ${MOESIM_NVCC})
      set(CMAKE_CUDA_ARCHITECTURES 80-real)
      include(CheckLanguage)
      check_language(CUDA)
      if(CMAKE_CUDA_COMPILER)
        enable_language(CUDA)
        set(MOESIM_HAS_CUDA TRUE)
      else()
        message(STATUS "${MOESIM_NVCC} does not work with this host compiler: the CUDA kernels are not compiled")
      endif()
    endif()
  endif()
endif()

function(moesim_cuda_objects name)
  cmake_parse_arguments(PARSE_ARGV 1 given "" "ONLY" "")
  set(sources ${given_UNPARSED_ARGUMENTS})
  set_source_files_properties(${sources} PROPERTIES LANGUAGE CUDA)
  add_library(${name} OBJECT ${sources})
  if(given_ONLY)
    set_target_properties(${name} PROPERTIES CUDA_ARCHITECTURES ${given_ONLY}-real)
  else()
    set_target_properties(${name} PROPERTIES CUDA_ARCHITECTURES OFF)
    target_compile_options(${name} PRIVATE ${MOESIM_CUDA_CODE})
  endif()
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/sim)
  target_compile_options(${name} PRIVATE -std=c++20 "SHELL:-Werror all-warnings" -Xcompiler=-Wall,-Wextra -Xptxas=-v)
  set(launcher ${PROJECT_SOURCE_DIR}/kernels/nvcc_report)
  if(MOESIM_CCACHE)
    list(APPEND launcher ${MOESIM_CCACHE})
  endif()
  # CMake 3.25 knows no C++20 of this compiler, so the standard is stated above, and what it would add is left out.
  # For moesim_gpu.so.
  set_target_properties(${name} PROPERTIES POSITION_INDEPENDENT_CODE ON CUDA_STANDARD 17 CUDA_STANDARD_REQUIRED OFF CUDA_EXTENSIONS ON
                                           CUDA_COMPILER_LAUNCHER "${launcher}")
endfunction()

function(moesim_check_resources name)
  add_test(NAME resources_of_${name} COMMAND_EXPAND_LISTS
           COMMAND ${PROJECT_SOURCE_DIR}/kernels/check_resources ${ARGN} $<TARGET_OBJECTS:${name}>)
endfunction()
