/* SPDX-License-Identifier: MIT */
#include "lab/config.h"

#include <stdlib.h>
#include <string.h>

#include "lab/fields.h"

static const char *const versions[] = {"default", "auto", "1", "0", NULL};
static const char *const cookies[] = {"auto", "never", "always", NULL};
static const char *const ecn_words[] = {"answer", "ask", "never", NULL};

struct stack_config {
    struct plait_config config;
    bool tcp;
};

#define C(member, kind) FIELD_AS(struct stack_config, #member, config.member, kind)
#define C_AS(name, member, kind) FIELD_AS(struct stack_config, name, config.member, kind)
#define WORDS(name_, member, list)                                                                 \
    {                                                                                              \
        .name = (name_), .kind = FIELD_WORD,                                                       \
        .size = sizeof(((struct stack_config *)0)->config.member),                                 \
        .offset = offsetof(struct stack_config, config.member), .words = (list)                    \
    }

static const struct field config_fields[] = {
    C(cc, FIELD_TEXT),
    C(scheduler, FIELD_TEXT),
    C(path_manager, FIELD_TEXT),
    C(multipath, FIELD_BOOL),
    {.name = "tcp", .kind = FIELD_BOOL, .size = 1, .offset = offsetof(struct stack_config, tcp)},
    WORDS("version", version, versions),
    WORDS("mptcp_version", version, versions),
    C(checksum, FIELD_BOOL),
    C(announce, FIELD_BOOL),
    C(client_announces, FIELD_BOOL),
    C(client_opens, FIELD_BOOL),
    C(server_opens, FIELD_BOOL),
    C(joins_accepted, FIELD_BOOL),
    C(no_join_initial, FIELD_BOOL),
    C(subflows_max, FIELD_COUNT),
    C(subflows_wanted, FIELD_COUNT),
    C_AS("subflows", subflows_wanted, FIELD_COUNT),
    C(addrs_accepted_max, FIELD_COUNT),
    C_AS("addrs", addrs_accepted_max, FIELD_COUNT),
    C(send_buffer_bytes, FIELD_BYTES),
    C(send_buffer_max_bytes, FIELD_BYTES),
    C(recv_buffer_bytes, FIELD_BYTES),
    C(recv_buffer_max_bytes, FIELD_BYTES),
    C(burst_max_bytes, FIELD_BYTES),
    C(memory_max_bytes, FIELD_BYTES),
    C_AS("memory", memory_max_bytes, FIELD_BYTES),
    C(held_max_bytes, FIELD_BYTES),
    C(conn_held_max_bytes, FIELD_BYTES),
    C_AS("conn_memory", conn_held_max_bytes, FIELD_BYTES),
    C(conns_max, FIELD_COUNT),
    C(backlog_max, FIELD_COUNT),
    C(half_open_max, FIELD_COUNT),
    C(half_open_stack_max, FIELD_COUNT),
    WORDS("syn_cookies", syn_cookies, cookies),
    WORDS("ecn", ecn, ecn_words),
    C(heuristics, FIELD_COUNT),
    C(joins_half_open_max, FIELD_COUNT),
    C(joins_half_open_stack_max, FIELD_COUNT),
    C(key_pool_max, FIELD_COUNT),
    C(server_id, FIELD_COUNT),
    C(servers, FIELD_COUNT),
    C(version_fallback, FIELD_BOOL),
    C(destinations_max, FIELD_COUNT),
    C(destination_hold_us, FIELD_US),
    C(fastclose_ack, FIELD_BOOL),
    C(dsn64, FIELD_BOOL),
    C(data_ack64, FIELD_BOOL),
    C(fastopen, FIELD_BOOL),
    C(fastopen_pending_max, FIELD_COUNT),
    C(fastopen_cookies_max, FIELD_COUNT),
    C(nagle, FIELD_BOOL),
    C(timestamps, FIELD_BOOL),
    C(sack, FIELD_BOOL),
    C(pacing, FIELD_BOOL),
    C(capable_syn_retries, FIELD_COUNT),
    C(syn_retries, FIELD_COUNT),
    C(synack_retries, FIELD_COUNT),
    C(data_retries, FIELD_COUNT),
    C_AS("retries", data_retries, FIELD_COUNT),
    C(stale_timeouts, FIELD_COUNT),
    C(mss_max, FIELD_COUNT),
    C(rto_min_us, FIELD_US),
    C(delack_us, FIELD_US),
    C(time_wait_us, FIELD_US),
    C(close_timeout_us, FIELD_US),
    C(break_timeout_us, FIELD_US),
    C_AS("break_timeout", break_timeout_us, FIELD_TIME),
    C(race_delay_us, FIELD_US),
    C(keepalive_idle_us, FIELD_US),
    C_AS("keepalive", keepalive_idle_us, FIELD_TIME),
    C(nat_keepalive_us, FIELD_US),
    C(sleep_us, FIELD_US),
    C(add_addr_timeout_us, FIELD_US),
    {0}};

#define NAMES(kind)                                                                                \
    static const char *kind##_name(unsigned i)                                                     \
    {                                                                                              \
        const struct plait_##kind *plugin = plait_##kind##_at(i);                                  \
        return plugin ? plugin->name : NULL;                                                       \
    }
NAMES(cc)
NAMES(sched)
NAMES(pm)
#undef NAMES

