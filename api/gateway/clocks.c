/* Offsets of gateways' clocks: the least delay seen, held still, renewed by the minute so that drift is
 * followed. */
#include "gateway/clocks.h"

#include "base/id.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum {
    PLACES = 1024 /* gateways remembered; beyond that the place is shared and batches go by their arrival */
};

static const int64_t STILL_US = 20000; /* a delay this much shorter is no reason to move the offset */
static const int64_t DRIFT_US =
    50000; /* a minute whose least delay is this much longer is drift, or a new route */
static const int64_t MINUTE_US = 60000000;
static const int64_t RESTART_US =
    600000000; /* a batch is not repeated for this long: the clock has begun anew */

struct offset {
    char gateway[NAME_MAX_LENGTH + 1];
    int64_t us;                  /* database time less gateway time */
    int64_t minute_began, least; /* the least of the minute under way */
};

struct clocks {
    pthread_mutex_t mutex;
    struct offset place[PLACES];
};

struct clocks *clocks_new(void)
{
    struct clocks *clocks = calloc(1, sizeof *clocks);
    if (clocks != NULL)
        pthread_mutex_init(&clocks->mutex, NULL);
    return clocks;
}

void clocks_free(struct clocks *clocks)
{
    if (clocks == NULL)
        return;
    pthread_mutex_destroy(&clocks->mutex);
    free(clocks);
}

static struct offset *place_of(struct clocks *clocks, const char *gateway)
{
    size_t hash = 5381;
    for (const char *c = gateway; *c != '\0'; c++)
        hash = hash * 33 + (unsigned char)*c;
    for (size_t probe = 0; probe < 8; probe++) {
        struct offset *place = &clocks->place[(hash + probe) % PLACES];
        if (place->gateway[0] == '\0' || strcmp(place->gateway, gateway) == 0)
            return place;
    }
    return NULL;
}

static void begin(struct offset *offset, const char *gateway, int64_t delay, int64_t now_us)
{
    strncpy(offset->gateway, gateway, sizeof offset->gateway - 1);
    offset->us = offset->least = delay;
    offset->minute_began = now_us;
}

static void follow(struct offset *offset, int64_t delay, int64_t now_us)
{
    if (delay < offset->us - STILL_US)
        offset->us = delay;
    if (delay < offset->least)
        offset->least = delay;
    if (now_us - offset->minute_began < MINUTE_US)
        return;
    if (offset->least > offset->us + DRIFT_US)
        offset->us = offset->least;
    offset->minute_began = now_us;
    offset->least = delay;
}

struct wall_time clocks_place(struct clocks *clocks, const char *gateway, int64_t clock_ms,
                              struct wall_time received)
{
    int64_t delay = received.us - clock_ms * 1000, made;
    pthread_mutex_lock(&clocks->mutex);
    struct offset *offset = place_of(clocks, gateway);
    if (offset == NULL) {
        pthread_mutex_unlock(&clocks->mutex);
        return received;
    }
    bool fresh =
        offset->gateway[0] == '\0' || delay > offset->us + RESTART_US || delay < offset->us - RESTART_US;
    if (fresh)
        begin(offset, gateway, delay, received.us);
    else
        follow(offset, delay, received.us);
    made = clock_ms * 1000 + offset->us;
    pthread_mutex_unlock(&clocks->mutex);
    return (struct wall_time){made < received.us ? made : received.us};
}
