/* SPDX-License-Identifier: MIT
 *
 * Mappings, reassembly, checksums and the end of the stream as traces
 * (RFC 8684 3.3, 3.7).
 */
#include "mptcp_trace.h"

/* ---- numbers ------------------------------------------------------------------- */

static void mapped_bytes_arrive_and_are_data_acked(void **state)
{
    struct peer *p = peer_default();
    (void)state;
    peer_data(p, 0, 0, 0, 100);
    peer_expect_stream(p, 0, 100);
    peer_settle(p);
    peer_expect_data_ack(p, 100);
    assert_false(p->dss.ack64);
    peer_free(p);
}

static void wide_dsn_is_answered_with_wide_data_ack(void **state)
{
    struct peer *p = peer_default();
    (void)state;
    struct segment s = peer_segment(p, 0, 0);
    peer_map(p, &s, 0, 0, 100);
    s.mptcp.dss.dsn64 = true;
    peer_send(p, s, 0, 100);
    peer_expect_stream(p, 0, 100);
    peer_settle(p);
    assert_true(p->dss.ack64);
    assert_int_equal(p->dss.data_ack, p->idsn + 101);
    peer_data(p, 0, 100, 100, 10); /* narrow again */
    peer_expect_stream(p, 100, 10);
    peer_free(p);
}

static void wide_and_narrow_data_acks_count_the_same(void **state)
{
    struct peer *p = peer_default();
    (void)state;
    assert_int_equal(plait_conn_write(p->t->conn, "0123456789", 10, p->t->now), 10);
    peer_expect(p, TCP_ACK);
    peer_data_ack(p, 0, 0, 4);
    assert_int_equal(peer_info(p).bytes_acked, 4);
    struct segment s = peer_segment(p, 0, 0);
    s.mptcp.present = MPO_DSS;
    s.mptcp.dss = (struct mptcp_dss){.has_ack = true, .ack64 = true, .data_ack = p->our_idsn + 11};
    trace_send(p->t, s, NULL, 0);
    assert_int_equal(peer_info(p).bytes_acked, 10);
    peer_free(p);
}

/* Their upper halves are no decoration: 4 GiB away is out of the window, and was
 * never sent (RFC 8684 3.3.1). */
static void wide_numbers_count_in_full(void **state)
{
    const uint64_t away = UINT64_C(1) << 32;
    struct peer *p = peer_default();
    (void)state;
    assert_int_equal(plait_conn_write(p->t->conn, "0123456789", 10, p->t->now), 10);
    peer_expect(p, TCP_ACK);
    struct segment s = peer_segment(p, 0, 0);
    s.mptcp.present = MPO_DSS;
    s.mptcp.dss =
        (struct mptcp_dss){.has_ack = true, .ack64 = true, .data_ack = p->our_idsn + 11 - away};
    trace_send(p->t, s, NULL, 0);
    s.mptcp.dss.data_ack += 2 * away;
    trace_send(p->t, s, NULL, 0);
    assert_int_equal(peer_info(p).bytes_acked, 0);
    s = peer_segment(p, 0, 0);
    peer_map(p, &s, 0, 0, 100);
    s.mptcp.dss.dsn64 = true;
    s.mptcp.dss.dsn += away;
    peer_send(p, s, 0, 100);
    assert_int_equal(peer_counters(p)->NoDSSInWindow, 1);
    peer_expect_stream(p, 0, 0);
    peer_data(p, 0, 100, 0, 100);
    peer_expect_stream(p, 0, 100);
    peer_free(p);
}

static void wide_numbers_on_request(void **state)
{
    struct plait_config config;
    plait_config_default(&config);
    config.dsn64 = config.data_ack64 = true;
    struct peer *p = peer_new(&config, false);
    (void)state;
    assert_int_equal(plait_conn_write(p->t->conn, "hello", 5, p->t->now), 5);
    const struct segment *s = peer_expect(p, TCP_ACK);
    assert_true(s->mptcp.dss.dsn64 && s->mptcp.dss.ack64);
    assert_int_equal(s->mptcp.dss.dsn, p->our_idsn + 1);
    assert_int_equal(s->mptcp.dss.data_ack, p->idsn + 1);
    peer_free(p);
}

