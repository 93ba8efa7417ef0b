/* SPDX-License-Identifier: MIT
 *
 * plait run: a command whose connections plait carries.
 */
#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/addr.h"
#include "cli/cli.h"
#include "cli/run.h"
#include "control/control.h"
#include "shim/protocol.h"
#include "shim/rules.h"

#define LIBRARY "libplait-preload.so"

struct run_options {
    const char *folder;
    bool explain;
    char rules[RULES_TEXT_MAX]; /* as rules.h has them */
};

struct running {
    struct run_options own;
    struct net_options net;
    struct run_folder folder;
    char library[PATH_MAX], command[PATH_MAX];
    char socket[CONTROL_PATH_MAX + 16], explain[CONTROL_PATH_MAX + 16];
    pid_t daemon;
    int explain_fd;
};

/* ---- options ----------------------------------------------------------------------- */

static bool add_rule(struct run_options *o, const char *prefix, const char *text, char *why)
{
    struct rules rules;
    size_t at = strlen(o->rules);

    snprintf(why, OPTION_WHY_MAX, "write a network, like 10.0.0.0/8 or fd00::/8; at most %d",
             RULES_MAX);
    int n = snprintf(o->rules + at, sizeof o->rules - at, "%s%s%s", at ? "," : "", prefix, text);
    return n > 0 && (size_t)n < sizeof o->rules - at && !strchr(text, ',') &&
           rules_parse(o->rules, &rules);
}

static bool set_direct(void *at, char *const *values, char *why)
{
    return add_rule(at, "-", values[0], why);
}

static bool set_carry(void *at, char *const *values, char *why)
{
    return add_rule(at, "+", values[0], why);
}

static bool set_only(void *at, char *const *values, char *why)
{
    if (strcmp(values[0], "connect") == 0)
        return add_rule(at, "-", "L", why);
    if (strcmp(values[0], "listen") == 0)
        return add_rule(at, "-", "C", why);
    snprintf(why, OPTION_WHY_MAX, "write connect or listen");
    return false;
}

#define AT(field) offsetof(struct run_options, field)
static const struct option_row rows[] = {
    {0, "direct", "NETWORK", OPTION_CUSTOM, 0,
     "leave connections to these addresses to the kernel (may be\nrepeated; of --direct and "
     "--carry the first that fits decides)",
     set_direct, 0},
    {0, "carry", "NETWORK", OPTION_CUSTOM, 0,
     "carry connections to these addresses, which would be direct:\nloopback, link-local and "
     "private ones are",
     set_carry, 0},
    {0, "only", "WHAT", OPTION_CUSTOM, 0,
     "connect: leave listeners to the kernel; listen: leave\nconnections of its own to the kernel",
     set_only, 0},
    {0, "explain", NULL, OPTION_FLAG, AT(explain),
     "say on standard error of each connection and listener what was\ndecided, and why", NULL, 0},
    {0, "folder", "PATH", OPTION_TEXT, AT(folder), "use the plaitd with its sockets there", NULL,
     0},
    {0},
};

static const char about[] =
    "Runs COMMAND, and what it starts, with its TCP connections carried by plait: over Multipath\n"
    "TCP where the peer speaks it. They go to the plaitd that runs; where none does, or with\n"
    "network options, to one of the command's own that ends with it. Ends as COMMAND does.\n";

static const char closing[] =
    "Examples:\n"
    "  plait run -- curl -O https://example.org/large\n"
    "  plait run --carry 10.0.0.0/8 --scheduler redundant -- ssh 10.2.3.4\n"
    "  plait run --explain -- nginx -g 'daemon off;'\n"
    "\n"
    "Exit codes: those of COMMAND, 128 and the signal's number where one ended it;\n"
    "  126  COMMAND cannot be run, or is static or setuid, which plait cannot get into\n"
    "  127  COMMAND is not there\n"
    "and where it did not come to that, as for other commands:\n" CLI_EXIT_CODES;

/* ---- the environment --------------------------------------------------------------- */

