/* SPDX-License-Identifier: MIT
 *
 * Path managers in Lua:
 *
 *   begin(self, options)                    optional
 *   decide(self, view, event) -> actions, wake_us
 *   why_not(self, view, local_address, remote_address) -> text   optional
 *
 * An action is a table: {"open", from = ID, to = ID, backup = true},
 * {"close", subflow = ID, reason = 0}, {"announce", from = ID} or
 * {"withdraw", from = ID}, with the IDs that the view's addresses and subflows
 * have.
 */
#include <stdio.h>
#include <string.h>

#include "plug/call.h"
#include "plug/values.h"

enum { BEGIN, DECIDE, WHY_NOT };

const struct plug_function plug_pm_functions[] = {
    [BEGIN] = {"begin", false}, [DECIDE] = {"decide", true}, [WHY_NOT] = {"why_not", false}, {0}};

/* ---- the view ------------------------------------------------------------------------ */

#define A(member, kind) VALUE(struct plait_pm_addr, member, kind)
static const struct value_row addr_rows[] = {A(addr, VALUE_ADDR),
                                             {"family", VALUE_FAMILY, 0,
                                              offsetof(struct plait_pm_addr, addr)},
                                             A(port, VALUE_NUMBER),
                                             A(link, VALUE_NUMBER),
                                             A(prefix_len, VALUE_NUMBER),
                                             A(id, VALUE_NUMBER),
                                             A(backup, VALUE_BOOL),
                                             A(usable, VALUE_BOOL),
                                             {0}};

#define S(member, kind) VALUE(struct plait_pm_subflow, member, kind)
static const struct value_row subflow_rows[] = {S(subflow_id, VALUE_NUMBER),
                                                S(local_id, VALUE_NUMBER),
                                                S(remote_id, VALUE_NUMBER),
                                                S(local, VALUE_ENDPOINT),
                                                S(remote, VALUE_ENDPOINT),
                                                S(established, VALUE_BOOL),
                                                S(backup, VALUE_BOOL),
                                                S(outgoing, VALUE_BOOL),
                                                S(by_hand, VALUE_BOOL),
                                                S(silent_since_us, VALUE_NUMBER),
                                                {0}};

#define V(member, kind) VALUE(struct plait_pm_view, member, kind)
static const struct value_row view_rows[] = {V(now_us, VALUE_NUMBER),      V(client, VALUE_BOOL),
                                             V(opens, VALUE_BOOL),         V(confirmed, VALUE_BOOL),
                                             V(subflow_max, VALUE_NUMBER), {0}};

#define N(member, kind) VALUE(struct plait_pm_news, member, kind)
static const struct value_row news_rows[] = {N(id, VALUE_NUMBER),
                                             N(told, VALUE_BOOL),
                                             N(reset_reason, VALUE_NUMBER),
                                             N(transient, VALUE_BOOL),
                                             {0}};

static const char *const failures[] = {
    [PLAIT_PM_FAIL_TIMEOUT] = "timeout", [PLAIT_PM_FAIL_UNREACHABLE] = "unreachable",
    [PLAIT_PM_FAIL_RESET] = "reset",     [PLAIT_PM_FAIL_REFUSED] = "refused",
    [PLAIT_PM_FAIL_CLOSED] = "closed",   [PLAIT_PM_FAIL_PROTOCOL] = "protocol",
    [PLAIT_PM_FAIL_REMOVED] = "removed", [PLAIT_PM_FAIL_LOCAL] = "local",
};

static const char *const events[] = {
    [PLAIT_PM_CONFIRMED] = "confirmed",
    [PLAIT_PM_LOCAL_ADDED] = "local_added",
    [PLAIT_PM_LOCAL_REMOVED] = "local_removed",
    [PLAIT_PM_REMOTE_ADDED] = "remote_added",
    [PLAIT_PM_REMOTE_REMOVED] = "remote_removed",
    [PLAIT_PM_SUBFLOW_ESTABLISHED] = "subflow_established",
    [PLAIT_PM_SUBFLOW_FAILED] = "subflow_failed",
    [PLAIT_PM_SUBFLOW_STALE] = "subflow_stale",
    [PLAIT_PM_SUBFLOW_RECOVERED] = "subflow_recovered",
    [PLAIT_PM_TIMER] = "timer",
};

