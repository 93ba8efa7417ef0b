/* SPDX-License-Identifier: MIT
 *
 * Connections and the applications at their ends. connect() opens one with a
 * table for each end; the words above it (bulk, requests, cbr) are in
 * prelude.lua.
 */
#include <string.h>

#include "lab/config.h"
#include "lab/fields.h"
#include "lab/play.h"

#define S(lua_name, member, kind) FIELD_AS(struct side_config, lua_name, member, kind)
static const char *const ends[] = {"shutdown", "after_eof", "close", "both", "abort", NULL};
static const struct field side_fields[] = {{.name = "send", .kind = FIELD_OTHER},
                                           S("stop", stop_us, FIELD_TIME),
                                           {.name = "end",
                                            .kind = FIELD_WORD,
                                            .size = sizeof(enum stream_end),
                                            .offset = offsetof(struct side_config, end),
                                            .words = ends},
                                           S("abort_at_read", abort_at_read, FIELD_BYTES),
                                           S("write_max", write_max, FIELD_BYTES),
                                           S("read_max", read_max, FIELD_BYTES),
                                           S("read_after", read_after_us, FIELD_TIME),
                                           S("read_rate", read_bps, FIELD_RATE),
                                           S("requests", requests, FIELD_COUNT),
                                           S("request", request_bytes, FIELD_BYTES),
                                           S("response", response_bytes, FIELD_BYTES),
                                           S("interval", interval_us, FIELD_TIME),
                                           S("respond_to", respond_to, FIELD_BYTES),
                                           S("respond", respond_bytes, FIELD_BYTES),
                                           S("block", block_bytes, FIELD_BYTES),
                                           S("driven", driven, FIELD_BOOL),
                                           {.name = "notice", .kind = FIELD_OTHER},
                                           {0}};
#undef S

enum { REQUESTS_MAX = 10000000 };

struct side *check_side(lua_State *L, int arg)
{
    return object_check(L, arg, "side")->at;
}

/* Bytes, or "endless". */
static uint64_t read_send(lua_State *L, int arg, const char *what)
{
    uint64_t bytes = 0;
    if (lua_isnoneornil(L, arg))
        return 0;
    lua_getfield(L, arg, "send");
    if (lua_type(L, -1) == LUA_TSTRING && strcmp(lua_tostring(L, -1), "endless") == 0)
        bytes = STREAM_ENDLESS;
    else if (!lua_isnil(L, -1))
        bytes = value_bytes(L, -1, what);
    lua_pop(L, 1);
    return bytes;
}

/* ---- what a scenario hears of a side ---------------------------------------------------- */

struct hearing {
    struct play *play;
    int ref, self; /* in the registry: the function, and the side's object */
};

static void heard(void *ctx, struct side *side)
{
    const struct hearing *h = ctx;
    (void)side;
    lua_rawgeti(h->play->L, LUA_REGISTRYINDEX, h->self);
    play_call(h->play, h->ref, 1);
}

static void read_notice(lua_State *L, int arg, struct side_config *c)
{
    if (lua_isnoneornil(L, arg))
        return;
    if (lua_getfield(L, arg, "notice") != LUA_TNIL) {
        luaL_checktype(L, -1, LUA_TFUNCTION);
        struct play *p = play_of(L);
        struct hearing *h = play_keep(p, sizeof *h);
        *h = (struct hearing){p, luaL_ref(L, LUA_REGISTRYINDEX), LUA_NOREF};
        c->notice = heard;
        c->notice_ctx = h;
        return;
    }
    lua_pop(L, 1);
}

/* The table stands at arg or is nil. */
static struct side_config read_side(lua_State *L, int arg, const char *what, struct sim *sim)
{
    struct side_config c = {.end = END_SHUTDOWN};
    if (lua_isnoneornil(L, arg))
        c.end = END_AFTER_EOF;
    fields_read(L, arg, what, side_fields, &c);
    c.send_bytes = read_send(L, arg, what);
    read_notice(L, arg, &c);
    if (c.stop_us)
        c.stop_us += sim->started_us;
    if (c.send_bytes == STREAM_ENDLESS && !c.stop_us)
        luaL_error(L, "%s: who sends without end has a time to stop", what);
    if (c.requests > REQUESTS_MAX || (c.requests && !c.request_bytes) ||
        (c.respond_to && !c.respond_bytes))
        luaL_error(L, "%s: requests are up to %d of a size above 0, and so are responses", what,
                   REQUESTS_MAX);
    return c;
}

/* ---- connecting ------------------------------------------------------------------------- */

