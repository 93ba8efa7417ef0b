/* SPDX-License-Identifier: MIT
 *
 * What arrived: in order, out of order, twice; what to tell about it (SACK,
 * RFC 2018; DSACK, RFC 2883) and when (RFC 9293 3.8.6.3, RFC 5681 4.2).
 *
 * Pieces are sorted and do not overlap. Those below rcv_nxt wait to be taken
 * by tcp_next_in_order; all others are above rcv_nxt, with a gap before the
 * first. The piece that came in order itself needs no memory: it is `ready`.
 *
 * ACKs: at once for the first segments of a connection (they open the peer's
 * window), for anything out of order or twice, when a gap closes, and when
 * more than one full segment is unacknowledged; otherwise after delack_us. A
 * super-segment counts by its bytes, so it is acknowledged at once, once.
 */
#include "tcp/internal.h"

enum { ACKS_MAX = 64, SACK_OPTION_FIXED = 4, SACK_BLOCK_LEN = 8 };

uint32_t tcp_parts(const struct segment *seg)
{
    if (seg->gso_size == 0 || seg->payload_len <= seg->gso_size)
        return 1;
    return (seg->payload_len + seg->gso_size - 1) / seg->gso_size;
}

void tcp_ack_now(struct tcp *t)
{
    t->wants.acks = max_u32(t->wants.acks, 1);
}

/* Out of order or twice. Where the peer counts duplicate ACKs each such
 * segment must give one; with SACK the latest says it all. */
static void ack_disorder(struct tcp *t)
{
    t->wants.acks = t->sack ? 1 : min_u32(t->wants.acks + 1, ACKS_MAX);
}

void tcp_ack_later(struct tcp *t)
{
    if (t->wants.ack_delayed || t->wants.acks > 0)
        return;
    t->wants.ack_delayed = true;
    t->timer_us[TCP_T_DELACK] = t->now_us + t->config->delack_us;
}

/* ---- SACK blocks -------------------------------------------------------------- */

/* Put [left, right) first, swallowing what it touches. */
static void block_add(struct tcp_receiver *rx, uint32_t left, uint32_t right)
{
    struct sack_block kept[SACK_BLOCKS_MAX];
    unsigned n = 1;
    for (unsigned i = 0; i < rx->block_count; i++) {
        struct sack_block b = rx->blocks[i];
        if (seq_leq(b.left, right) && seq_geq(b.right, left)) {
            left = seq_min(left, b.left);
            right = seq_max(right, b.right);
        } else if (n < SACK_BLOCKS_MAX) {
            kept[n++] = b;
        }
    }
    kept[0] = (struct sack_block){left, right};
    memcpy(rx->blocks, kept, n * sizeof *kept);
    rx->block_count = (uint8_t)n;
}

static void blocks_prune(struct tcp *t)
{
    struct tcp_receiver *rx = &t->receiver;
    unsigned n = 0;
    for (unsigned i = 0; i < rx->block_count; i++)
        if (seq_gt(rx->blocks[i].left, t->rcv_nxt))
            rx->blocks[n++] = rx->blocks[i];
    rx->block_count = (uint8_t)n;
}

static void report_duplicate(struct tcp *t, uint32_t left, uint32_t right)
{
    t->receiver.dsack_set = t->sack;
    t->receiver.dsack = (struct sack_block){left, right};
}

unsigned tcp_sack_count(const struct tcp *t, unsigned room)
{
    unsigned n = t->receiver.block_count + t->receiver.dsack_set;
    unsigned fit = room > SACK_OPTION_FIXED ? (room - SACK_OPTION_FIXED) / SACK_BLOCK_LEN : 0;
    return t->sack ? min_u32(n, min_u32(fit, SACK_BLOCKS_MAX)) : 0;
}

void tcp_sack_write(const struct tcp *t, unsigned count, struct tcp_options *o)
{
    unsigned n = 0;
    if (count == 0)
        return;
    if (t->receiver.dsack_set)
        o->sack[n++] = t->receiver.dsack;
    for (unsigned i = 0; n < count; i++)
        o->sack[n++] = t->receiver.blocks[i];
    o->sack_count = (uint8_t)n;
    o->present |= OPT_SACK;
}

