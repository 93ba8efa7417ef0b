/* SPDX-License-Identifier: MIT
 *
 * plait perf: iperf3's manners. The client says what is measured.
 */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/net.h"
#include "cli/options.h"
#include "cli/perf.h"

struct client_rows {
    struct perf_client_options o;
    unsigned parallel;
    bool ping_pong, connections;
    uint64_t message_bytes; /* 0: the mode's own */
};

#define AT(field) offsetof(struct client_rows, field)
static const struct option_row client_rows[] = {
    {'p', "port", "PORT", OPTION_PORT, AT(o.port), "the server's port (default 5201)", NULL, 0},
    {'t', "time", "TIME", OPTION_DURATION, AT(o.params.time_us), "send for this time (default 10s)",
     NULL, 0},
    {'n', "bytes", "SIZE", OPTION_SIZE, AT(o.params.bytes),
     "send so much in all, however long it takes", NULL, 0},
    {'R', "reverse", NULL, OPTION_FLAG, AT(o.params.reverse), "the server sends", NULL, 0},
    {'P', "parallel", "N", OPTION_COUNT, AT(parallel), "connections at once (default 1)", NULL, 0},
    {'Z', "zero-copy", NULL, OPTION_FLAG, AT(o.zero_copy),
     "write and read in the connection's own memory", NULL, 0},
    {0, "ping-pong", NULL, OPTION_FLAG, AT(ping_pong),
     "send a message, wait for it to come back, and again: latency", NULL, 0},
    {0, "connections", NULL, OPTION_FLAG, AT(connections),
     "the same with a new connection each: connections a second", NULL, 0},
    {0, "message", "SIZE", OPTION_SIZE, AT(message_bytes),
     "of these messages, up to 65535 bytes (default 1; with\n--connections 1000)", NULL, 0},
    {'i', "interval", "TIME", OPTION_DURATION, AT(o.interval_us),
     "report every so often (default 1s; 0: only in the end)", NULL, 0},
    {'J', "json", NULL, OPTION_FLAG, AT(o.json), "one JSON object, in the shape of iperf3 -J", NULL,
     0},
    {'w', "timeout", "TIME", OPTION_DURATION, AT(o.timeout_us),
     "give up connecting after this time (default 15s)", NULL, 0},
    {0},
};
#undef AT

#define AT(field) offsetof(struct perf_server_options, field)
static const struct option_row server_rows[] = {
    {'p', "port", "PORT", OPTION_PORT, AT(port), "listen on this port (default 5201)", NULL, 0},
    {'1', "one-off", NULL, OPTION_FLAG, AT(one_off), "exit after one test", NULL, 0},
    {'Z', "zero-copy", NULL, OPTION_FLAG, AT(zero_copy),
     "write and read in the connection's own memory", NULL, 0},
    {'J', "json", NULL, OPTION_FLAG, AT(json), "a JSON object for each test", NULL, 0},
    {0},
};
#undef AT

static const char client_about[] =
    "Measures throughput, latency or connections a second to a 'plait perf server'.\n"
    "Rates are of payload bytes that arrived; a sender's intervals count what was\n"
    "acknowledged.\n";

static const char client_closing[] = "Examples:\n"
                                     "  plait perf client 192.0.2.7 --time 10s\n"
                                     "  plait perf client server.example --reverse --bytes 1GB\n"
                                     "  plait perf client 192.0.2.7 --ping-pong --busy-poll\n"
                                     "  plait perf client 192.0.2.7 -P 4 --json > result.json\n";

static const char server_about[] = "Waits for 'plait perf client' and measures with it, one test "
                                   "at a time.\n";

static const char server_closing[] = "Examples:\n"
                                     "  plait perf server\n"
                                     "  plait perf server --port 6000 --one-off\n";

static const char about[] = "usage: plait perf server [OPTIONS]\n"
                            "       plait perf client [OPTIONS] HOST\n"
                            "\n"
                            "Measures throughput between two hosts. Each has its own --help.\n"
                            "\n"
                            "Examples:\n"
                            "  plait perf server                    on one host\n"
                            "  plait perf client 192.0.2.7 -t 10s   on the other\n"
                            "\n" CLI_EXIT_CODES;

