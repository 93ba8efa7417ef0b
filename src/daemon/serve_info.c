/* SPDX-License-Identifier: MIT
 *
 * Options whose value only we know, in the kernel's structures.
 */
#include <errno.h>
#include <linux/mptcp.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>

#include "daemon/serve.h"

#ifndef TCP_IS_MPTCP
enum { TCP_IS_MPTCP = 43 };
#endif
enum { SUBFLOWS_SHOWN = 32 };

/* What a value was asked in may be shorter. */
static void put(struct value *v, const void *data, size_t len)
{
    if (v->len > len)
        v->len = (uint32_t)len;
    memcpy(v->bytes, data, v->len);
}

static void put_int(struct value *v, int number)
{
    put(v, &number, sizeof number);
}

struct subflows {
    struct plait_subflow_info list[SUBFLOWS_SHOWN];
    unsigned count;
};

/* Those that are there. */
static void subflows_of(struct plait_conn *conn, struct subflows *out)
{
    struct plait_subflow_info all[SUBFLOWS_SHOWN];
    unsigned n = plait_conn_subflows(conn, all, SUBFLOWS_SHOWN);

    out->count = 0;
    for (unsigned i = 0; i < n && i < SUBFLOWS_SHOWN; i++)
        if (!all[i].closed)
            out->list[out->count++] = all[i];
}

/* ---- TCP_INFO ---------------------------------------------------------------------- */

enum { STATE_ESTABLISHED = 1, STATE_SYN_SENT = 2, STATE_CLOSE = 7, STATE_LISTEN = 10 };

static uint32_t packets(uint64_t bytes, uint32_t mss)
{
    return mss ? (uint32_t)(bytes / mss) : 0;
}

static void tcp_info_of(const struct plait_subflow_info *s, struct tcp_info *out)
{
    *out = (struct tcp_info){.tcpi_state = s->established ? STATE_ESTABLISHED : STATE_SYN_SENT,
                             .tcpi_rto = s->rto_us,
                             .tcpi_snd_mss = s->mss_bytes,
                             .tcpi_rcv_mss = s->mss_bytes,
                             .tcpi_advmss = s->mss_bytes,
                             .tcpi_rtt = s->srtt_us,
                             .tcpi_rttvar = s->rttvar_us,
                             .tcpi_min_rtt = s->rtt_min_us,
                             .tcpi_snd_cwnd = packets(s->cwnd_bytes, s->mss_bytes),
                             .tcpi_snd_ssthresh = packets(s->ssthresh_bytes, s->mss_bytes),
                             .tcpi_unacked = packets(s->in_flight_bytes, s->mss_bytes),
                             .tcpi_total_retrans = s->retransmits,
                             .tcpi_pacing_rate = s->pacing_rate,
                             .tcpi_bytes_sent = s->bytes_sent,
                             .tcpi_bytes_acked = s->bytes_sent - s->in_flight_bytes,
                             .tcpi_bytes_received = s->bytes_received,
                             .tcpi_bytes_retrans = s->bytes_retransmitted,
                             .tcpi_segs_out = (uint32_t)s->segs_out,
                             .tcpi_segs_in = (uint32_t)s->segs_in};
}

/* Of the first subflow, with the state of the connection. */
static void tcp_info(struct served *s, struct value *v)
{
    struct tcp_info info = {.tcpi_state = STATE_CLOSE};
    struct subflows flows;

    if (s->kind == SHIM_KIND_LISTENER) {
        info.tcpi_state = STATE_LISTEN;
    } else if (conn_of(s)->c.conn) {
        subflows_of(conn_of(s)->c.conn, &flows);
        if (flows.count > 0)
            tcp_info_of(&flows.list[0], &info);
        info.tcpi_state = conn_of(s)->up ? STATE_ESTABLISHED : STATE_SYN_SENT;
    }
    put(v, &info, sizeof info);
}

/* ---- SOL_MPTCP --------------------------------------------------------------------- */

static void mptcp_info(struct plait_conn *conn, struct value *v)
{
    struct plait_conn_info c;
    struct mptcp_info info = {0};

    plait_conn_info(conn, &c);
    info.mptcpi_subflows = (uint8_t)(c.subflows > 0 ? c.subflows - 1 : 0);
    info.mptcpi_flags =
        c.multipath ? MPTCP_INFO_FLAG_REMOTE_KEY_RECEIVED : MPTCP_INFO_FLAG_FALLBACK;
    info.mptcpi_token = c.token;
    info.mptcpi_write_seq = c.bytes_written;
    info.mptcpi_snd_una = c.bytes_acked;
    info.mptcpi_rcv_nxt = c.bytes_received;
    info.mptcpi_csum_enabled = c.checksum;
    put(v, &info, sizeof info);
}

