# Finds flatc and the headers of the same version. Sets LIGHTWATCH_FLATC, LIGHTWATCH_FLATBUFFERS_INCLUDE_DIR and
# LIGHTWATCH_FLATBUFFERS_VERSION. On Debian the packages are flatbuffers-compiler and libflatbuffers-dev.

find_program(LIGHTWATCH_FLATC flatc DOC "The FlatBuffers compiler")
find_path(LIGHTWATCH_FLATBUFFERS_INCLUDE_DIR flatbuffers/flatbuffers.h
  DOC "The folder in which the folder of FlatBuffers' headers is")
if(NOT LIGHTWATCH_FLATC OR NOT LIGHTWATCH_FLATBUFFERS_INCLUDE_DIR)
  message(FATAL_ERROR "flatc and FlatBuffers' headers are needed (Debian: flatbuffers-compiler and "
    "libflatbuffers-dev). LIGHTWATCH_FLATC and LIGHTWATCH_FLATBUFFERS_INCLUDE_DIR say where others are.")
endif()

# Reads the version of a folder of headers.
function(lightwatch_read_flatbuffers_version folder result)
  file(STRINGS "${folder}/flatbuffers/base.h" lines
    REGEX "^#define FLATBUFFERS_VERSION_(MAJOR|MINOR|REVISION) [0-9]+$")
  string(REGEX REPLACE "[^0-9;]" "" numbers "${lines}")
  string(REPLACE ";" "." version "${numbers}")
  set(${result} "${version}" PARENT_SCOPE)
endfunction()

lightwatch_read_flatbuffers_version("${LIGHTWATCH_FLATBUFFERS_INCLUDE_DIR}" LIGHTWATCH_FLATBUFFERS_VERSION)
execute_process(COMMAND "${LIGHTWATCH_FLATC}" --version
  OUTPUT_VARIABLE flatc_version OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE flatc_result)
if(NOT flatc_result EQUAL 0)
  message(FATAL_ERROR "${LIGHTWATCH_FLATC} --version does not work: ${flatc_result}")
endif()
string(REGEX REPLACE "^flatc version " "" flatc_version "${flatc_version}")
if(NOT flatc_version STREQUAL LIGHTWATCH_FLATBUFFERS_VERSION)
  message(FATAL_ERROR "flatc is of version ${flatc_version}, and the headers in "
    "${LIGHTWATCH_FLATBUFFERS_INCLUDE_DIR} are of version ${LIGHTWATCH_FLATBUFFERS_VERSION}; they have to be "
    "of the same one")
endif()
message(STATUS "FlatBuffers ${LIGHTWATCH_FLATBUFFERS_VERSION}")
