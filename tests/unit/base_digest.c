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
