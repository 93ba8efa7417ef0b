/* SPDX-License-Identifier: MIT
 *
 * Schedulers in Lua:
 *
 *   begin(self, options)            optional
 *   pick(self, view) -> path, bytes, copy
 *   bound(self, view, path, bytes)  optional
 *
 * Paths are numbered from 1; nil is PLAIT_SCHED_WAIT.
 */
#include "plug/call.h"
#include "plug/values.h"

enum { BEGIN, PICK, BOUND };

const struct plug_function plug_sched_functions[] = {
    [BEGIN] = {"begin", false}, [PICK] = {"pick", true}, [BOUND] = {"bound", false}, {0}};

#define P(member, kind) VALUE(struct plait_sched_path, member, kind)
static const struct value_row path_rows[] = {
    P(subflow_id, VALUE_NUMBER),  P(order, VALUE_NUMBER),
    P(srtt_us, VALUE_NUMBER),     P(rttvar_us, VALUE_NUMBER),
    P(rto_us, VALUE_NUMBER),      P(rtt_min_us, VALUE_NUMBER),
    P(mss_bytes, VALUE_NUMBER),   P(rate, VALUE_NUMBER),
    P(rate_full, VALUE_BOOL),     P(queue_us, VALUE_NUMBER),
    P(cwnd_bytes, VALUE_NUMBER),  P(room_bytes, VALUE_NUMBER),
    P(pacing_rate, VALUE_NUMBER), P(in_flight_bytes, VALUE_NUMBER),
    P(heard_us, VALUE_NUMBER),    P(behind_bytes, VALUE_NUMBER),
    P(slow_start, VALUE_BOOL),    P(backup, VALUE_BOOL),
    P(stale, VALUE_BOOL),         {0}};

#define V(member, kind) VALUE(struct plait_sched_view, member, kind)
static const struct value_row view_rows[] = {V(now_us, VALUE_NUMBER),
                                             V(queued_bytes, VALUE_NUMBER),
                                             V(more, VALUE_BOOL),
                                             V(window_bytes, VALUE_NUMBER),
                                             V(span_bytes, VALUE_NUMBER),
                                             V(stalls, VALUE_NUMBER),
                                             V(unacked_bytes, VALUE_NUMBER),
                                             V(reinject, VALUE_BOOL),
                                             V(lost, VALUE_BOOL),
                                             V(avoid_id, VALUE_NUMBER),
                                             {0}};

static void push_view(lua_State *L, const struct plait_sched_view *view)
{
    plug_table(L, "view");
    values_fill(L, view_rows, view);
    values_list(L, "paths", path_rows, view->paths, sizeof *view->paths, view->count);
}

/* What pick returned, from 2 on. */
static struct plait_sched_choice choice(lua_State *L, const struct plug_call *c,
                                        const struct plait_sched_view *view)
{
    if (lua_isnil(L, 2))
        return (struct plait_sched_choice){.path = PLAIT_SCHED_WAIT};
    uint64_t path = plug_whole(L, c, PICK, 2, "the path that pick returns", 0);
    if (path < 1 || path > view->count)
        plug_wrong(L, c, PICK, "pick returned path %I of %d", (lua_Integer)path, (int)view->count);
    if (!lua_isnil(L, 4) && !lua_isboolean(L, 4))
        plug_wrong(L, c, PICK, "the third result of pick is true or false, not %s",
                   luaL_typename(L, 4));
    bool copy = lua_toboolean(L, 4);
    if (copy && (!c->use->plug->copies || view->reinject))
        plug_wrong(L, c, PICK, "a copy %s",
                   view->reinject ? "of what is sent again already"
                                  : "is for schedulers with copies = true");
    return (struct plait_sched_choice){.path = (int)path - 1,
                                       .bytes = plug_whole(L, c, PICK, 3,
                                                           "the bytes that pick returns", 0),
                                       .copy = copy};
}

static int call_pick(lua_State *L)
{
    struct plug_call *c = plug_called(L);
    plug_push(L, c, PICK);
    push_view(L, c->view);
    lua_call(L, 2, 3);
    *(struct plait_sched_choice *)c->out = choice(L, c, c->view);
    return 0;
}

static struct plait_sched_choice pick(void *state, const struct plait_sched_view *view)
{
    struct plait_sched_choice out = {.path = PLAIT_SCHED_WAIT};
    struct plug_call call = {.view = view, .out = &out};
    plug_run(state, call_pick, &call);
    return out;
}

static int call_bound(lua_State *L)
{
    struct plug_call *c = plug_called(L);
    plug_push(L, c, BOUND);
    push_view(L, c->view);
    lua_pushinteger(L, c->number + 1);
    lua_pushinteger(L, (lua_Integer)c->amount);
    lua_call(L, 4, 0);
    return 0;
}

static void bound(void *state, const struct plait_sched_view *view, unsigned path, uint64_t bytes)
{
    struct plug_call call = {.view = view, .number = path, .amount = bytes};
    plug_run(state, call_bound, &call);
}

void plug_sched_fill(struct plug *s)
{
    s->as.sched = (struct plait_sched){
        .name = s->name,
        .summary = s->summary ? s->summary : "a script",
        .state_size = sizeof(struct plug_use),
        .copies = s->copies,
        .data = s,
        .begin = plug_begin,
        .done = plug_done,
        .trouble = plug_trouble,
        .pick = pick,
        .bound = s->functions[BOUND] == LUA_NOREF ? NULL : bound,
    };
}
