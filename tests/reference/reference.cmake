# The evidence against an independent implementation, in Python with its standard library: seeded random sequences.
# More of them by hand: tests/reference/agree.py build/dev/bin/evidence_driver --sequences 10000 --jobs 2
add_executable(evidence_driver ${CMAKE_CURRENT_LIST_DIR}/evidence_driver.c)
serin_see(evidence_driver decision)
target_link_libraries(evidence_driver PRIVATE serin_decision m)
add_test(NAME reference_vectors COMMAND /usr/bin/python3 ${CMAKE_CURRENT_LIST_DIR}/vectors.py)
add_test(NAME reference_evidence COMMAND /usr/bin/python3 ${CMAKE_CURRENT_LIST_DIR}/agree.py
                                         $<TARGET_FILE:evidence_driver> --sequences 500)
set_tests_properties(reference_vectors reference_evidence PROPERTIES TIMEOUT 240 LABELS unit)
