/* SPDX-License-Identifier: MIT
 *
 * The link model and its text form: exact rates, queue limits, what loss,
 * order and cuts do, and that the same seed gives the same deliveries.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim/link.h"
#include "sim/spec.h"

static struct sim_packet *packet(uint32_t len, uint8_t mark)
{
    struct sim_packet *p = sim_packet_new(len);
    assert_non_null(p);
    memset(p->bytes, mark, len);
    return p;
}

/* Take the next packet at the time the link tells; UINT64_MAX: none left. */
static uint64_t next_packet(struct link *l, uint8_t *mark)
{
    for (uint64_t at_us; (at_us = link_next(l)) != UINT64_MAX;) {
        struct sim_packet *p = link_take(l, at_us);
        if (!p)
            continue;
        *mark = p->bytes[0];
        sim_packet_free(p);
        return at_us;
    }
    return UINT64_MAX;
}

static unsigned drain(struct link *l)
{
    unsigned n = 0;
    uint8_t mark;
    while (next_packet(l, &mark) != UINT64_MAX)
        n++;
    return n;
}

static void perfect_link_is_instant(void **state)
{
    struct link l;
    uint8_t mark;
    (void)state;
    link_init(&l, NULL, 1);
    link_offer(&l, 77, packet(1500, 5));
    assert_int_equal(link_next(&l), 77);
    assert_int_equal(next_packet(&l, &mark), 77);
    assert_int_equal(mark, 5);
    assert_int_equal(link_next(&l), UINT64_MAX);
    link_free(&l);
}

/* 7 Mbit/s: 1500 bytes take 1714.2857... us. After 7000 packets exactly 12 s
 * must have gone by, not 7000 times a rounded time. */
static void rate_does_not_drift(void **state)
{
    struct link l;
    const struct link_config c = {.rate_bps = 7000000, .delay_us = 10};
    uint64_t last = 0;
    uint8_t mark;
    (void)state;
    link_init(&l, &c, 1);
    for (unsigned i = 0; i < 7000; i++)
        link_offer(&l, 0, packet(1500, 0));
    for (uint64_t at; (at = next_packet(&l, &mark)) != UINT64_MAX;)
        last = at;
    assert_int_equal(last, 12000000 + 10);
    assert_int_equal(l.stats.delivered_bytes, 7000 * 1500);
    link_free(&l);
}

static void first_packet_time_is_rounded_up(void **state)
{
    struct link l;
    const struct link_config c = {.rate_bps = 7000000, .delay_us = 1000};
    (void)state;
    link_init(&l, &c, 1);
    link_offer(&l, 0, packet(1500, 0));
    assert_int_equal(link_next(&l), 1715 + 1000);
    assert_null(link_take(&l, 2714));
    link_free(&l);
}

static void queue_counts_bytes_and_drops_the_tail(void **state)
{
    struct link l;
    const struct link_config c = {.rate_bps = 8000000, .queue_bytes = 3000};
    uint8_t mark;
    (void)state;
    link_init(&l, &c, 1);
    for (uint8_t i = 0; i < 4; i++)
        link_offer(&l, 0, packet(1000, i));
    assert_int_equal(l.stats.dropped_queue, 1);
    assert_int_equal(l.queued_bytes, 3000);
    assert_int_equal(next_packet(&l, &mark), 1000); /* 1 ms a packet */
    link_offer(&l, 1000, packet(1000, 9));          /* room again */
    assert_int_equal(l.stats.dropped_queue, 1);
    assert_int_equal(drain(&l), 3);
    assert_int_equal(l.stats.queue_peak_bytes, 3000);
    link_offer(&l, 9000, packet(5000, 1)); /* an empty queue takes anything */
    assert_int_equal(l.stats.dropped_queue, 1);
    link_free(&l);
}

static void queue_counts_packets(void **state)
{
    struct link l;
    const struct link_config c = {.rate_bps = 8000000, .queue_packets = 3};
    (void)state;
    link_init(&l, &c, 1);
    for (uint8_t i = 0; i < 4; i++)
        link_offer(&l, 0, packet(i ? 40 : 1500, i));
    assert_int_equal(l.stats.dropped_queue, 1);
    assert_int_equal(l.queued_packets, 3);
    assert_int_equal(drain(&l), 3);
    assert_int_equal(l.queued_packets, 0);
    link_free(&l);
}

