// SEES: gateway sources http store spec decision base
/* Lines of agent-checks, one after the other, against a route that changes: each is refused or answered with
   one line that HAProxy reads, weights are in bounds, and nothing is acknowledged that was not told before.
 */
#include "gateway/agent_book.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { EPOCHS = 4 };

static void check(bool good)
{
    if (!good)
        abort();
}

static struct service_view *make(int64_t epoch)
{
    static const int weights[EPOCHS] = {0, 500, 10000, 33};
    struct service_view *view = service_view_new("chat");
    check(view != NULL && rules_add_release(&view->rules, "v1") && rules_add_release(&view->rules, "v2"));
    rules_seal(&view->rules);
    view->routed = true;
    view->incarnation = 1;
    view->epoch = epoch;
    view->weights = 2;
    memcpy(view->weight[0].release, "v1", 3);
    memcpy(view->weight[1].release, "v2", 3);
    view->weight[1].canary = true;
    view->weight[1].weight = weights[epoch % EPOCHS];
    view->weight[0].weight = 10000 - view->weight[1].weight;
    return view;
}

/* A canary is never told more than its route says; but for the 1 % until another server serves. */
static void check_canary(const struct agent_answer *told, const struct service_view *view)
{
    int percent = 0;
    if (view != NULL && sscanf(told->line, "ready %d%% # epoch", &percent) == 1)
        check(percent * AGENT_WEIGHT_STEP <= view->weight[1].weight);
}

static void check_answer(const struct agent_answer *told, int64_t epoch)
{
    int percent = 0;
    size_t length = strlen(told->line);
    check(length > 1 && told->line[length - 1] == '\n' &&
          strchr(told->line, '\n') == told->line + length - 1);
    if (sscanf(told->line, "ready %d%%", &percent) == 1)
        check(percent >= 1 && percent <= AGENT_PERCENT_FULL);
    else
        check(strncmp(told->line, "maint ", 6) == 0 || strncmp(told->line, "# ", 2) == 0);
    check(!told->heard || (told->ack.applied_epoch >= -1 && told->ack.applied_epoch <= epoch &&
                           name_valid(told->ack.service) && name_valid(told->ack.instance)));
}

static void one_line(struct agent_book *book, const char *line, size_t length,
                     struct service_view *const *views, int64_t epoch, struct mono_time now)
{
    struct agent_ask ask;
    struct agent_answer told;
    struct fault fault = {.status = STATUS_OK};
    if (agent_line_parse(line, length, &ask, &fault) != STATUS_OK) {
        check(fault.status == STATUS_MALFORMED && fault.next_step[0] != '\0');
        return;
    }
    check(name_valid(ask.service) && (ask.target != AGENT_RELEASE || name_valid(ask.release)));
    if (ask.instance[0] == '\0')
        agent_line_instance("10.0.0.1", ask.instance);
    const struct service_view *view = strcmp(ask.service, "chat") == 0 ? views[epoch] : NULL;
    agent_book_answer(book, &ask, view, false, now, &told);
    check_answer(&told, epoch);
    if (ask.target == AGENT_CANARY || strcmp(ask.release, "v2") == 0)
        check_canary(&told, view);
    if (length % 7 == 0)
        agent_book_lost(book, &ask);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct service_view *views[EPOCHS];
    const char *at = (const char *)data, *end = at + size;
    struct agent_book *book = agent_book_new(20);
    struct mono_time now = {1};
    int64_t epoch = 0;
    check(book != NULL);
    for (int i = 0; i < EPOCHS && views[i] == NULL; i++)
        views[i] = make(i);
    while (at < end) {
        const char *feed = memchr(at, '\n', (size_t)(end - at));
        size_t length = (size_t)((feed != NULL ? feed : end) - at);
        if (length == 1 && *at == '+')
            epoch = (epoch + 1) % EPOCHS == 0 ? epoch : epoch + 1;
        else
            one_line(book, at, length, views, epoch, now);
        now.us += 700000;
        if (length % 5 == 0)
            agent_book_sweep(book, now);
        at += length + 1;
    }
    check(agent_book_count(book) <= 20);
    agent_book_free(book);
    return 0;
}
