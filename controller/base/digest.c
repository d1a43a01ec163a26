/* Digests, encodings and random bytes: thin names over libsodium. */
#include "base/digest.h"

#include <sodium.h>
#include <string.h>

enum status digest_start(void)
{
    return sodium_init() < 0 ? STATUS_INTERNAL : STATUS_OK;
}

struct digest digest_sha256(const void *data, size_t length)
{
    struct digest out;
    crypto_hash_sha256(out.bytes, data, length);
    return out;
}

void digest_begin(struct digest_run *run)
{
    memset(run->bytes, 0, DIGEST_BYTES);
    run->used = DIGEST_BYTES;
}

static void fold(struct digest_run *run)
{
    uint8_t folded[DIGEST_BYTES];
    crypto_generichash(folded, sizeof folded, run->bytes, run->used, NULL, 0);
    memcpy(run->bytes, folded, sizeof folded);
    run->used = DIGEST_BYTES;
}

void digest_add(struct digest_run *run, const void *data, size_t length)
{
    const uint8_t *bytes = data;
    while (length > 0) {
        size_t room = sizeof run->bytes - run->used, taken = length < room ? length : room;
        memcpy(run->bytes + run->used, bytes, taken);
        run->used += taken;
        bytes += taken;
        length -= taken;
        if (run->used == sizeof run->bytes)
            fold(run);
    }
}

struct digest digest_end(struct digest_run *run)
{
    struct digest out;
    fold(run); /* also of no bytes: so what ends here is told from what goes on */
    memcpy(out.bytes, run->bytes, sizeof out.bytes);
    return out;
}

struct digest digest_hmac_sha256(const void *key, size_t key_length, const void *data, size_t length)
{
    struct digest out;
    crypto_auth_hmacsha256_state state;
    crypto_auth_hmacsha256_init(&state, key, key_length);
    crypto_auth_hmacsha256_update(&state, data, length);
    crypto_auth_hmacsha256_final(&state, out.bytes);
    sodium_memzero(&state, sizeof state);
    return out;
}

char *digest_hex(const struct digest *digest, char out[DIGEST_HEX])
{
    return sodium_bin2hex(out, DIGEST_HEX, digest->bytes, DIGEST_BYTES);
}

bool digest_parse_hex(const char *hex, struct digest *out)
{
    struct digest read;
    for (size_t i = 0; i < DIGEST_BYTES; i++) {
        unsigned byte = 0;
        for (size_t j = 0; j < 2; j++) {
            char c = hex[2 * i + j];
            if (c >= '0' && c <= '9') {
                byte = byte << 4 | (unsigned)(c - '0');
            } else if (c >= 'a' && c <= 'f') {
                byte = byte << 4 | (unsigned)(c - 'a' + 10);
            } else if (c >= 'A' && c <= 'F') {
                byte = byte << 4 | (unsigned)(c - 'A' + 10);
            } else {
                return false; /* the terminating NUL comes here too */
            }
        }
        read.bytes[i] = (uint8_t)byte;
    }
    if (hex[DIGEST_HEX - 1] != '\0') {
        return false;
    }
    *out = read;
    return true;
}

bool digest_equal(const struct digest *a, const struct digest *b)
{
    return sodium_memcmp(a->bytes, b->bytes, DIGEST_BYTES) == 0;
}

void digest_random(void *out, size_t length)
{
    randombytes_buf(out, length);
}

char *digest_base64(const void *data, size_t length, char *out, size_t out_size)
{
    return sodium_bin2base64(out, out_size, data, length, sodium_base64_VARIANT_ORIGINAL);
}

bool digest_parse_base64(const char *text, size_t text_length, uint8_t *out, size_t out_max,
                         size_t *out_length)
{
    /* libsodium 1.0.18 takes some bytes above 0x7F for digits. */
    for (size_t i = 0; i < text_length; i++) {
        if ((unsigned char)text[i] > 0x7F) {
            return false;
        }
    }
    return sodium_base642bin(out, out_max, text, text_length, NULL, out_length, NULL,
                             sodium_base64_VARIANT_ORIGINAL) == 0;
}

int digest_bucket(const char *salt, const char *key, size_t key_length)
{
    struct digest digest;
    crypto_hash_sha256_state state;
    uint64_t number = 0;
    size_t salt_length = 0;
    while (salt[salt_length] != '\0') {
        salt_length++;
    }
    crypto_hash_sha256_init(&state);
    crypto_hash_sha256_update(&state, (const unsigned char *)salt, salt_length);
    crypto_hash_sha256_update(&state, (const unsigned char *)":", 1);
    crypto_hash_sha256_update(&state, (const unsigned char *)key, key_length);
    crypto_hash_sha256_final(&state, digest.bytes);
    for (size_t i = 0; i < 8; i++) {
        number = number << 8 | digest.bytes[i];
    }
    return (int)(number % 10000);
}
