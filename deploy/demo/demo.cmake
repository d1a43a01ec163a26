# serin-demo-gateway: an example gateway with a simulated model and its traffic. It knows the contract and the ground
# floor (base), nothing else of Serin.
set(serin_dir_demo deploy/demo)
file(GLOB demo_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/*.c)
list(FILTER demo_sources EXCLUDE REGEX "/main\\.c$")
add_library(serin_demo STATIC ${demo_sources})
serin_see(serin_demo demo base)
target_link_libraries(serin_demo PUBLIC serin_base PkgConfig::CURL)

add_executable(serin-demo-gateway ${CMAKE_CURRENT_LIST_DIR}/main.c)
serin_see(serin-demo-gateway demo base)
target_link_libraries(serin-demo-gateway PRIVATE serin_demo)

# tests/tests.cmake defines serin_test() later.
if(SERIN_TESTS)
  cmake_language(DEFER CALL serin_demo_tests)
endif()
function(serin_demo_tests)
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/unit/demo_*.c)
  serin_test(NAME unit_demo SOURCES ${sources} SEES base demo TIMEOUT 120 LABEL unit)
endfunction()