/* Beside the program, as it is built, or where it is installed. */
static bool find_library(char *path)
{
    static const char *const places[] = {"", "../lib/" PLAIT_LIBDIR_NAME "/plait/",
                                         "../lib/plait/"};
    ssize_t n = readlink("/proc/self/exe", path, PATH_MAX - 1);
    char *slash = n > 0 ? (path[n] = 0, strrchr(path, '/')) : NULL;

    for (size_t i = 0; slash && i < sizeof places / sizeof places[0]; i++) {
        size_t room = PATH_MAX - (size_t)(slash + 1 - path);
        if (snprintf(slash + 1, room, "%s%s", places[i], LIBRARY) < (int)room &&
            access(path, R_OK) == 0)
            return true;
    }
    cli_error("%s is not beside this program, nor in its library folder: install plait whole",
              LIBRARY);
    return false;
}

static bool set_environment(const struct running *r)
{
    const char *before = getenv("LD_PRELOAD");
    char preload[2 * PATH_MAX];

    int n = snprintf(preload, sizeof preload, "%s%s%s", r->library, before && *before ? ":" : "",
                     before ? before : "");
    return n < (int)sizeof preload && setenv("LD_PRELOAD", preload, 1) == 0 &&
           setenv(SHIM_ENV_SOCKET, r->socket, 1) == 0 &&
           setenv(SHIM_ENV_RULES, r->own.rules, 1) == 0 &&
           (r->explain_fd < 0 ? unsetenv(SHIM_ENV_EXPLAIN)
                              : setenv(SHIM_ENV_EXPLAIN, r->explain, 1)) == 0;
}

/* In the process that becomes the command. */
static int become(const struct running *r, char **argv)
{
    sigset_t none;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    if (set_environment(r))
        execv(r->command, argv);
    cli_error("'%s' cannot be run: %s", r->command, strerror(errno));
    return RUN_CANNOT;
}

/* ---- explaining -------------------------------------------------------------------- */

static bool open_explain(struct running *r)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};

    snprintf(r->explain, sizeof r->explain, "%s/explain", r->folder.path);
    snprintf(at.sun_path, sizeof at.sun_path, "%.100s", r->explain);
    r->explain_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (r->explain_fd < 0 || bind(r->explain_fd, (struct sockaddr *)&at, sizeof at) != 0 ||
        chmod(at.sun_path, 0622) != 0) {
        cli_error("cannot make '%s': %s", at.sun_path, strerror(errno));
        return false;
    }
    return true;
}

static bool endpoint_of(const struct shim_note *n, struct plait_endpoint *out)
{
    struct sockaddr_in four;
    struct sockaddr_in6 six;

    memcpy(&four, n->addr, sizeof four);
    memcpy(&six, n->addr, sizeof six < sizeof n->addr ? sizeof six : sizeof n->addr);
    *out = (struct plait_endpoint){.port = ntohs(four.sin_port)};
    out->addr.family = four.sin_family == AF_INET ? PLAIT_IPV4 : PLAIT_IPV6;
    if (four.sin_family == AF_INET)
        memcpy(out->addr.bytes, &four.sin_addr, 4);
    else
        memcpy(out->addr.bytes, &six.sin6_addr, 16);
    return four.sin_family == AF_INET || four.sin_family == AF_INET6;
}

static void say_notes(struct running *r)
{
    struct shim_note n;
    struct plait_endpoint e;
    char text[ENDPOINT_TEXT_MAX];

    while (recv(r->explain_fd, &n, sizeof n, 0) == sizeof n) {
        if (n.version != SHIM_VERSION || !endpoint_of(&n, &e))
            continue;
        fprintf(stderr, "plait run: %.15s[%d] %s %s: %s, because %.63s\n", n.program, (int)n.pid,
                n.op == SHIM_LISTEN ? "listens at" : "connects to", endpoint_format(&e, text),
                n.carried ? "over plait" : "direct", n.why);
    }
}

/* ---- the command ------------------------------------------------------------------- */

/* Signals that came for us, a command's end among them: its exit code, or -1. */
static int take_signals(int signals, pid_t command)
{
    struct signalfd_siginfo info;
    int status, code = -1;

    while (read(signals, &info, sizeof info) == sizeof info) {
        if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGHUP)
            kill(command, (int)info.ssi_signo);
        if (info.ssi_signo != SIGCHLD || waitpid(command, &status, WNOHANG) != command)
            continue;
        code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    }
    return code;
}