static void need_name(lua_State *L, const char *kind, const char *name, bool known,
                      const char *(*name_at)(unsigned))
{
    luaL_Buffer b;
    if (!name || known)
        return;
    luaL_buffinit(L, &b);
    for (unsigned i = 0; name_at(i); i++) {
        luaL_addstring(&b, i ? ", " : "");
        luaL_addstring(&b, name_at(i));
    }
    luaL_pushresult(&b);
    luaL_error(L, "there is no %s \"%s\", only: %s", kind, name, lua_tostring(L, -1));
}

/* The name of a script, from the scenario's folder on, becomes that of its path. */
static void place_script(lua_State *L, const char **name)
{
    char path[PLAY_PATH_MAX];
    if (!plug_named(*name))
        return;
    const char *file = strchr(*name, ':') + 1;
    play_path(L, file, path);
    size_t len = strlen(path) + (size_t)(file - *name) + 1;
    char *placed = play_keep(play_of(L), len);
    snprintf(placed, len, "%.*s%s", (int)(file - *name), *name, path);
    *name = placed;
}

static bool need_script(lua_State *L, struct plugs *plugs, enum plait_plugin_kind kind,
                        const char *name)
{
    char error[PLUG_ERROR_MAX];
    if (plug_named(name) && plugs_load(plugs, kind, name, error) != PLUG_OK)
        luaL_error(L, "%s", error);
    return plug_named(name);
}

static void need_names(lua_State *L, struct plugs *plugs, const char *cc, const char *scheduler,
                       const char *pm)
{
    if (!need_script(L, plugs, PLAIT_PLUGIN_CC, cc))
        need_name(L, "congestion control", cc, cc && plait_cc_find(cc), cc_name);
    if (!need_script(L, plugs, PLAIT_PLUGIN_SCHEDULER, scheduler))
        need_name(L, "scheduler", scheduler, scheduler && plait_sched_find(scheduler), sched_name);
    if (!need_script(L, plugs, PLAIT_PLUGIN_PATH_MANAGER, pm))
        need_name(L, "path manager", pm, pm && plait_pm_find(pm), pm_name);
}

static void *take(void *ctx, size_t size)
{
    (void)ctx;
    return malloc(size);
}

static void give(void *ctx, void *ptr, size_t size)
{
    (void)ctx;
    (void)size;
    free(ptr);
}

/* Values that do not go together are found by the stack itself. */
static void try_config(lua_State *L, struct plait_config config)
{
    struct plait_stack *stack;
    config.allocator = (struct plait_allocator){NULL, take, give};
    int error = plait_stack_new(&config, 0, &stack);
    if (error)
        luaL_error(L, "host: no stack can have this configuration: %s", plait_error_text(error));
    plait_stack_free(stack);
}

void config_read(lua_State *L, int arg, struct plait_config *config)
{
    struct stack_config c = {.config = *config};
    struct plugs *plugs = play_plugs(play_of(L));
    c.config.cc = c.config.scheduler = c.config.path_manager = NULL;
    fields_read(L, arg, "host", config_fields, &c);
    if (c.tcp)
        c.config.multipath = false;
    place_script(L, &c.config.cc);
    place_script(L, &c.config.scheduler);
    place_script(L, &c.config.path_manager);
    if (!c.config.cc)
        c.config.cc = config->cc;
    if (!c.config.scheduler)
        c.config.scheduler = config->scheduler;
    if (!c.config.path_manager)
        c.config.path_manager = config->path_manager;
    need_names(L, plugs, c.config.cc, c.config.scheduler, c.config.path_manager);
    c.config.plugins = plugs_finder(plugs);
    try_config(L, c.config);
    *config = c.config;
}

void options_read(lua_State *L, int arg, const char *what, struct plait_options *options)
{
    static const char *const switches[] = {"default", "on", "off", NULL};
#define O(member, kind) FIELD(struct plait_options, member, kind)
#define O_WORDS(name_, list)                                                                       \
    {                                                                                              \
        .name = #name_, .kind = FIELD_WORD, .size = sizeof(((struct plait_options *)0)->name_),    \
        .offset = offsetof(struct plait_options, name_), .words = (list)                           \
    }
    static const struct field rows[] = {O_WORDS(multipath, switches),
                                        O_WORDS(opens, switches),
                                        O(no_join_initial, FIELD_BOOL),
                                        O_WORDS(fastopen, switches),
                                        O_WORDS(version, versions),
                                        O(cc, FIELD_TEXT),
                                        O(scheduler, FIELD_TEXT),
                                        O(path_manager, FIELD_TEXT),
                                        O(backlog, FIELD_COUNT),
                                        O(heuristics_on, FIELD_COUNT),
                                        O(heuristics_off, FIELD_COUNT),
                                        O(no_nagle, FIELD_BOOL),
                                        O(linger, FIELD_BOOL),
                                        O(linger_us, FIELD_US),
                                        O(break_timeout_us, FIELD_US),
                                        O(race_delay_us, FIELD_US),
                                        {0}};
#undef O
#undef O_WORDS
    fields_read(L, arg, what, rows, options);
    place_script(L, &options->cc);
    place_script(L, &options->scheduler);
    place_script(L, &options->path_manager);
    struct play *p = play_of(L);
    p->checked = p->checked ? p->checked : play_plugs(p);
    need_names(L, p->checked, options->cc, options->scheduler, options->path_manager);
}
