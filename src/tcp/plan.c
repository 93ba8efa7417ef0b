/* SPDX-License-Identifier: MIT
 *
 * What to send next. tcp_plan tries the kinds in order and builds the first
 * that is due; it changes nothing, so a plan may be thrown away and asked for
 * again. sent.c commits it.
 *
 * Payload obeys the peer's window, the congestion window (RFC 5681, PRR), the
 * pacing gate, silly-window avoidance (RFC 9293 3.8.6.2.1) and Nagle's
 * algorithm (3.7.4). Options come out of the payload of a segment, never out
 * of its header: the owner's are certain, SACK blocks take what is left.
 */
#include "tcp/internal.h"

enum { WINDOW_MAX = 0xffff, TIMESTAMP_LEN = 12, SACK_FIXED = 4, SACK_BLOCK = 8 };

struct planning {
    const struct tcp *t;
    uint64_t now_us;
    const struct tcp_ask *ask;
    struct tcp_plan *p;
};

/* ---- the header ------------------------------------------------------------------ */

/* The window field. The right edge never moves back; it moves on in steps
 * worth an announcement only (RFC 9293 3.8.6.2.2). */
static uint16_t window_field(const struct tcp *t, const struct tcp_ask *ask)
{
    uint32_t unit = (uint32_t)1 << t->rcv_wscale, want = ask->window_bytes, field;
    if (ask->shared_window) {
        field = want >> t->rcv_wscale;
    } else {
        uint32_t have = seq_gt(t->rcv_adv, t->rcv_nxt) ? t->rcv_adv - t->rcv_nxt : 0;
        uint32_t worth = min_u32(tcp_mss_offer(t), want / 2);
        bool grow = want > have && want - have >= worth;
        field = (have + unit - 1) >> t->rcv_wscale; /* RFC 7323 2.4 */
        if (grow)
            field = max_u32(field, want >> t->rcv_wscale);
    }
    return (uint16_t)min_u32(field, WINDOW_MAX);
}

static void put_timestamp(const struct planning *k)
{
    struct tcp_options *o = &k->p->seg.tcp;
    o->present |= OPT_TIMESTAMP;
    o->tsval = tcp_ts_now(k->t, k->now_us);
    o->tsecr = k->t->receiver.ts_recent_set ? k->t->receiver.ts_recent : 0;
}

/* Timestamps give way to an option of the owner that leaves no room for them:
 * ADD_ADDR with an IPv6 address and a port (RFC 8684 3.4.1) has 30 bytes. */
static bool timestamp_fits(const struct planning *k, uint8_t owner_len)
{
    return k->t->timestamps && owner_len + TIMESTAMP_LEN <= TCP_OPTIONS_MAX;
}

/* SACK blocks that fit beside the owner's options. */
static unsigned sack_count(const struct planning *k, uint8_t owner_len)
{
    unsigned used = (timestamp_fits(k, owner_len) ? TIMESTAMP_LEN : 0) + owner_len;
    return tcp_sack_count(k->t, used < TCP_OPTIONS_MAX ? TCP_OPTIONS_MAX - used : 0);
}

static bool start(const struct planning *k, enum tcp_plan_kind kind, uint32_t seq, uint8_t flags)
{
    struct tcp_plan *p = k->p;
    p->kind = kind;
    segment_clear(&p->seg);
    p->seg.src = k->t->local;
    p->seg.dst = k->t->remote;
    p->seg.seq = seq;
    p->seg.flags = flags;
    return true;
}

/* Start a segment of an open connection: ACK, window, timestamps, SACK. */
static bool start_open(const struct planning *k, enum tcp_plan_kind kind, uint32_t seq,
                       uint8_t flags, uint8_t owner_len)
{
    start(k, kind, seq, flags | TCP_ACK | tcp_ecn_ack_flags(k->t));
    k->p->seg.ack = k->t->rcv_nxt;
    k->p->seg.window = window_field(k->t, k->ask);
    if (timestamp_fits(k, owner_len))
        put_timestamp(k);
    if (!(flags & TCP_RST))
        tcp_sack_write(k->t, sack_count(k, owner_len), &k->p->seg.tcp);
    return true;
}

