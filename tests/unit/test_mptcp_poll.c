/* SPDX-License-Identifier: MIT
 *
 * What poll, read and write tell in every state of a connection: the table of
 * plait/plait.h ("How a connection ends"), row by row and in every variant;
 * and SO_LINGER.
 */
#include "mptcp_trace.h"

enum { COLUMNS = 7, SEND_BUFFER = 2000 };

static const unsigned columns[COLUMNS] = {PLAIT_POLL_READABLE,  PLAIT_POLL_WRITABLE,
                                          PLAIT_POLL_CONNECTED, PLAIT_POLL_EOF,
                                          PLAIT_POLL_FINISHED,  PLAIT_POLL_ERROR,
                                          PLAIT_POLL_HANGUP};

/* How far a connection is. */
struct variant {
    bool peer_ended, rd, wr, gone, failed; /* which row */
    bool data, full, acked;                /* where in it */
};

struct row {
    struct variant is;
    const char *shows[COLUMNS];
};

/* The table of the header. */
static const struct row rows[] = {
    {{0}, {"data", "room", "x", "-", "-", "-", "-"}},
    {{.peer_ended = true}, {"x", "room", "x", "x", "-", "-", "-"}},
    {{.rd = true}, {"x", "room", "x", "x", "-", "-", "-"}},
    {{.wr = true}, {"data", "x", "x", "-", "acked", "-", "-"}},
    {{.wr = true, .rd = true}, {"x", "x", "x", "x", "acked", "-", "x"}},
    {{.wr = true, .peer_ended = true}, {"x", "x", "x", "x", "acked", "-", "x"}},
    {{.wr = true, .rd = true, .peer_ended = true}, {"x", "x", "x", "x", "acked", "-", "x"}},
    {{.wr = true, .peer_ended = true, .gone = true}, {"x", "x", "-", "x", "x", "-", "x"}},
    {{.failed = true}, {"x", "x", "-", "-", "-", "x", "x"}},
    {{.failed = true, .peer_ended = true}, {"x", "x", "-", "x", "-", "x", "x"}},
    {{.failed = true, .rd = true}, {"x", "x", "-", "x", "-", "x", "x"}},
    {{.failed = true, .wr = true}, {"x", "x", "-", "-", "acked", "x", "x"}},
    {{.failed = true, .wr = true, .rd = true}, {"x", "x", "-", "x", "acked", "x", "x"}},
};

static bool word_holds(const char *word, const struct variant *v)
{
    if (strcmp(word, "data") == 0)
        return v->data;
    if (strcmp(word, "room") == 0)
        return !v->full;
    if (strcmp(word, "acked") == 0)
        return v->acked;
    return strcmp(word, "x") == 0;
}

static unsigned fill(struct peer *p)
{
    static const uint8_t bytes[SEND_BUFFER];
    int64_t n = plait_conn_write(p->t->conn, bytes, sizeof bytes, p->t->now);
    assert_int_equal(n, SEND_BUFFER);
    peer_settle(p);
    return SEND_BUFFER;
}

/* Bring a fresh connection there. */
static struct peer *reach(const struct variant *v)
{
    struct plait_config config;
    plait_config_default(&config);
    config.send_buffer_bytes = config.send_buffer_max_bytes = SEND_BUFFER;
    struct peer *p = peer_new(&config, false);
    struct trace *t = p->t;
    uint32_t offset = v->data ? 10 : 0;
    unsigned queued = v->full ? fill(p) : 0;
    if (v->data)
        peer_data(p, 0, 0, 0, 10);
    if (v->peer_ended)
        peer_data_fin(p, 0, offset, offset);
    if (v->rd)
        assert_int_equal(plait_conn_shutdown(t->conn, PLAIT_SHUT_RD, t->now), 0);
    if (v->wr)
        assert_int_equal(plait_conn_shutdown(t->conn, PLAIT_SHUT_WR, t->now), 0);
    peer_settle(p);
    if (v->gone) { /* the peer began: its FIN brings ours */
        peer_fin(p, 0, offset, queued + 1);
        peer_settle(p);
        peer_data_ack(p, 0, offset + 1, queued + 1);
    } else if (v->acked) {
        peer_data_ack(p, 0, offset, queued + 1);
    }
    if (v->failed)
        peer_reset(p, 0, offset, true);
    peer_settle(p);
    return p;
}

static void check_poll(const struct row *row, const struct variant *v, const struct peer *p)
{
    unsigned got = plait_conn_poll(p->t->conn), want = 0;
    for (unsigned i = 0; i < COLUMNS; i++)
        want |= word_holds(row->shows[i], v) ? columns[i] : 0;
    if (got != want)
        fail_msg("peer_ended %d rd %d wr %d gone %d failed %d, data %d full %d acked %d: "
                 "poll shows %#x, not %#x",
                 v->peer_ended, v->rd, v->wr, v->gone, v->failed, v->data, v->full, v->acked, got,
                 want);
}

