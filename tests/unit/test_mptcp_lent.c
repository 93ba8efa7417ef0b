/* SPDX-License-Identifier: MIT
 *
 * Sending and receiving in the connection's own memory: what is lent, what is
 * taken of it, and that it mixes with write and read.
 */
#include "mptcp_trace.h"

static void *lend(struct peer *p, size_t wanted, int64_t expected)
{
    void *room = NULL;
    assert_int_equal(plait_conn_send_borrow(p->t->conn, wanted, &room, p->t->now), expected);
    plait_stack_check(p->t->stack);
    return room;
}

static int commit(struct peer *p, size_t len)
{
    int error = plait_conn_send_commit(p->t->conn, len, p->t->now);
    plait_stack_check(p->t->stack);
    return error;
}

/* The next segment carries exactly these bytes. */
static void sent(struct peer *p, const char *text)
{
    const struct segment *s = peer_expect(p, TCP_ACK);
    assert_int_equal(s->payload_len, strlen(text));
    assert_memory_equal(s->payload, text, strlen(text));
}

static void what_is_committed_is_sent(void **state)
{
    struct peer *p = peer_default();
    (void)state;
    char *room = lend(p, 10, 10);
    assert_false(peer_next(p)); /* lent is not sent */
    room = lend(p, 10, 10);
    memcpy(room, "0123456789", 10);
    assert_int_equal(commit(p, 4), 0);
    sent(p, "0123");
    peer_data_ack(p, 0, 0, 4);
    assert_int_equal(plait_conn_write(p->t->conn, "ab", 2, p->t->now), 2);
    room = lend(p, 3, 3); /* behind what was written since */
    memcpy(room, "xyz", 3);
    assert_int_equal(commit(p, 3), 0);
    sent(p, "abxyz");
    assert_int_equal(peer_info(p).bytes_written, 9);
    peer_free(p);
}

static void what_is_not_wanted_goes_back(void **state)
{
    struct peer *p = peer_default();
    struct plait_memory before, after;
    (void)state;
    lend(p, 3000, 3000); /* pools have what they need from here on */
    assert_int_equal(commit(p, 0), 0);
    plait_stack_memory(p->t->stack, &before);
    lend(p, 3000, 3000);
    assert_int_equal(commit(p, 3001), PLAIT_E_INVALID);
    assert_int_equal(commit(p, 0), 0);
    plait_stack_memory(p->t->stack, &after);
    assert_int_equal(after.used_bytes, before.used_bytes);
    assert_int_equal(commit(p, 1), PLAIT_E_INVALID); /* nothing is lent any more */
    assert_false(peer_next(p));
    peer_free(p);
}

static void room_ends_where_the_buffer_does(void **state)
{
    struct peer *p = peer_default();
    void *room;
    uint64_t all = 0;
    int64_t n;
    (void)state;
    lend(p, 0, PLAIT_E_INVALID);
    while ((n = plait_conn_send_borrow(p->t->conn, SIZE_MAX, &room, p->t->now)) > 0) {
        assert_in_range(n, 1, 65536);
        memset(room, 'x', (size_t)n);
        assert_int_equal(commit(p, (size_t)n), 0);
        all += (uint64_t)n;
    }
    assert_int_equal(n, PLAIT_E_AGAIN);
    assert_int_equal(peer_info(p).bytes_written, all);
    assert_false(plait_conn_poll(p->t->conn) & PLAIT_POLL_WRITABLE);
    assert_int_equal(plait_conn_shutdown(p->t->conn, PLAIT_SHUT_WR, p->t->now), 0);
    lend(p, 1, PLAIT_E_SHUT_DOWN);
    assert_int_equal(commit(p, 0), PLAIT_E_INVALID);
    peer_free(p);
}

static void received_bytes_stay_until_they_are_released(void **state)
{
    struct peer *p = peer_default();
    const void *data = NULL, *again = NULL;
    uint8_t rest[16];
    (void)state;
    struct plait_conn *c = p->t->conn;
    assert_int_equal(plait_conn_recv_borrow(c, &data, p->t->now), PLAIT_E_AGAIN);
    assert_int_equal(plait_conn_recv_release(c, 1, p->t->now), PLAIT_E_INVALID);
    peer_data(p, 0, 0, 0, 10);
    assert_int_equal(plait_conn_recv_borrow(c, &data, p->t->now), 10);
    assert_int_equal(plait_conn_recv_release(c, 11, p->t->now), PLAIT_E_INVALID);
    assert_int_equal(plait_conn_recv_release(c, 4, p->t->now), 0);
    assert_int_equal(plait_conn_recv_borrow(c, &again, p->t->now), 6);
    assert_ptr_equal(again, (const uint8_t *)data + 4);
    assert_int_equal(peer_info(p).bytes_read, 4);
    assert_int_equal(plait_conn_read(c, rest, sizeof rest, p->t->now), 6);
    assert_int_equal(plait_conn_recv_borrow(c, &data, p->t->now), PLAIT_E_AGAIN);
    peer_data_fin(p, 0, 10, 10);
    assert_int_equal(plait_conn_recv_borrow(c, &data, p->t->now), 0);
    plait_stack_check(p->t->stack);
    peer_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_committed_is_sent),
        cmocka_unit_test(what_is_not_wanted_goes_back),
        cmocka_unit_test(room_ends_where_the_buffer_does),
        cmocka_unit_test(received_bytes_stay_until_they_are_released),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
