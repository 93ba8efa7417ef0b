/* SPDX-License-Identifier: MIT */
#include "proxy/http.h"

#include <nettle/base64.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/addr.h"

struct span {
    const char *at;
    size_t len;
};

/* The line at *at, without its end (RFC 9112 2.2: a lone LF ends one too), and go
 * on to the next. False: it has no end. */
static bool line_next(const char *bytes, size_t len, size_t *at, struct span *out)
{
    const char *end = memchr(bytes + *at, '\n', len - *at);

    if (!end)
        return false;
    *out = (struct span){bytes + *at, (size_t)(end - (bytes + *at))};
    if (out->len > 0 && out->at[out->len - 1] == '\r')
        out->len--;
    *at = (size_t)(end - bytes) + 1;
    return true;
}

/* Cut what is before `mark` off. False: there is no mark. */
static bool cut(struct span *s, char mark, struct span *out)
{
    const char *end = memchr(s->at, mark, s->len);

    if (!end)
        return false;
    *out = (struct span){s->at, (size_t)(end - s->at)};
    s->at = end + 1;
    s->len -= out->len + 1;
    return true;
}

static bool is(const struct span *s, const char *word)
{
    return s->len == strlen(word) && strncasecmp(s->at, word, s->len) == 0;
}

static bool copy(const struct span *s, char *out, size_t size)
{
    if (s->len >= size || memchr(s->at, 0, s->len))
        return false;
    memcpy(out, s->at, s->len);
    out[s->len] = 0;
    return true;
}

static bool port_of(struct span s, uint16_t *out)
{
    unsigned long port = 0;

    if (s.len == 0 || s.len > 5)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        if (s.at[i] < '0' || s.at[i] > '9')
            return false;
        port = port * 10 + (unsigned long)(s.at[i] - '0');
    }
    *out = (uint16_t)port;
    return port > 0 && port < 65536;
}

/* authority-form: host:port, [v6]:port. */
static bool target(struct span s, struct http_connect *out)
{
    struct span host;

    if (s.len > 0 && s.at[0] == '[') {
        s.at++;
        s.len--;
        if (!cut(&s, ']', &host) || s.len == 0 || s.at[0] != ':')
            return false;
        s.at++;
        s.len--;
    } else if (!cut(&s, ':', &host)) {
        return false;
    }
    if (host.len == 0 || !port_of(s, &out->to.port) || !copy(&host, out->host, sizeof out->host))
        return false;
    for (size_t i = 0; i < host.len; i++)
        if ((unsigned char)host.at[i] <= ' ' || host.at[i] == 0x7f)
            return false;
    if (addr_parse(out->host, &out->to.addr))
        out->host[0] = 0;
    return true;
}

/* Basic credentials; what is none of these is as if it were not there. */
static void authorization(struct span s, struct http_connect *out)
{
    struct base64_decode_ctx ctx;
    uint8_t text[2 * HTTP_TEXT_MAX + 8];
    size_t len = sizeof text;
    struct span scheme, name;

    while (s.len > 0 && (*s.at == ' ' || *s.at == '\t')) {
        s.at++;
        s.len--;
    }
    while (s.len > 0 && (s.at[s.len - 1] == ' ' || s.at[s.len - 1] == '\t'))
        s.len--;
    if (!cut(&s, ' ', &scheme) || !is(&scheme, "basic") ||
        BASE64_DECODE_LENGTH(s.len) > sizeof text)
        return;
    base64_decode_init(&ctx);
    if (!base64_decode_update(&ctx, &len, text, s.len, s.at) || !base64_decode_final(&ctx))
        return;
    struct span pair = {(const char *)text, len};
    out->authorized = cut(&pair, ':', &name) && copy(&name, out->name, sizeof out->name) &&
                      copy(&pair, out->secret, sizeof out->secret);
}

static int request_line(struct span line, struct http_connect *out)
{
    struct span method, where;

    if (!cut(&line, ' ', &method) || !cut(&line, ' ', &where))
        return -400;
    if (line.len != 8 || memcmp(line.at, "HTTP/1.", 7) != 0)
        return -505;
    if (!(method.len == 7 && memcmp(method.at, "CONNECT", 7) == 0))
        return -405;
    return target(where, out) ? 0 : -400;
}

int http_connect(const char *bytes, size_t len, struct http_connect *out)
{
    const int unfinished = len >= HTTP_HEADER_MAX ? -431 : 0;
    struct span line, name;
    size_t at = 0;

    *out = (struct http_connect){0};
    if (!line_next(bytes, len, &at, &line))
        return unfinished;
    int error = request_line(line, out);
    if (error)
        return error;
    while (line_next(bytes, len, &at, &line)) {
        if (line.len == 0)
            return at <= HTTP_HEADER_MAX ? (int)at : -431;
        if (!cut(&line, ':', &name) || name.len == 0 || memchr(name.at, ' ', name.len))
            return -400;
        if (is(&name, "proxy-authorization"))
            authorization(line, out);
    }
    return unfinished;
}

static const char *reason(int status)
{
    static const struct {
        int status;
        const char *text;
    } rows[] = {{200, "Connection established"},
                {400, "Bad Request"},
                {403, "Forbidden"},
                {405, "Method Not Allowed"},
                {407, "Proxy Authentication Required"},
                {408, "Request Timeout"},
                {431, "Request Header Fields Too Large"},
                {502, "Bad Gateway"},
                {503, "Service Unavailable"},
                {504, "Gateway Timeout"},
                {505, "HTTP Version Not Supported"}};

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].status == status)
            return rows[i].text;
    return "Error";
}

size_t http_put_reply(char out[HTTP_REPLY_MAX], int status, const char *why)
{
    int n;

    if (status / 100 == 2)
        n = snprintf(out, HTTP_REPLY_MAX, "HTTP/1.1 %d %s\r\n\r\n", status, reason(status));
    else
        n = snprintf(out, HTTP_REPLY_MAX,
                     "HTTP/1.1 %d %s\r\n%s%sContent-Type: text/plain\r\nContent-Length: %zu\r\n"
                     "Connection: close\r\n\r\n%.200s\n",
                     status, reason(status),
                     status == 407 ? "Proxy-Authenticate: Basic realm=\"plait\"\r\n" : "",
                     status == 405 ? "Allow: CONNECT\r\n" : "", strnlen(why, 200) + 1, why);
    return n < HTTP_REPLY_MAX ? (size_t)n : HTTP_REPLY_MAX - 1;
}
