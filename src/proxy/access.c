/* SPDX-License-Identifier: MIT */
#include "proxy/access.h"

#include <stdlib.h>
#include <string.h>

#include "base/addr.h"

/* Networks that are not the Internet's (RFC 6890 2.2 and its successors in the
 * registries of special-purpose addresses). */
static const struct {
    const char *network;
    const char *what;
} special[] = {
    {"0.0.0.0/8", "it is no destination"},
    {"10.0.0.0/8", "it is a private address"},
    {"100.64.0.0/10", "it is a shared address"},
    {"127.0.0.0/8", "it is the proxy server itself"},
    {"169.254.0.0/16", "it is link-local"},
    {"172.16.0.0/12", "it is a private address"},
    {"192.0.0.0/24", "it is reserved for protocols"},
    {"192.0.2.0/24", "it is for documentation"},
    {"192.168.0.0/16", "it is a private address"},
    {"198.18.0.0/15", "it is for benchmarks"},
    {"198.51.100.0/24", "it is for documentation"},
    {"203.0.113.0/24", "it is for documentation"},
    {"224.0.0.0/3", "it is multicast or reserved"},
    {"::/96", "it is no destination"},
    {"::ffff:0:0/96", "it is an IPv4 address in disguise"},
    {"64:ff9b:1::/48", "it is translated for private use"},
    {"100::/64", "it is discarded"},
    {"2001::/23", "it is reserved for protocols"},
    {"2001:db8::/32", "it is for documentation"},
    {"3fff::/20", "it is for documentation"},
    {"fc00::/7", "it is a private address"},
    {"fe80::/10", "it is link-local"},
    {"fec0::/10", "it is site-local"},
    {"ff00::/8", "it is multicast"},
};

static bool parse(const char *text, struct access_rule *out)
{
    const char *slash = strchr(text, '/');
    size_t len = slash ? (size_t)(slash - text) : strlen(text);
    char copy[ADDR_TEXT_MAX], *end;

    if (len >= sizeof copy)
        return false;
    memcpy(copy, text, len);
    copy[len] = 0;
    if (!addr_parse(copy, &out->network))
        return false;
    unsigned long most = out->network.family == PLAIT_IPV4 ? 32 : 128, bits = most;
    if (slash) {
        if (slash[1] < '0' || slash[1] > '9')
            return false;
        bits = strtoul(slash + 1, &end, 10);
        if (*end || bits > most)
            return false;
    }
    out->bits = (uint8_t)bits;
    return true;
}

static bool holds(const struct access_rule *r, const struct plait_addr *addr)
{
    if (r->network.family != addr->family)
        return false;
    return r->bits == 0 || addr_same_network(&r->network, addr, r->bits);
}

bool access_add(struct access *a, const char *network, bool allow)
{
    if (a->count == ACCESS_MAX || !parse(network, &a->rules[a->count]))
        return false;
    a->rules[a->count++].allow = allow;
    return true;
}

/* The IPv4 address that an IPv6 one leads to: NAT64 (RFC 6052 2.1), 6to4 (RFC 3056).
 * False: it leads to none. */
static bool embedded(const struct plait_addr *addr, struct plait_addr *out)
{
    static const uint8_t nat64[12] = {0, 0x64, 0xff, 0x9b};
    const uint8_t *at = NULL;

    if (addr->family != PLAIT_IPV6)
        return false;
    if (memcmp(addr->bytes, nat64, sizeof nat64) == 0)
        at = addr->bytes + 12;
    else if (addr->bytes[0] == 0x20 && addr->bytes[1] == 0x02)
        at = addr->bytes + 2;
    if (at)
        *out = addr_v4(at);
    return at != NULL;
}

static const char *special_why(const struct plait_addr *addr)
{
    struct plait_addr inner;

    for (size_t i = 0; i < sizeof special / sizeof special[0]; i++) {
        struct access_rule r = {0};
        if (parse(special[i].network, &r) && holds(&r, addr))
            return special[i].what;
    }
    return embedded(addr, &inner) ? special_why(&inner) : NULL;
}

bool access_allows(const struct access *a, const struct plait_addr *addr, const char **why)
{
    for (unsigned i = 0; i < a->count; i++)
        if (holds(&a->rules[i], addr)) {
            *why = a->rules[i].allow ? "--allow names it" : "--deny names it";
            return a->rules[i].allow;
        }
    *why = special_why(addr);
    if (*why)
        return false;
    *why = "it is public";
    return true;
}
