/* SPDX-License-Identifier: MIT
 *
 * plait connect: open a connection and carry standard input and output.
 */
#include <string.h>

#include "cli/cli.h"
#include "cli/net.h"
#include "cli/options.h"
#include "cli/transfer.h"

static const struct option_row connect_rows[] = {
    {'w', "timeout", "TIME", OPTION_DURATION, offsetof(struct transfer_options, timeout_us),
     "give up connecting after this time (default 15s)", NULL, 0},
    {0},
};

static const char about[] =
    "Connects to HOST, a name or an address, and carries standard input to the peer\n"
    "and what the peer sends to standard output. The end of the input ends our half of\n"
    "the stream; the other half goes on until the peer ends it. All of this host's\n"
    "addresses are used unless --local names some, for the first subflow already: a\n"
    "name's addresses are tried from each, a quarter of a second apart, and the first\n"
    "to answer wins. A peer without Multipath TCP gets plain TCP.\n";

static const char closing[] =
    "Examples:\n"
    "  plait connect example.org 5000 --send backup.tar --stats\n"
    "  printf 'GET / HTTP/1.0\\r\\n\\r\\n' | plait connect example.org 80\n"
    "  plait connect 192.0.2.7 5000 --local 10.0.1.2 --local 10.0.2.2 < file\n";

static void on_conn(void *ctx, struct plait_conn *conn)
{
    struct transfer **t = ctx;

    if (*t)
        transfer_ready(*t, conn);
}

int cmd_connect(int argc, char **argv)
{
    struct net_options net = {0};
    struct transfer_options o = {.timeout_us = 15000000};
    int operand, failure;
    uint16_t port;
    const struct usage usage = {.synopsis = "connect [OPTIONS] HOST PORT",
                                .about = about,
                                .closing = closing,
                                .groups = {{"Options", transfer_rows, &o},
                                           {"Connecting", connect_rows, &o},
                                           {"Network", net_rows, &net}},
                                .operands_min = 2,
                                .operands_max = 2};

    int end = options_parse(&usage, argc, argv, &operand);
    if (end != OPTION_GO)
        return end;
    if (!net_port(argv[operand + 1], &port))
        return HOST_FAIL_USAGE;

    struct host *h;
    struct transfer *t = NULL;
    struct plait_conn *conn = NULL;
    failure = net_open(&net, &h);
    if (failure)
        return failure;
    host_callbacks(h, &(struct host_callbacks){.ctx = &t, .conn = on_conn});
    t = transfer_new(h, &o, 1, &failure);
    if (t) {
        struct host_error err;
        const struct host_target target = {argv[operand], port, net_family(&net), net.no_race};
        failure = host_connect_name(h, &target, NULL, &conn, &err);
        if (failure)
            cli_error("%s", err.text);
        else
            failure = transfer_run(t, conn);
        transfer_free(t);
    }
    t = NULL;
    net_close(h, failure);
    return failure;
}
