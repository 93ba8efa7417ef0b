/* SPDX-License-Identifier: MIT
 *
 * Any bytes as lines on the control socket, to a daemon whose driver takes
 * packets and brings none, with one connection under way: a peer that lies has
 * every request to try. Whatever comes back is one object that says ok or not.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/control.h"
#include "daemon/clients.h"
#include "daemon/state.h"
#include "host/state.h"
#include "tests/fuzz/fuzz.h"

enum { LINE_MAX_BYTES = 4096 };

static unsigned no_receive(struct io_driver *d, struct plait_packet_rx *out, unsigned max,
                           uint64_t now_us)
{
    (void)d, (void)out, (void)max, (void)now_us;
    return 0;
}

static unsigned all_sent(struct io_driver *d, const struct plait_packet_tx *packets, unsigned count,
                         uint64_t now_us)
{
    (void)d, (void)packets, (void)now_us;
    return count;
}

static int any_ports(struct io_driver *d, uint16_t *ports, unsigned count)
{
    static uint16_t next = 40000;
    (void)d;

    for (unsigned i = 0; i < count; i++)
        if (!ports[i])
            ports[i] = next++;
    return 0;
}

static void let_port(struct io_driver *d, uint16_t port)
{
    (void)d, (void)port;
}

static void nothing(struct io_driver *d)
{
    (void)d;
}

static const struct io_ops ops = {no_receive, all_sent, any_ports, let_port, nothing};
static struct io_driver driver = {.ops = &ops, .blocked_fd = -1, .describe = "none"};
static struct daemon daemon_;
static struct carried carried;

static void not_ready(struct carried *c)
{
    (void)c;
}

static void begin(void);

static void again(struct carried *c)
{
    carried_remove(c);
    plait_conn_abort(c->conn, host_now(daemon_.host));
    begin();
}

/* Another connection under the same number would not be: numbers are unique. */
static void begin(void)
{
    const struct plait_endpoint to = {{PLAIT_IPV4, {127, 0, 0, 1}}, 9};
    struct plait_conn *conn;

    carried = (struct carried){.ready = not_ready, .abort = again};
    if (host_connect(daemon_.host, &to, NULL, NULL, &conn, NULL) == HOST_OK)
        carried_add(&daemon_, &carried, conn);
    else
        list_init(&carried.link);
}

static void open_once(void)
{
    struct host_options options;
    struct host_error err;

    if (daemon_.host)
        return;
    host_options_default(&options);
    options.driver = "packet";
    list_init(&daemon_.carried);
    list_init(&daemon_.offered);
    daemon_.hangup_fd = -1;
    if (host_open_on(&options, &driver, NULL, &daemon_.host, &err) != HOST_OK)
        abort();
    begin();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    open_once();
    /* The caller is the first byte's: root, the daemon's user, or somebody else. */
    struct asker asker = {.caller.uid = size && data[0] & 1 ? geteuid() : 12345};

    while (size > 0) {
        const uint8_t *end = memchr(data, '\n', size);
        size_t len = end ? (size_t)(end - data) : size;
        json_t *answer, *request = control_parse((const char *)data, len, &answer);
        if (request)
            answer = request_answer(&daemon_, &asker, request);
        if (!json_is_object(answer) || !json_is_boolean(json_object_get(answer, "ok")))
            abort();
        json_decref(request);
        json_decref(answer);
        data += len + (end != NULL);
        size -= len + (end != NULL);
    }
    plait_stack_check(host_stack(daemon_.host));
    host_step(daemon_.host, 0);
    return 0;
}
