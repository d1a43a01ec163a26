/* Tests of the status table. */
#include "base/status.h"

#include <criterion/criterion.h>
#include <string.h>

TestSuite(base_status, .timeout = 10);

Test(base_status, each_row_is_whole)
{
    for (int i = 0; i < STATUS_COUNT; i++) {
        enum status status = (enum status)i;
        cr_assert(status_http(status) >= 200 && status_http(status) <= 599, "row %d", i);
        cr_assert(strlen(status_title(status)) > 0);
        cr_assert(strspn(status_slug(status), "abcdefghijklmnopqrstuvwxyz-") == strlen(status_slug(status)));
        for (int j = 0; j < i; j++) {
            cr_assert_str_neq(status_slug(status), status_slug((enum status)j));
        }
    }
}

Test(base_status, known_rows)
{
    cr_assert_eq(status_http(STATUS_OK), 200);
    cr_assert_eq(status_http(STATUS_STALE_VERSION), 412);
    cr_assert_str_eq(status_slug(STATUS_KEY_REUSED), "idempotency-key-reused");
    cr_assert(status_retryable(STATUS_DATABASE));
    cr_assert(!status_retryable(STATUS_INVALID));
}

Test(base_status, number_from_outside_is_internal)
{
    cr_assert_eq(status_http(STATUS_COUNT), 500);
    cr_assert_eq(status_http((enum status) - 1), 500);
}
