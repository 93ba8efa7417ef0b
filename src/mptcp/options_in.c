/* SPDX-License-Identifier: MIT
 *
 * What the MPTCP options of an acceptable segment mean for the connection.
 * Runs after tcp_input and before the segment's payload is placed. The
 * handshake's own options are handshake.c's.
 */
#include "mptcp/conn.h"

#include "wire/checksum.h"

static uint32_t segment_window(const struct subflow *sf, const struct segment *seg)
{
    return (seg->flags & TCP_SYN) ? seg->window : (uint32_t)seg->window << sf->tcp.snd_wscale;
}

/* The first DATA_ACK of our first bytes is of something else: whoever sent it
 * does not speak of them. As good as none (RFC 8684 3.7). */
static void first_ack_wrong(struct subflow *sf)
{
    struct plait_conn *c = sf->conn;
    bool sent = c->snd_nxt != c->local_idsn + 1;
    if (sf->kind == SUBFLOW_INITIAL && !c->branched && !sf->acked_any && sent)
        conn_fallback(sf, PLAIT_WHY_FIRST_ACK_WRONG);
}

static void dss_ack_in(struct subflow *sf, const struct segment *seg)
{
    struct plait_conn *c = sf->conn;
    const struct mptcp_dss *d = &seg->mptcp.dss;
    uint64_t ack = d->ack64 ? d->data_ack : dsn_expand(c->snd_una, (uint32_t)d->data_ack);
    uint64_t end = c->snd_nxt + (c->fin_sent ? 1 : 0);
    if (dsn_gt(ack, end)) { /* acknowledges what was never sent: a lie or an old wrap */
        first_ack_wrong(sf);
        return;
    }
    sf->acked_any = true;
    conn_window(c, ack + segment_window(sf, seg));
    conn_acked(c, ack);
}

/* A checksum that was negotiated must be there. One that was not ends the
 * subflow in version 1 (RFC 8684 3.3.1) and is ignored in version 0 (RFC 6824
 * 3.3). */
static bool checksum_form_ok(const struct plait_conn *c, const struct mptcp_dss *d)
{
    return c->checksum ? d->has_checksum : !d->has_checksum || c->version == 0;
}

/* A DATA_FIN: alone, or behind data, where it counts once that is verified. */
static void data_fin_in(struct subflow *sf, const struct mptcp_dss *d, uint64_t dsn)
{
    struct plait_conn *c = sf->conn;
    tcp_want_ack(&sf->tcp);
    if (d->data_len > 1 && c->checksum)
        return;
    if (c->checksum && csum_dss(dsn, d->ssn, 1, 0) != d->checksum) {
        c->env->counters.DataCsumErr++;
        fallback_ask(sf, dsn, PLAIT_WHY_CHECKSUM_FAILED);
        return;
    }
    receive_data_fin(c, dsn + d->data_len - 1);
}

static void dss_map_in(struct subflow *sf, const struct segment *seg)
{
    struct plait_conn *c = sf->conn;
    const struct mptcp_dss *d = &seg->mptcp.dss;
    uint64_t dsn = d->dsn64 ? d->dsn : dsn_expand(c->rcv_nxt, (uint32_t)d->dsn);
    uint32_t len = d->data_len;
    c->peer_dsn64 |= d->dsn64; /* bytes of both widths may be acknowledged at once */
    if (len == 0) {
        fallback_infinite_in(sf, seg, dsn);
        return;
    }
    if (c->plain_in)
        return;
    if (fallback_asking(sf)) {
        fallback_distrusted(sf, seg);
        return;
    }
    if (!checksum_form_ok(c, d)) {
        subflow_reset(sf, PLAIT_WHY_BAD_MAPPING);
        return;
    }
    if (stripped_shift(sf, seg)) {
        fallback_ask(sf, conn_recv_next(c), PLAIT_WHY_LENGTH_CHANGED);
        return;
    }
    if (d->data_fin)
        data_fin_in(sf, d, dsn);
    if (!d->data_fin || len > 1)
        receive_mapping(sf, dsn, d->ssn, len - d->data_fin, len, d->checksum);
}

static void dss_in(struct subflow *sf, const struct segment *seg, uint64_t now_us)
{
    struct plait_conn *c = sf->conn;
    const struct mptcp_dss *d = &seg->mptcp.dss;
    if (!c->client || d->has_ack) /* without, the server may not have the keys yet */
        conn_confirm(c, now_us);
    if (d->has_ack && !c->plain_out)
        dss_ack_in(sf, seg);
    else if (d->has_ack && c->plain_in && !(d->has_map && d->data_len == 0))
        fallback_unheard(sf);
    if (seg->mptcp.present & MPO_FAIL)
        fallback_fail_in(sf, seg);
    if (d->has_map)
        dss_map_in(sf, seg);
}

