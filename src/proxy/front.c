/* SPDX-License-Identifier: MIT */
#include "proxy/front.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/addr.h"

/* The kernel's, whose headers do not go together with the C library's. */
enum { ORIGINAL_DST = 80 /* SO_ORIGINAL_DST, IP6T_SO_ORIGINAL_DST */ };

const char *front_name(enum front_kind kind)
{
    static const char *const names[] = {"socks", "http", "transparent"};

    return names[kind];
}

static void answer(struct front *f, const void *bytes, size_t len)
{
    memcpy(f->answer + f->answer_len, bytes, len);
    f->answer_len += len;
}

/* Told in a time that does not depend on where they differ. */
static bool same(const char *a, const char *b)
{
    size_t n = strlen(a), m = strlen(b);
    unsigned differ = n != m;

    for (size_t i = 0; i < n; i++)
        differ |= (unsigned)(a[i] ^ b[m ? i % m : 0]);
    return differ == 0;
}

static bool knows(const struct front *f, const char *name, const char *secret)
{
    bool named = same(f->wanted->name, name); /* and then look at the secret in any case */

    return same(f->wanted->secret, secret) && named;
}

/* ---- SOCKS ------------------------------------------------------------------------ */

enum { SOCKS_GREETING, SOCKS_USER, SOCKS_REQUEST };

static void socks_answer(struct front *f, enum socks_reply reply)
{
    uint8_t out[SOCKS_REPLY_MAX];

    answer(f, out, socks_put_reply(out, reply, NULL));
}

static int take_greeting(struct front *f, const uint8_t *bytes, size_t len, bool *over)
{
    bool no_auth, user;
    int n = socks_greeting(bytes, len, &no_auth, &user);

    if (n <= 0)
        return n;
    bool good = f->wanted ? user : no_auth;
    const uint8_t method =
        good ? f->wanted ? SOCKS_METHOD_USER : SOCKS_METHOD_NONE : SOCKS_METHOD_REFUSED;
    answer(f, (uint8_t[]){5, method}, 2);
    *over = !good;
    f->step = f->wanted ? SOCKS_USER : SOCKS_REQUEST;
    return n;
}

static int take_user(struct front *f, const uint8_t *bytes, size_t len, bool *over)
{
    struct socks_user who;
    int n = socks_user(bytes, len, &who);

    if (n <= 0)
        return n;
    *over = !knows(f, who.name, who.secret);
    answer(f, (uint8_t[]){1, *over}, 2);
    f->step = SOCKS_REQUEST;
    return n;
}

static enum front_state take_socks(struct front *f, const uint8_t *bytes, size_t len, size_t *used)
{
    struct socks_request request;
    enum socks_reply reply;
    bool over = false;
    int n = 1;

    while (f->step != SOCKS_REQUEST && !over && n > 0) {
        n = f->step == SOCKS_GREETING ? take_greeting(f, bytes + *used, len - *used, &over)
                                      : take_user(f, bytes + *used, len - *used, &over);
        *used += n > 0 ? (size_t)n : 0;
    }
    if (n > 0 && !over)
        n = socks_request(bytes + *used, len - *used, &request, &reply);
    if (n < 0 || over)
        return FRONT_OVER;
    if (n == 0)
        return FRONT_MORE;
    *used += (size_t)n;
    if (reply != SOCKS_SUCCEEDED) {
        socks_answer(f, reply);
        return FRONT_OVER;
    }
    f->to = request.to;
    memcpy(f->host, request.host, sizeof f->host);
    return FRONT_KNOWN;
}

/* ---- HTTP ------------------------------------------------------------------------- */

static void http_answer(struct front *f, int status, const char *why)
{
    char out[HTTP_REPLY_MAX];

    answer(f, out, http_put_reply(out, status, why));
}

static const char *http_why(int status)
{
    switch (status) {
    case 405:
        return "This proxy takes CONNECT only; for plain HTTP use its SOCKS port, or curl "
               "--proxytunnel.";
    case 431:
        return "The header is too long.";
    case 505:
        return "HTTP/1.0 and 1.1 only.";
    default:
        return "The request makes no sense: CONNECT HOST:PORT HTTP/1.1 is expected.";
    }
}