/* The last places drop one in ten; those before them none. */
static void last_places_drop_at_random(void **state)
{
    struct link l;
    const struct link_config c = {.rate_bps = 8000000, .queue_packets = 10, .random_packets = 3};
    unsigned early = 0, late = 0;
    (void)state;
    for (uint64_t seed = 1; seed <= 2000; seed++) {
        link_init(&l, &c, seed);
        for (uint8_t i = 0; i < 7; i++)
            link_offer(&l, 0, packet(1000, i));
        early += l.stats.dropped_queue > 0;
        link_offer(&l, 0, packet(1000, 7));
        late += l.stats.dropped_queue > 0;
        link_free(&l);
    }
    assert_int_equal(early, 0);
    assert_in_range(late, 140, 260);
}

static struct capacity *trace_of(const char *text)
{
    char error[CAPACITY_ERROR_MAX];
    struct capacity *c = capacity_parse(text, strlen(text), error);
    if (!c)
        fail_msg("%s: %s", text, error);
    return c;
}

/* 1500 bytes at 3, 4 (twice) and 10 ms, and again from 10 ms on. */
static void a_trace_says_when_packets_leave(void **state)
{
    struct capacity *trace = trace_of("3\n4\n4\n10\n");
    const struct link_config c = {.trace = trace, .delay_us = 500};
    static const uint64_t when_ms[] = {3, 4, 4, 10, 13, 14, 14, 20};
    struct link l;
    uint8_t mark;
    (void)state;
    link_init(&l, &c, 1);
    l.trace_us = 1000000;
    for (uint8_t i = 0; i < 8; i++)
        link_offer(&l, 1000000, packet(1500, i));
    for (uint8_t i = 0; i < 8; i++) {
        assert_int_equal(next_packet(&l, &mark), 1000500 + when_ms[i] * 1000);
        assert_int_equal(mark, i);
    }
    link_free(&l);
    free(trace);
}

/* Small packets share a chance, large ones take several; a chance that nobody
 * used is gone. */
static void a_trace_counts_bytes(void **state)
{
    struct capacity *trace = trace_of("1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n");
    const struct link_config c = {.trace = trace};
    struct link l;
    uint8_t mark;
    (void)state;
    assert_int_equal(capacity_rate(trace), 12000000);
    link_init(&l, &c, 1);
    link_offer(&l, 100, packet(700, 0));
    link_offer(&l, 100, packet(700, 1));
    link_offer(&l, 100, packet(700, 2));  /* 100 bytes at 1 ms, the rest at 2 ms */
    link_offer(&l, 100, packet(2000, 3)); /* 900 at 2 ms, 1100 at 3 ms */
    assert_int_equal(next_packet(&l, &mark), 1000);
    assert_int_equal(next_packet(&l, &mark), 1000);
    assert_int_equal(next_packet(&l, &mark), 2000);
    assert_int_equal(next_packet(&l, &mark), 3000);
    link_offer(&l, 3500, packet(400, 4)); /* what was left at 3 ms is gone */
    assert_int_equal(next_packet(&l, &mark), 4000);
    link_offer(&l, 25000, packet(1500, 5)); /* at 25 ms exactly: the fifth of the third round */
    assert_int_equal(next_packet(&l, &mark), 25000);
    link_free(&l);
    free(trace);
}

static void bad_traces_are_refused(void **state)
{
    static const struct {
        const char *text, *words;
    } rows[] = {{"", "line 1: a trace ends with a time above 0"},
                {"0\n0\n", "line 2: a trace ends"},
                {"1\n\n2\n", "line 2: a line is one whole number"},
                {"1\n2 \n", "line 2: a line"},
                {"1\n-2\n", "line 2: a line"},
                {"1.5\n", "line 1: a line"},
                {"1000000001\n", "line 1: a line"},
                {"99999999999999999999999\n", "line 1: a line"},
                {"2\n1\n", "line 2: its time is before"}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char error[CAPACITY_ERROR_MAX] = "";
        assert_null(capacity_parse(rows[i].text, strlen(rows[i].text), error));
        if (strncmp(error, rows[i].words, strlen(rows[i].words)) != 0)
            fail_msg("\"%s\": %s", rows[i].text, error);
    }
    free(trace_of("1\r\n2"));
}

