# The decision is pure: what libserin_decision.a asks of the world is on this list, and it keeps no state of its own.
#   cmake -DLIBRARY=libserin_decision.a -DNM=nm -P decision_purity.cmake
set(allowed exp expm1 log log1p sqrt ceil memcpy memmove memset memcmp strcmp strlen
    __assert_fail # ends the program: a bug of ours
    __stack_chk_fail _GLOBAL_OFFSET_TABLE_)
set(instrumented "^__(asan|ubsan|tsan|msan|lsan|sanitizer|gcov|llvm|start___sancov|stop___sancov|sancov)_")

# *out: what is in `symbols` and neither defined nor allowed.
function(find_impure symbols defined out)
  list(REMOVE_DUPLICATES symbols)
  list(REMOVE_ITEM symbols ${allowed} ${defined})
  list(FILTER symbols EXCLUDE REGEX "${instrumented}")
  set(${out} ${symbols} PARENT_SCOPE)
endfunction()

function(names_of text out)
  string(REGEX MATCHALL "[A-Za-z_][A-Za-z0-9_.]*\n" lines "${text}")
  list(TRANSFORM lines STRIP)
  set(${out} ${lines} PARENT_SCOPE)
endfunction()

find_impure("malloc;exp;clock_gettime;own;fopen" "own" caught)
if(NOT caught STREQUAL "malloc;clock_gettime;fopen")
  message(FATAL_ERROR "this test is blind: ${caught}")
endif()

execute_process(COMMAND ${NM} -u ${LIBRARY} OUTPUT_VARIABLE text COMMAND_ERROR_IS_FATAL ANY)
string(REGEX REPLACE "[^\n]*:\n" "" text "${text}")
names_of("${text}" undefined)
execute_process(COMMAND ${NM} --defined-only -j ${LIBRARY} OUTPUT_VARIABLE text COMMAND_ERROR_IS_FATAL ANY)
string(REGEX REPLACE "[^\n]*:\n" "" text "${text}")
names_of("${text}" defined)
list(LENGTH undefined count)
list(LENGTH defined known)
if(count LESS 10 OR known LESS 30)
  message(FATAL_ERROR "${LIBRARY} has ${count} undefined and ${known} defined symbols: is it the decision?")
endif()
find_impure("${undefined}" "${defined}" impure)
if(impure)
  message(FATAL_ERROR "controller/decision must stay pure, but needs: ${impure}")
endif()

# Variables that could change (sections .data and .bss; tables of pointers lie in .data.rel.ro). A sanitizer has its own.
if(NOT "${undefined}" MATCHES "__asan|__ubsan|__tsan|__gcov|__llvm|__sancov")
  execute_process(COMMAND ${NM} -f sysv --defined-only ${LIBRARY} OUTPUT_VARIABLE text COMMAND_ERROR_IS_FATAL ANY)
  string(REGEX MATCHALL "[^\n]*\\|(\\.data|\\.bss|\\.tdata|\\.tbss|\\*COM\\*)[ ]*\n" variables "${text}")
  if(variables)
    message(FATAL_ERROR "controller/decision must keep no state, but has:\n${variables}")
  endif()
endif()
