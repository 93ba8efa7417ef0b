/* SPDX-License-Identifier: MIT
 *
 * The oracles: one function a rule.
 */
#include "sim/oracle.h"

static const char *side_name(const struct side *s)
{
    return s == &s->stream->side[0] ? "client" : "server";
}

static const struct side *peer_of(const struct side *s)
{
    return &s->stream->side[s == &s->stream->side[0]];
}

/* One of the two was told to abort; or this one has everything, and its peer,
 * who had closed, did not wait for ever to hear so. */
static bool error_was_asked_for(const struct side *s)
{
    const struct side *peer = peer_of(s);
    return s->aborted || peer->aborted || (s->eof && peer->config.end == END_CLOSE);
}

static void ended(struct sim *sim, const struct side *s)
{
    struct plait_memory m;
    if (s->done)
        return;
    plait_stack_memory(s->host->stack, &m);
    sim_fail(sim, "port %u: the %s has not ended: sent %llu, received %llu, %s%s%s%s; memory %llu",
             s->stream->port, side_name(s), (unsigned long long)s->sent,
             (unsigned long long)s->received, s->connected ? "connected" : "not connected",
             s->shut ? ", shut down" : "", s->eof ? ", saw the end" : "",
             s->conn && plait_conn_error(s->conn) ? ", in error" : "",
             (unsigned long long)m.used_bytes);
}

static void end_of_stream(struct sim *sim, const struct side *s)
{
    const struct side *peer = peer_of(s);
    if (!s->eof)
        return;
    bool meant = peer->shut || (peer->done && peer->config.end == END_CLOSE);
    if (s->received != peer->sent || !meant)
        sim_fail(sim, "port %u: the %s saw the end of the stream at %llu, %llu were written%s",
                 s->stream->port, side_name(s), (unsigned long long)s->received,
                 (unsigned long long)peer->sent, meant ? "" : " and it was not closed");
}

/* All well at this end means that everything arrived at the other. */
static void delivered(struct sim *sim, const struct side *s)
{
    const struct side *peer = peer_of(s);
    if (s->error || peer->error || !peer->opened)
        return;
    if (peer->received != s->sent)
        sim_fail(sim, "port %u: the %s ended well after %llu bytes, its peer got %llu",
                 s->stream->port, side_name(s), (unsigned long long)s->sent,
                 (unsigned long long)peer->received);
}

static void succeeded(struct sim *sim, const struct side *s)
{
    if (s->error && !error_was_asked_for(s))
        sim_fail(sim, "port %u: the %s ended with \"%s\" after sending %llu and receiving %llu",
                 s->stream->port, side_name(s), plait_error_text(s->error),
                 (unsigned long long)s->sent, (unsigned long long)s->received);
}

static void streams(struct sim *sim, const struct oracle *o)
{
    list_each(s, &sim->streams, struct stream, node) {
        for (unsigned i = 0; i < 2; i++) {
            const struct side *side = &s->side[i];
            if (i == 0 || side->opened)
                ended(sim, side);
            end_of_stream(sim, side);
            delivered(sim, side);
            if (o->must_succeed)
                succeeded(sim, side);
            if (o->must_succeed && !side->opened && !side->done)
                sim_fail(sim, "port %u: never accepted", s->port);
        }
    }
}

/* No host knows of a connection any more. */
static bool released(void *ctx)
{
    struct sim *sim = ctx;
    struct plait_memory m;
    list_each(h, &sim->hosts, struct host, node) {
        plait_stack_memory(h->stack, &m);
        if (m.conns || m.subflows)
            return false;
    }
    return true;
}

static void not_released(struct sim *sim)
{
    struct plait_memory m;
    list_each(h, &sim->hosts, struct host, node) {
        plait_stack_memory(h->stack, &m);
        if (m.conns || m.subflows)
            sim_fail(sim, "%s still holds %u connections and %u subflows", h->name, m.conns,
                     m.subflows);
    }
}

static void at_most(struct sim *sim, const struct host *h, const char *less, uint64_t a,
                    const char *more, uint64_t b)
{
    if (a > b)
        sim_fail(sim, "%s counts %llu %s but only %llu %s", h->name, (unsigned long long)a, less,
                 (unsigned long long)b, more);
}

static void counters(struct sim *sim)
{
    list_each(h, &sim->hosts, struct host, node) {
        const struct plait_counters *c = plait_stack_counters(h->stack);
#define AT_MOST(less, more) at_most(sim, h, #less, c->less, #more, c->more)
        AT_MOST(MPCapableSYNACKRX, MPCapableSYNTX);
        AT_MOST(MPCapableACKRX, MPCapableSYNRX);
        AT_MOST(MPJoinSynAckRx, MPJoinSynTx);
        AT_MOST(MPJoinAckRx, MPJoinSynRx);
        AT_MOST(EchoAddTx, AddAddr);
        AT_MOST(PacketsOut, SegsOut);
#undef AT_MOST
        if (c->MPCurrEstab)
            sim_fail(sim, "%s counts %llu MPCurrEstab after the last connection", h->name,
                     (unsigned long long)c->MPCurrEstab);
    }
}

void oracle_run(struct sim *sim, const struct oracle *o)
{
    sim_run(sim, o->deadline_us, stream_all_done, sim);
    if (!sim->failure[0] && stream_all_done(sim) &&
        !sim_run(sim, sim->now_us + o->release_us, released, sim))
        not_released(sim);
    streams(sim, o); /* after the release: a late accept has had its time */
    if (!sim->failure[0])
        counters(sim);
}