/* The command as a child: until it ends. */
static int attend(struct running *r, char **argv)
{
    sigset_t set;
    int code = -1;

    sigemptyset(&set);
    for (size_t i = 0; i < 5; i++)
        sigaddset(&set, ((const int[]){SIGCHLD, SIGTERM, SIGHUP, SIGINT, SIGQUIT})[i]);
    sigprocmask(SIG_BLOCK, &set, NULL);
    int signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    pid_t command = signals < 0 ? -1 : fork();
    if (command == 0)
        _exit(become(r, argv));
    if (command < 0) {
        cli_error("a process for the command: %s", strerror(errno));
        return HOST_FAIL_OTHER;
    }
    while (code < 0) {
        struct pollfd p[2] = {{.fd = signals, .events = POLLIN},
                              {.fd = r->explain_fd, .events = POLLIN}};
        poll(p, r->explain_fd < 0 ? 1 : 2, -1);
        if (r->explain_fd >= 0)
            say_notes(r);
        code = take_signals(signals, command);
    }
    close(signals);
    return code;
}

/* Is there a plaitd that takes us? */
static bool find_daemon(struct running *r)
{
    char folder[CONTROL_PATH_MAX];
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    snprintf(r->socket, sizeof r->socket, "%s/programs", control_folder(r->own.folder, folder));
    snprintf(at.sun_path, sizeof at.sun_path, "%.107s", r->socket);
    bool found = fd >= 0 && connect(fd, (struct sockaddr *)&at, sizeof at) == 0;
    if (fd >= 0)
        close(fd);
    return found;
}

/* HOST_OK: r->socket is a daemon's. */
static int provide_daemon(struct running *r)
{
    static const struct net_options nothing_said;
    bool own = memcmp(&r->net, &nothing_said, sizeof nothing_said) != 0;

    if (r->own.folder && own) {
        cli_error("the plaitd of --folder has its network options already: leave --folder or "
                  "them away");
        return HOST_FAIL_USAGE;
    }
    if (!own && find_daemon(r))
        return HOST_OK;
    if (r->own.folder) {
        cli_error("no plaitd answers in '%s': start one, or leave --folder away", r->own.folder);
        return HOST_FAIL_UNREACHABLE;
    }
    if (!run_folder_make(&r->folder))
        return HOST_FAIL_FILE;
    snprintf(r->socket, sizeof r->socket, "%s/programs", r->folder.path);
    return run_daemon(&r->net, &r->folder, &r->daemon);
}

static int run(struct running *r, char **argv)
{
    int failure = run_find(argv[0], r->command);

    if (!failure && !find_library(r->library))
        failure = HOST_FAIL_FILE;
    if (!failure)
        failure = provide_daemon(r);
    if (!failure && r->own.explain &&
        ((!r->folder.outer[0] && !run_folder_make(&r->folder)) || !open_explain(r)))
        failure = HOST_FAIL_FILE;
    if (!failure && !r->folder.outer[0]) /* nothing is left to do afterwards */
        return become(r, argv);
    if (!failure)
        failure = attend(r, argv);
    run_daemon_end(r->daemon);
    run_folder_remove(&r->folder);
    return failure;
}

int cmd_run(int argc, char **argv)
{
    static struct running r = {.explain_fd = -1};
    struct usage usage = {.synopsis = "run [OPTIONS] -- COMMAND [ARGUMENTS]",
                          .about = about,
                          .closing = closing,
                          .operands_min = 1,
                          .operands_max = -1,
                          .command = true};
    int operand;

    usage.groups[0] = (struct option_group){"Options", rows, &r.own};
    usage.groups[1] = (struct option_group){"Network", net_rows, &r.net};
    usage.groups[2] = (struct option_group){"Servers", net_server_rows, &r.net};
    int end = options_parse(&usage, argc, argv, &operand);
    return end == OPTION_GO ? run(&r, argv + operand) : end;
}