static enum front_state take_http(struct front *f, const uint8_t *bytes, size_t len, size_t *used)
{
    struct http_connect request;
    int n = http_connect((const char *)bytes, len, &request);

    if (n == 0)
        return FRONT_MORE;
    if (n > 0 && f->wanted && !(request.authorized && knows(f, request.name, request.secret)))
        n = -407;
    if (n < 0) {
        http_answer(f, -n, n == -407 ? "This proxy wants a name and its secret." : http_why(-n));
        return FRONT_OVER;
    }
    *used += (size_t)n;
    f->to = request.to;
    memcpy(f->host, request.host, sizeof f->host);
    return FRONT_KNOWN;
}

/* ---- all of them ------------------------------------------------------------------- */

enum front_state front_take(struct front *f, const uint8_t *bytes, size_t len, size_t *used)
{
    *used = 0;
    f->answer_len = 0;
    switch (f->kind) {
    case FRONT_SOCKS:
        return take_socks(f, bytes, len, used);
    case FRONT_HTTP:
        return take_http(f, bytes, len, used);
    default:
        return FRONT_KNOWN;
    }
}

void front_accept(struct front *f)
{
    f->answer_len = 0;
    if (f->kind == FRONT_SOCKS)
        socks_answer(f, SOCKS_SUCCEEDED);
    else if (f->kind == FRONT_HTTP)
        http_answer(f, 200, "");
}

void front_refuse(struct front *f, enum front_why why, const char *text)
{
    static const struct {
        enum socks_reply socks;
        int http;
    } rows[] = {
        [FRONT_WHY_FAILED] = {SOCKS_FAILURE, 502},
        [FRONT_WHY_NOT_ALLOWED] = {SOCKS_NOT_ALLOWED, 403},
        [FRONT_WHY_REFUSED] = {SOCKS_REFUSED, 502},
        [FRONT_WHY_UNREACHABLE] = {SOCKS_HOST_UNREACHABLE, 502},
        [FRONT_WHY_NO_NAME] = {SOCKS_HOST_UNREACHABLE, 502},
        [FRONT_WHY_TIMED_OUT] = {SOCKS_TTL, 504},
        [FRONT_WHY_BUSY] = {SOCKS_FAILURE, 503},
    };

    f->answer_len = 0;
    if (f->kind == FRONT_SOCKS)
        socks_answer(f, rows[why].socks);
    else if (f->kind == FRONT_HTTP)
        http_answer(f, rows[why].http, text);
}

static bool endpoint_of(const struct sockaddr_storage *sa, struct plait_endpoint *out)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

    if (sa->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)sa;
        *out =
            (struct plait_endpoint){addr_v4((const uint8_t *)&in->sin_addr), ntohs(in->sin_port)};
        return true;
    }
    if (sa->ss_family != AF_INET6)
        return false;
    const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)sa;
    const uint8_t *bytes = (const uint8_t *)&in6->sin6_addr;
    bool v4 = memcmp(bytes, mapped, sizeof mapped) == 0;
    *out =
        (struct plait_endpoint){v4 ? addr_v4(bytes + 12) : addr_v6(bytes), ntohs(in6->sin6_port)};
    return true;
}

/* REDIRECT leaves the destination with the connection tracker, TPROXY leaves it as
 * the socket's own address. */
bool front_destination(int fd, struct plait_endpoint *out)
{
    struct sockaddr_storage sa;
    socklen_t len = sizeof sa;

    if (getsockopt(fd, IPPROTO_IP, ORIGINAL_DST, &sa, &len) == 0)
        return endpoint_of(&sa, out);
    len = sizeof sa;
    if (getsockopt(fd, IPPROTO_IPV6, ORIGINAL_DST, &sa, &len) == 0)
        return endpoint_of(&sa, out);
    len = sizeof sa;
    return getsockname(fd, (struct sockaddr *)&sa, &len) == 0 && endpoint_of(&sa, out);
}
