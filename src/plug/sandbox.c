/* SPDX-License-Identifier: MIT */
#include "plug/sandbox.h"

#include <errno.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HOOK_STEPS = 10000, FILE_BYTES_MAX = 4 * 1024 * 1024 };

/* language.lua. */
extern const unsigned char language[];
extern const unsigned language_len;

struct sandbox {
    uint64_t steps;     /* left */
    size_t used, limit; /* bytes */
    bool lenient;       /* it is C that asks, where nothing would catch a refusal */
    enum sandbox_end end;
    const char *name;
    void *ctx;
};

/* ---- limits ----------------------------------------------------------------------------- */

static void *limited(void *ud, void *ptr, size_t old_size, size_t new_size)
{
    struct sandbox *s = ud;
    size_t held = ptr ? old_size : 0; /* without a block, old_size is a kind of object */
    if (new_size > held && s->used - held + new_size > s->limit && !s->lenient)
        return NULL;
    void *p = NULL;
    if (!new_size)
        free(ptr);
    else if (!(p = realloc(ptr, new_size)))
        return NULL;
    s->used = s->used - held + new_size;
    return p;
}

static struct sandbox *sandbox_of(lua_State *L)
{
    void *s;
    lua_getallocf(L, &s);
    return s;
}

/* Once the limit is reached every instruction fails: who catches the error has
 * nothing left to go on with. */
static void count(lua_State *L, lua_Debug *ar)
{
    struct sandbox *s = sandbox_of(L);
    (void)ar;
    if (s->steps > HOOK_STEPS) {
        s->steps -= HOOK_STEPS;
        return;
    }
    s->steps = 0;
    s->end = SANDBOX_STEPS;
    lua_sethook(L, count, LUA_MASKCOUNT, 1);
    luaL_error(L, "the file has used up its instructions: is there a loop without end?");
}

/* ---- the language ----------------------------------------------------------------------- */

/* Tables and functions have an address and no text. */
static void need_text(lua_State *L, int arg)
{
    int type = lua_type(L, arg);
    if (type == LUA_TTABLE || type == LUA_TFUNCTION)
        luaL_argerror(L, arg, "a table or a function has no text: name what is in it");
}

/* string.format, behind a look at its arguments. */
static int format(lua_State *L)
{
    const char *form = luaL_checkstring(L, 1);
    int args = lua_gettop(L);
    for (const char *p = form; (p = strchr(p, '%')) != NULL; p += 2) {
        size_t flags = strspn(p + 1, "-+ #0123456789.");
        if (p[1 + flags] == 'p')
            return luaL_argerror(L, 1, "there is no %p");
        if (p[1] == '\0')
            break;
    }
    for (int i = 2; i <= args; i++)
        need_text(L, i);
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, args, 1);
    return 1;
}

static int to_string(lua_State *L)
{
    luaL_checkany(L, 1);
    if (lua_type(L, 1) == LUA_TTABLE || lua_type(L, 1) == LUA_TFUNCTION)
        lua_pushstring(L, luaL_typename(L, 1));
    else
        luaL_tolstring(L, 1, NULL);
    return 1;
}

static void forget(lua_State *L, const char *const *names)
{
    for (; *names; names++) {
        lua_pushnil(L);
        lua_setfield(L, -2, *names);
    }
}

/* next and table.sort are for language.lua, which takes them away: the order of
 * one, and of what is equal in the other, changes from run to run. */
static void open_language(lua_State *L, bool brief)
{
    static const char *const base[] = {
        "collectgarbage", "dofile", "getmetatable", "load",         "loadfile", "print", "rawequal",
        "rawget",         "rawlen", "rawset",       "setmetatable", "warn",     NULL};
    static const char *const string[] = {"dump", NULL};
    static const char *const math[] = {"random", "randomseed", NULL};
    static const char *const slow_string[] = {"find", "gmatch", "gsub", "match", "rep", NULL};
    static const char *const slow_table[] = {"move", NULL};
    luaL_requiref(L, LUA_GNAME, luaopen_base, 1);
    forget(L, base);
    lua_pushcfunction(L, to_string);
    lua_setfield(L, -2, "tostring");
    luaL_requiref(L, LUA_TABLIBNAME, luaopen_table, 1);
    if (brief)
        forget(L, slow_table);
    luaL_requiref(L, LUA_MATHLIBNAME, luaopen_math, 1);
    forget(L, math);
    luaL_requiref(L, LUA_STRLIBNAME, luaopen_string, 1);
    forget(L, string);
    if (brief)
        forget(L, slow_string);
    lua_getfield(L, -1, "format");
    lua_pushcclosure(L, format, 1);
    lua_setfield(L, -2, "format");
    lua_settop(L, 0);
}

static int open_protected(lua_State *L)
{
    open_language(L, lua_toboolean(L, 1));
    if (!sandbox_load(L, (const char *)language, language_len, "language"))
        return lua_error(L);
    lua_call(L, 0, 0);
    return 0;
}

