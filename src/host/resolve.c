/* SPDX-License-Identifier: MIT
 *
 * Names to addresses, by the system's resolver. It blocks.
 */
#include <netdb.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include "base/addr.h"
#include "host/fail.h"
#include "host/host.h"

static bool from_sockaddr(const struct sockaddr *sa, struct plait_addr *out)
{
    if (sa->sa_family == AF_INET)
        *out = addr_v4((const uint8_t *)&((const struct sockaddr_in *)sa)->sin_addr);
    else if (sa->sa_family == AF_INET6)
        *out = addr_v6((const uint8_t *)&((const struct sockaddr_in6 *)sa)->sin6_addr);
    else
        return false;
    return true;
}

int host_resolve(const char *name, enum plait_family family, struct plait_addr *out, unsigned max,
                 unsigned *count, struct host_error *err)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    struct addrinfo *list;
    int result;

    *count = 0;
    if (addr_parse(name, &out[0])) { /* a literal needs no resolver */
        if (family != PLAIT_NONE && out[0].family != family)
            return host_fail(err, HOST_FAIL_NAME, "%s is not an IPv%d address", name, family);
        *count = 1;
        return HOST_OK;
    }
    hints.ai_family = family == PLAIT_IPV4 ? AF_INET : family == PLAIT_IPV6 ? AF_INET6 : AF_UNSPEC;
    result = getaddrinfo(name, NULL, &hints, &list);
    if (result != 0)
        return host_fail(err, HOST_FAIL_NAME, "cannot find the address of '%s': %s", name,
                         gai_strerror(result));
    for (struct addrinfo *a = list; a && *count < max; a = a->ai_next)
        *count += from_sockaddr(a->ai_addr, &out[*count]);
    freeaddrinfo(list);
    if (*count == 0)
        return host_fail(err, HOST_FAIL_NAME, "'%s' has no usable address", name);
    return HOST_OK;
}
