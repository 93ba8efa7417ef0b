/* SPDX-License-Identifier: MIT
 *
 * plait proxy: programs' TCP connections over several paths to a server that opens
 * them on the other side.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "cli/cli.h"
#include "cli/net.h"
#include "cli/options.h"
#include "cli/service.h"
#include "proxy/client.h"
#include "proxy/server.h"
#include "proxy/ways.h"

#define DRAIN_STANDARD_US 5000000ull
enum { LAN_PORT_STANDARD = 1081 };
enum { PORT_STANDARD = 8803, CONNS_STANDARD = 10000, USERS_FILE_MAX = 1 << 20 };

struct proxy_options {
    const char *folder, *group, *users_file;
    struct option_list users; /* NAME:SECRET */
    struct web_options page;  /* port 0: none */
    bool dry_run, log, everybody, no_sandbox, no_auth, proxy_protocol;
    const char *listen, *to, *server, *login;
    struct option_list socks, http, transparent, wans, lans;
    struct access access;
    uint64_t drain_us; /* 0: the default */
    unsigned conns, user_conns;
    struct net_options net;
};

/* Everything that is open. */
struct proxy {
    struct proxy_options o;
    struct credential program, user;
    struct users *users;
    struct proxy_server_options server_options;
    struct proxy_client_options client_options;
    struct proxy_server *server;
    struct proxy_client *client;
    struct ways ways;
    char locals[2 * WAYS_MAX][ADDR_TEXT_MAX];
    int held; /* of ways_hold; -1: nothing */
    char to_name[256], server_name[256];
};

/* ---- options ----------------------------------------------------------------- */

static bool add_network(void *at, const char *network, bool allow, char *why)
{
    struct proxy_options *o = at;

    snprintf(why, OPTION_WHY_MAX, "write a network as 10.0.0.0/8 or 2001:db8::/32, at most %d",
             ACCESS_MAX);
    return access_add(&o->access, network, allow);
}

static bool set_allow(void *at, char *const *values, char *why)
{
    return add_network(at, values[0], true, why);
}

static bool set_deny(void *at, char *const *values, char *why)
{
    return add_network(at, values[0], false, why);
}

static bool set_page(void *at, char *const *values, char *why)
{
    if (web_address(values[0], at))
        return true;
    snprintf(why, OPTION_WHY_MAX, "write a port, or an address of this host and a port");
    return false;
}

