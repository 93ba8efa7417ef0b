/* SPDX-License-Identifier: MIT
 *
 * Who may use a proxy server, and how a client shows that it may.
 *
 * The Cookie TLV (RFC 8803 6.2.7) is where the Convert Protocol has room for it. A
 * credential is a cookie that only who knows the user's secret can make, for one
 * message and for two minutes:
 *
 *    0  format, 1            4  time, microseconds of the server's clock
 *    1  length of the name  12  nonce, 16 random bytes
 *    2  zero                28  HMAC-SHA-256 of the whole message, these 32 bytes zero
 *                           60  the name
 *
 * The secret is never sent, the destination cannot be exchanged, and a message heard
 * twice (an attacker's copy, or SYN data that the network doubled: RFC 7413 6.1) is
 * refused, since nonces are remembered for as long as their time is good. The client
 * needs no clock that is right: a message without a cookie is answered with Missing
 * Cookie and the server's time. All this hides nothing that follows; TLS does.
 */
#ifndef PROXY_USERS_H
#define PROXY_USERS_H

#include "proxy/convert.h"

enum { USERS_NAME_MAX = 64, USERS_SECRET_MAX = 255, USERS_MAX = 4096 };

/* ---- a client's ------------------------------------------------------------- */

struct credential {
    char name[USERS_NAME_MAX + 1], secret[USERS_SECRET_MAX + 1];
};
/* "NAME:SECRET". False: it is none. */
bool credential_parse(const char *text, struct credential *out);
/* Puts the Cookie TLV last into a message that has everything else, and ends it. */
bool credential_sign(const struct credential *c, struct convert_writer *w, uint64_t server_us,
                     const uint8_t nonce[16]);

/* The value of Missing Cookie: the server's time. */
enum { CHALLENGE_BYTES = 9 };
void challenge_put(uint8_t out[CHALLENGE_BYTES], uint64_t server_us);
bool challenge_read(const struct convert_span *value, uint64_t *server_us);

/* ---- a server's ------------------------------------------------------------- */

struct users;
struct user_account {
    char name[USERS_NAME_MAX + 1];
    unsigned conns; /* now */
    uint64_t conns_total;
};

struct users *users_new(void); /* NULL: no memory */
void users_free(struct users *u);
/* False: no memory, too many, or the name is there already. */
bool users_add(struct users *u, const struct credential *c);
unsigned users_count(const struct users *u);

enum users_verdict {
    USERS_GOOD,
    USERS_UNKNOWN, /* no such user, a wrong secret, a time long gone, heard before */
    USERS_FULL     /* too many messages in two minutes to remember them */
};
/* A whole message with a cookie, as it came. */
enum users_verdict users_check(struct users *u, const uint8_t *message, size_t len,
                               const struct convert_message *m, uint64_t server_us,
                               struct user_account **out);

#endif
