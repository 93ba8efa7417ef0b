/* SPDX-License-Identifier: MIT
 *
 * The world's things as Lua objects: hosts, interfaces, links, paths, routes,
 * and what happens to them. Whatever sim/ would abort on (its other users are
 * tables in code) is an error of the scenario here.
 */
#include <string.h>

#include "base/addr.h"
#include "lab/config.h"
#include "lab/fields.h"
#include "lab/play.h"
#include "sim/cross.h"
#include "sim/spec.h"

enum { MTU = 1500, MTU_MIN = 576, CROSS_MIN = 28 };

/* ---- hosts and interfaces --------------------------------------------------------------- */

struct host *check_host(lua_State *L, int arg)
{
    return object_check(L, arg, "host")->at;
}

struct iface *check_iface(lua_State *L, int arg)
{
    return object_check(L, arg, "interface")->at;
}

/* host(name [, {...}]) */
static int host(lua_State *L)
{
    struct play *p = play_of(L);
    struct plait_config config;
    const char *name = luaL_checkstring(L, 1);
    luaL_argcheck(L, *name && strlen(name) < SIM_NAME_MAX, 1,
                  "a host's name has 1 to 15 characters");
    struct sim *sim = play_sim(p);
    plait_config_default(&config);
    config.cc = p->script->cc;
    config.scheduler = p->script->scheduler;
    config.path_manager = p->script->path_manager;
    config_read(L, 2, &config);
    bool first = list_empty(&sim->hosts);
    struct host *h = sim_host(sim, name, &config);
    if (first)
        run_capture(&p->script->run, h);
    object_push(L, "host", h);
    return 1;
}

static bool address_taken(const struct sim *sim, const struct plait_addr *a)
{
    list_each(h, &sim->hosts, struct host, node) {
        list_each(i, &h->ifaces, struct iface, node) {
            if (addr_equal(&i->local.addr, a))
                return true;
        }
    }
    return false;
}

/* host:iface(address [, {...}]) */
static int host_iface_new(lua_State *L)
{
    static const struct field rows[] = {{.name = "mtu",
                                         .kind = FIELD_COUNT,
                                         .size = sizeof(uint16_t),
                                         .offset = offsetof(struct plait_local, mtu),
                                         .least = MTU_MIN},
                                        FIELD(struct plait_local, link, FIELD_COUNT),
                                        FIELD_AS(struct plait_local, "prefix", prefix_len,
                                                 FIELD_COUNT),
                                        FIELD(struct plait_local, port, FIELD_COUNT),
                                        FIELD(struct plait_local, backup, FIELD_BOOL),
                                        FIELD(struct plait_local, no_subflow, FIELD_BOOL),
                                        FIELD(struct plait_local, no_announce, FIELD_BOOL),
                                        {0}};
    struct host *h = check_host(L, 1);
    struct plait_local local = {.mtu = MTU};
    const char *text = luaL_checkstring(L, 2);
    if (!addr_parse(text, &local.addr))
        return luaL_error(L, "\"%s\" is no address: write \"10.0.1.1\" or \"fd00:1::1\"", text);
    if (address_taken(h->sim, &local.addr))
        return luaL_error(L, "there is an interface with the address %s", text);
    fields_read(L, 3, "interface", rows, &local);
    object_push(L, "interface", host_iface_local(h, &local));
    return 1;
}

/* interface:set_present(bool): its address goes or comes. */
static int iface_present(lua_State *L)
{
    struct iface *i = check_iface(L, 1);
    luaL_checktype(L, 2, LUA_TBOOLEAN);
    iface_set_present(i, lua_toboolean(L, 2));
    play_check(L, play_of(L));
    return 0;
}

/* host:gro(time): receive offload gathers for so long; 0: off. */
static int host_gro(lua_State *L)
{
    check_host(L, 1)->gro_us = (uint32_t)value_time(L, 2, "gro");
    return 0;
}

/* ---- links ------------------------------------------------------------------------------ */

/* Numbers in a link's table, in the words of sim/spec.h. */
static void number_text(lua_State *L, const char *key, char *buf, size_t size)
{
    double v = lua_tonumber(L, -1);
    if (!(v >= 0 && v < 1e15))
        luaL_error(L, "link: %s is not negative", key);
    if (strcmp(key, "rate") == 0)
        snprintf(buf, size, "%.0fbit", v);
    else if (strcmp(key, "queue") == 0 || strcmp(key, "mark") == 0)
        snprintf(buf, size, "%.0fB", v);
    else if (strcmp(key, "random") == 0)
        snprintf(buf, size, "%.0f", v);
    else if (strcmp(key, "delay") == 0 || strcmp(key, "jitter") == 0)
        snprintf(buf, size, "%.0fus", v * 1e6);
    else
        snprintf(buf, size, "%.4f%%", v);
}

