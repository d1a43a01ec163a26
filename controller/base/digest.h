/* SHA-256, BLAKE2b, HMAC, base64, hex, constant-time compare and random bytes, over libsodium. */
#pragma once

#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DIGEST_BYTES = 32, DIGEST_HEX = 65 /* with NUL */ };

struct digest {
    uint8_t bytes[DIGEST_BYTES];
};

/* Must be called once before the others (it starts libsodium). INTERNAL if that fails. */
enum status digest_start(void) MUST_CHECK;
struct digest digest_sha256(const void *data, size_t length);
/* Of what comes piece by piece: begin, add any number of times, end once. Holds nothing to free. BLAKE2b over
   blocks of 480 bytes, each behind the digest of what was before it: several times as fast as SHA-256 where
   the CPU does not help, and to be compared with its own kind alone. How it was cut into pieces does not
   matter. */
enum { DIGEST_RUN_BLOCK = 480 };
struct digest_run {
    uint8_t bytes[DIGEST_BYTES + DIGEST_RUN_BLOCK]; /* the digest of what was before, and the block */
    size_t used;
};
void digest_begin(struct digest_run *run);
void digest_add(struct digest_run *run, const void *data, size_t length);
struct digest digest_end(struct digest_run *run);
struct digest digest_hmac_sha256(const void *key, size_t key_length, const void *data, size_t length);
/* 64 lower-case hex digits. Returns `out`. */
char *digest_hex(const struct digest *digest, char out[DIGEST_HEX]);
/* Exactly 64 hex digits, else false. */
bool digest_parse_hex(const char *hex, struct digest *out);
bool digest_equal(const struct digest *a, const struct digest *b); /* constant time */
void digest_random(void *out, size_t length);
/* Standard base64 with padding. `out_size` >= 4 * ((length + 2) / 3) + 1. Returns `out`. */
char *digest_base64(const void *data, size_t length, char *out, size_t out_size);
/* Standard base64, padding required. False if malformed or larger than `out_max`. */
bool digest_parse_base64(const char *text, size_t text_length, uint8_t *out, size_t out_max,
                         size_t *out_length);

/* Sticky bucket of a key, 0..9999: the first 8 bytes of sha256(salt ":" key), big endian, modulo 10,000. The
   canary owns the buckets below its weight. */
int digest_bucket(const char *salt, const char *key, size_t key_length);
