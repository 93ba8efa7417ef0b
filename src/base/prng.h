/* SPDX-License-Identifier: MIT
 *
 * Two sources of randomness, both injected. `prng` is a fast statistical
 * generator (PCG64-DXSM or xoshiro256**), for simulation and jitter. Secrets
 * (keys, nonces, ISNs, ports) come from `struct secure`, an HMAC-SHA256
 * counter generator over the seed the stack was made with: 32 secret bytes
 * give an endless stream, and the same seed gives the same run.
 */
#ifndef BASE_PRNG_H
#define BASE_PRNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct prng {
    uint64_t s[4];
};

void prng_seed(struct prng *p, uint64_t seed);
uint64_t prng_next(struct prng *p);
/* Uniform in [0, n), without modulo bias; n > 0. */
uint64_t prng_below(struct prng *p, uint64_t n);
/* True with probability ppm / 1 000 000. */
bool prng_chance(struct prng *p, uint32_t ppm);

struct secure {
    uint8_t key[32];
    uint64_t counter;
    uint8_t pool[32];
    uint8_t pool_left;
};

void secure_init(struct secure *s, const uint8_t seed[32]);
void secure_bytes(struct secure *s, void *out, size_t len);
uint32_t secure_u32(struct secure *s);
uint64_t secure_u64(struct secure *s);

#endif
