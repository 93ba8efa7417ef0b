/* SPDX-License-Identifier: MIT
 *
 * Tokens, IDSNs and HMACs; see keys.h. Pure functions over nettle.
 */
#include "mptcp/keys.h"

#include <nettle/hmac.h>
#include <nettle/sha1.h>
#include <nettle/sha2.h>

#include "base/bytes.h"

static size_t key_digest(uint8_t version, const uint8_t key[8], uint8_t *digest)
{
    if (version == 0) {
        struct sha1_ctx sha;
        sha1_init(&sha);
        sha1_update(&sha, 8, key);
        sha1_digest(&sha, SHA1_DIGEST_SIZE, digest);
        return SHA1_DIGEST_SIZE;
    }
    struct sha256_ctx sha;
    sha256_init(&sha);
    sha256_update(&sha, 8, key);
    sha256_digest(&sha, SHA256_DIGEST_SIZE, digest);
    return SHA256_DIGEST_SIZE;
}

struct key_derived key_derive(uint8_t version, uint64_t key)
{
    uint8_t bytes[8], digest[SHA256_DIGEST_SIZE];
    put_be64(bytes, key);
    size_t len = key_digest(version, bytes, digest);
    return (struct key_derived){.token = get_be32(digest), .idsn = get_be64(digest + len - 8)};
}

static void hmac(uint8_t version, const uint8_t key[16], const uint8_t *msg, size_t len,
                 uint8_t out[SHA256_DIGEST_SIZE])
{
    if (version == 0) {
        struct hmac_sha1_ctx ctx;
        hmac_sha1_set_key(&ctx, 16, key);
        hmac_sha1_update(&ctx, len, msg);
        hmac_sha1_digest(&ctx, SHA1_DIGEST_SIZE, out);
        return;
    }
    struct hmac_sha256_ctx ctx;
    hmac_sha256_set_key(&ctx, 16, key);
    hmac_sha256_update(&ctx, len, msg);
    hmac_sha256_digest(&ctx, SHA256_DIGEST_SIZE, out);
}

static void join_keys(uint8_t out[16], uint64_t first, uint64_t second)
{
    put_be64(out, first);
    put_be64(out + 8, second);
}

void join_hmac(uint8_t version, uint64_t own_key, uint64_t peer_key, uint32_t own_nonce,
               uint32_t peer_nonce, uint8_t *out, size_t len)
{
    uint8_t key[16], msg[8], digest[SHA256_DIGEST_SIZE];
    join_keys(key, own_key, peer_key);
    put_be32(msg, own_nonce);
    put_be32(msg + 4, peer_nonce);
    hmac(version, key, msg, sizeof msg, digest);
    memcpy(out, digest, len);
}

void add_addr_hmac(uint64_t sender_key, uint64_t receiver_key, uint8_t addr_id,
                   const struct plait_addr *addr, uint16_t port, uint8_t out[HMAC_ADD_ADDR_LEN])
{
    uint8_t key[16], msg[1 + 16 + 2], digest[SHA256_DIGEST_SIZE];
    struct writer w = {.buf = msg, .cap = sizeof msg};
    join_keys(key, sender_key, receiver_key);
    write_u8(&w, addr_id);
    write_bytes(&w, addr->bytes, addr->family == PLAIT_IPV4 ? 4 : 16);
    write_be16(&w, port);
    hmac(1, key, msg, w.len, digest);
    memcpy(out, digest + SHA256_DIGEST_SIZE - HMAC_ADD_ADDR_LEN, HMAC_ADD_ADDR_LEN);
}

bool hmac_equal(const uint8_t *a, const uint8_t *b, size_t len)
{
    uint8_t diff = 0;
    for (size_t i = 0; i < len; i++)
        diff |= (uint8_t)(a[i] ^ b[i]);
    return diff == 0;
}
