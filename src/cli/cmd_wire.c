/* SPDX-License-Identifier: MIT
 *
 * plait wire: the simulator's links between real interfaces. One thread, one
 * loop: take what arrived, offer it to the links at the time the kernel saw
 * it, hand over what the links deliver by now, sleep until the next delivery.
 */
#define _GNU_SOURCE
#include "cli/wire.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/options.h"

/* Batches taken from one port in a turn: enough to empty a burst, few enough
 * to keep deliveries on time. */
enum { BATCHES_MAX = 4 };

struct pair_options {
    const char *a, *b;
    struct link_config there, back;
};

struct wire_options {
    struct pair_options pairs[WIRE_PAIRS_MAX];
    unsigned count;
    struct link_config there, back; /* --link, --link-back */
    bool has_link, has_back;
    struct option_list plans, boxes;
    const char *control, *tell;
    unsigned seed;
};

/* ---- command line --------------------------------------------------------- */

/* "SPEC" for both directions, or "SPEC//SPEC" for there and back. */
static bool parse_links(const char *text, struct link_config *there, struct link_config *back,
                        char *why)
{
    char first[SPEC_TEXT_MAX];
    const char *second = strstr(text, "//");
    size_t len = second ? (size_t)(second - text) : strlen(text);

    if (len >= sizeof first) {
        snprintf(why, OPTION_WHY_MAX, "it is too long");
        return false;
    }
    memcpy(first, text, len);
    first[len] = 0;
    return link_spec_parse(first, there, why) &&
           link_spec_parse(second ? second + 2 : first, back, why);
}

static bool set_link(void *at, char *const *values, char *why)
{
    struct wire_options *o = at;
    struct link_config back;

    if (!parse_links(values[0], &o->there, &back, why))
        return false;
    if (!o->has_back)
        o->back = back;
    o->has_link = true;
    return true;
}

static bool set_link_back(void *at, char *const *values, char *why)
{
    struct wire_options *o = at;

    o->has_back = true;
    return link_spec_parse(values[0], &o->back, why);
}

static bool set_pair(void *at, char *const *values, char *why)
{
    struct wire_options *o = at;

    if (o->count == WIRE_PAIRS_MAX) {
        snprintf(why, OPTION_WHY_MAX, "at most %d pairs", WIRE_PAIRS_MAX);
        return false;
    }
    struct pair_options *pair = &o->pairs[o->count++];
    pair->a = values[0];
    pair->b = values[1];
    return parse_links(values[2], &pair->there, &pair->back, why);
}

#define AT(field) offsetof(struct wire_options, field)
static const struct option_row wire_rows[] = {
    {'l', "link", "SPEC", OPTION_CUSTOM, 0,
     "the link between A and B, both directions; SPEC//SPEC gives\nthere and back apart", set_link,
     0},
    {0, "link-back", "SPEC", OPTION_CUSTOM, 0, "the link from B to A", set_link_back, 0},
    {'p', "pair", "A B SPEC", OPTION_CUSTOM, 0, "one more pair with its link (may be repeated)",
     set_pair, 2},
    {'b', "box", "[N:]BOX", OPTION_LIST, AT(boxes),
     "a middlebox in pair N, without N in the first (may be\nrepeated: in order from A to B)", NULL,
     0},
    {0, "at", "TIME:CMD", OPTION_LIST, AT(plans),
     "carry a command out later, ':' for blanks: 5s:down:1", NULL, 0},
    {'c', "control", "PATH", OPTION_TEXT, AT(control),
     "take commands from clients of this Unix socket", NULL, 0},
    {0, "tell", "PATH", OPTION_TEXT, AT(tell),
     "be the client: send the arguments as a command, print\nthe answer", NULL, 0},
    {0, "seed", "N", OPTION_COUNT, AT(seed), "seed of every random loss (default 1)", NULL, 0},
    {0},
};

