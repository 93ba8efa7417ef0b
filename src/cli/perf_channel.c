/* SPDX-License-Identifier: MIT
 *
 * Hellos and messages of plait perf over a connection that may take and give
 * any number of bytes at a time. What the peer sends is not trusted: lengths
 * are bounded, JSON is parsed by jansson.
 */
#include <stdlib.h>
#include <string.h>

#include "cli/perf.h"

static const uint8_t magic[9] = {'p', 'l', 'a', 'i', 't', 'p', 'r', 'f', 1};

void perf_channel_free(struct perf_channel *c)
{
    free(c->in);
    free(c->out);
    *c = (struct perf_channel){0};
}

bool perf_channel_flush(struct perf_channel *c, uint64_t now_us)
{
    while (c->conn && !c->error && c->out_at < c->out_len) {
        int64_t n = plait_conn_write(c->conn, c->out + c->out_at, c->out_len - c->out_at, now_us);
        if (n == PLAIT_E_AGAIN)
            return false;
        if (n < 0)
            c->error = (int)n;
        else
            c->out_at += (size_t)n;
    }
    return c->out_at == c->out_len;
}

void perf_channel_put(struct perf_channel *c, const void *data, size_t len, uint64_t now_us)
{
    size_t waiting = c->out_len - c->out_at;
    uint8_t *grown = malloc(waiting + len);

    if (!grown) {
        c->error = PLAIT_E_NO_MEMORY;
        return;
    }
    if (waiting)
        memcpy(grown, c->out + c->out_at, waiting);
    memcpy(grown + waiting, data, len);
    free(c->out);
    c->out = grown;
    c->out_at = 0;
    c->out_len = waiting + len;
    perf_channel_flush(c, now_us);
}

void perf_channel_send_hello(struct perf_channel *c, const struct perf_hello *hello,
                             uint64_t now_us)
{
    uint8_t bytes[PERF_HELLO_BYTES];

    memcpy(bytes, magic, sizeof magic);
    bytes[9] = (uint8_t)hello->kind;
    bytes[10] = (uint8_t)(hello->stream >> 8);
    bytes[11] = (uint8_t)hello->stream;
    memcpy(bytes + 12, hello->cookie, PERF_COOKIE_BYTES);
    perf_channel_put(c, bytes, sizeof bytes, now_us);
}

void perf_channel_send(struct perf_channel *c, json_t *message, uint64_t now_us)
{
    char *text = json_dumps(message, JSON_COMPACT);
    size_t len = text ? strlen(text) : 0;
    uint8_t head[4] = {(uint8_t)(len >> 24), (uint8_t)(len >> 16), (uint8_t)(len >> 8),
                       (uint8_t)len};

    if (text) {
        perf_channel_put(c, head, sizeof head, now_us);
        perf_channel_put(c, text, len, now_us);
    } else {
        c->error = PLAIT_E_NO_MEMORY;
    }
    free(text);
    json_decref(message);
}

/* Read until `want` bytes are in the buffer. False: they are not. */
static bool gather(struct perf_channel *c, size_t want, uint64_t now_us)
{
    if (c->in_size < want) {
        uint8_t *grown = realloc(c->in, want);
        if (!grown) {
            c->error = PLAIT_E_NO_MEMORY;
            return false;
        }
        c->in = grown;
        c->in_size = want;
    }
    while (c->in_len < want && !c->error && !c->ended) {
        int64_t n = plait_conn_read(c->conn, c->in + c->in_len, want - c->in_len, now_us);
        if (n == PLAIT_E_AGAIN)
            break;
        if (n < 0)
            c->error = (int)n;
        else if (n == 0)
            c->ended = true;
        else
            c->in_len += (size_t)n;
    }
    return c->in_len >= want;
}

int perf_channel_hello(struct perf_channel *c, struct perf_hello *hello, uint64_t now_us)
{
    if (!gather(c, PERF_HELLO_BYTES, now_us))
        return c->error || c->ended ? -1 : 0;
    c->in_len = 0;
    if (memcmp(c->in, magic, sizeof magic) != 0 || c->in[9] > PERF_EXCHANGE)
        return -1;
    hello->kind = (enum perf_kind)c->in[9];
    hello->stream = (unsigned)(c->in[10] << 8 | c->in[11]);
    memcpy(hello->cookie, c->in + 12, PERF_COOKIE_BYTES);
    return 1;
}

json_t *perf_channel_receive(struct perf_channel *c, uint64_t now_us)
{
    if (!c->conn || !gather(c, 4, now_us))
        return NULL;
    size_t len = (size_t)c->in[0] << 24 | (size_t)c->in[1] << 16 | (size_t)c->in[2] << 8 | c->in[3];
    if (len > PERF_MESSAGE_MAX) {
        c->error = PLAIT_E_PROTOCOL;
        return NULL;
    }
    if (!gather(c, 4 + len, now_us))
        return NULL;
    json_t *message = json_loadb((const char *)c->in + 4, len, 0, NULL);
    c->in_len = 0;
    if (!json_is_object(message)) {
        json_decref(message);
        c->error = PLAIT_E_PROTOCOL;
        return NULL;
    }
    return message;
}
