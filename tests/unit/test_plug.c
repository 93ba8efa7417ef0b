/* SPDX-License-Identifier: MIT
 *
 * Plug-ins in Lua: what a script sees, what becomes of what it returns, and of
 * everything that can be wrong with one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "plug/plug.h"

/* ---- a script in a file --------------------------------------------------------------- */

struct bench {
    char path[64], name[128], error[PLUG_ERROR_MAX];
    char told[PLUG_ERROR_MAX]; /* last, */
    unsigned tellings;
    struct plugs *plugs;
    struct plait_plugins finder;
    uint64_t state[PLAIT_PLUGIN_STATE_MAX / 8];
};

static void take_message(void *ctx, const char *message)
{
    struct bench *b = ctx;
    b->tellings++;
    snprintf(b->told, sizeof b->told, "%s", message);
}

static void bench_open(struct bench *b, const char *text, const char *options)
{
    *b = (struct bench){.path = "/tmp/plait-plug-XXXXXX"};
    int fd = mkstemp(b->path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    snprintf(b->name, sizeof b->name, "lua:%s%s%s", b->path, options ? "," : "",
             options ? options : "");
    b->plugs = plugs_new(take_message, b);
    b->finder = plugs_finder(b->plugs);
}

static void bench_close(struct bench *b)
{
    plugs_free(b->plugs);
    unlink(b->path);
}

/* The line of the file and these words are in the text; line 0: the file alone. */
static void expect_text(const struct bench *b, const char *text, unsigned line, const char *words)
{
    char place[80];
    if (line)
        snprintf(place, sizeof place, "%s:%u: ", b->path, line);
    else
        snprintf(place, sizeof place, "%s: ", b->path);
    if (strncmp(text, place, strlen(place)) != 0 || !strstr(text, words))
        print_message("says: %s\nwanted: %s%s\n", text, place, words);
    assert_int_equal(strncmp(text, place, strlen(place)), 0);
    assert_non_null(strstr(text, words));
}

/* ---- loading ------------------------------------------------------------------------------ */

static void expect_bad(enum plait_plugin_kind kind, const char *text, unsigned line,
                       const char *words)
{
    struct bench b;
    bench_open(&b, text, NULL);
    assert_int_equal(plugs_load(b.plugs, kind, b.name, b.error), PLUG_BAD);
    expect_text(&b, b.error, line, words);
    assert_true(kind != PLAIT_PLUGIN_SCHEDULER || !b.finder.scheduler(b.finder.ctx, b.name));
    bench_close(&b);
}

static void mistakes_are_found_at_once(void **state)
{
    static const enum plait_plugin_kind S = PLAIT_PLUGIN_SCHEDULER;
    (void)state;
    expect_bad(S, "local a\nreturn { pick = function( }", 2, "expected near '}'");
    expect_bad(S, "local a = 1\nlocal b = c.d", 2, "attempt to index a nil value (global 'c')");
    expect_bad(S, "local a = 1", 0, "return { name = function ... }");
    expect_bad(S, "return {}", 0, "has a function \"pick\"");
    expect_bad(S, "return { bound = function() end }", 0, "has a function \"pick\"");
    expect_bad(S, "return { pick = 1 }", 0, "pick is a function");
    expect_bad(S, "return { pik = function() end }", 0,
               "has no \"pik\", only begin, pick, bound, summary, copies");
    expect_bad(S, "return { pick = function() end, copies = 1 }", 0, "has no \"copies\"");
    expect_bad(S, "return { function() end }", 0, "has no \"\"");
    expect_bad(S, "while true do end", 1, "used up its instructions");
    expect_bad(S, "local t = {}\nwhile true do t[#t + 1] = {} end", 0, "used up its memory");
    expect_bad(S, "error({})", 1, "the error is no text");
    expect_bad(PLAIT_PLUGIN_CC, "return { acked = function() end }", 0,
               "has a function \"signal\"");
    expect_bad(PLAIT_PLUGIN_PATH_MANAGER, "return { pick = function() end }", 0,
               "has no \"pick\", only begin, decide, why_not");
}

static void what_is_no_script(void **state)
{
    struct bench b;
    (void)state;
    bench_open(&b, "", NULL);
    assert_false(plug_named("lua"));
    assert_false(plug_named("weighted:1"));
    assert_false(plug_named(NULL));
    assert_true(plug_named("lua:x"));
    assert_null(b.finder.cc(b.finder.ctx, "nonesuch"));
    assert_int_equal(b.tellings, 0);
    assert_int_equal(plugs_load(b.plugs, PLAIT_PLUGIN_CC, "lua:/nowhere/x.lua", b.error),
                     PLUG_UNREADABLE);
    assert_string_equal(b.error, "/nowhere/x.lua: No such file or directory");
    bench_close(&b);
}

/* Whatever reads files, knows the time, or may take long is not there. */
static void the_language_is_small(void **state)
{
    struct bench b;
    (void)state;
    bench_open(
        &b,
        "for _, name in ipairs{'io', 'os', 'debug', 'require', 'load', 'coroutine', 'next',\n"
        "    'print', 'setmetatable', 'collectgarbage'} do\n"
        "  if _G[name] then error(name) end\n"
        "end\n"
        "for _, name in ipairs{'rep', 'find', 'gsub', 'match', 'gmatch', 'dump'} do\n"
        "  if string[name] then error(name) end\n"
        "end\n"
        "if math.random or math.randomseed or table.move then error('there') end\n"
        "if ('x').rep then error('rep') end\n"
        "return { pick = function() end }\n",
        NULL);
    if (plugs_load(b.plugs, PLAIT_PLUGIN_SCHEDULER, b.name, b.error) != PLUG_OK)
        fail_msg("%s", b.error);
    bench_close(&b);
}

/* ---- schedulers ------------------------------------------------------------------------------ */

static const struct plait_sched_path two[] = {
    {.subflow_id = 1, .srtt_us = 20000, .mss_bytes = 1400, .room_bytes = 14000},
    {.subflow_id = 4,
     .order = 1,
     .srtt_us = 5000,
     .mss_bytes = 1400,
     .backup = true,
     .cwnd_bytes = UINT64_MAX}};
static const struct plait_sched_view view = {.now_us = 5000000000,
                                             .paths = two,
                                             .count = 2,
                                             .queued_bytes = 100000,
                                             .more = true,
                                             .stalls = 7};

static const struct plait_sched *sched_open(struct bench *b, const char *text, const char *options)
{
    bench_open(b, text, options);
    if (plugs_load(b->plugs, PLAIT_PLUGIN_SCHEDULER, b->name, b->error) != PLUG_OK)
        fail_msg("%s", b->error);
    const struct plait_sched *s = b->finder.scheduler(b->finder.ctx, b->name);
    assert_non_null(s);
    assert_true(s->state_size <= PLAIT_PLUGIN_STATE_MAX);
    s->begin(b->state, s->data);
    return s;
}

static void sched_close(struct bench *b, const struct plait_sched *s)
{
    s->done(b->state);
    bench_close(b);
}

/* One pick, which works. */
static struct plait_sched_choice picked(const char *text)
{
    struct bench b;
    const struct plait_sched *s = sched_open(&b, text, "40,x");
    struct plait_sched_choice c = s->pick(b.state, &view);
    if (b.tellings)
        print_message("%s\n%s\n", text, b.told);
    assert_int_equal(s->trouble(b.state).what, PLAIT_PLUGIN_WORKS);
    assert_int_equal(b.tellings, 0);
    sched_close(&b, s);
    return c;
}

static void a_choice_becomes_the_engines(void **state)
{
    (void)state;
    struct plait_sched_choice c = picked("return { pick = function() end }");
    assert_int_equal(c.path, PLAIT_SCHED_WAIT);
    c = picked("return { pick = function() return nil, 5, true end }");
    assert_int_equal(c.path, PLAIT_SCHED_WAIT);
    c = picked("return { pick = function() return 2, 2800 end }");
    assert_int_equal(c.path, 1);
    assert_int_equal(c.bytes, 2800);
    assert_false(c.copy);
    c = picked("return { pick = function() return 3.0 - 2 end }"); /* it is whole */
    assert_int_equal(c.path, 0);
    assert_int_equal(c.bytes, 0);
    c = picked("return { copies = true, pick = function() return 1, nil, true end }");
    assert_true(c.copy);
}

static void the_script_sees_the_view(void **state)
{
    (void)state;
    struct plait_sched_choice c =
        picked("local seen\n"
               "return { begin = function(self, options) self.options = options end,\n"
               "  pick = function(self, v)\n"
               "    local a, b = v.paths[1], v.paths[2]\n"
               "    assert(self.options == '40,x')\n"
               "    assert(#v.paths == 2 and a.subflow_id == 1 and b.subflow_id == 4)\n"
               "    assert(a.srtt_us == 20000 and a.room_bytes == 14000 and not a.backup)\n"
               "    assert(b.backup == true and b.order == 1 and b.cwnd_bytes == math.maxinteger)\n"
               "    assert(v.now_us == 5000000000 and v.more and not v.lost and v.stalls == 7)\n"
               "    assert(math.type(v.queued_bytes) == 'integer')\n"
               "    return 2\n"
               "end }");
    assert_int_equal(c.path, 1);
}

/* The tables of the view are the same ones again, whatever was done to them. */
static void each_call_sees_its_own_view(void **state)
{
    struct bench b;
    struct plait_sched_view fewer = view;
    const struct plait_sched *s =
        sched_open(&b,
                   "return { pick = function(self, v)\n"
                   "  local n = #v.paths\n"
                   "  for _, p in ipairs(v.paths) do assert(p.srtt_us > 0) end\n"
                   "  v.paths[1].srtt_us, v.paths[2], v.paths[7] = -1, 'x', {}\n"
                   "  if n == 1 then v.paths = nil end\n"
                   "  return 1, n\n"
                   "end }",
                   NULL);
    (void)state;
    fewer.count = 1;
    assert_int_equal(s->pick(b.state, &view).bytes, 2);
    assert_int_equal(s->pick(b.state, &view).bytes, 2);
    assert_int_equal(s->pick(b.state, &fewer).bytes, 1);
    assert_int_equal(s->pick(b.state, &view).bytes, 2);
    assert_int_equal(b.tellings, 0);
    sched_close(&b, s);
}

static void each_connection_has_its_own_self(void **state)
{
    struct bench b;
    uint64_t other[PLAIT_PLUGIN_STATE_MAX / 8] = {0}, moved[PLAIT_PLUGIN_STATE_MAX / 8];
    const struct plait_sched *s =
        sched_open(&b,
                   "return { begin = function(self) self.n = 0 end,\n"
                   "  pick = function(self, v) return 1, self.n end,\n"
                   "  bound = function(self, v, path, bytes) self.n = self.n + bytes * path end }",
                   NULL);
    (void)state;
    s->begin(other, s->data);
    s->bound(b.state, &view, 1, 1000);
    s->bound(other, &view, 0, 300);
    s->bound(other, &view, 0, 300);
    memcpy(moved, other, sizeof moved); /* as the engine may */
    assert_int_equal(s->pick(b.state, &view).bytes, 2000);
    assert_int_equal(s->pick(moved, &view).bytes, 600);
    s->done(moved);
    assert_int_equal(s->pick(b.state, &view).bytes, 2000);
    sched_close(&b, s);
}

/* The second call fails with these words; no call after it reaches the script. */
static void expect_trouble(const char *text, enum plait_plugin_failure what, unsigned line,
                           const char *words)
{
    struct bench b;
    const struct plait_sched *s = sched_open(&b, text, NULL);
    assert_int_equal(s->pick(b.state, &view).path, 0);
    assert_int_equal(s->trouble(b.state).what, PLAIT_PLUGIN_WORKS);
    assert_int_equal(s->pick(b.state, &view).path, PLAIT_SCHED_WAIT);
    assert_int_equal(s->trouble(b.state).what, what);
    assert_int_equal(s->trouble(b.state).line, line);
    expect_text(&b, b.told, line, words);
    assert_int_equal(s->pick(b.state, &view).path, PLAIT_SCHED_WAIT);
    assert_int_equal(b.tellings, 1);
    sched_close(&b, s);
}

#define SECOND(body)                                                                               \
    "local n = 0\nreturn { pick = function(self, view)\n"                                          \
    "n = n + 1 if n == 1 then return 1 end\n" body "\nend }"

static void a_script_that_fails_says_where(void **state)
{
    (void)state;
    expect_trouble(SECOND("return view.pahts[1]"), PLAIT_PLUGIN_ERROR, 4, "field 'pahts'");
    expect_trouble(SECOND("error('no way')"), PLAIT_PLUGIN_ERROR, 4, "no way");
    expect_trouble(SECOND("while true do end"), PLAIT_PLUGIN_STEPS, 4, "instructions");
    expect_trouble(SECOND("while true do pcall(function() while true do end end) end"),
                   PLAIT_PLUGIN_STEPS, 4, "instructions");
    expect_trouble(SECOND("local function f() return 1 + f() end f()"), PLAIT_PLUGIN_STEPS, 4,
                   "instructions");
    expect_trouble(SECOND("local s = 'x' while true do s = s .. s end"), PLAIT_PLUGIN_MEMORY, 0,
                   "memory");
    expect_trouble(SECOND("return 'wlan0'"), PLAIT_PLUGIN_RESULT, 2,
                   "the path that pick returns is a whole number, not string");
    expect_trouble(SECOND("return view.paths[1]"), PLAIT_PLUGIN_RESULT, 2, "not table");
    expect_trouble(SECOND("return 0"), PLAIT_PLUGIN_RESULT, 2, "path 0 of 2");
    expect_trouble(SECOND("return 3"), PLAIT_PLUGIN_RESULT, 2, "path 3 of 2");
    expect_trouble(SECOND("return -1"), PLAIT_PLUGIN_RESULT, 2, "not below 0, as -1 is");
    expect_trouble(SECOND("return 1.5"), PLAIT_PLUGIN_RESULT, 2, "one with a fraction");
    expect_trouble(SECOND("return 1, 'all'"), PLAIT_PLUGIN_RESULT, 2, "the bytes that pick");
    expect_trouble(SECOND("return 1, 0, 1"), PLAIT_PLUGIN_RESULT, 2, "true or false, not number");
    expect_trouble(SECOND("return 1, 0, true"), PLAIT_PLUGIN_RESULT, 2, "copies = true");
}

static void a_script_may_fail_at_once(void **state)
{
    struct bench b;
    const struct plait_sched *s =
        sched_open(&b,
                   "return { pick = function() return 1 end,\nbegin = function() error('no') end }",
                   NULL);
    (void)state;
    assert_int_equal(s->trouble(b.state).what, PLAIT_PLUGIN_ERROR);
    assert_int_equal(s->trouble(b.state).line, 2);
    assert_int_equal(s->pick(b.state, &view).path, PLAIT_SCHED_WAIT);
    sched_close(&b, s);
}

/* What one connection's use keeps is given back with it. */
static void ended_uses_leave_no_memory(void **state)
{
    struct bench b;
    const struct plait_sched *s = sched_open(&b,
                                             "return { begin = function(self)\n"
                                             "  for i = 1, 5000 do self[i] = i .. 'x' end\n"
                                             "end, pick = function() return 1 end }",
                                             NULL);
    (void)state;
    for (unsigned i = 0; i < 500; i++) { /* each takes about 300 KB of the 16 MB */
        uint64_t use[PLAIT_PLUGIN_STATE_MAX / 8] = {0};
        s->begin(use, s->data);
        assert_int_equal(s->trouble(use).what, PLAIT_PLUGIN_WORKS);
        s->done(use);
    }
    sched_close(&b, s);
}

/* ---- congestion controls ------------------------------------------------------------------- */

static const struct plait_cc_view flows[] = {
    {.cwnd_bytes = 14000, .ssthresh_bytes = 1 << 30, .mss_bytes = 1400, .srtt_us = 1000},
    {.cwnd_bytes = 28000,
     .ssthresh_bytes = 7000,
     .mss_bytes = 1400,
     .srtt_us = 2000,
     .usable = true}};
static const struct plait_cc_group group = {.views = flows, .count = 2, .self = 1};
static const struct plait_cc_ack ack = {.now_us = 77,
                                        .acked_bytes = 1400,
                                        .rtt_us = 1900,
                                        .cwnd_limited = true};

static const struct plait_cc *cc_open(struct bench *b, const char *text)
{
    bench_open(b, text, NULL);
    if (plugs_load(b->plugs, PLAIT_PLUGIN_CC, b->name, b->error) != PLUG_OK)
        fail_msg("%s", b->error);
    const struct plait_cc *cc = b->finder.cc(b->finder.ctx, b->name);
    cc->begin(b->state, cc->data);
    return cc;
}

/* What comes of an ACK. */
static struct plait_cc_out acked(const char *body, enum plait_plugin_failure what)
{
    struct bench b;
    char text[512];
    struct plait_cc_out out = {.cwnd_bytes = 28000, .ssthresh_bytes = 7000, .pacing_rate = 1};
    snprintf(text, sizeof text,
             "return { signal = function() end, acked = function(self, own, "
             "ack, all)\n%s\nend }",
             body);
    const struct plait_cc *cc = cc_open(&b, text);
    cc->acked(b.state, &group, &ack, &out);
    if (cc->trouble(b.state).what != what)
        print_message("%s\n%s\n", text, b.told);
    assert_int_equal(cc->trouble(b.state).what, what);
    cc->done(b.state);
    bench_close(&b);
    return out;
}

static void a_window_becomes_the_engines(void **state)
{
    static const enum plait_plugin_failure GOOD = PLAIT_PLUGIN_WORKS, BAD = PLAIT_PLUGIN_RESULT;
    (void)state;
    struct plait_cc_out out = acked("", GOOD);
    assert_int_equal(out.cwnd_bytes, 28000);
    assert_int_equal(out.ssthresh_bytes, 7000);
    assert_int_equal(out.pacing_rate, 0);
    out = acked("return 42000, nil, 125000", GOOD);
    assert_int_equal(out.cwnd_bytes, 42000);
    assert_int_equal(out.ssthresh_bytes, 7000);
    assert_int_equal(out.pacing_rate, 125000);
    out = acked("return own.cwnd_bytes + all[1].cwnd_bytes, all[2].srtt_us", GOOD);
    assert_int_equal(out.cwnd_bytes, 42000);
    assert_int_equal(out.ssthresh_bytes, 2000);
    acked("assert(own == all[2] and #all == 2 and own.usable and not all[1].usable)\n"
          "assert(ack.now_us == 77 and ack.acked_bytes == 1400 and ack.cwnd_limited)\n"
          "assert(ack.ecn_echo == false)",
          GOOD);
    out = acked("return 1, 2.5", BAD);
    assert_int_equal(out.cwnd_bytes, 28000); /* all of it or nothing */
    acked("return -1", BAD);
    acked("return '1'", BAD);
    acked("return 1, 2, {}", BAD);
}

static void signals_have_names(void **state)
{
    static const char *const names[] = {[PLAIT_CC_LOSS] = "loss",
                                        [PLAIT_CC_RECOVERED] = "recovered",
                                        [PLAIT_CC_TIMEOUT] = "timeout",
                                        [PLAIT_CC_SPURIOUS] = "spurious",
                                        [PLAIT_CC_IDLE] = "idle"};
    struct bench b;
    const struct plait_cc *cc =
        cc_open(&b, "local names = {loss = 1, recovered = 2, timeout = 3, spurious = 4, idle = 5}\n"
                    "return { acked = function() end, init = function(self, own, all)\n"
                    "  return own.cwnd_bytes * 2, all[1].ssthresh_bytes\n"
                    "end, signal = function(self, own, what, now_us, all)\n"
                    "  assert(own == all[2]) return names[what], now_us\n"
                    "end }");
    struct plait_cc_out out = {.cwnd_bytes = 1, .ssthresh_bytes = 1};
    (void)state;
    cc->init(b.state, &group, &out);
    assert_int_equal(out.cwnd_bytes, 56000);
    assert_int_equal(out.ssthresh_bytes, 1 << 30);
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
        cc->signal(b.state, &group, i, 5000 + i, &out);
        assert_int_equal(out.cwnd_bytes, i + 1);
        assert_int_equal(out.ssthresh_bytes, 5000 + i);
    }
    assert_int_equal(cc->trouble(b.state).what, PLAIT_PLUGIN_WORKS);
    cc->done(b.state);
    bench_close(&b);
}