static void push_view(lua_State *L, const struct plait_pm_view *v, bool failed)
{
    plug_table(L, "view");
    values_fill(L, view_rows, v);
    values_list(L, "locals", addr_rows, v->locals, sizeof *v->locals, v->local_count);
    values_list(L, "remotes", addr_rows, v->remotes, sizeof *v->remotes, v->remote_count);
    values_list(L, "subflows", subflow_rows, v->subflows, sizeof *v->subflows, v->subflow_count);
    luaL_getsubtable(L, -1, "news");
    values_fill(L, news_rows, v->news);
    lua_pushstring(L, failed ? failures[v->news->failure] : NULL);
    lua_setfield(L, -2, "failure");
    luaL_getsubtable(L, -1, "subflow");
    values_fill(L, subflow_rows, &v->news->subflow);
    lua_pop(L, 2);
}

/* ---- actions ---------------------------------------------------------------------------- */

/* The number of this name in the action on the top. */
static uint64_t number_in(lua_State *L, const struct plug_call *c, const char *name)
{
    char what[48];
    lua_getfield(L, -1, name);
    snprintf(what, sizeof what, "\"%s\" of an action", name);
    uint64_t n = plug_whole(L, c, DECIDE, lua_gettop(L), what, UINT64_MAX);
    lua_pop(L, 1);
    return n;
}

static const struct plait_pm_addr *addr_in(lua_State *L, const struct plug_call *c,
                                           const char *name, const struct plait_pm_addr *list,
                                           unsigned count)
{
    uint64_t id = number_in(L, c, name);
    for (unsigned i = 0; i < count; i++)
        if (list[i].id == id)
            return &list[i];
    if (id == UINT64_MAX)
        plug_wrong(L, c, DECIDE, "an action has no \"%s\": it is the ID of an address", name);
    plug_wrong(L, c, DECIDE, "\"%s\": there is no address with the ID %I", name, (lua_Integer)id);
    return NULL;
}

/* The table on the top. */
static struct plait_pm_action action(lua_State *L, const struct plug_call *c,
                                     const struct plait_pm_view *v)
{
    static const char *const kinds[] = {[PLAIT_PM_OPEN] = "open",
                                        [PLAIT_PM_CLOSE] = "close",
                                        [PLAIT_PM_ANNOUNCE] = "announce",
                                        [PLAIT_PM_WITHDRAW] = "withdraw"};
    struct plait_pm_action a = {0};
    unsigned kind = 0;
    if (!lua_istable(L, -1))
        plug_wrong(L, c, DECIDE, "an action is a table: {\"open\", from = ID, to = ID}");
    lua_geti(L, -1, 1);
    const char *word = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "nothing";
    while (kind <= PLAIT_PM_WITHDRAW && strcmp(kinds[kind], word) != 0)
        kind++;
    if (kind > PLAIT_PM_WITHDRAW)
        plug_wrong(L, c, DECIDE, "an action is open, close, announce or withdraw, not %s", word);
    lua_pop(L, 1);
    a.kind = kind;
    if (a.kind == PLAIT_PM_CLOSE) {
        uint64_t id = number_in(L, c, "subflow");
        if (id > UINT32_MAX)
            plug_wrong(L, c, DECIDE, "\"close\" needs \"subflow\", the ID of one");
        a.subflow_id = (uint32_t)id;
        uint64_t reason = number_in(L, c, "reason");
        a.reset_reason = reason <= UINT8_MAX ? (uint8_t)reason : 0;
        return a;
    }
    a.local = *addr_in(L, c, "from", v->locals, v->local_count);
    if (a.kind != PLAIT_PM_OPEN)
        return a;
    const struct plait_pm_addr *to = addr_in(L, c, "to", v->remotes, v->remote_count);
    a.remote = (struct plait_endpoint){to->addr, to->port};
    a.remote_id = to->id;
    lua_getfield(L, -1, "backup");
    a.backup = lua_isnil(L, -1) ? a.local.backup : lua_toboolean(L, -1);
    lua_pop(L, 1);
    return a;
}

