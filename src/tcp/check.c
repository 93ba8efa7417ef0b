/* SPDX-License-Identifier: MIT
 *
 * Everything that must hold between two calls, recomputed from the lists.
 * Linear in what is held: for tests, the simulator and fuzzing.
 */
#include "tcp/internal.h"

static void check_sequence_space(const struct tcp *t)
{
    bool fin = t->wants.fin_sent;
    assert(seq_leq(t->snd_una, t->snd_nxt));
    assert(seq_leq(t->snd_nxt, t->snd_end + fin));
    assert(!fin || t->snd_nxt == t->snd_end + 1);
    assert(!t->wants.fin_acked || t->snd_una == t->snd_end + 1);
    if (tcp_synchronized(t)) {
        assert(seq_gt(t->snd_una, t->iss) && seq_gt(t->rcv_nxt, t->irs));
        assert(seq_leq(t->receiver.last_ack_sent, t->rcv_nxt));
    }
}

/* Where the records that were sent begin and end. */
static void check_records(const struct tcp *t)
{
    uint64_t flight = 0, sacked = 0, lost = 0;
    bool unsent = false, any = false;
    uint32_t next = 0;
    list_each(rec, &t->records, struct tcp_record, link) {
        assert(rec->len > 0 && rec->chunk[0] && rec->chunk[0]->refs > 0);
        assert(rec->offset < rec->chunk[0]->size);
        assert((uint64_t)rec->offset + rec->len <=
               (uint64_t)rec->chunk[0]->size + (rec->chunk[1] ? rec->chunk[1]->size : 0));
        assert(!any || rec->seq == next);
        any = true;
        next = rec->seq + rec->len;
        if (rec == t->recovery.unsent)
            unsent = true;
        assert((rec->transmissions == 0) == unsent);
        assert(!(rec->sacked && rec->lost));
        assert(list_linked(&rec->sent_link) == (rec->transmissions > 0 && !rec->sacked));
        if (rec->sacked)
            sacked += rec->len;
        else if (rec->lost)
            lost += rec->len;
        else if (rec->transmissions)
            flight += rec->len;
        if (rec->transmissions)
            assert(seq_gt(next, t->snd_una) && seq_leq(next, t->snd_nxt));
    }
    assert(unsent == (t->recovery.unsent != NULL));
    assert(!any || next == t->snd_end || t->state == TCP_CLOSED);
    assert(flight == t->recovery.in_flight_bytes);
    assert(sacked == t->recovery.sacked_bytes);
    assert(lost == t->recovery.lost_bytes);
}

static void check_conditions(const struct tcp *t)
{
    const struct tcp_record *before = NULL;
    list_each(rec, &t->sent_order, struct tcp_record, sent_link) {
        assert(rec->transmissions > 0 && !rec->lost && !rec->sacked);
        assert(!before || before->sent_us <= rec->sent_us);
        before = rec;
    }
    before = NULL;
    list_each(rec, &t->recovery.lost, struct tcp_record, sent_link) {
        assert(rec->transmissions > 0 && rec->lost && !rec->sacked);
        assert(!before || seq_lt(before->seq, rec->seq));
        before = rec;
    }
}

static void check_receiver(const struct tcp *t)
{
    const struct tcp_receiver *rx = &t->receiver;
    const struct tcp_piece *before = NULL;
    uint32_t count = 0;
    list_each(piece, &rx->pieces, struct tcp_piece, link) {
        assert(piece->len > 0 && piece->chunk && piece->chunk->refs > 0);
        assert(!before || seq_leq(before->seq + before->len, piece->seq));
        assert(piece->seq != t->rcv_nxt);
        before = piece;
        count++;
    }
    assert(count == rx->piece_count && count <= t->config->ooo_pieces_max);
    for (unsigned i = 0; i < rx->block_count; i++) {
        assert(seq_lt(rx->blocks[i].left, rx->blocks[i].right));
        assert(seq_gt(rx->blocks[i].left, t->rcv_nxt));
    }
    assert(rx->block_count <= SACK_BLOCKS_MAX);
    assert(!rx->ready_set || rx->ready_chunk);
}

/* Nothing outstanding may be without a timer that looks after it. */
static void check_timers(const struct tcp *t)
{
    const uint64_t *at = t->timer_us;
    if (t->state == TCP_CLOSED) {
        assert(tcp_deadline(t) == TCP_NEVER);
        return;
    }
    if (t->wants.abort)
        return;
    if (tcp_outstanding(t) && t->state != TCP_TIME_WAIT && !t->wants.syn)
        assert(at[TCP_T_RTO] != TCP_NEVER);
    assert((at[TCP_T_LOSS] != TCP_NEVER) == (t->rack.timer != TCP_LT_NONE));
    assert((at[TCP_T_DELACK] != TCP_NEVER) == t->wants.ack_delayed);
    if (t->state == TCP_TIME_WAIT)
        assert(at[TCP_T_LINGER] != TCP_NEVER);
}

void tcp_check(const struct tcp *t)
{
    assert(t->state < TCP_STATE_COUNT);
    assert(t->control.cwnd_bytes >= 8 && t->rtt.rto_us > 0);
    assert(t->control.path_mtu <= t->control.mtu);
    check_records(t);
    check_conditions(t);
    check_receiver(t);
    if (t->state != TCP_CLOSED)
        check_sequence_space(t);
    check_timers(t);
}
