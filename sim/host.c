/* SPDX-License-Identifier: MIT
 *
 * A host: one stack, its memory, its interfaces and its network card. Every
 * call into the stack is followed by host_service, which is the whole of what
 * a driver has to do: readiness to the applications, packets to the wire, the
 * deadline to the clock.
 */
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "sim/sim.h"
#include "sim/stream.h"
#include "wire/offload.h"

enum {
    SPINS_MAX = 10000, /* rounds at one instant before it counts as a livelock */
    TX_MAX = 200000    /* packets at one instant likewise */
};

/* ---- memory ----------------------------------------------------------------------------- */

static void *host_alloc(void *ctx, size_t size)
{
    struct sim_memory *m = ctx;
    m->calls++;
    if (m->calls == m->fail_call || (m->fail_ppm && prng_chance(&m->prng, m->fail_ppm))) {
        m->refused++;
        return NULL;
    }
    void *p = malloc(size ? size : 1);
    if (!p)
        return NULL;
    memset(p, 0xa5, size); /* what is not set shows, and shows the same every time */
    m->blocks++;
    m->bytes += size;
    return p;
}

static void host_release(void *ctx, void *ptr, size_t size)
{
    struct sim_memory *m = ctx;
    m->blocks--;
    m->bytes -= size;
    free(ptr);
}

/* ---- set-up ----------------------------------------------------------------------------- */

static void host_emit(void *ctx, const struct plait_event *event)
{
    struct host *h = ctx;
    tally_event(&h->tally, event);
    trace_event(&h->sim->trace, h->name, h->index, event);
}

static void host_fire(struct sim *sim, struct sim_event *e)
{
    struct host *h = list_entry(e, struct host, event);
    plait_stack_tick(h->stack, sim->now_us);
    host_service(h);
}

struct host *sim_host(struct sim *sim, const char *name, const struct plait_config *config)
{
    struct plait_config c;
    struct host *h = sim_alloc(sizeof *h);
    if (config)
        c = *config;
    else
        plait_config_default(&c);
    h->sim = sim;
    h->index = list_empty(&sim->hosts) ? 1 : list_last(&sim->hosts, struct host, node)->index + 1;
    snprintf(h->name, sizeof h->name, "%s", name);
    list_init(&h->ifaces);
    prng_seed(&h->memory.prng, prng_next(&sim->prng));
    for (unsigned i = 0; i < sizeof c.secret; i++)
        c.secret[i] = (uint8_t)prng_below(&sim->prng, 256);
    c.allocator = (struct plait_allocator){&h->memory, host_alloc, host_release};
    c.sink = (struct plait_event_sink){h, host_emit};
    sim_event_init(sim, &h->event, host_fire);
    list_append(&sim->hosts, &h->node);
    int error = plait_stack_new(&c, sim->now_us, &h->stack);
    if (error) {
        fprintf(stderr, "%s: no stack: %s\n", name, plait_error_text(error));
        abort();
    }
    return h;
}

void host_free(struct host *h)
{
    struct sim *sim = h->sim;
    plait_stack_free(h->stack);
    list_each(i, &h->ifaces, struct iface, node) {
        sim_packet_free(gro_flush(&i->gro));
        sim_event_free(sim, &i->gro_event);
        free(i);
    }
    if (h->memory.blocks || h->memory.bytes)
        sim_fail(sim, "%s: the stack did not free %llu blocks, %llu bytes", h->name,
                 (unsigned long long)h->memory.blocks, (unsigned long long)h->memory.bytes);
    if (h->rx_chunks)
        sim_fail(sim, "%s: the stack did not release %llu receive buffers", h->name,
                 (unsigned long long)h->rx_chunks);
    sim_event_free(sim, &h->event);
    list_remove(&h->node);
    free(h);
}

static void deliver(struct iface *i, struct sim_packet *p);

static void gro_fire(struct sim *sim, struct sim_event *e)
{
    struct iface *i = list_entry(e, struct iface, gro_event);
    struct sim_packet *p = gro_flush(&i->gro);
    (void)sim;
    if (p)
        deliver(i, p);
}

struct iface *host_iface_local(struct host *h, const struct plait_local *local)
{
    struct iface *i = sim_alloc(sizeof *i);
    i->host = h;
    i->index = list_empty(&h->ifaces) ? 1 : list_last(&h->ifaces, struct iface, node)->index + 1;
    i->local = *local;
    sim_event_init(h->sim, &i->gro_event, gro_fire);
    list_append(&h->ifaces, &i->node);
    iface_set_present(i, true);
    return i;
}

struct iface *host_iface(struct host *h, const char *address, uint16_t mtu)
{
    struct plait_local local = {.mtu = mtu};
    if (!addr_parse(address, &local.addr))
        abort();
    return host_iface_local(h, &local);
}

void iface_set_present(struct iface *i, bool present)
{
    struct host *h = i->host;
    if (present == i->present)
        return;
    int error = present ? plait_stack_add_addr(h->stack, &i->local, h->sim->now_us)
                        : plait_stack_remove_addr(h->stack, &i->local.addr, h->sim->now_us);
    if (error && error != PLAIT_E_NO_MEMORY)
        sim_fail(h->sim, "%s: address of interface %u: %s", h->name, i->index,
                 plait_error_text(error));
    if (!error)
        i->present = present;
    host_service(h);
}

/* ---- packets out ------------------------------------------------------------------------ */

static void send_one(struct host *h, const struct route *r, struct sim_packet *p)
{
    tally_packet(&h->tally, p);
    if (h->pcap)
        pcap_write(h->pcap, h->sim->now_us, p);
    r->from->tx_packets++;
    r->from->tx_bytes += p->len;
    if (p->len > r->from->local.mtu)
        sim_fail(h->sim, "%s sent %u bytes into an MTU of %u", h->name, p->len, r->from->local.mtu);
    p->route = r;
    p->sent_us = h->sim->now_us;
    sim_forward(h->sim, p);
}