/* What decide and why_not fill. */
struct answer {
    struct plait_pm_action *actions;
    unsigned count;
    uint64_t *wake_us;
    const char *why;
};

/* The list at 2. */
static void take_actions(lua_State *L, const struct plug_call *c, const struct plait_pm_view *v)
{
    struct answer *out = c->out;
    if (lua_isnil(L, 2))
        return;
    if (!lua_istable(L, 2))
        plug_wrong(L, c, DECIDE, "decide returns a list of actions, not %s", luaL_typename(L, 2));
    lua_Integer count = luaL_len(L, 2);
    if (count > PLAIT_PM_ACTIONS_MAX)
        plug_wrong(L, c, DECIDE, "decide returned %I actions, more than %d", count,
                   PLAIT_PM_ACTIONS_MAX);
    for (lua_Integer i = 1; i <= count; i++) {
        lua_geti(L, 2, i);
        out->actions[i - 1] = action(L, c, v);
        lua_pop(L, 1);
    }
    out->count = (unsigned)count;
}

static int call_decide(lua_State *L)
{
    struct plug_call *c = plug_called(L);
    struct answer *out = c->out;
    plug_push(L, c, DECIDE);
    push_view(L, c->view, c->number == PLAIT_PM_SUBFLOW_FAILED);
    lua_pushstring(L, events[c->number]);
    lua_call(L, 3, 2);
    *out->wake_us = plug_whole(L, c, DECIDE, 3, "the time that decide returns", UINT64_MAX);
    take_actions(L, c, c->view);
    return 0;
}

static unsigned decide(void *state, const struct plait_pm_view *view, enum plait_pm_event event,
                       struct plait_pm_action *actions, uint64_t *wake_us)
{
    struct answer out = {.actions = actions, .wake_us = wake_us};
    struct plug_call call = {.view = view, .number = event, .out = &out};
    return plug_run(state, call_decide, &call) ? out.count : 0;
}

/* ---- for people ---------------------------------------------------------------------------- */

static void push_addr(lua_State *L, const struct plait_pm_addr *a)
{
    lua_newtable(L);
    values_fill(L, addr_rows, a);
}

static int call_why_not(lua_State *L)
{
    struct plug_call *c = plug_called(L);
    const struct plait_pm_addr *const *pair = c->more;
    struct answer *out = c->out;
    plug_push(L, c, WHY_NOT);
    push_view(L, c->view, false);
    push_addr(L, pair[0]);
    push_addr(L, pair[1]);
    lua_call(L, 4, 1);
    if (lua_type(L, 2) != LUA_TSTRING)
        return 0;
    out->why = lua_tostring(L, 2);
    lua_setfield(L, LUA_REGISTRYINDEX, "why"); /* it lives until the next */
    return 0;
}

static const char *why_not(void *state, const struct plait_pm_view *view,
                           struct plait_pm_action *actions, unsigned count,
                           const struct plait_pm_addr *local, const struct plait_pm_addr *remote)
{
    const struct plait_pm_addr *const pair[] = {local, remote};
    struct answer out = {.actions = actions, .count = count};
    struct plug_call call = {.view = view, .more = pair, .out = &out};
    return plug_run(state, call_why_not, &call) ? out.why : NULL;
}

void plug_pm_fill(struct plug *s)
{
    s->as.pm = (struct plait_pm){
        .name = s->name,
        .summary = s->summary ? s->summary : "a script",
        .state_size = sizeof(struct plug_use),
        .data = s,
        .begin = plug_begin,
        .done = plug_done,
        .trouble = plug_trouble,
        .decide = decide,
        .why_not = s->functions[WHY_NOT] == LUA_NOREF ? NULL : why_not,
    };
}
