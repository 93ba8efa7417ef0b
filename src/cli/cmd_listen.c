/* SPDX-License-Identifier: MIT
 *
 * plait listen: accept a connection, or one after another, and carry standard
 * input and output.
 */
#include <stdatomic.h>
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

static const char closing[] =
    "Examples:\n"
    "  plait listen 5000 --recv backup.tar --stats --sha256\n"
    "  plait listen 5000 --keep --send motd\n"
    "  plait listen 5000 --keep --threads 2 --send motd --recv /dev/null\n";

/* One thread's. */
struct server {
    struct listening *all;
    struct host *host;
    struct plait_listener *listener;
    struct plait_conn *waiting; /* accepted, not yet served */
    struct transfer *transfer;
};

struct listening {
    const struct transfer_options *o;
    bool keep;
    struct plait_listener *listeners[HOST_THREADS_MAX];
    atomic_uint serial; /* of the last connection that is or was served */
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

static int serve_one(struct server *s)
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
    s->transfer = transfer_new(s->host, s->all->o, ++s->all->serial, &failure);
    if (!s->transfer) {
        plait_conn_abort(conn, host_now(s->host));
        return failure;
    }
    failure = transfer_run(s->transfer, conn);
    transfer_free(s->transfer);
    s->transfer = NULL;
    return failure;
}

/* A thread. */
static int serve(void *ctx, struct host *h, unsigned i)
{
    struct listening *l = ctx;
    struct server s = {.all = l, .host = h, .listener = l->listeners[i]};
    bool again;
    int failure;

    host_callbacks(h, &(struct host_callbacks){&s, on_conn, on_listener});
    do {
        failure = serve_one(&s);
        /* A broken connection is the end of that one, not of the server. */
        again =
            failure == HOST_OK || failure == HOST_FAIL_TRANSFER || failure == HOST_FAIL_UNREACHABLE;
    } while (l->keep && again);
    host_unlisten(h, s.listener);
    net_drain(h, failure);
    return failure;
}

static int run(struct listening *l, struct host_group *g, uint16_t port)
{
    const struct plait_endpoint local = {.port = port};
    struct host_error err;

    int failure = host_group_listen(g, &local, NULL, l->listeners, &err);
    if (failure) {
        cli_error("%s", err.text);
        return failure;
    }
    if (!l->o->quiet)
        fprintf(stderr, "listening on port %u, %s\n", port,
                host_driver(host_group_at(g, 0))->describe);
    return host_group_run(g, serve, l);
}

/* Threads serve connections at once: each has to have files of its own. */
static bool sensible(const struct net_options *net, const struct transfer_options *o, bool keep)
{
    bool several = net->threads > 1, own = keep && o->send && o->recv;

    if (several && !own)
        cli_error("--threads serves several connections at once: say --keep, and --send and "
                  "--recv, for they cannot share standard input and output");
    return !several || own;
}

int cmd_listen(int argc, char **argv)
{
    struct net_options net = {0};
    struct transfer_options o = {0};
    struct listen_options options = {0};
    struct listening l = {.o = &o};
    struct host_group *g;
    int operand;
    uint16_t port;
    const struct usage usage = {.synopsis = "listen [OPTIONS] PORT",
                                .about = about,
                                .closing = closing,
                                .groups = {{"Options", transfer_rows, &o},
                                           {"Listening", listen_rows, &options},
                                           {"Threads", net_thread_rows, &net},
                                           {"Serving", net_server_rows, &net},
                                           {"Network", net_rows, &net}},
                                .operands_min = 1,
                                .operands_max = 1};

    int end = options_parse(&usage, argc, argv, &operand);
    if (end != OPTION_GO)
        return end;
    if (!net_port(argv[operand], &port) || !sensible(&net, &o, options.keep))
        return HOST_FAIL_USAGE;
    l.keep = options.keep;
    int failure = net_open_group(&net, &g);
    if (failure)
        return failure;
    failure = run(&l, g, port);
    host_group_close(g);
    return failure;
}
