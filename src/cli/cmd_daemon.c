/* SPDX-License-Identifier: MIT
 *
 * plait daemon (plaitd): one stack for the programs of this host.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/net.h"
#include "cli/options.h"
#include "cli/service.h"

enum { CONFIG_BYTES_MAX = 1 << 20 };

struct daemon_settings {
    const char *config; /* the file; NULL: the default one, if it is there */
    const char *folder, *group;
    bool everybody, no_sandbox;
    struct web_options web; /* port 0: none */
};

/* Everything that a file or a command line sets, and the file's text, into
 * which it points. */
struct loaded {
    struct daemon_settings own;
    struct net_options net;
    char *text;
};

static bool set_http(void *at, char *const *values, char *why)
{
    if (web_address(values[0], at))
        return true;
    snprintf(why, OPTION_WHY_MAX, "write a port, or an address of this host and a port");
    return false;
}

#define AT(field) offsetof(struct daemon_settings, field)
static const struct option_row config_rows[] = {
    {'c', "config", "FILE", OPTION_TEXT, AT(config),
     "settings, a long option a line (default /etc/plait/plaitd.conf,\nif it is there)", NULL, 0},
    {0},
};
static const struct option_row daemon_rows[] = {
    {0, "folder", "PATH", OPTION_TEXT, AT(folder),
     "of the sockets that programs and plait status come to\n(default: $PLAIT_FOLDER, /run/plait "
     "for root, else\n$XDG_RUNTIME_DIR/plait)",
     NULL, 0},
    {0, "group", "NAME", OPTION_TEXT, AT(group),
     "members of this group may use the daemon (default: its user\nalone)", NULL, 0},
    {0, "everybody", NULL, OPTION_FLAG, AT(everybody), "every local user may use the daemon", NULL,
     0},
    {0, "http", "[ADDR:]PORT", OPTION_CUSTOM, AT(web.at),
     "serve a live page, /metrics and /status.json there (default\naddress 127.0.0.1); who can "
     "connect sees all connections",
     set_http, 0},
    {0, "http-control", NULL, OPTION_FLAG, AT(web.control),
     "the page may change connections too: with the token that\nplait status tells root", NULL, 0},
    {0, "no-sandbox", NULL, OPTION_FLAG, AT(no_sandbox),
     "keep all capabilities and system calls: to look for faults", NULL, 0},
    {0},
};

static const char about[] =
    "Runs one stack for the programs of this host: those started with plait run come to it,\n"
    "plait status and its like look into it. Runs until SIGTERM or SIGINT; SIGHUP reads the\n"
    "settings file anew, for connections to come. Says 'ready' on standard error when programs\n"
    "can come. Also installed as plaitd.\n";

static const char closing[] =
    "Examples:\n"
    "  plaitd --group plait\n"
    "  plait daemon --folder /tmp/p --local 10.0.1.2 --local 10.0.2.2 -v\n"
    "\n"
    "A settings file has the long options, one a line:\n"
    "  scheduler = arrival\n"
    "  local = 10.0.1.2\n"
    "  checksum = yes\n";

static struct usage usage_of(struct loaded *l, bool file)
{
    struct usage u = {.synopsis = "daemon [OPTIONS]", .about = about, .closing = closing};
    unsigned n = 0;

    if (!file)
        u.groups[n++] = (struct option_group){"Settings", config_rows, &l->own};
    u.groups[n++] = (struct option_group){"Who may come", daemon_rows, &l->own};
    u.groups[n++] = (struct option_group){"Network", net_rows, &l->net};
    u.groups[n] = (struct option_group){"Servers", net_server_rows, &l->net};
    return u;
}

/* ---- the settings file --------------------------------------------------- */

/* Its text, the caller's to free. NULL: said. */
static char *read_file(const char *path)
{
    FILE *file = fopen(path, "re");
    char *text = file ? malloc(CONFIG_BYTES_MAX + 1) : NULL;
    size_t n = text ? fread(text, 1, CONFIG_BYTES_MAX + 1, file) : 0;
    bool good = text && !ferror(file) && n <= CONFIG_BYTES_MAX && !memchr(text, 0, n);

    if (!file)
        cli_error("cannot read the settings file '%s': %s", path, strerror(errno));
    else if (!good)
        cli_error("'%s' is no settings file: it is no text, or larger than 1 MiB", path);
    if (file)
        fclose(file);
    if (good) {
        text[n] = 0;
        return text;
    }
    free(text);
    return NULL;
}

static bool load_file(struct loaded *l, const char *path)
{
    const struct usage usage = usage_of(l, true);

    l->text = read_file(path);
    return l->text && options_file(&usage, path, l->text);
}

/* The file first, then the command line over it. OPTION_GO, or an exit code. */
static int load(struct loaded *l, int argc, char **argv)
{
    static const char standard[] = "/etc/plait/plaitd.conf";
    struct loaded line = {0}; /* only to find out which file */
    struct usage usage = usage_of(&line, false);
    int operand;
    int end = options_parse(&usage, argc, argv, &operand);

    if (end != OPTION_GO)
        return end;
    *l = (struct loaded){0};
    const char *path = line.own.config               ? line.own.config
                       : access(standard, F_OK) == 0 ? standard
                                                     : NULL;
    if (path && !load_file(l, path))
        return HOST_FAIL_USAGE;
    usage = usage_of(l, false);
    return options_parse(&usage, argc, argv, &operand);
}

/* ---- running ------------------------------------------------------------- */

struct running {
    int argc;
    char **argv;
    struct loaded now; /* as opened: the stack's names lie in its text */
    char *reread;      /* the text of the last reload */
};

static bool reload(void *ctx, struct plait_options *out)
{
    struct running *r = ctx;
    struct loaded fresh = {0};
    struct host_options unused;

    if (load(&fresh, r->argc, r->argv) != OPTION_GO ||
        net_host_options(&fresh.net, &unused) != HOST_OK) {
        cli_error("the settings stay as they were");
        free(fresh.text);
        return false;
    }
    net_conn_options(&fresh.net, out);
    /* What is named no longer is plait's default again, not what the stack began with. */
    if (!out->scheduler)
        out->scheduler = plait_sched_at(0)->name;
    if (!out->cc)
        out->cc = plait_cc_at(0)->name;
    if (!out->path_manager)
        out->path_manager = plait_pm_at(0)->name;
    free(r->reread); /* who pointed into it is replaced by *out */
    r->reread = fresh.text;
    fprintf(stderr, "settings read; they hold for connections to come\n");
    return true;
}

static int serve(struct running *r)
{
    char folder[CONTROL_PATH_MAX];
    struct service service = {.no_sandbox = r->now.own.no_sandbox, .web = r->now.own.web};
    struct daemon_options *o = &service.daemon;
    int failure = net_host_options(&r->now.net, &o->host);

    if (failure)
        return failure;
    o->folder = service_folder(r->now.own.folder, "plait", folder);
    o->group = r->now.own.group;
    o->everybody = r->now.own.everybody;
    o->reload = reload;
    o->reload_ctx = r;
    net_conn_options(&r->now.net, &o->defaults);
    return service_run(&service);
}

int cmd_daemon(int argc, char **argv)
{
    struct running r = {.argc = argc, .argv = argv};
    int end = load(&r.now, argc, argv);

    if (end == OPTION_GO && r.now.own.web.control && !r.now.own.web.at.port) {
        cli_error("--http-control says what may be done at --http, which is missing");
        end = HOST_FAIL_USAGE;
    }
    if (end == OPTION_GO)
        end = serve(&r);
    free(r.reread);
    free(r.now.text);
    return end;
}
