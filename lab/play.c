/* SPDX-License-Identifier: MIT
 *
 * A scenario from its first line to its last: parameters and figures, time and
 * what is to happen in it. The objects of its world are in world.c.
 */
#include "lab/play.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lab/fields.h"

enum { FINISH_S = 3600, RELEASE_S = 400 };
#define STEPS_MAX 4000000000u
#define MEM_BYTES_MAX (256u << 20)

struct play *play_of(lua_State *L)
{
    return sandbox_ctx(L);
}

void *play_keep(struct play *p, size_t size)
{
    struct kept *k = sim_alloc(sizeof *k + size);
    list_append(&p->kept, &k->node);
    return k->bytes;
}

struct plug_set {
    struct list node;
    struct plugs *plugs;
};

static void say_failure(void *ctx, const char *message)
{
    const struct play *p = ctx;
    if (p->script->out)
        fprintf(p->script->out, "     plug-in failed: %s\n", message);
}

struct plugs *play_plugs(struct play *p)
{
    struct plug_set *set = sim_alloc(sizeof *set);
    set->plugs = plugs_new(say_failure, p);
    if (!set->plugs)
        abort();
    list_append(&p->plugs, &set->node);
    return set->plugs;
}

/* ---- parameters and what is said of the scenario ---------------------------------------- */

static void copy_text(lua_State *L, int arg, char *to, size_t size)
{
    size_t len;
    const char *text = luaL_optlstring(L, arg, "", &len);
    luaL_argcheck(L, len < size, arg, "the text is too long");
    memcpy(to, text, len + 1);
}

/* scenario(title) */
static int scenario(lua_State *L)
{
    copy_text(L, 1, play_of(L)->script->title, SCRIPT_TEXT_MAX);
    return 0;
}

static const struct script_setting *setting_of(const struct script *s, const char *name)
{
    for (unsigned i = s->setting_count; i > 0; i--) {
        if (strcmp(s->settings[i - 1].name, name) == 0)
            return &s->settings[i - 1];
    }
    return NULL;
}

/* Push what was set, as a value of the default's type (at arg 2). */
static void push_setting(lua_State *L, const struct script_setting *set)
{
    bool yes = strcmp(set->value, "true") == 0, no = strcmp(set->value, "false") == 0;
    switch (lua_type(L, 2)) {
    case LUA_TNUMBER:
        if (lua_stringtonumber(L, set->value) != strlen(set->value) + 1 ||
            !isfinite(lua_tonumber(L, -1)))
            luaL_error(L, "--set %s=%s: a number is wanted", set->name, set->value);
        break;
    case LUA_TBOOLEAN:
        if (!yes && !no)
            luaL_error(L, "--set %s=%s: true or false is wanted", set->name, set->value);
        lua_pushboolean(L, yes);
        break;
    default:
        lua_pushstring(L, set->value);
    }
}

static void check_name(lua_State *L, const struct script *s, const char *name)
{
    size_t len = strlen(name);
    luaL_argcheck(L, len > 0 && len < SCRIPT_NAME_MAX, 1, "a name has 1 to 31 characters");
    luaL_argcheck(L,
                  strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") ==
                      len,
                  1, "a name is made of letters, digits and _");
    luaL_argcheck(L, strcmp(name, "seed") != 0, 1, "\"seed\" is what --seed sets");
    for (unsigned i = 0; i < s->param_count; i++)
        luaL_argcheck(L, strcmp(s->params[i].name, name) != 0, 1, "there is one of that name");
}

/* param(name, default [, unit [, help]]) -> value */
static int param(lua_State *L)
{
    struct script *s = play_of(L)->script;
    const char *name = luaL_checkstring(L, 1);
    int type = lua_type(L, 2);
    size_t len;
    check_name(L, s, name);
    luaL_argcheck(L, type == LUA_TNUMBER || type == LUA_TSTRING || type == LUA_TBOOLEAN, 2,
                  "the default is a number, a text, true or false");
    if (s->run.worlds)
        return luaL_error(L, "parameters are declared before the first host");
    if (s->param_count == SCRIPT_PARAMS_MAX)
        return luaL_error(L, "there are at most %d parameters", SCRIPT_PARAMS_MAX);
    struct script_param *p = &s->params[s->param_count];
    const struct script_setting *set = setting_of(s, name);
    memset(p, 0, sizeof *p);
    snprintf(p->name, sizeof p->name, "%s", name);
    copy_text(L, 3, p->unit, sizeof p->unit);
    copy_text(L, 4, p->help, sizeof p->help);
    p->given = set != NULL;
    p->number = type == LUA_TNUMBER;
    if (set)
        push_setting(L, set);
    else
        lua_pushvalue(L, 2);
    const char *text = luaL_tolstring(L, -1, &len);
    luaL_argcheck(L, len < sizeof p->value && !strpbrk(text, ",\"\n\r"), 2,
                  "a value has at most 63 characters, and no comma, quote or line's end");
    memcpy(p->value, text, len + 1);
    s->param_count++;
    lua_pop(L, 1);
    return 1;
}

