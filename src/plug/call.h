/* SPDX-License-Identifier: MIT
 *
 * What the files of this folder share: one script, one use of it, and the calls
 * from C into it and back.
 */
#ifndef PLUG_CALL_H
#define PLUG_CALL_H

#include "base/list.h"
#include "plug/plug.h"
#include "plug/sandbox.h"

enum { PLUG_FUNCTIONS_MAX = 4 };

/* A function that a script of this kind has, or may have. */
struct plug_function {
    const char *name;
    bool needed;
};

struct plug {
    struct list node;
    struct plugs *plugs;
    enum plait_plugin_kind kind;
    char *name;          /* "lua:FILE,OPTIONS"; */
    char *file;          /* its middle, */
    const char *options; /* what is behind; NULL: nothing */
    lua_State *L;
    char *summary;
    int functions[PLUG_FUNCTIONS_MAX]; /* references, in the order of the kind's table */
    bool copies;                       /* schedulers: plait_sched.copies */
    union {                            /* by kind */
        struct plait_cc cc;
        struct plait_sched sched;
        struct plait_pm pm;
    } as;
};

/* What a state block holds. */
struct plug_use {
    struct plug *plug;
    int self; /* reference to the table that the script's functions get */
    struct plait_plugin_trouble trouble;
};

/* plug.c: to whom it is told. */
void plugs_tell(struct plugs *plugs, const char *message);

/* One call, for the protected function that makes it: use and arguments. */
struct plug_call {
    struct plug_use *use;
    const void *view, *more;
    unsigned number;
    uint64_t amount;
    void *out;
};

/* Run fn, protected, with the call as light userdata at 1. False: it failed, now
 * or before; the use has the trouble. */
bool plug_run(struct plug_use *use, lua_CFunction fn, struct plug_call *call);

/* ---- inside of fn ------------------------------------------------------------------ */

struct plug_call *plug_called(lua_State *L);
/* Push a function of the script, and self. False: it has none, nothing is pushed. */
bool plug_push(lua_State *L, const struct plug_call *c, unsigned function);
/* Push a table of the script's that is filled anew at each call. */
void plug_table(lua_State *L, const char *name);
/* The function returned what means nothing: an error with the line where it
 * begins. The format is lua_pushfstring's. */
#define plug_wrong(L, call, function, ...)                                                         \
    (lua_pushfstring(L, __VA_ARGS__), plug_wrong_text(L, call, function))
int plug_wrong_text(lua_State *L, const struct plug_call *c, unsigned function);
/* The whole number from 0 on at arg, which `what` is; `none` where there is nil. */
uint64_t plug_whole(lua_State *L, const struct plug_call *c, unsigned function, int arg,
                    const char *what, uint64_t none);

/* ---- the three kinds ------------------------------------------------------------------ */

/* sched.c, cc.c, pm.c: the plug-in's table for a script, and its functions. The
 * first is "begin". */
extern const struct plug_function plug_sched_functions[], plug_cc_functions[], plug_pm_functions[];
void plug_sched_fill(struct plug *s);
void plug_cc_fill(struct plug *s);
void plug_pm_fill(struct plug *s);

/* For those tables. */
void plug_begin(void *state, void *data);
void plug_done(void *state);
struct plait_plugin_trouble plug_trouble(const void *state);

#endif
