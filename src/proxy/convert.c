/* SPDX-License-Identifier: MIT */
#include "proxy/convert.h"

#include <string.h>

#include "base/addr.h"
#include "base/bytes.h"

enum { WORD = 4, CONNECT_BYTES = 20 };

static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

const char *convert_error_text(unsigned code)
{
    switch (code) {
#define X(name, value, text)                                                                       \
    case value:                                                                                    \
        return text;
        CONVERT_ERRORS(X)
#undef X
    default:
        return "an error that is not known here";
    }
}

/* ---- reading ---------------------------------------------------------------- */

int convert_length(const uint8_t *bytes, size_t len)
{
    if (len < CONVERT_HEAD_BYTES)
        return 0;
    if (bytes[1] == 0 || get_be16(bytes + 2) != CONVERT_MAGIC)
        return -1;
    return bytes[1] * WORD;
}

/* RFC 8803 6.2.5: no multicast, broadcast or host loopback. */
static bool connectable(const struct plait_endpoint *e)
{
    return !addr_is_multicast(&e->addr) && !addr_is_loopback(&e->addr) &&
           !addr_is_unspecified(&e->addr) && e->port != 0;
}

static bool read_connect(const uint8_t *tlv, size_t len, struct convert_message *m)
{
    if (len < CONNECT_BYTES)
        return false;
    m->peer.port = get_be16(tlv + 2);
    bool v4 = memcmp(tlv + 4, mapped, sizeof mapped) == 0;
    m->peer.addr = v4 ? addr_v4(tlv + 16) : addr_v6(tlv + 4);
    m->options = (struct convert_span){tlv + CONNECT_BYTES, len - CONNECT_BYTES};
    return connectable(&m->peer);
}

/* A name's bytes are checked by who resolves it; here only that it is a text. */
static bool read_name(const uint8_t *tlv, size_t len, struct convert_message *m)
{
    size_t n = len - WORD;

    while (n > 0 && tlv[WORD + n - 1] == 0)
        n--;
    if (n == 0 || n > CONVERT_NAME_MAX || len - WORD - n >= WORD || memchr(tlv + WORD, 0, n))
        return false;
    memcpy(m->host, tlv + WORD, n);
    m->host[n] = 0;
    m->peer.port = get_be16(tlv + 2);
    return m->peer.port != 0;
}

/* False: malformed. *known: a type that there is. */
static bool read_tlv(const uint8_t *tlv, size_t len, struct convert_message *m, bool *known)
{
    const struct convert_span value = {tlv + WORD, len - WORD};
    bool again = false, good = true;

    *known = true;
#define ONCE(field) (again = (field), (field) = true)
    switch (tlv[0]) {
    case CONVERT_INFO:
        ONCE(m->info);
        good = len == WORD;
        break;
    case CONVERT_CONNECT:
        ONCE(m->connect);
        good = read_connect(tlv, len, m);
        break;
    case CONVERT_HEADER:
        ONCE(m->header);
        m->header_bytes = value;
        break;
    case CONVERT_EXTENSIONS:
        ONCE(m->extensions);
        m->kinds = value;
        break;
    case CONVERT_COOKIE:
        ONCE(m->cookie);
        m->cookie_bytes = value;
        break;
    case CONVERT_ERROR:
        ONCE(m->error);
        m->error_code = tlv[2];
        m->error_value = (struct convert_span){tlv + 3, len - 3};
        break;
    case CONVERT_NAME:
        ONCE(m->name);
        good = read_name(tlv, len, m);
        break;
    default:
        *known = false;
    }
#undef ONCE
    return good && !again;
}

int convert_decode(const uint8_t *bytes, size_t len, struct convert_message *out)
{
    bool known = true;

    *out = (struct convert_message){0};
    if (bytes[0] != CONVERT_VERSION)
        return CONVERT_E_UNSUPPORTED_VERSION;
    for (size_t at = CONVERT_HEAD_BYTES; at < len;) {
        size_t tlv = (size_t)bytes[at + 1] * WORD;
        if (tlv == 0 || tlv > len - at || !read_tlv(bytes + at, tlv, out, &known))
            return CONVERT_E_MALFORMED;
        if (!known)
            return CONVERT_E_UNSUPPORTED_MESSAGE;
        at += tlv;
    }
    return out->connect && out->name ? CONVERT_E_MALFORMED : CONVERT_GOOD;
}