/* figure(name, unit, value [, published]) */
static int figure(lua_State *L)
{
    struct play *p = play_of(L);
    struct run *r = &p->script->run;
    size_t len, unit_len;
    const char *name = luaL_checklstring(L, 1, &len);
    const char *unit = luaL_checklstring(L, 2, &unit_len);
    luaL_argcheck(L, len > 0 && len < sizeof r->figures[0].what && !strpbrk(name, ",\"\n\r"), 1,
                  "a figure's name has 1 to 55 characters, and no comma, quote or line's end");
    luaL_argcheck(L, unit_len < sizeof r->figures[0].unit, 2, "a unit has at most 11 characters");
    double value = luaL_checknumber(L, 3), published = luaL_optnumber(L, 4, 0);
    luaL_argcheck(L, isfinite(value), 3, "the value is no number that can be written");
    for (unsigned i = 0; i < r->figure_count; i++)
        luaL_argcheck(L, strcmp(r->figures[i].what, name) != 0, 1, "there is one of that name");
    if (r->figure_count == FIGURES_MAX)
        return luaL_error(L, "there are at most %d figures", FIGURES_MAX);
    run_figure(r, name, unit, value, published);
    return 0;
}

static const struct field plot_fields[] = {{.name = "name", .kind = FIELD_OTHER},
                                           {.name = "title", .kind = FIELD_OTHER},
                                           {.name = "x", .kind = FIELD_OTHER},
                                           {.name = "y", .kind = FIELD_OTHER},
                                           {.name = "series", .kind = FIELD_OTHER},
                                           {.name = "xlabel", .kind = FIELD_OTHER},
                                           {.name = "ylabel", .kind = FIELD_OTHER},
                                           FIELD(struct script_plot, logx, FIELD_BOOL),
                                           FIELD(struct script_plot, logy, FIELD_BOOL),
                                           FIELD(struct script_plot, cdf, FIELD_BOOL),
                                           {0}};

static void plot_text(lua_State *L, const char *key, char *to, size_t size)
{
    lua_getfield(L, 1, key);
    copy_text(L, -1, to, size);
    lua_pop(L, 1);
}

/* plot{name=, x=, y=, ...} */
static int plot(lua_State *L)
{
    struct script *s = play_of(L)->script;
    if (s->plot_count == SCRIPT_PLOTS_MAX)
        return luaL_error(L, "there are at most %d plots", SCRIPT_PLOTS_MAX);
    struct script_plot *p = &s->plots[s->plot_count];
    memset(p, 0, sizeof *p);
    luaL_checktype(L, 1, LUA_TTABLE);
    fields_read(L, 1, "plot", plot_fields, p);
    plot_text(L, "name", p->name, sizeof p->name);
    plot_text(L, "title", p->title, sizeof p->title);
    plot_text(L, "x", p->x, sizeof p->x);
    plot_text(L, "y", p->y, sizeof p->y);
    plot_text(L, "series", p->series, sizeof p->series);
    plot_text(L, "xlabel", p->xlabel, sizeof p->xlabel);
    plot_text(L, "ylabel", p->ylabel, sizeof p->ylabel);
    if (!p->name[0] || strspn(p->name, "abcdefghijklmnopqrstuvwxyz0123456789_-") != strlen(p->name))
        return luaL_error(L, "plot: name is the files' name, of small letters, digits, - and _");
    if (!p->y[0] || (!p->x[0] && !p->cdf))
        return luaL_error(L, "plot: x and y name a parameter or a figure (cdf = true: y alone)");
    s->plot_count++;
    return 0;
}