/* A segment with our ACK has left. Blocks that did not fit are still owed. */
void tcp_receiver_acked(struct tcp *t, const struct tcp_plan *p)
{
    struct tcp_receiver *rx = &t->receiver;
    unsigned shift = p->seg.flags & TCP_SYN ? 0 : t->rcv_wscale;
    bool told = p->seg.tcp.present & OPT_SACK;
    t->rcv_adv = seq_max(t->rcv_adv, t->rcv_nxt + ((uint32_t)p->seg.window << shift));
    rx->window_max = max_u32(rx->window_max, t->rcv_adv - t->rcv_nxt);
    rx->last_ack_sent = t->rcv_nxt;
    rx->unacked_bytes = 0;
    t->wants.ack_delayed = false;
    tcp_timer_off(t, TCP_T_DELACK);
    if (p->kind == TCP_PLAN_ACK)
        t->wants.acks -= t->wants.acks > 0;
    else if (told || (!rx->dsack_set && rx->block_count == 0))
        t->wants.acks = 0;
    if (told || p->kind == TCP_PLAN_ACK)
        rx->dsack_set = false;
}

/* ---- pieces -------------------------------------------------------------------- */

static void piece_free(struct tcp *t, struct tcp_piece *piece)
{
    list_remove(&piece->link);
    chunk_unref(piece->chunk);
    t->receiver.piece_count--;
    t->receiver.piece_bytes -= piece->len;
    pool_put(&t->env->pieces, piece);
}

static void piece_trim_front(struct tcp *t, struct tcp_piece *piece, uint32_t to)
{
    uint32_t cut = to - piece->seq;
    t->receiver.piece_bytes -= cut;
    piece->data += cut;
    piece->seq += cut;
    piece->len -= cut;
}

/* A reference to the payload, or a copy of it where it is only lent. */
static bool hold(struct tcp *t, const struct segment *seg, uint32_t skip, uint32_t len,
                 struct plait_chunk **chunk, const uint8_t **data)
{
    if (seg->chunk) {
        *chunk = chunk_ref(seg->chunk);
        *data = seg->payload + skip;
        return true;
    }
    *chunk = chunk_new(t->env->mem, len);
    if (!*chunk) {
        t->stats.dropped_memory++;
        return false;
    }
    memcpy((*chunk)->data, seg->payload + skip, len);
    *data = (*chunk)->data;
    return true;
}

/* rcv_nxt has moved to `to` by new bytes: pieces below are superfluous, those
 * that follow without a gap are in order now. */
static void absorb(struct tcp *t, uint32_t to)
{
    list_each(piece, &t->receiver.pieces, struct tcp_piece, link) {
        if (seq_geq(piece->seq, to))
            break;
        if (seq_leq(piece->seq + piece->len, to))
            piece_free(t, piece);
        else
            piece_trim_front(t, piece, to);
    }
    list_each(piece, &t->receiver.pieces, struct tcp_piece, link) {
        if (piece->seq != to)
            break;
        to += piece->len;
    }
    t->stats.bytes_received += to - t->rcv_nxt;
    t->receiver.unacked_bytes += to - t->rcv_nxt;
    t->rcv_nxt = to;
    blocks_prune(t);
}

static void take_in_order(struct tcp *t, const struct segment *seg, uint32_t skip, uint32_t len,
                          struct tcp_result *r)
{
    struct tcp_receiver *rx = &t->receiver;
    bool gaps = !list_empty(&rx->pieces);
    if (!hold(t, seg, skip, len, &rx->ready_chunk, &rx->ready_data))
        return;
    rx->ready_set = true;
    rx->ready_seq = t->rcv_nxt;
    rx->ready_len = len;
    absorb(t, t->rcv_nxt + len);
    r->flags |= TCP_R_READABLE;

