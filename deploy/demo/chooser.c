/* Which release a request is assigned to: the canary owns the buckets below its weight, while its lease
 * lasts. */
#include "demo/chooser.h"

struct choice chooser_choose(const struct route *route, struct wall_time now, const char *key,
                             size_t key_length, int draw)
{
    struct choice stable = {&route->stable, false, false}, canary = {&route->canary, true, false};
    if (!route->has_canary) {
        return stable;
    }
    if (!route->has_stable) {
        return canary; /* the first release of a service: there is nothing to go back to */
    }
    if (route->leased && now.us >= route->valid_until.us) {
        stable.lease_over = true;
        return stable;
    }
    int bucket = route->sticky && key != NULL ? digest_bucket(route->salt, key, key_length) : draw;
    return bucket < route->canary.weight ? canary : stable;
}