/* ---- how much ---------------------------------------------------------------------- */

uint32_t tcp_window_room(const struct tcp *t)
{
    uint32_t edge = t->snd_una + t->snd_wnd;
    return seq_gt(edge, t->snd_nxt) ? edge - t->snd_nxt : 0;
}

/* RFC 9293 3.8.6.2.1: is a window of `room` bytes worth using for rec? */
static bool window_worth(const struct tcp *t, const struct tcp_record *rec, uint32_t room,
                         uint32_t segment)
{
    if (room >= min_u32(rec->len, segment))
        return true;
    return room > 0 && !tcp_outstanding(t) && (room >= t->snd_wnd_max / 2 || t->wants.override);
}

bool tcp_window_blocked(const struct tcp *t)
{
    const struct tcp_record *rec = t->recovery.unsent;
    uint32_t room = tcp_window_room(t);
    if (tcp_outstanding(t) || !tcp_can_send(t))
        return false;
    if (rec)
        return room == 0 || t->wants.override || !window_worth(t, rec, room, tcp_mss(t));
    return tcp_fin_due(t) && room == 0;
}

bool tcp_something_waits(const struct tcp *t)
{
    return !list_empty(&t->recovery.lost) || (t->recovery.unsent && tcp_can_send(t));
}

/* Payload of one segment in this plan, with all its options. */
static uint32_t plan_segment(const struct planning *k)
{
    unsigned blocks = sack_count(k, k->ask->data_option_len);
    unsigned sack_len = blocks ? SACK_FIXED + SACK_BLOCK * blocks : 0;
    return tcp_segment_payload(k->t, (uint8_t)(k->ask->data_option_len + sack_len));
}

/* Whole segments out of `bytes`, or all of `len` when that fits. */
static uint32_t whole(uint32_t len, uint64_t bytes, uint32_t segment)
{
    if (bytes >= len)
        return len;
    return (uint32_t)bytes / segment * segment;
}

static void put_payload(const struct planning *k, const struct tcp_record *rec, uint32_t len,
                        uint32_t segment)
{
    struct tcp_plan *p = k->p;
    p->record = rec;
    p->payload_len = p->seg.payload_len = len;
    p->segment_len = segment;
    p->gso_size = len > segment ? segment : 0;
    p->iov_count = tcp_record_iov(rec, 0, len, p->iov);
    bool last = rec->seq + len == k->t->snd_end;
    if (len == rec->len && (rec->push || last))
        p->seg.flags |= TCP_PSH;
    if (len == rec->len && last && k->t->wants.fin && tcp_synchronized(k->t))
        p->seg.flags |= TCP_FIN;
}

/* ---- the kinds, in order ------------------------------------------------------------- */

static bool plan_reset(const struct planning *k)
{
    const struct tcp *t = k->t;
    if (t->wants.abort)
        return start_open(k, TCP_PLAN_RST, t->snd_nxt, TCP_RST, k->ask->ack_option_len);
    if (t->wants.reset)
        return start(k, TCP_PLAN_RST, t->wants.reset_seq, TCP_RST);
    return false;
}

/* The first SYN may bring data (RFC 7413 4.2.2); a repeated one goes without,
 * for the sake of middleboxes that drop it otherwise. */
