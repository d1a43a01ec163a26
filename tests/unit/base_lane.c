/* Tests of the job lane. */
#include "base/lane.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

TestSuite(base_lane, .timeout = 20);

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static int order[100];
static int ran;
static atomic_int count;

static void note(void *argument)
{
    order[ran++] = *(int *)argument;
}

static void wait_at_gate(void *argument)
{
    (void)argument;
    atomic_fetch_add(&count, 1);
    pthread_mutex_lock(&gate);
    pthread_mutex_unlock(&gate);
}

static void add_one(void *argument)
{
    (void)argument;
    atomic_fetch_add(&count, 1);
}

Test(base_lane, runs_in_order_and_all_before_it_stops)
{
    static int number[100];
    struct lane *lane = lane_new("order", 1, 100);
    cr_assert_not_null(lane);
    for (int i = 0; i < 100; i++) {
        number[i] = i;
        cr_assert_eq(lane_submit(lane, note, &number[i]), STATUS_OK);
    }
    lane_stop(lane);
    cr_assert_eq(ran, 100);
    for (int i = 0; i < 100; i++) {
        cr_assert_eq(order[i], i);
    }
}

Test(base_lane, refuses_when_full)
{
    struct lane *lane = lane_new("full", 1, 3);
    pthread_mutex_lock(&gate);
    cr_assert_eq(lane_submit(lane, wait_at_gate, NULL), STATUS_OK);
    while (atomic_load(&count) == 0) {
        sched_yield(); /* until the job runs and the queue is empty */
    }
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(lane_submit(lane, add_one, NULL), STATUS_OK);
    }
    cr_assert_eq(lane_submit(lane, add_one, NULL), STATUS_UNAVAILABLE);
    pthread_mutex_unlock(&gate);
    lane_stop(lane);
    cr_assert_eq(atomic_load(&count), 4, "a refused job never runs");
}

Test(base_lane, several_threads)
{
    struct lane *lane = lane_new("a name longer than the kernel keeps", 8, 10000);
    for (int i = 0; i < 10000; i++) {
        cr_assert_eq(lane_submit(lane, add_one, NULL), STATUS_OK);
    }
    lane_stop(lane);
    cr_assert_eq(atomic_load(&count), 10000);
}

static void look_at_signals(void *argument)
{
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    *(int *)argument = sigismember(&mask, SIGTERM);
}

Test(base_lane, threads_take_no_signals)
{
    int blocked = 0;
    struct lane *lane = lane_new("signals", 1, 1);
    cr_assert_eq(lane_submit(lane, look_at_signals, &blocked), STATUS_OK);
    lane_stop(lane);
    cr_assert_eq(blocked, 1);
}

Test(base_lane, refuses_nonsense)
{
    cr_assert_null(lane_new("x", 0, 1));
    cr_assert_null(lane_new("x", 65, 1));
    cr_assert_null(lane_new("x", 1, 0));
    lane_stop(NULL);
}
