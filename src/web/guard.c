/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/addr.h"
#include "web/parts.h"

enum { HOST_TEXT_MAX = 128 };

static bool is_loopback(const struct plait_addr *a)
{
    struct plait_addr v6;

    if (a->family == PLAIT_IPV4)
        return a->bytes[0] == 127;
    return addr_parse("::1", &v6) && addr_equal(a, &v6);
}

bool web_address(const char *text, struct plait_endpoint *out)
{
    char whole[HOST_TEXT_MAX];
    bool local = strncasecmp(text, "localhost:", 10) == 0;
    const char *port = local ? text + 10 : text;

    if (strspn(port, "0123456789") == strlen(port))
        snprintf(whole, sizeof whole, "127.0.0.1:%.20s", port);
    else
        snprintf(whole, sizeof whole, "%s", text);
    return strlen(text) < sizeof whole - 12 && endpoint_parse(whole, out) && out->port != 0;
}

bool guard_host(const struct plait_endpoint *bound, const char *host)
{
    struct plait_endpoint asked;

    if (!host || !web_address(host, &asked) || strspn(host, "0123456789") == strlen(host) ||
        asked.port != bound->port)
        return false;
    if (addr_equal(&asked.addr, &bound->addr) || addr_is_unspecified(&bound->addr))
        return true; /* an address, and no name: nothing was rebound */
    return is_loopback(&asked.addr) && is_loopback(&bound->addr);
}

bool guard_origin(const char *host, const char *origin)
{
    static const char scheme[] = "http://";

    if (!origin)
        return true;
    return strncmp(origin, scheme, sizeof scheme - 1) == 0 &&
           strcasecmp(origin + sizeof scheme - 1, host) == 0;
}

bool guard_token(const char *token, const char *given)
{
    unsigned char wrong = 0;

    if (!*token || !given || strlen(given) != strlen(token))
        return false;
    for (size_t i = 0; token[i]; i++)
        wrong |= (unsigned char)(token[i] ^ given[i]);
    return wrong == 0;
}
