/* SPDX-License-Identifier: MIT
 *
 * Any bytes as what a peer of plait perf sends, in pieces of any length: a
 * hello, then messages. Messages are used as the server uses a test's
 * parameters and as both sides use the other's results.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

/* The connection that channels read from and write to is the input. */
#define plait_conn_read input_read
#define plait_conn_write output_write
#include "cli/perf_channel.c"
#include "cli/perf_server.c"

static const uint8_t *input;
static size_t input_left, input_turn;

int64_t input_read(struct plait_conn *conn, void *data, size_t len, uint64_t now_us)
{
    (void)conn, (void)now_us;
    if (input_left == 0)
        return 0;
    if (input_turn++ % 2)
        return PLAIT_E_AGAIN;
    size_t n = input_turn % 8 + 1; /* pieces of different lengths */
    n = input_turn % 16 > 8 ? len : n;
    n = n < len ? n : len;
    n = n < input_left ? n : input_left;
    memcpy(data, input, n);
    input += n;
    input_left -= n;
    return (int64_t)n;
}

int64_t output_write(struct plait_conn *conn, const void *data, size_t len, uint64_t now_us)
{
    (void)conn, (void)data, (void)now_us;
    return len > 16 ? 16 : (int64_t)len;
}

static void use(const json_t *message)
{
    struct perf_params params;
    struct plait_endpoint remote = {{PLAIT_IPV4, {10, 0, 0, 1}}, PERF_PORT};
    struct perf_test test;
    if (!read_params(message, &params))
        params.streams = 2;
    if (!perf_test_init(&test, NULL, &params, false))
        abort();
    test.end_us = 1000000;
    test.remote = json_incref((json_t *)message);
    json_t *report = perf_json(&test, &remote);
    json_decref(report);
    perf_test_free(&test);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct perf_channel c = {.conn = (struct plait_conn *)&c};
    struct perf_hello hello;
    int got = 0;
    input = data;
    input_left = size;
    input_turn = 0;
    while (got == 0)
        got = perf_channel_hello(&c, &hello, 0);
    if (got == 1)
        perf_channel_send_hello(&c, &hello, 0);
    while (got == 1 && !c.error && !c.ended) {
        json_t *message = perf_channel_receive(&c, 0);
        if (!message)
            continue;
        use(message);
        perf_channel_send(&c, message, 0);
    }
    perf_channel_free(&c);
    return 0;
}
