/* SPDX-License-Identifier: MIT
 *
 * In which order pairs of addresses are raced: what may be dead is avoided by
 * the very next attempt.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/addr.h"
#include "host/candidates.h"

/* "A6 a": from interface A's address of that family to the server's address. */
static struct candidate_pair pair_of(const char *text)
{
    struct candidate_pair p = {.link = (uint32_t)text[0]};
    char local[32], remote[32];

    snprintf(local, sizeof local, text[1] == '6' ? "fd00::%d:1" : "10.0.%d.1", text[0]);
    snprintf(remote, sizeof remote, text[1] == '6' ? "fd00::%d:2" : "10.1.%d.2", text[3]);
    assert_true(addr_parse(local, &p.ends.local.addr));
    assert_true(addr_parse(remote, &p.ends.remote.addr));
    return p;
}

struct order {
    const char *given[9], *tried[9]; /* NULL ends */
};

static const struct order orders[] = {
    {{"A4 a"}, {"A4 a"}},
    /* one server address: the interfaces in turn */
    {{"A4 a", "B4 a"}, {"A4 a", "B4 a"}},
    /* one interface: the families in turn (RFC 8305 4) */
    {{"A6 a", "A6 b", "A4 c", "A4 d"}, {"A6 a", "A4 c", "A6 b", "A4 d"}},
    /* two of both: the second attempt has the other of both */
    {{"A6 a", "B6 a", "A4 b", "B4 b"}, {"A6 a", "B4 b", "B6 a", "A4 b"}},
    /* one family, two server addresses: likewise */
    {{"A4 a", "B4 a", "A4 b", "B4 b"}, {"A4 a", "B4 b", "B4 a", "A4 b"}},
    /* no IPv6 on the second interface */
    {{"A6 a", "A4 b", "B4 b"}, {"A6 a", "B4 b", "A4 b"}},
};

static void the_next_pair_shares_least(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++) {
        struct candidate_pair pairs[9];
        struct plait_candidate out[9];
        unsigned count = 0;
        for (; orders[i].given[count]; count++)
            pairs[count] = pair_of(orders[i].given[count]);
        assert_int_equal(candidates_order(pairs, count, out, 9), count);
        for (unsigned k = 0; k < count; k++) {
            struct candidate_pair want = pair_of(orders[i].tried[k]);
            assert_memory_equal(&out[k], &want.ends, sizeof out[k]);
        }
    }
}

static void no_more_than_there_is_room_for(void **state)
{
    struct candidate_pair pairs[CANDIDATE_PAIRS_MAX];
    struct plait_candidate out[3] = {0};
    (void)state;
    for (unsigned i = 0; i < CANDIDATE_PAIRS_MAX; i++)
        pairs[i] = pair_of(i % 2 ? "A4 a" : "B6 b");
    assert_int_equal(candidates_order(pairs, CANDIDATE_PAIRS_MAX, out, 2), 2);
    assert_int_equal(out[2].remote.addr.family, PLAIT_NONE);
    assert_int_equal(candidates_order(pairs, 0, out, 2), 0);
}

/* Addresses on interfaces that are not known are told apart by themselves. */
static void without_links_the_addresses_count(void **state)
{
    struct candidate_pair pairs[] = {pair_of("A4 a"), pair_of("A4 b"), pair_of("B4 a"),
                                     pair_of("B4 b")};
    struct plait_candidate out[4];
    (void)state;
    for (unsigned i = 0; i < 4; i++)
        pairs[i].link = 0;
    assert_int_equal(candidates_order(pairs, 4, out, 4), 4);
    assert_memory_equal(&out[1], &pairs[3].ends, sizeof out[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_next_pair_shares_least),
        cmocka_unit_test(no_more_than_there_is_room_for),
        cmocka_unit_test(without_links_the_addresses_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
