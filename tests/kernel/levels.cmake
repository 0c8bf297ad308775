# cmake -D object=FILE -D nm=PROGRAM -P levels.cmake: an object file that is compiled for a level of vector instructions
# may define inline functions and templates only in namespaces of that level. Of others the linker keeps one for the
# whole program, perhaps this one, which not every machine can run.
execute_process(COMMAND ${nm} -C --defined-only ${object} OUTPUT_VARIABLE symbols RESULT_VARIABLE failed)
if(failed)
  message(FATAL_ERROR "${nm} failed")
endif()
string(REPLACE "\n" ";" symbols "${symbols}")
foreach(symbol ${symbols})
  if(symbol MATCHES "^[0-9a-f]+ [WVu] " AND NOT symbol MATCHES "_level_[0-9]|DW\\.ref\\.__gxx_personality")
    message(SEND_ERROR "shared: ${symbol}")
  endif()
endforeach()
