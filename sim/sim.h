/* SPDX-License-Identifier: MIT
 *
 * The simulator's world: a virtual clock, hosts that each run one stack,
 * links between their interfaces, and things scheduled to happen. A run is a
 * function of its seed and of what was built before it; nothing else is read.
 *
 * Everything that waits is one sim_event in one heap. Equal times fire in the
 * order in which they were armed, so ties are the same in every run.
 *
 * A host's network card cuts super-segments on the way out (wire/offload.h)
 * and, when asked, merges segments on the way in (sim/gro.h). A packet follows
 * the route from the interface that owns its source address to the one that
 * owns its destination; where there is none it is dropped and counted, as a
 * network without that route would.
 *
 * sim_free frees all of it; pointers handed out are valid until then.
 */
#ifndef SIM_SIM_H
#define SIM_SIM_H

#include "base/timers.h"
#include "plait/plait.h"
#include "sim/box.h"
#include "sim/gro.h"
#include "sim/link.h"
#include "sim/trace.h"

struct sim;

struct sim_event {
    struct timer timer;
    void (*fire)(struct sim *sim, struct sim_event *event);
};

struct sim_link {
    struct list node;
    struct sim_event event;
    struct link link;
    struct sim_chain *chain; /* boxes that stand before it; NULL: none can */
    enum box_dir dir;        /* which of the chain's directions it is */
};

/* The boxes of a path: they see what enters either of its links. */
struct sim_chain {
    struct list node;
    struct sim *sim;
    struct box_chain boxes;
    struct sim_link *link[2];
    struct sim_event event;
};

/* Cross traffic (sim/cross.h); sim_free frees what begins with it. */
struct sim_cross {
    struct list node;
    struct sim *sim;
    struct sim_event event;
};

enum { SIM_HOPS_MAX = 8, SIM_NAME_MAX = 16 };

struct iface {
    struct list node;
    struct host *host;
    unsigned index; /* in the host, from 1 */
    struct plait_local local;
    bool present;            /* the stack knows the address */
    struct plait_addr alias; /* its address as others see it behind a NAT; PLAIT_NONE: its own */
    struct gro gro;
    struct sim_event gro_event;
    uint64_t tx_packets, tx_bytes, rx_packets, rx_bytes; /* IP bytes */
};

struct route {
    struct list node;
    struct iface *from, *to; /* NULL: cross traffic's */
    struct sim_link *links[SIM_HOPS_MAX];
    unsigned count;
};

/* Memory of a stack: counted, and refused when told to. */
struct sim_memory {
    struct prng prng;
    uint64_t blocks, bytes, calls;
    uint32_t fail_ppm;  /* refuse at random */
    uint64_t fail_call; /* refuse exactly this call (1 is the first) */
    uint64_t refused;
};

struct host {
    struct list node;
    struct sim *sim;
    char name[SIM_NAME_MAX];
    unsigned index;
    struct plait_stack *stack;
    struct sim_memory memory;
    struct sim_event event;
    struct list ifaces;
    uint32_t gro_us;  /* receive offload gathers for so long; 0: off */
    bool rx_borrowed; /* hand packets in without a chunk: valid for the call only */
    bool servicing;
    uint32_t spins;     /* rounds at one instant */
    uint64_t rx_chunks; /* receive buffers the stack still refers to */
    uint64_t no_route;  /* packets sent into nowhere */
    struct tally tally;
    struct pcap *pcap; /* every packet sent and received; NULL: none */
};

struct sim {
    uint64_t seed, now_us, started_us;
    struct prng prng; /* of the world; links and hosts have their own */
    struct mem mem;
    struct timers timers;
    struct list hosts, links, chains, routes, streams, actions, crosses;
    struct trace trace;
    bool check;            /* plait_stack_check after every entry */
    uint64_t events, hops; /* that fired; packets that came out of a link */
    char failure[256];     /* the first thing that went wrong; empty: nothing */
};

/* ---- the world -------------------------------------------------------------------------- */

/* now_us: where the clock starts. Aborts without memory, as all of sim/ does. */
void sim_init(struct sim *sim, uint64_t seed, uint64_t now_us);
/* Free everything. Reports what the stacks did not give back as a failure
 * before the world is gone: call it last, then look at sim->failure. */
