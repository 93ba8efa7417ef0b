/* SPDX-License-Identifier: MIT */
#include "io/route.h"

#include <errno.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

#include "base/addr.h"

/* ---- questions to the kernel ------------------------------------------------ */

struct lookup {
    const struct plait_addr *dst, *src; /* src NULL: open */
    uint32_t oif;                       /* 0: open */
    uint32_t flags;                     /* RTM_F_* */
};

struct answer {
    uint32_t oif;
    uint8_t type; /* RTN_* */
    bool has_gateway, has_source;
    struct plait_addr gateway, source;
};

static int read_route(const struct nlmsghdr *message, void *ctx)
{
    struct answer *a = ctx;
    const struct rtmsg *info = mnl_nlmsg_get_payload(message);
    const struct nlattr *attrs[RTA_VIA + 1];

    if (message->nlmsg_type != RTM_NEWROUTE)
        return MNL_CB_OK;
    netlink_attrs(message, sizeof *info, attrs, RTA_VIA + 1);
    a->type = info->rtm_type;
    if (attrs[RTA_OIF])
        a->oif = mnl_attr_get_u32(attrs[RTA_OIF]);
    a->has_gateway = netlink_get_addr(attrs[RTA_GATEWAY], info->rtm_family, &a->gateway);
    a->has_source = netlink_get_addr(attrs[RTA_PREFSRC], info->rtm_family, &a->source);
    if (attrs[RTA_VIA]) { /* IPv4 by way of an IPv6 router (RFC 5549) */
        const struct rtvia *via = mnl_attr_get_payload(attrs[RTA_VIA]);
        size_t len = mnl_attr_get_payload_len(attrs[RTA_VIA]);
        if (len == sizeof *via + 16 && via->rtvia_family == AF_INET6) {
            a->gateway = addr_v6(via->rtvia_addr);
            a->has_gateway = true;
        }
    }
    return MNL_CB_OK;
}

static int ask_route(struct netlink *nl, const struct lookup *l, struct answer *a)
{
    struct nlmsghdr *request = netlink_request(nl, RTM_GETROUTE, 0);
    struct rtmsg *info = mnl_nlmsg_put_extra_header(request, sizeof *info);

    memset(a, 0, sizeof *a);
    info->rtm_family = netlink_family(l->dst);
    info->rtm_dst_len = l->dst->family == PLAIT_IPV4 ? 32 : 128;
    info->rtm_flags = l->flags;
    netlink_put_addr(request, RTA_DST, l->dst);
    if (l->src) {
        info->rtm_src_len = info->rtm_dst_len;
        netlink_put_addr(request, RTA_SRC, l->src);
    }
    if (l->oif)
        mnl_attr_put_u32(request, RTA_OIF, l->oif);
    return netlink_ask(nl, request, read_route, a);
}

struct owner_search {
    const struct plait_addr *addr;
    uint32_t ifindex;
};

static int read_owner(const struct nlmsghdr *message, void *ctx)
{
    struct owner_search *s = ctx;
    const struct ifaddrmsg *info = mnl_nlmsg_get_payload(message);
    const struct nlattr *attrs[IFA_LOCAL + 1];
    struct plait_addr addr;

    if (message->nlmsg_type != RTM_NEWADDR)
        return MNL_CB_OK;
    netlink_attrs(message, sizeof *info, attrs, IFA_LOCAL + 1);
    if ((netlink_get_addr(attrs[IFA_LOCAL], info->ifa_family, &addr) ||
         netlink_get_addr(attrs[IFA_ADDRESS], info->ifa_family, &addr)) &&
        addr_equal(&addr, s->addr))
        s->ifindex = info->ifa_index;
    return MNL_CB_OK;
}

/* The interface that has this address; 0: none. */
static uint32_t ask_owner(struct netlink *nl, const struct plait_addr *addr)
{
    struct nlmsghdr *request = netlink_request(nl, RTM_GETADDR, NLM_F_DUMP);
    struct owner_search search = {addr, 0};
    struct ifaddrmsg *info = mnl_nlmsg_put_extra_header(request, sizeof *info);

    info->ifa_family = netlink_family(addr);
    netlink_ask(nl, request, read_owner, &search);
    return search.ifindex;
}

