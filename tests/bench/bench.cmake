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
serin_bench(peer_notified PkgConfig::PQ)
serin_bench(park PkgConfig::PQ Threads::Threads)

# The bare decoders need protobuf-c, which nothing else does.
pkg_check_modules(PROTOBUFC IMPORTED_TARGET libprotobuf-c)
find_program(SERIN_PROTOC_C protoc-c)
if(PROTOBUFC_FOUND AND SERIN_PROTOC_C)
  set(generated ${CMAKE_BINARY_DIR}/bench)
  file(MAKE_DIRECTORY ${generated})
  add_custom_command(OUTPUT ${generated}/trace.pb-c.c ${generated}/trace.pb-c.h
                     COMMAND ${SERIN_PROTOC_C} --c_out=${generated} --proto_path=${CMAKE_CURRENT_LIST_DIR} trace.proto
                     DEPENDS ${CMAKE_CURRENT_LIST_DIR}/trace.proto)
  add_library(bench_trace STATIC ${generated}/trace.pb-c.c)
  target_include_directories(bench_trace SYSTEM PUBLIC ${generated})
  target_link_libraries(bench_trace PUBLIC PkgConfig::PROTOBUFC)
  serin_bench(decode bench_trace PkgConfig::JSONC)
endif()
