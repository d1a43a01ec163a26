/* Asking a desk and waiting. */
#include "support/polled.h"

#include "base/clock.h"

#include <criterion/criterion.h>
#include <unistd.h>

enum { WAIT_MS = 30000 };

enum status polled_read(struct desk *desk, const struct spec_source *source, const struct source_want *want,
                        const char *cursor, struct source_tick *out, struct text *new_cursor,
                        struct fault *fault)
{
    struct desk_news news = {.round = NULL};
    struct mono_time begun = clock_mono();
    text_clear(new_cursor);
    while (news.round == NULL && !news.failed) {
        cr_assert(clock_mono_since_ms(begun) < WAIT_MS, "the desk has no news of %s", source->url);
        cr_assert_eq(desk_ask(desk, source, &news, fault), STATUS_OK, "%s", fault->detail);
        usleep(10000);
    }
    enum status status = news.fault.status;
    if (news.failed)
        *fault = news.fault;
    else
        status = desk_take(news.round, want, cursor, out, new_cursor, fault);
    desk_give_back(news.round);
    return status;
}

enum status polled_read_now(const struct spec_source *source, const struct source_want *want,
                            const char *cursor, struct source_tick *out, struct text *new_cursor,
                            struct fault *fault)
{
    struct desk *desk = desk_new(1);
    cr_assert_not_null(desk);
    enum status status = polled_read(desk, source, want, cursor, out, new_cursor, fault);
    desk_free(desk);
    return status;
}