struct device {
    uint16_t type; /* ARPHRD_* */
    uint32_t flags;
    uint8_t lladdr[6];
    bool lladdr_known;
};

static int read_device(const struct nlmsghdr *message, void *ctx)
{
    struct device *d = ctx;
    const struct ifinfomsg *info = mnl_nlmsg_get_payload(message);
    const struct nlattr *attrs[IFLA_ADDRESS + 1];

    netlink_attrs(message, sizeof *info, attrs, IFLA_ADDRESS + 1);
    d->type = info->ifi_type;
    d->flags = info->ifi_flags;
    if (attrs[IFLA_ADDRESS] && mnl_attr_get_payload_len(attrs[IFLA_ADDRESS]) == sizeof d->lladdr) {
        memcpy(d->lladdr, mnl_attr_get_payload(attrs[IFLA_ADDRESS]), sizeof d->lladdr);
        d->lladdr_known = true;
    }
    return MNL_CB_OK;
}

static void ask_device(struct netlink *nl, struct route *r)
{
    struct nlmsghdr *request = netlink_request(nl, RTM_GETLINK, 0);
    struct ifinfomsg *info = mnl_nlmsg_put_extra_header(request, sizeof *info);
    struct device d = {0};

    info->ifi_index = (int)r->ifindex;
    if (netlink_ask(nl, request, read_device, &d) < 0)
        r->way = ROUTE_NONE;
    else if (d.flags & IFF_LOOPBACK)
        r->way = ROUTE_KERNEL;
    else if (d.type == ARPHRD_ETHER && d.lladdr_known)
        r->way = ROUTE_ETHERNET;
    else if (d.type == ARPHRD_NONE || d.type == ARPHRD_RAWIP)
        r->way = ROUTE_BARE;
    else /* headers unknown here, or room for them that raw sockets must not fill */
        r->way = ROUTE_KERNEL;
    memcpy(r->device_lladdr, d.lladdr, sizeof r->device_lladdr);
}

/* ---- neighbours -------------------------------------------------------------- */

static void set_neighbour(struct route *r, uint16_t state, const struct nlattr *lladdr)
{
    const uint16_t valid =
        NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE | NUD_PROBE | NUD_STALE | NUD_DELAY;

    r->lladdr_known = false;
    r->lladdr_aging = state & (NUD_STALE | NUD_DELAY | NUD_PROBE);
    if ((state & valid) && lladdr && mnl_attr_get_payload_len(lladdr) == sizeof r->lladdr) {
        memcpy(r->lladdr, mnl_attr_get_payload(lladdr), sizeof r->lladdr);
        r->lladdr_known = true;
    }
}

static int read_neighbour(const struct nlmsghdr *message, void *ctx)
{
    const struct ndmsg *info = mnl_nlmsg_get_payload(message);
    const struct nlattr *attrs[NDA_LLADDR + 1];

    if (message->nlmsg_type == RTM_NEWNEIGH) {
        netlink_attrs(message, sizeof *info, attrs, NDA_LLADDR + 1);
        set_neighbour(ctx, info->ndm_state, attrs[NDA_LLADDR]);
    }
    return MNL_CB_OK;
}

static void ask_neighbour(struct netlink *nl, struct route *r)
{
    struct nlmsghdr *request = netlink_request(nl, RTM_GETNEIGH, 0);
    struct ndmsg *info = mnl_nlmsg_put_extra_header(request, sizeof *info);

    info->ndm_family = netlink_family(&r->next_hop);
    info->ndm_ifindex = (int)r->ifindex;
    netlink_put_addr(request, NDA_DST, &r->next_hop);
    netlink_ask(nl, request, read_neighbour, r); /* unknown: stays so */
}

/* ---- the decision ------------------------------------------------------------ */

/* Does this interface have a route of its own to dst? Asked for an interface,
 * IPv4 lookups succeed without one as if everything were on the link, unless
 * the matching entry is demanded; IPv6 lookups insist on the interface only
 * while the source is open. */