#define AT(field) offsetof(struct proxy_options, field)
static const struct option_row server_rows[] = {
    {'l', "listen", "[ADDR:]PORT", OPTION_TEXT, AT(listen), "where clients come (default 8803)",
     NULL, 0},
    {'u', "user", "NAME:SECRET", OPTION_LIST, AT(users), "who may use it (may be repeated)", NULL,
     0},
    {0, "users", "FILE", OPTION_TEXT, AT(users_file), "the same from a file, NAME:SECRET a line",
     NULL, 0},
    {0, "no-auth", NULL, OPTION_FLAG, AT(no_auth), "everybody may use it: an open proxy", NULL, 0},
    {0, "to", "HOST:PORT", OPTION_TEXT, AT(to),
     "put Multipath TCP in front of this server: every connection\ngoes there, clients need no "
     "proxy",
     NULL, 0},
    {0, "allow", "CIDR", OPTION_CUSTOM, 0,
     "destinations that clients may reach (default: public ones)", set_allow, 0},
    {0, "deny", "CIDR", OPTION_CUSTOM, 0,
     "those they may not; the first network given that holds an\naddress decides", set_deny, 0},
    {0, "proxy-protocol", NULL, OPTION_FLAG, AT(proxy_protocol),
     "tell destinations who the client is: PROXY protocol,\nversion 2", NULL, 0},
    {0, "connections", "N", OPTION_COUNT, AT(conns), "at once (default 10000)", NULL, 0},
    {0, "user-connections", "N", OPTION_COUNT, AT(user_conns),
     "at once, of each user (default: no limit)", NULL, 0},
    {0},
};
static const struct option_row client_rows[] = {
    {'S', "server", "HOST[:PORT]", OPTION_TEXT, AT(server),
     "the proxy server (default port 8803); without one,\nconnections go to destinations "
     "themselves",
     NULL, 0},
    {'u', "user", "NAME:SECRET", OPTION_LIST, AT(users), "as the server knows us", NULL, 0},
    {0, "users", "FILE", OPTION_TEXT, AT(users_file), "the same from the first line of a file",
     NULL, 0},
    {0, "socks", "[ADDR:]PORT", OPTION_LIST, AT(socks),
     "take SOCKS 5 there (may be repeated; default 127.0.0.1:1080\nif nothing else is asked for)",
     NULL, 0},
    {0, "http", "[ADDR:]PORT", OPTION_LIST, AT(http), "take HTTP CONNECT there (may be repeated)",
     NULL, 0},
    {0, "transparent", "[ADDR:]PORT", OPTION_LIST, AT(transparent),
     "take connections that nftables redirects there, with\nredirect or tproxy (may be repeated)",
     NULL, 0},
    {0, "wan", "IF", OPTION_LIST, AT(wans),
     "use this interface's addresses, and set up rules and routes\nso that each is left by its own "
     "link (may be repeated)",
     NULL, 0},
    {0, "lan", "IF", OPTION_LIST, AT(lans),
     "redirect TCP connections that come in there (may be repeated)", NULL, 0},
    {0, "dry-run", NULL, OPTION_FLAG, AT(dry_run), "print what --wan and --lan would do, and end",
     NULL, 0},
    {0, "login", "NAME:SECRET", OPTION_TEXT, AT(login),
     "what programs have to give (default: nothing)", NULL, 0},
    {0, "connections", "N", OPTION_COUNT, AT(conns), "at once (default 10000)", NULL, 0},
    {0},
};
static const struct option_row service_rows[] = {
    {0, "log", NULL, OPTION_FLAG, AT(log), "a line about each connection on standard error", NULL,
     0},
    {0, "drain", "TIME", OPTION_DURATION, AT(drain_us),
     "on SIGTERM, take nothing new and let connections end for\nso long (default 5s); a second one "
     "ends at once",
     NULL, 0},
    {0, "folder", "PATH", OPTION_TEXT, AT(folder),
     "of the socket that plait status comes to (default:\n$PLAIT_FOLDER, else plait-proxy-client "
     "or "
     "plait-proxy-server in\n/run for root, in $XDG_RUNTIME_DIR for others)",
     NULL, 0},
    {0, "group", "NAME", OPTION_TEXT, AT(group),
     "members of this group may look at it (default: its user\nalone)", NULL, 0},
    {0, "everybody", NULL, OPTION_FLAG, AT(everybody), "every local user may look at it", NULL, 0},
    {0, "page", "[ADDR:]PORT", OPTION_CUSTOM, AT(page.at),
     "the live page and /metrics there, of 127.0.0.1 unless it is\nnamed otherwise", set_page, 0},
    {0, "page-control", NULL, OPTION_FLAG, AT(page.control),
     "the page's buttons may change connections", NULL, 0},
    {0, "no-sandbox", NULL, OPTION_FLAG, AT(no_sandbox),
     "keep all capabilities and system calls: to look for faults", NULL, 0},
    {0},
};

static const char server_about[] =
    "Takes connections of plait proxy client, and of every client of the Convert Protocol\n"
    "(RFC 8803), over Multipath TCP or TCP, and opens what they ask for as TCP connections of\n"
    "this host's kernel. Only public addresses can be reached, unless --allow says otherwise.\n";
static const char server_closing[] =
    "Examples:\n"
    "  plait proxy server --users /etc/plait/users\n"
    "  plait proxy server --listen 443 --user home:SECRET --allow 10.1.0.0/16\n"
    "  plait proxy server --listen 80 --to 127.0.0.1:8080 --proxy-protocol\n";
static const char client_about[] =
    "Takes TCP connections of programs, by SOCKS 5, HTTP CONNECT or redirected, and carries each\n"
    "over all of this host's paths to plait proxy server. Names are resolved at the far end.\n";
static const char client_closing[] =
    "Examples:\n"
    "  plait proxy client --server vps.example.org --user home:SECRET\n"
    "  plait proxy client --server 192.0.2.1:443 --users /etc/plait/user --http 3128\n"
    "  curl --socks5-hostname 127.0.0.1:1080 http://example.org/\n";

static struct usage usage_of(struct proxy_options *o, bool server)
{
    struct usage u = {.synopsis = server ? "proxy server [OPTIONS]" : "proxy client [OPTIONS]",
                      .about = server ? server_about : client_about,
                      .closing = server ? server_closing : client_closing};

