/* Tests of digests and encodings, with the vectors of FIPS 180, RFC 4231 and RFC 4648. */
#include "base/digest.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static void start(void)
{
    cr_assert_eq(digest_start(), STATUS_OK);
}

TestSuite(base_digest, .timeout = 10, .init = start);

static void is(struct digest digest, const char *expected)
{
    char hex[DIGEST_HEX];
    cr_assert_str_eq(digest_hex(&digest, hex), expected);
}

Test(base_digest, sha256)
{
    is(digest_sha256("", 0), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    is(digest_sha256("abc", 3), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static struct digest run_of(const uint8_t *data, size_t length, size_t piece)
{
    struct digest_run run;
    digest_begin(&run);
    for (size_t at = 0; at < length; at += piece)
        digest_add(&run, data + at, length - at < piece ? length - at : piece);
    return digest_end(&run);
}

/* By its definition, with hashlib: d = bytes(32); for each whole block: d = blake2b(d + block,
   digest_size=32); then once more with what is left. */
Test(base_digest, run)
{
    static const struct {
        size_t length;
        const char *expected;
    } rows[] = {
        {0, "89eb0d6a8a691dae2cd15ed0369931ce0a949ecafa5c3f93f8121833646e15c3"},
        {1, "d8908c165dee785924e7421a0fd0418a19d5daeec395fd505a92a0fd3117e428"},
        {479, "b3bc9aba6203036a726793c697766dba10ab76e090b07b3ebdd2e654f2635bd8"},
        {480, "70cb93f9dab56c81369b7015977e7d0b3615270740225f30c4371ffb6d87e94b"},
        {481, "4cf283093013cdea3ca00dcc3bf55a3d24a6361911c66ef202f4fec4a6e83ba7"},
        {960, "7da849e4da857992f3c61c3241dfff439f59b57fd3ea6a3e0cf4736175b154c6"},
        {1500, "0256f5053d56076cb59294b53fa533d154f90a54b905e7fb2f0504830f094ef4"},
    };
    static const size_t pieces[] = {1, 7, 479, 480, 481, 2000};
    uint8_t data[1500];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 31 + i / 256);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        for (size_t j = 0; j < sizeof pieces / sizeof pieces[0]; j++)
            is(run_of(data, rows[i].length, pieces[j]), rows[i].expected);
    }
}

Test(base_digest, hmac)
{
    unsigned char key[131];
    static const char data[] = "Test Using Larger Than Block-Size Key - Hash Key First";
    memset(key, 0xaa, sizeof key);
    is(digest_hmac_sha256("Jefe", 4, "what do ya want for nothing?", 28),
       "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    is(digest_hmac_sha256(key, sizeof key, data, sizeof data - 1),
       "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

Test(base_digest, hex)
{
    struct digest a = digest_sha256("a", 1);
    struct digest b;
    char hex[DIGEST_HEX + 1];
    digest_hex(&a, hex);
    cr_assert(digest_parse_hex(hex, &b));
    cr_assert(digest_equal(&a, &b));
    hex[0] = 'C'; /* sha256("a") begins with c */
    cr_assert(digest_parse_hex(hex, &b) && digest_equal(&a, &b));
    b.bytes[31] ^= 1;
    cr_assert(!digest_equal(&a, &b));
    strcat(hex, "0");
    cr_assert(!digest_parse_hex(hex, &b));
    hex[63] = '\0';
    cr_assert(!digest_parse_hex(hex, &b));
    hex[63] = 'g';
    hex[64] = '\0';
    cr_assert(!digest_parse_hex(hex, &b));
    cr_assert(!digest_parse_hex("", &b));
}

Test(base_digest, base64)
{
    static const struct {
        const char *plain, *encoded;
    } rows[] = {{"", ""},
                {"f", "Zg=="},
                {"fo", "Zm8="},
                {"foo", "Zm9v"},
                {"foob", "Zm9vYg=="},
                {"fooba", "Zm9vYmE="},
                {"foobar", "Zm9vYmFy"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[16];
        uint8_t back[8];
        size_t length = 99;
        digest_base64(rows[i].plain, strlen(rows[i].plain), text, sizeof text);
        cr_assert_str_eq(text, rows[i].encoded);
        cr_assert(digest_parse_base64(text, strlen(text), back, sizeof back, &length));
        cr_assert_eq(length, strlen(rows[i].plain));
        cr_assert_eq(memcmp(back, rows[i].plain, length), 0);
    }
}

Test(base_digest, base64_refuses)
{
    static const char *const bad[] = {
        "Zg", "Zg=", "Zg==x", "Zh==", "Zm9v Yg==", "Z", "Zm-_", "====", "Zm9vYmFyZm9v"};
    uint8_t out[8];
    size_t length;
    for (int c = 0; c < 256; c++) {
        const char quad[] = {'B', 'd', 'a', (char)c, '\0'};
        bool digit = c < 0x80 && c != 0 && strchr("+/=", c) != NULL;
        digit = digit || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        if (c != '=') { /* "Bda=" would leave bits over */
            cr_assert_eq(digest_parse_base64(quad, 4, out, sizeof out, &length), digit, "%d", c);
        }
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        cr_assert(!digest_parse_base64(bad[i], strlen(bad[i]), out, sizeof out, &length), "%s", bad[i]);
    }
}

/* The first three were computed by Python's hashlib. */
Test(base_digest, bucket)
{
    int seen[10] = {0};
    cr_assert_eq(digest_bucket("salt", "user-1", 6), 9251);
    cr_assert_eq(digest_bucket("2f9c", "\xC3\xA9t\xC3\xA9", 5), 33);
    cr_assert_eq(digest_bucket("", "", 0), 4368);
    for (int i = 0; i < 5000; i++) {
        char key[16];
        int length = snprintf(key, sizeof key, "u%d", i);
        int bucket = digest_bucket("salt", key, (size_t)length);
        cr_assert(bucket >= 0 && bucket < 10000);
        seen[bucket / 1000]++;
    }
    for (int i = 0; i < 10; i++) {
        cr_assert(seen[i] > 400 && seen[i] < 600, "%d", seen[i]);
    }
}

Test(base_digest, random_differs)
{
    uint8_t a[32], b[32];
    digest_random(a, sizeof a);
    digest_random(b, sizeof b);
    cr_assert_neq(memcmp(a, b, sizeof a), 0);
}