/* print(...): for who writes a scenario. */
static int print(lua_State *L)
{
    FILE *out = play_of(L)->script->out;
    for (int i = 1; i <= lua_gettop(L) && out; i++) {
        bool bare = lua_istable(L, i) || lua_isfunction(L, i);
        fprintf(out, "%s%s", i > 1 ? "\t" : "",
                bare ? luaL_typename(L, i) : luaL_tolstring(L, i, NULL));
        if (!bare)
            lua_pop(L, 1);
    }
    if (out)
        fputc('\n', out);
    return 0;
}

/* expect(condition, text) */
static int expect(lua_State *L)
{
    if (lua_toboolean(L, 1))
        return 0;
    return luaL_error(L, "not so: %s", luaL_optstring(L, 2, "what was expected"));
}

/* random() in [0, 1); random(n) from 1 to n; random(m, n) from m to n */
static int random_number(lua_State *L)
{
    struct play *p = play_of(L);
    if (lua_gettop(L) == 0) {
        lua_pushnumber(L, (double)(prng_next(&p->prng) >> 11) * 0x1p-53);
        return 1;
    }
    lua_Integer low = lua_gettop(L) > 1 ? luaL_checkinteger(L, 1) : 1;
    lua_Integer high = luaL_checkinteger(L, lua_gettop(L) > 1 ? 2 : 1);
    luaL_argcheck(L, low <= high && low > INT32_MIN && high < INT32_MAX, 1,
                  "the range is empty or beyond 2^31");
    lua_pushinteger(L, low + (lua_Integer)prng_below(&p->prng, (uint64_t)(high - low) + 1));
    return 1;
}

/* ---- time ------------------------------------------------------------------------------- */

static void unknown_setting(lua_State *L, const struct script *s, const char *name)
{
    luaL_Buffer b;
    luaL_buffinit(L, &b);
    for (unsigned i = 0; i < s->param_count; i++) {
        luaL_addstring(&b, i ? ", " : "");
        luaL_addstring(&b, s->params[i].name);
    }
    luaL_pushresult(&b);
    luaL_error(L, "there is no parameter \"%s\", only: %s", name,
               s->param_count ? lua_tostring(L, -1) : "none");
}

/* All parameters are declared now: a setting that none took is a mistake. */
static void settings_taken(lua_State *L, const struct script *s)
{
    for (unsigned i = 0; i < s->setting_count; i++) {
        bool taken = false;
        for (unsigned j = 0; j < s->param_count; j++)
            taken |= strcmp(s->settings[i].name, s->params[j].name) == 0;
        if (!taken)
            unknown_setting(L, s, s->settings[i].name);
    }
}

static void begin_world(lua_State *L, struct play *p)
{
    struct script *s = p->script;
    if (!s->run.worlds)
        settings_taken(L, s);
    if (p->describe) {
        p->stopped = true;
        luaL_error(L, "stopped");
    }
    run_world(&s->run);
    s->run.sim.check = false; /* of every invariant after every packet: for tests, and slow */
}

struct sim *play_sim(struct play *p)
{
    if (!p->script->run.worlds)
        begin_world(p->L, p);
    return &p->script->run.sim;
}

/* world{check = false}: begin another one. */
static int world(lua_State *L)
{
    static const struct field rows[] = {FIELD(struct sim, check, FIELD_BOOL), {0}};
    struct play *p = play_of(L);
    if (p->running)
        return luaL_error(L, "a world cannot begin within another one's event");
    begin_world(L, p);
    fields_read(L, 1, "world", rows, &p->script->run.sim);
    return 0;
}

void play_check(lua_State *L, struct play *p)
{
    const struct sim *sim = &p->script->run.sim;
    if (p->script->run.worlds && sim->failure[0])
        luaL_error(L, "%s", sim->failure);
}

void play_call(struct play *p, int ref, int args)
{
    lua_State *L = p->L;
    lua_rawgeti(L, LUA_REGISTRYINDEX, ref);
    lua_insert(L, -1 - args);
    if (!sandbox_call(L, args, 0)) {
        sim_fail(&p->script->run.sim, "%s", lua_tostring(L, -1));
        lua_pop(L, 1);
    }
}

struct callback {
    struct play *play;
    int ref;
};

