/* SPDX-License-Identifier: MIT
 *
 * What the files of lab/ share while a scenario is played. Each of the
 * functions open_* puts what its file defines into the Lua state.
 */
#ifndef LAB_PLAY_H
#define LAB_PLAY_H

#include "lab/lab.h"
#include "plug/plug.h"
#include "plug/sandbox.h"
#include "sim/stream.h"

/* Memory that lives as long as the play: texts that the engine or a link
 * points at, callbacks. */
struct kept {
    struct list node;
    uint64_t bytes[]; /* aligned for anything */
};

struct play {
    struct script *script;
    lua_State *L;
    bool describe; /* stop at the first host */
    bool stopped;  /* it did */
    bool running;  /* events are being served: no advance within an advance */
    struct list kept;
    struct list plugs;     /* of the hosts, and */
    struct plugs *checked; /* those of single connections, for their names alone */
    struct prng prng;      /* random() */
};

struct play *play_of(lua_State *L);
void *play_keep(struct play *p, size_t size);
/* A new set of plug-ins in Lua, which lives as long. */
struct plugs *play_plugs(struct play *p);
/* A file's name in a scenario, from its folder on, as a path. */
enum { PLAY_PATH_MAX = 1024 };
void play_path(lua_State *L, const char *name, char path[PLAY_PATH_MAX]);
/* The world of the play, which there is from the first host on. */
struct sim *play_sim(struct play *p);
/* An error of the scenario found by the simulator is raised as one of Lua. */
void play_check(lua_State *L, struct play *p);
/* Call the function that stands in the registry under `ref`, with `args`
 * arguments from the top of the stack; what goes wrong is the run's failure. */
void play_call(struct play *p, int ref, int args);

/* prelude.lua. */
extern const unsigned char prelude[];
extern const unsigned prelude_len;

void open_globals(lua_State *L); /* play.c: parameters, figures, time */
void open_world(lua_State *L);   /* world.c: hosts, interfaces, links, paths */
void open_streams(lua_State *L); /* streams.c */
void open_files(lua_State *L);   /* files.c: tables and traces */
void open_probes(lua_State *L);  /* probes.c: what can be read of them */

/* ---- objects: a pointer into a world, good as long as that world is ---- */

struct object {
    unsigned world; /* run.worlds when it was made */
    void *at;
    void *more; /* of the kind's own */
};

/* Push one of this kind ("host", "link", ...); its methods are a table. */
struct object *object_push(lua_State *L, const char *kind, void *at);
struct object *object_check(lua_State *L, int arg, const char *kind);
/* NULL: it is no such object. */
struct object *object_test(lua_State *L, int arg, const char *kind);
void object_kind(lua_State *L, const char *kind, const luaL_Reg *methods);

struct host *check_host(lua_State *L, int arg);
struct iface *check_iface(lua_State *L, int arg);
struct sim_link *check_link(lua_State *L, int arg);
struct side *check_side(lua_State *L, int arg);
void push_link(lua_State *L, struct sim_link *l);
/* A file's name, or a list of milliseconds; the play's memory. */
const struct capacity *check_trace(lua_State *L, int arg);

#endif