    u.groups[0] = (struct option_group){"Proxy", server ? server_rows : client_rows, o};
    u.groups[1] = (struct option_group){"Service", service_rows, o};
    u.groups[2] = (struct option_group){"Network", net_rows, &o->net};
    if (server)
        u.groups[3] = (struct option_group){"Servers", net_server_rows, &o->net};
    return u;
}

/* ---- what options mean --------------------------------------------------------- */

/* "PORT", "ADDR:PORT" or "[ADDR]:PORT". */
static bool endpoint_of(const char *text, const char *standard, struct plait_endpoint *out)
{
    *out = (struct plait_endpoint){0};
    if (standard)
        addr_parse(standard, &out->addr);
    if (strspn(text, "0123456789") == strlen(text))
        return net_port(text, &out->port);
    if (endpoint_parse(text, out) && out->port)
        return true;
    cli_error("'%s' is no address with a port: write 127.0.0.1:1080 or [::1]:1080", text);
    return false;
}

/* "HOST:PORT", "[V6]:PORT", and where a port is known, HOST alone. */
static bool host_port(const char *text, uint16_t standard, char name[256], uint16_t *port)
{
    const char *close = text[0] == '[' ? strchr(text, ']') : NULL;
    const char *colon = close ? (close[1] == ':' ? close + 1 : NULL) : strrchr(text, ':');
    struct plait_addr addr;

    *port = standard;
    if (!close && addr_parse(text, &addr)) /* an IPv6 address has colons of its own */
        colon = NULL;
    if ((close && close[1] && !colon) || (!colon && !standard)) {
        cli_error("'%s' has no port: write HOST:PORT", text);
        return false;
    }
    const char *end = close ? close : colon ? colon : text + strlen(text);
    size_t skip = close ? 1 : 0, len = (size_t)(end - text) - skip;
    if (len == 0 || len > 255) {
        cli_error("'%s' names no host", text);
        return false;
    }
    memcpy(name, text + skip, len);
    name[len] = 0;
    return !colon || net_port(colon + 1, port);
}

static bool parse_user(const char *text, struct credential *out)
{
    if (credential_parse(text, out))
        return true;
    cli_error("'%.*s' is no user: write NAME:SECRET, a name of at most %d characters",
              (int)strcspn(text, ":"), text, USERS_NAME_MAX);
    return false;
}

typedef bool add_user(struct proxy *p, const struct credential *c);

static bool add_to_users(struct proxy *p, const struct credential *c)
{
    if (users_add(p->users, c))
        return true;
    cli_error("user '%s' is there twice, or there are more than %d", c->name, USERS_MAX);
    return false;
}

static bool take_first(struct proxy *p, const struct credential *c)
{
    if (!p->user.name[0])
        p->user = *c;
    return true;
}

static bool read_users(struct proxy *p, const char *path, add_user *add)
{
    char line[USERS_NAME_MAX + USERS_SECRET_MAX + 8];
    FILE *file = fopen(path, "re");
    struct credential c;
    bool good = file != NULL;

    if (!file)
        cli_error("cannot read the users file '%s': %s", path, strerror(errno));
    while (good && fgets(line, sizeof line, file)) {
        bool whole = strchr(line, '\n') || feof(file);
        line[strcspn(line, "\r\n")] = 0;
        if (line[0] == 0 || line[0] == '#')
            continue;
        if (!whole)
            cli_error("a line of '%s' is too long", path);
        good = whole && parse_user(line, &c) && add(p, &c);
    }
    if (file)
        fclose(file);
    explicit_bzero(line, sizeof line);
    explicit_bzero(&c, sizeof c);
    return good;
}

static bool take_users(struct proxy *p, add_user *add)
{
    struct credential c;

    for (unsigned i = 0; i < p->o.users.count; i++)
        if (!parse_user(p->o.users.items[i], &c) || !add(p, &c))
            return false;
    return !p->o.users_file || read_users(p, p->o.users_file, add);
}

/* ---- server ---------------------------------------------------------------------- */

