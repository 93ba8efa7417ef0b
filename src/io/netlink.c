/* SPDX-License-Identifier: MIT */
#include "io/netlink.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

int netlink_open(struct netlink *nl)
{
    nl->sequence = 0;
    nl->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
    if (!nl->socket)
        return -errno;
    if (mnl_socket_bind(nl->socket, 0, MNL_SOCKET_AUTOPID) < 0) {
        int err = -errno;
        netlink_close(nl);
        return err;
    }
    return 0;
}

void netlink_close(struct netlink *nl)
{
    if (nl->socket)
        mnl_socket_close(nl->socket);
    nl->socket = NULL;
}

struct nlmsghdr *netlink_request(struct netlink *nl, uint16_t type, uint16_t flags)
{
    struct nlmsghdr *request = mnl_nlmsg_put_header(nl->buf);

    /* A dump ends with a message of its own; for all else ask for one. */
    request->nlmsg_type = type;
    request->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
    if ((flags & NLM_F_DUMP) != NLM_F_DUMP)
        request->nlmsg_flags |= NLM_F_ACK;
    request->nlmsg_seq = ++nl->sequence;
    return request;
}

int netlink_ask(struct netlink *nl, struct nlmsghdr *request, mnl_cb_t cb, void *data)
{
    unsigned port = mnl_socket_get_portid(nl->socket);
    int left;

    if (mnl_socket_sendto(nl->socket, request, request->nlmsg_len) < 0)
        return -errno;
    do {
        ssize_t n = mnl_socket_recvfrom(nl->socket, nl->buf, sizeof nl->buf);
        if (n < 0)
            return -errno;
        left = mnl_cb_run(nl->buf, (size_t)n, nl->sequence, port, cb, data);
        /* The tail of an answer that was given up, to an earlier question. */
        if (left < 0 && errno == EPROTO)
            left = MNL_CB_OK;
    } while (left > 0);
    return left < 0 ? -errno : 0;
}

struct mnl_socket *netlink_listen(const unsigned *groups)
{
    struct mnl_socket *s = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (!s)
        return NULL;
    if (mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) < 0)
        goto fail;
    for (const unsigned *g = groups; *g; g++) {
        int group = (int)*g;
        if (mnl_socket_setsockopt(s, NETLINK_ADD_MEMBERSHIP, &group, sizeof group) < 0)
            goto fail;
    }
    return s;
fail:;
    int err = errno;
    mnl_socket_close(s);
    errno = err;
    return NULL;
}

struct attr_table {
    const struct nlattr **attrs;
    uint16_t max;
};

static int put_in_table(const struct nlattr *attr, void *ctx)
{
    struct attr_table *table = ctx;
    uint16_t type = mnl_attr_get_type(attr);

    if (type < table->max)
        table->attrs[type] = attr;
    return MNL_CB_OK;
}

void netlink_attrs(const struct nlmsghdr *message, unsigned header_len, const struct nlattr **attrs,
                   uint16_t max)
{
    struct attr_table table = {attrs, max};

    memset(attrs, 0, max * sizeof *attrs);
    mnl_attr_parse(message, header_len, put_in_table, &table);
}

void netlink_nested(const struct nlattr *nest, const struct nlattr **attrs, uint16_t max)
{
    struct attr_table table = {attrs, max};

    memset(attrs, 0, max * sizeof *attrs);
    mnl_attr_parse_nested(nest, put_in_table, &table);
}

uint8_t netlink_family(const struct plait_addr *a)
{
    return a->family == PLAIT_IPV4 ? AF_INET : AF_INET6;
}

void netlink_put_addr(struct nlmsghdr *request, uint16_t type, const struct plait_addr *a)
{
    mnl_attr_put(request, type, a->family == PLAIT_IPV4 ? 4 : 16, a->bytes);
}

bool netlink_get_addr(const struct nlattr *attr, uint8_t af, struct plait_addr *out)
{
    size_t len = af == AF_INET ? 4 : 16;

    if (!attr || (af != AF_INET && af != AF_INET6) || mnl_attr_get_payload_len(attr) != len)
        return false;
    memset(out, 0, sizeof *out);
    out->family = af == AF_INET ? PLAIT_IPV4 : PLAIT_IPV6;
    memcpy(out->bytes, mnl_attr_get_payload(attr), len);
    return true;
}
