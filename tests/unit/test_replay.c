/* SPDX-License-Identifier: MIT
 *
 * Recorded clients of version 0, replayed into the engine as their server.
 *
 * The engine is given the recorded server's key and, for each join, its nonce;
 * all it sends in the handshakes must then be what the recorded server sent:
 * the token that the joins name, the HMACs. Behind them the engine gets the
 * client's segments as they were recorded, in their time, and must reach the
 * same DATA_ACK as the recorded server and hand out the same stream, which is
 * put together from the recording by other code (recording.c).
 *
 * What differs from the recording: acknowledgment numbers are moved by the
 * difference of the initial sequence numbers and stay within what the engine
 * has sent, since it sends no data of its own; SACK blocks, which are about the
 * server's data, are taken off. Where a capture holds the head of each packet
 * only, the missing bytes are zero but for two, chosen so that the recorded
 * checksum holds: there the placing is checked and the content is not.
 *
 *     test_replay FOLDER
 */
#include "engine_trace.h"

#include <stdio.h>

#include "mptcp/conn.h"
#include "recording.h"
#include "stack/stack.h"
#include "wire/checksum.h"

enum { FLOWS_MAX = 8, SKIPPED = 77 };

static const char *folder;

struct replay {
    struct recording rec;
    struct recorded_flow flows[FLOWS_MAX];
    unsigned flow_count;
    uint64_t client_key, server_key;
    bool checksum;
    struct recorded_stream want;

    struct trace *t;
    struct plait_conn *conn;
    uint32_t iss[FLOWS_MAX], snd_max[FLOWS_MAX]; /* the engine's, by flow */
    uint64_t data_ack;                           /* the highest it sent */
    uint8_t *got;
    uint64_t got_len, segments;
    uint32_t patched;
};

/* ---- what is in the recording ----------------------------------------------------- */

static const struct recorded *find_synack(const struct recording *r, const struct recorded_flow *f)
{
    for (unsigned i = 0; i < r->count; i++)
        if (recorded_on(&r->items[i], f, true) &&
            (r->items[i].seg.flags & (TCP_SYN | TCP_ACK)) == (TCP_SYN | TCP_ACK))
            return &r->items[i];
    return NULL;
}