/* ---- path managers ---- */

static const struct plait_pm_addr locals[] = {
    {.addr = {PLAIT_IPV4, {10, 0, 1, 1}}, .id = 0, .usable = true},
    {.addr = {PLAIT_IPV4, {10, 0, 2, 1}}, .id = 3, .link = 2, .backup = true, .usable = true}};
static const struct plait_pm_addr remotes[] = {
    {.addr = {PLAIT_IPV4, {192, 0, 2, 1}}, .port = 443, .usable = true},
    {.addr = {PLAIT_IPV6, {0x20, 1, 0xd, 0xb8}}, .port = 444, .id = 9}};
static const struct plait_pm_subflow first = {.subflow_id = 1,
                                              .local = {{PLAIT_IPV4, {10, 0, 1, 1}}, 5000},
                                              .remote = {{PLAIT_IPV4, {192, 0, 2, 1}}, 443},
                                              .established = true};
static const struct plait_pm_news news = {.id = 3,
                                          .failure = PLAIT_PM_FAIL_REFUSED,
                                          .subflow = {.subflow_id = 8, .local_id = 3}};
static const struct plait_pm_view places = {.now_us = 1000000,
                                            .client = true,
                                            .opens = true,
                                            .confirmed = true,
                                            .locals = locals,
                                            .remotes = remotes,
                                            .local_count = 2,
                                            .remote_count = 2,
                                            .subflows = &first,
                                            .subflow_count = 1,
                                            .subflow_max = 8,
                                            .news = &news};

