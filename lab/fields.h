/* SPDX-License-Identifier: MIT
 *
 * Lua values as numbers with a unit, and Lua tables as C structs: one row says
 * what a field is called, what it takes and where it goes. A name that no row
 * has is an error that shows those there are.
 */
#ifndef LAB_FIELDS_H
#define LAB_FIELDS_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum field_kind {
    FIELD_BOOL,
    FIELD_COUNT, /* a whole number */
    FIELD_BYTES, /* a whole number, or "200kB" */
    FIELD_US,    /* microseconds as the name says (rto_min_us), or "10ms" */
    FIELD_TIME,  /* seconds, or "10ms"; stored as microseconds */
    FIELD_RATE,  /* bits a second, or "8mbit" */
    FIELD_WORD,  /* one of `words`, stored as its place (an enum) */
    FIELD_TEXT,  /* const char *, kept as long as the play */
    FIELD_OTHER  /* known here, read elsewhere */
};

struct field {
    const char *name;
    enum field_kind kind;
    uint8_t size; /* of the number: 1, 2, 4 or 8 bytes */
    size_t offset;
    uint64_t least, most; /* most 0: as much as the size holds */
    const char *const *words;
};

/* A row for a member of a struct. */
#define FIELD(type, member, field_kind)                                                            \
    {                                                                                              \
        .name = #member, .kind = (field_kind), .size = sizeof(((type *)0)->member),                \
        .offset = offsetof(type, member)                                                           \
    }
#define FIELD_AS(type, lua_name, member, field_kind)                                               \
    {                                                                                              \
        .name = (lua_name), .kind = (field_kind), .size = sizeof(((type *)0)->member),             \
        .offset = offsetof(type, member)                                                           \
    }

/* The table at `arg` into *into; nil changes nothing. `what` is what errors
 * call the table. The rows' last has no name. */
void fields_read(lua_State *L, int arg, const char *what, const struct field *rows, void *into);

/* One value; `what` is what errors call it. */
uint64_t value_time(lua_State *L, int arg, const char *what);
uint64_t value_bytes(lua_State *L, int arg, const char *what);
uint64_t value_rate(lua_State *L, int arg, const char *what);

#endif