void sim_free(struct sim *sim);

/* Run everything due up to and including until_us; the clock then stands
 * there. Stops early, at the failure's time, once something failed. */
void sim_advance(struct sim *sim, uint64_t until_us);
/* The time of the next event, UINT64_MAX: none. */
uint64_t sim_next(const struct sim *sim);
/* Run until done(ctx) or until_us; true: done. */
bool sim_run(struct sim *sim, uint64_t until_us, bool (*done)(void *ctx), void *ctx);

/* Note a failure (the first is kept). */
void sim_fail(struct sim *sim, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Events for sim/'s own parts. Arming at a time gone by fires at once. */
void sim_event_init(struct sim *sim, struct sim_event *e,
                    void (*fire)(struct sim *, struct sim_event *));
void sim_event_at(struct sim *sim, struct sim_event *e, uint64_t at_us);
void sim_event_free(struct sim *sim, struct sim_event *e);

/* Zeroed memory that sim_free does not know of: free() it. Never NULL. */
void *sim_alloc(size_t size);

/* ---- hosts ------------------------------------------------------------------------------ */

/* A host with a stack made from *config (NULL: the defaults); allocator,
 * secret and event sink are the simulator's. */
struct host *sim_host(struct sim *sim, const char *name, const struct plait_config *config);
/* An interface with one address ("10.0.0.1"), added to the stack. */
struct iface *host_iface(struct host *h, const char *address, uint16_t mtu);
/* The same with every property of the address. */
struct iface *host_iface_local(struct host *h, const struct plait_local *local);
/* The address comes or goes. */
void iface_set_present(struct iface *i, bool present);
/* Take in what the stack has to say: readiness to the streams, packets to the
 * links, the next deadline to the clock. After every call into the stack. */
void host_service(struct host *h);
void host_free(struct host *h);
/* A packet reached interface i. Takes it over. */
void host_receive(struct iface *i, struct sim_packet *p);

/* ---- links ------------------------------------------------------------------------------ */

struct sim_link *sim_link(struct sim *sim, const struct link_config *config);
/* Packets from one interface to another take these links, in this order. */
void sim_route(struct sim *sim, struct iface *from, struct iface *to, struct sim_link *const *links,
               unsigned count);

/* A pair of links and both routes: there from a to b, back from b to a. */
struct path {
    struct sim_link *there, *back;
};
/* back NULL: as there. */
struct path sim_path(struct sim *sim, struct iface *a, struct iface *b,
                     const struct link_config *there, const struct link_config *back);
/* Both from texts of sim/spec.h, which must be right (for tables in code). */
struct path sim_path_spec(struct sim *sim, struct iface *a, struct iface *b, const char *spec);

/* One more box on the path, at b's end, from now on; text as in sim/box.h,
 * which must be right (for tables in code). A nat with an address of its own
 * becomes the alias of the interface at a's end. */
struct box *sim_box(struct sim *sim, const struct path *p, const char *text);
struct box *sim_box_spec(struct sim *sim, const struct path *p, const struct box_spec *spec);
/* A rule on what enters this link; *rule is completed and outlives the world. */
void rule_add(struct sim_link *l, struct rule_box *rule);

void sim_path_set_up(struct sim *sim, const struct path *p, bool up);
void sim_link_configure(struct sim *sim, struct sim_link *l, const struct link_config *config);

/* Hand p to the first (next) link of its route. Takes it over. */
void sim_forward(struct sim *sim, struct sim_packet *p);
struct route *sim_find_route(const struct sim *sim, const struct plait_addr *src,
                             const struct plait_addr *dst);

/* ---- the future ------------------------------------------------------------------------- */

void sim_at(struct sim *sim, uint64_t at_us, void (*call)(struct sim *sim, void *ctx), void *ctx);
void sim_at_path(struct sim *sim, uint64_t at_us, const struct path *p, bool up);
void sim_at_iface(struct sim *sim, uint64_t at_us, struct iface *i, bool present);
void sim_at_link(struct sim *sim, uint64_t at_us, struct sim_link *l,
                 const struct link_config *config);

#endif