static void bytes_before_ip_do_not_count(void **state)
{
    struct link l;
    const struct link_config c = {.rate_bps = 8000000};
    (void)state;
    link_init(&l, &c, 1);
    struct sim_packet *p = packet(1014, 0);
    p->head_len = 14;
    link_offer(&l, 0, p);
    assert_int_equal(link_next(&l), 1000);
    assert_int_equal(l.stats.offered_bytes, 1000);
    link_free(&l);
}

static void loss_is_as_often_as_told(void **state)
{
    struct link l;
    const struct link_config c = {.loss_ppm = 20000};
    (void)state;
    link_init(&l, &c, 7);
    for (unsigned i = 0; i < 50000; i++)
        link_offer(&l, i, packet(40, 0));
    unsigned got = drain(&l);
    assert_int_equal(got + l.stats.dropped_loss, 50000);
    assert_in_range(l.stats.dropped_loss, 900, 1100);
    link_free(&l);
}

/* Bad one time in 11 with 90 % loss: 8.2 % in all, and in runs. */
static void bursts_lose_in_runs(void **state)
{
    struct link l;
    const struct link_config c = {.good_to_bad_ppm = 10000,
                                  .bad_to_good_ppm = 100000,
                                  .loss_bad_ppm = 900000};
    unsigned runs = 0;
    bool before = false;
    (void)state;
    link_init(&l, &c, 7);
    for (unsigned i = 0; i < 50000; i++) {
        uint64_t lost = l.stats.dropped_loss;
        link_offer(&l, i, packet(40, 0));
        (void)drain(&l);
        bool now = l.stats.dropped_loss > lost;
        runs += now && !before;
        before = now;
    }
    assert_in_range(l.stats.dropped_loss, 3500, 4700);
    assert_in_range(runs, 300, 1500);
    link_free(&l);
}

static void reordering_delays_some(void **state)
{
    struct link l;
    const struct link_config c = {.delay_us = 1000, .reorder_ppm = 100000, .reorder_delay_us = 500};
    unsigned late = 0, n = 0;
    uint8_t mark, expected = 0;
    (void)state;
    link_init(&l, &c, 3);
    for (unsigned i = 0; i < 1000; i++)
        link_offer(&l, i * 100, packet(40, (uint8_t)i));
    for (; next_packet(&l, &mark) != UINT64_MAX; n++) {
        late += mark != expected;
        expected = (uint8_t)(mark + 1);
    }
    assert_int_equal(n, 1000);
    assert_in_range(l.stats.reordered, 70, 130);
    assert_true(late > l.stats.reordered);
    link_free(&l);
}

static void jitter_keeps_the_order(void **state)
{
    struct link l;
    const struct link_config c = {.delay_us = 1000, .jitter_us = 5000};
    uint8_t mark, expected = 0;
    uint64_t at, last = 0;
    (void)state;
    link_init(&l, &c, 3);
    for (unsigned i = 0; i < 200; i++)
        link_offer(&l, i * 100, packet(40, (uint8_t)i));
    for (; (at = next_packet(&l, &mark)) != UINT64_MAX; expected++) {
        assert_int_equal(mark, expected);
        assert_true(at >= last);
        last = at;
    }
    assert_int_equal(expected, 200);
    link_free(&l);
}

static void corruption_flips_one_bit(void **state)
{
    struct link l;
    const struct link_config c = {.corrupt_ppm = 1000000};
    unsigned bits = 0;
    (void)state;
    link_init(&l, &c, 3);
    struct sim_packet *p = packet(100, 0);
    p->head_len = 50;
    link_offer(&l, 0, p);
    p = link_take(&l, 0);
    for (unsigned i = 0; i < 100; i++) {
        assert_true(i >= 50 || p->bytes[i] == 0);
        bits += (unsigned)__builtin_popcount(p->bytes[i]);
    }
    assert_int_equal(bits, 1);
    sim_packet_free(p);
    link_free(&l);
}

