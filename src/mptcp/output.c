/* SPDX-License-Identifier: MIT
 *
 * Sending: ask the scheduler which subflow carries the next bytes, bind them
 * there, and turn one plan of one subflow into one packet. Bytes are bound
 * only when they can leave at once, so that nothing waits in a subflow's
 * queue that another could have sent.
 */
#include "mptcp/conn.h"

/* ---- scheduling ----------------------------------------------------------------- */

/* Where a copy on sf would begin. */
static uint64_t copy_dsn(const struct plait_conn *c, const struct subflow *sf)
{
    bool among = dsn_geq(sf->carried, c->snd_una) && dsn_leq(sf->carried, c->snd_nxt);
    return among ? sf->carried : c->snd_una;
}

/* What sf gets now waits for what it got before, by the rate that the path is known
 * for. That one is taken for an eighth more, since a queue that is reckoned too long
 * would never end. */
static uint32_t queue_us(const struct subflow *sf, uint64_t now_us)
{
    return sf->drained_us > now_us ? (uint32_t)(sf->drained_us - now_us) : 0;
}

static void queue_more(struct subflow *sf, uint32_t len, uint64_t now_us)
{
    const uint64_t second_us = 1000 * 1000, rate = sf->tcp.rate.best / 8 * 9;
    if (sf->conn->subflow_count < 2 || !rate)
        return;
    uint64_t waits = queue_us(sf, now_us);
    uint64_t most = sf->tcp.control.own->in_flight_bytes * second_us / rate;
    waits = (waits < most ? waits : most) + len * second_us / rate;
    sf->drained_us = now_us + (waits < 60 * second_us ? waits : 60 * second_us);
}

static void path_fill(struct plait_sched_path *p, struct subflow *sf, uint64_t now_us)
{
    const struct tcp *t = &sf->tcp;
    const struct plait_cc_view *v = t->control.own;
    *p = (struct plait_sched_path){.subflow_id = sf->id,
                                   .order = sf->order,
                                   .srtt_us = t->rtt.srtt_us,
                                   .rttvar_us = t->rtt.rttvar_us,
                                   .rto_us = t->rtt.rto_us,
                                   .rtt_min_us = t->rtt.base_us,
                                   .mss_bytes = v->mss_bytes,
                                   .rate = t->rate.best,
                                   .rate_full = t->rate.full,
                                   .cwnd_bytes = v->cwnd_bytes,
                                   .in_flight_bytes = v->in_flight_bytes,
                                   .queue_us = queue_us(sf, now_us),
                                   .room_bytes = guard_room(sf, tcp_room(t, now_us)),
                                   .pacing_rate = v->pacing_rate,
                                   .heard_us = t->receiver.heard_us,
                                   .behind_bytes = sf->conn->snd_nxt - copy_dsn(sf->conn, sf),
                                   .slow_start = v->cwnd_bytes < v->ssthresh_bytes,
                                   .backup = sf->backup_local || sf->backup_remote,
                                   .stale = sf->stale || sf->suspect || guard_rests(sf, now_us)};
}

/* The subflows that may carry data, without the one to avoid. */
static unsigned paths_collect(struct plait_conn *c, uint32_t avoid_id, uint64_t now_us)
{
    unsigned n = 0;
    list_each(sf, &c->subflows, struct subflow, link) {
        if (!subflow_usable(sf) || (avoid_id && sf->id == avoid_id))
            continue;
        c->awake->arrays.subflows[n] = sf;
        path_fill(&c->awake->arrays.paths[n++], sf, now_us);
    }
    return n;
}

static void pace_wait(struct plait_conn *c, unsigned count, uint64_t now_us)
{
    c->pace_us = TIMER_NEVER;
    for (unsigned i = 0; i < count; i++) {
        uint64_t at = tcp_pace_at(&c->awake->arrays.subflows[i]->tcp);
        if (at > now_us && at < c->pace_us)
            c->pace_us = at;
    }
}

/* The next bytes are the client's first, which repeat the keys (RFC 8684 3.1;
 * not in version 0). */
