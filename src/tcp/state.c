/* SPDX-License-Identifier: MIT
 *
 * The states of RFC 9293 3.3.2 and the steps between them, as a table; and
 * what every entry point does first and last. Only this file and the opening
 * (open.c) write tcp.state.
 */
#include "tcp/internal.h"

const char *tcp_state_name(enum tcp_state s)
{
    static const char *const names[TCP_STATE_COUNT] = {
        [TCP_CLOSED] = "CLOSED",
        [TCP_SYN_SENT] = "SYN_SENT",
        [TCP_SYN_RECEIVED] = "SYN_RECEIVED",
        [TCP_ESTABLISHED] = "ESTABLISHED",
        [TCP_FIN_WAIT_1] = "FIN_WAIT_1",
        [TCP_FIN_WAIT_2] = "FIN_WAIT_2",
        [TCP_CLOSE_WAIT] = "CLOSE_WAIT",
        [TCP_CLOSING] = "CLOSING",
        [TCP_LAST_ACK] = "LAST_ACK",
        [TCP_TIME_WAIT] = "TIME_WAIT",
    };
    return s < TCP_STATE_COUNT ? names[s] : "?";
}

/* RFC 9293 figure 5, the right half: a row is a state, a column what happens
 * there. An event that cannot happen leaves the state as it is. */
enum tcp_state tcp_next_state(enum tcp_state state, enum tcp_event event)
{
    /* clang-format off */
    static const enum tcp_state next[TCP_STATE_COUNT][TCP_E_COUNT] = {
        /*                   FIN_SENT          FIN_ACKED         FIN_RECEIVED */
        [TCP_CLOSED]       = {TCP_CLOSED,       TCP_CLOSED,       TCP_CLOSED},
        [TCP_SYN_SENT]     = {TCP_SYN_SENT,     TCP_SYN_SENT,     TCP_SYN_SENT},
        [TCP_SYN_RECEIVED] = {TCP_SYN_RECEIVED, TCP_SYN_RECEIVED, TCP_SYN_RECEIVED},
        [TCP_ESTABLISHED]  = {TCP_FIN_WAIT_1,   TCP_ESTABLISHED,  TCP_CLOSE_WAIT},
        [TCP_FIN_WAIT_1]   = {TCP_FIN_WAIT_1,   TCP_FIN_WAIT_2,   TCP_CLOSING},
        [TCP_FIN_WAIT_2]   = {TCP_FIN_WAIT_2,   TCP_FIN_WAIT_2,   TCP_TIME_WAIT},
        [TCP_CLOSE_WAIT]   = {TCP_LAST_ACK,     TCP_CLOSE_WAIT,   TCP_CLOSE_WAIT},
        [TCP_CLOSING]      = {TCP_CLOSING,      TCP_TIME_WAIT,    TCP_CLOSING},
        [TCP_LAST_ACK]     = {TCP_LAST_ACK,     TCP_CLOSED,       TCP_LAST_ACK},
        [TCP_TIME_WAIT]    = {TCP_TIME_WAIT,    TCP_TIME_WAIT,    TCP_TIME_WAIT},
    };
    /* clang-format on */
    assert(state < TCP_STATE_COUNT && event < TCP_E_COUNT);
    return next[state][event];
}

void tcp_step_state(struct tcp *t, enum tcp_event event, struct tcp_result *r)
{
    enum tcp_state next = tcp_next_state(t->state, event);
    if (next == t->state)
        return;
    t->state = next;
    if (next == TCP_CLOSED) {
        tcp_enter_closed(t, TCP_NO_ERROR, r);
    } else if (next == TCP_TIME_WAIT) {
        tcp_timers_stop(t);
        tcp_linger_arm(t, t->config->time_wait_us);
    } else if (next == TCP_FIN_WAIT_2 && t->wants.orphan && t->config->fin_wait_2_us) {
        tcp_linger_arm(t, t->config->fin_wait_2_us);
    }
}

void tcp_enter_closed(struct tcp *t, enum tcp_error error, struct tcp_result *r)
{
    t->state = TCP_CLOSED;
    t->error = error;
    memset(&t->wants, 0, sizeof t->wants);
    tcp_timers_stop(t);
    if (r) {
        r->flags |= TCP_R_CLOSED;
        r->error = error;
    }
}

void tcp_enter(struct tcp *t, uint64_t now_us, struct tcp_result *r)
{
    assert(now_us >= t->now_us);
    t->now_us = now_us;
    if (r)
        *r = (struct tcp_result){0};
}

void tcp_settle(struct tcp *t)
{
    tcp_persist_update(t);
    uint64_t gate = tcp_pace_at(t);
    t->timer_us[TCP_T_PACE] = gate > t->now_us && tcp_something_waits(t) ? gate : TCP_NEVER;
    tcp_control_view(t);
}