static const char about[] =
    "Joins two interfaces, or several pairs, as if a link with the given rate, delay,\n"
    "queue and faults ran between them. Each end is IFNAME or NETNS:IFNAME. Whole\n"
    "Ethernet frames pass, so ARP and neighbour discovery work; addresses, routes and\n"
    "offload settings are left alone. Prints 'ready' when frames flow.\n";

static const char closing[] =
    "Links (SPEC, comma-separated, all optional):\n"
    "  rate=50mbit  delay=10ms  jitter=1ms  queue=375kB or queue=80ms  loss=0.1%\n"
    "  burst=1%/25%/50% (into bad, out of bad, loss while bad)  reorder=1%/5ms\n"
    "  dup=0.1%  corrupt=0.01%\n"
    "The rate counts IP bytes; super-segments are cut into real packets first.\n"
    "\n"
    "Boxes (BOX is NAME[:KEY=VALUE,...]): plait sim boxes lists them.\n"
    "\n"
    "Commands, on standard input and the control socket; N counts pairs from 1:\n"
    "  down N [there|back]     lose everything, as a cut cable without notice\n"
    "  up N [there|back]       carry again\n"
    "  set N [there|back] KEY=VALUE...   change a link while it runs\n"
    "  box N add BOX | box N remove I | box N list   middleboxes\n"
    "  stats                   one line of JSON\n"
    "  quit\n"
    "\n"
    "Examples:\n"
    "  plait wire vethA vethB --link rate=50mbit,delay=10ms\n"
    "  plait wire --pair a1 b1 rate=20mbit,delay=10ms --pair lab:a2 lab:b2 rate=10mbit,delay=30ms\n"
    "  plait wire a b --link rate=16mbit,delay=9ms//rate=1mbit,delay=9ms --control /run/wire\n"
    "  plait wire --tell /run/wire down 1\n";

static int settle(struct wire_options *o, int argc, char **argv)
{
    if (argc == 2 && o->count < WIRE_PAIRS_MAX) {
        o->pairs[o->count++] = (struct pair_options){argv[0], argv[1], o->there, o->back};
    } else if (argc != 0) {
        cli_error("name two interfaces, or give --pair A B SPEC");
        return HOST_FAIL_USAGE;
    } else if (o->has_link || o->has_back) {
        cli_error("--link and --link-back go with two interfaces: plait wire A B --link SPEC");
        return HOST_FAIL_USAGE;
    }
    if (o->count == 0) {
        cli_error("name the interfaces: plait wire A B --link SPEC, see --help");
        return HOST_FAIL_USAGE;
    }
    return HOST_OK;
}

/* ---- the loop ------------------------------------------------------------- */

/* Offer everything that waits at one end. Returns the time up to which the
 * link has seen all arrivals: now, unless more is waiting. */
static uint64_t take_arrivals(struct wire_pair *pair, enum box_dir dir, struct wire_batch *batch,
                              uint64_t now_us)
{
    struct wire_way *way = &pair->way[dir];
    struct wire_frame frames[WIRE_BATCH];

    for (unsigned turn = 0; turn < BATCHES_MAX; turn++) {
        unsigned count = wire_port_receive(way->from, batch, frames);
        for (unsigned i = 0; i < count; i++) {
            struct list cut;
            list_init(&cut);
            if (!wire_cut(&frames[i], &cut))
                way->from->malformed++;
            /* Two CPUs may stamp two frames out of order, and the time of day
             * may be set: the link's own time only goes forward. */
            if (frames[i].at_us > way->offered_us)
                way->offered_us = frames[i].at_us < now_us ? frames[i].at_us : now_us;
            list_each(p, &cut, struct sim_packet, node) {
                list_remove(&p->node);
                box_chain_input(&pair->boxes, dir, way->offered_us, p);
            }
        }
        if (count < WIRE_BATCH)
            return now_us;
    }
    return way->offered_us;
}

