/* The last known good routes: written and read back, and never believed when a single byte is wrong. */
#include "gateway/lkg.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

TestSuite(gateway_lkg, .timeout = 60);

static const struct wall_time wall = {1000000000};
static const struct mono_time mono = {5000000};

static struct service_view *view_of(const char *name, bool leased)
{
    struct service_view *view = service_view_new(name);
    view->incarnation = 3;
    view->epoch = 12;
    view->routed = true;
    cr_assert_eq(snapshot_form(&view->normal, 3, 12, strdup("{\"normal\":1}"), 12), STATUS_OK);
    view->weights = 1;
    snprintf(view->weight[0].release, sizeof view->weight[0].release, "v1");
    view->weight[0].weight = 10000;
    if (!leased)
        return view;
    cr_assert_eq(snapshot_form(&view->lapsed, 3, 12, strdup("{\"lapsed\":1}"), 12), STATUS_OK);
    view->leased = true;
    view->lapse_wall.us = wall.us + 60 * 1000000;
    view->weights = 2;
    view->weight[0].weight = 9000;
    view->weight[1] = (struct route_weight){"v2", true, 1000};
    return view;
}

static struct snapshot *make(void)
{
    struct snapshot *snapshot = snapshot_new(3, 77, 3, 2);
    snapshot->service[snapshot->services++] = view_of("chat", true);
    snapshot->service[snapshot->services++] = view_of("mail", false);
    snapshot->service[snapshot->services++] = service_view_new("idle");
    for (int i = 0; i < 2; i++) {
        struct snapshot_token_entry *token = &snapshot->token[snapshot->tokens++];
        memset(token->secret.bytes, 9 - i, sizeof token->secret.bytes);
        token->role = 1 + i;
        snprintf(token->name, sizeof token->name, "token-%d", i);
    }
    snapshot_seal(snapshot);
    return snapshot;
}

static void encode(struct text *coded)
{
    struct snapshot *snapshot = make();
    text_init(coded, 1 << 20);
    cr_assert_eq(lkg_encode(snapshot, coded), STATUS_OK);
    snapshot_unref(snapshot);
}

Test(gateway_lkg, what_is_read_back_is_what_was_written)
{
    struct text coded, again;
    struct snapshot *snapshot;
    struct fault fault = {.detail = ""};
    struct digest secret;
    encode(&coded);
    cr_assert_eq(lkg_decode(coded.data, coded.length, wall, mono, &snapshot, &fault), STATUS_OK, "%s",
                 fault.detail);
    cr_assert_eq(snapshot->rev, 77);
    cr_assert_eq(snapshot->incarnation, 3);
    cr_assert(snapshot->restored);
    const struct service_view *chat = snapshot_find(snapshot, "chat");
    cr_assert_str_eq(chat->normal.body, "{\"normal\":1}");
    cr_assert_str_eq(chat->lapsed.body, "{\"lapsed\":1}");
    cr_assert_eq(chat->epoch, 12);
    cr_assert_eq(chat->weight[1].weight, 1000);
    cr_assert(chat->weight[1].canary);
    /* the lease has 60 s to go, by both clocks of now */
    cr_assert_eq(chat->lapse_mono.us, mono.us + 60 * 1000000);
    cr_assert_eq(service_view_form(chat, wall, mono), &chat->normal);
    cr_assert_not(snapshot_find(snapshot, "idle")->routed);
    memset(secret.bytes, 8, sizeof secret.bytes);
    cr_assert_eq(snapshot_find_token(snapshot, &secret)->role, 2);
    memset(secret.bytes, 7, sizeof secret.bytes);
    cr_assert_null(snapshot_find_token(snapshot, &secret));
    text_init(&again, 1 << 20);
    cr_assert_eq(lkg_encode(snapshot, &again), STATUS_OK);
    cr_assert_eq(again.length, coded.length);
    cr_assert_eq(memcmp(again.data, coded.data, coded.length), 0);
    snapshot_unref(snapshot);
    text_free(&coded);
    text_free(&again);
}

