/* SPDX-License-Identifier: MIT
 *
 * Sockets (include/plait/socket.h) over the packet driver, on the loopback of a
 * network namespace of our own; skipped (77) where none can be made. Nothing
 * here depends on how long something takes: what waits, waits for an event.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/addr.h"
#include "plait/socket.h"

enum { PORT = 7000, BULK = 1 << 20, CLIENTS = 8 };

static const struct plait_endpoint server_at = {{PLAIT_IPV4, {127, 0, 0, 1}}, PORT};

/* ---- a network ----------------------------------------------------------- */

/* Loopback up, with a second and a third address that paths may begin at. */
static bool make_network(void)
{
    struct ifreq lo = {.ifr_name = "lo"};

    if (unshare(geteuid() ? CLONE_NEWUSER | CLONE_NEWNET : CLONE_NEWNET) != 0)
        return false;
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    lo.ifr_flags = IFF_UP | IFF_RUNNING;
    bool good = fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &lo) == 0;
    close(fd);
    return good && system("ip addr add 127.0.0.2/8 dev lo && ip addr add 127.0.0.3/8 dev lo") == 0;
}

static struct plait_host *open_host(bool own_loop)
{
    struct plait_host_options options;
    struct plait_host *host;
    char why[PLAIT_TEXT_MAX] = "";

    plait_host_options_default(&options);
    options.own_loop = own_loop;
    /* Named, so that they are more than addresses to be reached at. */
    for (unsigned i = 0; i < 3; i++)
        options.addrs[i] = (struct plait_addr){PLAIT_IPV4, {127, 0, 0, (uint8_t)(i + 1)}};
    options.addr_count = 3;
    int error = plait_host_open(&options, &host, why);
    if (error)
        print_message("%s\n", why);
    assert_int_equal(error, 0);
    return host;
}

static struct plait_socket *listening(struct plait_host *host)
{
    struct plait_socket *s;
    char why[PLAIT_TEXT_MAX] = "";

    assert_int_equal(plait_socket_open(host, &s), 0);
    assert_int_equal(plait_socket_bind(s, &server_at), 0);
    assert_int_equal(plait_socket_listen(s, 64, why), 0);
    return s;
}

static struct plait_socket *connected(struct plait_host *host, const struct plait_endpoint *to)
{
    struct plait_socket *s;
    char why[PLAIT_TEXT_MAX] = "";

    assert_int_equal(plait_socket_open(host, &s), 0);
    assert_int_equal(plait_socket_connect(s, to, why), 0);
    return s;
}

/* ---- an echo server in a thread ------------------------------------------ */

struct server {
    struct plait_socket *listener;
    unsigned connections;
    pthread_t thread;
};

static void echo(struct plait_socket *s)
{
    static const size_t size = 65536;
    char *buffer = malloc(size);
    int64_t n;

    while (buffer && (n = plait_socket_recv(s, buffer, size)) > 0)
        if (plait_socket_send(s, buffer, (size_t)n) != n)
            break;
    free(buffer);
    plait_socket_close(s);
}

static void *serve(void *ctx)
{
    struct server *server = ctx;

    for (unsigned i = 0; i < server->connections; i++) {
        struct plait_socket *s;
        if (plait_socket_accept(server->listener, &s) != 0)
            abort();
        echo(s);
    }
    return NULL;
}

static void start_server(struct server *server, struct plait_host *host, unsigned connections)
{
    *server = (struct server){.listener = listening(host), .connections = connections};
    assert_int_equal(pthread_create(&server->thread, NULL, serve, server), 0);
}

static void end_server(struct server *server)
{
    pthread_join(server->thread, NULL);
    assert_int_equal(plait_socket_close(server->listener), 0);
}

static uint8_t byte_at(size_t i)
{
    return (uint8_t)(i * 2654435761u >> 13);
}

struct sender {
    struct plait_socket *socket;
    size_t bytes;
    pthread_t thread;
};