static bool is_syn(const struct recorded *item)
{
    return (item->seg.flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;
}

/* The first version 0 connection, and the joins that name its token. */
static void find_flows(struct replay *r)
{
    for (unsigned i = 0; i < r->rec.count && r->flow_count < FLOWS_MAX; i++) {
        const struct recorded *item = &r->rec.items[i];
        const struct mptcp_options *o = &item->seg.mptcp;
        struct recorded_flow f = {item->seg.src, item->seg.dst, item, NULL};
        bool first =
            r->flow_count == 0 && (o->present & MPO_CAPABLE_KEY) && o->capable.version == 0;
        bool join = r->flow_count && (o->present & MPO_JOIN_SYN) &&
                    o->join.token == key_derive(0, r->server_key).token;
        for (unsigned known = 0; known < r->flow_count; known++)
            join = join && !recorded_on(item, &r->flows[known], false);
        if (!is_syn(item) || (!first && !join) || !(f.synack = find_synack(&r->rec, &f)))
            continue;
        if (first) {
            r->client_key = o->capable.sender_key;
            r->server_key = f.synack->seg.mptcp.capable.sender_key;
            r->checksum = (o->capable.flags | f.synack->seg.mptcp.capable.flags) & MPC_CHECKSUM;
        }
        r->flows[r->flow_count++] = f;
    }
}

/* The recording's first numbers are those that the keys stand for: the client's
 * first mapping, and of the server's stream its first mapping or the first
 * DATA_ACK, whichever is first. */
static void check_numbers(const struct replay *r)
{
    uint32_t to_server = (uint32_t)(key_derive(0, r->client_key).idsn + 1);
    uint32_t to_client = (uint32_t)(key_derive(0, r->server_key).idsn + 1);
    bool client = false, server = false;
    for (unsigned i = 0; i < r->rec.count && !(client && server); i++) {
        const struct recorded *item = &r->rec.items[i];
        const struct mptcp_dss *d = &item->seg.mptcp.dss;
        bool up = recorded_on(item, &r->flows[0], false);
        if (!(item->seg.mptcp.present & MPO_DSS) || (!up && !recorded_on(item, &r->flows[0], true)))
            continue;
        if (up && d->has_ack && !server) {
            assert_int_equal((uint32_t)d->data_ack, to_client);
            server = true;
        }
        bool *first = up ? &client : &server;
        if (d->has_map && !*first) {
            assert_int_equal((uint32_t)d->dsn, up ? to_server : to_client);
            assert_int_equal(d->ssn, 1);
            *first = true;
        }
    }
    assert_true(client && server);
}

/* ---- the engine's side --------------------------------------------------------------- */

/* The recorded server's key in place of the one that was drawn for the SYN. */
static void set_key(struct plait_conn *c, uint64_t key)
{
    struct mptcp_env *env = c->env;
    struct key_derived d = key_derive(0, key);
    hash_remove(&env->tokens, &c->token_node);
    c->local_key = key;
    c->local_token = d.token;
    c->local_idsn = d.idsn;
    c->snd_una = c->snd_nxt = c->snd_end = c->snd_edge = d.idsn + 1;
    hash_insert(&env->tokens, &c->token_node, siphash(&env->hash_key, &d.token, sizeof d.token));
}

static struct subflow *subflow_of(const struct replay *r, unsigned flow)
{
    const struct recorded_flow *f = &r->flows[flow];
    return flow_find(&r->t->stack->env, &f->server, &f->client);
}

static void start(struct replay *r)
{
    struct plait_config config;
    plait_config_default(&config);
    config.checksum = r->checksum;
    config.timestamps = config.sack = false;
    config.announce = false;
    config.recv_buffer_bytes = config.recv_buffer_max_bytes;
    r->t = trace_new(&config);
    for (unsigned i = 0; i < r->flow_count; i++) {
        const struct plait_local l = {.addr = r->flows[i].server.addr, .mtu = 1500};
        assert_int_equal(plait_stack_add_addr(r->t->stack, &l, r->t->now), 0);
    }
    assert_int_equal(plait_listen(r->t->stack, &r->flows[0].server, NULL, &r->t->listener), 0);
}

static unsigned flow_of(const struct replay *r, const struct plait_endpoint *client,
                        const struct plait_endpoint *server)
{
    for (unsigned i = 0; i < r->flow_count; i++)
        if (endpoint_equal(&r->flows[i].client, client) &&
            endpoint_equal(&r->flows[i].server, server))
            return i;
    return FLOWS_MAX;
}

/* Take all that the engine sends. It never gives up a subflow or the version. */
static void drain(struct replay *r)
{
    while (trace_next(r->t)) {
        const struct segment *s = &r->t->seg;
        unsigned flow = flow_of(r, &s->dst, &s->src);
        assert_true(flow < FLOWS_MAX);
        assert_false(s->flags & TCP_RST);
        uint32_t end = s->seq + segment_seq_len(s);
        if (s->flags & TCP_SYN)
            r->iss[flow] = s->seq;
        if ((s->flags & TCP_SYN) || seq_gt(end, r->snd_max[flow]))
            r->snd_max[flow] = end;
        const struct mptcp_dss *d = &s->mptcp.dss;
        if ((s->mptcp.present & MPO_DSS) && d->has_ack) {
            uint64_t ack = d->ack64 ? d->data_ack : dsn_expand(r->want.idsn, (uint32_t)d->data_ack);
            if (r->data_ack == 0 || dsn_gt(ack, r->data_ack))
                r->data_ack = ack;
        }
    }
}

static void read_all(struct replay *r)
{
    int64_t n;
    if (!r->conn)
        r->conn = plait_accept(r->t->listener);
    if (!r->conn)
        return;
    do {
        r->got = realloc(r->got, r->got_len + 65536);
        n = plait_conn_read(r->conn, r->got + r->got_len, 65536, r->t->now);
        r->got_len += n > 0 ? (uint64_t)n : 0;
    } while (n > 0);
}

/* The SYN/ACK is the recorded one but for what is not the protocol's. */
static void check_synack(struct replay *r, unsigned flow)
{
    const struct mptcp_options *want = &r->flows[flow].synack->seg.mptcp;
    trace_expect(r->t, TCP_SYN | TCP_ACK);
    const struct segment *s = &r->t->seg;
    assert_int_equal(flow_of(r, &s->dst, &s->src), flow);
    r->iss[flow] = s->seq;
    r->snd_max[flow] = s->seq + 1;
    assert_int_equal(s->mptcp.present, want->present);
    if (flow == 0) {
        assert_int_equal(s->mptcp.capable.version, 0);
        assert_true(s->mptcp.capable.sender_key == r->server_key);
        assert_int_equal((s->mptcp.capable.flags & MPC_CHECKSUM) != 0, r->checksum);
    } else {
        assert_int_equal(s->mptcp.join.nonce, want->join.nonce);
        assert_memory_equal(s->mptcp.join.hmac, want->join.hmac, HMAC_SYNACK_LEN);
    }
}

static void feed_syn(struct replay *r, unsigned flow, const struct segment *syn)
{
    bool again = subflow_of(r, flow) != NULL;
    trace_send(r->t, *syn, NULL, 0);
    struct subflow *sf = subflow_of(r, flow);
    assert_non_null(sf);
    if (again) {
        drain(r);
        return;
    }
    if (flow == 0)
        set_key(sf->conn, r->server_key);
    else
        sf->nonce_local = r->flows[flow].synack->seg.mptcp.join.nonce;
    check_synack(r, flow);
}

/* Two of the bytes that the capture does not hold make the checksum right. */
static void patch(struct replay *r, const struct recorded *item)
{
    const struct segment *s = &item->seg;
    const struct mptcp_dss *d = &s->mptcp.dss;
    if (item->captured == s->payload_len || !(s->mptcp.present & MPO_DSS) || !d->has_checksum)
        return;
    uint64_t dsn = d->dsn64 ? d->dsn : dsn_expand(r->want.idsn, (uint32_t)d->dsn);
    uint32_t at = (s->payload_len - 2) & ~1u;
    uint8_t *bytes = item->packet + (s->payload - item->packet);
    uint16_t sum = csum_dss(dsn, d->ssn, d->data_len, csum_partial(s->payload, s->payload_len));
    uint32_t word = (uint32_t)(uint16_t)~d->checksum + sum;
    put_be16(bytes + at, (uint16_t)((word & 0xffff) + (word >> 16)));
    sum = csum_dss(dsn, d->ssn, d->data_len, csum_partial(s->payload, s->payload_len));
    assert_int_equal(sum, d->checksum);
    r->patched++;
}

static void feed(struct replay *r, unsigned flow, const struct recorded *item)
{
    struct segment s = item->seg;
    if (s.flags & TCP_SYN) {
        feed_syn(r, flow, &s);
        return;
    }
    s.ack = r->iss[flow] + (s.ack - r->flows[flow].synack->seg.seq);
    if (seq_gt(s.ack, r->snd_max[flow]))
        s.ack = r->snd_max[flow];
    s.tcp.present &= ~(uint32_t)(OPT_SACK | OPT_TIMESTAMP);
    trace_send(r->t, s, s.payload, s.payload_len);
    r->segments++;
    read_all(r);
    drain(r);
}

static void run(struct replay *r)
{
    uint64_t before = r->flows[0].syn->time_us;
    for (unsigned i = 0; i < r->rec.count; i++)
        patch(r, &r->rec.items[i]);
    for (unsigned i = 0; i < r->rec.count; i++) {
        const struct recorded *item = &r->rec.items[i];
        unsigned flow = flow_of(r, &item->seg.src, &item->seg.dst);
        if (flow == FLOWS_MAX || item->time_us < before)
            continue;
        uint64_t until = r->t->now + (item->time_us - before);
        before = item->time_us;
        while (plait_stack_deadline(r->t->stack) <= until) {
            trace_timer(r->t);
            drain(r);
        }
        r->t->now = until;
        feed(r, flow, item);
    }
}

/* ---- the recordings ------------------------------------------------------------------- */

static void open_recording(struct replay *r, const char *name)
{
    char path[4096];
    *r = (struct replay){0};
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_true(recording_load(path, &r->rec));
    find_flows(r);
    assert_true(r->flow_count > 0);
    check_numbers(r);
    r->want.idsn = key_derive(0, r->client_key).idsn;
    r->want.client_data_ack = key_derive(0, r->server_key).idsn + 1;
}

static void check_end(struct replay *r, const char *name)
{
    struct plait_conn_info info;
    recording_stream(&r->rec, r->flows, r->flow_count, &r->want);
    plait_conn_info(r->conn, &info);
    assert_true(info.multipath);
    assert_int_equal(info.version, 0);
    assert_int_equal(info.checksum, r->checksum);
    assert_int_equal(info.token, key_derive(0, r->server_key).token);
    assert_int_equal(info.peer_token, key_derive(0, r->client_key).token);
    assert_int_equal(info.subflows_total, r->flow_count);
    const struct plait_counters *n = plait_stack_counters(r->t->stack);
    assert_int_equal(n->DataCsumErr, 0);
    assert_int_equal(n->DSSNotMatching, 0);
    assert_int_equal(n->MPJoinAckRx, r->flow_count - 1);
    assert_true(r->data_ack == r->want.data_ack); /* the recorded server's last */
    assert_int_equal(r->got_len, r->want.len);
    assert_memory_equal(r->got, r->want.bytes, r->want.len);
    printf("%s: %llu segments of a client on %u subflows, %u mappings, %llu bytes%s; "
           "%u mappings with bytes that were not captured\n",
           name, (unsigned long long)r->segments, r->flow_count, r->want.mappings,
           (unsigned long long)r->want.len, r->checksum ? ", checksummed" : "", r->want.cut);
}

static void replay(const char *name, unsigned flows, bool checksum)
{
    struct replay *r = calloc(1, sizeof *r);
    open_recording(r, name);
    assert_int_equal(r->flow_count, flows);
    assert_int_equal(r->checksum, checksum);
    start(r);
    run(r);
    check_end(r, name);
    trace_free(r->t);
    recording_free(&r->rec);
    free(r->want.bytes);
    free(r->got);
    free(r);
}

static void iperf(void **state)
{
    (void)state;
    replay("v0_iperf_4subflows.pcap", 2, true); /* two of its four were never answered */
}

static void kernel_with_checksums(void **state)
{
    (void)state;
    replay("v0_kernel_4subflows_csum.pcap", 4, true);
}

static void ssh(void **state)
{
    (void)state;
    replay("tcpdump_mptcp-v0.pcap", 2, true);
}

int main(int argc, char **argv)
{
    char path[4096];
    folder = argc > 1 ? argv[1] : ".";
    snprintf(path, sizeof path, "%s/v0_iperf_4subflows.pcap", folder);
    FILE *f = fopen(path, "rb");
    if (!f) {
        printf("skipped: the recordings are not in %s\n", folder);
        return SKIPPED;
    }
    fclose(f);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(iperf),
        cmocka_unit_test(kernel_with_checksums),
        cmocka_unit_test(ssh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
