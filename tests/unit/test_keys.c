/* SPDX-License-Identifier: MIT
 *
 * Tokens, IDSNs and HMACs of both versions against vectors computed with an
 * independent implementation (Python's hashlib and hmac).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "mptcp/keys.h"

static const uint64_t KEY_A = 0x0102030405060708, KEY_B = 0x1112131415161718;
static const uint32_t NONCE_A = 0x21222324, NONCE_B = 0x31323334;

static void derives_tokens_and_idsns(void **state)
{
    static const struct {
        uint8_t version;
        uint64_t key;
        uint32_t token;
        uint64_t idsn;
    } rows[] = {
        {0, KEY_A, 0xdd5783bc, 0x3a95ed6e4ebb4ad5},
        {0, KEY_B, 0x3383d918, 0x9e1ae42f702627a9},
        {1, KEY_A, 0x66840dda, 0xf5a101d3d29d6f72},
        {1, KEY_B, 0xccad45ac, 0x535beea38e087c8e},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct key_derived d = key_derive(rows[i].version, rows[i].key);
        assert_int_equal(d.token, rows[i].token);
        assert_int_equal(d.idsn, rows[i].idsn);
    }
}

static void computes_join_hmacs(void **state)
{
    static const uint8_t v0_b[8] = {0x25, 0x4c, 0xe9, 0xce, 0xe1, 0xc7, 0xcd, 0xd7};
    static const uint8_t v0_a[20] = {0xea, 0xdd, 0xd7, 0xd4, 0x4f, 0xb1, 0xbe, 0x97, 0xa6, 0x80,
                                     0xf0, 0xe4, 0xc2, 0xfe, 0x89, 0x6b, 0x33, 0x2c, 0x1a, 0x95};
    static const uint8_t v1_b[8] = {0x0f, 0xce, 0x25, 0x97, 0xe5, 0x5e, 0x87, 0xef};
    static const uint8_t v1_a[20] = {0xe1, 0x9a, 0xd4, 0xac, 0x22, 0xd5, 0x1c, 0x2f, 0x06, 0x4d,
                                     0x49, 0x66, 0x24, 0x31, 0xbc, 0x8f, 0x9d, 0x6b, 0x3a, 0x29};
    uint8_t out[20];
    (void)state;
    join_hmac(0, KEY_B, KEY_A, NONCE_B, NONCE_A, out, 8);
    assert_memory_equal(out, v0_b, 8);
    join_hmac(0, KEY_A, KEY_B, NONCE_A, NONCE_B, out, 20);
    assert_memory_equal(out, v0_a, 20);
    join_hmac(1, KEY_B, KEY_A, NONCE_B, NONCE_A, out, 8);
    assert_memory_equal(out, v1_b, 8);
    join_hmac(1, KEY_A, KEY_B, NONCE_A, NONCE_B, out, 20);
    assert_memory_equal(out, v1_a, 20);
}

static void computes_add_addr_hmacs(void **state)
{
    static const struct {
        struct plait_addr addr;
        uint8_t id;
        uint16_t port;
        uint8_t hmac[8];
    } rows[] = {
        {{PLAIT_IPV4, {192, 0, 2, 2}}, 2, 0, {0xa0, 0x9f, 0xad, 0xca, 0xaa, 0xb5, 0x1d, 0xee}},
        {{PLAIT_IPV4, {192, 0, 2, 2}}, 2, 8080, {0x0e, 0xd8, 0x23, 0xc4, 0xb7, 0x8f, 0x79, 0x2b}},
        {{PLAIT_IPV6, {0x20, 0x01, 0x0d, 0xb8, [15] = 2}},
         3,
         0,
         {0xf3, 0x52, 0x9e, 0xf0, 0x04, 0xb5, 0x51, 0xa5}},
    };
    uint8_t out[8];
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        add_addr_hmac(KEY_B, KEY_A, rows[i].id, &rows[i].addr, rows[i].port, out);
        assert_memory_equal(out, rows[i].hmac, 8);
    }
}

static void compares_hmacs(void **state)
{
    const uint8_t a[4] = {1, 2, 3, 4}, b[4] = {1, 2, 3, 5};
    (void)state;
    assert_true(hmac_equal(a, a, 4));
    assert_false(hmac_equal(a, b, 4));
    assert_true(hmac_equal(a, b, 3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(derives_tokens_and_idsns),
        cmocka_unit_test(computes_join_hmacs),
        cmocka_unit_test(computes_add_addr_hmacs),
        cmocka_unit_test(compares_hmacs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