static void put_syn_data(const struct planning *k)
{
    const struct tcp *t = k->t;
    struct tcp_plan *p = k->p;
    uint32_t options = segment_options_len(&p->seg) + k->ask->syn_option_len;
    uint32_t mss = t->control.peer_mss; /* the default: the peer has not spoken yet */
    if (k->ask->syn_mss)
        mss = k->ask->syn_mss;
    mss = min_u32(mss, tcp_mss_offer(t));
    if (t->wants.syn_sent || !k->ask->syn_data.len || mss <= options || !list_empty(&t->records))
        return;
    p->payload_len = p->seg.payload_len = (uint32_t)min_u64(k->ask->syn_data.len, mss - options);
    p->iov[0] = (struct plait_iov){k->ask->syn_data.data, p->payload_len};
    p->iov_count = 1;
}

static bool plan_syn(const struct planning *k)
{
    const struct tcp *t = k->t;
    struct tcp_options *o = &k->p->seg.tcp;
    bool reply = t->state == TCP_SYN_RECEIVED;
    if (!t->wants.syn || (!reply && t->state != TCP_SYN_SENT))
        return false;
    start(k, TCP_PLAN_SYN, t->iss, reply ? TCP_SYN | TCP_ACK : TCP_SYN);
    if (reply && t->ecn.on)
        k->p->seg.flags |= TCP_ECE;
    else if (!reply && tcp_ecn_asks(t))
        k->p->seg.flags |= TCP_ECE | TCP_CWR;
    k->p->seg.ack = reply ? t->rcv_nxt : 0;
    k->p->seg.window = (uint16_t)min_u32(k->ask->window_bytes, WINDOW_MAX); /* never scaled */
    o->present |= OPT_MSS;
    o->mss = tcp_mss_offer(t);
    if (t->sack)
        o->present |= OPT_SACK_OK;
    if (t->timestamps)
        put_timestamp(k);
    if (!reply || t->wscale) {
        o->present |= OPT_WSCALE;
        o->wscale = t->config->rcv_wscale;
    }
    if (!reply)
        put_syn_data(k);
    return true;
}

static bool plan_payload(const struct planning *k, enum tcp_plan_kind kind,
                         const struct tcp_record *rec, uint32_t len, uint32_t segment)
{
    start_open(k, kind, rec->seq, 0, k->ask->data_option_len);
    put_payload(k, rec, len, segment);
    return true;
}

/* A lost record; or, when a loss probe is due and nothing new can be sent
 * instead, the last one. */
static bool plan_retransmit(const struct planning *k)
{
    const struct tcp *t = k->t;
    const struct tcp_record *rec = tcp_first_lost(t);
    if (!tcp_synchronized(t) || !rec || tcp_pace_at(t) > k->now_us)
        return false;
    uint32_t segment = plan_segment(k), edge = t->snd_una + t->snd_wnd;
    uint64_t room = min_u64(tcp_congestion_room(t), max_u32(tcp_burst(t, 0), segment));
    uint32_t window = seq_gt(edge, rec->seq) ? edge - rec->seq : 0;
    /* What the peer once allowed is sent again to probe a window it took
     * back (RFC 9293 3.8.6): one segment, as often as the timer says. */
    if (rec->seq == t->snd_una)
        window = max_u32(window, segment);
    uint32_t len = whole(rec->len, min_u64(room, window), segment);
    return len > 0 && plan_payload(k, TCP_PLAN_RETRANSMIT, rec, len, segment);
}

/* Bytes of the next unsent record that may go now; 0: none. */
static uint32_t data_len(const struct planning *k, const struct tcp_record *rec, uint32_t segment)
{
    const struct tcp *t = k->t;
    uint32_t window = tcp_window_room(t);
    if (!window_worth(t, rec, window, segment))
        return 0;
    uint64_t room = min_u64(tcp_congestion_room(t), max_u32(tcp_burst(t, 0), segment));
    if (t->wants.tlp)
        room = segment; /* RFC 8985 7.3: whatever the congestion window says */
    else if (tcp_pace_at(t) > k->now_us)
        return 0;
    uint32_t len = whole(rec->len, min_u64(room, window), segment);
    if (len == 0 && window < segment && room >= window)
        len = window; /* worth it, as window_worth found */
    bool tail = len == rec->len && rec->seq + len == t->snd_end;
    if (t->config->nagle && tail && !rec->push && !t->wants.fin && tcp_outstanding(t))
        len -= len % segment;
    return len;
}