struct decision {
    struct plait_pm_action actions[PLAIT_PM_ACTIONS_MAX];
    unsigned count;
    uint64_t wake_us;
};

static struct decision decided(const char *body, enum plait_pm_event event,
                               enum plait_plugin_failure what)
{
    struct bench b;
    char text[1024];
    struct decision d = {.wake_us = UINT64_MAX};
    snprintf(text, sizeof text, "return { decide = function(self, view, event)\n%s\nend }", body);
    bench_open(&b, text, NULL);
    assert_int_equal(plugs_load(b.plugs, PLAIT_PLUGIN_PATH_MANAGER, b.name, b.error), PLUG_OK);
    const struct plait_pm *pm = b.finder.path_manager(b.finder.ctx, b.name);
    pm->begin(b.state, pm->data);
    d.count = pm->decide(b.state, &places, event, d.actions, &d.wake_us);
    if (pm->trouble(b.state).what != what)
        print_message("%s\n%s\n", text, b.told);
    assert_int_equal(pm->trouble(b.state).what, what);
    pm->done(b.state);
    bench_close(&b);
    return d;
}

static void actions_become_the_engines(void **state)
{
    static const enum plait_plugin_failure GOOD = PLAIT_PLUGIN_WORKS;
    (void)state;
    struct decision d = decided("", PLAIT_PM_CONFIRMED, GOOD);
    assert_int_equal(d.count, 0);
    assert_true(d.wake_us == UINT64_MAX);
    d = decided("return {}, view.now_us + 5", PLAIT_PM_TIMER, GOOD);
    assert_int_equal(d.wake_us, 1000005);
    d = decided("return { {'open', from = 3, to = 9}, {'open', from = 0, to = 0, backup = true},\n"
                "{'open', from = 3, to = 0, backup = false},\n"
                "{'close', subflow = 1, reason = 3}, {'announce', from = 3},\n"
                "{'withdraw', from = 0} }",
                PLAIT_PM_CONFIRMED, GOOD);
    assert_int_equal(d.count, 6);
    assert_int_equal(d.actions[0].kind, PLAIT_PM_OPEN);
    assert_memory_equal(&d.actions[0].local, &locals[1], sizeof locals[1]);
    assert_int_equal(d.actions[0].remote.port, 444);
    assert_int_equal(d.actions[0].remote_id, 9);
    assert_true(d.actions[0].backup); /* as the address is */
    assert_true(d.actions[1].backup);
    assert_false(d.actions[2].backup);
    assert_int_equal(d.actions[3].kind, PLAIT_PM_CLOSE);
    assert_int_equal(d.actions[3].subflow_id, 1);
    assert_int_equal(d.actions[3].reset_reason, 3);
    assert_int_equal(d.actions[4].kind, PLAIT_PM_ANNOUNCE);
    assert_int_equal(d.actions[4].local.id, 3);
    assert_int_equal(d.actions[5].kind, PLAIT_PM_WITHDRAW);
}

