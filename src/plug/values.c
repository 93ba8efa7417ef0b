/* SPDX-License-Identifier: MIT */
#include "plug/values.h"

#include <string.h>

#include "base/addr.h"

static uint64_t number(const void *at, uint8_t size)
{
    uint8_t one;
    uint16_t two;
    uint32_t four;
    uint64_t eight;
    switch (size) {
    case sizeof one:
        memcpy(&one, at, size);
        return one;
    case sizeof two:
        memcpy(&two, at, size);
        return two;
    case sizeof four:
        memcpy(&four, at, size);
        return four;
    default:
        memcpy(&eight, at, sizeof eight);
        return eight < LUA_MAXINTEGER ? eight : LUA_MAXINTEGER;
    }
}

static void push(lua_State *L, const struct value_row *row, const void *at)
{
    char text[ENDPOINT_TEXT_MAX];
    switch (row->kind) {
    case VALUE_NUMBER:
        lua_pushinteger(L, (lua_Integer)number(at, row->size));
        break;
    case VALUE_BOOL:
        lua_pushboolean(L, *(const bool *)at);
        break;
    case VALUE_ADDR:
        lua_pushstring(L, addr_format(at, text));
        break;
    case VALUE_FAMILY:
        lua_pushinteger(L, ((const struct plait_addr *)at)->family);
        break;
    case VALUE_ENDPOINT:
        lua_pushstring(L, endpoint_format(at, text));
        break;
    }
}

void values_fill(lua_State *L, const struct value_row *rows, const void *from)
{
    for (const struct value_row *row = rows; row->name; row++) {
        push(L, row, (const char *)from + row->offset);
        lua_setfield(L, -2, row->name);
    }
}

void values_element(lua_State *L, lua_Integer i)
{
    if (lua_geti(L, -1, i) == LUA_TTABLE)
        return;
    lua_pop(L, 1);
    lua_newtable(L);
    lua_pushvalue(L, -1);
    lua_seti(L, -3, i);
}

void values_list(lua_State *L, const char *name, const struct value_row *rows, const void *from,
                 size_t size, unsigned count)
{
    if (lua_getfield(L, -1, name) != LUA_TTABLE) {
        lua_pop(L, 1);
        lua_newtable(L);
        lua_pushvalue(L, -1);
        lua_setfield(L, -3, name);
    }
    for (unsigned i = 0; i < count; i++) {
        values_element(L, i + 1);
        values_fill(L, rows, (const char *)from + i * size);
        lua_pop(L, 1);
    }
    for (lua_Integer i = count + 1; lua_geti(L, -1, i) != LUA_TNIL; i++) {
        lua_pop(L, 1);
        lua_pushnil(L);
        lua_seti(L, -2, i);
    }
    lua_pop(L, 2);
}
