/* SPDX-License-Identifier: MIT
 *
 * Plug-ins written in Lua: a congestion control, scheduler or path manager
 * whose name is "lua:FILE", or "lua:FILE,OPTIONS" (the file then gets that
 * text). docs/plugins.md is what such a file looks like.
 *
 * A script is a plug-in like any other (plait/plugin.h): it sees copies of the
 * views and returns a value. It runs in a sandbox (sandbox.h), each call has so
 * many instructions, and all connections that use it in one stack have so much
 * memory together. Whatever goes wrong in it is its connection's trouble: the
 * default takes its place there.
 *
 * A set of scripts belongs to one stack and its thread, and outlives it.
 */
#ifndef PLUG_PLUG_H
#define PLUG_PLUG_H

#include "plait/events.h"
#include "plait/plugin.h"

enum {
    PLUG_ERROR_MAX = 512,
    PLUG_STEPS_MAX = 100000,            /* instructions, a call */
    PLUG_MEMORY_MAX = 16 * 1024 * 1024, /* bytes, a script in one stack */
};

/* A script failed: one line with its file, the line in it and what happened. */
typedef void plug_told(void *ctx, const char *message);

struct plugs;
/* told may be NULL. NULL: no memory. */
struct plugs *plugs_new(plug_told *told, void *ctx);
void plugs_free(struct plugs *plugs);
/* For plait_config.plugins: loads what is asked for the first time. */
struct plait_plugins plugs_finder(struct plugs *plugs);

/* It is the name of a script. */
bool plug_named(const char *name);

enum plug_result {
    PLUG_OK,
    PLUG_UNREADABLE, /* the file */
    PLUG_BAD         /* a mistake in it */
};
/* Load a script now, if it is not yet. Otherwise error says what is wrong, with
 * the file and, where there is one, the line. */
enum plug_result plugs_load(struct plugs *plugs, enum plait_plugin_kind kind, const char *name,
                            char error[PLUG_ERROR_MAX]);

#endif
