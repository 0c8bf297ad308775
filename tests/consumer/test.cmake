# cmake -D build=DIR -D source=DIR -D options=LIST -P test.cmake: installs the build below itself, then configures and
# builds the consumer against that and nothing else of the tree, and runs it on an installed scenario.
set(prefix ${build}/tests/consumer/prefix)
set(consumer ${build}/tests/consumer/build)
file(REMOVE_RECURSE ${prefix} ${consumer})
function(run)
  execute_process(COMMAND ${ARGV} COMMAND_ERROR_IS_FATAL ANY)
endfunction()
run(${CMAKE_COMMAND} --install ${build} --prefix ${prefix})
run(${CMAKE_COMMAND} -S ${source} -B ${consumer} -DCMAKE_PREFIX_PATH=${prefix} ${options})
run(${CMAKE_COMMAND} --build ${consumer})
set(scenario ${prefix}/share/moesim/scenarios/mixtral/prefill-8-a100.json)
run(${consumer}/consumer ${scenario})
run(${prefix}/bin/moesim run ${scenario})
