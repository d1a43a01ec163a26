/* Unpacking, and what is no gzip. */
#include "base/gunzip.h"

#include <criterion/criterion.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

TestSuite(base_gunzip, .timeout = 20);

/* Packs `data`; the caller frees. `bits`: 31 = gzip, 15 = zlib. */
static char *pack(const char *data, size_t length, int bits, size_t *packed)
{
    z_stream stream = {0};
    size_t room = length + 1024;
    char *out = malloc(room);
    cr_assert_eq(deflateInit2(&stream, 9, Z_DEFLATED, bits, 8, Z_DEFAULT_STRATEGY), Z_OK);
    stream.next_in = (Bytef *)(uintptr_t)data;
    stream.avail_in = (uInt)length;
    stream.next_out = (Bytef *)out;
    stream.avail_out = (uInt)room;
    cr_assert_eq(deflate(&stream, Z_FINISH), Z_STREAM_END);
    *packed = room - stream.avail_out;
    deflateEnd(&stream);
    return out;
}

static enum status unpack(const char *data, size_t length, size_t maximum, struct text *out)
{
    struct fault fault = {.status = STATUS_OK};
    text_init(out, maximum);
    enum status status = gunzip(data, length, out, &fault);
    cr_assert_eq(status, fault.status);
    cr_assert(status == STATUS_OK || (out->data == NULL && out->length == 0));
    return status;
}

Test(base_gunzip, what_was_packed_comes_out)
{
    size_t packed;
    struct text out;
    char *data = pack("hello\0there", 11, 31, &packed);
    cr_assert_eq(unpack(data, packed, 11, &out), STATUS_OK);
    cr_assert_eq(out.length, 11);
    cr_assert_eq(memcmp(out.data, "hello\0there", 11), 0);
    text_free(&out);
    /* two members are one text */
    char twice[256];
    memcpy(twice, data, packed);
    memcpy(twice + packed, data, packed);
    cr_assert_eq(unpack(twice, packed * 2, 64, &out), STATUS_OK);
    cr_assert_eq(out.length, 22);
    text_free(&out);
    free(data);
}

Test(base_gunzip, the_limit_is_kept)
{
    enum { SIZE = 10 << 20 };
    size_t packed;
    struct text out;
    char *zeros = calloc(1, SIZE);
    char *data = pack(zeros, SIZE, 31, &packed);
    cr_assert_lt(packed, 20000);
    cr_assert_eq(unpack(data, packed, SIZE - 1, &out), STATUS_TOO_LARGE);
    cr_assert_eq(unpack(data, packed, SIZE, &out), STATUS_OK);
    text_free(&out);
    free(data);
    free(zeros);
}

Test(base_gunzip, what_is_broken_is_refused)
{
    size_t packed, zlib;
    struct text out;
    char *data = pack("hello there, hello there", 24, 31, &packed);
    for (size_t cut = 0; cut < packed; cut++)
        cr_assert_eq(unpack(data, cut, 64, &out), STATUS_MALFORMED, "%zu bytes of %zu", cut, packed);
    data[packed - 1] ^= 1; /* its length */
    cr_assert_eq(unpack(data, packed, 64, &out), STATUS_MALFORMED);
    data[packed - 1] ^= 1;
    data[packed - 5] ^= 1; /* its checksum */
    cr_assert_eq(unpack(data, packed, 64, &out), STATUS_MALFORMED);
    data[packed - 5] ^= 1;
    data[packed] = 'x'; /* behind it */
    cr_assert_eq(unpack(data, packed + 1, 64, &out), STATUS_MALFORMED);
    free(data);
    data = pack("hello", 5, 15, &zlib);
    cr_assert_eq(unpack(data, zlib, 64, &out), STATUS_MALFORMED, "zlib's form is another");
    free(data);
}

Test(base_gunzip, many_empty_members_end)
{
    enum { MEMBERS = 1000 };
    size_t packed;
    struct text out;
    char *data = pack("", 0, 31, &packed), *all = malloc(packed * MEMBERS);
    for (size_t i = 0; i < MEMBERS; i++)
        memcpy(all + i * packed, data, packed);
    cr_assert_eq(unpack(all, packed * MEMBERS, 64, &out), STATUS_MALFORMED);
    free(all);
    free(data);
}
