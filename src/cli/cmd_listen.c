/* SPDX-License-Identifier: MIT
 *
 * plait listen: accept a connection, or one after another, and carry standard
 * input and output.
 */
#include <stdio.h>
#include <string.h>

#include "base/addr.h"
#include "cli/cli.h"
#include "cli/net.h"
#include "cli/options.h"
#include "cli/transfer.h"

struct listen_options {
    bool keep;
};

static const struct option_row listen_rows[] = {
    {'k', "keep", NULL, OPTION_FLAG, offsetof(struct listen_options, keep),
     "serve one connection after another; what the second and\n"
     "later ones send goes to FILE.2, FILE.3 with --recv FILE",
     NULL, 0},
    {0},
};

static const char about[] =
    "Waits for a connection to PORT on this host's addresses and carries standard input\n"
    "to the peer and what the peer sends to standard output, then exits. Clients with\n"
    "and without Multipath TCP are served alike. Says 'listening' on standard error\n"
    "when connections can come.\n";

static const char closing[] = "Examples:\n"
                              "  plait listen 5000 --recv backup.tar --stats --sha256\n"
                              "  plait listen 5000 --keep --send motd\n";

struct server {
    struct host *host;
    struct plait_listener *listener;
    struct plait_conn *waiting; /* accepted, not yet served */
    struct transfer *transfer;
};

static void on_conn(void *ctx, struct plait_conn *conn)
{
    struct server *s = ctx;

    if (s->transfer)
        transfer_ready(s->transfer, conn);
}

/* One at a time: the others wait in the backlog. */
static void on_listener(void *ctx, struct plait_listener *listener)
{
    struct server *s = ctx;

    if (!s->waiting && !s->transfer)
        s->waiting = plait_accept(listener);
}

static int serve_one(struct server *s, const struct transfer_options *o, unsigned serial)
{
    int failure = HOST_OK;

    while (!s->waiting && (s->waiting = plait_accept(s->listener)) == NULL) {
        int result = host_step(s->host, UINT64_MAX);
        if (host_signal(s->host))
            return CLI_INTERRUPTED;
        if (result < 0) {
            cli_error("waiting failed: %s", strerror(-result));
            return HOST_FAIL_OTHER;
        }
    }
    struct plait_conn *conn = s->waiting;
    s->waiting = NULL;
    s->transfer = transfer_new(s->host, o, serial, &failure);
    if (!s->transfer) {
        plait_conn_abort(conn, host_now(s->host));
        return failure;
    }
    failure = transfer_run(s->transfer, conn);
    transfer_free(s->transfer);
    s->transfer = NULL;
    return failure;
}

static int serve(struct server *s, const struct transfer_options *o, bool keep)
{
    unsigned serial = 1;

    for (;;) {
        int failure = serve_one(s, o, serial++);
        /* A broken connection is the end of that one, not of the server. */
        if (!keep || (failure && failure != HOST_FAIL_TRANSFER && failure != HOST_FAIL_UNREACHABLE))
            return failure;
    }
}

static int run(struct server *s, const struct transfer_options *o, uint16_t port, bool keep)
{
    struct plait_endpoint local = {.port = port};
    struct host_error err;
    struct plait_listener *listener;

    int failure = host_listen(s->host, &local, NULL, &listener, &err);
    if (failure) {
        cli_error("%s", err.text);
        return failure;
    }
    s->listener = listener;
    if (!o->quiet)
        fprintf(stderr, "listening on port %u, %s\n", port, host_driver(s->host)->describe);
    failure = serve(s, o, keep);
    host_unlisten(s->host, listener);
    return failure;
}

int cmd_listen(int argc, char **argv)
{
    struct net_options net = {0};
    struct transfer_options o = {0};
    struct listen_options l = {0};
    struct server server = {0};
    int operand;
    uint16_t port;
    const struct usage usage = {.synopsis = "listen [OPTIONS] PORT",
                                .about = about,
                                .closing = closing,
                                .groups = {{"Options", transfer_rows, &o},
                                           {"Listening", listen_rows, &l},
                                           {"Serving", net_server_rows, &net},
                                           {"Network", net_rows, &net}},
                                .operands_min = 1,
                                .operands_max = 1};

    int end = options_parse(&usage, argc, argv, &operand);
    if (end != OPTION_GO)
        return end;
    if (!net_port(argv[operand], &port))
        return HOST_FAIL_USAGE;
    int failure = net_open(&net, &server.host);
    if (failure)
        return failure;
    host_callbacks(server.host, &(struct host_callbacks){.ctx = &server,
                                                         .conn = on_conn,
                                                         .listener = on_listener});
    failure = run(&server, &o, port, l.keep);
    net_close(server.host, failure);
    return failure;
}
