/* SPDX-License-Identifier: MIT */
#include "shim/rules.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

enum { MAPPED_BITS = 96 };

static const unsigned char mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

struct known {
    const char *network, *what;
};

/* What is direct unless a rule says otherwise. */
static const struct known defaults[] = {
    {"127.0.0.0/8", "a loopback address stays direct"},
    {"::1/128", "a loopback address stays direct"},
    {"0.0.0.0/32", "the unspecified address is this host"},
    {"::/128", "the unspecified address is this host"},
    {"169.254.0.0/16", "a link-local address stays direct"},
    {"fe80::/10", "a link-local address stays direct"},
    {"10.0.0.0/8", "a private address stays direct"},
    {"172.16.0.0/12", "a private address stays direct"},
    {"192.168.0.0/16", "a private address stays direct"},
    {"100.64.0.0/10", "an address of a provider's own network stays direct"},
    {"fc00::/7", "a private address stays direct"},
    {"224.0.0.0/3", "this is no address of a host"},
    {"ff00::/8", "this is no address of a host"},
};
enum { DEFAULTS = sizeof defaults / sizeof defaults[0], LOOPBACK_DEFAULTS = 2 };

/* "ADDR/BITS" or "ADDR" of `len` characters. */
static bool parse_network(const char *text, size_t len, struct rule *out)
{
    char copy[INET6_ADDRSTRLEN + 4];
    struct in_addr v4;
    unsigned long bits = 128;

    if (len == 0 || len >= sizeof copy)
        return false;
    memcpy(copy, text, len);
    copy[len] = 0;
    char *slash = strchr(copy, '/'), *end = NULL;
    if (slash) {
        *slash = 0;
        bits = strtoul(slash + 1, &end, 10);
        if (slash[1] < '0' || slash[1] > '9' || *end || bits > 128)
            return false;
    }
    if (inet_pton(AF_INET, copy, &v4) == 1) {
        if (slash && bits > 32)
            return false;
        bits = slash ? bits + MAPPED_BITS : 128;
        memcpy(out->addr, mapped, sizeof mapped);
        memcpy(out->addr + sizeof mapped, &v4, sizeof v4);
    } else if (inet_pton(AF_INET6, copy, out->addr) != 1) {
        return false;
    }
    out->bits = (unsigned char)bits;
    return true;
}

static bool within(const struct rule *r, const unsigned char *addr)
{
    unsigned whole = r->bits / 8, rest = r->bits % 8;

    if (memcmp(r->addr, addr, whole) != 0)
        return false;
    return rest == 0 || ((r->addr[whole] ^ addr[whole]) >> (8 - rest)) == 0;
}

bool rules_parse(const char *text, struct rules *out)
{
    *out = (struct rules){0};
    while (*text) {
        size_t len = strcspn(text, ",");
        struct rule *r = &out->list[out->count];
        if (len == 2 && memcmp(text, "-L", 2) == 0) {
            out->no_listen = true;
        } else if (len == 2 && memcmp(text, "-C", 2) == 0) {
            out->no_connect = true;
        } else {
            if (out->count == RULES_MAX || (*text != '+' && *text != '-') ||
                !parse_network(text + 1, len - 1, r))
                return false;
            r->carry = *text == '+';
            out->count++;
        }
        text += len;
        if (*text == ',' && *++text == 0)
            return false;
    }
    return true;
}

/* Sixteen bytes, v4-mapped where it is IPv4. */
static bool address_of(const struct sockaddr *a, unsigned char *out)
{
    if (a->sa_family == AF_INET) {
        memcpy(out, mapped, sizeof mapped);
        memcpy(out + sizeof mapped, &((const struct sockaddr_in *)(const void *)a)->sin_addr, 4);
        return true;
    }
    if (a->sa_family != AF_INET6)
        return false;
    memcpy(out, &((const struct sockaddr_in6 *)(const void *)a)->sin6_addr, 16);
    return true;
}

static const struct rule *match(const struct rules *r, const unsigned char *addr)
{
    for (unsigned i = 0; i < r->count; i++)
        if (within(&r->list[i], addr))
            return &r->list[i];
    return NULL;
}

static const char *direct_by_default(const unsigned char *addr, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct rule r;
        if (parse_network(defaults[i].network, strlen(defaults[i].network), &r) && within(&r, addr))
            return defaults[i].what;
    }
    return NULL;
}

static bool judge(const struct rules *r, const struct sockaddr *a, unsigned defaults_used,
                  const char **why)
{
    unsigned char addr[16];

    if (!address_of(a, addr)) {
        *why = "it is not an IP address";
        return false;
    }
    const struct rule *rule = match(r, addr);
    if (rule) {
        *why = rule->carry ? "a rule says so (--carry)" : "a rule says so (--direct)";
        return rule->carry;
    }
    *why = direct_by_default(addr, defaults_used);
    if (*why)
        return false;
    *why = "no rule keeps it direct";
    return true;
}

bool rules_carry(const struct rules *r, const struct sockaddr *to, const char **why)
{
    if (r->no_connect) {
        *why = "connections stay direct (--only listen)";
        return false;
    }
    return judge(r, to, DEFAULTS, why);
}

bool rules_listen(const struct rules *r, const struct sockaddr *at, const char **why)
{
    if (r->no_listen) {
        *why = "listeners stay direct (--only connect)";
        return false;
    }
    return judge(r, at, LOOPBACK_DEFAULTS, why);
}
