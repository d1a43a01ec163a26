# Registers the purity test of the decision; included by tests/tests.cmake.
add_test(NAME decision_purity
         COMMAND ${CMAKE_COMMAND} -DLIBRARY=$<TARGET_FILE:serin_decision> -DNM=${CMAKE_NM}
                 -P ${CMAKE_CURRENT_LIST_DIR}/decision_purity.cmake)
set_tests_properties(decision_purity PROPERTIES TIMEOUT 30 LABELS unit)
