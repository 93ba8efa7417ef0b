/* SPDX-License-Identifier: MIT
 *
 * Addresses as text and by class, without the C library's inet_ functions:
 * their result depends on the system, and the engine calls none of it.
 * Output follows RFC 5952; input takes RFC 4291 2.2 for IPv6 and four decimal
 * numbers without leading zeros for IPv4, and nothing else around them.
 */
#include "base/addr.h"

#include <stdio.h>

#include "base/bytes.h"

struct plait_addr addr_v4(const uint8_t bytes[4])
{
    struct plait_addr a = {.family = PLAIT_IPV4};
    memcpy(a.bytes, bytes, 4);
    return a;
}

struct plait_addr addr_v6(const uint8_t bytes[16])
{
    struct plait_addr a = {.family = PLAIT_IPV6};
    memcpy(a.bytes, bytes, 16);
    return a;
}

/* ::ffff:0:0/96 (RFC 4291 2.5.5.2). */
static bool bytes_are_v4_mapped(const uint8_t *b)
{
    static const uint8_t prefix[12] = {[10] = 0xff, [11] = 0xff};
    return memcmp(b, prefix, sizeof prefix) == 0;
}

static int format_v4(const uint8_t *b, char *buf)
{
    return snprintf(buf, 16, "%u.%u.%u.%u", b[0], b[1], b[2], b[3]);
}

/* The first longest run of at least two zero groups: RFC 5952 4.2. */
static void zero_run(const uint8_t *b, int groups, int *start, int *len)
{
    *start = -1;
    *len = 1;
    for (int i = 0; i < groups; i++) {
        int n = 0;
        while (i + n < groups && get_be16(b + 2 * (i + n)) == 0)
            n++;
        if (n > *len) {
            *start = i;
            *len = n;
        }
        i += n;
    }
}

static void format_v6(const uint8_t *b, char *buf)
{
    bool mapped = bytes_are_v4_mapped(b);
    int groups = mapped ? 6 : 8, start, len;
    zero_run(b, groups, &start, &len);
    char *to = buf;
    for (int i = 0; i < groups;) {
        if (i == start) {
            *to++ = ':';
            *to++ = ':';
            i += len;
            continue;
        }
        if (i && i != start + len)
            *to++ = ':';
        to += snprintf(to, 5, "%x", get_be16(b + 2 * i));
        i++;
    }
    if (mapped) {
        *to++ = ':';
        to += format_v4(b + 12, to);
    }
    *to = '\0';
}

char *addr_format(const struct plait_addr *a, char *buf)
{
    if (a->family == PLAIT_IPV4)
        format_v4(a->bytes, buf);
    else if (a->family == PLAIT_IPV6)
        format_v6(a->bytes, buf);
    else
        snprintf(buf, ADDR_TEXT_MAX, "*");
    return buf;
}

char *endpoint_format(const struct plait_endpoint *e, char *buf)
{
    bool brackets = e->addr.family == PLAIT_IPV6;
    char *to = buf;
    if (brackets)
        *to++ = '[';
    addr_format(&e->addr, to);
    to += strlen(to);
    snprintf(to, 8, "%s:%u", brackets ? "]" : "", e->port);
    return buf;
}

