/* SPDX-License-Identifier: MIT
 *
 * On every notification the whole list of links and addresses is read again
 * and compared with what was reported last. Changes are rare and lists are
 * short; in return a lost notification cannot leave a wrong picture, and
 * there is one way to learn of a change.
 */
#include "io/watch.h"

#include <errno.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "io/netlink.h"

enum { LINKS_MAX = 256, ADDRS_MAX = 256 }; /* more are ignored */

struct link {
    uint32_t ifindex, mtu;
    bool up, loopback;
};

struct picture {
    struct link links[LINKS_MAX];
    unsigned link_count;
    struct io_watch_addr addrs[ADDRS_MAX];
    unsigned addr_count;
};

struct io_watch {
    io_watch_fn *fn;
    void *ctx;
    struct mnl_socket *events;
    struct netlink netlink;
    struct io_watch_addr reported[ADDRS_MAX];
    unsigned reported_count;
    struct picture picture; /* scratch */
};

static int read_link(const struct nlmsghdr *message, void *ctx)
{
    struct picture *p = ctx;
    const struct ifinfomsg *info = mnl_nlmsg_get_payload(message);
    const struct nlattr *attrs[IFLA_MTU + 1];
    struct link *l;

    if (message->nlmsg_type != RTM_NEWLINK || p->link_count == LINKS_MAX)
        return MNL_CB_OK;
    l = &p->links[p->link_count++];
    *l = (struct link){
        .ifindex = (uint32_t)info->ifi_index,
        .up = (info->ifi_flags & IFF_UP) && (info->ifi_flags & IFF_LOWER_UP),
        .loopback = info->ifi_flags & IFF_LOOPBACK,
    };
    netlink_attrs(message, sizeof *info, attrs, IFLA_MTU + 1);
    if (attrs[IFLA_MTU])
        l->mtu = mnl_attr_get_u32(attrs[IFLA_MTU]);
    return MNL_CB_OK;
}

static const struct link *find_link(const struct picture *p, uint32_t ifindex)
{
    for (unsigned i = 0; i < p->link_count; i++)
        if (p->links[i].ifindex == ifindex)
            return &p->links[i];
    return NULL;
}

static int read_addr(const struct nlmsghdr *message, void *ctx)
{
    struct picture *p = ctx;
    const struct ifaddrmsg *info = mnl_nlmsg_get_payload(message);
    const struct link *l = find_link(p, info->ifa_index);
    const struct nlattr *attrs[IFA_FLAGS + 1];
    struct plait_addr addr;
    uint32_t flags = info->ifa_flags;

    if (message->nlmsg_type != RTM_NEWADDR || !l || !l->up || p->addr_count == ADDRS_MAX)
        return MNL_CB_OK;
    netlink_attrs(message, sizeof *info, attrs, IFA_FLAGS + 1);
    /* On a point-to-point link IFA_ADDRESS is the peer's and IFA_LOCAL ours;
     * IPv6 has IFA_LOCAL only in that case. */
    if (!netlink_get_addr(attrs[IFA_LOCAL], info->ifa_family, &addr) &&
        !netlink_get_addr(attrs[IFA_ADDRESS], info->ifa_family, &addr))
        return MNL_CB_OK;
    if (attrs[IFA_FLAGS])
        flags = mnl_attr_get_u32(attrs[IFA_FLAGS]);
    if (addr_is_link_local(&addr) || flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED | IFA_F_DEPRECATED))
        return MNL_CB_OK;
    p->addrs[p->addr_count++] = (struct io_watch_addr){
        .addr = addr,
        .ifindex = info->ifa_index,
        .mtu = (uint16_t)(l->mtu > UINT16_MAX ? UINT16_MAX : l->mtu),
        .prefix_len = info->ifa_prefixlen,
        .loopback = l->loopback && addr_is_loopback(&addr),
    };
    return MNL_CB_OK;
}

static int dump(struct netlink *nl, uint16_t type, mnl_cb_t cb, void *ctx)
{
    struct nlmsghdr *request = netlink_request(nl, type, NLM_F_DUMP);

    mnl_nlmsg_put_extra_header(request, sizeof(struct rtgenmsg));
    return netlink_ask(nl, request, cb, ctx);
}

static int take_picture(struct io_watch *w)
{
    int err;

    do { /* EINTR: it changed while it was read */
        w->picture.link_count = w->picture.addr_count = 0;
        err = dump(&w->netlink, RTM_GETLINK, read_link, &w->picture);
        if (!err)
            err = dump(&w->netlink, RTM_GETADDR, read_addr, &w->picture);
    } while (err == -EINTR);
    return err;
}

static const struct io_watch_addr *find_addr(const struct io_watch_addr *list, unsigned count,
                                             const struct plait_addr *addr)
{
    for (unsigned i = 0; i < count; i++)
        if (addr_equal(&list[i].addr, addr))
            return &list[i];
    return NULL;
}

static bool same(const struct io_watch_addr *a, const struct io_watch_addr *b)
{
    return a->ifindex == b->ifindex && a->mtu == b->mtu && a->prefix_len == b->prefix_len &&
           a->loopback == b->loopback;
}

static void report(struct io_watch *w)
{
    struct picture *p = &w->picture;

    for (unsigned i = 0; i < w->reported_count; i++)
        if (!find_addr(p->addrs, p->addr_count, &w->reported[i].addr))
            w->fn(w->ctx, &w->reported[i], false);
    for (unsigned i = 0; i < p->addr_count; i++) {
        const struct io_watch_addr *a = &p->addrs[i];
        const struct io_watch_addr *old = find_addr(w->reported, w->reported_count, &a->addr);
        if (!old || !same(a, old))
            w->fn(w->ctx, a, true);
    }
    memcpy(w->reported, p->addrs, p->addr_count * sizeof *p->addrs);
    w->reported_count = p->addr_count;
}

int io_watch_open(io_watch_fn *fn, void *ctx, struct io_watch **out)
{
    static const unsigned groups[] = {RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR, 0};
    struct io_watch *w = calloc(1, sizeof *w);
    int err;

    if (!w)
        return -ENOMEM;
    w->fn = fn;
    w->ctx = ctx;
    w->events = netlink_listen(groups); /* first: nothing falls between it and the dump */
    err = w->events ? netlink_open(&w->netlink) : -errno;
    if (!err)
        err = take_picture(w);
    if (err) {
        io_watch_close(w);
        return err;
    }
    report(w);
    *out = w;
    return 0;
}

void io_watch_close(struct io_watch *w)
{
    if (!w)
        return;
    netlink_close(&w->netlink);
    if (w->events)
        mnl_socket_close(w->events);
    free(w);
}

int io_watch_fd(const struct io_watch *w)
{
    return mnl_socket_get_fd(w->events);
}

void io_watch_run(struct io_watch *w)
{
    char buf[8192];
    bool changed = false;

    /* ENOBUFS says that messages were lost: a change like any other. */
    while (mnl_socket_recvfrom(w->events, buf, sizeof buf) >= 0 || errno == ENOBUFS ||
           errno == ENOSPC)
        changed = true;
    if (changed && take_picture(w) == 0)
        report(w);
}