static void data_ack_of_what_was_never_sent_is_ignored(void **state)
{
    struct peer *p = peer_default();
    (void)state;
    assert_int_equal(plait_conn_write(p->t->conn, "hello", 5, p->t->now), 5);
    peer_expect(p, TCP_ACK);
    uint64_t window = peer_info(p).send_window_bytes;
    peer_data_ack(p, 0, 0, 6);
    assert_int_equal(peer_info(p).bytes_acked, 0);
    assert_int_equal(peer_info(p).send_window_bytes, window);
    peer_data_ack(p, 0, 0, 5);
    assert_int_equal(peer_info(p).bytes_acked, 5);
    peer_data_ack(p, 0, 0, 3); /* an old one */
    assert_int_equal(peer_info(p).bytes_acked, 5);
    peer_free(p);
}

/* ---- mappings ------------------------------------------------------------------- */

static void one_mapping_for_several_segments(void **state)
{
    struct peer *p = peer_default();
    (void)state;
    struct segment s = peer_segment(p, 0, 0);
    peer_map(p, &s, 0, 0, 300);
    peer_send(p, s, 0, 100);
    peer_send(p, peer_segment(p, 0, 100), 100, 100);
    struct segment last = peer_segment(p, 0, 200);
    peer_map(p, &last, 0, 0, 300); /* repeated, as segmentation offload does */
    peer_send(p, last, 200, 100);
    peer_expect_stream(p, 0, 300);
    assert_int_equal(peer_counters(p)->DSSNotMatching, 0);
    peer_free(p);
}

static void overlapping_mappings_that_agree(void **state)
{
    struct peer *p = peer_default();
    (void)state;
    struct segment s = peer_segment(p, 0, 0);
    peer_map(p, &s, 0, 0, 150);
    peer_send(p, s, 0, 100);
    s = peer_segment(p, 0, 100);
    peer_map(p, &s, 100, 100, 200);
    peer_send(p, s, 100, 200);
    peer_expect_stream(p, 0, 300);
    assert_int_equal(peer_counters(p)->DSSNotMatching, 0);
    peer_free(p);
}

static void of_conflicting_mappings_the_first_stands(void **state)
{
    struct peer *p = peer_default();
    (void)state;
    struct segment s = peer_segment(p, 0, 0);
    peer_map(p, &s, 0, 0, 200);
    peer_send(p, s, 0, 100);
    s = peer_segment(p, 0, 100);
    peer_map(p, &s, 5000, 100, 100); /* the same bytes elsewhere in the stream */
    peer_send(p, s, 100, 100);
    assert_int_equal(peer_counters(p)->DSSNotMatching, 1);
    assert_int_equal(p->events[PLAIT_EV_MAPPING_DROPPED], 1);
    assert_int_equal(p->event[PLAIT_EV_MAPPING_DROPPED].why, PLAIT_WHY_BAD_MAPPING);
    peer_expect_stream(p, 0, 200);
    assert_int_equal(peer_info(p).ooo_bytes, 0);
    peer_free(p);
}

static void of_a_mapping_that_conflicts_in_part_nothing_is_taken(void **state)
{
    struct peer *p = peer_default();
    (void)state;
    struct segment s = peer_segment(p, 0, 0);
    peer_map(p, &s, 0, 0, 150);
    peer_send(p, s, 0, 100);
    s = peer_segment(p, 0, 100);
    peer_map(p, &s, 5000, 100, 200);
    peer_send(p, s, 100, 200);
    assert_int_equal(peer_counters(p)->DSSNotMatching, 1);
    peer_expect_stream(p, 0, 150);
    assert_int_equal(peer_info(p).ooo_bytes, 0);
    s = peer_segment(p, 0, 300);
    peer_map(p, &s, 150, 150, 150); /* in time */
    trace_send(p->t, s, NULL, 0);
    peer_expect_stream(p, 150, 150);
    peer_free(p);
}

static void data_may_come_before_its_mapping(void **state)
{
    struct peer *p = peer_default();
    (void)state;
    peer_send(p, peer_segment(p, 0, 0), 0, 100);
    peer_expect_stream(p, 0, 0);
    struct segment s = peer_segment(p, 0, 100);
    peer_map(p, &s, 0, 0, 200);
    peer_send(p, s, 100, 50);
    peer_expect_stream(p, 0, 150);
    peer_free(p);
}

