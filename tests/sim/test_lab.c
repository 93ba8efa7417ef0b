/* SPDX-License-Identifier: MIT
 *
 * Scenarios in Lua: what the language keeps from a file, what errors say, and
 * that the same world is the same run, whichever language built it.
 *
 *     test_lab handover.lua
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lab/lab.h"

static const char *handover;

/* A script of this text; free it with forget. */
static struct script *script_of(const char *text, size_t len)
{
    struct script *s = sim_alloc(sizeof *s);
    char *path = strdup("/tmp/plait-lab-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, len), len);
    close(fd);
    s->path = path;
    s->run.seed = 1;
    s->steps_max = 20000000;
    s->mem_max_bytes = 16 << 20;
    return s;
}

static void forget(struct script *s)
{
    unlink(s->path);
    free((char *)(uintptr_t)s->path);
    free(s);
}

static void holds(const char *text)
{
    struct script *s = script_of(text, strlen(text));
    bool good = script_run(s);
    if (!good)
        print_message("%s\n%s\n", text, s->run.failure);
    assert_true(good);
    forget(s);
}

/* It fails, and says these words, with the file's name and the line. */
static void fails(const char *text, unsigned line, const char *words)
{
    struct script *s = script_of(text, strlen(text));
    char place[64];
    bool good = script_run(s);
    snprintf(place, sizeof place, "%s:%u: ", s->path, line);
    if (good || !strstr(s->run.failure, words) || (line && !strstr(s->run.failure, place)))
        print_message("%s\nsays: %s\nwanted: %s%s\n", text, s->run.failure, place, words);
    assert_false(good);
    assert_non_null(strstr(s->run.failure, words));
    assert_true(!line || strstr(s->run.failure, place));
    forget(s);
}

/* ---- the language ----------------------------------------------------------------------- */

static void nothing_that_reads_or_loads(void **state)
{
    (void)state;
    holds("for _, name in ipairs{'io', 'os', 'debug', 'package', 'require', 'load', 'loadstring',\n"
          "    'loadfile', 'dofile', 'collectgarbage', 'getmetatable', 'setmetatable', 'rawget',\n"
          "    'rawset', 'rawequal', 'rawlen', 'next', 'coroutine', 'warn'} do\n"
          "  expect(_G[name] == nil, name)\n"
          "end\n"
          "expect(string.dump == nil and math.random == nil and math.randomseed == nil)");
}

static void bytecode_is_refused(void **state)
{
    static const char code[] = "\x1bLua\x54\0\x19\x93\r\n\x1a\n";
    struct script *s = script_of(code, sizeof code);
    (void)state;
    assert_false(script_run(s));
    assert_non_null(strstr(s->run.failure, "binary"));
    forget(s);
}

static void a_loop_without_end_ends(void **state)
{
    (void)state;
    fails("\nwhile true do end", 2, "used up its instructions");
    fails("while true do pcall(function() while true do end end) end", 1, "instructions");
    fails("local h = host('a')\n"
          "at(1, function() while true do end end)\n"
          "advance(2)",
          2, "used up its instructions");
}

static void memory_has_an_end(void **state)
{
    (void)state;
    fails("local t = {}\nfor i = 1, 1e9 do t[i] = {i} end", 0, "used up its memory");
    fails("local s = string.rep('x', 1 << 30)", 0, "used up its memory");
}

static void nothing_differs_from_run_to_run(void **state)
{
    (void)state;
    holds("local keys = {}\n"
          "for k in pairs{b = 1, a = 2, [3] = 3, [1] = 4, [true] = 5, c = 6, [false] = 7} do\n"
          "  keys[#keys + 1] = tostring(k)\n"
          "end\n"
          "expect(table.concat(keys, ' ') == '1 3 a b c false true', table.concat(keys, ' '))");
    holds("local list = {}\n"
          "for i = 1, 1000 do list[i] = {i % 7, i} end\n"
          "table.sort(list, function(a, b) return a[1] < b[1] end)\n"
          "for i = 2, 1000 do\n"
          "  local a, b = list[i - 1], list[i]\n"
          "  expect(a[1] < b[1] or (a[1] == b[1] and a[2] < b[2]), i)\n"
          "end");
    holds("expect(tostring({}) == 'table' and tostring(print) == 'function')");
    fails("string.format('%s', {})", 1, "has no text");
    fails("string.format('%5p', 'x')", 1, "%p");
    fails("\nfor k in pairs{[{}] = 1} do end", 2, "numbers, texts or booleans");
}

static void chance_is_the_seeds(void **state)
{
    static const char text[] = "figure('r', '', random(1000000) + random())";
    double value[3];
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        struct script *s = script_of(text, strlen(text));
        s->run.seed = i < 2 ? 7 : 8;
        assert_true(script_run(s));
        value[i] = s->run.figures[0].value;
        forget(s);
    }
    assert_true(value[0] == value[1]);
    assert_true(value[0] != value[2]);
}

