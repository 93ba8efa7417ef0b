/* SPDX-License-Identifier: MIT
 *
 * C structs as Lua tables, by rows: what a script sees of a view. Numbers are
 * Lua's 64-bit integers; those above its largest are its largest.
 */
#ifndef PLUG_VALUES_H
#define PLUG_VALUES_H

#include <lua.h>
#include <stddef.h>
#include <stdint.h>

enum value_kind {
    VALUE_NUMBER, /* unsigned, of 1, 2, 4 or 8 bytes */
    VALUE_BOOL,
    VALUE_ADDR,    /* struct plait_addr: a text */
    VALUE_FAMILY,  /* struct plait_addr: 4 or 6 */
    VALUE_ENDPOINT /* struct plait_endpoint: a text, with the port */
};

struct value_row {
    const char *name;
    enum value_kind kind;
    uint8_t size; /* of a number */
    uint16_t offset;
};

#define VALUE(type, member, value_kind)                                                            \
    {                                                                                              \
        .name = #member, .kind = (value_kind), .size = sizeof(((type *)0)->member),                \
        .offset = offsetof(type, member)                                                           \
    }

/* Set the fields of the table on the top. The rows' last has no name. */
void values_fill(lua_State *L, const struct value_row *rows, const void *from);
/* Push element i (from 1) of the list on the top: a table, made if there is none. */
void values_element(lua_State *L, lua_Integer i);
/* The table on the top has a list of that name: of `count` elements, filled from
 * an array of structs, and no more. */
void values_list(lua_State *L, const char *name, const struct value_row *rows, const void *from,
                 size_t size, unsigned count);

#endif