static void a_mapping_may_come_on_a_bare_ack(void **state)
{
    struct peer *p = peer_default();
    (void)state;
    struct segment s = peer_segment(p, 0, 0);
    peer_map(p, &s, 0, 0, 100);
    trace_send(p->t, s, NULL, 0);
    peer_send(p, peer_segment(p, 0, 0), 0, 100);
    peer_expect_stream(p, 0, 100);
    peer_free(p);
}

static void a_mapping_survives_segments_out_of_order(void **state)
{
    struct peer *p = peer_default();
    (void)state;
    peer_data(p, 0, 200, 200, 100);
    peer_data(p, 0, 100, 100, 100);
    peer_expect_stream(p, 0, 0);
    peer_data(p, 0, 0, 0, 100);
    peer_expect_stream(p, 0, 300);
    peer_free(p);
}

static void a_mapping_far_away_is_refused(void **state)
{
    struct peer *p = peer_default();
    (void)state;
    struct segment s = peer_segment(p, 0, 0);
    peer_map(p, &s, 0, 10 << 20, 100);
    trace_send(p->t, s, NULL, 0);
    assert_int_equal(peer_counters(p)->DSSNotMatching, 1);
    peer_data(p, 0, 0, 0, 100);
    peer_expect_stream(p, 0, 100);
    peer_free(p);
}

/* ---- reassembly ------------------------------------------------------------------ */

static void data_beyond_the_window_is_dropped(void **state)
{
    struct peer *p = peer_default();
    (void)state;
    uint32_t window = (uint32_t)peer_info(p).recv_window_bytes;
    peer_data(p, 0, 0, window + 100000, 100);
    assert_int_equal(peer_counters(p)->NoDSSInWindow, 1);
    assert_int_equal(peer_info(p).ooo_bytes, 0);
    peer_data(p, 0, 100, 0, 100);
    peer_expect_stream(p, 0, 100);
    peer_free(p);
}

static void two_subflows_out_of_order(void **state)
{
    struct peer *p = peer_default();
    (void)state;
    peer_join(p, 1);
    peer_data(p, 1, 0, 300, 100);
    peer_data(p, 0, 0, 100, 100);
    peer_data(p, 1, 100, 200, 100);
    peer_expect_stream(p, 0, 0);
    assert_int_equal(peer_info(p).ooo_bytes, 300);
    assert_int_equal(peer_counters(p)->OFOQueue, 3);
    peer_settle(p);
    peer_expect_data_ack(p, 0);
    peer_data(p, 0, 100, 0, 100);
    peer_expect_stream(p, 0, 400);
    peer_settle(p);
    peer_expect_data_ack(p, 400);
    peer_free(p);
}

static void what_another_subflow_brought_already_counts_once(void **state)
{
    struct peer *p = peer_default();
    (void)state;
    peer_join(p, 1);
    peer_data(p, 0, 0, 100, 200); /* waits for the first 100 */
    peer_data(p, 1, 0, 0, 400);   /* reinjected, and more */
    peer_data(p, 0, 200, 0, 100); /* late */
    peer_expect_stream(p, 0, 400);
    assert_int_equal(peer_info(p).bytes_received, 400);
    assert_int_equal(peer_counters(p)->DuplicateData, 1);
    peer_free(p);
}

static void old_bytes_before_new_ones_are_cut_off(void **state)
{
    struct peer *p = peer_default();
    (void)state;
    peer_join(p, 1);
    peer_data(p, 0, 0, 0, 100);
    peer_data(p, 1, 0, 50, 100);
    peer_expect_stream(p, 0, 150);
    peer_free(p);
}

static void pieces_fill_holes_of_any_size(void **state)
{
    struct peer *p = peer_default();
    (void)state;
    peer_join(p, 1);
    peer_data(p, 0, 0, 100, 50);
    peer_data(p, 0, 50, 200, 50);
    peer_data(p, 1, 0, 50, 250); /* around both */
    assert_int_equal(peer_info(p).ooo_bytes, 250);
    peer_data(p, 1, 250, 0, 60);
    peer_expect_stream(p, 0, 300);
    peer_free(p);
}

/* ---- what the stack sends ---------------------------------------------------------- */

