/* SPDX-License-Identifier: MIT
 *
 * A Lua 5.4 state for files that are not trusted: base functions, string,
 * table and math, without whatever reads files, loads code, looks into other
 * functions, or differs from one run to the next. It has a limit of
 * instructions and of memory; reaching one is an error that no pcall holds up
 * for long.
 */
#ifndef PLUG_SANDBOX_H
#define PLUG_SANDBOX_H

#include <lauxlib.h>
#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

struct sandbox_limits {
    uint64_t steps; /* virtual machine instructions, all told */
    size_t mem_bytes;
    bool brief; /* somebody waits for each call: what may take long within one instruction
                 * (patterns, string.rep, table.move) is left out too */
};

/* What a call ended with. */
enum sandbox_end {
    SANDBOX_GOOD,
    SANDBOX_ERROR,
    SANDBOX_STEPS,  /* used up */
    SANDBOX_MEMORY, /* used up */
    SANDBOX_RESULT  /* sandbox_wrong */
};

/* `name` is the file's, which errors begin with; it is the caller's. NULL: no
 * memory. */
lua_State *sandbox_new(const struct sandbox_limits *limits, const char *name);
/* What the calls below have to tell is theirs: ctx is the user's. */
void sandbox_set_ctx(lua_State *L, void *ctx);
void *sandbox_ctx(lua_State *L);
void sandbox_free(lua_State *L);

/* Put text (not bytecode) as a function on the stack; name is what errors call
 * it. False: an error message is on the stack instead. */
bool sandbox_load(lua_State *L, const char *text, size_t len, const char *name);
/* The same for the file of the sandbox's name. */
bool sandbox_load_file(lua_State *L);
/* Call the function below `args` arguments; false: an error message, which
 * begins with the place in the file, is on the stack instead of results. */
bool sandbox_call(lua_State *L, int args, int results);
/* What the last call ended with. */
enum sandbox_end sandbox_ended(lua_State *L);
/* So many instructions from now on. */
void sandbox_renew(lua_State *L, uint64_t steps);
/* Within a call: raise the message on the top of the stack as one about what
 * the function at `fn` (0: the file) returned. */
int sandbox_wrong(lua_State *L, int fn);

#endif
