/* SPDX-License-Identifier: MIT
 *
 * Opening and closing a host, and one turn of its loop:
 *
 *   settle (who is ready, what is to be sent) - wait - read the clock -
 *   descriptors - packets in - engine's timers - ours - settle
 *
 * Nothing is kept outside this process: sockets, held ports and a TUN device
 * go with their descriptors, so there is nothing to repair after SIGKILL.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "host/fail.h"
#include "host/state.h"

enum {
    PORTS_DEFAULT = 32,
    READY_BUDGET = 1024,
    SETTLE_ROUNDS = 4,          /* callbacks before the network gets its turn */
    SEND_BUDGET = 4,            /* batches */
    RECEIVE_BUDGET = 64,        /* batches, */
    RECEIVE_BYTES = 256 * 1024, /* but no more once they brought so much */
    BLOCKED_US = 1000           /* while the driver takes nothing, engine time may be this coarse */
};

void host_options_default(struct host_options *options)
{
    memset(options, 0, sizeof *options);
    plait_config_default(&options->engine);
    memset(options->engine.secret, 0, sizeof options->engine.secret);
}

/* ---- opening ------------------------------------------------------------------- */

static int open_engine(struct host *h, const struct host_options *options, struct host_error *err)
{
    static const uint8_t none[sizeof options->engine.secret];
    struct plait_config config = options->engine;
    int error;

    if (memcmp(config.secret, none, sizeof none) == 0 &&
        getrandom(config.secret, sizeof config.secret, 0) != sizeof config.secret)
        return host_fail(err, HOST_FAIL_OTHER, "no random numbers: %s", strerror(errno));
    if (!config.allocator.alloc)
        config.allocator = loop_heap;
    if (options->events_path) {
        error = event_file_open(&h->events, options->events_path, &config.sink);
        if (error)
            return fail_file(err, "events", options->events_path, error);
        event_file_driver(&h->events, h->now_us, h->driver_name, h->driver_why);
        config.sink = (struct plait_event_sink){&h->events, event_file_emit};
    }
    if (!config.plugins.scheduler && !config.plugins.cc && !config.plugins.path_manager) {
        h->plugs = plugs_new(options->plug_told, options->plug_ctx);
        if (!h->plugs)
            return fail_engine(err, PLAIT_E_NO_MEMORY, NULL);
        config.plugins = plugs_finder(h->plugs);
    }
    error = plait_stack_new(&config, h->now_us, &h->stack);
    return error ? fail_engine(err, error, NULL) : HOST_OK;
}

static bool wants_fault(const struct io_fault_config *f)
{
    return f->rx_drop_ppm || f->rx_dup_ppm || f->tx_drop_ppm || f->tx_dup_ppm;
}

static int decorate(struct host *h, const struct host_options *options, struct host_error *err)
{
    struct io_driver *outer;
    int error;

    if (wants_fault(&options->fault)) {
        error = io_fault_open(h->driver, &options->fault, &outer);
        if (error)
            return fail_driver(err, "fault", error);
        h->driver = outer;
    }
    if (options->pcap_path) {
        error = io_capture_open(h->driver, options->pcap_path, loop_realtime(), &outer);
        if (error)
            return fail_file(err, "capture", options->pcap_path, error);
        h->driver = outer;
    }
    return HOST_OK;
}

static void on_packets(void *ctx, int fd, unsigned events)
{
    struct host *h = ctx;

    if (events & (HOST_IN | HOST_HUP))
        h->packets_waiting = true;
    if (events & HOST_OUT)
        loop_watch(&h->loop, fd, HOST_IN, on_packets, h);
}

static void on_signal(void *ctx, int fd, unsigned events)
{
    struct host *h = ctx;
    struct signalfd_siginfo info;

    (void)events;
    while (read(fd, &info, sizeof info) == sizeof info) {
        h->signal = (int)info.ssi_signo;
        h->signal_count++;
        if (h->group)
            group_signal(h->group, h, h->signal);
    }
}

static void on_wake(void *ctx, int fd, unsigned events)
{
    struct host *h = ctx;
    uint64_t count;

    (void)events;
    if (read(fd, &count, sizeof count) != sizeof count)
        return;
    h->signal = group_signalled(h->group);
    h->signal_count += (unsigned)count;
}

static int open_wake(struct host *h)
{
    h->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    return h->wake_fd < 0 ? -errno : loop_watch(&h->loop, h->wake_fd, HOST_IN, on_wake, h);
}

static int open_signals(struct host *h)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    h->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    if (h->signal_fd < 0)
        return -errno;
    sigprocmask(SIG_BLOCK, &set, &h->signals_before);
    return loop_watch(&h->loop, h->signal_fd, HOST_IN, on_signal, h);
}

