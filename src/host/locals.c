/* SPDX-License-Identifier: MIT
 *
 * Which of the host's addresses the engine may use: those the user named, or
 * all. A loopback address that nobody named is there to be reached at, and is
 * neither announced nor joined from.
 */
#include <errno.h>
#include <string.h>

#include "base/addr.h"
#include "host/fail.h"
#include "host/state.h"
#include "io/route.h"

static bool named(const struct locals *l, const struct plait_addr *addr)
{
    for (unsigned i = 0; i < l->only_count; i++)
        if (addr_equal(&l->only[i], addr))
            return true;
    return false;
}

static struct plait_local *find(struct plait_local *list, unsigned count,
                                const struct plait_addr *addr)
{
    for (unsigned i = 0; i < count; i++)
        if (addr_equal(&list[i].addr, addr))
            return &list[i];
    return NULL;
}

/* Where something is announced, it alone is. */
static void set_announced(const struct locals *l, struct plait_local *local)
{
    bool found = false;

    for (unsigned i = 0; i < l->announce_count; i++) {
        if (!addr_equal(&l->announce[i].addr, &local->addr))
            continue;
        found = true;
        local->port = l->announce[i].port;
    }
    local->no_announce = (local->no_announce || l->announce_count > 0) && !found;
}

static void add(struct host *h, struct plait_local *local)
{
    struct locals *l = &h->locals;

    set_announced(l, local);
    struct plait_local *known = find(l->list, l->count, &local->addr);

    if (!known && l->count == LOCALS_KEPT_MAX)
        return;
    if (plait_stack_add_addr(h->stack, local, h->now_us) < 0)
        return;
    if (!known)
        known = &l->list[l->count++];
    *known = *local;
}

static void drop(struct host *h, const struct plait_addr *addr)
{
    struct locals *l = &h->locals;
    struct plait_local *known = find(l->list, l->count, addr);

    if (!known)
        return;
    plait_stack_remove_addr(h->stack, addr, h->now_us);
    *known = l->list[--l->count];
}

void locals_apply(struct host *h, const struct plait_local *there)
{
    struct host_address said = {.addr = there->addr};
    struct plait_local local = *there;

    host_address_get(h, &said);
    if (said.flags & HOST_ADDRESS_UNUSED) {
        drop(h, &there->addr);
        return;
    }
    local.backup = local.backup || (said.flags & HOST_ADDRESS_BACKUP);
    local.no_subflow = local.no_subflow || (said.flags & HOST_ADDRESS_NO_SUBFLOW);
    local.no_announce = local.no_announce || (said.flags & HOST_ADDRESS_NO_ANNOUNCE);
    if (said.port)
        local.port = said.port;
    add(h, &local);
}

/* An interface has it; or has it no longer. */
static void came(struct host *h, const struct plait_local *local)
{
    struct locals *l = &h->locals;
    struct plait_local *known = find(l->there, l->there_count, &local->addr);

    if (!known && l->there_count == LOCALS_KEPT_MAX)
        return;
    if (!known)
        known = &l->there[l->there_count++];
    *known = *local;
    locals_apply(h, known);
}

static void went(struct host *h, const struct plait_addr *addr)
{
    struct locals *l = &h->locals;
    struct plait_local *known = find(l->there, l->there_count, addr);

    if (known)
        *known = l->there[--l->there_count];
    drop(h, addr);
}

static void on_change(void *ctx, const struct io_watch_addr *a, bool present)
{
    struct host *h = ctx;
    /* Loopback offers more than the engine's largest packet. */
    uint16_t mtu = a->mtu < PLAIT_PAYLOAD_MAX ? a->mtu : PLAIT_PAYLOAD_MAX;
    struct plait_local local = {.addr = a->addr,
                                .link = a->ifindex,
                                .mtu = mtu,
                                .prefix_len = a->prefix_len};
    bool chosen = named(&h->locals, &a->addr);

    if (h->locals.only_count > 0 && !chosen)
        return;
    local.no_subflow = local.no_announce = a->loopback && !chosen;
    if (present)
        came(h, &local);
    else
        went(h, &a->addr);
}