static void a_silent_subflow_s_bytes_go_on_the_other(void **state)
{
    struct peer *p = peer_default();
    uint8_t bytes[1000] = {0};
    (void)state;
    peer_join(p, 1);
    peer_wait(p, MS(1));
    assert_int_equal(plait_conn_write(p->t->conn, bytes, sizeof bytes, p->t->now), sizeof bytes);
    const struct segment *s = peer_expect(p, TCP_ACK);
    uint16_t first = s->dst.port;
    uint64_t dsn = s->mptcp.dss.dsn;
    bool moved = false;
    for (int i = 0; i < 50 && !moved; i++) { /* no acknowledgment comes */
        trace_timer(p->t);
        while (peer_next(p))
            moved = moved || (p->t->seg.dst.port != first && p->t->seg.payload_len &&
                              p->t->seg.mptcp.dss.dsn == dsn);
    }
    assert_true(moved);
    assert_true(peer_info(p).bytes_reinjected >= 1000);
    peer_free(p);
}

/* They were to go over the other, which is gone before they could; then the
 * peer acknowledges them here and does not keep them. */
static void bytes_for_a_subflow_that_is_gone_go_where_they_were(void **state)
{
    struct peer *p = peer_default();
    const struct segment *s = NULL;
    (void)state;
    peer_join(p, 1);
    peer_wait(p, MS(1));
    assert_int_equal(plait_conn_write(p->t->conn, "hello", 5, p->t->now), 5);
    s = peer_expect(p, TCP_ACK);
    unsigned used = s->dst.port == p->flows[1].at.port;
    uint64_t dsn = s->mptcp.dss.dsn;
    while (!p->events[PLAIT_EV_REINJECTED])
        trace_timer(p->t);
    peer_reset(p, !used, 0, false);
    peer_settle(p);
    peer_data_ack(p, used, 0, 0);
    bool again = false;
    for (int i = 0; i < 10 && !again; i++) {
        trace_timer(p->t);
        while (peer_next(p))
            again = again || (p->t->seg.payload_len == 5 && p->t->seg.mptcp.dss.dsn == dsn);
    }
    assert_true(again);
    peer_data_ack(p, used, 0, 5);
    assert_int_equal(peer_info(p).bytes_acked, 5);
    peer_free(p);
}

/* ---- checksums ---------------------------------------------------------------------- */

static void a_right_checksum_over_two_segments(void **state)
{
    struct peer *p = peer_checksum();
    (void)state;
    struct segment s = peer_segment(p, 0, 0);
    peer_map(p, &s, 0, 0, 201);
    peer_send(p, s, 0, 101);
    peer_expect_stream(p, 0, 0); /* not before it is verified */
    peer_send(p, peer_segment(p, 0, 101), 101, 100);
    peer_expect_stream(p, 0, 201);
    assert_int_equal(peer_counters(p)->DataCsumErr, 0);
    peer_free(p);
}

static void what_the_stack_sends_has_a_right_checksum(void **state)
{
    struct peer *p = peer_checksum();
    (void)state;
    assert_int_equal(plait_conn_write(p->t->conn, "hello", 5, p->t->now), 5);
    const struct mptcp_dss *d = &peer_expect(p, TCP_ACK)->mptcp.dss;
    assert_true(d->has_checksum);
    assert_int_equal(d->checksum, csum_dss(p->our_idsn + 1, 1, 5, csum_partial("hello", 5)));
    peer_free(p);
}

static void a_mapping_without_the_checksum_is_a_protocol_error(void **state)
{
    struct peer *p = peer_checksum();
    (void)state;
    peer_join(p, 1);
    struct segment s = peer_segment(p, 1, 0);
    peer_map(p, &s, 0, 0, 100);
    s.mptcp.dss.has_checksum = false;
    peer_send(p, s, 0, 100);
    peer_settle(p);
    assert_true(p->flows[1].reset);
    assert_int_equal(p->flows[1].reset_reason, 1);
    peer_expect_stream(p, 0, 0);
    peer_free(p);
}

static void a_checksum_that_was_not_negotiated_is_one_too(void **state)
{
    struct peer *p = peer_default();
    (void)state;
    peer_join(p, 1);
    struct segment s = peer_segment(p, 1, 0);
    peer_map(p, &s, 0, 0, 100);
    s.mptcp.dss.has_checksum = true;
    peer_send(p, s, 0, 100);
    peer_settle(p);
    assert_true(p->flows[1].reset);
    assert_int_equal(p->flows[1].reset_reason, 1);
    peer_free(p);
}