    if (rx->quick > 0) {
        rx->quick -= (uint8_t)min_u32(rx->quick, tcp_parts(seg));
        tcp_ack_now(t);
    } else if (gaps || rx->unacked_bytes > rx->rcv_mss) {
        tcp_ack_now(t);
    } else {
        tcp_ack_later(t);
    }
}

/* Find the place from the end: what comes out of order mostly comes last. */
static struct list *place(struct tcp *t, uint32_t seq)
{
    struct list *head = &t->receiver.pieces, *pos = head;
    while (pos->prev != head && seq_gt(list_entry(pos->prev, struct tcp_piece, link)->seq, seq))
        pos = pos->prev;
    return pos;
}

/* Store [left, right) of seg as far as it is new; bytes already held stay. */
static void take_out_of_order(struct tcp *t, const struct segment *seg, uint32_t seq, uint32_t left,
                              uint32_t right, struct tcp_result *r)
{
    struct tcp_receiver *rx = &t->receiver;
    uint32_t told_left = left, told_right = right;
    struct list *pos = place(t, left);
    ack_disorder(t);
    if (pos->prev != &rx->pieces) {
        struct tcp_piece *before = list_entry(pos->prev, struct tcp_piece, link);
        left = seq_max(left, before->seq + before->len);
    }
    while (pos != &rx->pieces && seq_lt(left, right)) {
        struct tcp_piece *after = list_entry(pos, struct tcp_piece, link);
        if (seq_geq(after->seq, right))
            break;
        if (seq_geq(after->seq + after->len, right)) {
            right = seq_max(left, after->seq);
            break;
        }
        pos = pos->next;
        piece_free(t, after);
    }
    if (seq_geq(left, right)) { /* all of it is here already */
        report_duplicate(t, told_left, told_right);
        block_add(rx, told_left, told_right);
        r->flags |= TCP_R_DUPLICATE;
        return;
    }
    struct tcp_piece piece = {.seq = left, .len = right - left};
    struct tcp_piece *kept =
        rx->piece_count < t->config->ooo_pieces_max ? pool_get(&t->env->pieces) : NULL;
    if (!kept) {
        t->stats.dropped_memory++;
        return;
    }
    if (!hold(t, seg, left - seq, piece.len, &piece.chunk, &piece.data)) {
        pool_put(&t->env->pieces, kept);
        return;
    }
    *kept = piece;
    list_insert(pos, &kept->link);
    rx->piece_count++;
    rx->piece_bytes += kept->len;
    t->stats.ooo_pieces++;
    block_add(rx, told_left, told_right);
}

/* DEVIATION: RFC 9293 3.8.5 tells the application where urgent data ends. The
 * pointer is not looked at: urgent bytes are bytes like the others, at their
 * place in the stream, which is what RFC 8684 3.3.1 asks for. */
void tcp_receive_text(struct tcp *t, const struct segment *seg, struct tcp_result *r)
{
    struct tcp_receiver *rx = &t->receiver;
    uint32_t seq = seg->seq + ((seg->flags & TCP_SYN) != 0), end = seq + seg->payload_len;
    uint32_t left = seq_max(seq, t->rcv_nxt), right = seq_min(end, t->rcv_adv);
    uint32_t one = seg->gso_size ? min_u32(seg->gso_size, seg->payload_len) : seg->payload_len;
    rx->rcv_mss = max_u32(rx->rcv_mss, one);
    if (rx->fin_set)
        right = seq_min(right, rx->fin_seq);

    if (seq_lt(seq, t->rcv_nxt)) {
        report_duplicate(t, seq, seq_min(end, t->rcv_nxt));
        tcp_ack_now(t);
        if (seq_leq(end, t->rcv_nxt)) {
            r->flags |= TCP_R_DUPLICATE;
            return;
        }
    }
    if (seq_geq(left, right)) { /* nothing of it fits the window */
        t->stats.dropped_window++;
        tcp_ack_now(t);
        return;
    }
    if (seq_lt(right, end)) /* what had to be left out must be sent again */
        tcp_ack_now(t);
    tcp_rtt_receiver(t, seg);
    if (left == t->rcv_nxt)
        take_in_order(t, seg, left - seq, right - left, r);
    else
        take_out_of_order(t, seg, seq, left, right, r);
}

