# Sources of a folder compiled together, which halves the time of a whole build and slows the ones that follow a change.
#
#   moesim_unity(NAME SOURCE... [ALONE STEM...])   where MOESIM_UNITY is on. ALONE: those that share names of their own
#                                                  with a neighbour; paths in the current folder, without .cpp
option(MOESIM_UNITY "Compile the sources of each folder together" OFF)

function(moesim_unity name)
  cmake_parse_arguments(PARSE_ARGV 1 given "" "" "ALONE")
  if(NOT MOESIM_UNITY)
    return()
  endif()
  set_target_properties(${name} PROPERTIES UNITY_BUILD ON UNITY_BUILD_MODE GROUP)
  foreach(source ${given_UNPARSED_ARGUMENTS})
    cmake_path(ABSOLUTE_PATH source OUTPUT_VARIABLE path)
    cmake_path(GET path PARENT_PATH folder)
    file(RELATIVE_PATH stem ${CMAKE_CURRENT_SOURCE_DIR} ${path})
    string(REGEX REPLACE "\\.cpp$" "" stem ${stem})
    if(NOT stem IN_LIST given_ALONE)
      string(MAKE_C_IDENTIFIER ${folder} group)
      set_source_files_properties(${source} PROPERTIES UNITY_GROUP ${group})
    endif()
  endforeach()
endfunction()
