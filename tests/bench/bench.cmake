# The benchmarks: built with the tests, run by hand. bench_evidence by itself; the others are the peers and the clients
# of tests/bench/run, as bare as they can be, so that they link nothing of ours.
add_executable(bench_evidence ${CMAKE_CURRENT_LIST_DIR}/evidence.c)
serin_see(bench_evidence decision)
target_link_libraries(bench_evidence PRIVATE serin_decision m)

function(serin_bench name)
  add_executable(bench_${name} ${CMAKE_CURRENT_LIST_DIR}/${name}.c)
  target_link_libraries(bench_${name} PRIVATE serin_flags ${ARGN})
endfunction()
serin_bench(peer_microhttpd PkgConfig::MHD)
