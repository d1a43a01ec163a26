# The simulations: the production decision in virtual time. By hand: tests/sim/run. ctest runs a few rollouts of each
# table, in a few seconds: that they run and say something, not what they say.
file(GLOB serin_simulations CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/*.c)
add_executable(simulations ${serin_simulations})
serin_see(simulations decision)
target_link_libraries(simulations PRIVATE serin_decision Threads::Threads m)
add_test(NAME simulations COMMAND simulations --quick)
set_tests_properties(simulations PROPERTIES TIMEOUT 300 LABELS sim)