static bool ask_route_by(struct netlink *nl, const struct plait_addr *src,
                         const struct plait_addr *dst, uint32_t ifindex, struct answer *a)
{
    bool ip4 = dst->family == PLAIT_IPV4;
    struct lookup l = {.dst = dst, .src = ip4 ? src : NULL, .oif = ifindex};

    if (ip4) {
        l.flags = RTM_F_FIB_MATCH;
        if (ask_route(nl, &l, a) < 0)
            return false;
        l.flags = 0;
    }
    return ask_route(nl, &l, a) == 0 && a->oif == ifindex && a->type == RTN_UNICAST;
}

static void route_resolve(struct netlink *nl, struct route *r)
{
    struct lookup by_rules = {.dst = &r->dst, .src = &r->src};
    struct answer a, own;
    bool routed = ask_route(nl, &by_rules, &a) == 0;
    uint32_t owner = 0;

    r->way = ROUTE_NONE;
    if (routed && a.type == RTN_LOCAL) {
        r->way = ROUTE_KERNEL;
        r->ifindex = 0;
        return;
    }
    owner = ask_owner(nl, &r->src);
    if (owner && !(routed && a.oif == owner) && ask_route_by(nl, &r->src, &r->dst, owner, &own)) {
        a = own;
        routed = true;
    }
    if (!routed || a.type != RTN_UNICAST)
        return;
    r->ifindex = a.oif;
    ask_device(nl, r);
    r->next_hop = a.has_gateway ? a.gateway : r->dst;
    if (r->way == ROUTE_ETHERNET)
        ask_neighbour(nl, r);
}

struct route *route_find(struct routes *r, const struct plait_addr *src,
                         const struct plait_addr *dst)
{
    struct plait_addr pair[2] = {*src, *dst};
    struct route *slot = &r->slots[siphash(&r->key, pair, sizeof pair) % ROUTE_SLOTS];

    if (slot->known && addr_equal(&slot->src, src) && addr_equal(&slot->dst, dst))
        return slot;
    *slot = (struct route){.src = *src, .dst = *dst, .known = true};
    route_resolve(&r->ask, slot);
    return slot;
}

int route_source(const struct plait_addr *dst, struct plait_addr *out)
{
    struct netlink *nl = malloc(sizeof *nl);
    struct answer a;
    int err = -ENOMEM;

    if (!nl)
        return err;
    err = netlink_open(nl);
    if (!err) {
        err = ask_route(nl, &(struct lookup){.dst = dst}, &a);
        netlink_close(nl);
    }
    free(nl);
    if (err)
        return err;
    if (!a.has_source)
        return -ENETUNREACH;
    *out = a.source;
    return 0;
}

bool route_leads(const struct plait_addr *src, const struct plait_addr *dst)
{
    struct netlink *nl = malloc(sizeof *nl);
    struct answer a;
    bool leads = false;

    if (nl && netlink_open(nl) == 0) {
        uint32_t owner = ask_owner(nl, src);
        bool ruled = ask_route(nl, &(struct lookup){.dst = dst, .src = src}, &a) == 0;
        leads = owner && ((ruled && a.oif == owner && a.type == RTN_UNICAST) ||
                          ask_route_by(nl, src, dst, owner, &a));
        netlink_close(nl);
    }
    free(nl);
    return leads;
}

/* ---- changes ------------------------------------------------------------------ */

int routes_open(struct routes *r)
{
    static const unsigned groups[] = {RTNLGRP_LINK,        RTNLGRP_NEIGH,       RTNLGRP_IPV4_ROUTE,
                                      RTNLGRP_IPV6_ROUTE,  RTNLGRP_IPV4_RULE,   RTNLGRP_IPV6_RULE,
                                      RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR, 0};
    int err;

    memset(r, 0, sizeof *r);
    if (getrandom(&r->key, sizeof r->key, 0) != sizeof r->key)
        return -errno;
    r->events = netlink_listen(groups);
    err = r->events ? netlink_open(&r->ask) : -errno;
    if (err)
        routes_close(r);
    return err;
}

