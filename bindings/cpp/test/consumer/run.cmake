# Configures, builds and runs the program in this folder. WAY=find_package uses the installed library;
# WAY=add_subdirectory builds it with the program.

function(run)
  execute_process(COMMAND ${ARGV} RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "${ARGV}: ${result}\n${output}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

file(REMOVE_RECURSE "${WORK}")
if(WAY STREQUAL "find_package")
  run("${CMAKE_COMMAND}" --install "${BINARY}" --prefix "${WORK}/prefix")
  set(options "-DCMAKE_PREFIX_PATH=${WORK}/prefix")
else()
  set(options "-DLIGHTWATCH_FOLDER=${SOURCE}" "-DLIGHTWATCH_FLATC=${FLATC}")
endif()
run("${CMAKE_COMMAND}" -S "${CMAKE_CURRENT_LIST_DIR}" -B "${WORK}/build"
  "-DCMAKE_CXX_COMPILER=${COMPILER}" "-DLIGHTWATCH_FLATBUFFERS_INCLUDE_DIR=${HEADERS}" ${options})
run("${CMAKE_COMMAND}" --build "${WORK}/build")
run("${WORK}/build/consumer" "${FILE}")
if(NOT output STREQUAL "3 38\n")
  message(FATAL_ERROR "the program says ${output}")
endif()