static void duplicates_are_two(void **state)
{
    struct link l;
    const struct link_config c = {.duplicate_ppm = 1000000};
    (void)state;
    link_init(&l, &c, 3);
    link_offer(&l, 0, packet(100, 0));
    assert_int_equal(drain(&l), 2);
    link_free(&l);
}

static void down_loses_everything(void **state)
{
    struct link l;
    const struct link_config c = {.rate_bps = 8000000, .delay_us = 5000};
    (void)state;
    link_init(&l, &c, 3);
    for (unsigned i = 0; i < 10; i++)
        link_offer(&l, 0, packet(1000, 0));
    link_set_up(&l, 3500, false); /* three fly, seven wait */
    assert_int_equal(link_next(&l), UINT64_MAX);
    link_offer(&l, 4000, packet(1000, 0));
    assert_int_equal(l.stats.dropped_down, 11);
    link_set_up(&l, 5000, true);
    link_offer(&l, 5000, packet(1000, 0));
    assert_int_equal(link_next(&l), 5000 + 1000 + 5000);
    link_free(&l);
}

static void a_new_rate_counts_from_now(void **state)
{
    struct link l;
    struct link_config c = {.rate_bps = 8000000};
    uint8_t mark;
    (void)state;
    link_init(&l, &c, 3);
    link_offer(&l, 0, packet(1000, 0));
    link_offer(&l, 0, packet(1000, 1));
    c.rate_bps = 800000;
    link_configure(&l, 500, &c);
    assert_int_equal(next_packet(&l, &mark), 1000); /* begun already */
    assert_int_equal(next_packet(&l, &mark), 11000);
    link_free(&l);
}

/* Looking at the link more often changes nothing. */
static void looking_changes_nothing(void **state)
{
    const struct link_config c = {.rate_bps = 3000000,
                                  .delay_us = 700,
                                  .jitter_us = 900,
                                  .queue_bytes = 9000,
                                  .loss_ppm = 50000,
                                  .duplicate_ppm = 50000,
                                  .reorder_ppm = 50000,
                                  .reorder_delay_us = 3000};
    uint64_t sum[2] = {0, 0};
    (void)state;
    for (unsigned often = 0; often < 2; often++) {
        struct link l;
        link_init(&l, &c, 11);
        unsigned offered = 0;
        for (uint64_t now = 0; now < 2000000; now++) {
            bool due = link_next(&l) <= now;
            for (struct sim_packet *p; (due || often) && (p = link_take(&l, now)) != NULL;) {
                sum[often] = sum[often] * 31 + now * 7 + p->bytes[0];
                sim_packet_free(p);
            }
            if (now % 1531 == 0)
                link_offer(&l, now, packet(600, (uint8_t)offered++));
        }
        link_free(&l);
    }
    assert_int_equal(sum[0], sum[1]);
}

static void texts_are_read(void **state)
{
    struct link_config c;
    char error[SPEC_ERROR_MAX];
    (void)state;
    assert_true(
        link_spec_parse("rate=50mbit,delay=10ms,queue=375kB,mark=30kB,loss=0.1%", &c, error));
    assert_int_equal(c.rate_bps, 50000000);
    assert_int_equal(c.delay_us, 10000);
    assert_int_equal(c.queue_bytes, 375000);
    assert_int_equal(c.mark_bytes, 30000);
    assert_int_equal(c.loss_ppm, 1000);
    assert_true(
        link_spec_parse("burst=0.5%/30%/50%,reorder=1%/5ms,dup=0.01%,corrupt=100%", &c, error));
    assert_int_equal(c.good_to_bad_ppm, 5000);
    assert_int_equal(c.bad_to_good_ppm, 300000);
    assert_int_equal(c.loss_bad_ppm, 500000);
    assert_int_equal(c.reorder_ppm, 10000);
    assert_int_equal(c.reorder_delay_us, 5000);
    assert_int_equal(c.duplicate_ppm, 100);
    assert_int_equal(c.corrupt_ppm, 1000000);
    assert_int_equal(c.rate_bps, 0);
    assert_true(link_spec_parse("queue=80ms,rate=8mbit", &c, error));
    assert_int_equal(c.queue_bytes, 80000);
    assert_true(link_spec_parse("queue=2s,rate=2mbit,jitter=1.5ms", &c, error));
    assert_int_equal(c.queue_bytes, 500000);
    assert_int_equal(c.jitter_us, 1500);
    assert_true(link_spec_parse("rate=0.5mbit", &c, error));
    assert_int_equal(c.rate_bps, 500000);
    assert_int_equal(c.queue_bytes, 32000);
    assert_true(link_spec_parse("", &c, error));
    assert_int_equal(c.rate_bps, 0);
}

