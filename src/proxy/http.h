/* SPDX-License-Identifier: MIT
 *
 * HTTP CONNECT as a proxy hears it (RFC 9110 9.3.6, RFC 9112 3.2.3): one request
 * header, of which the target and Proxy-Authorization matter. Pure functions.
 */
#ifndef PROXY_HTTP_H
#define PROXY_HTTP_H

#include "plait/types.h"

enum { HTTP_HEADER_MAX = 8192, HTTP_HOST_MAX = 255, HTTP_TEXT_MAX = 255 };

struct http_connect {
    struct plait_endpoint to; /* addr PLAIT_NONE: host */
    char host[HTTP_HOST_MAX + 1];
    /* Proxy-Authorization with scheme Basic (RFC 7617) */
    bool authorized;
    char name[HTTP_TEXT_MAX + 1], secret[HTTP_TEXT_MAX + 1];
};

/* How many bytes the header has; 0: more are needed; or the negative of the status
 * to answer with: -400, -405 (another method), -431 (HTTP_HEADER_MAX without an
 * end), -505. */
int http_connect(const char *bytes, size_t len, struct http_connect *out);

enum { HTTP_REPLY_MAX = 512 };
/* The answer with this status, and `why` as its body, where it is none of 2xx. How
 * many bytes. */
size_t http_put_reply(char out[HTTP_REPLY_MAX], int status, const char *why);

#endif
