/* SPDX-License-Identifier: MIT
 *
 * What was said of single addresses while the host runs (plait addr): kept
 * beside what interfaces and options say, and put together with it in
 * locals_apply.
 */
#include "base/addr.h"
#include "host/fail.h"
#include "host/state.h"

static struct host_address *said_of(struct locals *l, const struct plait_addr *addr)
{
    for (unsigned i = 0; i < l->said_count; i++)
        if (addr_equal(&l->said[i].addr, addr))
            return &l->said[i];
    return NULL;
}

static const struct plait_local *there(const struct locals *l, const struct plait_addr *addr)
{
    for (unsigned i = 0; i < l->there_count; i++)
        if (addr_equal(&l->there[i].addr, addr))
            return &l->there[i];
    return NULL;
}

void host_address_get(const struct host *h, struct host_address *a)
{
    const struct locals *l = &h->locals;
    const struct plait_local *local = there(l, &a->addr);

    *a = (struct host_address){.addr = a->addr};
    for (unsigned i = 0; i < l->said_count; i++)
        if (addr_equal(&l->said[i].addr, &a->addr))
            *a = l->said[i];
    a->present = local != NULL;
    a->link = local ? local->link : 0;
}

/* An address that is there, and what it is used for in the end. */
static void describe(const struct host *h, const struct plait_local *local,
                     struct host_address *out)
{
    const struct locals *l = &h->locals;

    *out = (struct host_address){.addr = local->addr};
    host_address_get(h, out);
    for (unsigned i = 0; i < l->count; i++) {
        const struct plait_local *used = &l->list[i];
        if (!addr_equal(&used->addr, &local->addr))
            continue;
        out->flags = (used->backup ? HOST_ADDRESS_BACKUP : 0u) |
                     (used->no_subflow ? HOST_ADDRESS_NO_SUBFLOW : 0u) |
                     (used->no_announce ? HOST_ADDRESS_NO_ANNOUNCE : 0u);
        out->port = used->port;
    }
}

unsigned host_addresses(const struct host *h, struct host_address *out, unsigned max)
{
    const struct locals *l = &h->locals;
    unsigned count = 0;

    for (unsigned i = 0; i < l->there_count && count < max; i++)
        describe(h, &l->there[i], &out[count++]);
    for (unsigned i = 0; i < l->said_count && count < max; i++)
        if (!there(l, &l->said[i].addr))
            out[count++] = l->said[i];
    return count;
}

int host_address_set(struct host *h, const struct host_address *a, struct host_error *err)
{
    struct locals *l = &h->locals;
    struct host_address *said = said_of(l, &a->addr);
    uint16_t before = said ? said->port : 0;

    if (!said && l->said_count == HOST_ADDRESSES_MAX)
        return host_fail(err, HOST_FAIL_OTHER, "something is set for %d addresses already",
                         HOST_ADDRESSES_MAX);
    if (a->port && a->port != before) {
        int failure = ports_hold(h, a->port, err);
        if (failure)
            return failure;
    }
    if (before && a->port != before)
        h->driver->ops->release_port(h->driver, before);
    if (!said)
        said = &l->said[l->said_count++];
    *said = (struct host_address){.addr = a->addr, .flags = a->flags, .port = a->port};
    const struct plait_local *local = there(l, &a->addr);
    if (local)
        locals_apply(h, local);
    return HOST_OK;
}