static void deliver(struct wire_way *way, uint64_t horizon_us)
{
    struct sim_packet *packets[WIRE_BATCH];
    unsigned count = 0;
    uint64_t now_us = cli_now_us();

    if (horizon_us > way->offered_us)
        way->offered_us = horizon_us;
    for (;;) {
        struct sim_packet *p = link_take(&way->link, horizon_us);
        if (!p && link_next(&way->link) <= horizon_us)
            continue; /* that one was lost */
        if (p) {
            uint64_t late_us = now_us > p->at_us ? now_us - p->at_us : 0;
            way->late_sum_us += late_us;
            if (late_us > way->late_max_us)
                way->late_max_us = late_us;
            way->sent++;
            packets[count++] = p;
        }
        if (count == WIRE_BATCH || (!p && count)) {
            wire_port_send(way->to, packets, count);
            count = 0;
        }
        if (!p)
            return;
    }
}

static uint64_t min_u64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* One turn for every link; returns when the next is needed. */
static uint64_t turn(struct wire *w, struct wire_batch *batch)
{
    uint64_t next_us = UINT64_MAX;

    for (unsigned i = 0; i < w->count; i++) {
        struct wire_pair *pair = &w->pairs[i];
        box_chain_tick(&pair->boxes, cli_now_us());
        for (unsigned j = 0; j < 2; j++) {
            struct wire_way *way = &pair->way[j];
            uint64_t now_us = cli_now_us();
            uint64_t horizon_us = take_arrivals(pair, (enum box_dir)j, batch, now_us);
            deliver(way, horizon_us);
            next_us = min_u64(next_us, horizon_us < now_us ? now_us : link_next(&way->link));
        }
        /* What a box answered on the way back came after `there` was served. */
        next_us = min_u64(next_us, link_next(&pair->way[0].link));
        next_us = min_u64(next_us, box_chain_next(&pair->boxes));
    }
    return next_us;
}

/* Until then, or something arrives; a second at most, should a signal come
 * just before the wait. */
static void sleep_until(struct pollfd *fds, unsigned count, uint64_t at_us)
{
    enum { WAIT_MAX_US = 1000000 };
    uint64_t now_us = cli_now_us();
    uint64_t wait_us = at_us <= now_us                ? 0
                       : at_us - now_us < WAIT_MAX_US ? at_us - now_us
                                                      : WAIT_MAX_US;
    struct timespec ts = {.tv_sec = (time_t)(wait_us / 1000000),
                          .tv_nsec = (long)(wait_us % 1000000 * 1000)};

    if (ppoll(fds, count, &ts, NULL) > 0)
        return;
    for (unsigned i = 0; i < count; i++)
        fds[i].revents = 0;
}

static void run(struct wire *w, struct wire_control *control, struct wire_batch *batch)
{
    struct pollfd fds[WIRE_CONTROL_FDS + 2 * WIRE_PAIRS_MAX];

    while (!w->quit && !cli_interrupted()) {
        uint64_t plan_us = wire_control_tick(control, cli_now_us());
        if (w->quit)
            return;
        uint64_t link_us = turn(w, batch);
        unsigned count = wire_control_fds(control, fds);
        for (unsigned i = 0; i < 2 * w->count; i++) {
            const struct wire_port *port = &w->pairs[i / 2].port[i % 2];
            fds[count++] = (struct pollfd){.fd = port->gone ? -1 : port->fd, .events = POLLIN};
        }
        sleep_until(fds, count, plan_us < link_us ? plan_us : link_us);
        wire_control_poll(control, fds);
    }
}

/* ---- start and end -------------------------------------------------------- */

static void make_pairs(struct wire *w, const struct wire_options *o)
{
    for (unsigned i = 0; i < o->count; i++) {
        struct wire_pair *pair = &w->pairs[w->count++];
        const struct link_config *links[2] = {&o->pairs[i].there, &o->pairs[i].back};

        pair->port[0].fd = pair->port[1].fd = -1;
        wire_boxes_init(pair, o->seed * 1000003u + i);
        for (unsigned j = 0; j < 2; j++) {
            struct wire_way *way = &pair->way[j];
            way->from = &pair->port[j];
            way->to = &pair->port[1 - j];
            link_init(&way->link, links[j], o->seed * 1000003u + i * 2 + j);
        }
    }
}