/* MP_CAPABLE with data: DSN IDSN + 1, SSN 1 (RFC 8684 3.1). */
static void capable_data_in(struct subflow *sf, const struct mptcp_capable *m, uint64_t now_us)
{
    struct plait_conn *c = sf->conn;
    if (!c->key_known || c->client || c->plain_in)
        return;
    if (m->sender_key != c->remote_key || m->receiver_key != c->local_key) {
        if (!c->confirmed) /* the handshake was tampered with (RFC 8684 3.1) */
            conn_fallback(sf, PLAIT_WHY_FIRST_KEYS_WRONG);
        return;
    }
    if (m->has_checksum != c->checksum) {
        subflow_reset(sf, PLAIT_WHY_BAD_MAPPING);
        return;
    }
    if (m->data_len)
        receive_mapping(sf, c->remote_idsn + 1, 1, m->data_len, m->data_len, m->checksum);
    conn_confirm(c, now_us);
}

/* The options of a segment whose form the negotiated version has; others are
 * ignored. Version 0 has no MP_TCPRST and no MP_CAPABLE with data, version 1 no
 * MP_PRIO for another subflow (taken out because it lends itself to hijacking).
 * The forms of ADD_ADDR are told apart in addresses.c, one by one. */
static uint32_t options_of_version(const struct plait_conn *c, const struct mptcp_options *o)
{
    if (c->version == 0)
        return o->present & ~(uint32_t)(MPO_TCPRST | MPO_CAPABLE_DATA);
    if ((o->present & MPO_PRIO) && o->prio.has_addr_id)
        return o->present & ~(uint32_t)MPO_PRIO;
    return o->present;
}

static void signals_in(struct subflow *sf, const struct mptcp_options *o, uint32_t present,
                       uint64_t now_us)
{
    if (present & MPO_PRIO)
        priority_in(sf, o);
    if (present & (MPO_ADD_ADDR | MPO_REMOVE_ADDR))
        addresses_in(sf, o, now_us);
}

void conn_options_in(struct subflow *sf, const struct segment *seg, const struct tcp_result *r,
                     uint64_t now_us)
{
    struct plait_conn *c = sf->conn;
    const struct mptcp_options *o = &seg->mptcp;
    uint32_t present = options_of_version(c, o);
    c->env->counters.MPExperimentalRx += (o->present & MPO_EXPERIMENTAL) != 0;
    c->env->counters.MPOptionIgnored +=
        o->unknown_count + (uint64_t)o->malformed_count + (present != o->present);
    c->env->counters.MPFailRx += (present & MPO_FAIL) != 0;
    if ((present & MPO_FAIL) && (seg->flags & TCP_RST))
        sf->peer_lost = true;
    if ((present & MPO_TCPRST) && (seg->flags & TCP_RST)) {
        c->env->counters.MPRstRx++;
        sf->peer_told = true;
        sf->told = (struct reset_told){o->tcprst.reason, o->tcprst.transient};
    }
    if (present & MPO_FASTCLOSE)
        fastclose_in(sf, o->fastclose_key);
    if (c->state == CONN_CLOSED || (seg->flags & TCP_RST))
        return;
    stripped_in(sf, seg, r, now_us);
    if (c->plain_out && sf == c->plain && (seg->flags & TCP_ACK))
        conn_window(c, fallback_acked(sf) + segment_window(sf, seg));
    if (!sf->joined || !c->key_known || sf->rst_set)
        return;
    if (!seg->payload_len && (seg->flags & ~TCP_ECE) == (TCP_ACK | TCP_PSH) &&
        seg->seq + 1 == tcp_rcv_highest(&sf->tcp))
        fallback_knock_in(sf);
    if ((present & MPO_CAPABLE_DATA) && sf == c->initial)
        capable_data_in(sf, &o->capable, now_us);
    if (present & MPO_DSS)
        dss_in(sf, seg, now_us);
    else if (present & MPO_FAIL)
        fallback_fail_in(sf, seg);
    else if (!c->confirmed && !c->plain_out && (seg->flags & TCP_ACK))
        conn_window(c, c->snd_una + segment_window(sf, seg));
    if (c->multipath)
        signals_in(sf, o, present, now_us);
}