static bool first_with_keys(const struct plait_conn *c, const struct subflow *sf)
{
    return c->client && c->multipath && c->version >= 1 && sf == c->initial &&
           c->snd_nxt == c->local_idsn + 1;
}

/* A last short segment waits under Nagle's algorithm (RFC 1122 4.2.3.4), over the
 * connection's bytes, while another one is not acknowledged.
 * DEVIATION: not while anything else is: the end of a long answer would wait for
 * the slowest path to acknowledge what it carries. Linux does so too. */
static bool tail_waits(const struct plait_conn *c)
{
    if (!c->nagle || c->fin_queued || c->snd_una == c->snd_nxt)
        return false;
    return c->awake->short_sent && dsn_gt(c->awake->short_end, c->snd_una);
}

/* What was bound is the end of all that there is. */
static void tail_note(struct plait_conn *c, const struct subflow *sf, uint32_t bound)
{
    if (bound % tcp_segment_payload(&sf->tcp, conn_data_option_len(sf)) == 0)
        return;
    c->awake->short_end = c->snd_nxt;
    c->awake->short_sent = true;
}

/* How many of `avail` bytes to bind now to sf, 0: wait. Whole segments while
 * more is to come; a last short one when the tail is not held. */
static uint32_t bind_len(const struct plait_conn *c, const struct subflow *sf, uint64_t avail,
                         uint64_t limit, bool hold_tail)
{
    uint8_t options = conn_data_option_len(sf);
    uint32_t seg = tcp_segment_payload(&sf->tcp, options);
    uint64_t len = avail < limit ? avail : limit;
    uint32_t burst = tcp_burst(&sf->tcp, options);
    len = len < burst ? len : burst;
    if (first_with_keys(c, sf) && len > seg)
        len = seg; /* MP_CAPABLE with data stays on one packet */
    if (len < seg && len < avail && list_linked(&sf->tcp.records))
        return 0; /* a silly segment; more window is on its way (RFC 9293 3.8.6.2.1) */
    if (len > seg && (len < avail || hold_tail))
        len -= len % seg;
    if (len < seg && hold_tail)
        return 0;
    return (uint32_t)len;
}

/* The peer's window has no room for a segment, and nothing in flight will
 * bring news of it: a segment is bound all the same, so that the subflow's
 * persist timer asks (RFC 9293 3.8.6.1). */
static bool window_shut(const struct plait_conn *c, uint64_t window)
{
    return c->snd_una == c->snd_nxt && window < c->snd_end - c->snd_nxt && window < window_mss(c);
}

/* One question to the scheduler, and the answer. */
struct turn {
    struct plait_sched_view view;
    struct plait_sched_choice choice;
    struct subflow *sf; /* NULL: it waits */
    uint64_t limit;     /* bytes for it at most */
};

static void pick(struct plait_conn *c, struct turn *t)
{
    t->view.paths = c->awake->arrays.paths;
    t->view.now_us = c->env->now_us;
    t->view.count = paths_collect(c, t->view.avoid_id, t->view.now_us);
    t->view.unacked_bytes = c->snd_nxt - c->snd_una;
    t->view.span_bytes = dsn_gt(c->snd_edge, c->snd_una) ? c->snd_edge - c->snd_una : 0;
    if (t->view.span_bytes > c->env->config.send_buffer_max_bytes)
        t->view.span_bytes = c->env->config.send_buffer_max_bytes;
    t->view.stalls = c->stalls;
    t->view.more = c->write_blocked;
    for (unsigned i = 0;
         !t->view.reinject && window_shut(c, t->view.window_bytes) && i < t->view.count; i++)
        c->awake->arrays.paths[i].room_bytes = c->awake->arrays.paths[i].mss_bytes;
    t->choice = c->sched->pick(c->awake->plugins.sched_state, &t->view);
    if (plugins_sched_failed(c))
        t->choice = c->sched->pick(c->awake->plugins.sched_state, &t->view);
    pace_wait(c, t->view.count, t->view.now_us);
    t->sf = NULL;
    if (t->choice.path < 0 || (unsigned)t->choice.path >= t->view.count)
        return;
    t->sf = c->awake->arrays.subflows[t->choice.path];
    uint64_t room = t->view.paths[t->choice.path].room_bytes;
    t->limit = t->choice.bytes && t->choice.bytes < room ? t->choice.bytes : room;
}