static void *send_pattern(void *ctx)
{
    struct sender *s = ctx;
    uint8_t *data = malloc(s->bytes);

    for (size_t i = 0; i < s->bytes; i++)
        data[i] = byte_at(i);
    if (plait_socket_send(s->socket, data, s->bytes) != (int64_t)s->bytes ||
        plait_socket_shutdown(s->socket, PLAIT_SHUT_WR) != 0)
        abort();
    free(data);
    return NULL;
}

/* Send a pattern and read it back, at the same time. */
static bool exchange(struct plait_socket *s, size_t bytes)
{
    struct sender sender = {.socket = s, .bytes = bytes};
    uint8_t buffer[8192];
    size_t got = 0;
    bool good = pthread_create(&sender.thread, NULL, send_pattern, &sender) == 0;
    int64_t n;

    while ((n = plait_socket_recv(s, buffer, sizeof buffer)) > 0)
        for (int64_t i = 0; i < n; i++)
            good = good && buffer[i] == byte_at(got++);
    pthread_join(sender.thread, NULL);
    return good && n == 0 && got == bytes;
}

/* ---- tests --------------------------------------------------------------- */

static void test_bytes_go_there_and_back(void **state)
{
    struct plait_host *host = open_host(false);
    struct server server;
    struct plait_endpoint local, remote;
    (void)state;

    start_server(&server, host, 1);
    struct plait_socket *s = connected(host, &server_at);
    assert_true(exchange(s, BULK));
    assert_int_equal(plait_socket_local(s, &local), 0);
    assert_int_equal(plait_socket_remote(s, &remote), 0);
    assert_true(local.port != 0);
    assert_true(remote.port == PORT && addr_equal(&remote.addr, &server_at.addr));
    assert_int_equal(plait_socket_close(s), 0);
    end_server(&server);
    plait_host_close(host, 1000000);
}

static void *client(void *ctx)
{
    struct plait_socket *s;

    if (plait_socket_open(ctx, &s) != 0 || plait_socket_connect(s, &server_at, NULL) != 0)
        abort();
    bool good = exchange(s, 100000);
    plait_socket_close(s);
    return good ? ctx : NULL;
}

static void test_many_threads_share_a_host(void **state)
{
    struct plait_host *host = open_host(false);
    struct server server;
    pthread_t clients[CLIENTS];
    void *good;
    (void)state;

    start_server(&server, host, CLIENTS);
    for (unsigned i = 0; i < CLIENTS; i++)
        assert_int_equal(pthread_create(&clients[i], NULL, client, host), 0);
    for (unsigned i = 0; i < CLIENTS; i++) {
        pthread_join(clients[i], &good);
        assert_ptr_equal(good, host);
    }
    end_server(&server);
    plait_host_close(host, 1000000);
}

static void test_without_waiting(void **state)
{
    struct plait_host *host = open_host(false);
    struct plait_socket *listener = listening(host), *s, *peer;
    char c;
    (void)state;

    plait_socket_set_int(listener, PLAIT_OPT_NONBLOCK, 1);
    assert_int_equal(plait_socket_accept(listener, &peer), PLAIT_E_AGAIN);
    assert_int_equal(plait_socket_open(host, &s), 0);
    plait_socket_set_int(s, PLAIT_OPT_NONBLOCK, 1);
    assert_int_equal(plait_socket_connect(s, &server_at, NULL), PLAIT_E_AGAIN);
    struct plait_pollfd both[] = {{s, PLAIT_POLL_CONNECTED, 0}, {listener, PLAIT_POLL_READABLE, 0}};
    while (!both[1].revents)
        assert_true(plait_poll(&both[1], 1, UINT64_MAX) > 0);
    assert_true(plait_poll(both, 1, UINT64_MAX) > 0);
    assert_true(both[0].revents & PLAIT_POLL_CONNECTED);
    assert_int_equal(plait_socket_accept(listener, &peer), 0);
    assert_int_equal(plait_socket_recv(s, &c, 1), PLAIT_E_AGAIN);
    assert_int_equal(plait_socket_send(peer, "x", 1), 1);
    struct plait_pollfd one = {s, PLAIT_POLL_READABLE, 0};
    assert_int_equal(plait_poll(&one, 1, UINT64_MAX), 1);
    assert_int_equal(plait_socket_recv(s, &c, 1), 1);
    assert_int_equal(plait_poll(&one, 1, 0), 0);
    plait_socket_close(s);
    plait_socket_close(peer);
    plait_socket_close(listener);
    plait_host_close(host, 1000000);
}

