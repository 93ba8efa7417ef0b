/* SPDX-License-Identifier: MIT
 *
 * plait demo: a file over two emulated access links, one of which is cut half
 * way. The simulator runs in step with the wall clock; nothing is replayed.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/addr.h"
#include "cli/cli.h"
#include "cli/demo.h"
#include "cli/options.h"
#include "cli/units.h"

enum { TIME_LIMIT_S = 3600, MTU = 1500 };

/* ---- command line --------------------------------------------------------- */

static bool set_link(void *at, char *const *values, char *why)
{
    return link_spec_parse(values[0], at, why);
}

#define AT(field) offsetof(struct demo_options, field)
static const struct option_row demo_rows[] = {
    {0, "size", "SIZE", OPTION_SIZE, AT(size_bytes), "of the file (default 60MB)", NULL, 0},
    {0, "wifi", "SPEC", OPTION_CUSTOM, AT(links[0]),
     "the first link (default rate=20mbit,delay=10ms)", set_link, 0},
    {0, "lte", "SPEC", OPTION_CUSTOM, AT(links[1]),
     "the second link (default rate=10mbit,delay=30ms)", set_link, 0},
    {0, "cut-at", "SIZE", OPTION_SIZE, AT(cut_at_bytes),
     "cut WiFi when so much has arrived (default: half)", NULL, 0},
    {0, "back-after", "TIME", OPTION_DURATION, AT(back_after_us),
     "bring it back after this time (default 5s)", NULL, 0},
    {0, "speed", "N", OPTION_COUNT, AT(speed), "run N times as fast as real time", NULL, 0},
    {0, "seed", "N", OPTION_COUNT, AT(seed), "of every random choice (default 1)", NULL, 0},
    {0, "json", NULL, OPTION_FLAG, AT(json), "print one JSON object in the end, nothing else", NULL,
     0},
    {0},
};

static const char about[] =
    "Sends a file of random bytes from a plait client to a plait server over two\n"
    "emulated access links at once, cuts WiFi half way without a word to either end,\n"
    "brings it back, and compares what arrived with what was sent. Both ends run in this\n"
    "process, in real time; no privilege is needed and the network is not touched.\n";

static const char closing[] =
    "Links are written as for 'plait wire': delay is one way, so 10ms is a round trip of\n"
    "20 ms.\n"
    "\n"
    "Examples:\n"
    "  plait demo\n"
    "  plait demo --size 20MB --wifi rate=50mbit,delay=5ms,loss=0.1% --back-after 2s\n"
    "  plait demo --json --speed 10\n";

/* ---- the world ------------------------------------------------------------ */

struct demo {
    struct demo_options o;
    struct sim sim;
    struct host *client, *server;
    struct iface *ifaces[DEMO_PATHS];
    struct path links[DEMO_PATHS];
    struct stream *stream;
    int in_fd, out_fd;
    bool cut, back;
    uint64_t back_bytes[DEMO_PATHS]; /* received when the path came back */
    struct demo_result result;
    struct progress progress;
};

static const char *const names[DEMO_PATHS] = {"WiFi", "LTE"};
static const char *const addresses[DEMO_PATHS] = {"192.168.1.2", "100.64.0.2"};

static size_t read_file(void *ctx, uint64_t offset, uint8_t *buf, size_t len)
{
    struct demo *d = ctx;
    ssize_t n = pread(d->in_fd, buf, len, (off_t)offset);

    return n > 0 ? (size_t)n : 0;
}

static void write_file(void *ctx, uint64_t offset, const uint8_t *data, size_t len)
{
    struct demo *d = ctx;

    if (pwrite(d->out_fd, data, len, (off_t)offset) != (ssize_t)len)
        d->result.error = "the received file cannot be written: is the disk full?";
}

static void build(struct demo *d)
{
    struct side_config sender = {.send_bytes = d->o.size_bytes, .source = read_file, .ctx = d};
    struct side_config receiver = {.end = END_AFTER_EOF, .drain = write_file, .ctx = d};
    struct iface *far;

    sim_init(&d->sim, d->o.seed, 1000000);
    d->client = sim_host(&d->sim, "client", NULL);
    d->server = sim_host(&d->sim, "server", NULL);
    far = host_iface(d->server, "203.0.113.1", MTU);
    for (unsigned i = 0; i < DEMO_PATHS; i++) {
        d->ifaces[i] = host_iface(d->client, addresses[i], MTU);
        d->links[i] = sim_path(&d->sim, d->ifaces[i], far, &d->o.links[i], NULL);
        d->result.paths[i].name = names[i];
        link_spec_format(&d->o.links[i], d->result.paths[i].link);
    }
    d->result.start_us = d->sim.now_us;
    d->stream = stream_new(&d->sim, d->client, d->ifaces[0], far, d->sim.now_us, &sender, &receiver,
                           NULL, NULL);
}

