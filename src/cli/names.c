/* SPDX-License-Identifier: MIT */
#include "cli/names.h"

#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "host/host.h"
#include "plug/plug.h"

static const char *cc_name(unsigned i)
{
    const struct plait_cc *plugin = plait_cc_at(i);

    return plugin ? plugin->name : NULL;
}

static const char *sched_name(unsigned i)
{
    const struct plait_sched *plugin = plait_sched_at(i);

    return plugin ? plugin->name : NULL;
}

static const char *pm_name(unsigned i)
{
    const struct plait_pm *plugin = plait_pm_at(i);

    return plugin ? plugin->name : NULL;
}

static bool known(const char *kind, const char *name, const char *(*name_at)(unsigned))
{
    char list[256] = "";

    for (unsigned i = 0; name && name_at(i); i++) {
        if (strcmp(name, name_at(i)) == 0)
            return true;
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", i ? ", " : "",
                 name_at(i));
    }
    if (name)
        cli_error("there is no %s '%s', only: %s", kind, name, list);
    return !name;
}

/* A name that may have options after a colon. */
static bool known_scheduler(const char *name)
{
    uint64_t len = name ? strcspn(name, ":") : 0;
    const struct plait_sched *plugin = NULL;

    for (unsigned i = 0; name && (plugin = plait_sched_at(i)) != NULL; i++)
        if (strlen(plugin->name) == len && strncmp(plugin->name, name, len) == 0)
            break;
    if (!plugin)
        return known("scheduler", name, sched_name);
    if (plait_sched_find(name))
        return true;
    cli_error("--scheduler %s does not understand '%s', only: %s", plugin->name, name + len + 1,
              plugin->options ? plugin->options : "nothing");
    return false;
}

/* A script that can be loaded. HOST_OK, or a failure that was said. */
static int check_script(enum plait_plugin_kind kind, const char *name)
{
    static const int codes[] = {
        [PLUG_OK] = HOST_OK, [PLUG_UNREADABLE] = HOST_FAIL_FILE, [PLUG_BAD] = HOST_FAIL_USAGE};
    char error[PLUG_ERROR_MAX];
    struct plugs *plugs = plugs_new(NULL, NULL);
    if (!plugs)
        return HOST_FAIL_OTHER;
    enum plug_result result = plugs_load(plugs, kind, name, error);
    if (result != PLUG_OK)
        cli_error("%s", error);
    plugs_free(plugs);
    return codes[result];
}

int names_check(const struct plugin_names *p)
{
    int failure = HOST_OK;
    if (plug_named(p->cc))
        failure = check_script(PLAIT_PLUGIN_CC, p->cc);
    else if (!known("congestion control", p->cc, cc_name))
        failure = HOST_FAIL_USAGE;
    if (!failure && plug_named(p->scheduler))
        failure = check_script(PLAIT_PLUGIN_SCHEDULER, p->scheduler);
    else if (!failure && !known_scheduler(p->scheduler))
        failure = HOST_FAIL_USAGE;
    if (!failure && plug_named(p->path_manager))
        failure = check_script(PLAIT_PLUGIN_PATH_MANAGER, p->path_manager);
    else if (!failure && !known("path manager", p->path_manager, pm_name))
        failure = HOST_FAIL_USAGE;
    return failure;
}

/* A script that fails does so on each connection: it is said once. */
void names_say_failure(void *ctx, const char *message)
{
    static char said[PLUG_ERROR_MAX];
    (void)ctx;

    flockfile(stderr); /* other threads have plug-ins too */
    if (strncmp(said, message, sizeof said - 1) != 0) {
        snprintf(said, sizeof said, "%s", message);
        cli_error("plug-in failed, the default goes on: %s", message);
    }
    funlockfile(stderr);
}

/* ---- lists ---------------------------------------------------------------- */

static void print_name(const char *name, const char *summary, const char *options, bool first)
{
    printf("%-18s %s%s\n", name, summary, first ? " (default)" : "");
    if (options)
        printf("%-18s   %s:%s\n", "", name, options);
}

static void print_script(void)
{
    printf("%-18s %s\n", "lua:FILE", "a script of your own (docs/plugins.md)");
}

void names_list_cc(void)
{
    for (unsigned i = 0; plait_cc_at(i); i++)
        print_name(plait_cc_at(i)->name, plait_cc_at(i)->summary, NULL, i == 0);
    print_script();
}

void names_list_scheduler(void)
{
    for (unsigned i = 0; plait_sched_at(i); i++)
        print_name(plait_sched_at(i)->name, plait_sched_at(i)->summary, plait_sched_at(i)->options,
                   i == 0);
    print_script();
}

void names_list_path_manager(void)
{
    for (unsigned i = 0; plait_pm_at(i); i++)
        print_name(plait_pm_at(i)->name, plait_pm_at(i)->summary, NULL, i == 0);
    print_script();
}