static void bad_texts_are_refused(void **state)
{
    static const char *const bad[] = {"rate",
                                      "rate=",
                                      "rate=fast",
                                      "rate=5",
                                      "rate=0mbit",
                                      "rate=-1mbit",
                                      "rate=2000gbit",
                                      "delay=10",
                                      "delay=2h",
                                      "loss=101%",
                                      "loss=0.1",
                                      "loss=1.2.3%",
                                      "queue=80ms",
                                      "queue=1.5",
                                      "queue=1.5pkt",
                                      "queue=0pkt",
                                      "mark=0B",
                                      "mark=20ms",
                                      "rate=1mbit,random=1",
                                      "queue=10pkt,random=11",
                                      "queue=10pkt,random=1.5",
                                      "burst=1%/2%",
                                      "burst=1%/2%/3%/4%",
                                      "burst=1%/0%/3%",
                                      "reorder=1%",
                                      "mtu=1500",
                                      "delay=99999999999999999999s",
                                      "rate=50mbit delay=10ms"};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct link_config c = {.delay_us = 42};
        char error[SPEC_ERROR_MAX] = "";
        if (link_spec_parse(bad[i], &c, error))
            fail_msg("\"%s\" was taken", bad[i]);
        assert_true(strlen(error) > 10);
        assert_int_equal(c.delay_us, 42);
    }
}

static void texts_survive_a_round_trip(void **state)
{
    static const char *const texts[] = {
        "",
        "rate=50mbit,delay=10ms,queue=375kB",
        "rate=1001bit,queue=0B",
        "delay=7500us",
        "rate=100kbit,delay=1s,jitter=3ms,queue=64kB,loss=0.01%,burst=1%/20%/100%,reorder=2.5%/4ms",
        "rate=12mbit,queue=103pkt,random=3",
        "rate=12mbit,queue=64kB,mark=8kB",
        "queue=1pkt",
        "dup=5%,corrupt=0.0001%"};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct link_config c;
        char error[SPEC_ERROR_MAX], out[SPEC_TEXT_MAX];
        assert_true(link_spec_parse(texts[i], &c, error));
        assert_string_equal(link_spec_format(&c, out), texts[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(perfect_link_is_instant),
        cmocka_unit_test(rate_does_not_drift),
        cmocka_unit_test(first_packet_time_is_rounded_up),
        cmocka_unit_test(queue_counts_bytes_and_drops_the_tail),
        cmocka_unit_test(queue_counts_packets),
        cmocka_unit_test(last_places_drop_at_random),
        cmocka_unit_test(a_trace_says_when_packets_leave),
        cmocka_unit_test(a_trace_counts_bytes),
        cmocka_unit_test(bad_traces_are_refused),
        cmocka_unit_test(bytes_before_ip_do_not_count),
        cmocka_unit_test(loss_is_as_often_as_told),
        cmocka_unit_test(bursts_lose_in_runs),
        cmocka_unit_test(reordering_delays_some),
        cmocka_unit_test(jitter_keeps_the_order),
        cmocka_unit_test(corruption_flips_one_bit),
        cmocka_unit_test(duplicates_are_two),
        cmocka_unit_test(down_loses_everything),
        cmocka_unit_test(a_new_rate_counts_from_now),
        cmocka_unit_test(looking_changes_nothing),
        cmocka_unit_test(texts_are_read),
        cmocka_unit_test(bad_texts_are_refused),
        cmocka_unit_test(texts_survive_a_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