static struct side_config side_of(lua_State *L, const char *name, struct sim *sim)
{
    lua_getfield(L, 1, name);
    struct side_config c = read_side(L, lua_gettop(L), name, sim);
    lua_pop(L, 1);
    return c;
}

static struct plait_options options_of(lua_State *L, const char *name)
{
    struct plait_options o = {0};
    lua_getfield(L, 1, name);
    options_read(L, lua_gettop(L), name, &o);
    lua_pop(L, 1);
    return o;
}

static void push_stream(lua_State *L, struct stream *s)
{
    object_push(L, "stream", s);
    lua_newtable(L);
    for (unsigned i = 0; i < 2; i++) {
        object_push(L, "side", &s->side[i]);
        if (s->side[i].config.notice) {
            struct hearing *h = s->side[i].config.notice_ctx;
            lua_pushvalue(L, -1);
            h->self = luaL_ref(L, LUA_REGISTRYINDEX);
        }
        lua_setfield(L, -2, i ? "server" : "client");
    }
    lua_setiuservalue(L, -2, 1);
}

/* Where it comes from: an interface, or a host that chooses one itself. */
static struct iface *from_of(lua_State *L, struct host **host)
{
    lua_getfield(L, 1, "from");
    struct object *o = object_test(L, -1, "host");
    struct iface *from = o ? NULL : check_iface(L, -1);
    *host = o ? o->at : from->host;
    lua_pop(L, 1);
    return from;
}

static struct iface *to_of(lua_State *L)
{
    lua_getfield(L, 1, "to");
    struct iface *to = check_iface(L, -1);
    lua_pop(L, 1);
    return to;
}

struct start {
    uint64_t at_us;
};

/* connect{from=, to=, start=, client=, server=, options=, server_options=} */
static int connect(lua_State *L)
{
    static const struct field rows[] = {{.name = "from", .kind = FIELD_OTHER},
                                        {.name = "to", .kind = FIELD_OTHER},
                                        {.name = "client", .kind = FIELD_OTHER},
                                        {.name = "server", .kind = FIELD_OTHER},
                                        {.name = "options", .kind = FIELD_OTHER},
                                        {.name = "server_options", .kind = FIELD_OTHER},
                                        FIELD_AS(struct start, "start", at_us, FIELD_TIME),
                                        {0}};
    struct sim *sim = play_sim(play_of(L));
    struct start start = {0};
    struct host *client;
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    fields_read(L, 1, "connect", rows, &start);
    struct iface *from = from_of(L, &client), *to = to_of(L);
    if (client == to->host)
        return luaL_error(L, "connect: a host cannot connect to itself");
    const struct side_config c = side_of(L, "client", sim), s = side_of(L, "server", sim);
    const struct plait_options co = options_of(L, "options"), so = options_of(L, "server_options");
    uint64_t at_us = sim->started_us + start.at_us;
    push_stream(L, stream_new(sim, client, from, to, at_us < sim->now_us ? sim->now_us : at_us, &c,
                              &s, &co, &so));
    play_check(L, play_of(L));
    return 1;
}

/* stream.client, stream.server */
static int stream_index(lua_State *L)
{
    object_check(L, 1, "stream");
    lua_getiuservalue(L, 1, 1);
    lua_pushvalue(L, 2);
    lua_rawget(L, -2);
    if (lua_isnil(L, -1))
        return luaL_error(L, "a stream has client and server, no \"%s\"",
                          luaL_tolstring(L, 2, NULL));
    return 1;
}

/* side:write(bytes): a driven side may write so much more; side:finish(): no more. */
static int side_allow(lua_State *L)
{
    struct side *s = check_side(L, 1);
    if (!s->config.driven)
        return luaL_error(L, "only a side with driven = true is told what to write");
    stream_allow(s, value_bytes(L, 2, "the size"), false);
    return 0;
}

static int side_finish(lua_State *L)
{
    struct side *s = check_side(L, 1);
    if (!s->config.driven)
        return luaL_error(L, "only a side with driven = true is told when to end");
    stream_allow(s, 0, true);
    return 0;
}

void open_streams(lua_State *L)
{
    static const luaL_Reg sides[] = {{"write", side_allow}, {"finish", side_finish}, {NULL, NULL}};
    static const luaL_Reg none[] = {{NULL, NULL}};
    lua_pushglobaltable(L);
    lua_pushcfunction(L, connect);
    lua_setfield(L, -2, "connect");
    lua_pop(L, 1);
    object_kind(L, "side", sides);
    object_kind(L, "stream", none);
    luaL_getmetatable(L, "plait.stream");
    lua_pushcfunction(L, stream_index);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}