static int open_descriptors(struct host *h, const struct host_options *options,
                            struct host_error *err)
{
    int error = 0;

    for (unsigned i = 0; i < h->driver->fd_count && !error; i++)
        error = loop_watch(&h->loop, h->driver->fds[i], HOST_IN, on_packets, h);
    if (options->signals && !error)
        error = open_signals(h);
    if (h->group && !error)
        error = open_wake(h);
    return error ? host_fail(err, HOST_FAIL_OTHER, "the event loop: %s", strerror(-error))
                 : HOST_OK;
}

int host_open(const struct host_options *options, struct host **out, struct host_error *err)
{
    return host_open_on(options, NULL, NULL, out, err);
}

int host_open_on(const struct host_options *options, struct io_driver *driver,
                 struct host_group *group, struct host **out, struct host_error *err)
{
    struct host *h = calloc(1, sizeof *h);
    int failure;

    if (!h) {
        if (driver)
            driver->ops->close(driver);
        return host_fail(err, HOST_FAIL_OTHER, "out of memory");
    }
    h->signal_fd = h->wake_fd = -1;
    h->driver = driver;
    h->group = group;
    h->driver_name = driver_choose(options, &h->driver_why);
    failure = loop_open(&h->loop) < 0
                  ? host_fail(err, HOST_FAIL_OTHER, "the event loop: %s", strerror(errno))
                  : HOST_OK;
    h->now_us = loop_clock();
    h->loop.busy = options->busy_poll;
    if (!failure && !driver)
        failure = driver_open(options, &h->driver, err);
    if (!failure)
        failure = decorate(h, options, err);
    if (!failure)
        failure = open_engine(h, options, err);
    if (!failure)
        failure = open_descriptors(h, options, err);
    if (!failure)
        failure = locals_open(h, options, err);
    if (!failure)
        failure = ports_announced(h, err);
    if (!failure)
        failure = ports_add(h, options->ports ? options->ports : PORTS_DEFAULT, err);
    if (failure) {
        host_close(h);
        return failure;
    }
    *out = h;
    return HOST_OK;
}

void host_close(struct host *h)
{
    if (!h)
        return;
    locals_close(h);
    unsent_free(&h->unsent);
    if (h->stack) /* before the driver: it holds the driver's chunks */
        plait_stack_free(h->stack);
    plugs_free(h->plugs);
    if (h->driver)
        h->driver->ops->close(h->driver);
    event_file_close(&h->events);
    if (h->signal_fd >= 0) {
        close(h->signal_fd);
        sigprocmask(SIG_SETMASK, &h->signals_before, NULL);
    }
    if (h->wake_fd >= 0)
        close(h->wake_fd);
    loop_close(&h->loop);
    free(h);
}

/* ---- one turn -------------------------------------------------------------------- */

/* Send what waits; remember whether there is more, or wait for room. */
static void send_packets(struct host *h)
{
    struct io_driver *driver = h->driver;

    h->more_to_send = false;
    if (!unsent_retry(&h->unsent, driver, h->now_us))
        goto blocked;
    for (unsigned batch = 0; batch < SEND_BUDGET; batch++) {
        unsigned count = 0, taken;
        while (count < IO_BATCH && plait_stack_tx(h->stack, h->now_us, &h->tx[count]))
            count++;
        if (count == 0)
            return;
        taken = driver->ops->send(driver, h->tx, count, h->now_us);
        if (taken < count) {
            unsent_keep(&h->unsent, h->tx + taken, count - taken);
            goto blocked;
        }
        if (count < IO_BATCH)
            return;
    }
    h->more_to_send = true;
    return;
blocked:
    loop_watch(&h->loop, driver->blocked_fd, HOST_IN | HOST_OUT, on_packets, h);
}

/* Tell the application what became ready; returns how much did. */
static unsigned tell(struct host *h)
{
    struct plait_conn *conn;
    struct plait_listener *listener;
    unsigned count = 0;

    while (count < READY_BUDGET && plait_stack_ready(h->stack, &conn, &listener)) {
        if (conn && h->callbacks.conn)
            h->callbacks.conn(h->callbacks.ctx, conn);
        else if (listener && h->callbacks.listener)
            h->callbacks.listener(h->callbacks.ctx, listener);
        count++;
    }
    return count;
}

/* What is sent makes room, and the application may fill it at once: a few
 * times, then packets that came get their turn. */