/* ---- DATA_FIN ------------------------------------------------------------------------ */

static void expect_end(struct peer *p)
{
    char byte;
    assert_true(plait_conn_poll(p->t->conn) & PLAIT_POLL_EOF);
    assert_int_equal(plait_conn_read(p->t->conn, &byte, 1, p->t->now), 0);
}

static void a_data_fin_rides_on_data(void **state)
{
    struct peer *p = peer_default();
    (void)state;
    struct segment s = peer_segment(p, 0, 0);
    peer_map(p, &s, 0, 0, 101);
    s.mptcp.dss.data_fin = true;
    peer_send(p, s, 0, 100);
    peer_expect(p, TCP_ACK); /* at once */
    peer_expect_data_ack(p, 101);
    peer_expect_stream(p, 0, 100);
    expect_end(p);
    peer_free(p);
}

static void a_data_fin_counts_in_the_length_that_is_checksummed(void **state)
{
    struct peer *p = peer_checksum();
    uint8_t bytes[100];
    (void)state;
    for (unsigned i = 0; i < sizeof bytes; i++)
        bytes[i] = stream_byte(i);
    struct segment s = peer_segment(p, 0, 0);
    peer_map(p, &s, 0, 0, 101);
    s.mptcp.dss.data_fin = true;
    s.mptcp.dss.checksum = csum_dss(p->idsn + 1, 1, 101, csum_partial(bytes, sizeof bytes));
    peer_send(p, s, 0, sizeof bytes);
    peer_expect_stream(p, 0, sizeof bytes);
    expect_end(p);
    peer_free(p);
}

static void a_data_fin_comes_alone_and_again(void **state)
{
    struct peer *p = peer_default();
    (void)state;
    peer_data(p, 0, 0, 0, 100);
    peer_settle(p);
    peer_expect_data_ack(p, 100);
    for (int i = 0; i < 2; i++) {
        peer_data_fin(p, 0, 100, 100);
        peer_expect(p, TCP_ACK);
        peer_expect_data_ack(p, 101);
    }
    peer_expect_stream(p, 0, 100);
    expect_end(p);
    assert_int_equal(peer_info(p).bytes_received, 100);
    peer_free(p);
}

static void a_data_fin_waits_for_the_data_before_it(void **state)
{
    struct peer *p = peer_default();
    (void)state;
    peer_join(p, 1);
    peer_data_fin(p, 1, 0, 100);
    peer_settle(p);
    peer_expect_data_ack(p, 0);
    assert_false(plait_conn_poll(p->t->conn) & PLAIT_POLL_EOF);
    peer_data(p, 0, 0, 0, 100);
    peer_expect_stream(p, 0, 100);
    expect_end(p);
    peer_settle(p);
    peer_expect_data_ack(p, 101);
    peer_free(p);
}

static void data_behind_the_data_fin_is_dropped(void **state)
{
    struct peer *p = peer_default();
    (void)state;
    peer_data_fin(p, 0, 0, 100);
    peer_data(p, 0, 0, 0, 150);
    peer_expect_stream(p, 0, 100);
    expect_end(p);
    assert_int_equal(peer_counters(p)->NoDSSInWindow, 1);
    peer_free(p);
}

static void our_data_fin_rides_on_the_last_data_or_goes_alone(void **state)
{
    for (int with_data = 0; with_data < 2; with_data++) {
        struct peer *p = peer_default();
        if (with_data)
            assert_int_equal(plait_conn_write(p->t->conn, "hello", 5, p->t->now), 5);
        assert_int_equal(plait_conn_shutdown(p->t->conn, PLAIT_SHUT_WR, p->t->now), 0);
        const struct segment *s = peer_expect(p, TCP_ACK);
        assert_true(s->mptcp.dss.data_fin);
        if (with_data) {
            assert_int_equal(s->mptcp.dss.data_len, 6);
            assert_int_equal(s->mptcp.dss.dsn, (uint32_t)(p->our_idsn + 1));
        } else {
            assert_int_equal(s->mptcp.dss.data_len, 1);
            assert_int_equal(s->mptcp.dss.ssn, 0);
        }
        assert_false(plait_conn_poll(p->t->conn) & PLAIT_POLL_FINISHED);
        peer_data_ack(p, 0, 0, with_data ? 6 : 1);
        assert_true(plait_conn_poll(p->t->conn) & PLAIT_POLL_FINISHED);
        assert_int_equal(peer_info(p).bytes_acked, with_data ? 5 : 0);
        peer_free(p);
    }
    (void)state;
}