/* NULL: the options make sense together. */
static const char *contradiction(const struct client_rows *c)
{
    bool trips = c->ping_pong || c->connections;

    if (c->parallel > PERF_STREAMS_MAX)
        return "--parallel goes up to 1024";
    if (!c->o.params.time_us && (trips || !c->o.params.bytes))
        return "--time 0 measures nothing";
    if (c->ping_pong && c->connections)
        return "--ping-pong and --connections are two things: take one";
    if (trips && (c->o.params.bytes || c->o.params.reverse))
        return "--bytes and --reverse belong to neither --ping-pong nor --connections";
    if (!trips && c->message_bytes)
        return "--message needs --ping-pong or --connections";
    if (c->message_bytes > PERF_ECHO_MAX)
        return "--message goes up to 65535 bytes";
    return NULL;
}

static int run_trips(struct host *h, const struct client_rows *c)
{
    const struct perf_trips_options o = {.name = c->o.name,
                                         .family = c->o.family,
                                         .port = c->o.port,
                                         .connections = c->connections,
                                         .parallel = c->parallel,
                                         .message_bytes = c->message_bytes ? c->message_bytes
                                                          : c->connections ? 1000
                                                                           : 1,
                                         .time_us = c->o.params.time_us,
                                         .timeout_us = c->o.timeout_us,
                                         .json = c->o.json,
                                         .no_race = c->o.no_race};

    return perf_trips(h, &o);
}

static int run_client(int argc, char **argv)
{
    struct net_options net = {0};
    struct client_rows c = {.o = {.port = PERF_PORT,
                                  .params = {.time_us = 10000000},
                                  .interval_us = 1000000,
                                  .timeout_us = 15000000},
                            .parallel = 1};
    struct host *h;
    int operand;
    const struct usage usage = {.synopsis = "perf client [OPTIONS] HOST",
                                .about = client_about,
                                .closing = client_closing,
                                .groups = {{"Options", client_rows, &c},
                                           {"Network", net_rows, &net}},
                                .operands_min = 1,
                                .operands_max = 1};

    int end = options_parse(&usage, argc, argv, &operand);
    if (end != OPTION_GO)
        return end;
    const char *wrong = contradiction(&c);
    if (wrong) {
        cli_error("%s", wrong);
        return HOST_FAIL_USAGE;
    }
    c.o.name = argv[operand];
    c.o.family = net_family(&net);
    c.o.no_race = net.no_race;
    c.o.params.streams = c.parallel;
    int failure = net_open(&net, &h);
    if (failure)
        return failure;
    failure = c.ping_pong || c.connections ? run_trips(h, &c) : perf_client(h, &c.o);
    net_close(h, failure);
    return failure;
}

static int run_server(int argc, char **argv)
{
    struct net_options net = {0};
    struct perf_server_options o = {.port = PERF_PORT};
    struct host *h;
    int operand;
    const struct usage usage = {.synopsis = "perf server [OPTIONS]",
                                .about = server_about,
                                .closing = server_closing,
                                .groups = {{"Options", server_rows, &o},
                                           {"Serving", net_server_rows, &net},
                                           {"Network", net_rows, &net}}};

    int end = options_parse(&usage, argc, argv, &operand);
    if (end != OPTION_GO)
        return end;
    int failure = net_open(&net, &h);
    if (failure)
        return failure;
    failure = perf_server(h, &o);
    net_close(h, failure);
    return failure;
}

int cmd_perf(int argc, char **argv)
{
    if (argc >= 2 && strcmp(argv[1], "client") == 0)
        return run_client(argc - 1, argv + 1);
    if (argc >= 2 && strcmp(argv[1], "server") == 0)
        return run_server(argc - 1, argv + 1);
    if (argc >= 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
        fputs(about, stdout);
        return HOST_OK;
    }
    cli_error("say 'plait perf server' or 'plait perf client HOST'");
    return HOST_FAIL_USAGE;
}