static bool server_users(struct proxy *p)
{
    const struct proxy_options *o = &p->o;
    bool given = o->users.count || o->users_file;

    if (given == (o->no_auth || o->to)) {
        cli_error(
            given
                ? "users and %s exclude each other"
                : "who may use it? --user NAME:SECRET, --users FILE, or --no-auth for everybody%s",
            given ? o->to ? "--to" : "--no-auth" : "");
        return false;
    }
    if (!given)
        return true;
    p->users = users_new();
    if (!p->users) {
        cli_error("out of memory");
        return false;
    }
    if (!take_users(p, add_to_users))
        return false;
    if (users_count(p->users) == 0)
        cli_error("there is no user in '%s'", o->users_file);
    return users_count(p->users) > 0;
}

static bool server_settings(struct proxy *p)
{
    struct proxy_server_options *s = &p->server_options;
    const struct proxy_options *o = &p->o;

    *s = (struct proxy_server_options){.access = o->access,
                                       .conns_max = o->conns ? o->conns : CONNS_STANDARD,
                                       .user_conns_max = o->user_conns,
                                       .proxy_protocol = o->proxy_protocol,
                                       .verbose = o->log};
    s->listen.port = PORT_STANDARD;
    if (o->listen && !endpoint_of(o->listen, NULL, &s->listen))
        return false;
    if (o->to) {
        if (!host_port(o->to, 0, p->to_name, &s->to_port))
            return false;
        s->to_name = p->to_name;
    }
    if (!server_users(p))
        return false;
    s->users = p->users;
    return true;
}

static int open_server(void *ctx, struct daemon *d, struct host_error *err)
{
    struct proxy *p = ctx;

    return proxy_server_open(d, &p->server_options, &p->server, err);
}

/* ---- client ------------------------------------------------------------------------ */

static bool add_fronts(struct proxy_client_options *c, enum front_kind kind,
                       const struct option_list *list)
{
    for (unsigned i = 0; i < list->count; i++) {
        struct proxy_front *f = &c->fronts[c->front_count];
        if (c->front_count == PROXY_FRONTS_MAX) {
            cli_error("it listens at %d places at most", PROXY_FRONTS_MAX);
            return false;
        }
        f->kind = kind;
        if (!endpoint_of(list->items[i], kind == FRONT_TRANSPARENT ? "0.0.0.0" : "127.0.0.1",
                         &f->at))
            return false;
        c->front_count++;
    }
    return true;
}

/* Both families: what is redirected comes to the LAN's own address. */
static bool add_lan_fronts(struct proxy *p)
{
    struct proxy_client_options *c = &p->client_options;
    struct plait_endpoint at[2] = {{.port = LAN_PORT_STANDARD}, {.port = LAN_PORT_STANDARD}};

    p->ways.port =
        p->o.transparent.count ? c->fronts[c->front_count - 1].at.port : LAN_PORT_STANDARD;
    if (p->o.lans.count == 0 || p->o.transparent.count)
        return true;
    addr_parse("0.0.0.0", &at[0].addr);
    addr_parse("::", &at[1].addr);
    for (unsigned i = 0; i < 2 && c->front_count < PROXY_FRONTS_MAX; i++)
        c->fronts[c->front_count++] = (struct proxy_front){FRONT_TRANSPARENT, at[i]};
    return true;
}

/* --wan and --lan: what is there, and which addresses are used. HOST_OK, or a failure
 * that was said. */
static int find_ways(struct proxy *p)
{
    struct proxy_options *o = &p->o;
    struct host_error err;
    int failure = HOST_OK;

    for (unsigned i = 0; i < o->wans.count && !failure; i++)
        failure = ways_add_wan(&p->ways, o->wans.items[i], &err);
    for (unsigned i = 0; i < o->lans.count && !failure; i++)
        failure = ways_add_lan(&p->ways, o->lans.items[i], &err);
    if (failure) {
        cli_error("%s", err.text);
        return failure;
    }
    for (unsigned i = 0; i < p->ways.wan_count && o->net.locals.count < OPTION_LIST_MAX; i++)
        o->net.locals.items[o->net.locals.count++] =
            addr_format(&p->ways.wans[i].addr, p->locals[i]);
    return HOST_OK;
}

