/* SPDX-License-Identifier: MIT
 *
 * Congestion controls in Lua:
 *
 *   begin(self, options)                     optional
 *   init(self, own, all)             optional
 *   acked(self, own, ack, all)
 *   signal(self, own, what, now_us, all)
 *
 * `own` is the subflow's view, one of the list `all`. The last three return
 * cwnd_bytes, ssthresh_bytes, pacing_rate; nil leaves the first two as they are
 * and the rate to plait.
 */
#include "plug/call.h"
#include "plug/values.h"

enum { BEGIN, INIT, ACKED, SIGNAL };

const struct plug_function plug_cc_functions[] = {[BEGIN] = {"begin", false},
                                                  [INIT] = {"init", false},
                                                  [ACKED] = {"acked", true},
                                                  [SIGNAL] = {"signal", true},
                                                  {0}};

#define F(member, kind) VALUE(struct plait_cc_view, member, kind)
static const struct value_row flow_rows[] = {F(cwnd_bytes, VALUE_NUMBER),
                                             F(ssthresh_bytes, VALUE_NUMBER),
                                             F(in_flight_bytes, VALUE_NUMBER),
                                             F(steady_bytes, VALUE_NUMBER),
                                             F(pacing_rate, VALUE_NUMBER),
                                             F(since_loss_bytes, VALUE_NUMBER),
                                             F(between_losses_bytes, VALUE_NUMBER),
                                             F(mss_bytes, VALUE_NUMBER),
                                             F(srtt_us, VALUE_NUMBER),
                                             F(rtt_min_us, VALUE_NUMBER),
                                             F(usable, VALUE_BOOL),
                                             F(in_recovery, VALUE_BOOL),
                                             {0}};

#define A(member, kind) VALUE(struct plait_cc_ack, member, kind)
static const struct value_row ack_rows[] = {A(now_us, VALUE_NUMBER),
                                            A(acked_bytes, VALUE_NUMBER),
                                            A(rtt_us, VALUE_NUMBER),
                                            A(in_flight_bytes, VALUE_NUMBER),
                                            A(cwnd_limited, VALUE_BOOL),
                                            A(ecn_echo, VALUE_BOOL),
                                            {0}};

static const char *const signals[] = {
    [PLAIT_CC_LOSS] = "loss",       [PLAIT_CC_RECOVERED] = "recovered",
    [PLAIT_CC_TIMEOUT] = "timeout", [PLAIT_CC_SPURIOUS] = "spurious",
    [PLAIT_CC_IDLE] = "idle",
};

/* The table with the list of flows goes to index 2. */
static void fill_flows(lua_State *L, const struct plait_cc_group *g)
{
    plug_table(L, "flows");
    values_list(L, "all", flow_rows, g->views, sizeof *g->views, g->count);
}

static void push_own(lua_State *L, const struct plait_cc_group *g)
{
    lua_getfield(L, 2, "all");
    lua_geti(L, -1, g->self + 1);
    lua_remove(L, -2);
}

/* Call with the arguments that are there and the list of flows. */
static void finish(lua_State *L, const struct plug_call *c, unsigned function, int args)
{
    struct plait_cc_out *out = c->out;
    lua_getfield(L, 2, "all");
    lua_call(L, args + 1, 3);
    int first = lua_gettop(L) - 2;
    uint64_t cwnd = plug_whole(L, c, function, first, "cwnd_bytes", out->cwnd_bytes);
    uint64_t ssthresh =
        plug_whole(L, c, function, first + 1, "ssthresh_bytes", out->ssthresh_bytes);
    out->pacing_rate = plug_whole(L, c, function, first + 2, "pacing_rate", 0);
    out->cwnd_bytes = cwnd;
    out->ssthresh_bytes = ssthresh;
}

static int call_init(lua_State *L)
{
    struct plug_call *c = plug_called(L);
    fill_flows(L, c->view);
    plug_push(L, c, INIT);
    push_own(L, c->view);
    finish(L, c, INIT, 2);
    return 0;
}

static void init(void *state, const struct plait_cc_group *g, struct plait_cc_out *out)
{
    struct plug_call call = {.view = g, .out = out};
    plug_run(state, call_init, &call);
}

static int call_acked(lua_State *L)
{
    struct plug_call *c = plug_called(L);
    fill_flows(L, c->view);
    plug_push(L, c, ACKED);
    push_own(L, c->view);
    plug_table(L, "ack");
    values_fill(L, ack_rows, c->more);
    finish(L, c, ACKED, 3);
    return 0;
}

static void acked(void *state, const struct plait_cc_group *g, const struct plait_cc_ack *ack,
                  struct plait_cc_out *out)
{
    struct plug_call call = {.view = g, .more = ack, .out = out};
    plug_run(state, call_acked, &call);
}

static int call_signal(lua_State *L)
{
    struct plug_call *c = plug_called(L);
    fill_flows(L, c->view);
    plug_push(L, c, SIGNAL);
    push_own(L, c->view);
    lua_pushstring(L, signals[c->number]);
    lua_pushinteger(L, (lua_Integer)c->amount);
    finish(L, c, SIGNAL, 4);
    return 0;
}

static void signalled(void *state, const struct plait_cc_group *g, enum plait_cc_signal what,
                      uint64_t now_us, struct plait_cc_out *out)
{
    struct plug_call call = {.view = g, .number = what, .amount = now_us, .out = out};
    plug_run(state, call_signal, &call);
}

void plug_cc_fill(struct plug *s)
{
    s->as.cc = (struct plait_cc){
        .name = s->name,
        .summary = s->summary ? s->summary : "a script",
        .state_size = sizeof(struct plug_use),
        .data = s,
        .begin = plug_begin,
        .done = plug_done,
        .trouble = plug_trouble,
        .init = s->functions[INIT] == LUA_NOREF ? NULL : init,
        .acked = acked,
        .signal = signalled,
    };
}
