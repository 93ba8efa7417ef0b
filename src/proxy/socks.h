/* SPDX-License-Identifier: MIT
 *
 * SOCKS version 5 as a server hears it (RFC 1928, RFC 1929): what has come is
 * looked at from its beginning, and either it is a whole message or more is
 * needed. Pure functions.
 */
#ifndef PROXY_SOCKS_H
#define PROXY_SOCKS_H

#include "plait/types.h"

enum { SOCKS_TEXT_MAX = 255, SOCKS_MESSAGE_MAX = 2 + 1 + 2 * (1 + SOCKS_TEXT_MAX) };

/* RFC 1928 3 and 6. */
enum socks_method { SOCKS_METHOD_NONE = 0, SOCKS_METHOD_USER = 2, SOCKS_METHOD_REFUSED = 255 };
enum socks_reply {
    SOCKS_SUCCEEDED,
    SOCKS_FAILURE,
    SOCKS_NOT_ALLOWED,
    SOCKS_NET_UNREACHABLE,
    SOCKS_HOST_UNREACHABLE,
    SOCKS_REFUSED,
    SOCKS_TTL,
    SOCKS_COMMAND_UNSUPPORTED,
    SOCKS_ADDRESS_UNSUPPORTED
};

/* How many bytes the message has, 0: more are needed, -1: it is no such message. */
int socks_greeting(const uint8_t *bytes, size_t len, bool *no_auth, bool *user);

struct socks_user {
    char name[SOCKS_TEXT_MAX + 1], secret[SOCKS_TEXT_MAX + 1];
};
int socks_user(const uint8_t *bytes, size_t len, struct socks_user *out);

/* A request is whole even where it cannot be served: then *reply is not
 * SOCKS_SUCCEEDED. */
struct socks_request {
    struct plait_endpoint to;      /* addr PLAIT_NONE: host */
    char host[SOCKS_TEXT_MAX + 1]; /* "": an address */
};
int socks_request(const uint8_t *bytes, size_t len, struct socks_request *out,
                  enum socks_reply *reply);

enum { SOCKS_REPLY_MAX = 22 };
/* RFC 1928 6. How many bytes. */
size_t socks_put_reply(uint8_t out[SOCKS_REPLY_MAX], enum socks_reply reply,
                       const struct plait_endpoint *bound);

#endif
