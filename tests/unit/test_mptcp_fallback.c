/* SPDX-License-Identifier: MIT
 *
 * From Multipath TCP to plain TCP as traces (RFC 8684 3.7), the receiver's part:
 * what cannot be trusted or placed is held, and asked about.
 */
#include "fallback_trace.h"

/* ---- the receiver: a checksum that fails ----------------------------------------- */

static void bytes_are_held_until_the_peer_maps_them(void **state)
{
    struct peer *p = peer_changed();
    (void)state;
    send_fail(p, 0, 200, p->our_idsn + 1);
    struct segment s = peer_segment(p, 0, 200);
    map_infinite(p, &s, 100, 100); /* acts backwards */
    peer_send(p, s, 200, 100);
    peer_expect_stream(p, 100, 200);
    expect_fallback(p, PLAIT_WHY_CHECKSUM_FAILED);
    assert_int_equal(peer_counters(p)->DSSCorruptionFallback, 1);
    assert_int_equal(peer_counters(p)->InfiniteMapRx, 1);
    send_plain(p, 0, 300, 300, 100);
    peer_expect_stream(p, 300, 100);
    peer_settle(p);
    assert_int_equal(p->t->seg.ack, FLOW_ISS + 401);
    assert_false(p->t->seg.mptcp.present & MPO_FAIL);
    peer_free(p);
}

static void altered_bytes_that_are_sent_again_replace_what_was_held(void **state)
{
    struct peer *p = peer_changed();
    (void)state;
    send_plain(p, 0, 200, 7777, 50); /* was under way */
    struct segment s = peer_segment(p, 0, 250);
    map_infinite(p, &s, 100, 250);
    peer_send(p, s, 100, 150);
    peer_expect_stream(p, 100, 150);
    expect_fallback(p, PLAIT_WHY_CHECKSUM_FAILED);
    send_plain(p, 0, 400, 250, 50);
    peer_expect_stream(p, 250, 50);
    peer_free(p);
}

/* A middlebox made the payload three bytes longer, so the peer's subflow
 * sequence numbers are three behind: what it sends again is the next byte. */
static void sent_again_behind_a_changed_length(void **state)
{
    struct peer *p = peer_changed();
    (void)state;
    send_plain(p, 0, 200, 7777, 3);
    struct segment s = peer_segment(p, 0, 203);
    map_infinite(p, &s, 100, 200);
    peer_send(p, s, 100, 100);
    s = peer_segment(p, 0, 303); /* the mapping repeated until acknowledged */
    map_infinite(p, &s, 100, 200);
    peer_send(p, s, 200, 100);
    /* 203 is not behind 200: the numbers alone would have been three off */
    assert_int_equal(peer_info(p).multipath, false);
    peer_free(p);
}

static void what_is_sent_again_must_come_in_order(void **state)
{
    struct peer *p = peer_changed();
    (void)state;
    struct segment s = peer_segment(p, 0, 300);
    map_infinite(p, &s, 100, 200);
    peer_send(p, s, 200, 100); /* overtook the first */
    peer_expect_stream(p, 100, 0);
    s = peer_segment(p, 0, 200);
    map_infinite(p, &s, 100, 200);
    peer_send(p, s, 100, 100);
    peer_expect_stream(p, 100, 200);
    peer_free(p);
}

static void an_answer_without_a_mapping_is_taken_as_it_is(void **state)
{
    struct peer *p = peer_changed();
    (void)state;
    send_fail(p, 0, 200, p->our_idsn + 1);
    peer_expect_stream(p, 100, 0);
    peer_wait(p, MS(5000));
    peer_expect_stream(p, 100, 100);
    expect_fallback(p, PLAIT_WHY_CHECKSUM_FAILED);
    peer_free(p);
}

/* Its altered bytes came under a mapping that went back among its bytes, as
 * Linux sends all again when a join was refused: what follows is not in one run
 * with what came before, and whose place it is nobody says. */
static void an_answer_from_a_peer_that_went_back_is_not_taken(void **state)
{
    struct peer *p = peer_checksum();
    (void)state;
    peer_data(p, 0, 0, 0, 100);
    peer_send_changed(p, 0, 100, 50, 100);
    send_fail(p, 0, 200, p->our_idsn + 1);
    peer_wait(p, MS(5000));
    expect_reset(p, 0, MPO_FAIL | MPO_TCPRST, 6);
    peer_expect_stream(p, 0, 100);
    peer_free(p);
}