static int error_of(const struct variant *v)
{
    return v->peer_ended ? PLAIT_E_PEER_CLOSED : PLAIT_E_RESET;
}

/* What has arrived can be read, whatever happened since. */
static void check_read(const struct variant *v, struct peer *p)
{
    uint8_t bytes[100];
    struct trace *t = p->t;
    if (v->data)
        assert_int_equal(plait_conn_read(t->conn, bytes, sizeof bytes, t->now), 10);
    int64_t want = v->peer_ended || v->rd ? 0 : v->failed ? error_of(v) : PLAIT_E_AGAIN;
    assert_int_equal(plait_conn_read(t->conn, bytes, sizeof bytes, t->now), want);
}

static void check_write(const struct variant *v, struct peer *p)
{
    struct trace *t = p->t;
    int64_t want = v->failed ? error_of(v)
                   : v->wr   ? PLAIT_E_SHUT_DOWN
                   : v->full ? PLAIT_E_AGAIN
                             : 1;
    assert_int_equal(plait_conn_write(t->conn, "x", 1, t->now), want);
}

static void poll_read_and_write_tell_what_the_table_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (unsigned bits = 0; bits < 8; bits++) {
            struct variant v = rows[i].is;
            v.data = bits & 1;
            v.full = bits & 2;
            v.acked = (bits & 4) != 0;
            if ((v.acked && !v.wr) || (v.gone && !v.acked))
                continue;
            struct peer *p = reach(&v);
            check_poll(&rows[i], &v, p);
            check_read(&v, p);
            check_write(&v, p);
            peer_free(p);
        }
}

static void not_yet_connected(void **state)
{
    struct trace *t = trace_default();
    char byte;
    (void)state;
    assert_int_equal(plait_connect(t->stack, NULL, &TRACE_PEER, NULL, t->now, &t->conn), 0);
    trace_expect(t, TCP_SYN);
    assert_int_equal(plait_conn_poll(t->conn), 0);
    assert_int_equal(plait_conn_read(t->conn, &byte, 1, t->now), PLAIT_E_AGAIN);
    assert_int_equal(plait_conn_write(t->conn, "x", 1, t->now), PLAIT_E_AGAIN);
    assert_int_equal(plait_conn_shutdown(t->conn, PLAIT_SHUT_WR, t->now), PLAIT_E_NOT_CONNECTED);
    assert_int_equal(plait_conn_poll(t->conn), 0);
    trace_free(t);
}

static void refused(void **state)
{
    struct trace *t = trace_default();
    char byte;
    (void)state;
    assert_int_equal(plait_connect(t->stack, NULL, &TRACE_PEER, NULL, t->now, &t->conn), 0);
    trace_expect(t, TCP_SYN);
    trace_send(
        t, (struct segment){.flags = TCP_RST | TCP_ACK, .dst = t->seg.src, .ack = t->seg.seq + 1},
        NULL, 0);
    assert_int_equal(plait_conn_poll(t->conn), PLAIT_POLL_READABLE | PLAIT_POLL_WRITABLE |
                                                   PLAIT_POLL_ERROR | PLAIT_POLL_HANGUP);
    assert_int_equal(plait_conn_read(t->conn, &byte, 1, t->now), PLAIT_E_REFUSED);
    assert_int_equal(plait_conn_write(t->conn, "x", 1, t->now), PLAIT_E_REFUSED);
    assert_int_equal(plait_conn_shutdown(t->conn, PLAIT_SHUT_RD, t->now), PLAIT_E_REFUSED);
    trace_free(t);
}

static void a_way_to_shut_down_that_is_none(void **state)
{
    struct peer *p = peer_default();
    struct trace *t = p->t;
    (void)state;
    assert_int_equal(plait_conn_shutdown(t->conn, 0, t->now), PLAIT_E_INVALID);
    assert_int_equal(plait_conn_shutdown(t->conn, 4, t->now), PLAIT_E_INVALID);
    peer_free(p);
}

/* After SHUT_RD the peer is not told, and what it sends is there (Linux). */
static void bytes_after_shut_rd_are_still_read(void **state)
{
    struct peer *p = peer_default();
    (void)state;
    assert_int_equal(plait_conn_shutdown(p->t->conn, PLAIT_SHUT_RD, p->t->now), 0);
    assert_int_equal(peer_settle(p), 0);
    peer_data(p, 0, 0, 0, 10);
    peer_expect_stream(p, 0, 10);
    char byte;
    assert_int_equal(plait_conn_read(p->t->conn, &byte, 1, p->t->now), 0);
    peer_free(p);
}

/* ---- SO_LINGER ------------------------------------------------------------------- */

static unsigned conns(const struct peer *p)
{
    struct plait_memory m;
    plait_stack_memory(p->t->stack, &m);
    return m.conns;
}

