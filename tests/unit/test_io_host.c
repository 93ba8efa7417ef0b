/* SPDX-License-Identifier: MIT
 *
 * The host's parts that need no network: descriptors and timers under one
 * epoll, packets kept for a driver that took none, events as JSON.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/addr.h"
#include "host/events.h"
#include "host/loop.h"
#include "host/state.h"
#include "host/unsent.h"

/* ---- loop ------------------------------------------------------------------- */

struct called {
    struct loop *loop;
    int count, fd, forget; /* forget this descriptor when called */
    unsigned events;
};

static void on_fd(void *ctx, int fd, unsigned events)
{
    struct called *c = ctx;

    c->count++;
    c->fd = fd;
    c->events = events;
    if (c->forget >= 0)
        loop_watch(c->loop, c->forget, 0, NULL, NULL);
}

static void descriptors_are_watched(void **state)
{
    struct loop l;
    struct called c = {.loop = &l, .forget = -1};
    uint64_t now;
    int p[2];

    (void)state;
    assert_int_equal(loop_open(&l), 0);
    assert_int_equal(pipe(p), 0);
    assert_int_equal(loop_watch(&l, p[0], HOST_IN, on_fd, &c), 0);
    assert_int_equal(loop_wait(&l, 0, &now), 0);
    assert_int_equal(c.count, 0);
    assert_int_equal(write(p[1], "x", 1), 1);
    assert_int_equal(loop_wait(&l, UINT64_MAX, &now), 0);
    assert_int_equal(c.count, 1);
    assert_int_equal(c.fd, p[0]);
    assert_int_equal(c.events, HOST_IN);
    assert_int_equal(loop_watch(&l, p[1], HOST_OUT, on_fd, &c), 0);
    assert_int_equal(loop_watch(&l, p[0], 0, NULL, NULL), 0);
    assert_int_equal(loop_wait(&l, UINT64_MAX, &now), 0);
    assert_int_equal(c.count, 2);
    assert_int_equal(c.events, HOST_OUT);
    close(p[0]);
    assert_int_equal(loop_wait(&l, UINT64_MAX, &now), 0);
    assert_true(c.events & HOST_HUP);
    loop_close(&l);
    close(p[1]);
}

/* Whoever is called first forgets the other, which must then not be called. */
static void a_forgotten_descriptor_is_not_called(void **state)
{
    struct loop l;
    uint64_t now;
    int a[2], b[2];

    (void)state;
    assert_int_equal(loop_open(&l), 0);
    assert_true(pipe(a) == 0 && pipe(b) == 0);
    struct called for_a = {.loop = &l, .forget = b[0]}, for_b = {.loop = &l, .forget = a[0]};
    loop_watch(&l, a[0], HOST_IN, on_fd, &for_a);
    loop_watch(&l, b[0], HOST_IN, on_fd, &for_b);
    assert_true(write(a[1], "x", 1) == 1 && write(b[1], "x", 1) == 1);
    assert_int_equal(loop_wait(&l, UINT64_MAX, &now), 0);
    assert_int_equal(for_a.count + for_b.count, 1);
    loop_close(&l);
    for (int i = 0; i < 2; i++) {
        close(a[i]);
        close(b[i]);
    }
}

static void plain_files_are_always_ready(void **state)
{
    struct loop l;
    struct called c = {.loop = &l, .forget = -1};
    FILE *f = tmpfile();
    uint64_t now;

    (void)state;
    assert_non_null(f);
    assert_int_equal(loop_open(&l), 0);
    assert_int_equal(loop_watch(&l, fileno(f), HOST_IN, on_fd, &c), 0);
    assert_int_equal(loop_wait(&l, UINT64_MAX, &now), 0);
    assert_int_equal(loop_wait(&l, UINT64_MAX, &now), 0);
    assert_int_equal(c.count, 2);
    loop_watch(&l, fileno(f), 0, NULL, NULL);
    assert_int_equal(loop_wait(&l, 0, &now), 0);
    assert_int_equal(c.count, 2);
    assert_int_equal(loop_watch(&l, 9999, HOST_IN, on_fd, &c), -EBADF);
    loop_close(&l);
    fclose(f);
}