static void call_back(struct sim *sim, void *ctx)
{
    struct callback *c = ctx;
    (void)sim;
    play_call(c->play, c->ref, 0);
    luaL_unref(c->play->L, LUA_REGISTRYINDEX, c->ref);
}

static uint64_t check_moment(lua_State *L, int arg, const struct sim *sim)
{
    uint64_t at_us = sim->started_us + value_time(L, arg, "the time");
    if (at_us < sim->now_us)
        luaL_error(L, "that time has gone by: it is %f s",
                   (double)(sim->now_us - sim->started_us) / 1e6);
    return at_us;
}

/* at(time, function) */
static int at(lua_State *L)
{
    struct play *p = play_of(L);
    struct sim *sim = play_sim(p);
    uint64_t at_us = check_moment(L, 1, sim);
    luaL_checktype(L, 2, LUA_TFUNCTION);
    lua_settop(L, 2);
    struct callback *c = play_keep(p, sizeof *c);
    *c = (struct callback){p, luaL_ref(L, LUA_REGISTRYINDEX)};
    sim_at(sim, at_us, call_back, c);
    return 0;
}

static void run_alone(lua_State *L, struct play *p)
{
    if (p->running)
        luaL_error(L, "time goes on by itself within an event: use at()");
    play_check(L, p);
    p->running = true;
}

/* advance(time): run until then. */
static int advance(lua_State *L)
{
    struct play *p = play_of(L);
    struct sim *sim = play_sim(p);
    uint64_t until_us = check_moment(L, 1, sim);
    run_alone(L, p);
    sim_advance(sim, until_us);
    p->running = false;
    play_check(L, p);
    return 0;
}

struct ending {
    uint64_t limit_us;
    bool errors;
};

/* finish{limit = 3600, errors = false}: run to the end by the oracles. */
static int finish(lua_State *L)
{
    static const struct field rows[] = {FIELD_AS(struct ending, "limit", limit_us, FIELD_TIME),
                                        FIELD(struct ending, errors, FIELD_BOOL),
                                        {0}};
    struct play *p = play_of(L);
    struct sim *sim = play_sim(p);
    struct ending e = {.limit_us = FINISH_S * UINT64_C(1000000)};
    fields_read(L, 1, "finish", rows, &e);
    const struct oracle o = {.deadline_us = sim->started_us + e.limit_us,
                             .release_us = RELEASE_S * UINT64_C(1000000),
                             .must_succeed = !e.errors};
    run_alone(L, p);
    oracle_run(sim, &o);
    p->running = false;
    play_check(L, p);
    return 0;
}

/* now(): seconds since the world began. */
static int now(lua_State *L)
{
    const struct run *r = &play_of(L)->script->run;
    lua_pushnumber(L, r->worlds ? (double)(r->sim.now_us - r->sim.started_us) / 1e6 : 0);
    return 1;
}

/* seconds(text or number): a time as a number. bytes, rate likewise. */
static int seconds(lua_State *L)
{
    lua_pushnumber(L, (double)value_time(L, 1, "the time") / 1e6);
    return 1;
}

static int bytes(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)value_bytes(L, 1, "the size"));
    return 1;
}

static int rate(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)value_rate(L, 1, "the rate"));
    return 1;
}

void open_globals(lua_State *L)
{
    static const luaL_Reg functions[] = {{"scenario", scenario},
                                         {"param", param},
                                         {"figure", figure},
                                         {"plot", plot},
                                         {"print", print},
                                         {"expect", expect},
                                         {"world", world},
                                         {"random", random_number},
                                         {"at", at},
                                         {"advance", advance},
                                         {"finish", finish},
                                         {"now", now},
                                         {"seconds", seconds},
                                         {"bytes", bytes},
                                         {"rate", rate},
                                         {NULL, NULL}};
    static const struct {
        const char *name;
        lua_Integer value;
    } units[] = {{"KB", 1000}, {"MB", 1000000}, {"KiB", 1024}, {"MiB", 1048576}};
    lua_pushglobaltable(L);
    luaL_setfuncs(L, functions, 0);
    for (unsigned i = 0; i < sizeof units / sizeof units[0]; i++) {
        lua_pushinteger(L, units[i].value);
        lua_setfield(L, -2, units[i].name);
    }
    lua_pop(L, 1);
}

/* ---- objects ---------------------------------------------------------------------------- */

/* Kinds have their tables in the registry as "plait.host", as luaL_newmetatable
 * wants it; in errors they are just "host". */
