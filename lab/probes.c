/* SPDX-License-Identifier: MIT
 *
 * What a scenario can read: of a side, its connection and subflows, of a host,
 * of a link. Times come as seconds, everything else in the unit of its name.
 */
#include <string.h>

#include "lab/play.h"

#define ARRAY(a) (sizeof(a) / sizeof((a)[0]))

static double elapsed_s(const struct sim *sim, uint64_t at_us)
{
    return at_us ? (double)(at_us - sim->started_us) / 1e6 : 0;
}

static void set_integer(lua_State *L, const char *name, uint64_t value)
{
    lua_pushinteger(L, (lua_Integer)value);
    lua_setfield(L, -2, name);
}

static void set_text(lua_State *L, const char *name, const char *value)
{
    lua_pushstring(L, value ? value : "");
    lua_setfield(L, -2, name);
}

static void set_bool(lua_State *L, const char *name, bool value)
{
    lua_pushboolean(L, value);
    lua_setfield(L, -2, name);
}

/* ---- sides ------------------------------------------------------------------------------ */

static int side_received(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)check_side(L, 1)->received);
    return 1;
}

static int side_sent(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)check_side(L, 1)->sent);
    return 1;
}

/* The longest time without a byte between two reads. */
static int side_pause(lua_State *L)
{
    lua_pushnumber(L, (double)check_side(L, 1)->pause_us / 1e6);
    return 1;
}

/* Mbit/s from connecting to the last byte read. */
static int side_rate(lua_State *L)
{
    lua_pushnumber(L, side_mbps(check_side(L, 1)));
    return 1;
}

/* side:times() -> {connected=, first=, last=, done=}, seconds since the world
 * began; what has not been is missing. */
static int side_times(lua_State *L)
{
    const struct side *s = check_side(L, 1);
    const struct {
        const char *name;
        uint64_t us;
    } times[] = {{"connected", s->connected_us},
                 {"first", s->first_read_us},
                 {"last", s->last_read_us},
                 {"done", s->done_us}};
    lua_newtable(L);
    for (unsigned i = 0; i < ARRAY(times); i++) {
        if (times[i].us) {
            lua_pushnumber(L, elapsed_s(s->stream->sim, times[i].us));
            lua_setfield(L, -2, times[i].name);
        }
    }
    return 1;
}

static int push_times(lua_State *L, const uint64_t *us, unsigned count)
{
    lua_createtable(L, (int)count, 0);
    for (unsigned i = 0; i < count; i++) {
        lua_pushnumber(L, (double)us[i] / 1e6);
        lua_seti(L, -2, i + 1);
    }
    return 1;
}

/* Of the responses to its requests, in order. */
static int side_delays(lua_State *L)
{
    const struct side *s = check_side(L, 1);
    return push_times(L, s->delay_us, s->responses_seen);
}

/* Of the peer's blocks (or requests) that it has read, in order. */
static int side_block_delays(lua_State *L)
{
    const struct side *s = check_side(L, 1);
    return push_times(L, s->block_delays.us, s->block_delays.count);
}

/* nil, or how it ended badly. */
static int side_error(lua_State *L)
{
    const struct side *s = check_side(L, 1);
    if (!s->error)
        return 0;
    lua_pushstring(L, plait_error_text(s->error));
    return 1;
}

static int side_is_done(lua_State *L)
{
    lua_pushboolean(L, check_side(L, 1)->done);
    return 1;
}

/* plait_conn_info of now, or of when the connection was given up. */
static int side_info(lua_State *L)
{
    const struct side *s = check_side(L, 1);
    struct plait_conn_info i = s->info;
    if (s->conn)
        plait_conn_info(s->conn, &i);
    lua_newtable(L);
#define N(name) set_integer(L, #name, i.name)
    N(version);
    N(subflows);
    N(subflows_total);
    N(bytes_written);
    N(bytes_acked);
    N(bytes_received);
    N(bytes_read);
    N(bytes_reinjected);
    N(bytes_copied);
    N(send_queued_bytes);
    N(recv_queued_bytes);
    N(ooo_bytes);
    N(send_buffer_bytes);
    N(recv_buffer_bytes);
    N(send_window_bytes);
    N(recv_window_bytes);
#undef N
    set_bool(L, "established", i.established);
    set_bool(L, "multipath", i.multipath);
    set_bool(L, "checksum", i.checksum);
    set_text(L, "fallback_why", plait_reason_name(i.fallback_why));
    set_text(L, "scheduler", i.scheduler);
    set_text(L, "path_manager", i.path_manager);
    set_text(L, "cc", i.cc);
    return 1;
}

static void push_subflow(lua_State *L, const struct plait_subflow_info *i)
{
    lua_newtable(L);
#define N(name) set_integer(L, #name, i->name)
    N(id);
    N(local_id);
    N(remote_id);
    N(srtt_us);
    N(rttvar_us);
    N(rtt_min_us);
    N(rto_us);
    N(mss_bytes);
    N(cwnd_bytes);
    N(ssthresh_bytes);
    N(in_flight_bytes);
    N(pacing_rate);
    N(segs_in);
    N(segs_out);
    N(bytes_sent);
    N(bytes_received);
    N(bytes_retransmitted);
    N(bytes_reinjected_from);
    N(retransmits);
    N(timeouts);
    N(probes);
    N(recoveries);
    N(spurious);
#undef N
    set_bool(L, "established", i->established);
    set_bool(L, "closed", i->closed);
    set_bool(L, "backup", i->backup);
    set_bool(L, "stale", i->stale);
    set_text(L, "state", i->state);
    set_text(L, "why", plait_reason_name(i->why));
}