/* ---- one turn ---------------------------------------------------------------- */

/* A driver where packets of one size wait, and nothing can be sent. */
struct waiting {
    struct io_driver driver; /* first */
    unsigned left, taken;
    unsigned held, held_max, asked; /* ports */
    uint32_t len;
    uint8_t bytes[65536];
};

static unsigned waiting_receive(struct io_driver *d, struct plait_packet_rx *out, unsigned max,
                                uint64_t now_us)
{
    struct waiting *w = (struct waiting *)d;
    unsigned n = w->left < max ? w->left : max;

    (void)now_us;
    for (unsigned i = 0; i < n; i++)
        out[i] = (struct plait_packet_rx){.data = w->bytes, .len = w->len};
    w->left -= n;
    w->taken += n;
    return n;
}

static unsigned waiting_send(struct io_driver *d, const struct plait_packet_tx *packets,
                             unsigned count, uint64_t now_us)
{
    (void)d;
    (void)packets;
    (void)now_us;
    return count;
}

/* As if there were descriptors for so many. */
static int waiting_hold(struct io_driver *d, uint16_t *ports, unsigned count)
{
    struct waiting *w = (struct waiting *)d;

    w->asked++;
    if (w->held + count > w->held_max)
        return -EMFILE;
    for (unsigned i = 0; i < count; i++)
        ports[i] = ports[i] ? ports[i] : (uint16_t)(40000 + w->held++);
    return 0;
}

static void waiting_release(struct io_driver *d, uint16_t port)
{
    (void)d;
    (void)port;
}

static void waiting_close(struct io_driver *d)
{
    close(d->fds[0]);
}

static struct host *waiting_open(struct waiting *w, unsigned held_max)
{
    static const struct io_ops ops = {waiting_receive, waiting_send, waiting_hold, waiting_release,
                                      waiting_close};
    struct host_options options;
    struct host_error err;
    struct host *h;

    *w = (struct waiting){.driver = {.ops = &ops, .fd_count = 1, .blocked_fd = -1},
                          .held_max = held_max};
    w->driver.fds[0] = eventfd(1, EFD_NONBLOCK);
    host_options_default(&options);
    assert_int_equal(host_open_on(&options, &w->driver, NULL, &h, &err), HOST_OK);
    return h;
}

/* Packets that one turn takes of `left` that wait. */
static unsigned taken_in_a_turn(unsigned left, uint32_t len)
{
    static struct waiting w; /* large */
    struct host *h = waiting_open(&w, 100);

    w.left = left;
    w.len = len;
    assert_int_equal(host_step(h, 0), 0);
    host_close(h);
    return w.taken;
}

/* Connections that can be opened to one place where so many ports can be held. */
static unsigned connected(struct waiting *w, unsigned held_max, unsigned wanted)
{
    const struct plait_local local = {.addr = {PLAIT_IPV4, {192, 0, 2, 1}}, .mtu = 1500};
    const struct plait_candidate way = {{.addr = local.addr}, {{PLAIT_IPV4, {192, 0, 2, 9}}, 80}};
    struct host *h = waiting_open(w, held_max);
    struct plait_conn *c;
    struct host_error err;
    unsigned n = 0;

    assert_int_equal(plait_stack_add_addr(h->stack, &local, h->now_us), 0);
    while (n < wanted && ports_connect(h, &way, 1, NULL, &c, &err) == HOST_OK)
        n++;
    host_close(h);
    return n;
}

/* A thousand connections ask the driver a few times; and the last ports that there
 * are get used. */
static void the_pool_of_ports_grows_by_doubling(void **state)
{
    static struct waiting w; /* large */

    (void)state;
    assert_int_equal(connected(&w, 5000, 1000), 1000);
    assert_int_equal(w.asked, 6);
    assert_int_equal(connected(&w, 1000, 1001), 1000);
    assert_true(w.asked < 60);
}