struct loop_state {
    struct plait_socket *listener, *peer, *s;
    unsigned calls;
    char got[8];
    size_t len;
};

static void on_ready(void *ctx, struct plait_socket *s, unsigned poll)
{
    struct loop_state *l = ctx;

    l->calls++;
    if (s == l->listener && poll & PLAIT_POLL_READABLE && !l->peer)
        assert_int_equal(plait_socket_accept(s, &l->peer), 0);
    if (s == l->s && poll & PLAIT_POLL_READABLE) {
        int64_t n = plait_socket_recv(s, l->got + l->len, sizeof l->got - l->len);
        l->len += n > 0 ? (size_t)n : 0;
    }
}

static void test_in_a_loop_of_ones_own(void **state)
{
    struct plait_host *host = open_host(true);
    struct loop_state l = {.listener = listening(host)};
    struct plait_conn_info info;
    (void)state;

    assert_true(plait_host_fd(host) >= 0);
    assert_int_equal(plait_socket_open(host, &l.s), 0);
    for (unsigned i = 0; i < 2; i++)
        plait_socket_set_int(i ? l.s : l.listener, PLAIT_OPT_NONBLOCK, 1);
    assert_int_equal(plait_socket_callback(l.listener, on_ready, &l), 0);
    assert_int_equal(plait_socket_callback(l.s, on_ready, &l), 0);
    assert_int_equal(plait_socket_connect(l.s, &server_at, NULL), PLAIT_E_AGAIN);
    while (!l.peer)
        assert_int_equal(plait_host_run(host, UINT64_MAX), 0);
    assert_int_equal(plait_socket_send(l.peer, "hello", 5), 5);
    while (l.len < 5)
        assert_int_equal(plait_host_run(host, UINT64_MAX), 0);
    assert_memory_equal(l.got, "hello", 5);
    plait_conn_info(plait_socket_conn(l.s), &info);
    assert_int_equal(info.bytes_read, 5);
    plait_socket_close(l.s);
    plait_socket_close(l.peer);
    plait_socket_close(l.listener);
    plait_host_close(host, 1000000);
}

static void test_times_end_waits(void **state)
{
    struct plait_host *host = open_host(false);
    struct plait_socket *listener = listening(host), *s = connected(host, &server_at), *peer;
    static char block[1 << 16];
    char c;
    (void)state;

    plait_socket_set_time(s, PLAIT_OPT_RECV_TIMEOUT, 20000);
    assert_int_equal(plait_socket_recv(s, &c, 1), PLAIT_E_TIMED_OUT);
    assert_int_equal(plait_socket_accept(listener, &peer), 0);
    plait_socket_set_time(s, PLAIT_OPT_SEND_TIMEOUT, 20000);
    int64_t n;
    do /* nobody reads: buffers fill */
        n = plait_socket_send(s, block, sizeof block);
    while (n == sizeof block);
    assert_true(n == PLAIT_E_TIMED_OUT || (n > 0 && n < (int64_t)sizeof block));
    plait_socket_set_time(listener, PLAIT_OPT_RECV_TIMEOUT, 20000);
    struct plait_socket *none;
    assert_int_equal(plait_socket_accept(listener, &none), PLAIT_E_TIMED_OUT);
    plait_socket_set_time(s, PLAIT_OPT_LINGER, 20000);
    assert_int_equal(plait_socket_close(s), PLAIT_E_TIMED_OUT);
    plait_socket_close(peer);
    plait_socket_close(listener);
    plait_host_close(host, 0);
}