/* A table's fields as one text; whether there are such keys is for the parser. */
static void link_text(lua_State *L, int arg, char text[SPEC_TEXT_MAX])
{
    size_t n = 0;
    text[0] = '\0';
    for (lua_pushnil(L); lua_next(L, arg); lua_pop(L, 1)) {
        char number[64];
        const char *value = number;
        if (lua_type(L, -2) == LUA_TSTRING && strcmp(lua_tostring(L, -2), "trace") == 0)
            continue;
        if (lua_type(L, -2) != LUA_TSTRING)
            luaL_error(L, "link: write {rate = \"8mbit\", delay = \"10ms\", ...}");
        if (lua_type(L, -1) == LUA_TNUMBER)
            number_text(L, lua_tostring(L, -2), number, sizeof number);
        else
            value = luaL_checkstring(L, -1);
        n += (size_t)snprintf(text + n, SPEC_TEXT_MAX - n, "%s%s=%s", n ? "," : "",
                              lua_tostring(L, -2), value);
        if (n >= SPEC_TEXT_MAX)
            luaL_error(L, "link: its texts are too long");
    }
}

/* trace = a file or a list. Its queue is 100 ms of its mean rate unless given. */
static void read_trace(lua_State *L, int arg, struct link_config *config)
{
    enum { QUEUE_MIN = 32000, QUEUE_PARTS = 80 };
    if (lua_getfield(L, arg, "trace") != LUA_TNIL) {
        if (config->rate_bps)
            luaL_error(L, "link: it has a rate or a trace");
        config->trace = check_trace(L, -1);
        uint64_t queue = capacity_rate(config->trace) / QUEUE_PARTS;
        if (!config->queue_bytes && !config->queue_packets)
            config->queue_bytes = queue > QUEUE_MIN ? queue : QUEUE_MIN;
    }
    lua_pop(L, 1);
}

static struct link_config check_link_config(lua_State *L, int arg)
{
    struct link_config config;
    char text[SPEC_TEXT_MAX], error[SPEC_ERROR_MAX];
    const char *spec = text;
    if (lua_istable(L, arg))
        link_text(L, arg, text);
    else
        spec = luaL_checkstring(L, arg);
    if (!link_spec_parse(spec, &config, error))
        luaL_error(L, "%s", error);
    if (lua_istable(L, arg))
        read_trace(L, arg, &config);
    return config;
}

struct sim_link *check_link(lua_State *L, int arg)
{
    return object_check(L, arg, "link")->at;
}

void push_link(lua_State *L, struct sim_link *l)
{
    object_push(L, "link", l);
}

/* link(spec): one direction of a link, for route(). */
static int link_new(lua_State *L)
{
    struct sim *sim = play_sim(play_of(L));
    const struct link_config config = check_link_config(L, 1);
    push_link(L, sim_link(sim, &config));
    return 1;
}

/* link:set(spec) */
static int link_set(lua_State *L)
{
    struct sim_link *l = check_link(L, 1);
    const struct link_config config = check_link_config(L, 2);
    sim_link_configure(play_sim(play_of(L)), l, &config);
    return 0;
}

static unsigned check_links(lua_State *L, int arg, struct sim_link *links[SIM_HOPS_MAX])
{
    luaL_checktype(L, arg, LUA_TTABLE);
    lua_Integer count = luaL_len(L, arg);
    if (count < 1 || count > SIM_HOPS_MAX)
        luaL_error(L, "a route has 1 to %d links", SIM_HOPS_MAX);
    for (lua_Integer i = 0; i < count; i++) {
        lua_geti(L, arg, i + 1);
        links[i] = check_link(L, -1);
        lua_pop(L, 1);
    }
    return (unsigned)count;
}

/* route(from, to, {link, ...}): packets that way take these links. */
static int route_new(lua_State *L)
{
    struct sim_link *links[SIM_HOPS_MAX];
    struct iface *from = check_iface(L, 1), *to = check_iface(L, 2);
    unsigned count = check_links(L, 3, links);
    sim_route(play_sim(play_of(L)), from, to, links, count);
    return 0;
}