/* The card's transmit side: cut, finish checksums, route. */
static void host_send(struct host *h, const struct plait_packet_tx *tx)
{
    const struct route *r = sim_find_route(h->sim, &tx->src, &tx->dst);
    unsigned count = offload_count(tx);
    uint32_t room = tx->header_len + (tx->gso_size ? tx->gso_size : tx->payload_len);
    h->tally.super_segments += count > 1;
    if (!r) {
        h->no_route += count;
        return;
    }
    for (unsigned index = 0; index < count; index++) {
        struct sim_packet *p = sim_packet_new(room);
        if (!p)
            abort();
        p->len = (uint32_t)offload_write(tx, index, p->bytes, room);
        send_one(h, r, p);
    }
}

/* ---- service ---------------------------------------------------------------------------- */

static void check(struct host *h)
{
    struct plait_memory m;
    if (h->sim->check)
        plait_stack_check(h->stack);
    plait_stack_memory(h->stack, &m);
    if (m.limit_bytes && m.used_bytes > m.limit_bytes)
        sim_fail(h->sim, "%s holds %llu bytes, the limit is %llu", h->name,
                 (unsigned long long)m.used_bytes, (unsigned long long)m.limit_bytes);
    if (h->tally.undecodable)
        sim_fail(h->sim, "%s sent a packet that does not decode", h->name);
}

static bool serve_applications(struct host *h)
{
    struct plait_conn *conn;
    struct plait_listener *listener;
    bool any = false;
    while (plait_stack_ready(h->stack, &conn, &listener)) {
        any = true;
        if (listener)
            stream_accept(h->sim, h, listener);
        else
            stream_ready(conn);
        check(h);
    }
    return any;
}

static bool serve_wire(struct host *h)
{
    struct plait_packet_tx tx;
    unsigned count = 0;
    while (!h->sim->failure[0] && plait_stack_tx(h->stack, h->sim->now_us, &tx)) {
        host_send(h, &tx);
        check(h);
        if (++count > TX_MAX)
            sim_fail(h->sim, "%s sends without end", h->name);
    }
    return count > 0;
}

/* The next deadline. One that has come already is served again at once, but
 * not for ever: a stack whose deadline does not move would stop the clock. */
static void rearm(struct host *h)
{
    uint64_t at_us = plait_stack_deadline(h->stack), now_us = h->sim->now_us;
    if (at_us > now_us)
        h->spins = 0;
    else if (++h->spins > SPINS_MAX)
        sim_fail(h->sim, "%s: its deadline stays at %lld us from now", h->name,
                 (long long)(at_us - now_us));
    if (at_us == UINT64_MAX)
        timers_set(&h->sim->timers, &h->event.timer, TIMER_NEVER);
    else
        sim_event_at(h->sim, &h->event, at_us);
}

void host_service(struct host *h)
{
    if (h->servicing) /* a stream called from below: the loop there goes on */
        return;
    h->servicing = true;
    check(h);
    unsigned rounds = 0;
    for (bool again = true; again && !h->sim->failure[0];) {
        again = serve_applications(h);
        if (serve_wire(h))
            again = true;
        if (++rounds > SPINS_MAX)
            sim_fail(h->sim, "%s: readiness without end", h->name);
    }
    h->servicing = false;
    if (!h->sim->failure[0]) /* a host is idle whenever it has been served: in every run alike */
        plait_stack_idle(h->stack);
    rearm(h);
}

/* ---- packets in ------------------------------------------------------------------------- */

struct rx_chunk {
    struct plait_chunk chunk;
    struct host *host;
    struct sim_packet *packet;
};

static void rx_release(struct plait_chunk *chunk)
{
    struct rx_chunk *c = chunk->owner;
    c->host->rx_chunks--;
    sim_packet_free(c->packet);
    free(c);
}

/* Into the stack, as it came or merged. */
static void deliver(struct iface *i, struct sim_packet *p)
{
    struct host *h = i->host;
    struct plait_packet_rx rx = {.data = p->bytes,
                                 .len = p->len,
                                 .gso_size = p->gso_size,
                                 .csum_ok = p->gso_size != 0,
                                 .ifindex = i->index};
    if (h->rx_borrowed) {
        plait_stack_rx(h->stack, &rx, h->sim->now_us);
        sim_packet_free(p);
    } else {
        struct rx_chunk *c = sim_alloc(sizeof *c);
        *c = (struct rx_chunk){{1, p->len, rx_release, c, p->bytes}, h, p};
        rx.chunk = &c->chunk;
        h->rx_chunks++;
        plait_stack_rx(h->stack, &rx, h->sim->now_us);
        if (--c->chunk.refs == 0)
            rx_release(&c->chunk);
    }
    host_service(h);
}

void host_receive(struct iface *i, struct sim_packet *p)
{
    struct host *h = i->host;
    uint64_t now_us = h->sim->now_us;
    trace_packet(&h->sim->trace, h->index, now_us, p);
    if (h->pcap)
        pcap_write(h->pcap, now_us, p);
    i->rx_packets++;
    i->rx_bytes += p->len;
    if (!h->gro_us) {
        deliver(i, p);
        return;
    }
    struct sim_packet *before = gro_add(&i->gro, &p, now_us);
    if (before)
        deliver(i, before);
    if (p)
        deliver(i, p);
    if (i->gro.held)
        sim_event_at(h->sim, &i->gro_event, i->gro.since_us + h->gro_us);
    else
        timers_set(&h->sim->timers, &i->gro_event.timer, TIMER_NEVER);
}
