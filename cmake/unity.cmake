# Sources compiled together, which takes half the time of a whole build off and slows the ones that follow a change.
#
#   moesim_unity(NAME SOURCE... [EACH N] [APART STEM...] [ALONE STEM...])   where MOESIM_UNITY is on
#     a folder at a time; or N, where that is given
#     APART: those that share names of their own with others, compiled together with each other
#     ALONE: those that do with one of these as well
# Stems are paths in the current folder, without .cpp.
option(MOESIM_UNITY "Compile several sources together" OFF)

function(moesim_unity name)
  cmake_parse_arguments(PARSE_ARGV 1 given "" "EACH" "APART;ALONE")
  if(NOT MOESIM_UNITY)
    return()
  endif()
  set_target_properties(${name} PROPERTIES UNITY_BUILD ON UNITY_BUILD_MODE GROUP)
  set(count 0)
  foreach(source ${given_UNPARSED_ARGUMENTS})
    cmake_path(ABSOLUTE_PATH source OUTPUT_VARIABLE path)
    file(RELATIVE_PATH stem ${CMAKE_CURRENT_SOURCE_DIR} ${path})
    string(REGEX REPLACE "\\.cpp$" "" stem ${stem})
    if(stem IN_LIST given_ALONE)
      continue()
    elseif(stem IN_LIST given_APART)
      set(group apart)
    elseif(given_EACH)
      math(EXPR group "${count} / ${given_EACH}")
      math(EXPR count "${count} + 1")
    else()
      cmake_path(GET path PARENT_PATH folder)
      string(MAKE_C_IDENTIFIER ${folder} group)
    endif()
    set_source_files_properties(${source} PROPERTIES UNITY_GROUP ${group})
  endforeach()
endfunction()