/* Four numbers 0..255 up to the end of the text. */
static bool parse_v4(const char *s, uint8_t *out)
{
    for (int i = 0; i < 4; i++) {
        unsigned value = 0;
        const char *start = s;
        for (; *s >= '0' && *s <= '9'; s++) {
            value = value * 10 + (unsigned)(*s - '0');
            if (value > 255)
                return false;
        }
        if (s == start || (*start == '0' && s > start + 1))
            return false;
        out[i] = (uint8_t)value;
        if (*s != (i < 3 ? '.' : '\0'))
            return false;
        s += i < 3;
    }
    return true;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* One to four hexadecimal digits at *s, which moves past them. */
static bool parse_group(const char **s, uint8_t *out)
{
    unsigned value = 0;
    int digits = 0;
    for (; hex_value(**s) >= 0; ++*s, digits++) {
        if (digits == 4)
            return false;
        value = value << 4 | (unsigned)hex_value(**s);
    }
    put_be16(out, (uint16_t)value);
    return digits > 0;
}

/* Groups are collected from the left; those after "::" then move to the
 * right end. */
static bool parse_v6(const char *s, uint8_t *out)
{
    uint8_t b[16] = {0};
    int len = 0, gap = -1; /* bytes so far; where "::" stood */
    if (s[0] == ':' && s[1] != ':')
        return false;
    if (s[0] == ':')
        s++; /* the loop sees the second colon as the gap */
    while (*s) {
        if (*s == ':') {
            if (gap >= 0)
                return false;
            gap = len;
            s++;
            continue;
        }
        if (len <= 12 && parse_v4(s, b + len)) {
            len += 4;
            break;
        }
        if (len == 16 || !parse_group(&s, b + len))
            return false;
        len += 2;
        if (*s == ':' && s[1])
            s++;
        else if (*s)
            return false; /* a single colon at the end, or no colon */
    }
    if (gap < 0 ? len != 16 : len > 14)
        return false;
    if (gap >= 0) {
        memmove(b + 16 - (len - gap), b + gap, (size_t)(len - gap));
        memset(b + gap, 0, (size_t)(16 - len));
    }
    memcpy(out, b, 16);
    return true;
}

bool addr_parse(const char *text, struct plait_addr *out)
{
    struct plait_addr a = {0};
    if (parse_v4(text, a.bytes)) {
        a.family = PLAIT_IPV4;
    } else {
        a = (struct plait_addr){.family = PLAIT_IPV6};
        if (!parse_v6(text, a.bytes))
            return false;
    }
    *out = a;
    return true;
}

/* The IPv4 address in an IPv4 or an IPv4-mapped address, or NULL. */
static const uint8_t *addr_as_v4(const struct plait_addr *a)
{
    if (a->family == PLAIT_IPV4)
        return a->bytes;
    if (a->family == PLAIT_IPV6 && bytes_are_v4_mapped(a->bytes))
        return a->bytes + 12;
    return NULL;
}

bool addr_is_loopback(const struct plait_addr *a)
{
    static const uint8_t one[16] = {[15] = 1};
    const uint8_t *v4 = addr_as_v4(a);
    if (v4)
        return v4[0] == 127;
    return a->family == PLAIT_IPV6 && memcmp(a->bytes, one, 16) == 0;
}

bool addr_is_link_local(const struct plait_addr *a)
{
    const uint8_t *v4 = addr_as_v4(a);
    if (v4)
        return v4[0] == 169 && v4[1] == 254;
    return a->family == PLAIT_IPV6 && a->bytes[0] == 0xfe && (a->bytes[1] & 0xc0) == 0x80;
}

bool addr_is_multicast(const struct plait_addr *a)
{
    const uint8_t *v4 = addr_as_v4(a);
    if (v4)
        return (v4[0] & 0xf0) == 224 || get_be32(v4) == UINT32_MAX;
    return a->family == PLAIT_IPV6 && a->bytes[0] == 0xff;
}

bool addr_is_unspecified(const struct plait_addr *a)
{
    static const uint8_t zero[16];
    return memcmp(a->bytes, zero, sizeof zero) == 0;
}

bool addr_is_private(const struct plait_addr *a)
{
    const uint8_t *v4 = addr_as_v4(a);
    if (v4)
        return v4[0] == 10 || (v4[0] == 172 && (v4[1] & 0xf0) == 16) ||
               (v4[0] == 192 && v4[1] == 168);
    return a->family == PLAIT_IPV6 && (a->bytes[0] & 0xfe) == 0xfc;
}

static bool port_parse(const char *text, uint16_t *out)
{
    uint32_t port = 0;
    for (const char *c = text; *c; c++) {
        if (*c < '0' || *c > '9' || port > UINT16_MAX)
            return false;
        port = port * 10 + (uint32_t)(*c - '0');
    }
    *out = (uint16_t)port;
    return port > 0 && port <= UINT16_MAX;
}

bool endpoint_parse(const char *text, struct plait_endpoint *out)
{
    char copy[ENDPOINT_TEXT_MAX];
    struct plait_endpoint e = {.port = 0};
    if (addr_parse(text, &e.addr)) {
        *out = e;
        return true;
    }
    bool bracket = text[0] == '[';
    const char *colon = strrchr(text, ':');
    size_t len = colon ? (size_t)(colon - text) : 0;
    if (len < 2 || len >= sizeof copy || (bracket && colon[-1] != ']') ||
        !port_parse(colon + 1, &e.port))
        return false;
    memcpy(copy, text + bracket, len - 2 * (size_t)bracket);
    copy[len - 2 * (size_t)bracket] = '\0';
    if (!addr_parse(copy, &e.addr) || bracket != (e.addr.family == PLAIT_IPV6))
        return false;
    *out = e;
    return true;
}

bool addr_same_network(const struct plait_addr *a, const struct plait_addr *b, uint8_t prefix_len)
{
    if (prefix_len == 0 || a->family != b->family)
        return false;
    unsigned whole = prefix_len / 8, rest = prefix_len % 8;
    if (memcmp(a->bytes, b->bytes, whole) != 0)
        return false;
    return rest == 0 || ((a->bytes[whole] ^ b->bytes[whole]) >> (8 - rest)) == 0;
}
