/* SPDX-License-Identifier: MIT
 *
 * What programs say to a proxy client: SOCKS 5 (RFC 1928), HTTP CONNECT (RFC 9110
 * 9.3.6), or nothing at all, where the kernel redirected their connection
 * (transparent). A front takes bytes and gives bytes to answer with, until it knows
 * where its connection is to go. It does no I/O but to ask the kernel where a
 * redirected connection was going.
 */
#ifndef PROXY_FRONT_H
#define PROXY_FRONT_H

#include "proxy/http.h"
#include "proxy/socks.h"
#include "proxy/users.h"

enum front_kind { FRONT_SOCKS, FRONT_HTTP, FRONT_TRANSPARENT };
const char *front_name(enum front_kind kind);

enum { FRONT_IN_MAX = HTTP_HEADER_MAX, FRONT_ANSWER_MAX = HTTP_REPLY_MAX };

/* Why a connection cannot be had, in the words of all fronts. */
enum front_why {
    FRONT_WHY_FAILED,
    FRONT_WHY_NOT_ALLOWED,
    FRONT_WHY_REFUSED,
    FRONT_WHY_UNREACHABLE,
    FRONT_WHY_NO_NAME,
    FRONT_WHY_TIMED_OUT,
    FRONT_WHY_BUSY
};

struct front {
    enum front_kind kind;
    const struct credential *wanted; /* of programs; NULL: none */
    unsigned step;
    struct plait_endpoint to; /* addr PLAIT_NONE: host */
    char host[SOCKS_TEXT_MAX + 1];
    /* To be sent to the program, by whoever calls. */
    uint8_t answer[FRONT_ANSWER_MAX];
    size_t answer_len;
};

enum front_state { FRONT_MORE, FRONT_KNOWN, FRONT_OVER };
/* These bytes have come, all of them since *used was last moved: *used of them are
 * dealt with. FRONT_OVER: send the answer and close. */
enum front_state front_take(struct front *f, const uint8_t *bytes, size_t len, size_t *used);
/* The connection is there. */
void front_accept(struct front *f);
/* It is not; then close. */
void front_refuse(struct front *f, enum front_why why, const char *text);
/* Where the connection on this socket was going. False: it was redirected by nobody. */
bool front_destination(int fd, struct plait_endpoint *out);

#endif