/* A list of plait_subflow_info, closed ones included. */
static int side_subflows(lua_State *L)
{
    const struct side *s = check_side(L, 1);
    struct plait_subflow_info now[ARRAY(s->subflows)];
    const struct plait_subflow_info *list = s->subflows;
    unsigned count = s->subflow_count;
    if (s->conn) {
        count = plait_conn_subflows(s->conn, now, ARRAY(now));
        list = now;
    }
    lua_newtable(L);
    for (unsigned i = 0; i < count && i < ARRAY(now); i++) {
        push_subflow(L, &list[i]);
        lua_seti(L, -2, i + 1);
    }
    return 1;
}

/* ---- hosts ------------------------------------------------------------------------------ */

/* host:counter(name): by the kernel's names. */
static int host_counter(lua_State *L)
{
    const struct host *h = check_host(L, 1);
    const char *name = luaL_checkstring(L, 2);
    const uint64_t *values = (const uint64_t *)plait_stack_counters(h->stack);
    for (unsigned i = 0; plait_counter_name(i); i++) {
        if (strcmp(plait_counter_name(i), name) == 0) {
            lua_pushinteger(L, (lua_Integer)values[i]);
            return 1;
        }
    }
    return luaL_error(L, "there is no counter \"%s\": plait/plait.h lists them (MPJoinSynTx ...)",
                      name);
}

/* host:events(name): how many so far. */
static int host_events(lua_State *L)
{
    const struct host *h = check_host(L, 1);
    const char *name = luaL_checkstring(L, 2);
    for (unsigned i = 0; i < PLAIT_EV_COUNT; i++) {
        if (strcmp(plait_event_name((enum plait_event_type)i), name) == 0) {
            lua_pushinteger(L, h->tally.event[i]);
            return 1;
        }
    }
    return luaL_error(L, "there is no event \"%s\": plait/events.h lists them (subflow_closed ...)",
                      name);
}

static int host_memory(lua_State *L)
{
    struct plait_memory m;
    plait_stack_memory(check_host(L, 1)->stack, &m);
    lua_newtable(L);
    set_integer(L, "used_bytes", m.used_bytes);
    set_integer(L, "peak_bytes", m.peak_bytes);
    set_integer(L, "held_bytes", m.held_bytes);
    set_integer(L, "conns", m.conns);
    set_integer(L, "subflows", m.subflows);
    set_integer(L, "conns_asleep", m.conns_asleep);
    return 1;
}

/* interface:stats(): packets and IP bytes. */
static int iface_stats(lua_State *L)
{
    const struct iface *i = check_iface(L, 1);
    lua_newtable(L);
    set_integer(L, "tx_packets", i->tx_packets);
    set_integer(L, "tx_bytes", i->tx_bytes);
    set_integer(L, "rx_packets", i->rx_packets);
    set_integer(L, "rx_bytes", i->rx_bytes);
    return 1;
}

/* ---- links ------------------------------------------------------------------------------ */

static int link_stats(lua_State *L)
{
    const struct link *l = &check_link(L, 1)->link;
    lua_newtable(L);
#define N(name) set_integer(L, #name, l->stats.name)
    N(offered);
    N(offered_bytes);
    N(delivered);
    N(delivered_bytes);
    N(dropped_queue);
    N(dropped_loss);
    N(dropped_down);
    N(corrupted);
    N(duplicated);
    N(reordered);
    N(queue_peak_bytes);
#undef N
    set_integer(L, "queued_bytes", l->queued_bytes);
    return 1;
}

/* More methods for a kind that there is. */
static void add_methods(lua_State *L, const char *kind, const luaL_Reg *methods)
{
    luaL_getmetatable(L, kind);
    lua_getfield(L, -1, "__index");
    luaL_setfuncs(L, methods, 0);
    lua_pop(L, 2);
}

void open_probes(lua_State *L)
{
    static const luaL_Reg sides[] = {{"received", side_received},
                                     {"sent", side_sent},
                                     {"pause", side_pause},
                                     {"rate", side_rate},
                                     {"times", side_times},
                                     {"delays", side_delays},
                                     {"block_delays", side_block_delays},
                                     {"error", side_error},
                                     {"done", side_is_done},
                                     {"info", side_info},
                                     {"subflows", side_subflows},
                                     {NULL, NULL}};
    static const luaL_Reg hosts[] = {{"counter", host_counter},
                                     {"events", host_events},
                                     {"memory", host_memory},
                                     {NULL, NULL}};
    static const luaL_Reg ifaces[] = {{"stats", iface_stats}, {NULL, NULL}};
    static const luaL_Reg links[] = {{"stats", link_stats}, {NULL, NULL}};
    add_methods(L, "plait.side", sides);
    add_methods(L, "plait.host", hosts);
    add_methods(L, "plait.interface", ifaces);
    add_methods(L, "plait.link", links);
}
