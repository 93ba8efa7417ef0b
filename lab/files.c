/* SPDX-License-Identifier: MIT
 *
 * The kinds of file that a scenario can read: tables of numbers, traces of
 * capacity, and plug-ins (config.c). They are named relative to the scenario,
 * and give nothing but that.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lab/play.h"

enum { FILE_BYTES_MAX = 64 << 20 };

void play_path(lua_State *L, const char *name, char path[PLAY_PATH_MAX])
{
    const char *scenario = play_of(L)->script->path, *slash = strrchr(scenario, '/');
    int folder = slash ? (int)(slash + 1 - scenario) : 0;
    if (*name == '/' || !*name)
        luaL_error(L, "\"%s\" is no name relative to the scenario's folder", name);
    if (snprintf(path, PLAY_PATH_MAX, "%.*s%s", folder, scenario, name) >= PLAY_PATH_MAX)
        luaL_error(L, "\"%s\" is too long a name", name);
}

/* The whole file in memory of the play's. */
static const char *data_read(lua_State *L, const char *name, size_t *len)
{
    char path[PLAY_PATH_MAX];
    play_path(L, name, path);
    FILE *f = fopen(path, "rb");
    if (!f)
        luaL_error(L, "%s: %s", path, strerror(errno));
    fseek(f, 0, SEEK_END);
    long size = ftell(f);
    if (size < 0 || size > FILE_BYTES_MAX) {
        fclose(f);
        luaL_error(L, "%s: no file of at most 64 MiB", path);
    }
    rewind(f);
    char *text = play_keep(play_of(L), (size_t)size + 1);
    *len = fread(text, 1, (size_t)size, f);
    fclose(f);
    return text;
}

/* ---- tables ----------------------------------------------------------------------------- */

static void push_cell(lua_State *L, const char *text, size_t len)
{
    lua_pushlstring(L, text, len);
    if (lua_stringtonumber(L, lua_tostring(L, -1)) == len + 1)
        lua_remove(L, -2);
}

/* A line's cells as a list; returns what is behind the line. */
static const char *push_line(lua_State *L, const char *line)
{
    lua_newtable(L);
    for (lua_Integer i = 1;; i++) {
        size_t len = strcspn(line, ",\r\n");
        push_cell(L, line, len);
        lua_seti(L, -2, i);
        line += len;
        if (*line != ',')
            break;
        line++;
    }
    line += *line == '\r';
    return line + (*line == '\n');
}

/* The list on the top becomes a table by the names in the list at `names`. */
static void name_cells(lua_State *L, int names, const char *file, lua_Integer number)
{
    lua_Integer count = luaL_len(L, names);
    if (luaL_len(L, -1) != count)
        luaL_error(L, "%s:%I: %I cells where there are %I names", file, number, luaL_len(L, -1),
                   count);
    lua_createtable(L, 0, (int)count);
    for (lua_Integer i = 1; i <= count; i++) {
        lua_geti(L, names, i);
        lua_geti(L, -3, i);
        lua_settable(L, -3);
    }
    lua_remove(L, -2);
}

/* csv(file) -> a list of rows, each with its cells by the names of the first line. */
static int csv(lua_State *L)
{
    size_t len;
    const char *file = luaL_checkstring(L, 1), *text = data_read(L, file, &len);
    lua_settop(L, 1);
    const char *at = push_line(L, text);
    lua_newtable(L);
    for (lua_Integer i = 1; at < text + len; i++) {
        at = push_line(L, at);
        name_cells(L, 2, file, i + 1);
        lua_seti(L, 3, i);
    }
    return 1;
}

/* ---- traces ----------------------------------------------------------------------------- */

/* The numbers of the list at `arg` as the text of a trace. */
static void push_trace_text(lua_State *L, int arg)
{
    lua_Integer count = luaL_len(L, arg);
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    for (lua_Integer i = 1; i <= count; i++) {
        char line[32];
        lua_geti(L, arg, i);
        int len = snprintf(line, sizeof line, "%lld\n", (long long)luaL_checkinteger(L, -1));
        lua_pop(L, 1);
        luaL_addlstring(&b, line, (size_t)len);
    }
    luaL_pushresult(&b);
}

const struct capacity *check_trace(lua_State *L, int arg)
{
    char error[CAPACITY_ERROR_MAX];
    const char *name = "trace", *text;
    size_t len;
    int top = lua_gettop(L);
    arg = lua_absindex(L, arg);
    if (lua_istable(L, arg)) {
        push_trace_text(L, arg);
        text = lua_tolstring(L, -1, &len);
    } else {
        name = luaL_checkstring(L, arg);
        text = data_read(L, name, &len);
    }
    struct capacity *parsed = capacity_parse(text, len, error);
    if (!parsed)
        luaL_error(L, "%s: %s", name, error);
    size_t size = sizeof *parsed + parsed->count * sizeof parsed->ms[0];
    struct capacity *kept = play_keep(play_of(L), size);
    memcpy(kept, parsed, size);
    free(parsed);
    lua_settop(L, top); /* without the text */
    return kept;
}

void open_files(lua_State *L)
{
    lua_pushcfunction(L, csv);
    lua_setglobal(L, "csv");
}
