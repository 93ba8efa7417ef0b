/* SPDX-License-Identifier: MIT
 *
 * Any bytes as what a proxy hears: a Convert message, SOCKS, HTTP CONNECT. The
 * first byte of the input says which.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "proxy/convert.h"
#include "proxy/http.h"
#include "proxy/socks.h"
#include "tests/fuzz/fuzz.h"

static void look_at_convert(const uint8_t *data, size_t size)
{
    struct convert_message m;
    int len = convert_length(data, size);
    struct convert_option option;
    size_t at = 0;

    if (len <= 0 || (size_t)len > size)
        return;
    assert(len <= CONVERT_BYTES_MAX);
    int error = convert_decode(data, (size_t)len, &m);
    if (error != CONVERT_GOOD) {
        assert(error >= 0 && convert_error_text((unsigned)error));
        return;
    }
    while (m.connect && convert_option_next(&m.options, &at, &option))
        assert(at <= m.options.len && option.value.len <= m.options.len);
    if (m.name)
        assert(m.host[0] && strlen(m.host) <= CONVERT_NAME_MAX);

    struct convert_writer w;
    convert_begin(&w);
    if (m.connect)
        convert_put_connect(&w, &m.peer, NULL, 0);
    if (m.name)
        convert_put_name(&w, m.host, m.peer.port);
    if (!convert_end(&w))
        return;
    struct convert_message again;
    assert(convert_decode(w.bytes, w.len, &again) == CONVERT_GOOD);
    assert(memcmp(&again.peer, &m.peer, sizeof m.peer) == 0 && strcmp(again.host, m.host) == 0);
}

static void look_at_socks(const uint8_t *data, size_t size)
{
    struct socks_user user;
    struct socks_request request;
    enum socks_reply reply;
    bool no_auth, by_name;
    uint8_t out[SOCKS_REPLY_MAX];

    assert(socks_greeting(data, size, &no_auth, &by_name) <= (int)size);
    assert(socks_user(data, size, &user) <= (int)size);
    assert(socks_request(data, size, &request, &reply) <= (int)size);
    assert(socks_put_reply(out, reply, &request.to) <= sizeof out);
}

static void look_at_http(const uint8_t *data, size_t size)
{
    struct http_connect request;
    char out[HTTP_REPLY_MAX];
    int n = http_connect((const char *)data, size, &request);

    assert(n <= (int)size && n <= HTTP_HEADER_MAX);
    if (n > 0)
        assert(request.to.port && (request.host[0] || request.to.addr.family));
    if (n < 0)
        assert(http_put_reply(out, -n, "no") < sizeof out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const looks[])(const uint8_t *, size_t) = {look_at_convert, look_at_socks,
                                                             look_at_http};

    if (size < 1)
        return 0;
    /* A copy of its own length, so that a byte read too far is seen. */
    uint8_t *copy = malloc(size);
    if (!copy)
        return 0;
    memcpy(copy, data + 1, size - 1);
    looks[data[0] % 3](copy, size - 1);
    free(copy);
    return 0;
}