/* ---- errors ----------------------------------------------------------------------------- */

#define WORLD                                                                                      \
    "local a, b = host('a'), host('b')\n"                                                          \
    "local x, y = a:iface('10.0.1.1'), b:iface('10.0.1.2')\n"

static void errors_name_the_line(void **state)
{
    static const struct {
        const char *text;
        unsigned line;
        const char *words;
    } rows[] = {
        {"\nlocal x = = 1", 2, "unexpected symbol"},
        {"\n\nundefined()", 3, "global 'undefined'"},
        {"host('a name that is too long')", 1, "1 to 15 characters"},
        {"host('a', {rto_min = 1})", 1, "host has no \"rto_min\", only cc, scheduler"},
        {"host('a', {rto_min_us = -1})", 1, "whole number of microseconds"},
        {"host('a', {subflows_max = 65536})", 1, "subflows_max is 0 to 65535, not 65536"},
        {"host('a', {checksum = 1})", 1, "checksum is true or false"},
        {"host('a', {version = '2'})", 1, "one of \"default\", \"auto\", \"1\", \"0\""},
        {"host('a', {cc = 'vegas'})", 1, "no congestion control \"vegas\", only: "},
        {"host('a', {scheduler = 'weighted:0'})", 1, "no scheduler \"weighted:0\""},
        {"host('a', {servers = 257})", 1, "no stack can have this configuration"},
        {"host('a'):iface('10.0.1')", 1, "is no address"},
        {"host('a'):iface('10.0.1.1', {mtu = 500})", 1, "mtu is 576 to 65535"},
        {WORLD "b:iface('10.0.1.1')", 3, "there is an interface with the address"},
        {WORLD "path(x, y, 'rate=fast')", 3, "rate=fast in a link: wanted a number with bit"},
        {WORLD "path(x, y, {rat = '1mbit'})", 3, "a link has no \"rat\""},
        {WORLD "path(x, x, '')", 3, "ends at the host where it begins"},
        {WORLD "path(x, a, '')", 3, "an interface is wanted"},
        {WORLD "path(x, y, ''):box('strap')", 3, "there is no box \"strap\""},
        {WORLD "path(x, y, ''):down()", 3, "method 'down'"},
        {WORLD "route(x, y, {})", 3, "1 to 8 links"},
        {WORLD "bulk{from = a, to = y}", 3, "bulk wants bytes or stop"},
        {WORLD "bulk{from = a, to = y, byte = 1}", 3, "bulk has no \"byte\", only"},
        {WORLD "connect{from = a, to = x}", 3, "cannot connect to itself"},
        {WORLD "connect{from = a, to = y, client = {send = 'endless'}}", 3, "a time to stop"},
        {WORLD "connect{from = a, to = y}.clint:received()", 3, "client and server"},
        {WORLD "advance(2)\nat(1, print)", 4, "gone by"},
        {WORLD "at(1, function() advance(2) end)\nadvance(2)", 3, "use at()"},
        {WORLD "at(1, function()\n  undefined() end)\nadvance(2)", 4, "global 'undefined'"},
        {WORLD "expect(1 == 2, 'one is two')", 3, "not so: one is two"},
        {WORLD "world()\nx:stats()", 4, "of a world that has ended"},
        {WORLD "param('late', 1)", 3, "before the first host"},
        {"param('n', 1)\nparam('n', 2)", 2, "one of that name"},
        {"param('seed', 1)", 1, "--seed"},
        {"figure('f', 'ms', 0/0)", 1, "no number"},
        {"figure('f', 'ms', 1)\nfigure('f', 'ms', 2)", 2, "one of that name"},
        {WORLD "a:counter('MPNoSuch')", 3, "no counter \"MPNoSuch\""},
        {WORLD "a:events('nothing')", 3, "no event \"nothing\""},
        {WORLD "goodput(connect{from = a, to = y}.server, 1, 2)()", 3, "has not come"},
        {"mean{}", 1, "at least one number"},
    };
    (void)state;
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++)
        fails(rows[i].text, rows[i].line, rows[i].words);
}

/* A world that does not come to its end fails by the oracles. */
static void the_oracles_look(void **state)
{
    (void)state;
    fails(WORLD "path(x, y, 'rate=1mbit')\n"
                "bulk{from = x, to = y, bytes = 10 * MB}\n"
                "finish{limit = 2}",
          5, "the client has not ended");
}

/* ---- parameters ------------------------------------------------------------------------- */