lua_State *sandbox_new(const struct sandbox_limits *limits, const char *name)
{
    struct sandbox *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->limit = limits->mem_bytes;
    s->name = name;
    lua_State *L = lua_newstate(limited, s);
    if (!L) {
        free(s);
        return NULL;
    }
    lua_pushcfunction(L, open_protected);
    lua_pushboolean(L, limits->brief);
    if (lua_pcall(L, 1, 0, 0) != LUA_OK) {
        sandbox_free(L);
        return NULL;
    }
    sandbox_renew(L, limits->steps);
    return L;
}

void sandbox_renew(lua_State *L, uint64_t steps)
{
    sandbox_of(L)->steps = steps;
    lua_sethook(L, count, LUA_MASKCOUNT, steps < HOOK_STEPS ? (int)steps + 1 : HOOK_STEPS);
}

void sandbox_set_ctx(lua_State *L, void *ctx)
{
    sandbox_of(L)->ctx = ctx;
}

void *sandbox_ctx(lua_State *L)
{
    return sandbox_of(L)->ctx;
}

void sandbox_free(lua_State *L)
{
    struct sandbox *s = sandbox_of(L);
    lua_sethook(L, NULL, 0, 0);
    lua_close(L);
    free(s);
}

/* ---- loading and calling ---------------------------------------------------------------- */

bool sandbox_load(lua_State *L, const char *text, size_t len, const char *name)
{
    char chunk[256];
    snprintf(chunk, sizeof chunk, "@%s", name);
    return luaL_loadbufferx(L, text, len, chunk, "t") == LUA_OK;
}

bool sandbox_load_file(lua_State *L)
{
    const char *path = sandbox_of(L)->name;
    FILE *f = fopen(path, "rb");
    char *text = f ? malloc(FILE_BYTES_MAX + 1) : NULL;
    if (!text) {
        lua_pushfstring(L, "%s: %s", path, strerror(errno));
        if (f)
            fclose(f);
        return false;
    }
    size_t len = fread(text, 1, FILE_BYTES_MAX + 1, f);
    bool good = false;
    if (ferror(f))
        lua_pushfstring(L, "%s: %s", path, strerror(errno));
    else if (len > FILE_BYTES_MAX)
        lua_pushfstring(L, "%s: more than 4 MiB cannot be a scenario", path);
    else
        good = sandbox_load(L, text, len, path);
    fclose(f);
    free(text);
    return good;
}

/* The message without the place that is before it, when there is one. */
static const char *without_place(const char *message)
{
    const char *p = strchr(message, ':');
    size_t digits = p ? strspn(p + 1, "0123456789") : 0;
    return digits && strncmp(p + 1 + digits, ": ", 2) == 0 ? p + digits + 3 : message;
}

/* Whoever found the error, it is told with the line of the file from where it
 * was called. */
static int place(lua_State *L)
{
    struct sandbox *s = sandbox_of(L);
    const char *message = lua_tostring(L, 1);
    size_t len = strlen(s->name);
    lua_Debug ar;
    s->lenient = true;
    if (!message)
        message = "the error is no text";
    bool told = strncmp(message, s->name, len) == 0 && message[len] == ':';
    for (int level = 0; !told && lua_getstack(L, level, &ar); level++) {
        lua_getinfo(L, "Sl", &ar);
        if (ar.currentline > 0 && ar.source[0] == '@' && strcmp(ar.source + 1, s->name) == 0) {
            lua_pushfstring(L, "%s:%d: %s", s->name, ar.currentline, without_place(message));
            told = true;
        }
    }
    if (!told)
        lua_pushfstring(L, "%s: %s", s->name, without_place(message));
    s->lenient = false;
    return 1;
}

bool sandbox_call(lua_State *L, int args, int results)
{
    struct sandbox *s = sandbox_of(L);
    int handler = lua_gettop(L) - args;
    lua_pushcfunction(L, place);
    lua_insert(L, handler);
    s->end = SANDBOX_GOOD;
    int status = lua_pcall(L, args, results, handler);
    lua_remove(L, handler);
    if (status == LUA_ERRMEM) { /* no handler has seen it */
        s->lenient = true;
        lua_pop(L, 1);
        lua_pushfstring(L, "%s: the file has used up its memory", s->name);
        s->lenient = false;
        s->end = SANDBOX_MEMORY;
    } else if (status != LUA_OK && s->end == SANDBOX_GOOD) {
        s->end = SANDBOX_ERROR;
    }
    return status == LUA_OK;
}

enum sandbox_end sandbox_ended(lua_State *L)
{
    return sandbox_of(L)->end;
}

int sandbox_wrong(lua_State *L, int fn)
{
    struct sandbox *s = sandbox_of(L);
    lua_Debug ar = {0};
    if (fn) {
        lua_pushvalue(L, fn);
        lua_getinfo(L, ">S", &ar);
    }
    if (ar.linedefined > 0)
        lua_pushfstring(L, "%s:%d: %s", s->name, ar.linedefined, lua_tostring(L, -1));
    else
        lua_pushfstring(L, "%s: %s", s->name, lua_tostring(L, -1));
    s->end = SANDBOX_RESULT;
    return lua_error(L);
}
