/* What a gateway thread keeps in memory: parked connections, what gateways have applied; and the cache of
 * content. */
#include "gateway/acks.h"
#include "gateway/content.h"
#include "gateway/waiters.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

TestSuite(gateway_memory, .timeout = 20);

static bool is_over(void *argument, struct waiter *waiter)
{
    return waiter->deadline.us <= *(int64_t *)argument;
}

static void count(void *argument, struct waiter *waiter)
{
    (void)argument;
    cr_assert_not(waiter->parked);
    waiter->fd = -1;
}

Test(gateway_memory, waiters_are_woken_in_any_order)
{
    struct waiters waiters;
    struct waiter waiter[5];
    struct mono_time earliest;
    int64_t now = 20;
    waiters_init(&waiters, 4);
    cr_assert_not(waiters_earliest(&waiters, &earliest));
    for (int i = 0; i < 5; i++) {
        waiter[i] = (struct waiter){.deadline = {10 * (i + 1)}};
        cr_assert_eq(waiters_park(&waiters, &waiter[i]), i < 4);
    }
    cr_assert(waiters_earliest(&waiters, &earliest));
    cr_assert_eq(earliest.us, 10);
    cr_assert_eq(waiters_wake(&waiters, is_over, count, &now), 2);
    cr_assert_eq(waiters.count, 2);
    waiters_leave(&waiters, &waiter[3]);
    waiters_leave(&waiters, &waiter[3]);
    waiters_leave(&waiters, &waiter[4]); /* was never parked */
    cr_assert_eq(waiters.count, 1);
    now = 100;
    cr_assert_eq(waiters_wake(&waiters, is_over, count, &now), 1);
    cr_assert_null(waiters.first);
}

Test(gateway_memory, waiters_whose_client_left_are_found)
{
    enum { COUNT = 700 };
    static struct waiter waiter[COUNT];
    static int peer[COUNT];
    struct waiters waiters;
    waiters_init(&waiters, COUNT);
    for (int i = 0; i < COUNT; i++) {
        int pair[2];
        cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
        waiter[i].fd = pair[0];
        peer[i] = pair[1];
        cr_assert(waiters_park(&waiters, &waiter[i]));
    }
    cr_assert_eq(waiters_wake_gone(&waiters, count, NULL), 0);
    for (int i = 0; i < COUNT; i += 7)
        close(peer[i]);
    cr_assert_eq(waiters_wake_gone(&waiters, count, NULL), COUNT / 7);
    for (int i = 0; i < COUNT; i++)
        cr_assert_eq(waiter[i].fd == -1, i % 7 == 0);
}

Test(gateway_memory, the_newest_word_of_a_gateway_counts)
{
    struct acks *acks = acks_new(100);
    struct ack *taken;
    cr_assert_eq(acks_take(acks, &taken), 0);
    cr_assert_null(taken);
    acks_heard(acks, "chat", "b", 1, 3, (struct mono_time){10});
    acks_heard(acks, "chat", "a", 1, 4, (struct mono_time){11});
    acks_heard(acks, "chat", "b", 1, 5, (struct mono_time){12});
    acks_heard(acks, "chat", "b", 1, 4, (struct mono_time){11}); /* older */
    acks_heard_coarse(acks, "art", "b", 1, -1, 50, (struct mono_time){12});
    cr_assert_eq(acks_take(acks, &taken), 3);
    cr_assert_eq(taken[0].weight_step, 50);
    cr_assert_eq(taken[1].weight_step, 1);
    cr_assert_str_eq(taken[0].service, "art");
    cr_assert_eq(taken[0].applied_epoch, -1);
    cr_assert_str_eq(taken[1].instance, "a");
    cr_assert_eq(taken[2].applied_epoch, 5);
    struct ack *none;
    cr_assert_eq(acks_take(acks, &none), 0);
    /* what could not be written comes again, but not over newer words */
    acks_heard(acks, "chat", "a", 1, 9, (struct mono_time){20});
    acks_return(acks, taken, 3);
    free(taken);
    cr_assert_eq(acks_take(acks, &taken), 3);
    cr_assert_eq(taken[0].weight_step, 50);
    cr_assert_eq(taken[1].applied_epoch, 9);
    cr_assert_eq(taken[2].applied_epoch, 5);
    free(taken);
    /* the same number of another incarnation is another epoch */
    acks_heard(acks, "chat", "a", 1, 9, (struct mono_time){30});
    acks_heard(acks, "chat", "a", 2, 9, (struct mono_time){40});
    acks_heard(acks, "chat", "a", 2, 9, (struct mono_time){50});
    cr_assert_eq(acks_take(acks, &taken), 1);
    cr_assert_eq(taken[0].incarnation, 2);
    cr_assert_eq(taken[0].applied.us, 40);
    cr_assert_eq(taken[0].heard.us, 50);
    free(taken);
    acks_free(acks);
}

Test(gateway_memory, acks_are_bounded)
{
    struct acks *acks = acks_new(50);
    struct ack *taken;
    char name[16];
    for (int i = 0; i < 200; i++) {
        snprintf(name, sizeof name, "g%d", i);
        acks_heard(acks, "chat", name, 1, i, (struct mono_time){i});
    }
    cr_assert_eq(acks_take(acks, &taken), 50);
    free(taken);
    acks_free(acks);
}

static void use(void *argument, struct MHD_Response *response)
{
    (void)response;
    ++*(int *)argument;
}

static bool known(struct content_cache *cache, int number)
{
    struct digest digest = digest_sha256(&number, sizeof number);
    int used = 0;
    bool found = content_cache_use(cache, &digest, use, &used);
    cr_assert_eq(used, found);
    return found;
}

static void keep(struct content_cache *cache, int number, size_t length)
{
    struct digest digest = digest_sha256(&number, sizeof number);
    struct text text;
    text_init(&text, 1 << 20);
    for (size_t i = 0; i < length; i++)
        text_putc(&text, 'x');
    cr_assert_eq(content_cache_keep(cache, &digest, true, &text), STATUS_OK);
    text_free(&text);
}

Test(gateway_memory, content_that_was_not_used_longest_goes_first)
{
    struct content_cache *cache = content_cache_new(1000);
    keep(cache, 1, 400);
    keep(cache, 2, 400);
    keep(cache, 2, 400); /* twice is fine */
    cr_assert(known(cache, 1));
    keep(cache, 3, 400);
    cr_assert(known(cache, 1));
    cr_assert_not(known(cache, 2));
    cr_assert(known(cache, 3));
    keep(cache, 4, 5000); /* larger than all room: it is kept alone, until the next */
    cr_assert(known(cache, 4));
    cr_assert_not(known(cache, 3));
    keep(cache, 5, 0);
    cr_assert(known(cache, 5));
    cr_assert_not(known(cache, 4));
    content_cache_free(cache);
}
