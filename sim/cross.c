/* SPDX-License-Identifier: MIT */
#include "sim/cross.h"

#include <stdlib.h>
#include <string.h>

enum { HEADERS = 28, UDP = 17 }; /* IPv4 and UDP */

struct cross {
    struct sim_cross base; /* first: what sim_free finds */
    struct cross_config config;
    struct route route;
    uint64_t next_ns, remainder, sent;
    bool on;
};

/* An IPv4 datagram that says of itself what it is, from 192.0.2.1 to 192.0.2.2
 * (addresses for documentation, RFC 5737). */
static struct sim_packet *datagram(const struct cross *c)
{
    struct sim_packet *p = sim_packet_new(c->config.packet_bytes);
    uint32_t len = c->config.packet_bytes;
    if (!p)
        abort();
    const uint8_t header[HEADERS] = {0x45,
                                     0,
                                     (uint8_t)(len >> 8),
                                     (uint8_t)len,
                                     0,
                                     0,
                                     0x40,
                                     0,
                                     64,
                                     UDP,
                                     0,
                                     0,
                                     192,
                                     0,
                                     2,
                                     1,
                                     192,
                                     0,
                                     2,
                                     2,
                                     0,
                                     9,
                                     0,
                                     9,
                                     (uint8_t)((len - 20) >> 8),
                                     (uint8_t)(len - 20),
                                     0,
                                     0};
    memset(p->bytes, 0, len);
    memcpy(p->bytes, header, sizeof header);
    p->route = &c->route;
    return p;
}

static void fire(struct sim *sim, struct sim_event *e)
{
    struct cross *c = list_entry(e, struct cross, base.event);
    uint64_t work = c->config.packet_bytes * UINT64_C(8000000000) + c->remainder;
    if (!c->on)
        return;
    c->sent++;
    c->next_ns += work / c->config.rate_bps;
    c->remainder = work % c->config.rate_bps;
    sim_event_at(sim, &c->base.event, (c->next_ns + 999) / 1000);
    sim_forward(sim, datagram(c));
}

struct cross *cross_new(struct sim *sim, struct sim_link *const *links, unsigned count,
                        const struct cross_config *config)
{
    struct cross *c = sim_alloc(sizeof *c);
    c->base.sim = sim;
    c->config = *config;
    c->route.count = count; /* leads to no interface: who delivers it drops it */
    memcpy(c->route.links, links, count * sizeof links[0]);
    sim_event_init(sim, &c->base.event, fire);
    list_append(&sim->crosses, &c->base.node);
    return c;
}

void cross_set_on(struct cross *c, bool on)
{
    struct sim *sim = c->base.sim;
    if (on && !c->on) {
        if (c->next_ns < sim->now_us * 1000)
            c->next_ns = sim->now_us * 1000;
        sim_event_at(sim, &c->base.event, (c->next_ns + 999) / 1000);
    }
    c->on = on;
}

uint64_t cross_sent(const struct cross *c)
{
    return c->sent;
}