static void the_script_sees_the_places(void **state)
{
    (void)state;
    decided("local l, r, s = view.locals[2], view.remotes[2], view.subflows[1]\n"
            "assert(event == 'subflow_failed' and view.news.failure == 'refused')\n"
            "assert(view.news.id == 3 and view.news.subflow.local_id == 3)\n"
            "assert(l.addr == '10.0.2.1' and l.link == 2 and "
            "l.backup and l.usable)\n"
            "assert(l.family == 4 and r.family == 6)\n"
            "assert(r.addr == '2001:db8::' and r.port == 444 and not r.usable)\n"
            "assert(s.established and not s.backup)\n",
            PLAIT_PM_SUBFLOW_FAILED, PLAIT_PLUGIN_WORKS);
    decided("local s = view.subflows[1]\n"
            "assert(s['local'] == '10.0.1.1:5000' and s.remote == '192.0.2.1:443')\n"
            "assert(#view.locals == 2 and #view.remotes == 2 and #view.subflows == 1)\n"
            "assert(view.client and view.opens and view.subflow_max == 8)\n"
            "assert(event == 'timer' and view.news.failure == nil)",
            PLAIT_PM_TIMER, PLAIT_PLUGIN_WORKS);
}

static void actions_that_mean_nothing(void **state)
{
    static const char *const bad[] = {
        "return 1",
        "return { 'open' }",
        "return { {} }",
        "return { {'opn', from = 3, to = 0} }",
        "return { {'open', to = 0} }",
        "return { {'open', from = 3} }",
        "return { {'open', from = 4, to = 0} }",
        "return { {'open', from = view.locals[1], to = 0} }",
        "return { {'announce', from = -1} }",
        "return { {'close'} }",
        "return { {'close', subflow = 'first'} }",
        "return {}, 'soon'",
        "return {}, -1",
        "local t = {} for i = 1, 17 do t[i] = {'close', subflow = i} end return t",
    };
    (void)state;
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(decided(bad[i], PLAIT_PM_TIMER, PLAIT_PLUGIN_RESULT).count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mistakes_are_found_at_once),
        cmocka_unit_test(what_is_no_script),
        cmocka_unit_test(the_language_is_small),
        cmocka_unit_test(a_choice_becomes_the_engines),
        cmocka_unit_test(the_script_sees_the_view),
        cmocka_unit_test(each_call_sees_its_own_view),
        cmocka_unit_test(each_connection_has_its_own_self),
        cmocka_unit_test(a_script_that_fails_says_where),
        cmocka_unit_test(a_script_may_fail_at_once),
        cmocka_unit_test(ended_uses_leave_no_memory),
        cmocka_unit_test(a_window_becomes_the_engines),
        cmocka_unit_test(signals_have_names),
        cmocka_unit_test(actions_become_the_engines),
        cmocka_unit_test(the_script_sees_the_places),
        cmocka_unit_test(actions_that_mean_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
