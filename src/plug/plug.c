/* SPDX-License-Identifier: MIT
 *
 * The scripts of one stack: found by name, loaded once, looked through.
 */
#include "plug/plug.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "plug/call.h"

enum { LOAD_STEPS = 10 * 1000 * 1000 };

static const char prefix[] = "lua:";

struct plugs {
    struct list scripts;
    plug_told *told;
    void *ctx;
};

static const struct {
    const char *what;
    const struct plug_function *functions;
    void (*fill)(struct plug *s);
} kinds[] = {
    [PLAIT_PLUGIN_CC] = {"congestion control", plug_cc_functions, plug_cc_fill},
    [PLAIT_PLUGIN_SCHEDULER] = {"scheduler", plug_sched_functions, plug_sched_fill},
    [PLAIT_PLUGIN_PATH_MANAGER] = {"path manager", plug_pm_functions, plug_pm_fill},
};

struct plugs *plugs_new(plug_told *told, void *ctx)
{
    struct plugs *p = calloc(1, sizeof *p);
    if (p) {
        list_init(&p->scripts);
        p->told = told;
        p->ctx = ctx;
    }
    return p;
}

void plugs_tell(struct plugs *plugs, const char *message)
{
    if (plugs->told)
        plugs->told(plugs->ctx, message);
}

static void plug_free(struct plug *s)
{
    if (!s)
        return;
    if (s->L)
        sandbox_free(s->L);
    free(s->name);
    free(s->file);
    free(s->summary);
    free(s);
}

void plugs_free(struct plugs *plugs)
{
    if (!plugs)
        return;
    list_each(s, &plugs->scripts, struct plug, node)
        plug_free(s);
    free(plugs);
}

bool plug_named(const char *name)
{
    return name && strncmp(name, prefix, sizeof prefix - 1) == 0;
}

/* ---- loading ----------------------------------------------------------------------------- */

/* "lua:FILE,OPTIONS" in its parts. */
static struct plug *plug_new(struct plugs *plugs, enum plait_plugin_kind kind, const char *name)
{
    struct plug *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->plugs = plugs;
    s->kind = kind;
    s->name = strdup(name);
    s->file = strdup(name + sizeof prefix - 1);
    for (unsigned i = 0; i < PLUG_FUNCTIONS_MAX; i++)
        s->functions[i] = LUA_NOREF;
    if (!s->name || !s->file) {
        plug_free(s);
        return NULL;
    }
    char *comma = strchr(s->file, ',');
    if (comma) {
        *comma = 0;
        s->options = s->name + sizeof prefix + strlen(s->file);
    }
    return s;
}

/* The names that a script of the kind may give its functions, as a list. */
static const char *names(lua_State *L, const struct plug_function *f)
{
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    for (; f->name; f++) {
        luaL_addstring(&b, f->name);
        luaL_addstring(&b, ", ");
    }
    luaL_addstring(&b, "summary, copies");
    luaL_pushresult(&b);
    return lua_tostring(L, -1);
}

/* One entry of the table that the file returned: its name at -2, it at -1. */
static void adopt_entry(lua_State *L, struct plug *s)
{
    const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "";
    const struct plug_function *f = kinds[s->kind].functions;
    unsigned i = 0;
    while (f[i].name && strcmp(f[i].name, name) != 0)
        i++;
    if (f[i].name && lua_isfunction(L, -1)) {
        lua_pushvalue(L, -1);
        s->functions[i] = luaL_ref(L, LUA_REGISTRYINDEX);
    } else if (f[i].name) {
        luaL_error(L, "%s is a function", name);
    } else if (strcmp(name, "summary") == 0 && lua_type(L, -1) == LUA_TSTRING) {
        s->summary = strdup(lua_tostring(L, -1));
    } else if (strcmp(name, "copies") == 0 && lua_type(L, -1) == LUA_TBOOLEAN) {
        s->copies = lua_toboolean(L, -1);
    } else {
        luaL_error(L, "a %s in Lua has no \"%s\", only %s", kinds[s->kind].what, name, names(L, f));
    }
}