/* The FIN may come before bytes that precede it; it counts once they are here. */
void tcp_receive_fin(struct tcp *t, const struct segment *seg, struct tcp_result *r)
{
    struct tcp_receiver *rx = &t->receiver;
    if ((seg->flags & TCP_FIN) && !rx->fin_set) {
        uint32_t at = seg->seq + ((seg->flags & TCP_SYN) != 0) + seg->payload_len;
        bool above = list_empty(&rx->pieces);
        if (!above) {
            const struct tcp_piece *last = list_last(&rx->pieces, struct tcp_piece, link);
            above = seq_geq(at, last->seq + last->len);
        }
        /* A FIN in order is taken even when the window is shut. */
        if (above && seq_geq(at, t->rcv_nxt) && seq_leq(at, seq_max(t->rcv_adv, t->rcv_nxt))) {
            rx->fin_set = true;
            rx->fin_seq = at;
        }
        tcp_ack_now(t);
    }
    if (rx->fin_set && t->rcv_nxt == rx->fin_seq) {
        t->rcv_nxt++;
        t->rcv_adv = seq_max(t->rcv_adv, t->rcv_nxt);
        r->flags |= TCP_R_FIN;
        tcp_ack_now(t);
        tcp_step_state(t, TCP_E_FIN_RECEIVED, r);
    }
}

bool tcp_next_in_order(struct tcp *t, struct tcp_piece *out)
{
    struct tcp_receiver *rx = &t->receiver;
    if (rx->ready_set) {
        *out = (struct tcp_piece){.chunk = rx->ready_chunk,
                                  .data = rx->ready_data,
                                  .seq = rx->ready_seq,
                                  .len = rx->ready_len};
        rx->ready_set = false;
        rx->ready_chunk = NULL;
        return true;
    }
    if (list_empty(&rx->pieces))
        return false;
    struct tcp_piece *piece = list_first(&rx->pieces, struct tcp_piece, link);
    if (seq_geq(piece->seq, t->rcv_nxt))
        return false;
    *out = *piece;
    list_init(&out->link);
    chunk_ref(piece->chunk); /* the caller's; piece_free drops the list's */
    piece_free(t, piece);
    return true;
}

uint32_t tcp_rcv_highest(const struct tcp *t)
{
    if (list_empty(&t->receiver.pieces))
        return t->rcv_nxt;
    const struct tcp_piece *last = list_last(&t->receiver.pieces, struct tcp_piece, link);
    return seq_max(t->rcv_nxt, last->seq + last->len);
}

/* Blocks that told of bytes from `right` on tell of them no more. */
static void blocks_cut(struct tcp_receiver *rx, uint32_t right)
{
    unsigned n = 0;
    for (unsigned i = 0; i < rx->block_count; i++) {
        struct sack_block b = rx->blocks[i];
        b.right = seq_min(b.right, right);
        if (seq_lt(b.left, b.right))
            rx->blocks[n++] = b;
    }
    rx->block_count = (uint8_t)n;
}

uint32_t tcp_prune(struct tcp *t)
{
    struct tcp_receiver *rx = &t->receiver;
    if (list_empty(&rx->pieces))
        return 0;
    struct tcp_piece *last = list_last(&rx->pieces, struct tcp_piece, link);
    uint32_t seq = last->seq, len = last->len;
    if (seq_lt(seq, t->rcv_nxt))
        return 0;
    piece_free(t, last);
    blocks_cut(rx, seq);
    return len;
}

void tcp_receiver_free(struct tcp *t)
{
    struct tcp_receiver *rx = &t->receiver;
    if (rx->ready_set)
        chunk_unref(rx->ready_chunk);
    rx->ready_set = false;
    list_each(piece, &rx->pieces, struct tcp_piece, link)
        piece_free(t, piece);
    rx->block_count = 0;
}