/* All of it, up to 64 batches, unless it is large. */
static void a_turn_takes_in_what_waits(void **state)
{
    (void)state;
    assert_int_equal(taken_in_a_turn(3, 60), 3);
    assert_int_equal(taken_in_a_turn(10 * IO_BATCH, 60), 10 * IO_BATCH);
    assert_int_equal(taken_in_a_turn(100 * IO_BATCH, 60), 64 * IO_BATCH);
    assert_int_equal(taken_in_a_turn(100 * IO_BATCH, 60000), IO_BATCH);
    assert_int_equal(taken_in_a_turn(100 * IO_BATCH, 8192), 2 * IO_BATCH);
}

static void on_timer(void *ctx)
{
    ++*(int *)ctx;
}

static void timers_fire_once_when_due(void **state)
{
    int a_fired = 0, b_fired = 0;
    struct loop l;

    (void)state;
    assert_int_equal(loop_open(&l), 0);
    struct host_timer *a = loop_timer_new(&l, on_timer, &a_fired);
    struct host_timer *b = loop_timer_new(&l, on_timer, &b_fired);
    loop_timer_set(&l, a, 100);
    loop_timer_set(&l, b, 50);
    assert_int_equal(timers_next(&l.timers), 50);
    loop_timers_run(&l, 99);
    assert_true(a_fired == 0 && b_fired == 1);
    loop_timers_run(&l, 100);
    loop_timers_run(&l, 1000);
    assert_true(a_fired == 1 && b_fired == 1);
    loop_timer_set(&l, a, 2000);
    loop_timer_set(&l, a, UINT64_MAX);
    loop_timers_run(&l, 3000);
    assert_int_equal(a_fired, 1);
    loop_timer_free(&l, a);
    loop_timer_free(&l, b);
    loop_close(&l);
}

/* ---- unsent ------------------------------------------------------------------ */

struct narrow {
    struct io_driver driver; /* first */
    unsigned room, sent;
    char payload[64];
};

static unsigned narrow_send(struct io_driver *d, const struct plait_packet_tx *packets,
                            unsigned count, uint64_t now_us)
{
    struct narrow *n = (struct narrow *)d;
    unsigned i;

    (void)now_us;
    for (i = 0; i < count && n->room > 0; i++, n->room--) {
        assert_int_equal(packets[i].iov_count, packets[i].payload_len > 0);
        if (packets[i].payload_len)
            memcpy(n->payload, packets[i].iov[0].data, packets[i].payload_len);
        n->sent++;
    }
    return i;
}

static void packets_wait_for_the_driver(void **state)
{
    static const struct io_ops ops = {.send = narrow_send};
    struct narrow narrow = {.driver.ops = &ops};
    struct unsent *u = calloc(1, sizeof *u);
    uint8_t one[] = "multi", two[] = "path";
    struct plait_packet_tx tx[3] = {
        {.payload_len = 9, .iov_count = 2, .iov = {{one, 5}, {two, 4}}}};

    (void)state;
    unsent_keep(u, tx, 3);
    memset(one, 0, sizeof one); /* the engine reuses its memory */
    memset(two, 0, sizeof two);
    assert_false(unsent_retry(u, &narrow.driver, 0));
    narrow.room = 1;
    assert_false(unsent_retry(u, &narrow.driver, 0));
    assert_memory_equal(narrow.payload, "multipath", 9);
    narrow.room = 5;
    assert_true(unsent_retry(u, &narrow.driver, 0));
    assert_true(unsent_empty(u));
    assert_int_equal(narrow.sent, 3);
    unsent_keep(u, tx, 2); /* freed with packets in it */
    unsent_free(u);
    free(u);
}

/* ---- events ------------------------------------------------------------------- */