Test(gateway_lkg, a_lease_that_ran_out_meanwhile_has_run_out)
{
    struct text coded;
    struct snapshot *snapshot;
    const struct wall_time later = {wall.us + 61 * 1000000};
    encode(&coded);
    cr_assert_eq(lkg_decode(coded.data, coded.length, later, mono, &snapshot, NULL), STATUS_OK);
    const struct service_view *chat = snapshot_find(snapshot, "chat");
    cr_assert_eq(service_view_form(chat, later, mono), &chat->lapsed);
    /* also if the wall clock is set back afterwards */
    cr_assert_eq(service_view_form(chat, wall, mono), &chat->lapsed);
    snapshot_unref(snapshot);
    text_free(&coded);
}

Test(gateway_lkg, a_wrong_byte_anywhere_is_noticed)
{
    static const unsigned char flips[] = {0x01, 0x80, 0xff};
    struct text coded;
    struct snapshot *snapshot;
    encode(&coded);
    for (size_t at = 0; at < coded.length; at++) {
        for (size_t i = 0; i < sizeof flips; i++) {
            coded.data[at] = (char)(coded.data[at] ^ (char)flips[i]);
            cr_assert_eq(lkg_decode(coded.data, coded.length, wall, mono, &snapshot, NULL), STATUS_MALFORMED,
                         "byte %zu", at);
            cr_assert_null(snapshot);
            coded.data[at] = (char)(coded.data[at] ^ (char)flips[i]);
        }
    }
    text_free(&coded);
}

/* The same with a checksum that fits: the fields themselves are held to their ranges. Whatever is accepted
   must be usable. */
Test(gateway_lkg, a_wrong_byte_under_a_right_checksum_does_no_harm)
{
    struct text coded;
    struct snapshot *snapshot;
    encode(&coded);
    size_t fields = coded.length - DIGEST_BYTES;
    for (size_t at = 0; at < fields; at++) {
        for (int value = 0; value < 256; value += 5) {
            char before = coded.data[at];
            coded.data[at] = (char)value;
            struct digest sum = digest_sha256(coded.data, fields);
            memcpy(coded.data + fields, sum.bytes, sizeof sum.bytes);
            if (lkg_decode(coded.data, coded.length, wall, mono, &snapshot, NULL) == STATUS_OK) {
                for (size_t i = 0; i < snapshot->services; i++) {
                    const struct service_view *view = snapshot->service[i];
                    cr_assert(!view->routed || service_view_form(view, wall, mono)->fresh != NULL);
                }
            }
            snapshot_unref(snapshot);
            coded.data[at] = before;
        }
    }
    text_free(&coded);
}

Test(gateway_lkg, a_file_that_is_cut_is_not_used)
{
    struct text coded;
    struct snapshot *snapshot;
    encode(&coded);
    for (size_t length = 0; length < coded.length; length++)
        cr_assert_eq(lkg_decode(coded.data, length, wall, mono, &snapshot, NULL), STATUS_MALFORMED,
                     "length %zu", length);
    text_free(&coded);
}

Test(gateway_lkg, the_file_is_replaced_in_one_step_and_for_its_owner_only)
{
    char directory[] = "/tmp/serin-unit-XXXXXX", path[64], other[64];
    struct snapshot *snapshot = make(), *read;
    struct fault fault = {.detail = ""};
    struct stat about;
    cr_assert_not_null(mkdtemp(directory));
    cr_assert_eq(lkg_load(directory, &read, &fault), STATUS_NOT_FOUND);
    for (int i = 0; i < 2; i++)
        cr_assert_eq(lkg_save(directory, snapshot, &fault), STATUS_OK, "%s", fault.detail);
    snprintf(path, sizeof path, "%s/routes.lkg", directory);
    snprintf(other, sizeof other, "%s/routes.lkg.new", directory);
    cr_assert_eq(stat(path, &about), 0);
    cr_assert_eq(about.st_mode & 0777, 0600);
    cr_assert_neq(access(other, F_OK), 0);
    cr_assert_eq(lkg_load(directory, &read, &fault), STATUS_OK, "%s", fault.detail);
    cr_assert_eq(read->services, 3);
    snapshot_unref(read);
    cr_assert_eq(truncate(path, 100), 0);
    cr_assert_eq(lkg_load(directory, &read, &fault), STATUS_MALFORMED);
    cr_assert_eq(unlink(path), 0);
    cr_assert_eq(rmdir(directory), 0);
    cr_assert_eq(lkg_save(directory, snapshot, &fault), STATUS_INTERNAL);
    snapshot_unref(snapshot);
}
