/* SPDX-License-Identifier: MIT
 *
 * plait paths: which subflows a path manager would open between given
 * addresses, and why not the others. Nothing is sent.
 */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/addr.h"
#include "cli/cli.h"
#include "cli/names.h"
#include "cli/options.h"
#include "cli/units.h"
#include "host/host.h"
#include "plait/plait.h"
#include "plug/plug.h"

enum { ADDRS_MAX = OPTION_LIST_MAX, LINK_NAME_MAX = 16 };

static const char about[] =
    "Shows which subflows a path manager would open for a connection between the given\n"
    "addresses, and why not the others. The first local and the first remote address are\n"
    "those of the first subflow; the others are what an interface has and what the peer\n"
    "announced. Nothing is sent.\n";

static const char closing[] =
    "Local addresses: ADDR[/LEN][@LINK][,backup]; addresses on the same LINK share an\n"
    "interface. Remote ones: ADDR[:PORT].\n"
    "\n"
    "Examples:\n"
    "  plait paths -L 192.168.1.5/24@wlan0 -L 10.64.0.2/30@wwan0,backup 203.0.113.7:443\n"
    "  plait paths --path-manager laminar -L 10.0.1.1 -L 10.0.2.1 192.0.2.1:80 192.0.2.2\n"
    "\n" CLI_EXIT_CODES;

struct paths {
    struct option_list local_texts;
    const char *manager;
    unsigned subflows;
    bool server, json;

    struct plait_pm_addr locals[ADDRS_MAX], remotes[ADDRS_MAX];
    unsigned local_count, remote_count;
    const char *links[ADDRS_MAX]; /* link N + 1 */
    unsigned link_count;
};

#define AT(field) offsetof(struct paths, field)
static const struct option_row rows[] = {
    {'L', "local", "ADDR", OPTION_LIST, AT(local_texts),
     "one of this host's addresses (repeat it for each)", NULL, 0},
    {0, "path-manager", "NAME", OPTION_TEXT, AT(manager), "default: fullmesh; help: list them",
     NULL, 0, names_list_path_manager},
    {0, "subflows", "N", OPTION_COUNT, AT(subflows), "at most so many in all (default 8)", NULL, 0},
    {0, "server", NULL, OPTION_FLAG, AT(server), "as a server that opens subflows", NULL, 0},
    {'j', "json", NULL, OPTION_FLAG, AT(json), "a line of JSON for each pair", NULL, 0},
    {0},
};

/* ---- addresses ------------------------------------------------------------------------ */

/* Cut `text` at the last `mark`; what is behind it, or NULL. */
static char *cut(char *text, char mark)
{
    char *at = strrchr(text, mark);
    if (!at)
        return NULL;
    *at = 0;
    return at + 1;
}

static uint32_t link_number(struct paths *p, const char *name)
{
    for (unsigned i = 0; i < p->link_count; i++)
        if (strcmp(p->links[i], name) == 0)
            return i + 1;
    p->links[p->link_count] = name;
    return ++p->link_count;
}

static bool take_local(struct paths *p, const char *text)
{
    static char copies[ADDRS_MAX][ADDR_TEXT_MAX + LINK_NAME_MAX + 32];
    struct plait_pm_addr *a = &p->locals[p->local_count];
    char *copy = copies[p->local_count];
    uint64_t len = 0;

    snprintf(copy, sizeof copies[0], "%s", text);
    const char *wish = cut(copy, ','), *link = cut(copy, '@'), *prefix = cut(copy, '/');
    bool good = addr_parse(copy, &a->addr) && (!wish || strcmp(wish, "backup") == 0) &&
                (!prefix || (parse_count(prefix, &len) && len >= 1)) &&
                len <= (a->addr.family == PLAIT_IPV4 ? 32 : 128);
    if (!good) {
        cli_error("'%s' is no local address: write 192.168.1.5/24@wlan0 or 10.64.0.2,backup", text);
        return false;
    }
    a->prefix_len = (uint8_t)len;
    a->link = link ? link_number(p, link) : 0;
    a->backup = wish != NULL;
    a->usable = true;
    a->id = (uint8_t)p->local_count++;
    return true;
}

static bool take_remote(struct paths *p, const char *text)
{
    struct plait_endpoint at;
    if (p->remote_count == ADDRS_MAX || !endpoint_parse(text, &at)) {
        cli_error("'%s' is no remote address, or one too many: write 203.0.113.7:443", text);
        return false;
    }
    uint16_t port = at.port ? at.port : p->remotes[0].port;
    p->remotes[p->remote_count] = (struct plait_pm_addr){.addr = at.addr,
                                                         .port = port,
                                                         .id = (uint8_t)p->remote_count,
                                                         .usable = true};
    p->remote_count++;
    return true;
}

static bool take_addresses(struct paths *p, char **words, int count)
{
    for (unsigned i = 0; i < p->local_texts.count; i++)
        if (!take_local(p, p->local_texts.items[i]))
            return false;
    for (int i = 0; i < count; i++)
        if (!take_remote(p, words[i]))
            return false;
    if (p->local_count == 0)
        cli_error("no local address: give each with --local");
    else if (p->locals[0].addr.family != p->remotes[0].addr.family)
        cli_error("the first local and the first remote address are of different IP versions");
    return p->local_count && p->locals[0].addr.family == p->remotes[0].addr.family;
}