/* The same, where it goes back after the bytes that were altered. */
static void an_answer_from_a_peer_that_goes_back_is_not_taken(void **state)
{
    struct peer *p = peer_changed();
    (void)state;
    peer_data(p, 0, 200, 200, 100);
    peer_data(p, 0, 300, 150, 100);
    send_fail(p, 0, 400, p->our_idsn + 1);
    peer_wait(p, MS(5000));
    expect_reset(p, 0, MPO_FAIL | MPO_TCPRST, 6);
    peer_free(p);
}

/* ... and when it then maps otherwise, bytes were misplaced: that is an end. */
static void a_late_mapping_that_disagrees_is_an_error(void **state)
{
    struct peer *p = peer_changed();
    (void)state;
    send_fail(p, 0, 200, p->our_idsn + 1);
    peer_wait(p, MS(5000));
    struct segment s = peer_segment(p, 0, 200);
    map_infinite(p, &s, 100, 200);
    peer_send(p, s, 100, 100);
    peer_settle(p);
    assert_true(p->flows[0].reset);
    assert_int_equal(plait_conn_error(p->t->conn), PLAIT_E_PROTOCOL);
    peer_free(p);
}

/* RFC 8684 3.7: a subflow that ended left a hole, so nobody can say where the
 * bytes of the only other one belong. The peer says MP_FAIL too, but does not
 * send everything again. */
static void altered_bytes_behind_a_hole_end_the_subflow(void **state)
{
    struct peer *p = peer_checksum();
    (void)state;
    peer_join(p, 1);
    peer_data(p, 0, 0, 0, 100);
    peer_data(p, 1, 0, 200, 100);
    peer_settle(p);
    peer_reset(p, 0, 100, false);
    peer_settle(p);
    peer_send_changed(p, 1, 100, 300, 100);
    peer_settle(p);
    send_fail(p, 1, 200, p->our_idsn + 1);
    peer_wait(p, MS(2000));
    expect_reset(p, 1, MPO_FAIL | MPO_TCPRST, 6);
    assert_int_equal(plait_conn_error(p->t->conn), PLAIT_E_PROTOCOL);
    peer_expect_stream(p, 0, 100); /* and nothing that was altered or has no place */
    peer_free(p);
}

static void mp_fail_is_repeated_and_then_the_subflow_ends(void **state)
{
    struct peer *p = peer_changed();
    unsigned asked = 2;
    (void)state;
    for (int i = 0; i < 20 && !p->flows[0].reset; i++) {
        trace_timer(p->t);
        while (peer_next(p))
            asked += (p->t->seg.mptcp.present & MPO_FAIL) && !(p->t->seg.flags & TCP_RST);
    }
    assert_in_range(asked, 5, 8);
    expect_reset(p, 0, MPO_FAIL | MPO_TCPRST, 6);
    assert_int_equal(peer_counters(p)->FallbackFailed, 1);
    assert_int_equal(peer_counters(p)->DSSCorruptionReset, 1);
    assert_true(peer_info(p).multipath); /* another subflow may carry on */
    peer_expect_stream(p, 100, 0);
    peer_join(p, 1);
    peer_data(p, 1, 0, 100, 100);
    peer_expect_stream(p, 100, 100);
    peer_free(p);
}

static void a_wrong_checksum_among_others_ends_the_subflow(void **state)
{
    struct peer *p = peer_checksum();
    (void)state;
    peer_join(p, 1);
    peer_data(p, 0, 0, 0, 100);
    peer_send_changed(p, 1, 0, 100, 100);
    peer_settle(p);
    expect_reset(p, 1, MPO_FAIL | MPO_TCPRST, 6);
    assert_int_equal(peer_counters(p)->DSSCorruptionReset, 1);
    assert_true(peer_info(p).multipath);
    assert_int_equal(peer_info(p).subflows, 1);
    peer_expect_data_ack(p, 100);
    peer_data(p, 0, 100, 100, 100); /* the peer sends the rest again */
    peer_expect_stream(p, 0, 200);
    peer_free(p);
}

