# The tests. A file is named <room>_<concept>.c; the files of one room make one executable, found by name, so that a new
# test needs no line here. Every test links the room it tests and what that room may see, and no more.
pkg_check_modules(CRITERION REQUIRED IMPORTED_TARGET criterion)

# Criterion does not look at its children's exit code once a test body has reported: leaks, valgrind's findings and a
# filter that matches nothing all end in 0. What was printed decides.
set(serin_test_fails_on
    "LeakSanitizer|AddressSanitizer|runtime error:|ThreadSanitizer|definitely lost|Invalid (read|write)|Tested: 0 ")

function(serin_register name timeout label)
  set_tests_properties(${name} PROPERTIES FAIL_REGULAR_EXPRESSION "${serin_test_fails_on}" TIMEOUT ${timeout}
                       LABELS ${label} ENVIRONMENT "ASAN_OPTIONS=abort_on_error=1;UBSAN_OPTIONS=print_stacktrace=1")
endfunction()

# serin_test(NAME name SOURCES files... SEES rooms... [LINKS libraries...] [TIMEOUT seconds] [LABEL label])
# One Criterion executable (none without sources), registered as a test of the same name. It knows where things are:
# SERIN_TESTS_DIR, the folder tests/ of the source, and SERIN_BINARIES, where executables are built.
function(serin_test)
  cmake_parse_arguments(arg "" "NAME;TIMEOUT;LABEL" "SOURCES;SEES;LINKS" ${ARGN})
  # Criterion's runner does not start under ThreadSanitizer.
  if(NOT arg_SOURCES OR SERIN_SANITIZE MATCHES "thread")
    return()
  endif()
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  if(NOT arg_LABEL)
    set(arg_LABEL unit)
  endif()
  add_executable(${arg_NAME} ${arg_SOURCES})
  serin_see(${arg_NAME} ${arg_SEES})
  target_compile_definitions(${arg_NAME} PRIVATE SERIN_TESTS_DIR="${CMAKE_SOURCE_DIR}/tests"
                             SERIN_BINARIES="${CMAKE_RUNTIME_OUTPUT_DIRECTORY}")
  list(TRANSFORM arg_SEES PREPEND serin_ OUTPUT_VARIABLE libraries)
  target_link_libraries(${arg_NAME} PRIVATE ${libraries} ${arg_LINKS} PkgConfig::CRITERION Threads::Threads m)
  # -j1: with several workers Criterion 2.4.1 itself leaks, and LeakSanitizer says so; ctest -j runs executables at once.
  add_test(NAME ${arg_NAME} COMMAND ${arg_NAME} -j1)
  serin_register(${arg_NAME} ${arg_TIMEOUT} ${arg_LABEL})
endfunction()

# The rooms that `room` may see, itself included.
function(serin_rooms_seen room out)
  get_target_property(links serin_${room} LINK_LIBRARIES)
  set(seen ${room})
  foreach(link IN LISTS links)
    string(REGEX REPLACE "^serin_" "" name "${link}")
    if(DEFINED serin_dir_${name})
      list(APPEND seen ${name})
    endif()
  endforeach()
  list(REMOVE_DUPLICATES seen)
  set(${out} ${seen} PARENT_SCOPE)
endfunction()

# Unit tests: unit_<room> of tests/unit/<room>_*.c.
foreach(room base decision spec store rollout sources notify reconcile http control gateway cli)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/unit/${room}_*.c)
  if(sources AND TARGET serin_${room})
    serin_rooms_seen(${room} seen)
    serin_test(NAME unit_${room} SOURCES ${sources} SEES ${seen} LINKS PkgConfig::CURL TIMEOUT 300)
  endif()
endforeach()

# Integration tests: integration_<name> of tests/integration/<name>_*.c, over the rooms of the controller. What several
# of them need (a private Postgres ...) stands in tests/support/*.c and is included as "support/....h".
set(rooms)
foreach(room base decision spec store rollout sources notify reconcile http control gateway)
  if(TARGET serin_${room})
    list(APPEND rooms ${room})
  endif()
