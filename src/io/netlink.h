/* SPDX-License-Identifier: MIT
 *
 * The little of rtnetlink that everything in io/ needs: one socket for
 * questions, which waits for its answer, and one for notifications, which
 * never waits.
 */
#ifndef IO_NETLINK_H
#define IO_NETLINK_H

#include <libmnl/libmnl.h>
#include <stdbool.h>

#include "plait/types.h"

struct netlink {
    struct mnl_socket *socket;
    unsigned sequence;
    char buf[32768];
};

/* 0 or a negative errno. */
int netlink_open(struct netlink *nl);
void netlink_close(struct netlink *nl);

/* Start a request in nl->buf. Extend it with mnl_nlmsg_put_extra_header and
 * mnl_attr_put, then send it with netlink_ask. */
struct nlmsghdr *netlink_request(struct netlink *nl, uint16_t type, uint16_t flags);
/* Send, give every answer to cb, return 0 or the kernel's negative errno.
 * The request is overwritten. */
int netlink_ask(struct netlink *nl, struct nlmsghdr *request, mnl_cb_t cb, void *data);

/* A non-blocking socket that is told of changes; groups end with 0. Returns
 * NULL with errno set. */
struct mnl_socket *netlink_listen(const unsigned *groups);

/* The attributes of a message behind a header of `header_len` bytes by type:
 * those from 0 to max - 1, NULL where absent. */
void netlink_attrs(const struct nlmsghdr *message, unsigned header_len, const struct nlattr **attrs,
                   uint16_t max);
void netlink_nested(const struct nlattr *nest, const struct nlattr **attrs, uint16_t max);

/* AF_INET or AF_INET6. */
uint8_t netlink_family(const struct plait_addr *a);
void netlink_put_addr(struct nlmsghdr *request, uint16_t type, const struct plait_addr *a);
/* False when attr is NULL or no address of that family. */
bool netlink_get_addr(const struct nlattr *attr, uint8_t af, struct plait_addr *out);

#endif