static void test_what_goes_wrong_is_said(void **state)
{
    struct plait_host *host = open_host(false);
    struct plait_socket *listener = listening(host), *s;
    struct plait_endpoint nobody = server_at, foreign = {{PLAIT_IPV4, {192, 0, 2, 1}}, 0};
    char why[PLAIT_TEXT_MAX];
    (void)state;

    nobody.port = 9;
    assert_int_equal(plait_socket_open(host, &s), 0);
    assert_int_equal(plait_socket_connect(s, &nobody, why), PLAIT_E_REFUSED);
    assert_non_null(strstr(why, "127.0.0.1"));
    assert_int_equal(plait_socket_connect(s, &server_at, why), PLAIT_E_INVALID);
    assert_non_null(strstr(why, "already"));
    plait_socket_close(s);
    assert_int_equal(plait_socket_open(host, &s), 0);
    assert_int_equal(plait_socket_bind(s, &foreign), 0);
    assert_int_equal(plait_socket_connect(s, &server_at, why), PLAIT_E_NO_ADDRESS);
    assert_non_null(strstr(why, "192.0.2.1"));
    assert_int_equal(plait_socket_send(s, "x", 1), PLAIT_E_NOT_CONNECTED);
    plait_socket_close(s);
    assert_int_equal(plait_socket_open(host, &s), 0);
    assert_int_equal(plait_socket_bind(s, &server_at), 0);
    assert_int_equal(plait_socket_listen(s, 0, why), PLAIT_E_IN_USE);
    assert_int_equal(plait_socket_connect_name(s, "no such name", 80, why), PLAIT_E_UNREACHABLE);
    plait_socket_close(s);
    plait_socket_close(listener);
    plait_host_close(host, 0);
}

/* Every option: what was set comes back, and wrong lengths and times change nothing. */
static void test_options(void **state)
{
    struct plait_host *host = open_host(false);
    struct plait_socket *listener = listening(host), *s, *peer;
    char text[64];
    size_t len;
    int32_t number;
    uint64_t us;
    (void)state;

    assert_int_equal(plait_socket_open(host, &s), 0);
    const enum plait_option numbers[] = {PLAIT_OPT_NODELAY, PLAIT_OPT_FASTOPEN, PLAIT_OPT_VERSION,
                                         PLAIT_OPT_MODE, PLAIT_OPT_MULTIPATH_ENABLE};
    for (unsigned i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        assert_int_equal(plait_socket_set_int(s, numbers[i], 1), 0);
        len = sizeof number;
        assert_int_equal(plait_socket_get(s, numbers[i], &number, &len), 0);
        assert_int_equal(number, 1);
        assert_int_equal(plait_socket_set(s, numbers[i], &number, 1), PLAIT_E_INVALID);
        len = 1;
        assert_int_equal(plait_socket_get(s, numbers[i], &number, &len), PLAIT_E_INVALID);
    }
    plait_socket_set_int(s, PLAIT_OPT_FASTOPEN, 0);
    const enum plait_option times[] = {PLAIT_OPT_SEND_TIMEOUT, PLAIT_OPT_RECV_TIMEOUT,
                                       PLAIT_OPT_BREAK_TIMEOUT, PLAIT_OPT_LINGER};
    for (unsigned i = 0; i < sizeof times / sizeof times[0]; i++) {
        assert_int_equal(plait_socket_set_time(s, times[i], 5000000), 0);
        len = sizeof us;
        assert_int_equal(plait_socket_get(s, times[i], &us, &len), 0);
        assert_int_equal(us, 5000000);
    }
    assert_int_equal(plait_socket_set_int(s, PLAIT_OPT_VERSION, 9), PLAIT_E_INVALID);
    assert_int_equal(plait_socket_set_int(s, PLAIT_OPT_MODE, -1), PLAIT_E_INVALID);
    assert_int_equal(plait_socket_set_int(s, PLAIT_OPT_ERROR, 0), PLAIT_E_INVALID);
    assert_int_equal(plait_socket_set_int(s, PLAIT_OPT_COUNT, 0), PLAIT_E_INVALID);
    assert_int_equal(plait_socket_set_text(s, PLAIT_OPT_CC, "nonesuch"), PLAIT_E_UNKNOWN_NAME);
    assert_int_equal(plait_socket_set_text(s, PLAIT_OPT_CC, "lia"), 0);
    assert_int_equal(plait_socket_set_text(s, PLAIT_OPT_SCHEDULER, "redundant"), 0);
    assert_int_equal(plait_socket_set_text(s, PLAIT_OPT_PATH_MANAGER, "laminar"), 0);
    assert_int_equal(plait_socket_connect(s, &server_at, NULL), 0);
    len = sizeof text;
    assert_int_equal(plait_socket_get(s, PLAIT_OPT_CC, text, &len), 0);
    assert_string_equal(text, "lia");
    assert_int_equal(len, 4);
    len = sizeof text;
    assert_int_equal(plait_socket_get(s, PLAIT_OPT_SCHEDULER, text, &len), 0);
    assert_string_equal(text, "redundant");
    assert_int_equal(plait_socket_set_text(s, PLAIT_OPT_SCHEDULER, "arrival"), 0);
    len = sizeof text;
    assert_int_equal(plait_socket_get(s, PLAIT_OPT_SCHEDULER, text, &len), 0);
    assert_string_equal(text, "arrival");
    assert_int_equal(plait_socket_set_text(s, PLAIT_OPT_PATH_MANAGER, "none"), PLAIT_E_INVALID);
    assert_int_equal(plait_socket_set_int(s, PLAIT_OPT_VERSION, 0), PLAIT_E_INVALID);
    assert_int_equal(plait_socket_set_int(s, PLAIT_OPT_NODELAY, 0), 0);
    assert_int_equal(plait_socket_accept(listener, &peer), 0);
    plait_socket_close(s);
    plait_socket_close(peer);
    plait_socket_close(listener);
    plait_host_close(host, 0);
}

