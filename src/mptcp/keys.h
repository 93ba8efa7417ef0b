/* SPDX-License-Identifier: MIT
 *
 * What MPTCP derives from keys: tokens, initial data sequence numbers and
 * HMACs. Version 1 uses SHA-256 (RFC 8684 3.1, 3.2), version 0 SHA-1
 * (RFC 6824 3.1, 3.2).
 */
#ifndef MPTCP_KEYS_H
#define MPTCP_KEYS_H

#include "plait/types.h"

enum { HMAC_SYNACK_LEN = 8, HMAC_ACK_LEN = 20, HMAC_ADD_ADDR_LEN = 8 };

struct key_derived {
    uint32_t token;
    uint64_t idsn;
};

struct key_derived key_derive(uint8_t version, uint64_t key);

/* Leftmost `len` (<= 20) bytes of the MP_JOIN HMAC that the owner of
 * own_key sends: key own || peer, message own nonce || peer nonce. */
void join_hmac(uint8_t version, uint64_t own_key, uint64_t peer_key, uint32_t own_nonce,
               uint32_t peer_nonce, uint8_t *out, size_t len);

/* Rightmost 64 bits of the ADD_ADDR HMAC (RFC 8684 3.4.1), v1 only: key
 * sender || receiver, message id || address || port (zero when absent). */
void add_addr_hmac(uint64_t sender_key, uint64_t receiver_key, uint8_t addr_id,
                   const struct plait_addr *addr, uint16_t port, uint8_t out[HMAC_ADD_ADDR_LEN]);

/* Equality in time that does not depend on the bytes. */
bool hmac_equal(const uint8_t *a, const uint8_t *b, size_t len);

#endif