static void an_altered_data_fin_is_not_taken(void **state)
{
    struct peer *p = peer_checksum();
    (void)state;
    peer_join(p, 1);
    struct segment s = peer_segment(p, 1, 0);
    s.mptcp.present = MPO_DSS;
    s.mptcp.dss = (struct mptcp_dss){.has_map = true,
                                     .dsn = p->idsn + 1,
                                     .data_len = 1,
                                     .data_fin = true,
                                     .has_checksum = true,
                                     .checksum = 1};
    trace_send(p->t, s, NULL, 0);
    assert_false(plait_conn_poll(p->t->conn) & PLAIT_POLL_EOF);
    assert_int_equal(peer_counters(p)->DataCsumErr, 1);
    peer_free(p);
}

static void a_data_fin_behind_altered_bytes_is_not_taken(void **state)
{
    struct peer *p = peer_checksum();
    (void)state;
    peer_join(p, 1);
    struct segment s = peer_segment(p, 1, 0);
    peer_map(p, &s, 0, 0, 101);
    s.mptcp.dss.data_fin = true;
    s.mptcp.dss.checksum ^= 0x0100;
    peer_send(p, s, 0, 100);
    peer_data(p, 0, 0, 0, 200);
    peer_expect_stream(p, 0, 200);
    assert_false(plait_conn_poll(p->t->conn) & PLAIT_POLL_EOF);
    peer_free(p);
}

/* ---- the receiver: mappings that do not come --------------------------------------- */

/* A hundred bytes arrive, and a hundred that no mapping covers, long enough ago. */
static void hold_a_hundred(struct peer *p)
{
    peer_data(p, 0, 0, 0, 100);
    peer_settle(p);
    peer_expect_stream(p, 0, 100);
    send_plain(p, 0, 100, 100, 100);
    peer_wait(p, MS(5));
}

static void unmapped_bytes_alone_ask_for_plain_tcp(void **state)
{
    struct peer *p = peer_default();
    (void)state;
    hold_a_hundred(p);
    assert_int_equal(p->t->seg.mptcp.present, MPO_FAIL); /* no DATA_ACK: go on as it is */
    assert_int_equal(p->t->seg.mptcp.fail_dsn, p->idsn + 101);
    assert_true(peer_info(p).multipath);
    peer_expect_stream(p, 100, 0);
    send_probe(p, 0, 200, 0); /* is no knock */
    assert_true(peer_info(p).multipath);
    send_knock(p, 0, 200);
    expect_fallback(p, PLAIT_WHY_UNMAPPED_DATA);
    assert_int_equal(peer_counters(p)->DssFallback, 1);
    peer_expect_stream(p, 100, 100);
    send_plain(p, 0, 200, 200, 100);
    peer_expect_stream(p, 200, 100);
    peer_free(p);
}

/* A peer that keeps to MPTCP probes the window that closes while bytes are
 * held, and repeats at data level what was not acknowledged there: Linux does. */
static void a_probe_of_the_window_is_no_knock(void **state)
{
    struct peer *p = peer_default();
    (void)state;
    hold_a_hundred(p);
    send_probe(p, 0, 200, 0);
    assert_int_equal(peer_counters(p)->DssFallback, 0);
    send_plain(p, 0, 200, 100, 100); /* the same bytes again */
    peer_wait(p, MS(60000));
    expect_reset(p, 0, MPO_FAIL | MPO_TCPRST, 6);
    peer_expect_stream(p, 100, 0);
    peer_free(p);
}

/* Where they belong is not known, so it does not say where the stream ends. */
static void a_fin_behind_unmapped_bytes_is_no_fallback(void **state)
{
    struct peer *p = peer_default();
    (void)state;
    peer_data(p, 0, 0, 0, 100);
    send_plain(p, 0, 100, 7777, 100);
    struct segment fin = peer_segment(p, 0, 200);
    fin.flags |= TCP_FIN;
    trace_send(p->t, fin, NULL, 0);
    assert_true(peer_info(p).multipath);
    peer_expect_stream(p, 0, 100);
    peer_free(p);
}

/* Our direction is plain TCP already, theirs is being asked for. A peer that
 * sent bytes again, because it never heard of the mappings that got lost, ends
 * with a FIN as well: it does not say that what is held is the stream. */
