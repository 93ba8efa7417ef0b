/* SPDX-License-Identifier: MIT
 *
 * Calls from C into a script and back. Nothing that a script does, and no
 * memory that it is refused, leaves the protected call: the engine's frames
 * below know nothing of Lua's jumps.
 */
#include "plug/call.h"

#include <string.h>

static const enum plait_plugin_failure failures[] = {
    [SANDBOX_GOOD] = PLAIT_PLUGIN_WORKS,    [SANDBOX_ERROR] = PLAIT_PLUGIN_ERROR,
    [SANDBOX_STEPS] = PLAIT_PLUGIN_STEPS,   [SANDBOX_MEMORY] = PLAIT_PLUGIN_MEMORY,
    [SANDBOX_RESULT] = PLAIT_PLUGIN_RESULT,
};

/* Messages begin "FILE:LINE: " where there is a line. */
static uint32_t line_of(const char *message, const char *file)
{
    size_t len = strlen(file);
    uint32_t line = 0;
    if (strncmp(message, file, len) != 0 || message[len] != ':')
        return 0;
    for (const char *p = message + len + 1; *p >= '0' && *p <= '9' && line < UINT32_MAX / 10; p++)
        line = line * 10 + (uint32_t)(*p - '0');
    return line;
}

bool plug_run(struct plug_use *use, lua_CFunction fn, struct plug_call *call)
{
    lua_State *L = use->plug->L;
    if (use->trouble.what)
        return false;
    call->use = use;
    sandbox_renew(L, PLUG_STEPS_MAX);
    lua_pushcfunction(L, fn);
    lua_pushlightuserdata(L, call);
    if (sandbox_call(L, 1, 0))
        return true;
    const char *message = lua_tostring(L, -1);
    use->trouble.what = failures[sandbox_ended(L)];
    use->trouble.line = line_of(message, use->plug->file);
    plugs_tell(use->plug->plugs, message);
    lua_settop(L, 0);
    return false;
}

/* ---- inside of a call ------------------------------------------------------------------ */

struct plug_call *plug_called(lua_State *L)
{
    return lua_touserdata(L, 1);
}

bool plug_push(lua_State *L, const struct plug_call *c, unsigned function)
{
    int ref = c->use->plug->functions[function];
    if (ref == LUA_NOREF)
        return false;
    lua_rawgeti(L, LUA_REGISTRYINDEX, ref);
    lua_rawgeti(L, LUA_REGISTRYINDEX, c->use->self);
    return true;
}

void plug_table(lua_State *L, const char *name)
{
    luaL_getsubtable(L, LUA_REGISTRYINDEX, name);
}

int plug_wrong_text(lua_State *L, const struct plug_call *c, unsigned function)
{
    lua_rawgeti(L, LUA_REGISTRYINDEX, c->use->plug->functions[function]);
    lua_insert(L, -2);
    return sandbox_wrong(L, lua_gettop(L) - 1);
}

uint64_t plug_whole(lua_State *L, const struct plug_call *c, unsigned function, int arg,
                    const char *what, uint64_t none)
{
    int whole;
    if (lua_isnoneornil(L, arg))
        return none;
    lua_Integer n = lua_tointegerx(L, arg, &whole);
    if (lua_type(L, arg) != LUA_TNUMBER || !whole)
        plug_wrong(L, c, function, "%s is a whole number, not %s", what,
                   lua_type(L, arg) == LUA_TNUMBER ? "one with a fraction" : luaL_typename(L, arg));
    if (n < 0)
        plug_wrong(L, c, function, "%s is not below 0, as %I is", what, n);
    return (uint64_t)n;
}

/* ---- first and last call ------------------------------------------------------------------ */

static int begin(lua_State *L)
{
    struct plug_call *c = plug_called(L);
    lua_newtable(L);
    c->use->self = luaL_ref(L, LUA_REGISTRYINDEX);
    if (!plug_push(L, c, 0))
        return 0;
    lua_pushstring(L, c->use->plug->options);
    lua_call(L, 2, 0);
    return 0;
}

void plug_begin(void *state, void *data)
{
    struct plug_call call = {0};
    struct plug_use *use = state;
    *use = (struct plug_use){.plug = data, .self = LUA_NOREF};
    plug_run(use, begin, &call);
}

void plug_done(void *state)
{
    struct plug_use *use = state;
    if (use->plug) /* the reference is there: this takes no memory */
        luaL_unref(use->plug->L, LUA_REGISTRYINDEX, use->self);
    use->plug = NULL;
}

struct plait_plugin_trouble plug_trouble(const void *state)
{
    return ((const struct plug_use *)state)->trouble;
}