static void events_are_json(void **state)
{
    struct plait_event e = {.time_us = 7,
                            .type = PLAIT_EV_REINJECTED,
                            .conn_id = 1,
                            .subflow_id = 2,
                            .why = PLAIT_WHY_SUBFLOW_LOST,
                            .arg = {UINT64_MAX, 100, 3, 0}};
    struct plait_event closed = {.type = PLAIT_EV_SUBFLOW_CLOSED, .arg = {(uint64_t)-9, 4}};
    char line[EVENT_LINE_MAX];

    (void)state;
    assert_true(addr_parse("2001:db8::1", &e.local.addr));
    e.local.port = 80;
    event_format(&e, line);
    assert_string_equal(line, "{\"time_us\":7,\"event\":\"reinjected\",\"conn\":1,\"subflow\":2,"
                              "\"local\":\"[2001:db8::1]:80\",\"dsn\":18446744073709551615,"
                              "\"bytes\":100,\"from_subflow\":3,\"reason\":\"subflow_lost\"}");
    event_format(&closed, line);
    assert_string_equal(line, "{\"time_us\":0,\"event\":\"subflow_closed\",\"error\":-9,"
                              "\"rst_reason\":4,\"transient\":0}");
}

static void count_event(void *ctx, const struct plait_event *e)
{
    (void)e;
    ++*(int *)ctx;
}

static void events_go_to_the_file_and_on(void **state)
{
    char path[] = "/tmp/plait-test-events-XXXXXX", text[64] = "";
    struct plait_event e = {.type = PLAIT_EV_CONN_FALLBACK};
    struct event_file f;
    int seen = 0, fd = mkstemp(path);

    (void)state;
    assert_int_equal(event_file_open(&f, path, &(struct plait_event_sink){&seen, count_event}), 0);
    event_file_emit(&f, &e);
    event_file_close(&f);
    assert_int_equal(seen, 1);
    assert_true(read(fd, text, sizeof text - 1) > 0);
    assert_string_equal(text, "{\"time_us\":0,\"event\":\"conn_fallback\"}\n");
    close(fd);
    unlink(path);
    assert_true(event_file_open(&f, "/nonexistent/events", &(struct plait_event_sink){0}) < 0);
}

/* ---- which driver --------------------------------------------------------------- */

static void a_driver_is_chosen_by_what_was_asked_for(void **state)
{
    static const struct {
        const char *named;
        unsigned tun_addrs;
        const char *chosen;
    } rows[] = {{NULL, 0, "packet"}, {"auto", 0, "packet"},   {NULL, 1, "tun"},
                {"auto", 1, "tun"},  {"packet", 0, "packet"}, {"tun", 1, "tun"},
                {"tun", 0, "tun"},   {"nosuch", 1, "nosuch"}};
    struct host_options options;
    const char *why;

    (void)state;
    host_options_default(&options);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        options.driver = rows[i].named;
        options.tun.addr_count = rows[i].tun_addrs;
        assert_string_equal(driver_choose(&options, &why), rows[i].chosen);
        assert_true(strlen(why) > 0);
    }
}

static void impossible_drivers_are_refused(void **state)
{
    struct host_options options;
    struct host_error err;
    struct io_driver *driver;

    (void)state;
    host_options_default(&options);
    options.driver = "nosuch";
    assert_int_equal(driver_open(&options, &driver, &err), HOST_FAIL_USAGE);
    assert_non_null(strstr(err.text, "nosuch"));
    options.driver = "packet";
    options.tun.addr_count = 1;
    assert_int_equal(driver_open(&options, &driver, &err), HOST_FAIL_USAGE);
    assert_non_null(strstr(err.text, "--tun"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(descriptors_are_watched),
        cmocka_unit_test(a_forgotten_descriptor_is_not_called),
        cmocka_unit_test(plain_files_are_always_ready),
        cmocka_unit_test(a_turn_takes_in_what_waits),
        cmocka_unit_test(the_pool_of_ports_grows_by_doubling),
        cmocka_unit_test(timers_fire_once_when_due),
        cmocka_unit_test(packets_wait_for_the_driver),
        cmocka_unit_test(events_are_json),
        cmocka_unit_test(events_go_to_the_file_and_on),
        cmocka_unit_test(a_driver_is_chosen_by_what_was_asked_for),
        cmocka_unit_test(impossible_drivers_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