static void a_fin_is_no_answer_to_mp_fail(void **state)
{
    struct plait_config config;
    plait_config_default(&config);
    config.nagle = false;
    struct peer *p = peer_new_version(&config, 0, true);
    (void)state;
    peer_data(p, 0, 0, 0, 100);
    say(p, "hello");
    say(p, "world");
    peer_settle(p);
    send_plain(p, 0, 100, 100, 100); /* acknowledges without a DATA_ACK, too */
    peer_wait(p, MS(1000));
    expect_fallback(p, PLAIT_WHY_OPTIONS_STRIPPED);
    assert_true(peer_counters(p)->MPFailTx > 0);
    send_plain(p, 0, 200, 50, 100);
    struct segment fin = peer_segment(p, 0, 300);
    fin.flags |= TCP_FIN;
    trace_send(p->t, fin, NULL, 0);
    peer_settle(p);
    peer_expect_stream(p, 0, 100);
    assert_false(plait_conn_poll(p->t->conn) & (PLAIT_POLL_EOF | PLAIT_POLL_ERROR));
    peer_wait(p, MS(60000));
    expect_reset(p, 0, MPO_FAIL, 0);
    assert_true(plait_conn_poll(p->t->conn) & PLAIT_POLL_ERROR);
    assert_int_equal(peer_info(p).bytes_received, 100);
    peer_free(p);
}

static void unmapped_bytes_without_an_answer_end_the_subflow(void **state)
{
    struct peer *p = peer_default();
    (void)state;
    peer_data(p, 0, 0, 0, 100);
    send_plain(p, 0, 100, 100, 100);
    peer_wait(p, MS(60000));
    expect_reset(p, 0, MPO_FAIL | MPO_TCPRST, 6);
    assert_int_equal(p->event[PLAIT_EV_SUBFLOW_CLOSED].why, PLAIT_WHY_UNMAPPED_DATA);
    peer_expect_stream(p, 0, 100); /* and nothing that was not mapped */
    peer_free(p);
}

static void unmapped_bytes_among_others_end_the_subflow(void **state)
{
    struct peer *p = peer_default();
    (void)state;
    peer_join(p, 1);
    peer_data(p, 1, 0, 0, 100);
    send_plain(p, 1, 100, 100, 100);
    peer_settle(p);
    expect_reset(p, 1, MPO_FAIL | MPO_TCPRST, 6);
    assert_int_equal(p->event[PLAIT_EV_SUBFLOW_CLOSED].why, PLAIT_WHY_UNMAPPED_DATA);
    assert_int_equal(peer_counters(p)->DssReset, 1);
    peer_data(p, 0, 0, 100, 100); /* the connection goes on */
    peer_expect_stream(p, 0, 200);
    peer_free(p);
}

static void the_first_bytes_of_a_joined_subflow_must_be_mapped(void **state)
{
    struct peer *p = peer_default();
    (void)state;
    peer_join(p, 1);
    send_plain(p, 1, 0, 0, 100);
    peer_next(p);
    expect_reset(p, 1, MPO_TCPRST, 6);
    assert_int_equal(p->event[PLAIT_EV_SUBFLOW_CLOSED].why, PLAIT_WHY_JOIN_DATA_PLAIN);
    peer_data(p, 0, 0, 0, 100);
    peer_expect_stream(p, 0, 100);
    peer_free(p);
}

/* A middlebox joined two segments and kept the options of one. */
static void a_gap_between_mappings_is_filled_on_a_lone_subflow(void **state)
{
    struct peer *p = peer_default();
    (void)state;
    struct segment s = peer_segment(p, 0, 0);
    peer_map(p, &s, 0, 0, 100);
    peer_send(p, s, 0, 200);
    peer_expect_stream(p, 0, 100);
    peer_data(p, 0, 200, 200, 100);
    peer_expect_stream(p, 100, 200);
    assert_true(peer_info(p).multipath);
    peer_free(p);
}

static void a_gap_between_mappings_is_left_where_others_were(void **state)
{
    struct peer *p = peer_default();
    (void)state;
    peer_join(p, 1);
    struct segment s = peer_segment(p, 0, 0);
    peer_map(p, &s, 0, 0, 100);
    peer_send(p, s, 0, 200);
    peer_data(p, 0, 200, 200, 100);
    peer_settle(p);
    peer_expect_stream(p, 0, 100); /* the gap may have been anything */
    assert_int_equal(peer_counters(p)->DSSNoMatchTCP, 1);
    assert_int_equal(peer_info(p).ooo_bytes, 100);
    peer_data(p, 1, 0, 100, 100); /* sent again */
    peer_expect_stream(p, 100, 200);
    peer_free(p);
}