/* Run the file, which is the function at 2, and take over what it returns. */
static int adopt(lua_State *L)
{
    struct plug *s = lua_touserdata(L, 1);
    const struct plug_function *f = kinds[s->kind].functions;
    lua_call(L, 0, 1);
    if (!lua_istable(L, -1))
        return luaL_error(L, "it is to end with: return { name = function ... }");
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1))
        adopt_entry(L, s);
    for (unsigned i = 0; f[i].name; i++)
        if (f[i].needed && s->functions[i] == LUA_NOREF)
            return luaL_error(L, "a %s in Lua has a function \"%s\"", kinds[s->kind].what,
                              f[i].name);
    return 0;
}

/* True: the script is whole. */
static bool plug_read(struct plug *s, char error[PLUG_ERROR_MAX])
{
    static const struct sandbox_limits limits = {.steps = LOAD_STEPS,
                                                 .mem_bytes = PLUG_MEMORY_MAX,
                                                 .brief = true};
    s->L = sandbox_new(&limits, s->file);
    if (!s->L) {
        snprintf(error, PLUG_ERROR_MAX, "%s: no memory", s->file);
        return false;
    }
    lua_pushcfunction(s->L, adopt);
    lua_pushlightuserdata(s->L, s);
    bool good = sandbox_load_file(s->L) && sandbox_call(s->L, 2, 0);
    if (!good)
        snprintf(error, PLUG_ERROR_MAX, "%s", lua_tostring(s->L, -1));
    lua_settop(s->L, 0);
    return good;
}

static struct plug *find(const struct plugs *plugs, enum plait_plugin_kind kind, const char *name)
{
    list_each(s, &plugs->scripts, struct plug, node)
        if (s->kind == kind && strcmp(s->name, name) == 0)
            return s;
    return NULL;
}

enum plug_result plugs_load(struct plugs *plugs, enum plait_plugin_kind kind, const char *name,
                            char error[PLUG_ERROR_MAX])
{
    if (!plug_named(name) || find(plugs, kind, name))
        return plug_named(name) ? PLUG_OK : PLUG_BAD;
    struct plug *s = plug_new(plugs, kind, name);
    if (!s) {
        snprintf(error, PLUG_ERROR_MAX, "%s: no memory", name);
        return PLUG_BAD;
    }
    if (access(s->file, R_OK) != 0) {
        snprintf(error, PLUG_ERROR_MAX, "%s: %s", s->file, strerror(errno));
        plug_free(s);
        return PLUG_UNREADABLE;
    }
    if (!plug_read(s, error)) {
        plug_free(s);
        return PLUG_BAD;
    }
    kinds[kind].fill(s);
    list_append(&plugs->scripts, &s->node);
    return PLUG_OK;
}

/* ---- for the engine ------------------------------------------------------------------------ */

static struct plug *wanted(void *ctx, enum plait_plugin_kind kind, const char *name)
{
    char error[PLUG_ERROR_MAX];
    struct plugs *plugs = ctx;
    if (!plug_named(name))
        return NULL;
    if (plugs_load(plugs, kind, name, error) != PLUG_OK)
        plugs_tell(plugs, error);
    return find(plugs, kind, name);
}

static const struct plait_cc *find_cc(void *ctx, const char *name)
{
    struct plug *s = wanted(ctx, PLAIT_PLUGIN_CC, name);
    return s ? &s->as.cc : NULL;
}

static const struct plait_sched *find_sched(void *ctx, const char *name)
{
    struct plug *s = wanted(ctx, PLAIT_PLUGIN_SCHEDULER, name);
    return s ? &s->as.sched : NULL;
}

static const struct plait_pm *find_pm(void *ctx, const char *name)
{
    struct plug *s = wanted(ctx, PLAIT_PLUGIN_PATH_MANAGER, name);
    return s ? &s->as.pm : NULL;
}

struct plait_plugins plugs_finder(struct plugs *plugs)
{
    return (struct plait_plugins){plugs, find_cc, find_sched, find_pm};
}
