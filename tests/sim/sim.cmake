# The simulations: the production decision in virtual time. ctest runs a few rollouts of each; by hand, run more.
foreach(sim sim_null sim_power)
  add_executable(${sim} ${CMAKE_CURRENT_LIST_DIR}/${sim}.c ${CMAKE_CURRENT_LIST_DIR}/rollout.c
                        ${CMAKE_CURRENT_LIST_DIR}/draw.c)
  serin_see(${sim} decision)
  target_link_libraries(${sim} PRIVATE serin_decision m)
endforeach()
add_test(NAME sim_null COMMAND sim_null 20 1)
add_test(NAME sim_power COMMAND sim_power 50 1)
set_tests_properties(sim_null sim_power PROPERTIES TIMEOUT 300 LABELS sim)