/* Five bytes were put in before this segment; nothing else shows it. */
static void shifted_mappings_are_not_believed(void **state)
{
    struct peer *p = peer_default();
    (void)state;
    peer_data(p, 0, 0, 0, 100);
    peer_settle(p);
    struct segment s = peer_segment(p, 0, 105);
    peer_map(p, &s, 100, 100, 100);
    send_plain(p, 0, 100, 7777, 5);
    peer_send(p, s, 100, 100);
    peer_wait(p, MS(1));
    assert_int_equal(p->t->seg.mptcp.present, MPO_FAIL);
    peer_expect_stream(p, 0, 100);
    send_fail(p, 0, 205, p->our_idsn + 1);
    send_knock(p, 0, 205);
    expect_fallback(p, PLAIT_WHY_LENGTH_CHANGED);
    assert_int_equal(peer_info(p).bytes_received, 205); /* as TCP would have it */
    peer_free(p);
}

/* ---- the receiver: infinite mappings ------------------------------------------------ */

static void an_infinite_mapping_means_plain_tcp(void **state)
{
    struct peer *p = peer_default();
    (void)state;
    struct segment s = peer_segment(p, 0, 0);
    map_infinite(p, &s, 0, 0);
    peer_send(p, s, 0, 100);
    expect_fallback(p, PLAIT_WHY_INFINITE_MAPPING);
    assert_int_equal(peer_counters(p)->InfiniteMapRx, 1);
    peer_expect_stream(p, 0, 100);
    peer_wait(p, MS(10));
    peer_send(p, peer_segment(p, 0, 100), 100, 2000);
    assert_int_equal(peer_expect(p, TCP_ACK)->ack, FLOW_ISS + 1 + 2100);
    assert_false((p->t->seg.mptcp.present & MPO_DSS) && p->t->seg.mptcp.dss.has_ack);
    peer_free(p);
}

static void an_infinite_mapping_among_others_ends_the_subflow(void **state)
{
    struct peer *p = peer_default();
    (void)state;
    peer_join(p, 1);
    struct segment s = peer_segment(p, 1, 0);
    map_infinite(p, &s, 0, 0);
    peer_send(p, s, 0, 100);
    peer_settle(p);
    assert_true(p->flows[1].reset);
    assert_true(peer_info(p).multipath);
    peer_expect_stream(p, 0, 0);
    peer_free(p);
}

static void an_infinite_mapping_behind_a_hole_ends_the_subflow(void **state)
{
    struct peer *p = peer_default();
    (void)state;
    peer_data(p, 0, 0, 0, 100);
    struct segment s = peer_segment(p, 0, 100);
    map_infinite(p, &s, 150, 100);
    peer_send(p, s, 150, 100);
    peer_settle(p);
    assert_true(p->flows[0].reset);
    assert_int_equal(p->event[PLAIT_EV_SUBFLOW_CLOSED].why, PLAIT_WHY_BAD_MAPPING);
    peer_expect_stream(p, 0, 100);
    peer_free(p);
}

static void old_bytes_under_an_infinite_mapping_count_once(void **state)
{
    struct peer *p = peer_default();
    (void)state;
    peer_data(p, 0, 0, 0, 100);
    peer_expect_stream(p, 0, 100);
    struct segment s = peer_segment(p, 0, 100);
    map_infinite(p, &s, 50, 100);
    peer_send(p, s, 50, 100);
    peer_expect_stream(p, 100, 50);
    peer_free(p);
}

/* Two subflows, both used, of which the first is then reset. */
static struct peer *peer_on_second(void)
{
    struct peer *p = peer_default();
    peer_join(p, 1);
    peer_data(p, 0, 0, 0, 100);
    peer_data(p, 1, 0, 100, 100);
    peer_expect_stream(p, 0, 200);
    peer_settle(p);
    struct segment rst = peer_segment(p, 0, 100);
    rst.flags = TCP_RST;
    trace_send(p->t, rst, NULL, 0);
    peer_settle(p);
    assert_int_equal(peer_info(p).subflows, 1);
    return p;
}

