/* SPDX-License-Identifier: MIT */
#include "proxy/socks.h"

#include <string.h>

#include "base/addr.h"
#include "base/bytes.h"

enum { VERSION = 5, USER_VERSION = 1, CONNECT = 1, TYPE_V4 = 1, TYPE_NAME = 3, TYPE_V6 = 4 };

int socks_greeting(const uint8_t *bytes, size_t len, bool *no_auth, bool *user)
{
    if (len >= 1 && bytes[0] != VERSION)
        return -1;
    if (len < 2 || len - 2 < bytes[1])
        return 0;
    *no_auth = memchr(bytes + 2, SOCKS_METHOD_NONE, bytes[1]) != NULL;
    *user = memchr(bytes + 2, SOCKS_METHOD_USER, bytes[1]) != NULL;
    return 2 + bytes[1];
}

/* A text with its length in front, at *at. False: more is needed. */
static bool text(const uint8_t *bytes, size_t len, size_t *at, char out[SOCKS_TEXT_MAX + 1])
{
    if (len <= *at || len - *at - 1 < bytes[*at])
        return false;
    size_t n = bytes[*at];
    memcpy(out, bytes + *at + 1, n);
    out[n] = 0;
    *at += 1 + n;
    return true;
}

int socks_user(const uint8_t *bytes, size_t len, struct socks_user *out)
{
    size_t at = 1;

    if (len >= 1 && bytes[0] != USER_VERSION)
        return -1;
    if (!text(bytes, len, &at, out->name) || !text(bytes, len, &at, out->secret))
        return 0;
    return (int)at;
}

/* The address at bytes[3]. As socks_request. */
static int address(const uint8_t *bytes, size_t len, struct socks_request *out)
{
    size_t at = 4;

    switch (bytes[3]) {
    case TYPE_V4:
        at += 4;
        if (len >= at)
            out->to.addr = addr_v4(bytes + 4);
        break;
    case TYPE_V6:
        at += 16;
        if (len >= at)
            out->to.addr = addr_v6(bytes + 4);
        break;
    case TYPE_NAME:
        if (!text(bytes, len, &at, out->host))
            return 0;
        /* A name with a zero in it would be another one to who resolves it. */
        if (bytes[4] == 0 || strlen(out->host) != bytes[4])
            return -1;
        break;
    default:
        return -1;
    }
    if (len < at + 2)
        return 0;
    out->to.port = get_be16(bytes + at);
    return (int)at + 2;
}

int socks_request(const uint8_t *bytes, size_t len, struct socks_request *out,
                  enum socks_reply *reply)
{
    *out = (struct socks_request){0};
    *reply = SOCKS_SUCCEEDED;
    if (len >= 1 && bytes[0] != VERSION)
        return -1;
    if (len < 4)
        return 0;
    if (bytes[3] != TYPE_V4 && bytes[3] != TYPE_V6 && bytes[3] != TYPE_NAME) {
        *reply = SOCKS_ADDRESS_UNSUPPORTED; /* its length is not known: what follows is lost */
        return (int)len;
    }
    int used = address(bytes, len, out);
    if (used > 0 && bytes[1] != CONNECT)
        *reply = SOCKS_COMMAND_UNSUPPORTED;
    else if (used > 0 && out->to.port == 0)
        *reply = SOCKS_NOT_ALLOWED;
    return used;
}

size_t socks_put_reply(uint8_t out[SOCKS_REPLY_MAX], enum socks_reply reply,
                       const struct plait_endpoint *bound)
{
    bool v6 = bound && bound->addr.family == PLAIT_IPV6;
    size_t len = v6 ? 16 : 4;

    memset(out, 0, SOCKS_REPLY_MAX);
    out[0] = VERSION;
    out[1] = (uint8_t)reply;
    out[3] = v6 ? TYPE_V6 : TYPE_V4;
    if (bound) {
        memcpy(out + 4, bound->addr.bytes, len);
        put_be16(out + 4 + len, bound->port);
    }
    return 4 + len + 2;
}