/* ---- looking at it -------------------------------------------------------- */

/* The subflows of one end, alive or as they were in the end. */
static unsigned subflows_of(const struct side *side, struct plait_subflow_info *out, unsigned max)
{
    unsigned count;

    if (side->conn) {
        count = plait_conn_subflows(side->conn, out, max);
        return count < max ? count : max;
    }
    count = side->subflow_count < max ? side->subflow_count : max;
    memcpy(out, side->subflows, count * sizeof *out);
    return count;
}

static int path_of(const struct demo *d, const struct plait_endpoint *client_end)
{
    for (int i = 0; i < DEMO_PATHS; i++) {
        if (addr_equal(&client_end->addr, &d->ifaces[i]->local.addr))
            return i;
    }
    return -1;
}

static void measure(struct demo *d)
{
    struct plait_subflow_info info[16];
    struct demo_path *paths = d->result.paths;

    for (unsigned i = 0; i < DEMO_PATHS; i++)
        paths[i].received_bytes = paths[i].retransmits = paths[i].timeouts =
            paths[i].reinjected_bytes = 0;
    unsigned count = subflows_of(&d->stream->side[1], info, 16);
    for (unsigned k = 0; k < count; k++) {
        int i = path_of(d, &info[k].remote);
        if (i >= 0)
            paths[i].received_bytes += info[k].bytes_received;
    }
    count = subflows_of(&d->stream->side[0], info, 16);
    for (unsigned k = 0; k < count; k++) {
        int i = path_of(d, &info[k].local);
        if (i < 0)
            continue;
        paths[i].retransmits += info[k].retransmits;
        paths[i].timeouts += info[k].timeouts;
        paths[i].reinjected_bytes += info[k].bytes_reinjected_from;
        if (info[k].srtt_us)
            paths[i].srtt_us = info[k].srtt_us;
    }
    for (unsigned i = 0; i < DEMO_PATHS; i++)
        paths[i].after_bytes = d->back ? paths[i].received_bytes - d->back_bytes[i] : 0;
}

static void say(struct demo *d, const char *what)
{
    if (d->o.json)
        return;
    progress_clear(&d->progress);
    printf("%6.1f s  %s\n", (double)(d->sim.now_us - d->result.start_us) / 1e6, what);
    fflush(stdout);
}

static void show(struct demo *d)
{
    struct progress_path paths[DEMO_PATHS] = {0};
    struct progress_state state = {.bytes = d->stream->side[1].received,
                                   .goal_bytes = d->o.size_bytes,
                                   .paths = paths,
                                   .count = DEMO_PATHS};

    measure(d);
    for (unsigned i = 0; i < DEMO_PATHS; i++) {
        char rate[UNIT_TEXT_MAX], rtt[UNIT_TEXT_MAX];
        const struct link_config *link = &d->o.links[i];
        if (d->progress.live)
            snprintf(paths[i].name, sizeof paths[i].name, "%-4s %s %s", names[i],
                     format_rate((double)link->rate_bps, rate),
                     format_time(2 * (uint64_t)link->delay_us, rtt));
        else
            snprintf(paths[i].name, sizeof paths[i].name, "%s", names[i]);
        paths[i].bytes = d->result.paths[i].received_bytes;
        paths[i].note = i == 0 && d->cut && !d->back ? "cut" : NULL;
    }
    progress_update(&d->progress, d->sim.now_us, &state);
}

/* ---- running -------------------------------------------------------------- */

static void cut_and_mend(struct demo *d)
{
    if (!d->cut && d->stream->side[1].received >= d->o.cut_at_bytes) {
        d->cut = true;
        d->result.cut_us = d->sim.now_us;
        sim_path_set_up(&d->sim, &d->links[0], false);
        say(d, "WiFi is cut: nothing passes, nobody is told");
    } else if (d->cut && !d->back && d->sim.now_us >= d->result.cut_us + d->o.back_after_us) {
        measure(d);
        for (unsigned i = 0; i < DEMO_PATHS; i++)
            d->back_bytes[i] = d->result.paths[i].received_bytes;
        d->back = true;
        d->result.back_us = d->sim.now_us;
        sim_path_set_up(&d->sim, &d->links[0], true);
        say(d, "WiFi is back");
    }
}

/* Virtual time that wall time has come to. */
static uint64_t virtual_now(const struct demo *d, uint64_t wall_start_us)
{
    return d->result.start_us + (cli_now_us() - wall_start_us) * d->o.speed;
}

static void sleep_until(const struct demo *d, uint64_t virtual_us, uint64_t wall_start_us)
{
    uint64_t now_us = virtual_now(d, wall_start_us);

    if (virtual_us <= now_us)
        return;
    uint64_t wait_us = (virtual_us - now_us) / d->o.speed;
    struct timespec ts = {.tv_sec = (time_t)(wait_us / 1000000),
                          .tv_nsec = (long)(wait_us % 1000000 * 1000)};
    nanosleep(&ts, NULL);
}