static unsigned pairs_of(struct plait_socket *s, struct plait_pair pairs[8])
{
    size_t len = 8 * sizeof *pairs;

    assert_int_equal(plait_socket_get(s, PLAIT_OPT_MULTIPATH_SUBFLOWS, pairs, &len), 0);
    return (unsigned)(len / sizeof *pairs);
}

/* RFC 6897: the addresses named are used and no others; more come and go. */
static void test_addresses_by_name(void **state)
{
    struct plait_host *host = open_host(false);
    struct plait_socket *listener = listening(host), *s, *peer;
    const struct plait_endpoint second = {{PLAIT_IPV4, {127, 0, 0, 2}}, 0},
                                third = {{PLAIT_IPV4, {127, 0, 0, 3}}, 0};
    struct plait_endpoint two[] = {second, third};
    struct plait_pair pairs[8];
    struct plait_conn_info info;
    int32_t number;
    size_t len = sizeof number;
    (void)state;

    assert_int_equal(plait_socket_open(host, &s), 0);
    assert_int_equal(plait_socket_set(s, PLAIT_OPT_MULTIPATH_ADD, two, sizeof two), 0);
    assert_int_equal(plait_socket_set(s, PLAIT_OPT_MULTIPATH_REMOVE, &third, sizeof third), 0);
    assert_int_equal(plait_socket_set(s, PLAIT_OPT_MULTIPATH_REMOVE, &third, sizeof third),
                     PLAIT_E_INVALID);
    assert_int_equal(plait_socket_set(s, PLAIT_OPT_MULTIPATH_ADD, two, 3), PLAIT_E_INVALID);
    assert_int_equal(plait_socket_connect(s, &server_at, NULL), 0);
    assert_int_equal(plait_socket_accept(listener, &peer), 0);
    assert_int_equal(plait_socket_send(s, "x", 1), 1);
    struct plait_pollfd readable = {peer, PLAIT_POLL_READABLE, 0};
    assert_int_equal(plait_poll(&readable, 1, UINT64_MAX), 1);
    assert_int_equal(pairs_of(s, pairs), 1);
    assert_true(addr_equal(&pairs[0].local.addr, &second.addr));
    assert_int_equal(plait_socket_get(s, PLAIT_OPT_MULTIPATH_ENABLE, &number, &len), 0);
    assert_int_equal(number, 1);
    assert_int_equal(plait_socket_get(s, PLAIT_OPT_MULTIPATH_CONNID, &number, &len), 0);
    assert_int_equal(plait_socket_info(s, &info), 0);
    assert_int_equal((uint32_t)number, info.token);

    /* It answered, so the connection is confirmed and takes joins. */
    char c;
    assert_int_equal(plait_socket_recv(peer, &c, 1), 1);
    assert_int_equal(plait_socket_send(peer, &c, 1), 1);
    assert_int_equal(plait_socket_recv(s, &c, 1), 1);
    assert_int_equal(plait_socket_set(s, PLAIT_OPT_MULTIPATH_ADD, &third, sizeof third), 0);
    struct plait_pollfd any = {s, 0, 0};
    while (pairs_of(s, pairs) < 2)
        plait_poll(&any, 1, 1000);
    assert_true(addr_equal(&pairs[1].local.addr, &third.addr));
    assert_int_equal(plait_socket_set(s, PLAIT_OPT_MULTIPATH_REMOVE, &second, sizeof second), 0);
    while (pairs_of(s, pairs) > 1)
        plait_poll(&any, 1, 1000);
    assert_true(addr_equal(&pairs[0].local.addr, &third.addr));
    assert_int_equal(plait_socket_send(s, "y", 1), 1);
    assert_int_equal(plait_socket_recv(peer, &c, 1), 1);
    assert_int_equal(c, 'y');

    /* Numbers outlive subflows, and what happened has its reasons. */
    struct plait_subflow_info list[8];
    struct plait_event events[PLAIT_HISTORY_MAX];
    assert_int_equal(plait_socket_subflows(s, list, 8), 2);
    assert_true(list[0].closed && list[0].bytes_sent > 0);
    int count = plait_socket_history(s, events, PLAIT_HISTORY_MAX);
    bool closed = false;
    for (int i = 0; i < count; i++)
        closed = closed || (events[i].type == PLAIT_EV_SUBFLOW_CLOSED && events[i].why != 0);
    assert_true(closed);
    plait_socket_close(s);
    plait_socket_close(peer);
    plait_socket_close(listener);
    plait_host_close(host, 0);
}

