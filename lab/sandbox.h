/* SPDX-License-Identifier: MIT
 *
 * A Lua 5.4 state for files that are not trusted: base functions, string,
 * table and math, without whatever reads files, loads code, looks into other
 * functions, or differs from one run to the next. It has a limit of
 * instructions and of memory; reaching one is an error that no pcall holds up
 * for long.
 */
#ifndef LAB_SANDBOX_H
#define LAB_SANDBOX_H

#include <lauxlib.h>
#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

struct sandbox_limits {
    uint64_t steps; /* virtual machine instructions, all told */
    size_t mem_bytes;
};

/* NULL: no memory. */
lua_State *sandbox_new(const struct sandbox_limits *limits);
/* What the calls below have to tell is theirs: ctx is the user's. */
void sandbox_set_ctx(lua_State *L, void *ctx);
void *sandbox_ctx(lua_State *L);
void sandbox_free(lua_State *L);

/* Put text (not bytecode) as a function on the stack; name is what errors call
 * it. False: an error message is on the stack instead. */
bool sandbox_load(lua_State *L, const char *text, size_t len, const char *name);
/* The same for a file. */
bool sandbox_load_file(lua_State *L, const char *path);
/* Call the function below `args` arguments; false: an error message, which
 * begins with the place in the file called `name`, is on the stack instead of
 * results. */
bool sandbox_call(lua_State *L, int args, int results, const char *name);

#endif
