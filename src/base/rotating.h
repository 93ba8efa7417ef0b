/* SPDX-License-Identifier: MIT
 *
 * A secret that changes with time, for what is handed out and must be known
 * again: SYN cookies, fast open cookies. Time is cut into periods; each has a
 * key of its own, drawn when it is first needed. The keys of the two latest
 * periods are kept, so what was made in a period is good until the end of the
 * next.
 */
#ifndef BASE_ROTATING_H
#define BASE_ROTATING_H

#include "base/hash.h"
#include "base/prng.h"

struct rotating {
    struct hash_key key[2]; /* of even and of odd periods */
    uint64_t period[2];
    bool set[2];
};

/* The key of the present period; periods never go backwards. */
const struct hash_key *rotating_now(struct rotating *r, struct secure *secure, uint64_t period);
/* The key of a period if it is still known, else NULL. */
const struct hash_key *rotating_of(const struct rotating *r, uint64_t period);

#endif
