/* SPDX-License-Identifier: MIT
 *
 * xoshiro256** (Blackman and Vigna) seeded through splitmix64, and the
 * HMAC-SHA256 counter generator for secrets. Both are functions of their
 * seeds alone: a run that is given the same seeds draws the same numbers.
 */
#include "base/prng.h"

#include <assert.h>
#include <string.h>

#include <nettle/hmac.h>

#include "base/bytes.h"

static uint64_t rotl(uint64_t x, unsigned n)
{
    return x << n | x >> (64 - n);
}

static uint64_t splitmix(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

void prng_seed(struct prng *p, uint64_t seed)
{
    for (unsigned i = 0; i < 4; i++)
        p->s[i] = splitmix(&seed);
}

uint64_t prng_next(struct prng *p)
{
    uint64_t *s = p->s;
    uint64_t result = rotl(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 45);
    return result;
}

uint64_t prng_below(struct prng *p, uint64_t n)
{
    assert(n > 0);
    /* 2^64 mod n values at the bottom would be drawn once too often. */
    uint64_t surplus = (0 - n) % n, x;
    do
        x = prng_next(p);
    while (x < surplus);
    return x % n;
}

bool prng_chance(struct prng *p, uint32_t ppm)
{
    return prng_below(p, 1000000) < ppm;
}

void secure_init(struct secure *s, const uint8_t seed[32])
{
    *s = (struct secure){0};
    memcpy(s->key, seed, sizeof s->key);
}

static void secure_refill(struct secure *s)
{
    struct hmac_sha256_ctx ctx;
    uint8_t counter[8];
    put_be64(counter, s->counter++);
    hmac_sha256_set_key(&ctx, sizeof s->key, s->key);
    hmac_sha256_update(&ctx, sizeof counter, counter);
    hmac_sha256_digest(&ctx, sizeof s->pool, s->pool);
    s->pool_left = sizeof s->pool;
}

void secure_bytes(struct secure *s, void *out, size_t len)
{
    uint8_t *to = out;
    while (len) {
        if (!s->pool_left)
            secure_refill(s);
        size_t n = len < s->pool_left ? len : s->pool_left;
        uint8_t *from = s->pool + sizeof s->pool - s->pool_left;
        memcpy(to, from, n);
        memset(from, 0, n); /* what was handed out is nobody else's to find */
        s->pool_left = (uint8_t)(s->pool_left - n);
        to += n;
        len -= n;
    }
}

uint32_t secure_u32(struct secure *s)
{
    uint8_t b[4];
    secure_bytes(s, b, sizeof b);
    return get_be32(b);
}

uint64_t secure_u64(struct secure *s)
{
    uint8_t b[8];
    secure_bytes(s, b, sizeof b);
    return get_be64(b);
}