/* ---- what comes of it ------------------------------------------------------------------- */

/* What is said of one pair. */
struct verdict {
    const char *what, *why;
};

static struct verdict judge(const struct plait_pm *pm, void *state, const struct plait_pm_view *v,
                            struct plait_pm_action *actions, unsigned count, unsigned l, unsigned r)
{
    const struct plait_pm_addr *local = &v->locals[l], *remote = &v->remotes[r];
    unsigned opened = 0;
    bool backup = false;

    for (unsigned i = 0; i < count; i++) {
        const struct plait_pm_action *a = &actions[i];
        if (a->kind == PLAIT_PM_OPEN && a->local.id == local->id && a->remote_id == remote->id) {
            opened++;
            backup = a->backup;
        }
    }
    if (l == 0 && r == 0)
        return (struct verdict){"first", opened ? "and others beside it" : ""};
    if (opened)
        return (struct verdict){backup ? "backup" : "open", ""};
    const char *why = pm->why_not ? pm->why_not(state, v, actions, count, local, remote) : NULL;
    return (struct verdict){"no", why ? why : "this path manager opens none"};
}

static void print_pair(const struct paths *p, unsigned l, unsigned r, const struct verdict *verdict)
{
    char local[ADDR_TEXT_MAX], remote[ENDPOINT_TEXT_MAX];
    const struct plait_endpoint at = {p->remotes[r].addr, p->remotes[r].port};

    addr_format(&p->locals[l].addr, local);
    endpoint_format(&at, remote);
    if (!p->json) {
        printf("%-24s %-28s %-7s %s\n", local, remote, verdict->what, verdict->why);
        return;
    }
    json_t *line = json_pack("{s:s s:s s:s s:s}", "local", local, "remote", remote, "subflow",
                             verdict->what, "why", verdict->why);
    json_dumpf(line, stdout, 0);
    putchar('\n');
    json_decref(line);
}

static void decide(const struct paths *p, const struct plait_pm *pm)
{
    static const struct plait_pm_news none = {0};
    uint64_t state[PLAIT_PLUGIN_STATE_MAX / 8] = {0}, wake_us = UINT64_MAX;
    struct plait_pm_action actions[PLAIT_PM_ACTIONS_MAX];
    const struct plait_pm_subflow first = {.subflow_id = 1,
                                           .local = {p->locals[0].addr, 0},
                                           .remote = {p->remotes[0].addr, p->remotes[0].port},
                                           .established = true,
                                           .outgoing = !p->server,
                                           .backup = p->locals[0].backup};
    struct plait_pm_view v = {.client = !p->server,
                              .opens = true,
                              .confirmed = true,
                              .locals = p->locals,
                              .remotes = p->remotes,
                              .local_count = p->local_count,
                              .remote_count = p->remote_count,
                              .subflows = &first,
                              .subflow_count = 1,
                              .subflow_max = p->subflows ? p->subflows : 8,
                              .news = &none};

    if (pm->begin)
        pm->begin(state, pm->data);
    unsigned n = pm->decide(state, &v, PLAIT_PM_CONFIRMED, actions, &wake_us);
    if (p->server && wake_us != UINT64_MAX) { /* it leaves the client the first move */
        v.now_us = wake_us;
        n = pm->decide(state, &v, PLAIT_PM_TIMER, actions, &wake_us);
    }
    for (unsigned l = 0; l < p->local_count; l++)
        for (unsigned r = 0; r < p->remote_count; r++) {
            const struct verdict verdict = judge(pm, state, &v, actions, n, l, r);
            print_pair(p, l, r, &verdict);
        }
    if (pm->done)
        pm->done(state);
}

static int decide_by_name(const struct paths *p)
{
    if (!plug_named(p->manager)) {
        decide(p, p->manager ? plait_pm_find(p->manager) : plait_pm_at(0));
        return HOST_OK;
    }
    struct plugs *plugs = plugs_new(names_say_failure, NULL);
    if (!plugs)
        return HOST_FAIL_OTHER;
    const struct plait_plugins finder = plugs_finder(plugs);
    decide(p, finder.path_manager(finder.ctx, p->manager));
    plugs_free(plugs);
    return HOST_OK;
}

int cmd_paths(int argc, char **argv)
{
    static struct paths p;
    int operand;
    const struct usage usage = {.synopsis = "paths --local ADDR [--local ADDR...] REMOTE...",
                                .about = about,
                                .closing = closing,
                                .groups = {{"Options", rows, &p}},
                                .operands_min = 1,
                                .operands_max = -1};

    int end = options_parse(&usage, argc, argv, &operand);
    if (end != OPTION_GO)
        return end;
    int failure = names_check(&(struct plugin_names){.path_manager = p.manager});
    if (failure)
        return failure;
    if (!take_addresses(&p, argv + operand, argc - operand))
        return HOST_FAIL_USAGE;
    return decide_by_name(&p);
}