static const char *registered(const char *kind, char name[32])
{
    snprintf(name, 32, "plait.%s", kind);
    return name;
}

static int object_text(lua_State *L)
{
    lua_pushvalue(L, lua_upvalueindex(1));
    return 1;
}

void object_kind(lua_State *L, const char *kind, const luaL_Reg *methods)
{
    char name[32];
    luaL_newmetatable(L, registered(kind, name));
    lua_newtable(L);
    luaL_setfuncs(L, methods, 0);
    lua_setfield(L, -2, "__index");
    lua_pushstring(L, kind);
    lua_pushcclosure(L, object_text, 1);
    lua_setfield(L, -2, "__tostring");
    lua_pop(L, 1);
}

struct object *object_push(lua_State *L, const char *kind, void *pointer)
{
    char name[32];
    struct object *o = lua_newuserdatauv(L, sizeof *o, 1);
    *o = (struct object){.world = play_of(L)->script->run.worlds, .at = pointer};
    luaL_setmetatable(L, registered(kind, name));
    return o;
}

struct object *object_test(lua_State *L, int arg, const char *kind)
{
    char name[32];
    struct object *o = luaL_testudata(L, arg, registered(kind, name));
    if (o && o->world != play_of(L)->script->run.worlds)
        luaL_error(L, "this %s is of a world that has ended", kind);
    return o;
}

struct object *object_check(lua_State *L, int arg, const char *kind)
{
    struct object *o = object_test(L, arg, kind);
    if (!o)
        luaL_error(L, "%s %s is wanted here, not %s", *kind == 'i' ? "an" : "a", kind,
                   luaL_typename(L, arg));
    return o;
}

/* ---- the play --------------------------------------------------------------------------- */

static int open_all(lua_State *L)
{
    open_globals(L);
    open_world(L);
    open_streams(L);
    open_files(L);
    open_probes(L);
    return 0;
}

static bool prepare(struct play *p)
{
    lua_State *L = p->L;
    lua_pushcfunction(L, open_all);
    return sandbox_call(L, 0, 0) &&
           sandbox_load(L, (const char *)prelude, prelude_len, "prelude") &&
           sandbox_call(L, 0, 0) && sandbox_load_file(L) && sandbox_call(L, 0, 0);
}

static void play_begin(struct play *p, struct script *s, bool describe)
{
    const struct sandbox_limits limits = {.steps = s->steps_max ? s->steps_max : STEPS_MAX,
                                          .mem_bytes =
                                              s->mem_max_bytes ? s->mem_max_bytes : MEM_BYTES_MAX};
    *p = (struct play){.script = s, .describe = describe, .L = sandbox_new(&limits, s->path)};
    if (!p->L)
        abort();
    sandbox_set_ctx(p->L, p);
    list_init(&p->kept);
    list_init(&p->plugs);
    prng_seed(&p->prng, ~s->run.seed);
    s->play = p;
    s->title[0] = '\0';
    s->param_count = s->plot_count = 0;
}

static void play_end(struct play *p)
{
    sandbox_free(p->L);
    list_each(set, &p->plugs, struct plug_set, node) {
        plugs_free(set->plugs);
        free(set);
    }
    list_each(k, &p->kept, struct kept, node)
        free(k);
    p->script->play = NULL;
}

bool script_describe(struct script *s, char *error)
{
    struct play p;
    play_begin(&p, s, true);
    s->run.worlds = s->run.figure_count = 0;
    bool good = prepare(&p);
    if (!good && !p.stopped)
        snprintf(error, SCRIPT_ERROR_MAX, "%s", lua_tostring(p.L, -1));
    else if (!p.stopped)
        snprintf(error, SCRIPT_ERROR_MAX, "%s: it makes no host", s->path);
    play_end(&p);
    return p.stopped;
}

static void run_script(struct run *r)
{
    struct script *s = list_entry(r, struct script, run);
    struct play *p = s->play;
    if (!prepare(p))
        snprintf(r->failure, sizeof r->failure, "%s", lua_tostring(p->L, -1));
}

bool script_run(struct script *s)
{
    static const struct scenario scenario_row = {.name = "script", .run = run_script};
    struct play p;
    play_begin(&p, s, false);
    bool good = scenario_run(&scenario_row, &s->run);
    play_end(&p);
    return good;
}
