/* SPDX-License-Identifier: MIT
 *
 * The connection's receive window, shared by all subflows (RFC 8684 3.3.4),
 * and the growth of its buffer with what the application reads in a round
 * trip (dynamic right-sizing). The right edge in data sequence space is never
 * withdrawn.
 */
#include "mptcp/conn.h"

uint32_t window_mss(const struct plait_conn *c)
{
    uint32_t mss = 536;
    if (!c->awake)
        return mss;
    const struct conn_arrays *a = &c->awake->arrays;
    for (unsigned i = 0; i < c->subflow_count && i < a->capacity; i++)
        if (a->views[i].mss_bytes > mss)
            mss = a->views[i].mss_bytes;
    return mss;
}

static uint32_t window_free(const struct plait_conn *c)
{
    uint32_t room = c->recv_bytes < c->recv_buffer ? c->recv_buffer - (uint32_t)c->recv_bytes : 0;
    uint64_t allowed = pressure_recv_room(c);
    return allowed < room ? (uint32_t)dsn_min(allowed + c->ooo_bytes, room) : room;
}

uint32_t conn_recv_window(const struct plait_conn *c)
{
    uint64_t edge = c->rcv_nxt + window_free(c);
    uint64_t step = c->recv_buffer / 2;
    step = step < window_mss(c) ? step : window_mss(c);
    if (dsn_lt(edge, c->rcv_edge + step)) /* no silly windows (RFC 9293 3.8.6.2.2) */
        edge = c->rcv_edge;
    return dsn_gt(edge, c->rcv_nxt) ? (uint32_t)(edge - c->rcv_nxt) : 0;
}

uint16_t conn_syn_window(const struct mptcp_env *env)
{
    uint64_t window = env->config.recv_buffer_bytes, most = env->config.conn_held_max_bytes;
    window = most && most < window ? most : window;
    return window < UINT16_MAX ? (uint16_t)window : UINT16_MAX;
}

void conn_window_sent(struct plait_conn *c, uint32_t window)
{
    c->rcv_edge = dsn_max(c->rcv_edge, c->rcv_nxt + window);
}

/* The longest round trip among the subflows, seen from the receiving end
 * where there is a measurement. 0: none yet. */
static uint32_t window_rtt(const struct plait_conn *c)
{
    uint32_t rtt = 0;
    list_each(sf, &c->subflows, struct subflow, link) {
        uint32_t r = sf->tcp.rtt.rcv_rtt_us ? sf->tcp.rtt.rcv_rtt_us : sf->tcp.rtt.srtt_us;
        rtt = r > rtt ? r : rtt;
    }
    return rtt;
}

static void window_tune(struct plait_conn *c, uint64_t now_us)
{
    uint32_t rtt = window_rtt(c);
    if (rtt == 0 || now_us - c->tune_start_us < rtt)
        return;
    uint64_t wanted = 2 * (c->rcv_read - c->tune_read) + 16 * (uint64_t)window_mss(c);
    uint64_t max = c->env->config.recv_buffer_max_bytes;
    wanted = wanted < max ? wanted : max;
    if (wanted > c->recv_buffer)
        c->recv_buffer = (uint32_t)wanted;
    c->tune_start_us = now_us;
    c->tune_read = c->rcv_read;
}

void conn_window_read(struct plait_conn *c, uint64_t now_us)
{
    window_tune(c, now_us);
    uint64_t advertised = dsn_gt(c->rcv_edge, c->rcv_nxt) ? c->rcv_edge - c->rcv_nxt : 0;
    uint64_t offer = conn_recv_window(c);
    if (offer < 2 * advertised || offer == advertised)
        return;
    struct subflow *sf = c->last_recv;
    if (!sf || !tcp_can_receive(&sf->tcp))
        list_each(other, &c->subflows, struct subflow, link)
            if (other->joined && tcp_can_receive(&other->tcp))
                sf = other;
    if (!sf)
        return;
    sf->quiet = false;
    tcp_want_ack(&sf->tcp);
}