/* Bind len bytes as chosen; returns how many were. */
static uint32_t carry(struct plait_conn *c, const struct turn *t, uint64_t dsn, uint32_t len,
                      uint8_t kind)
{
    uint32_t n = len ? conn_bind(c, t->sf, dsn, len, kind) : 0;
    if (n == 0)
        return 0;
    queue_more(t->sf, n, t->view.now_us);
    if (dsn_gt(dsn + n, copy_dsn(c, t->sf)))
        t->sf->carried = dsn + n;
    if (c->sched->bound)
        c->sched->bound(c->awake->plugins.sched_state, &t->view, (unsigned)t->choice.path, n);
    return n;
}

/* There would have been room for bytes that their subflow may still bring. */
static bool refused(const struct turn *t)
{
    for (unsigned i = 0; !t->sf && !t->view.lost && i < t->view.count; i++)
        if (t->view.paths[i].room_bytes)
            return true;
    return false;
}

static bool schedule_reinjection(struct plait_conn *c)
{
    struct turn t;
    struct dsn_range *r;
    do {
        if (list_empty(&c->reinject))
            return false;
        r = list_first(&c->reinject, struct dsn_range, link);
        t = (struct turn){.view = {.queued_bytes = r->len,
                                   .window_bytes = r->len,
                                   .reinject = true,
                                   .lost = reinject_source_silent(c),
                                   .avoid_id = r->from_id}};
        pick(c, &t);
    } while (refused(&t) && reinject_delivered(c));
    uint32_t len = t.sf ? bind_len(c, t.sf, r->len, t.limit, false) : 0;
    uint32_t n = carry(c, &t, r->dsn, len, MAP_REINJECTED);
    if (n == 0)
        return false;
    c->bytes_reinjected += n;
    r->dsn += n;
    r->len -= n;
    if (r->len == 0) {
        list_remove(&r->link);
        pool_put(&c->env->ranges, r);
    }
    return true;
}

/* Never on plain TCP, whose stream would have them twice. */
static bool schedule_copy(struct plait_conn *c, const struct turn *t)
{
    uint64_t dsn = copy_dsn(c, t->sf), behind = c->snd_nxt - dsn;
    if (!c->sched->copies || !c->multipath || c->plain_out || behind == 0)
        return false;
    uint32_t n = carry(c, t, dsn, bind_len(c, t->sf, behind, t->limit, false), MAP_REINJECTED);
    c->bytes_copied += n;
    return n != 0;
}

static bool schedule_new(struct plait_conn *c)
{
    uint64_t avail = c->snd_end - c->snd_nxt;
    uint64_t window = dsn_gt(c->snd_edge, c->snd_nxt) ? c->snd_edge - c->snd_nxt : 0;
    bool idle = c->snd_una == c->snd_nxt, blocked = window == 0 && !idle;
    if (blocked && avail && !c->stalled) {
        c->stalled = true;
        c->stalls++;
    }
    bool none = avail == 0 || blocked;
    if (none && (!c->sched->copies || idle))
        return false;
    struct turn t = {.view = {.queued_bytes = none ? 0 : avail, .window_bytes = window}};
    pick(c, &t);
    if (t.sf && t.choice.copy)
        return schedule_copy(c, &t);
    if (!t.sf || none)
        return false;
    if (!window_shut(c, window))
        t.limit = t.limit < window ? t.limit : window;
    bool hold_tail = tail_waits(c) && t.limit >= avail;
    uint32_t len = bind_len(c, t.sf, avail, t.limit, hold_tail);
    uint8_t kind = first_with_keys(c, t.sf) ? MAP_FIRST : 0;
    uint32_t n = carry(c, &t, c->snd_nxt, len, kind);
    c->snd_nxt += n;
    if (n && n == avail)
        tail_note(c, t.sf, n);
    c->stalled = c->stalled && n == 0;
    conn_watch_rate(c);
    return n != 0;
}

/* Bytes wait, nothing is in flight, and yet nothing could be bound: what keeps
 * them is what the subflows heard last of the window, and a lost update would
 * keep them for ever. Let each ask (RFC 9293 3.8.6.1). */