/* A header that says how large things are, then so many of them as fit. */
static int array_answer(struct value *v, const void *items, uint32_t size, unsigned count)
{
    struct mptcp_subflow_data head;
    uint32_t head_len = sizeof head;

    if (v->len < sizeof head)
        return EINVAL;
    memcpy(&head, v->bytes, sizeof head);
    if (head.size_subflow_data < sizeof head || head.size_subflow_data > v->len ||
        head.num_subflows || head.size_kernel || head.size_user == 0)
        return EINVAL;
    uint32_t skip = head.size_subflow_data, room = v->len, each = head.size_user;
    if (each > size)
        each = size;
    uint32_t at = skip, stride = head.size_user < size ? head.size_user : size;
    for (unsigned i = 0; i < count && at + stride <= room; i++, at += stride)
        memcpy(v->bytes + at, (const unsigned char *)items + (size_t)i * size, each);
    head.num_subflows = count;
    head.size_kernel = size;
    head.size_user = each;
    memcpy(v->bytes, &head, head_len);
    v->len = at;
    return 0;
}

static int mptcp_tcpinfo(struct plait_conn *conn, struct value *v)
{
    struct tcp_info infos[SUBFLOWS_SHOWN];
    struct subflows flows;

    subflows_of(conn, &flows);
    for (unsigned i = 0; i < flows.count; i++)
        tcp_info_of(&flows.list[i], &infos[i]);
    return array_answer(v, infos, sizeof infos[0], flows.count);
}

static int mptcp_addrs(struct plait_conn *conn, struct value *v)
{
    struct mptcp_subflow_addrs addrs[SUBFLOWS_SHOWN];
    struct subflows flows;

    subflows_of(conn, &flows);
    memset(addrs, 0, sizeof addrs);
    for (unsigned i = 0; i < flows.count; i++) {
        const struct plait_subflow_info *f = &flows.list[i];
        message_sockaddr(&f->local, f->local.addr.family == PLAIT_IPV4 ? AF_INET : AF_INET6,
                         &addrs[i].ss_local);
        message_sockaddr(&f->remote, f->remote.addr.family == PLAIT_IPV4 ? AF_INET : AF_INET6,
                         &addrs[i].ss_remote);
    }
    return array_answer(v, addrs, sizeof addrs[0], flows.count);
}

static int mptcp_get(struct served *s, int name, struct value *v)
{
    struct plait_conn *conn = s->kind == SHIM_KIND_CONNECTION ? conn_of(s)->c.conn : NULL;
    struct plait_conn_info info = {0};

    if (conn)
        plait_conn_info(conn, &info);
    if (s->protocol != IPPROTO_MPTCP || (conn && conn_of(s)->up && !info.multipath))
        return EOPNOTSUPP;
    if (name != MPTCP_INFO && name != MPTCP_TCPINFO && name != MPTCP_SUBFLOW_ADDRS)
        return EOPNOTSUPP;
    if (!conn)
        return EINVAL;
    if (name == MPTCP_INFO)
        mptcp_info(conn, v);
    return name == MPTCP_TCPINFO         ? mptcp_tcpinfo(conn, v)
           : name == MPTCP_SUBFLOW_ADDRS ? mptcp_addrs(conn, v)
                                         : 0;
}

/* ---- all of them ------------------------------------------------------------------- */

static bool socket_get(struct served *s, int name, struct value *v)
{
    bool connection = s->kind == SHIM_KIND_CONNECTION;

    switch (name) {
    case SO_ERROR:
        put_int(v, connection ? conn_of(s)->error : 0);
        if (connection)
            conn_of(s)->error = 0;
        return true;
    case SO_ACCEPTCONN:
        put_int(v, !connection);
        return true;
    default:
        return false;
    }
}

static bool tcp_get(struct served *s, int name, struct value *v)
{
    struct served_conn *c = s->kind == SHIM_KIND_CONNECTION ? conn_of(s) : NULL;
    struct plait_conn_info info = {0};

    switch (name) {
    case TCP_INFO:
        tcp_info(s, v);
        return true;
    case TCP_CONGESTION:
        if (!c || !c->cc[0])
            return false;
        put(v, c->cc, sizeof c->cc);
        return true;
    case TCP_IS_MPTCP:
        if (c && c->c.conn)
            plait_conn_info(c->c.conn, &info);
        put_int(v, c && c->c.conn ? info.multipath : s->protocol == IPPROTO_MPTCP);
        return true;
    default:
        return false;
    }
}

bool info_get(struct served *s, int level, int name, struct value *v, int *error)
{
    *error = 0;
    switch (level) {
    case SOL_SOCKET:
        return socket_get(s, name, v);
    case IPPROTO_TCP:
        return tcp_get(s, name, v);
    case SOL_MPTCP:
        *error = mptcp_get(s, name, v);
        return true;
    default:
        return false;
    }
}

int info_queued(struct served *s, int request, int *out)
{
    struct plait_conn_info info;
    int in_channel = 0;

    if (request != SIOCOUTQ && request != SIOCOUTQNSD)
        return EINVAL;
    if (s->kind == SHIM_KIND_LISTENER)
        return EINVAL;
    struct served_conn *c = conn_of(s);
    if (!c->c.conn || !c->up)
        return 0;
    plait_conn_info(c->c.conn, &info);
    ioctl(s->fd, FIONREAD, &in_channel);
    uint64_t held = c->held, fresh = (uint64_t)in_channel - held;
    uint64_t unacked = info.bytes_written - info.bytes_acked;
    *out = (int)(fresh + (request == SIOCOUTQ ? unacked : info.send_queued_bytes));
    return 0;
}