endforeach()
file(GLOB support CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/support/*.c)
file(GLOB sources CONFIGURE_DEPENDS RELATIVE ${CMAKE_SOURCE_DIR}/tests/integration
     ${CMAKE_SOURCE_DIR}/tests/integration/*.c)
list(TRANSFORM sources REPLACE "[_.].*$" "" OUTPUT_VARIABLE names)
list(REMOVE_DUPLICATES names)
foreach(name IN LISTS names)
  set(own ${sources})
  list(FILTER own INCLUDE REGEX "^${name}[_.]")
  list(TRANSFORM own PREPEND ${CMAKE_SOURCE_DIR}/tests/integration/)
  serin_test(NAME integration_${name} SOURCES ${own} ${support} SEES ${rooms} LINKS PkgConfig::CURL PkgConfig::PQ
             TIMEOUT 300 LABEL integration)
  if(TARGET integration_${name})
    target_include_directories(integration_${name} PRIVATE ${CMAKE_SOURCE_DIR}/tests)
  endif()
endforeach()

# Fuzz targets: tests/fuzz/<name>.c defines LLVMFuzzerTestOneInput and names its rooms in a comment "SEES: base http".
# fuzz_<name> is the fuzzer (SERIN_FUZZ); fuzz_replay_<name> runs the committed corpus through the same function.
file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/fuzz/*.c)
list(FILTER sources EXCLUDE REGEX "/replay_main\\.c$")
foreach(source IN LISTS sources)
  get_filename_component(name ${source} NAME_WE)
  file(STRINGS ${source} line REGEX "SEES: " LIMIT_COUNT 1)
  string(REGEX MATCH "SEES: ([a-z ]+)" line "${line}")
  string(STRIP "${CMAKE_MATCH_1}" seen)
  separate_arguments(seen)
  set(libraries)
  set(complete TRUE)
  foreach(room IN LISTS seen)
    list(APPEND libraries serin_${room})
    if(NOT TARGET serin_${room})
      set(complete FALSE)
    endif()
  endforeach()
  if(NOT complete)
    continue()
  endif()
  add_executable(fuzz_replay_${name} ${source} ${CMAKE_SOURCE_DIR}/tests/fuzz/replay_main.c)
  set(executables fuzz_replay_${name})
  add_test(NAME fuzz_replay_${name} COMMAND fuzz_replay_${name} ${CMAKE_SOURCE_DIR}/tests/fuzz/corpus/${name})
  serin_register(fuzz_replay_${name} 60 fuzz)
  if(SERIN_FUZZ)
    add_executable(fuzz_${name} ${source})
    target_link_options(fuzz_${name} PRIVATE -fsanitize=fuzzer)
    list(APPEND executables fuzz_${name})
  endif()
  foreach(executable IN LISTS executables)
    serin_see(${executable} ${seen})
    target_link_libraries(${executable} PRIVATE ${libraries})
  endforeach()
endforeach()

# decision is held pure by what it links (nm -u against an allow-list); simulations, benchmarks and the
# comparison with the reference are built with the tests.
include(${CMAKE_SOURCE_DIR}/tests/unit/decision_purity_test.cmake)
include(${CMAKE_SOURCE_DIR}/tests/sim/sim.cmake)
include(${CMAKE_SOURCE_DIR}/tests/bench/bench.cmake)
include(${CMAKE_SOURCE_DIR}/tests/reference/reference.cmake)

# The handbook names the rules and settings that the code has.
add_test(NAME handbook_rules COMMAND ${CMAKE_COMMAND} -P ${CMAKE_SOURCE_DIR}/tests/unit/handbook_rules.cmake)
set_tests_properties(handbook_rules PROPERTIES TIMEOUT 60 LABELS unit)
# Links of all pages lead to files and headings that are there.
add_test(NAME handbook_links COMMAND /usr/bin/python3 ${CMAKE_SOURCE_DIR}/tests/unit/handbook_links.py)
set_tests_properties(handbook_links PROPERTIES TIMEOUT 60 LABELS unit)
# Its string match for refusals tells them from answers.
add_test(NAME handbook_refusals COMMAND /usr/bin/python3 ${CMAKE_SOURCE_DIR}/tests/unit/handbook_refusals.py)
set_tests_properties(handbook_refusals PROPERTIES TIMEOUT 60 LABELS unit)
# Its example of lint is what lint prints.
add_test(NAME handbook_policy COMMAND ${CMAKE_COMMAND} -DSERIN=$<TARGET_FILE:serin> -DFOLDER=${CMAKE_BINARY_DIR}/handbook
                                      -P ${CMAKE_SOURCE_DIR}/tests/unit/handbook_policy.cmake)
set_tests_properties(handbook_policy PROPERTIES TIMEOUT 60 LABELS unit)
