/* SPDX-License-Identifier: MIT
 *
 * Keys by period; see rotating.h.
 */
#include "base/rotating.h"

const struct hash_key *rotating_now(struct rotating *r, struct secure *secure, uint64_t period)
{
    unsigned i = period & 1;
    if (!r->set[i] || r->period[i] != period) {
        r->key[i].k0 = secure_u64(secure);
        r->key[i].k1 = secure_u64(secure);
        r->period[i] = period;
        r->set[i] = true;
    }
    return &r->key[i];
}

const struct hash_key *rotating_of(const struct rotating *r, uint64_t period)
{
    unsigned i = period & 1;
    return r->set[i] && r->period[i] == period ? &r->key[i] : NULL;
}