static void our_data_fin_is_repeated_until_acknowledged(void **state)
{
    struct peer *p = peer_default();
    (void)state;
    plait_conn_shutdown(p->t->conn, PLAIT_SHUT_WR, p->t->now);
    assert_true(peer_expect(p, TCP_ACK)->mptcp.dss.data_fin);
    unsigned fins = 0;
    for (int i = 0; i < 3; i++) {
        trace_timer(p->t);
        while (peer_next(p))
            fins += (p->t->seg.mptcp.present & MPO_DSS) && p->t->seg.mptcp.dss.data_fin;
    }
    assert_int_equal(fins, 3);
    peer_data_ack(p, 0, 0, 1);
    assert_int_equal(peer_wait(p, MS(100000)), 0);
    peer_free(p);
}

static void after_both_data_fins_every_subflow_is_closed(void **state)
{
    struct peer *p = peer_default();
    (void)state;
    peer_join(p, 1);
    peer_settle(p);
    plait_conn_shutdown(p->t->conn, PLAIT_SHUT_WR, p->t->now);
    peer_settle(p);
    peer_data_ack(p, 0, 0, 1);
    unsigned fins = 0;
    while (peer_next(p))
        fins += (p->t->seg.flags & TCP_FIN) != 0;
    assert_int_equal(fins, 0);
    peer_data_fin(p, 1, 0, 0);
    while (peer_next(p))
        fins += (p->t->seg.flags & TCP_FIN) != 0;
    assert_int_equal(fins, 2);
    peer_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mapped_bytes_arrive_and_are_data_acked),
        cmocka_unit_test(wide_dsn_is_answered_with_wide_data_ack),
        cmocka_unit_test(wide_and_narrow_data_acks_count_the_same),
        cmocka_unit_test(wide_numbers_count_in_full),
        cmocka_unit_test(wide_numbers_on_request),
        cmocka_unit_test(data_ack_of_what_was_never_sent_is_ignored),
        cmocka_unit_test(one_mapping_for_several_segments),
        cmocka_unit_test(overlapping_mappings_that_agree),
        cmocka_unit_test(of_conflicting_mappings_the_first_stands),
        cmocka_unit_test(of_a_mapping_that_conflicts_in_part_nothing_is_taken),
        cmocka_unit_test(data_may_come_before_its_mapping),
        cmocka_unit_test(a_mapping_may_come_on_a_bare_ack),
        cmocka_unit_test(a_mapping_survives_segments_out_of_order),
        cmocka_unit_test(a_mapping_far_away_is_refused),
        cmocka_unit_test(data_beyond_the_window_is_dropped),
        cmocka_unit_test(two_subflows_out_of_order),
        cmocka_unit_test(what_another_subflow_brought_already_counts_once),
        cmocka_unit_test(old_bytes_before_new_ones_are_cut_off),
        cmocka_unit_test(pieces_fill_holes_of_any_size),
        cmocka_unit_test(a_silent_subflow_s_bytes_go_on_the_other),
        cmocka_unit_test(bytes_for_a_subflow_that_is_gone_go_where_they_were),
        cmocka_unit_test(a_right_checksum_over_two_segments),
        cmocka_unit_test(what_the_stack_sends_has_a_right_checksum),
        cmocka_unit_test(a_mapping_without_the_checksum_is_a_protocol_error),
        cmocka_unit_test(a_checksum_that_was_not_negotiated_is_one_too),
        cmocka_unit_test(a_data_fin_rides_on_data),
        cmocka_unit_test(a_data_fin_counts_in_the_length_that_is_checksummed),
        cmocka_unit_test(a_data_fin_comes_alone_and_again),
        cmocka_unit_test(a_data_fin_waits_for_the_data_before_it),
        cmocka_unit_test(data_behind_the_data_fin_is_dropped),
        cmocka_unit_test(our_data_fin_rides_on_the_last_data_or_goes_alone),
        cmocka_unit_test(our_data_fin_is_repeated_until_acknowledged),
        cmocka_unit_test(after_both_data_fins_every_subflow_is_closed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