/* cross({link, ...}, rate [, packet_bytes]): datagrams over these links. */
static int cross(lua_State *L)
{
    struct sim_link *links[SIM_HOPS_MAX];
    struct sim *sim = play_sim(play_of(L));
    unsigned count = check_links(L, 1, links);
    struct cross_config config = {.rate_bps = value_rate(L, 2, "the rate"), .packet_bytes = MTU};
    if (!lua_isnoneornil(L, 3)) {
        uint64_t size = value_bytes(L, 3, "the packet's size");
        luaL_argcheck(L, size >= CROSS_MIN && size <= UINT16_MAX, 3, "28 to 65535 bytes");
        config.packet_bytes = (uint32_t)size;
    }
    luaL_argcheck(L, config.rate_bps > 0, 2, "more than 0");
    object_push(L, "cross traffic", cross_new(sim, links, count, &config));
    return 1;
}

static int cross_switch(lua_State *L)
{
    struct cross *c = object_check(L, 1, "cross traffic")->at;
    luaL_checktype(L, 2, LUA_TBOOLEAN);
    cross_set_on(c, lua_toboolean(L, 2));
    return 0;
}

static int cross_count(lua_State *L)
{
    const struct cross *c = object_check(L, 1, "cross traffic")->at;
    lua_pushinteger(L, (lua_Integer)cross_sent(c));
    return 1;
}

/* ---- paths ------------------------------------------------------------------------------ */

static struct path check_path(lua_State *L, int arg)
{
    const struct object *o = object_check(L, arg, "path");
    return (struct path){o->at, o->more};
}

/* path(a, b, there [, back]): a pair of links and both routes. */
static int path_new(lua_State *L)
{
    struct iface *a = check_iface(L, 1), *b = check_iface(L, 2);
    const struct link_config there = check_link_config(L, 3);
    const struct link_config back = lua_isnoneornil(L, 4) ? there : check_link_config(L, 4);
    luaL_argcheck(L, a->host != b->host, 2, "the path ends at the host where it begins");
    struct path p = sim_path(a->host->sim, a, b, &there, &back);
    object_push(L, "path", p.there)->more = p.back;
    return 1;
}

static int path_set_up(lua_State *L)
{
    struct path p = check_path(L, 1);
    luaL_checktype(L, 2, LUA_TBOOLEAN);
    sim_path_set_up(play_sim(play_of(L)), &p, lua_toboolean(L, 2));
    return 0;
}

/* path:set(there [, back]) */
static int path_set(lua_State *L)
{
    struct path p = check_path(L, 1);
    struct sim *sim = play_sim(play_of(L));
    const struct link_config there = check_link_config(L, 2);
    const struct link_config back = lua_isnoneornil(L, 3) ? there : check_link_config(L, 3);
    sim_link_configure(sim, p.there, &there);
    sim_link_configure(sim, p.back, &back);
    return 0;
}

/* path:box(text): one more middlebox, at b's end. */
static int path_box(lua_State *L)
{
    struct path p = check_path(L, 1);
    struct box_spec spec;
    char error[BOX_ERROR_MAX];
    if (!box_spec_parse(luaL_checkstring(L, 2), &spec, error))
        return luaL_error(L, "%s", error);
    if (p.there->chain->boxes.count == BOXES_MAX)
        return luaL_error(L, "a path has at most %d boxes", BOXES_MAX);
    sim_box_spec(play_sim(play_of(L)), &p, &spec);
    return 0;
}

static int path_there(lua_State *L)
{
    push_link(L, check_path(L, 1).there);
    return 1;
}

static int path_back(lua_State *L)
{
    push_link(L, check_path(L, 1).back);
    return 1;
}

void open_world(lua_State *L)
{
    static const luaL_Reg functions[] = {{"host", host},       {"link", link_new},
                                         {"route", route_new}, {"path", path_new},
                                         {"cross", cross},     {NULL, NULL}};
    static const luaL_Reg hosts[] = {{"iface", host_iface_new}, {"gro", host_gro}, {NULL, NULL}};
    static const luaL_Reg ifaces[] = {{"set_present", iface_present}, {NULL, NULL}};
    static const luaL_Reg links[] = {{"set", link_set}, {NULL, NULL}};
    static const luaL_Reg paths[] = {{"set_up", path_set_up}, {"set", path_set},
                                     {"box", path_box},       {"there", path_there},
                                     {"back", path_back},     {NULL, NULL}};
    static const luaL_Reg crosses[] = {{"set_on", cross_switch},
                                       {"sent", cross_count},
                                       {NULL, NULL}};
    lua_pushglobaltable(L);
    luaL_setfuncs(L, functions, 0);
    lua_pop(L, 1);
    object_kind(L, "host", hosts);
    object_kind(L, "interface", ifaces);
    object_kind(L, "link", links);
    object_kind(L, "path", paths);
    object_kind(L, "cross traffic", crosses);
}
