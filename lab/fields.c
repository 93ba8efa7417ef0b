/* SPDX-License-Identifier: MIT */
#include "lab/fields.h"

#include <string.h>

#include "lab/play.h"
#include "sim/spec.h"

#define MILLION 1e6
#define TIME_MAX_S 1e9 /* thirty years */

/* ---- one value -------------------------------------------------------------------------- */

static uint64_t whole(lua_State *L, int arg, const char *what, const char *form)
{
    int exact;
    lua_Integer n = lua_tointegerx(L, arg, &exact);
    if (!exact || n < 0 || lua_type(L, arg) == LUA_TSTRING)
        luaL_error(L, "%s is %s", what, form);
    return (uint64_t)n;
}

static uint64_t from_text(lua_State *L, int arg, const char *what, const char *form,
                          bool (*parse)(const char *text, uint64_t *out))
{
    uint64_t value = 0;
    if (!parse(lua_tostring(L, arg), &value))
        luaL_error(L, "%s is %s, not \"%s\"", what, form, lua_tostring(L, arg));
    return value;
}

uint64_t value_time(lua_State *L, int arg, const char *what)
{
    static const char form[] = "a time: a number of seconds, or a text like \"10ms\"";
    if (lua_type(L, arg) == LUA_TSTRING)
        return from_text(L, arg, what, form, spec_time);
    double seconds = lua_type(L, arg) == LUA_TNUMBER ? lua_tonumber(L, arg) : -1;
    if (!(seconds >= 0 && seconds <= TIME_MAX_S))
        luaL_error(L, "%s is %s", what, form);
    return (uint64_t)(seconds * MILLION + 0.5);
}

static uint64_t value_us(lua_State *L, int arg, const char *what)
{
    static const char form[] = "a whole number of microseconds, or a text like \"10ms\"";
    if (lua_type(L, arg) == LUA_TSTRING)
        return from_text(L, arg, what, form, spec_time);
    return whole(L, arg, what, form);
}

uint64_t value_bytes(lua_State *L, int arg, const char *what)
{
    static const char form[] = "a size: a whole number of bytes, or a text like \"200kB\"";
    if (lua_type(L, arg) == LUA_TSTRING)
        return from_text(L, arg, what, form, spec_bytes);
    return whole(L, arg, what, form);
}

uint64_t value_rate(lua_State *L, int arg, const char *what)
{
    static const char form[] = "a rate: a whole number of bits a second, or a text like \"8mbit\"";
    if (lua_type(L, arg) == LUA_TSTRING)
        return from_text(L, arg, what, form, spec_rate);
    return whole(L, arg, what, form);
}

static uint64_t value_word(lua_State *L, int arg, const char *what, const char *const *words)
{
    char list[256] = "";
    const char *word = lua_type(L, arg) == LUA_TSTRING ? lua_tostring(L, arg) : "";
    for (unsigned i = 0; words[i]; i++) {
        if (strcmp(word, words[i]) == 0)
            return i;
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s\"%s\"", i ? ", " : "",
                 words[i]);
    }
    luaL_error(L, "%s is one of %s", what, list);
    return 0;
}

/* ---- tables ----------------------------------------------------------------------------- */

static uint64_t most_of(const struct field *f)
{
    uint64_t all = f->size == 8 ? UINT64_MAX >> 1 : (UINT64_C(1) << f->size * 8) - 1;
    return f->most ? f->most : all;
}

static void store(const struct field *f, void *into, uint64_t value)
{
    void *at = (char *)into + f->offset;
    const uint8_t one = (uint8_t)value;
    const uint16_t two = (uint16_t)value;
    const uint32_t four = (uint32_t)value;
    switch (f->size) {
    case 1:
        memcpy(at, &one, sizeof one);
        break;
    case 2:
        memcpy(at, &two, sizeof two);
        break;
    case 4:
        memcpy(at, &four, sizeof four);
        break;
    default:
        memcpy(at, &value, sizeof value);
    }
}

static void store_text(lua_State *L, const struct field *f, const char *what, void *into)
{
    size_t len;
    const char *text = lua_tolstring(L, -1, &len);
    if (lua_type(L, -1) != LUA_TSTRING)
        luaL_error(L, "%s is a text", what);
    char *copy = play_keep(play_of(L), len + 1);
    memcpy(copy, text, len);
    *(const char **)(void *)((char *)into + f->offset) = copy;
}

/* The value on the top of the stack. */
static void field_read(lua_State *L, const struct field *f, const char *what, void *into)
{
    uint64_t value = 0;
    switch (f->kind) {
    case FIELD_OTHER:
        return;
    case FIELD_TEXT:
        store_text(L, f, what, into);
        return;
    case FIELD_BOOL:
        if (lua_type(L, -1) != LUA_TBOOLEAN)
            luaL_error(L, "%s is true or false", what);
        value = (uint64_t)lua_toboolean(L, -1);
        break;
    case FIELD_COUNT:
        value = whole(L, -1, what, "a whole number");
        break;
    case FIELD_BYTES:
        value = value_bytes(L, -1, what);
        break;
    case FIELD_US:
        value = value_us(L, -1, what);
        break;
    case FIELD_TIME:
        value = value_time(L, -1, what);
        break;
    case FIELD_RATE:
        value = value_rate(L, -1, what);
        break;
    case FIELD_WORD:
        value = value_word(L, -1, what, f->words);
        break;
    }
    if (f->kind != FIELD_BOOL && f->kind != FIELD_WORD && (value < f->least || value > most_of(f)))
        luaL_error(L, "%s is %I to %I%s, not %I", what, (lua_Integer)f->least,
                   (lua_Integer)most_of(f),
                   f->kind == FIELD_US || f->kind == FIELD_TIME ? " microseconds" : "",
                   (lua_Integer)value);
    store(f, into, value);
}

static void no_field(lua_State *L, const char *what, const char *name, const struct field *rows)
{
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    for (const struct field *f = rows; f->name; f++) {
        luaL_addstring(&b, f == rows ? "" : ", ");
        luaL_addstring(&b, f->name);
    }
    luaL_pushresult(&b);
    luaL_error(L, "%s has no \"%s\", only %s", what, name, lua_tostring(L, -1));
}

void fields_read(lua_State *L, int arg, const char *what, const struct field *rows, void *into)
{
    if (lua_isnoneornil(L, arg))
        return;
    arg = lua_absindex(L, arg);
    if (!lua_istable(L, arg))
        luaL_error(L, "%s is a table: {name = value, ...}", what);
    for (lua_pushnil(L); lua_next(L, arg); lua_pop(L, 1)) {
        const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : NULL;
        const struct field *f = rows;
        if (!name)
            luaL_error(L, "%s is a table of names: {name = value, ...}", what);
        while (f->name && strcmp(f->name, name) != 0)
            f++;
        if (!f->name)
            no_field(L, what, name, rows);
        char full[96];
        snprintf(full, sizeof full, "%s: %s", what, name);
        field_read(L, f, full, into);
    }
}