bool convert_option_next(const struct convert_span *options, size_t *at, struct convert_option *out)
{
    const uint8_t *p = options->at;

    while (*at < options->len && p[*at] <= 1) /* END as padding, NOP: section 7.1 */
        ++*at;
    if (options->len - *at < 2 || p[*at + 1] < 2 || p[*at + 1] > options->len - *at)
        return false;
    size_t len = p[*at + 1];
    *out = (struct convert_option){p[*at], {p + *at + 2, len - 2}};
    *at += len;
    return true;
}

/* ---- writing ---------------------------------------------------------------- */

void convert_begin(struct convert_writer *w)
{
    *w = (struct convert_writer){.len = CONVERT_HEAD_BYTES};
    w->bytes[0] = CONVERT_VERSION;
    put_be16(w->bytes + 2, CONVERT_MAGIC);
}

/* Room for a TLV with so many bytes after its first word, zeroed; NULL: full. */
static uint8_t *put_tlv(struct convert_writer *w, enum convert_type type, size_t value)
{
    size_t len = WORD + (value + WORD - 1) / WORD * WORD;

    if (w->full || len > sizeof w->bytes - w->len) {
        w->full = true;
        return NULL;
    }
    uint8_t *tlv = w->bytes + w->len;
    memset(tlv, 0, len);
    tlv[0] = (uint8_t)type;
    tlv[1] = (uint8_t)(len / WORD);
    w->len += len;
    return tlv;
}

static size_t put_bytes(struct convert_writer *w, enum convert_type type, const void *value,
                        size_t len)
{
    uint8_t *tlv = put_tlv(w, type, len);

    if (!tlv)
        return 0;
    if (len)
        memcpy(tlv + WORD, value, len);
    return (size_t)(tlv + WORD - w->bytes);
}

void convert_put_info(struct convert_writer *w)
{
    put_tlv(w, CONVERT_INFO, 0);
}

void convert_put_connect(struct convert_writer *w, const struct plait_endpoint *peer,
                         const uint8_t *kinds, size_t count)
{
    uint8_t *tlv = put_tlv(w, CONVERT_CONNECT, CONNECT_BYTES - WORD + 2 * count);

    if (!tlv)
        return;
    put_be16(tlv + 2, peer->port);
    if (peer->addr.family == PLAIT_IPV4) {
        memcpy(tlv + 4, mapped, sizeof mapped);
        memcpy(tlv + 16, peer->addr.bytes, 4);
    } else {
        memcpy(tlv + 4, peer->addr.bytes, 16);
    }
    for (size_t i = 0; i < count; i++) {
        tlv[CONNECT_BYTES + 2 * i] = kinds[i];
        tlv[CONNECT_BYTES + 2 * i + 1] = 2;
    }
}

void convert_put_name(struct convert_writer *w, const char *name, uint16_t port)
{
    size_t at = put_bytes(w, CONVERT_NAME, name, strlen(name));

    if (at)
        put_be16(w->bytes + at - 2, port);
}

void convert_put_header(struct convert_writer *w, const void *options, size_t len)
{
    put_bytes(w, CONVERT_HEADER, options, len);
}

void convert_put_extensions(struct convert_writer *w, const uint8_t *kinds, size_t count)
{
    put_bytes(w, CONVERT_EXTENSIONS, kinds, count);
}

size_t convert_put_cookie(struct convert_writer *w, const void *cookie, size_t len)
{
    return put_bytes(w, CONVERT_COOKIE, cookie, len);
}

void convert_put_error(struct convert_writer *w, unsigned code, const void *value, size_t len)
{
    size_t room = sizeof w->bytes - w->len - WORD + 1;
    size_t fits = len < room ? len : room;
    uint8_t *tlv = put_tlv(w, CONVERT_ERROR, fits ? fits - 1 : 0);

    if (!tlv)
        return;
    tlv[2] = (uint8_t)code;
    if (fits)
        memcpy(tlv + 3, value, fits);
}

bool convert_end(struct convert_writer *w)
{
    w->bytes[1] = (uint8_t)(w->len / WORD);
    return !w->full;
}