static void test_plain_tcp_by_wish(void **state)
{
    struct plait_host *host = open_host(false);
    struct plait_socket *listener = listening(host), *s;
    int32_t number;
    size_t len = sizeof number;
    (void)state;

    assert_int_equal(plait_socket_open(host, &s), 0);
    assert_int_equal(plait_socket_set_int(s, PLAIT_OPT_MULTIPATH_ENABLE, 0), 0);
    assert_int_equal(plait_socket_connect(s, &server_at, NULL), 0);
    assert_int_equal(plait_socket_get(s, PLAIT_OPT_MULTIPATH_ENABLE, &number, &len), 0);
    assert_int_equal(number, 0);
    plait_socket_close(s);
    plait_socket_close(listener);
    plait_host_close(host, 0);
}

/* A host that is closed resets what is open: the peer sees an error, not an end. */
static void test_closing_a_host_resets(void **state)
{
    struct plait_host *server = open_host(false), *host = open_host(false);
    struct plait_socket *listener = listening(server), *s = connected(host, &server_at), *peer;
    char c;
    (void)state;

    assert_int_equal(plait_socket_accept(listener, &peer), 0);
    assert_int_equal(plait_socket_send(s, "x", 1), 1);
    assert_int_equal(plait_socket_recv(peer, &c, 1), 1);
    plait_host_close(host, 1000000);
    assert_int_equal(plait_socket_recv(peer, &c, 1), PLAIT_E_RESET);
    plait_socket_close(peer);
    plait_socket_close(listener);
    plait_host_close(server, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes_go_there_and_back),
        cmocka_unit_test(test_many_threads_share_a_host),
        cmocka_unit_test(test_without_waiting),
        cmocka_unit_test(test_in_a_loop_of_ones_own),
        cmocka_unit_test(test_times_end_waits),
        cmocka_unit_test(test_what_goes_wrong_is_said),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_addresses_by_name),
        cmocka_unit_test(test_plain_tcp_by_wish),
        cmocka_unit_test(test_closing_a_host_resets),
    };

    if (!make_network())
        return 77;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