static void plain_tcp_on_a_joined_subflow(void **state)
{
    struct peer *p = peer_on_second();
    (void)state;
    struct segment s = peer_segment(p, 1, 100);
    map_infinite(p, &s, 200, 100);
    peer_send(p, s, 200, 50);
    expect_fallback(p, PLAIT_WHY_INFINITE_MAPPING);
    send_plain(p, 1, 150, 250, 50);
    peer_expect_stream(p, 200, 100);
    say(p, "hello");
    peer_settle(p);
    assert_false(p->flows[1].reset);
    trace_send(p->t, peer_segment(p, 1, 200), NULL, 0);
    assert_int_equal(peer_info(p).bytes_acked, 5);
    struct segment fin = peer_segment(p, 1, 200);
    fin.flags |= TCP_FIN;
    trace_send(p->t, fin, NULL, 0);
    assert_true(plait_conn_poll(p->t->conn) & PLAIT_POLL_EOF);
    peer_free(p);
}

static void a_wrong_checksum_on_the_subflow_that_is_left(void **state)
{
    struct peer *p = peer_checksum();
    (void)state;
    peer_join(p, 1);
    peer_data(p, 0, 0, 0, 100);
    peer_data(p, 1, 0, 100, 100);
    peer_settle(p);
    struct segment rst = peer_segment(p, 0, 100);
    rst.flags = TCP_RST;
    trace_send(p->t, rst, NULL, 0);
    peer_settle(p);
    peer_send_changed(p, 1, 100, 200, 100);
    assert_int_equal(peer_expect(p, TCP_ACK)->mptcp.fail_dsn, p->idsn + 201);
    struct segment s = peer_segment(p, 1, 200);
    map_infinite(p, &s, 200, 200);
    peer_send(p, s, 200, 100);
    peer_expect_stream(p, 0, 300);
    expect_fallback(p, PLAIT_WHY_CHECKSUM_FAILED);
    peer_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_are_held_until_the_peer_maps_them),
        cmocka_unit_test(altered_bytes_that_are_sent_again_replace_what_was_held),
        cmocka_unit_test(sent_again_behind_a_changed_length),
        cmocka_unit_test(what_is_sent_again_must_come_in_order),
        cmocka_unit_test(an_answer_without_a_mapping_is_taken_as_it_is),
        cmocka_unit_test(an_answer_from_a_peer_that_went_back_is_not_taken),
        cmocka_unit_test(an_answer_from_a_peer_that_goes_back_is_not_taken),
        cmocka_unit_test(a_late_mapping_that_disagrees_is_an_error),
        cmocka_unit_test(altered_bytes_behind_a_hole_end_the_subflow),
        cmocka_unit_test(mp_fail_is_repeated_and_then_the_subflow_ends),
        cmocka_unit_test(a_wrong_checksum_among_others_ends_the_subflow),
        cmocka_unit_test(an_altered_data_fin_is_not_taken),
        cmocka_unit_test(a_data_fin_behind_altered_bytes_is_not_taken),
        cmocka_unit_test(unmapped_bytes_alone_ask_for_plain_tcp),
        cmocka_unit_test(a_probe_of_the_window_is_no_knock),
        cmocka_unit_test(a_fin_behind_unmapped_bytes_is_no_fallback),
        cmocka_unit_test(a_fin_is_no_answer_to_mp_fail),
        cmocka_unit_test(unmapped_bytes_without_an_answer_end_the_subflow),
        cmocka_unit_test(unmapped_bytes_among_others_end_the_subflow),
        cmocka_unit_test(the_first_bytes_of_a_joined_subflow_must_be_mapped),
        cmocka_unit_test(a_gap_between_mappings_is_filled_on_a_lone_subflow),
        cmocka_unit_test(a_gap_between_mappings_is_left_where_others_were),
        cmocka_unit_test(shifted_mappings_are_not_believed),
        cmocka_unit_test(an_infinite_mapping_means_plain_tcp),
        cmocka_unit_test(an_infinite_mapping_among_others_ends_the_subflow),
        cmocka_unit_test(an_infinite_mapping_behind_a_hole_ends_the_subflow),
        cmocka_unit_test(old_bytes_under_an_infinite_mapping_count_once),
        cmocka_unit_test(plain_tcp_on_a_joined_subflow),
        cmocka_unit_test(a_wrong_checksum_on_the_subflow_that_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
