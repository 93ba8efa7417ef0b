/* SPDX-License-Identifier: MIT
 *
 * How large a segment may be: the interface's MTU, the peer's MSS option
 * (RFC 9293 3.7.1, RFC 6691: it does not count options), and what ICMP says
 * of the path (RFC 1191, RFC 8201). ICMP is taken only about a segment that
 * is outstanding (RFC 5927 4.1), and a hard error ends nothing that was
 * established (RFC 5927 5.2).
 */
#include "tcp/internal.h"

enum {
    IPV4_HEADER = 20,
    IPV6_HEADER = 40,
    TCP_HEADER = 20,
    TIMESTAMP_LEN = 12,
    IPV4_MTU_LEAST = 552, /* smaller reports are not believed: they cost the peer nothing */
    IPV6_MTU_LEAST = 1280,
    IPV4_MSS_DEFAULT = 536,
    IPV6_MSS_DEFAULT = 1220,
    RAISE_AFTER_US = 600 * 1000 * 1000 /* RFC 8201 5.3 */
};

static bool is_v6(const struct tcp *t)
{
    return t->local.addr.family == PLAIT_IPV6;
}

static uint32_t headers_of(bool v6)
{
    return (v6 ? IPV6_HEADER : IPV4_HEADER) + TCP_HEADER;
}

static uint32_t headers_len(const struct tcp *t)
{
    return headers_of(is_v6(t));
}

void tcp_mtu_init(struct tcp *t, uint16_t mtu)
{
    assert(mtu > headers_len(t) + TCP_OPTIONS_MAX);
    t->control.mtu = t->control.path_mtu = mtu;
    t->control.peer_mss = is_v6(t) ? IPV6_MSS_DEFAULT : IPV4_MSS_DEFAULT;
    t->control.mtu_raise_us = TCP_NEVER;
}

/* What we can receive. */
uint16_t tcp_mss_of(const struct tcp_config *config, bool v6, uint16_t mtu)
{
    uint32_t mss = mtu - headers_of(v6);
    if (config->mss_max)
        mss = min_u32(mss, config->mss_max);
    return (uint16_t)mss;
}

uint16_t tcp_mss_offer(const struct tcp *t)
{
    return tcp_mss_of(t->config, is_v6(t), t->control.mtu);
}

uint32_t tcp_segment_payload(const struct tcp *t, uint8_t owner_option_len)
{
    uint32_t mss = min_u32(t->control.path_mtu - headers_len(t), t->control.peer_mss);
    if (t->config->mss_max)
        mss = min_u32(mss, t->config->mss_max);
    uint32_t options = (t->timestamps ? TIMESTAMP_LEN : 0) + owner_option_len;
    return mss > options + 8 ? mss - options : 8;
}

/* RFC 1191 7.1: a router that does not tell its MTU means one of these. */
static uint16_t next_plateau(uint16_t below)
{
    static const uint16_t plateaus[] = {32000, 17914, 8166, 4352, 2002, 1492, 1006, 508};
    for (size_t i = 0; i < sizeof plateaus / sizeof *plateaus; i++)
        if (plateaus[i] < below)
            return plateaus[i];
    return 68;
}

static void too_big(struct tcp *t, const struct icmp_error *e, struct tcp_result *r)
{
    uint16_t least = is_v6(t) ? IPV6_MTU_LEAST : IPV4_MTU_LEAST;
    uint16_t mtu = e->mtu ? e->mtu : next_plateau(t->control.path_mtu);
    if (mtu < least)
        mtu = least;
    if (mtu >= t->control.path_mtu)
        return;
    t->control.path_mtu = mtu;
    t->control.mtu_raise_us = t->now_us + RAISE_AFTER_US;
    r->flags |= TCP_R_MTU;

    uint32_t payload = tcp_segment_payload(t, t->control.option_len);
    bool any = false;
    list_each(rec, &t->sent_order, struct tcp_record, sent_link) {
        if (rec->segment_len > payload) {
            tcp_record_lost(t, rec);
            any = true;
        }
    }
    if (any)
        tcp_recovery_resend(t);
}

void tcp_icmp(struct tcp *t, const struct icmp_error *e, uint64_t now_us, struct tcp_result *r)
{
    tcp_enter(t, now_us, r);
    if (t->state == TCP_CLOSED || t->state == TCP_TIME_WAIT || !tcp_outstanding(t))
        return;
    if (seq_lt(e->seq, t->snd_una) || seq_geq(e->seq, t->snd_nxt))
        return;
    bool connecting = t->state == TCP_SYN_SENT || t->state == TCP_SYN_RECEIVED;
    if (e->kind == ICMP_TOO_BIG)
        too_big(t, e, r);
    else if (e->kind == ICMP_HARD && connecting)
        tcp_enter_closed(t, TCP_UNREACHABLE, r);
    tcp_settle(t);
}

/* The path may have changed for the better. */
void tcp_mtu_raise(struct tcp *t, struct tcp_result *r)
{
    if (t->now_us < t->control.mtu_raise_us)
        return;
    t->control.mtu_raise_us = TCP_NEVER;
    t->control.path_mtu = t->control.mtu;
    r->flags |= TCP_R_MTU;
}
