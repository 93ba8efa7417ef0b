/* SPDX-License-Identifier: MIT
 *
 * Hosts for several threads: shared-nothing stacks behind one set of addresses
 * and ports. Packets are steered to them in the kernel (io/steer.h), so that all
 * this file has to do is to share out limits, to make files' names differ, and
 * to pass on a signal.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#include "host/fail.h"
#include "host/state.h"

struct member {
    struct host *host;
    struct host_group *group;
    pthread_t thread;
    char pcap_path[HOST_PATH_MAX], events_path[HOST_PATH_MAX];
};

struct host_group {
    unsigned count;
    atomic_int signal;  /* the last one: what a member that is woken takes */
    atomic_int failure; /* of the first thread that failed */
    host_thread_fn *fn;
    void *ctx;
    struct member members[];
};

/* ---- opening ------------------------------------------------------------------- */

/* A limit of the process, this thread's part of it. */
static uint64_t share(uint64_t limit, unsigned threads)
{
    return (limit + threads - 1) / threads;
}

/* The first writes FILE, the others FILE.2, FILE.3. */
static int name_file(const char **path, char own[HOST_PATH_MAX], unsigned i, struct host_error *err)
{
    if (!*path || i == 0 || strcmp(*path, "-") == 0)
        return HOST_OK;
    if (snprintf(own, HOST_PATH_MAX, "%s.%u", *path, i + 1) >= HOST_PATH_MAX)
        return fail_file(err, "thread's", *path, -ENAMETOOLONG);
    *path = own;
    return HOST_OK;
}

static int member_open(struct host_group *g, unsigned i, const struct host_options *options,
                       struct io_driver *driver, struct host_error *err)
{
    struct host_options own = *options;
    struct member *m = &g->members[i];
    int failure;

    own.engine.thread_id = (uint16_t)(i + 1);
    own.engine.threads = (uint16_t)g->count;
    own.engine.memory_max_bytes = share(own.engine.memory_max_bytes, g->count);
    own.engine.held_max_bytes = share(own.engine.held_max_bytes, g->count);
    own.engine.conns_max = (uint32_t)share(own.engine.conns_max, g->count);
    own.signals = options->signals && i == 0;
    failure = name_file(&own.pcap_path, m->pcap_path, i, err);
    if (!failure)
        failure = name_file(&own.events_path, m->events_path, i, err);
    if (failure) {
        driver->ops->close(driver);
        return failure;
    }
    m->group = g;
    return host_open_on(&own, driver, g, &m->host, err);
}

/* What all threads have to know alike: a Fast Open cookie that one gave comes
 * back to another. */
static bool draw_secret(struct plait_config *config)
{
    static const uint8_t none[sizeof config->secret];

    return memcmp(config->secret, none, sizeof none) != 0 ||
           getrandom(config->secret, sizeof config->secret, 0) == sizeof config->secret;
}

static int open_drivers(const struct host_options *options, unsigned threads,
                        struct io_driver **drivers, struct host_error *err)
{
    const char *why, *name = driver_choose(options, &why);

    if (strcmp(name, "packet") != 0)
        return host_fail(err, HOST_FAIL_USAGE,
                         "the %s driver serves one thread: leave --threads away, or use the "
                         "packet driver",
                         name);
    int error = io_packet_open_threads(threads, drivers);
    return error ? fail_threads(err, error) : HOST_OK;
}

static int open_members(struct host_group *g, const struct host_options *options,
                        struct host_error *err)
{
    struct io_driver *drivers[HOST_THREADS_MAX];
    struct host_options common = *options;
    int failure = draw_secret(&common.engine)
                      ? open_drivers(options, g->count, drivers, err)
                      : host_fail(err, HOST_FAIL_OTHER, "no random numbers: %s", strerror(errno));

    if (failure)
        return failure;
    for (unsigned i = 0; i < g->count; i++) {
        if (!failure)
            failure = member_open(g, i, &common, drivers[i], err);
        else
            drivers[i]->ops->close(drivers[i]);
    }
    return failure;
}

int host_group_open(const struct host_options *options, unsigned threads, struct host_group **out,
                    struct host_error *err)
{
    struct host_group *g;
    int failure;

    if (threads < 1 || threads > HOST_THREADS_MAX)
        return host_fail(err, HOST_FAIL_USAGE, "there can be 1 to %d threads", HOST_THREADS_MAX);
    g = calloc(1, sizeof *g + threads * sizeof *g->members);
    if (!g)
        return host_fail(err, HOST_FAIL_OTHER, "out of memory");
    g->count = threads;
    failure =
        threads == 1 ? host_open(options, &g->members[0].host, err) : open_members(g, options, err);
    g->members[0].group = g;
    if (failure) {
        host_group_close(g);
        return failure;
    }
    *out = g;
    return HOST_OK;
}

void host_group_close(struct host_group *g)
{
    for (unsigned i = 0; g && i < g->count; i++)
        host_close(g->members[i].host);
    free(g);
}

unsigned host_group_count(const struct host_group *g)
{
    return g->count;
}

struct host *host_group_at(struct host_group *g, unsigned i)
{
    return g->members[i].host;
}

int host_group_listen(struct host_group *g, const struct plait_endpoint *local,
                      const struct plait_options *options, struct plait_listener **out,
                      struct host_error *err)
{
    int failure = HOST_OK;

    /* Held by all first: no connection may be taken by a thread that the packets
     * after it do not go to. */
    for (unsigned i = 0; i < g->count && !failure; i++)
        failure = ports_hold(g->members[i].host, local->port, err);
    for (unsigned i = 0; i < g->count && !failure; i++)
        failure = host_listen(g->members[i].host, local, options, &out[i], err);
    return failure;
}

/* ---- running ------------------------------------------------------------------- */

void group_signal(struct host_group *g, const struct host *from, int signal)
{
    const uint64_t one = 1;

    atomic_store(&g->signal, signal);
    for (unsigned i = 0; i < g->count; i++) {
        const struct host *h = g->members[i].host;
        if (h != from && h->wake_fd >= 0 && write(h->wake_fd, &one, sizeof one) < 0)
            abort(); /* an eventfd takes 2^64 - 2 of them */
    }
}

int group_signalled(struct host_group *g)
{
    return atomic_load(&g->signal);
}

static void *member_run(void *arg)
{
    struct member *m = arg;
    struct host_group *g = m->group;
    int none = HOST_OK, failure = g->fn(g->ctx, m->host, (unsigned)(m - g->members));

    if (failure && atomic_compare_exchange_strong(&g->failure, &none, failure))
        group_signal(g, m->host, SIGTERM);
    return NULL;
}

int host_group_run(struct host_group *g, host_thread_fn *fn, void *ctx)
{
    unsigned started = 1;
    int error = 0;

    g->fn = fn;
    g->ctx = ctx;
    atomic_store(&g->failure, HOST_OK);
    while (started < g->count && !error) {
        struct member *m = &g->members[started];
        error = pthread_create(&m->thread, NULL, member_run, m);
        started += !error;
    }
    if (error) {
        atomic_store(&g->failure, HOST_FAIL_OTHER);
        group_signal(g, NULL, SIGTERM);
    } else {
        member_run(&g->members[0]);
    }
    for (unsigned i = 1; i < started; i++)
        pthread_join(g->members[i].thread, NULL);
    return atomic_load(&g->failure);
}
