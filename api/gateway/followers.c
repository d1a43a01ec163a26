/* An array, all of which is looked at once a second, and a hash over it. */
#include "gateway/followers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS = 1024 };

struct follower {
    size_t next; /* of its slot, counted from 1; 0 = none */
    char instance[NAME_MAX_LENGTH + 1];
    int64_t incarnation, rev;
    struct mono_time heard;
    /* of what was written last */
    int64_t told_incarnation, told_rev; /* told_rev -2 = nothing yet */
    struct mono_time told_heard, told_all;
};

struct followers {
    size_t count, capacity, maximum;
    struct follower *follower;
    size_t slot[SLOTS]; /* first follower, counted from 1 */
};

struct followers *followers_new(size_t maximum)
{
    struct followers *followers = calloc(1, sizeof *followers);
    if (followers != NULL)
        followers->maximum = maximum;
    return followers;
}

void followers_free(struct followers *followers)
{
    if (followers == NULL)
        return;
    free(followers->follower);
    free(followers);
}

static size_t slot_of(const char *instance)
{
    uint32_t hash = 2166136261u; /* FNV-1a */
    for (; *instance != '\0'; instance++)
        hash = (hash ^ (unsigned char)*instance) * 16777619u;
    return hash % SLOTS;
}

static struct follower *find(struct followers *followers, const char *instance)
{
    for (size_t at = followers->slot[slot_of(instance)]; at != 0; at = followers->follower[at - 1].next) {
        if (strcmp(followers->follower[at - 1].instance, instance) == 0)
            return &followers->follower[at - 1];
    }
    return NULL;
}

/* Puts the follower at this place into its slot. */
static void enlist(struct followers *followers, size_t place)
{
    struct follower *follower = &followers->follower[place];
    size_t slot = slot_of(follower->instance);
    follower->next = followers->slot[slot];
    followers->slot[slot] = place + 1;
}

static struct follower *add(struct followers *followers, const char *instance)
{
    if (followers->count == followers->maximum)
        return NULL; /* it says so again with its next poll */
    if (followers->count == followers->capacity) {
        size_t capacity = followers->capacity == 0 ? 8 : followers->capacity * 2;
        struct follower *grown = reallocarray(followers->follower, capacity, sizeof *grown);
        if (grown == NULL)
            return NULL;
        followers->follower = grown;
        followers->capacity = capacity;
    }
    struct follower *follower = &followers->follower[followers->count++];
    *follower = (struct follower){.told_rev = -2};
    snprintf(follower->instance, sizeof follower->instance, "%s", instance);
    enlist(followers, followers->count - 1);
    return follower;
}

void followers_heard(struct followers *followers, const char *instance, int64_t incarnation, int64_t rev,
                     struct mono_time now)
{
    struct follower *follower = find(followers, instance);
    if (follower == NULL)
        follower = add(followers, instance);
    if (follower == NULL || follower->heard.us > now.us)
        return;
    follower->incarnation = incarnation;
    follower->rev = rev;
    follower->heard = now;
}

/* Whether something is to be written of it, and which. */
static bool word_of(struct follower *follower, struct mono_time now, struct follower_word *out)
{
    bool other = follower->incarnation != follower->told_incarnation;
    bool anew = other || follower->told_rev < 0 ||
                follower->rev < follower->told_rev; /* less than it said: all of it */
    bool due = follower->heard.us > follower->told_heard.us &&
               now.us - follower->told_all.us >= (int64_t)FOLLOWERS_REFRESH_MS * 1000;
    if (!other && follower->rev == follower->told_rev && !due)
        return false;
    *out = (struct follower_word){.incarnation = follower->incarnation,
                                  .rev = follower->rev,
                                  .since = anew || due ? -1 : follower->told_rev,
                                  .heard = follower->heard};
    memcpy(out->instance, follower->instance, sizeof out->instance);
    if (out->since < 0) {
        follower->told_all = now;
        follower->told_heard = follower->heard;
    }
    follower->told_incarnation = follower->incarnation;
    follower->told_rev = follower->rev;
    return true;
}

size_t followers_take(struct followers *followers, struct mono_time now, struct follower_word **out)
{
    size_t used = 0, kept = 0;
    *out = followers->count > 0 ? calloc(followers->count, sizeof **out) : NULL;
    if (*out == NULL)
        return 0;
    memset(followers->slot, 0, sizeof followers->slot);
    for (size_t i = 0; i < followers->count; i++) {
        struct follower *follower = &followers->follower[i];
        used += word_of(follower, now, &(*out)[used]);
        if (now.us - follower->heard.us > (int64_t)FOLLOWERS_KEPT_MS * 1000)
            continue;
        followers->follower[kept] = *follower;
        enlist(followers, kept++);
    }
    followers->count = kept;
    if (used == 0) {
        free(*out);
        *out = NULL;
    }
    return used;
}

void followers_return(struct followers *followers, const struct follower_word *taken, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct follower *follower = find(followers, taken[i].instance);
        if (follower == NULL) {
            followers_heard(followers, taken[i].instance, taken[i].incarnation, taken[i].rev, taken[i].heard);
            continue;
        }
        follower->told_rev = -2;
    }
}

static int by_name(const void *a, const void *b)
{
    const struct ack *x = a, *y = b;
    int order = strcmp(x->service, y->service);
    return order != 0 ? order : strcmp(x->instance, y->instance);
}

size_t followers_expand(const struct follower_word *words, size_t count, const struct snapshot *snapshot,
                        struct ack **out, bool *failed)
{
    size_t used = 0;
    *out = calloc(count * snapshot->services + 1, sizeof **out);
    *failed = *out == NULL;
    if (*out == NULL)
        return 0;
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < snapshot->services; j++) {
            const struct service_view *view = snapshot->service[j];
            if (!view->routed || (words[i].since >= 0 && view->since_rev <= words[i].since))
                continue;
            struct ack *ack = &(*out)[used++];
            memcpy(ack->service, view->name, sizeof ack->service);
            memcpy(ack->instance, words[i].instance, sizeof ack->instance);
            ack->incarnation = words[i].incarnation;
            ack->applied_epoch =
                words[i].incarnation == view->incarnation ? service_view_epoch_at(view, words[i].rev) : -1;
            ack->weight_step = 1;
            ack->heard = ack->applied = words[i].heard;
        }
    }
    qsort(*out, used, sizeof **out, by_name);
    return used;
}