static void windows_ask(struct plait_conn *c, bool bound, uint64_t now_us)
{
    bool waiting = !bound && (c->snd_nxt != c->snd_end || !list_empty(&c->reinject)) &&
                   !records_outstanding(c);
    list_each(sf, &c->subflows, struct subflow, link)
        if (subflow_usable(sf) && sf->tcp.wants.blocked != waiting)
            tcp_want_window(&sf->tcp, waiting, now_us);
}

/* The peer's window, or the send buffer, has no room for more, although there is. */
static bool held_up(const struct plait_conn *c, bool all_sent)
{
    if (!all_sent)
        return dsn_gt(c->snd_nxt + window_mss(c), c->snd_edge);
    return c->write_blocked && c->snd_end - c->snd_una + window_mss(c) > c->send_buffer;
}

static void conn_schedule(struct plait_conn *c, uint64_t now_us)
{
    c->pace_us = TIMER_NEVER;
    if (c->state != CONN_ESTABLISHED || c->closing || c->awake->falling.deciding)
        return;
    if (c->version == 0 && c->keys_again)
        return; /* the keys first, on a segment of their own (RFC 6824 3.1, 3.6) */
    bool bound = schedule_reinjection(c) || schedule_new(c);
    windows_ask(c, bound, now_us);
    if (bound) {
        guard_moves(c, now_us);
        return;
    }
    if (c->snd_una == c->snd_nxt || !list_empty(&c->reinject))
        return;
    bool all_sent = c->snd_nxt == c->snd_end, blocked = held_up(c, all_sent);
    if (blocked)
        guard_blocked(c, now_us);
    if ((all_sent && !c->write_blocked && reinject_tail(c, now_us)) ||
        (blocked && reinject_head(c, now_us)))
        schedule_reinjection(c);
}

/* ---- packets ---------------------------------------------------------------------- */

static bool subflow_plan(const struct subflow *sf, uint64_t now_us, const struct tcp_ask *ask,
                         struct tcp_plan *plan)
{
    if (sf != sf->conn->fastclose_on)
        return tcp_plan(&sf->tcp, now_us, ask, plan);
    return fastclose_due(sf, now_us) && tcp_plan_ack(&sf->tcp, now_us, ask, plan);
}

static bool subflow_output(struct subflow *sf, uint64_t now_us, struct plait_packet_tx *p)
{
    struct plait_conn *c = sf->conn;
    struct tcp_ask ask;
    struct tcp_plan plan;
    struct tcp_result r = {0};
    conn_options_ask(sf, now_us, &ask);
    if (!subflow_plan(sf, now_us, &ask, &plan)) {
        sf->quiet = true;
        return false;
    }
    conn_options_out(sf, &plan, &plan.seg.mptcp);
    if (plan.kind == TCP_PLAN_SYN)
        fastopen_out(sf, &plan.seg);
    if (plan.kind == TCP_PLAN_PROBE && fallback_knocks(sf))
        plan.seg.flags |= TCP_PSH;
    segment_encode(&plan.seg, plan.iov, plan.iov_count, plan.gso_size, p);
    uint8_t scale = (plan.seg.flags & TCP_SYN) ? 0 : sf->tcp.rcv_wscale;
    if (plan.kind != TCP_PLAN_RST)
        conn_window_sent(c, (uint32_t)plan.seg.window << scale);
    else
        c->env->counters.OutRsts++;
    tcp_sent(&sf->tcp, &plan, now_us, &r);
    conn_options_sent(sf, &plan, now_us);
    c->env->counters.RetransSegs += plan.kind == TCP_PLAN_RETRANSMIT;
    c->env->counters.WinProbe += plan.kind == TCP_PLAN_PROBE;
    subflow_result(sf, &r);
    return true;
}

bool conn_output(struct plait_conn *c, uint64_t now_us, struct plait_packet_tx *p)
{
    conn_schedule(c, now_us);
    list_each(sf, &c->subflows, struct subflow, link)
        if (!sf->quiet && !sf->gone && subflow_output(sf, now_us, p))
            return true;
    return false;
}