static bool client_settings(struct proxy *p)
{
    struct proxy_client_options *c = &p->client_options;
    static const struct option_list standard = {{"1080"}, 1};
    const struct proxy_options *o = &p->o;

    *c = (struct proxy_client_options){.family = net_family(&o->net),
                                       .conns_max = o->conns ? o->conns : CONNS_STANDARD,
                                       .fastopen = true,
                                       .verbose = o->log};
    if (o->server) {
        if (!host_port(o->server, PORT_STANDARD, p->server_name, &c->server_port))
            return false;
        c->server = p->server_name;
    }
    if (!take_users(p, take_first))
        return false;
    if (p->user.name[0] && !o->server) {
        cli_error("a user is told to a proxy server: there is no --server");
        return false;
    }
    c->user = p->user.name[0] ? &p->user : NULL;
    if (o->login) {
        if (!parse_user(o->login, &p->program))
            return false;
        c->program = &p->program;
    }
    bool any = o->socks.count || o->http.count || o->transparent.count || o->lans.count;
    return add_fronts(c, FRONT_SOCKS, any ? &o->socks : &standard) &&
           add_fronts(c, FRONT_HTTP, &o->http) &&
           add_fronts(c, FRONT_TRANSPARENT, &o->transparent) && add_lan_fronts(p);
}

static int open_client(void *ctx, struct daemon *d, struct host_error *err)
{
    struct proxy *p = ctx;

    if ((p->ways.wan_count || p->ways.lan_count) && (p->held = ways_hold(&p->ways, err)) < 0)
        return (int)err->failure;
    return proxy_client_open(d, &p->client_options, &p->client, err);
}

/* ---- both ---------------------------------------------------------------------------- */

static void close_proxy(void *ctx)
{
    struct proxy *p = ctx;

    uint64_t drain_us = p->o.drain_us ? p->o.drain_us : DRAIN_STANDARD_US;

    if (p->server)
        proxy_server_drain(p->server, drain_us);
    if (p->client)
        proxy_client_drain(p->client, drain_us);
    proxy_server_close(p->server);
    proxy_client_close(p->client);
    ways_release(p->held);
}

static int serve(struct proxy *p, bool server)
{
    char folder[CONTROL_PATH_MAX];
    struct service s = {.no_sandbox = p->o.no_sandbox,
                        .ctx = p,
                        .open = server ? open_server : open_client,
                        .close = close_proxy};
    int failure = net_host_options(&p->o.net, &s.daemon.host);

    if (failure)
        return failure;
    s.daemon.folder =
        service_folder(p->o.folder, server ? "plait-proxy-server" : "plait-proxy-client", folder);
    s.web = p->o.page;
    s.daemon.group = p->o.group;
    s.daemon.everybody = p->o.everybody;
    s.daemon.no_programs = true;
    s.daemon.host.engine.fastopen = true;
    net_conn_options(&p->o.net, &s.daemon.defaults);
    return service_run(&s);
}

static void print_ways(const struct proxy *p)
{
    printf("# at the beginning\n");
    ways_print_up(&p->ways, stdout);
    printf("\n# at the end\n");
    ways_print_down(&p->ways, stdout);
}

static int run(int argc, char **argv, bool server)
{
    struct proxy *p = calloc(1, sizeof *p);
    int operand, end = HOST_FAIL_OTHER;

    if (!p) {
        cli_error("out of memory");
        return end;
    }
    p->held = -1;
    const struct usage usage = usage_of(&p->o, server);
    end = options_parse(&usage, argc, argv, &operand);
    if (end == OPTION_GO) {
        end = (server ? server_settings(p) : client_settings(p)) ? find_ways(p) : HOST_FAIL_USAGE;
        if (!end && p->o.dry_run)
            print_ways(p);
        else if (!end)
            end = serve(p, server);
    }
    users_free(p->users);
    explicit_bzero(p, sizeof *p);
    free(p);
    return end;
}

int cmd_proxy(int argc, char **argv)
{
    const char *which = argc > 1 ? argv[1] : "";

    if (strcmp(which, "server") == 0 || strcmp(which, "client") == 0)
        return run(argc - 1, argv + 1, which[0] == 's');
    if (strcmp(which, "--help") == 0 || strcmp(which, "-h") == 0) {
        printf(
            "usage: plait proxy client [OPTIONS]\n       plait proxy server [OPTIONS]\n\n%s\n%s\n"
            "plait proxy client --help and plait proxy server --help say more.\n",
            client_about, server_about);
        return HOST_OK;
    }
    cli_error("client or server? plait proxy --help says more");
    return HOST_FAIL_USAGE;
}