static void on_watch_readable(void *ctx, int fd, unsigned events)
{
    struct host *h = ctx;

    (void)fd;
    (void)events;
    io_watch_run(h->locals.watch);
}

static int open_tun(struct host *h, const struct io_tun_config *tun, struct host_error *err)
{
    for (unsigned i = 0; i < tun->addr_count; i++)
        came(h, &(struct plait_local){.addr = tun->addrs[i].addr,
                                      .prefix_len = tun->addrs[i].prefix_len,
                                      .mtu = tun->mtu ? tun->mtu : 1500});
    if (h->locals.count < tun->addr_count)
        return host_fail(err, HOST_FAIL_OTHER, "out of memory");
    return HOST_OK;
}

int locals_open(struct host *h, const struct host_options *options, struct host_error *err)
{
    struct locals *l = &h->locals;
    int error;

    memcpy(l->announce, options->announce, sizeof l->announce);
    l->announce_count = options->announce_count;
    if (strcmp(h->driver_name, "tun") == 0)
        return open_tun(h, &options->tun, err);
    if (options->local_count > HOST_LOCALS_MAX)
        return host_fail(err, HOST_FAIL_USAGE, "at most %d local addresses can be named",
                         HOST_LOCALS_MAX);
    memcpy(l->only, options->locals, options->local_count * sizeof *l->only);
    l->only_count = options->local_count;
    error = io_watch_open(on_change, h, &l->watch);
    if (!error)
        error = loop_watch(&h->loop, io_watch_fd(l->watch), HOST_IN, on_watch_readable, h);
    if (error)
        return host_fail(err, HOST_FAIL_OTHER, "cannot read this host's addresses: %s",
                         strerror(-error));
    for (unsigned i = 0; i < l->only_count; i++)
        if (!find(l->list, l->count, &l->only[i]))
            return fail_address(err, &l->only[i]);
    for (unsigned i = 0; i < l->announce_count; i++)
        if (!find(l->list, l->count, &l->announce[i].addr))
            return fail_address(err, &l->announce[i].addr);
    return HOST_OK;
}

void locals_close(struct host *h)
{
    io_watch_close(h->locals.watch);
}

bool locals_have(const struct host *h, const struct plait_addr *addr)
{
    for (unsigned i = 0; i < h->locals.count; i++)
        if (addr_equal(&h->locals.list[i].addr, addr))
            return true;
    return false;
}

bool locals_no_route(const struct host *h, const struct plait_addr *remote)
{
    struct plait_addr unused;

    return h->locals.watch && !locals_have(h, remote) &&
           route_source(remote, &unused) == -ENETUNREACH;
}

bool locals_leads(const struct host *h, const struct plait_addr *local,
                  const struct plait_addr *remote)
{
    return !h->locals.watch || route_leads(local, remote);
}

bool locals_pick(const struct host *h, const struct plait_addr *remote, struct plait_addr *out)
{
    const struct locals *l = &h->locals;
    bool loopback = addr_is_loopback(remote);

    /* Our own address is reached from itself, whatever a route may prefer. */
    if (locals_have(h, remote)) {
        *out = *remote;
        return true;
    }
    if (l->watch && route_source(remote, out) == 0 && locals_have(h, out))
        return true;
    for (unsigned i = 0; i < l->count; i++) {
        *out = l->list[i].addr;
        if (out->family == remote->family && addr_is_loopback(out) == loopback)
            return true;
    }
    return false;
}

unsigned host_locals(const struct host *h, struct plait_local *out, unsigned max)
{
    for (unsigned i = 0; i < h->locals.count && i < max; i++)
        out[i] = h->locals.list[i];
    return h->locals.count;
}