static bool plan_data(const struct planning *k)
{
    const struct tcp *t = k->t;
    const struct tcp_record *rec = t->recovery.unsent;
    if (!rec || !tcp_can_send(t) || !list_empty(&t->recovery.lost))
        return false;
    uint32_t segment = plan_segment(k), len = data_len(k, rec, segment);
    if (tcp_ecn_tells(t))
        len = min_u32(len, segment);
    if (!len)
        return false;
    plan_payload(k, TCP_PLAN_DATA, rec, len, segment);
    tcp_ecn_put_data(t, &k->p->seg);
    return true;
}

static bool plan_loss_probe(const struct planning *k)
{
    const struct tcp *t = k->t;
    if (!t->wants.tlp || !list_empty(&t->recovery.lost))
        return false;
    const struct tcp_record *rec = tcp_last_sent(t);
    return rec && plan_payload(k, TCP_PLAN_RETRANSMIT, rec, rec->len, plan_segment(k));
}

static bool plan_fin(const struct planning *k)
{
    const struct tcp *t = k->t;
    if (!tcp_synchronized(t) || !tcp_fin_due(t) || t->recovery.unsent ||
        !list_empty(&t->recovery.lost))
        return false;
    if (!t->wants.fin_sent && !tcp_outstanding(t) && tcp_window_room(t) == 0)
        return false; /* it would not be accepted; the persist timer looks after it */
    return start_open(k, TCP_PLAN_FIN, t->snd_end, TCP_FIN, k->ask->ack_option_len);
}

/* An old sequence number and no payload: whatever the peer's window, it
 * answers with an ACK (RFC 9293 3.8.4, 3.8.6.1). */
static bool plan_probe(const struct planning *k)
{
    const struct tcp *t = k->t;
    if (!t->wants.probe || !tcp_synchronized(t))
        return false;
    return start_open(k, TCP_PLAN_PROBE, t->snd_nxt - 1, 0, k->ask->ack_option_len);
}

static bool plan_ack(const struct planning *k)
{
    const struct tcp *t = k->t;
    if (!tcp_synchronized(t) || (t->wants.acks == 0 && !k->ask->want_ack))
        return false;
    return start_open(k, TCP_PLAN_ACK, t->snd_nxt, 0, k->ask->ack_option_len);
}

static struct planning begin(const struct tcp *t, uint64_t now_us, const struct tcp_ask *ask,
                             struct tcp_plan *p)
{
    assert(now_us >= t->now_us);
    p->kind = TCP_PLAN_NONE;
    p->iov_count = 0;
    p->payload_len = p->gso_size = p->segment_len = 0;
    p->record = NULL;
    return (struct planning){t, now_us, ask, p};
}

bool tcp_plan_ack(const struct tcp *t, uint64_t now_us, const struct tcp_ask *ask,
                  struct tcp_plan *p)
{
    const struct planning k = begin(t, now_us, ask, p);
    return tcp_synchronized(t) && start_open(&k, TCP_PLAN_ACK, t->snd_nxt, 0, ask->ack_option_len);
}

bool tcp_plan(const struct tcp *t, uint64_t now_us, const struct tcp_ask *ask, struct tcp_plan *p)
{
    typedef bool planner(const struct planning *k);
    static planner *const planners[] = {plan_reset,      plan_syn, plan_retransmit, plan_data,
                                        plan_loss_probe, plan_fin, plan_probe,      plan_ack};
    const struct planning k = begin(t, now_us, ask, p);
    if (t->state == TCP_CLOSED && !t->wants.reset)
        return false;
    for (size_t i = 0; i < sizeof planners / sizeof *planners; i++)
        if (planners[i](&k))
            return true;
    return false;
}