static const char three[] = "local n = param('n', 1, 'KB', 'how many')\n"
                            "local t = param('t', 'x')\n"
                            "local b = param('b', false)\n"
                            "figure('n', '', n)\n"
                            "expect(b == (t == 'y'))\n"
                            "host('a')\n";

static void parameters_are_set(void **state)
{
    static const struct script_setting good[] = {{"n", "2"},
                                                 {"n", "2.5"},
                                                 {"t", "y"},
                                                 {"b", "true"}};
    struct script *s = script_of(three, strlen(three));
    (void)state;
    s->settings = good;
    s->setting_count = 4;
    assert_true(script_run(s));
    assert_true(s->run.figures[0].value == 2.5);
    assert_int_equal(s->param_count, 3);
    assert_string_equal(s->params[0].value, "2.5");
    assert_string_equal(s->params[0].unit, "KB");
    assert_string_equal(s->params[0].help, "how many");
    assert_true(s->params[2].given);
    forget(s);
}

static void wrong_settings_are_told(void **state)
{
    static const struct {
        struct script_setting set;
        const char *words;
    } rows[] = {{{"m", "1"}, "no parameter \"m\", only: n, t, b"},
                {{"n", "many"}, "--set n=many: a number is wanted"},
                {{"n", ""}, "a number is wanted"},
                {{"b", "1"}, "true or false is wanted"},
                {{"t", "a,b"}, "no comma"}};
    char error[SCRIPT_ERROR_MAX];
    (void)state;
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct script *s = script_of(three, strlen(three));
        s->settings = &rows[i].set;
        s->setting_count = 1;
        assert_false(script_describe(s, error));
        if (!strstr(error, rows[i].words))
            print_message("%s\n", error);
        assert_non_null(strstr(error, rows[i].words));
        forget(s);
    }
}

/* Describing stops before anything is simulated. */
static void describing_runs_nothing(void **state)
{
    static const char text[] = "scenario('t')\nparam('n', 1)\nplot{name='p', x='n', y='f'}\n"
                               "host('a')\nundefined()";
    char error[SCRIPT_ERROR_MAX];
    struct script *s = script_of(text, strlen(text));
    (void)state;
    assert_true(script_describe(s, error));
    assert_string_equal(s->title, "t");
    assert_int_equal(s->param_count, 1);
    assert_int_equal(s->plot_count, 1);
    assert_int_equal(s->run.worlds, 0);
    forget(s);
}

/* ---- worlds ----------------------------------------------------------------------------- */

static void the_same_world_as_in_c(void **state)
{
    struct run *r = sim_alloc(sizeof *r);
    struct script *s = sim_alloc(sizeof *s);
    (void)state;
    r->seed = s->run.seed = 5;
    assert_true(scenario_run(scenario_find("handover", &r->version), r));
    s->path = handover;
    assert_true(script_run(s));
    assert_true(s->run.hash == r->hash);
    assert_true(s->run.figures[0].value == r->figures[0].value);
    free(r);
    free(s);
}

/* Two worlds in one run, a side that is told what to write, and blocks. */
static void driven_sides_and_blocks(void **state)
{
    (void)state;
    holds("local function one(block)\n"
          "  local a, b = host('a'), host('b')\n"
          "  local x, y = a:iface('10.0.1.1'), b:iface('10.0.1.2')\n"
          "  path(x, y, 'rate=8mbit,delay=10ms')\n"
          "  local heard = 0\n"
          "  local s = connect{from = x, to = y,\n"
          "    client = {driven = true, block = block},\n"
          "    server = {['end'] = 'after_eof', notice = function() heard = heard + 1 end}}\n"
          "  at(1, function() s.client:write(1000) end)\n"
          "  at(2, function() s.client:write(1000) s.client:finish() end)\n"
          "  advance(1.5)\n"
          "  expect(s.server:received() == 1000)\n"
          "  finish()\n"
          "  expect(s.server:received() == 2000 and heard >= 3, heard)\n"
          "  return s.server:block_delays()\n"
          "end\n"
          "expect(#one(0) == 0)\n"
          "world{check = true}\n"
          "local d = one(1000)\n"
          "expect(#d == 2 and d[1] > 0.010 and d[1] < 1.013, d[1])");
    holds(WORLD "path(x, y, 'rate=8mbit,delay=10ms')\n"
                "local s = dialogue{from = x, to = y, sizes = {300, 4000, '200B', 50000}}\n"
                "finish()\n"
                "expect(s.server:received() == 500 and s.client:received() == 54000)\n"
                "local t = s.client:times()\n" /* three round trips, and 55 KB on the way */
                "expect(t.done > 0.115 and t.last < 0.150, t.last)");
    holds(WORLD "path(x, y, 'rate=8mbit,delay=10ms')\n"
                "local s = cbr{from = x, to = y, block = 1000, rate = '800kbit', duration = 1,\n"
                "  options = {no_nagle = true}}\n"
                "finish()\n"
                "local d = s.server:block_delays()\n"
                "expect(#d == 100 and percentile(d, 100) < 0.0125, percentile(d, 100))");
}