static void linger_without_time_resets(void **state)
{
    struct peer *p = peer_default();
    (void)state;
    plait_conn_set_linger(p->t->conn, true, 0);
    assert_int_equal(plait_conn_write(p->t->conn, "hello", 5, p->t->now), 5);
    assert_int_equal(plait_conn_close(p->t->conn, p->t->now), 0);
    peer_settle(p);
    assert_true(p->flows[0].reset);
    assert_true(p->flows[0].reset_options & MPO_FASTCLOSE);
    assert_int_equal(conns(p), 0);
    peer_free(p);
}

/* A connection that lingers for two seconds over five bytes. */
static struct peer *lingering(void)
{
    struct peer *p = peer_default();
    peer_settle(p);
    plait_conn_set_linger(p->t->conn, true, MS(2000));
    assert_int_equal(plait_conn_write(p->t->conn, "hello", 5, p->t->now), 5);
    assert_int_equal(plait_conn_close(p->t->conn, p->t->now), PLAIT_E_AGAIN);
    assert_false(plait_conn_poll(p->t->conn) & PLAIT_POLL_LINGERED);
    const struct segment *s = peer_expect(p, TCP_ACK);
    assert_int_equal(s->payload_len, 5);
    assert_true(s->mptcp.dss.data_fin);
    return p;
}

static bool told(struct peer *p)
{
    struct plait_conn *conn;
    struct plait_listener *listener;
    while (plait_stack_ready(p->t->stack, &conn, &listener))
        if (conn == p->t->conn && (plait_conn_poll(conn) & PLAIT_POLL_LINGERED))
            return true;
    return false;
}

static void linger_waits_until_all_is_acknowledged(void **state)
{
    struct peer *p = lingering();
    (void)state;
    peer_wait(p, MS(100));
    assert_false(told(p));
    peer_data_ack(p, 0, 0, 6);
    assert_true(told(p));
    assert_int_equal(plait_conn_close(p->t->conn, p->t->now), 0);
    assert_false(p->flows[0].reset);
    assert_int_equal(conns(p), 1); /* the peer's stream has not ended */
    peer_free(p);
}

static void linger_waits_so_long_and_delivers_behind_it(void **state)
{
    struct peer *p = lingering();
    (void)state;
    peer_wait(p, MS(1900));
    assert_false(told(p));
    peer_wait(p, MS(200));
    assert_true(told(p));
    assert_int_equal(plait_conn_close(p->t->conn, p->t->now), 0);
    assert_true(peer_wait(p, MS(3000)) > 0); /* still repeated */
    assert_false(p->flows[0].reset);
    peer_data_ack(p, 0, 0, 6);
    peer_data_fin(p, 0, 0, 0);
    peer_fin(p, 0, 0, 6);
    peer_settle(p);
    peer_data_ack(p, 0, 1, 6);
    peer_wait(p, MS(61000));
    assert_int_equal(conns(p), 0);
    peer_free(p);
}

static void linger_ends_with_the_connection(void **state)
{
    struct peer *p = lingering();
    (void)state;
    peer_reset(p, 0, 0, true);
    assert_true(told(p));
    assert_int_equal(plait_conn_error(p->t->conn), PLAIT_E_RESET);
    assert_int_equal(plait_conn_close(p->t->conn, p->t->now), 0);
    assert_int_equal(conns(p), 0);
    peer_free(p);
}

/* What comes while it lingers will not be read. */
static void linger_and_bytes_come(void **state)
{
    struct peer *p = lingering();
    (void)state;
    peer_data(p, 0, 0, 0, 10);
    peer_settle(p);
    assert_true(p->flows[0].reset);
    assert_true(told(p));
    peer_free(p);
}

static void nothing_to_linger_over(void **state)
{
    struct peer *p = peer_default();
    struct trace *t = p->t;
    (void)state;
    plait_conn_set_linger(t->conn, true, MS(2000));
    plait_conn_shutdown(t->conn, PLAIT_SHUT_WR, t->now);
    peer_settle(p);
    peer_data_ack(p, 0, 0, 1);
    assert_int_equal(plait_conn_close(t->conn, t->now), 0);
    peer_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(poll_read_and_write_tell_what_the_table_says),
        cmocka_unit_test(not_yet_connected),
        cmocka_unit_test(refused),
        cmocka_unit_test(a_way_to_shut_down_that_is_none),
        cmocka_unit_test(bytes_after_shut_rd_are_still_read),
        cmocka_unit_test(linger_without_time_resets),
        cmocka_unit_test(linger_waits_until_all_is_acknowledged),
        cmocka_unit_test(linger_waits_so_long_and_delivers_behind_it),
        cmocka_unit_test(linger_ends_with_the_connection),
        cmocka_unit_test(linger_and_bytes_come),
        cmocka_unit_test(nothing_to_linger_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
