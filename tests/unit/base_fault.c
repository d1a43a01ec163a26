/* Tests of faults. */
#include "base/fault.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(base_fault, .timeout = 10);

Test(base_fault, set_forgets_what_was_there)
{
    struct fault fault = {0};
    fault_at(&fault, "/a", "bad");
    fault_next(&fault, "mend it");
    enum status status = fault_set(&fault, STATUS_CONFLICT, "%s is %d", "phase", 3);
    cr_assert_eq(status, STATUS_CONFLICT);
    cr_assert_eq(fault.status, STATUS_CONFLICT);
    cr_assert_str_eq(fault.detail, "phase is 3");
    cr_assert_str_eq(fault.next_step, "");
    cr_assert_eq(fault.errors, 0);
}

Test(base_fault, errors_are_collected_and_counted)
{
    struct fault fault = {0};
    cr_assert_eq(fault_at(&fault, "/a", "must be %d", 1), STATUS_INVALID);
    cr_assert_str_eq(fault.detail, "1 field breaks a rule");
    fault_at(&fault, "", "odd");
    cr_assert_str_eq(fault.detail, "2 fields break a rule");
    cr_assert_eq(fault.errors, 2);
    cr_assert_str_eq(fault.error[0].pointer, "/a");
    cr_assert_str_eq(fault.error[0].detail, "must be 1");
    cr_assert_str_eq(fault.error[1].pointer, "");
    for (int i = 0; i < 30; i++) {
        fault_at(&fault, "/b", "more");
    }
    cr_assert_eq(fault.errors, FAULT_ERRORS_MAX);
    cr_assert_str_eq(fault.detail, "more than 16 fields break a rule");
}

Test(base_fault, errors_replace_another_status)
{
    struct fault fault = {0};
    fault_set(&fault, STATUS_NOT_FOUND, "gone");
    fault_at(&fault, "/a", "bad");
    cr_assert_eq(fault.status, STATUS_INVALID);
    cr_assert_eq(fault.errors, 1);
}

Test(base_fault, long_text_is_cut_between_characters)
{
    struct fault fault = {0};
    char text[2048];
    for (size_t i = 0; i + 2 < sizeof text; i += 2) {
        memcpy(text + i, "\xC3\xA9", 3);
    }
    fault_set(&fault, STATUS_INVALID, "%s", text);
    size_t length = strlen(fault.detail);
    cr_assert_eq(length, sizeof fault.detail - 2, "511 bytes would end in half a character");
    cr_assert_eq((unsigned char)fault.detail[length - 1], 0xA9);
}

Test(base_fault, null_stores_nothing_and_keeps_the_status)
{
    cr_assert_eq(fault_set(NULL, STATUS_PEER, "x"), STATUS_PEER);
    cr_assert_eq(fault_at(NULL, "/x", "x"), STATUS_INVALID);
    fault_next(NULL, "x");
}