static int open_ports(struct wire *w, const struct wire_options *o)
{
    for (unsigned i = 0; i < o->count; i++) {
        const char *names[2] = {o->pairs[i].a, o->pairs[i].b};

        for (unsigned j = 0; j < 2; j++) {
            int failure = wire_port_open(&w->pairs[i].port[j], names[j]);
            if (failure)
                return failure;
        }
    }
    return HOST_OK;
}

static int add_boxes(struct wire *w, const struct option_list *boxes)
{
    char error[BOX_ERROR_MAX];

    for (unsigned i = 0; i < boxes->count; i++) {
        if (!wire_box_add(w, boxes->items[i], cli_now_us(), error)) {
            cli_error("'%s' is not good for --box: %s", boxes->items[i], error);
            return HOST_FAIL_USAGE;
        }
    }
    return HOST_OK;
}

static void close_pairs(struct wire *w)
{
    for (unsigned i = 0; i < w->count; i++) {
        box_chain_free(&w->pairs[i].boxes);
        for (unsigned j = 0; j < 2; j++) {
            link_free(&w->pairs[i].way[j].link);
            wire_port_close(&w->pairs[i].port[j]);
        }
    }
}

/* A link that is served late is a wrong link: go before ordinary programs
 * where that is allowed, and ask for exact timers. */
static bool go_first(void)
{
    struct sched_param param = {.sched_priority = 1};

    prctl(PR_SET_TIMERSLACK, 1000ul, 0ul, 0ul, 0ul);
    return sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &param) == 0;
}

static int serve(struct wire *w, struct wire_control *control, const struct wire_options *o)
{
    struct wire_batch *batch = wire_batch_new();
    int failure = batch ? HOST_OK : HOST_FAIL_OTHER;

    if (!batch)
        cli_error("out of memory");
    make_pairs(w, o);
    if (!failure)
        failure = add_boxes(w, &o->boxes);
    if (!failure)
        failure = open_ports(w, o);
    if (!failure)
        failure = wire_control_open(control, o->control);
    if (!failure) {
        cli_catch_signals();
        w->realtime = go_first();
        w->start_us = cli_now_us();
        printf("ready\n");
        fflush(stdout);
        run(w, control, batch);
    }
    close_pairs(w);
    wire_batch_free(batch);
    return failure ? failure : cli_interrupted() ? CLI_INTERRUPTED : HOST_OK;
}

int cmd_wire(int argc, char **argv)
{
    static struct wire wire;
    struct wire_options o = {.seed = 1};
    char why[OPTION_WHY_MAX];
    int operand;
    const struct usage usage = {
        .synopsis = "wire [OPTIONS] A B | --pair A B SPEC... | --tell PATH COMMAND...",
        .about = about,
        .closing = closing,
        .groups = {{"Options", wire_rows, &o}},
        .operands_max = -1};

    int end = options_parse(&usage, argc, argv, &operand);
    if (end != OPTION_GO)
        return end;
    if (o.tell)
        return wire_tell(o.tell, argc - operand, argv + operand);
    int failure = settle(&o, argc - operand, argv + operand);
    if (failure)
        return failure;
    struct wire_control *control = wire_control_new(&wire);
    if (!control) {
        cli_error("out of memory");
        return HOST_FAIL_OTHER;
    }
    for (unsigned i = 0; i < o.plans.count && !failure; i++) {
        if (!wire_control_at(control, o.plans.items[i], why)) {
            cli_error("'%s' is not good for --at: %s", o.plans.items[i], why);
            failure = HOST_FAIL_USAGE;
        }
    }
    if (!failure)
        failure = serve(&wire, control, &o);
    wire_control_free(control);
    return failure;
}
