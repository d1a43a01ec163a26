# The micro benchmarks: built with the tests, run by hand.
add_executable(bench_evidence ${CMAKE_CURRENT_LIST_DIR}/evidence.c)
serin_see(bench_evidence decision)
target_link_libraries(bench_evidence PRIVATE serin_decision m)