/* Datagrams take their share of a link, tables and traces are read. */
static void cross_traffic_and_files(void **state)
{
    (void)state;
    holds(WORLD "local p = path(x, y, 'rate=12mbit,delay=1ms,queue=20pkt')\n"
                "local c = cross({p:there()}, '6mbit')\n"
                "at(1, function() c:set_on(true) end)\n"
                "at(2, function() c:set_on(false) end)\n"
                "at(3, function() c:set_on(true) end)\n"
                "at(4, function() c:set_on(false) end)\nadvance(5)\n"
                "expect(c:sent() >= 1000 and c:sent() <= 1002, c:sent())\n"
                "expect(p:there():stats().delivered == c:sent())");
    holds(WORLD "local p = path(x, y, {rate = '12mbit', queue = '20pkt'})\n"
                "on_off{links = {p:there()}, rate = '12mbit', on = 0.1, off = 0.3, stop = 4}\n"
                "advance(10)\n"
                "local n = p:there():stats().delivered\n"
                "expect(n > 990 and n <= 1020, n)");
    holds(WORLD "path(x, y, {trace = {1, 2, 3, 4}, delay = '1ms'})\n"
                "local _, _, r = bulk{from = x, to = y, stop = 3}\n"
                "local g = goodput(r, 1, 3)\n"
                "advance(3)\n"
                "expect(g() > 11.2 and g() < 11.7, g())");
    holds(WORLD
          "path(x, y, 'rate=50mbit,delay=1ms')\n"
          "local flows = poisson{from = x, to = y, bytes = '10kB', per_second = 50, stop = 2}\n"
          "advance(3)\nfinish()\n"
          "expect(#flows > 70 and #flows < 130, #flows)\n"
          "expect(flows[1].server:received() == 10000)");
    fails(WORLD "path(x, y, {trace = {2, 1}})", 3, "line 2: its time is before");
    fails(WORLD "path(x, y, {trace = {1}, rate = '1mbit'})", 3, "a rate or a trace");
    fails(WORLD "path(x, y, {trace = '/etc/passwd'})", 3, "no name relative");
    fails(WORLD "path(x, y, {trace = 'nosuch.trace'})", 3, "No such file");
    fails(WORLD "cross({}, '1mbit')", 3, "1 to 8 links");
    fails("csv('nosuch.csv')", 1, "No such file");
}

static void tables_are_read(void **state)
{
    char path[] = "/tmp/plait-csv-XXXXXX", text[400];
    int fd = mkstemp(path);
    static const char table[] = "name,mbps\r\na,1.5\nb,x\n";
    (void)state;
    assert_int_equal(write(fd, table, sizeof table - 1), sizeof table - 1);
    close(fd);
    snprintf(text, sizeof text,
             "local t = csv('%s')\n"
             "expect(#t == 2 and t[1].name == 'a' and t[1].mbps == 1.5 and t[2].mbps == 'x')",
             path + strlen("/tmp/"));
    holds(text);
    fd = open(path, O_WRONLY | O_APPEND);
    assert_int_equal(write(fd, "c\n", 2), 2);
    close(fd);
    snprintf(text, sizeof text, "csv('%s')", path + strlen("/tmp/"));
    fails(text, 1, "1 cells where there are 2 names");
    unlink(path);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_that_reads_or_loads),
        cmocka_unit_test(bytecode_is_refused),
        cmocka_unit_test(a_loop_without_end_ends),
        cmocka_unit_test(memory_has_an_end),
        cmocka_unit_test(nothing_differs_from_run_to_run),
        cmocka_unit_test(chance_is_the_seeds),
        cmocka_unit_test(errors_name_the_line),
        cmocka_unit_test(the_oracles_look),
        cmocka_unit_test(parameters_are_set),
        cmocka_unit_test(wrong_settings_are_told),
        cmocka_unit_test(describing_runs_nothing),
        cmocka_unit_test(the_same_world_as_in_c),
        cmocka_unit_test(driven_sides_and_blocks),
        cmocka_unit_test(cross_traffic_and_files),
        cmocka_unit_test(tables_are_read),
    };
    handover = argc > 1 ? argv[1] : "tests/sim/handover.lua";
    return cmocka_run_group_tests(tests, NULL, NULL);
}