void routes_close(struct routes *r)
{
    netlink_close(&r->ask);
    if (r->events)
        mnl_socket_close(r->events);
    r->events = NULL;
}

int routes_fd(const struct routes *r)
{
    return mnl_socket_get_fd(r->events);
}

static void forget_all(struct routes *r)
{
    for (unsigned i = 0; i < ROUTE_SLOTS; i++)
        r->slots[i].known = false;
}

static void neighbour_changed(struct routes *r, const struct nlmsghdr *message)
{
    const struct ndmsg *info = mnl_nlmsg_get_payload(message);
    const struct nlattr *attrs[NDA_LLADDR + 1];
    struct plait_addr addr;

    netlink_attrs(message, sizeof *info, attrs, NDA_LLADDR + 1);
    if (!netlink_get_addr(attrs[NDA_DST], info->ndm_family, &addr))
        return;
    for (unsigned i = 0; i < ROUTE_SLOTS; i++) {
        struct route *slot = &r->slots[i];
        if (!slot->known || slot->way != ROUTE_ETHERNET ||
            slot->ifindex != (uint32_t)info->ndm_ifindex || !addr_equal(&slot->next_hop, &addr))
            continue;
        if (message->nlmsg_type == RTM_DELNEIGH)
            slot->lladdr_known = false;
        else
            set_neighbour(slot, info->ndm_state, attrs[NDA_LLADDR]);
    }
}

struct change {
    struct routes *routes;
    bool links;
};

static int read_change(const struct nlmsghdr *message, void *ctx)
{
    struct change *c = ctx;

    switch (message->nlmsg_type) {
    case RTM_NEWNEIGH:
    case RTM_DELNEIGH:
        neighbour_changed(c->routes, message);
        break;
    case RTM_NEWLINK:
    case RTM_DELLINK:
        c->links = true;
        forget_all(c->routes);
        break;
    default:
        forget_all(c->routes);
    }
    return MNL_CB_OK;
}

bool routes_changed(struct routes *r)
{
    struct change change = {r, false};
    char buf[8192];
    ssize_t n;

    while ((n = mnl_socket_recvfrom(r->events, buf, sizeof buf)) >= 0 || errno == ENOBUFS ||
           errno == ENOSPC) {
        if (n >= 0 && mnl_cb_run(buf, (size_t)n, 0, 0, read_change, &change) >= 0)
            continue;
        change.links = true; /* something was lost: believe nothing */
        forget_all(r);
    }
    return change.links;
}

struct switch_ports {
    uint32_t *ifindexes;
    unsigned count, max;
};

static int read_switch_port(const struct nlmsghdr *message, void *ctx)
{
    static const char *const kinds[] = {"bridge", "bond", "team"};
    struct switch_ports *s = ctx;
    const struct ifinfomsg *info = mnl_nlmsg_get_payload(message);
    const struct nlattr *attrs[IFLA_LINKINFO + 1], *nested[IFLA_INFO_SLAVE_KIND + 1];

    netlink_attrs(message, sizeof *info, attrs, IFLA_LINKINFO + 1);
    if (message->nlmsg_type != RTM_NEWLINK || !attrs[IFLA_LINKINFO])
        return MNL_CB_OK;
    netlink_nested(attrs[IFLA_LINKINFO], nested, IFLA_INFO_SLAVE_KIND + 1);
    if (!nested[IFLA_INFO_SLAVE_KIND] || s->count == s->max)
        return MNL_CB_OK;
    for (unsigned i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(mnl_attr_get_str(nested[IFLA_INFO_SLAVE_KIND]), kinds[i]) == 0)
            s->ifindexes[s->count++] = (uint32_t)info->ifi_index;
    return MNL_CB_OK;
}

unsigned route_switch_ports(struct routes *r, uint32_t *ifindexes, unsigned max)
{
    struct nlmsghdr *request = netlink_request(&r->ask, RTM_GETLINK, NLM_F_DUMP);
    struct switch_ports ports = {ifindexes, 0, max};

    mnl_nlmsg_put_extra_header(request, sizeof(struct ifinfomsg));
    netlink_ask(&r->ask, request, read_switch_port, &ports);
    return ports.count;
}