static bool over(const struct demo *d)
{
    return stream_done(d->stream) || d->sim.failure[0] || d->result.error || cli_interrupted() ||
           d->sim.now_us > d->result.start_us + UINT64_C(1000000) * TIME_LIMIT_S;
}

/* Steps of virtual time short enough for the bars and for the cut. */
static void run(struct demo *d)
{
    enum { STEP_US = 10000 };
    uint64_t wall_start_us = cli_now_us();

    while (!over(d)) {
        uint64_t target_us = virtual_now(d, wall_start_us);
        if (target_us > d->sim.now_us + STEP_US)
            target_us = d->sim.now_us + STEP_US;
        if (target_us > d->sim.now_us)
            sim_advance(&d->sim, target_us);
        cut_and_mend(d);
        if (d->sim.now_us >= progress_next(&d->progress))
            show(d);
        uint64_t next_us = sim_next(&d->sim);
        if (next_us > d->sim.now_us + STEP_US)
            next_us = d->sim.now_us + STEP_US;
        sleep_until(d, next_us, wall_start_us);
    }
    progress_clear(&d->progress);
}

static void conclude(struct demo *d)
{
    struct demo_result *r = &d->result;
    const struct side *server = &d->stream->side[1];

    measure(d);
    r->bytes = server->received;
    r->end_us = server->last_read_us ? server->last_read_us : d->sim.now_us;
    r->pause_us = server->pause_us;
    r->multipath = server->multipath;
    r->reinjections = d->client->tally.event[PLAIT_EV_REINJECTED];
    if (d->sim.failure[0])
        r->error = d->sim.failure;
    else if (!stream_done(d->stream) && !r->error)
        r->error = cli_interrupted() ? "interrupted" : "the transfer did not come to its end";
    if (!demo_file_sha(d->in_fd, r->sha_sent) || !demo_file_sha(d->out_fd, r->sha_received))
        r->error = "a file cannot be read";
    r->intact = !r->error && strcmp(r->sha_sent, r->sha_received) == 0;
}

static void introduce(struct demo *d)
{
    char size[UNIT_TEXT_MAX];

    progress_init(&d->progress, stdout, d->o.json ? PROGRESS_OFF : PROGRESS_ON, d->sim.now_us);
    if (d->o.json)
        return;
    printf("A file of %s from a plait client to a plait server, over two links at once:\n",
           format_size(d->o.size_bytes, size));
    for (unsigned i = 0; i < DEMO_PATHS; i++)
        printf("  %-5s %s\n", names[i], d->result.paths[i].link);
    putchar('\n');
    fflush(stdout);
}

static int play(struct demo *d)
{
    d->in_fd = demo_file_new(d->o.size_bytes);
    d->out_fd = demo_file_new(0);
    if (d->in_fd < 0 || d->out_fd < 0) {
        cli_error("cannot make the file: %s; TMPDIR names another folder", strerror(errno));
        return HOST_FAIL_FILE;
    }
    build(d);
    introduce(d);
    run(d);
    conclude(d);
    if (d->o.json)
        demo_print_json(&d->result, stdout);
    else
        demo_print(&d->result, stdout, d->progress.colour);
    sim_free(&d->sim);
    return cli_interrupted() ? CLI_INTERRUPTED : d->result.intact ? HOST_OK : HOST_FAIL_TRANSFER;
}

int cmd_demo(int argc, char **argv)
{
    static struct demo demo = {.in_fd = -1, .out_fd = -1}; /* large */
    struct demo *d = &demo;
    char why[SPEC_ERROR_MAX];
    int operand;
    const struct usage usage = {.synopsis = "demo [OPTIONS]",
                                .about = about,
                                .closing = closing,
                                .groups = {{"Options", demo_rows, &d->o}}};

    d->o = (struct demo_options){.size_bytes = 60000000,
                                 .back_after_us = 5000000,
                                 .speed = 1,
                                 .seed = 1};
    link_spec_parse("rate=20mbit,delay=10ms", &d->o.links[0], why);
    link_spec_parse("rate=10mbit,delay=30ms", &d->o.links[1], why);
    int end = options_parse(&usage, argc, argv, &operand);
    if (end != OPTION_GO)
        return end;
    if (d->o.size_bytes == 0) {
        cli_error("--size 0 leaves nothing to show");
        return HOST_FAIL_USAGE;
    }
    if (d->o.cut_at_bytes == 0)
        d->o.cut_at_bytes = d->o.size_bytes / 2;
    cli_catch_signals();
    int failure = play(d);
    if (d->in_fd >= 0)
        close(d->in_fd);
    if (d->out_fd >= 0)
        close(d->out_fd);
    return failure;
}
