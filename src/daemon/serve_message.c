/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "daemon/serve.h"

bool message_request(const void *bytes, size_t len, struct shim_request *head, const void **data)
{
    if (len < sizeof *head)
        return false;
    memcpy(head, bytes, sizeof *head);
    *data = (const unsigned char *)bytes + sizeof *head;
    return head->version == SHIM_VERSION && head->op >= 1 && head->op <= SHIM_OP_LAST &&
           (head->flags & ~(uint32_t)SHIM_FLAGS) == 0 && head->len <= SHIM_DATA_MAX &&
           head->len == len - sizeof *head;
}

static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

int message_address(const void *bytes, size_t len, int domain, struct plait_endpoint *out)
{
    struct sockaddr_in6 six;
    struct sockaddr_in four;
    sa_family_t family;

    *out = (struct plait_endpoint){0};
    if (len < sizeof family)
        return EINVAL;
    memcpy(&family, bytes, sizeof family);
    if (family != domain)
        return EAFNOSUPPORT;
    if (family == AF_INET) {
        if (len < sizeof four)
            return EINVAL;
        memcpy(&four, bytes, sizeof four);
        out->addr.family = PLAIT_IPV4;
        memcpy(out->addr.bytes, &four.sin_addr, 4);
        out->port = ntohs(four.sin_port);
        return 0;
    }
    if (family != AF_INET6)
        return EAFNOSUPPORT;
    if (len < offsetof(struct sockaddr_in6, sin6_scope_id))
        return EINVAL;
    memset(&six, 0, sizeof six);
    memcpy(&six, bytes, len < sizeof six ? len : sizeof six);
    bool is_four = memcmp(&six.sin6_addr, mapped, sizeof mapped) == 0;
    out->addr.family = is_four ? PLAIT_IPV4 : PLAIT_IPV6;
    memcpy(out->addr.bytes, is_four ? six.sin6_addr.s6_addr + 12 : six.sin6_addr.s6_addr,
           is_four ? 4 : 16);
    out->port = ntohs(six.sin6_port);
    return 0;
}

uint32_t message_sockaddr(const struct plait_endpoint *e, int domain, void *out)
{
    if (domain == AF_INET) {
        struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(e->port)};
        memcpy(&four.sin_addr, e->addr.bytes, 4);
        memcpy(out, &four, sizeof four);
        return sizeof four;
    }
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons(e->port)};
    if (e->addr.family == PLAIT_IPV4) {
        memcpy(six.sin6_addr.s6_addr, mapped, sizeof mapped);
        memcpy(six.sin6_addr.s6_addr + sizeof mapped, e->addr.bytes, 4);
    } else if (e->addr.family == PLAIT_IPV6) {
        memcpy(&six.sin6_addr, e->addr.bytes, 16);
    }
    memcpy(out, &six, sizeof six);
    return sizeof six;
}