static void settle(struct host *h)
{
    unsigned told = 0;

    for (unsigned i = 0; i < SETTLE_ROUNDS; i++) {
        told = tell(h);
        send_packets(h);
        if (told == 0)
            break;
    }
    if (told)
        h->more_to_send = true;
}

/* What waits, if it is not much: the ACKs of many connections come in many
 * packets, and if as many were left to wait as go out in a turn, every round
 * trip would grow by theirs. Of what is large one batch, while it is in the cache. */
static void receive_packets(struct host *h)
{
    uint64_t bytes = 0;

    for (unsigned batch = 0; batch < RECEIVE_BUDGET && bytes < RECEIVE_BYTES; batch++) {
        unsigned count = h->driver->ops->receive(h->driver, h->rx, IO_BATCH, h->now_us);
        for (unsigned i = 0; i < count; i++) {
            bytes += h->rx[i].len;
            plait_stack_rx(h->stack, &h->rx[i], h->now_us);
        }
        if (count < IO_BATCH || plait_stack_crowded(h->stack))
            break;
    }
}

/* How long nothing needs us, at most max_us. */
static uint64_t idle_us(struct host *h, uint64_t max_us)
{
    uint64_t engine = plait_stack_deadline(h->stack), ours = timers_next(&h->loop.timers);
    uint64_t next, now;

    if (h->more_to_send)
        return 0;
    if (!unsent_empty(&h->unsent) && engine < h->now_us + BLOCKED_US)
        engine = h->now_us + BLOCKED_US;
    next = engine < ours ? engine : ours;
    if (next == UINT64_MAX || max_us == 0)
        return max_us;
    now = loop_clock(); /* work since this turn's reading shortens the wait */
    if (next <= now)
        return 0;
    return next - now < max_us ? next - now : max_us;
}

int host_step(struct host *h, uint64_t max_wait_us)
{
    uint64_t wait_us;
    int error;

    settle(h); /* what was asked for since the last turn */
    wait_us = idle_us(h, max_wait_us);
    if (wait_us && plait_stack_idle(h->stack))
        wait_us = 0; /* a little at a time: packets come first */
    error = loop_wait(&h->loop, wait_us, &h->now_us);
    if (error)
        return error;
    if (h->packets_waiting) {
        h->packets_waiting = false;
        receive_packets(h);
    }
    if (plait_stack_deadline(h->stack) <= h->now_us)
        plait_stack_tick(h->stack, h->now_us);
    loop_timers_run(&h->loop, h->now_us);
    settle(h);
    return 0;
}

bool host_drain(struct host *h, uint64_t max_us)
{
    uint64_t until = loop_clock() + max_us;
    unsigned signals = h->signal_count;
    struct plait_memory memory;

    for (;;) {
        plait_stack_memory(h->stack, &memory);
        if (memory.conns == memory.conns_waiting)
            return true;
        if (h->now_us >= until || h->signal_count > signals)
            return false;
        if (host_step(h, until - h->now_us) < 0)
            return false;
    }
}

/* ---- between steps -------------------------------------------------------------- */

int host_fd(const struct host *h)
{
    return h->loop.epoll_fd;
}

uint64_t host_wait_us(struct host *h)
{
    return idle_us(h, UINT64_MAX);
}

void host_refresh(struct host *h)
{
    h->now_us = loop_clock();
}

void host_flush(struct host *h)
{
    settle(h);
}

void host_set_pause(struct host *h, const struct host_pause *pause)
{
    h->loop.pause = *pause;
}

/* ---- small things ------------------------------------------------------------------ */

struct plait_stack *host_stack(struct host *h)
{
    return h->stack;
}

uint64_t host_now(const struct host *h)
{
    return h->now_us;
}

const struct io_driver *host_driver(const struct host *h)
{
    return h->driver;
}

const char *host_driver_why(const struct host *h)
{
    return h->driver_why;
}

void host_callbacks(struct host *h, const struct host_callbacks *callbacks)
{
    h->callbacks = *callbacks;
}

int host_signal(const struct host *h)
{
    return h->signal;
}

int host_watch(struct host *h, int fd, unsigned events, host_fd_fn *fn, void *ctx)
{
    return loop_watch(&h->loop, fd, events, fn, ctx);
}

struct host_timer *host_timer_new(struct host *h, host_timer_fn *fn, void *ctx)
{
    return loop_timer_new(&h->loop, fn, ctx);
}

void host_timer_set(struct host *h, struct host_timer *t, uint64_t at_us)
{
    loop_timer_set(&h->loop, t, at_us);
}

void host_timer_free(struct host *h, struct host_timer *t)
{
    loop_timer_free(&h->loop, t);
}
