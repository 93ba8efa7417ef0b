/* SPDX-License-Identifier: MIT
 *
 * plait top: a live view of what plaitd carries.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/ask.h"
#include "cli/cli.h"
#include "cli/top.h"
#include "cli/units.h"

static const char about[] =
    "Shows what plaitd carries, again every second: connections and their subflows, rates,\n"
    "round-trip times, what was sent again over other paths, and events with their reasons.\n"
    "Keys are shown at the bottom, h explains them. Where standard output is no terminal, it\n"
    "prints the same as text.\n";

enum { COLUMNS_BATCH = 110 };

struct top_options {
    struct ask_options ask;
    uint64_t interval_us;
    enum top_sort sort;
    const char *filter;
    bool batch, once, reverse;
};

static bool set_sort(void *at, char *const *values, char *why)
{
    if (top_sort_find(values[0], at))
        return true;
    snprintf(why, OPTION_WHY_MAX, "there is: rate, bytes, rtt, age or name");
    return false;
}

static bool set_interval(void *at, char *const *values, char *why)
{
    uint64_t us;

    if (parse_seconds(values[0], &us) && us >= 100000 && us <= 3600000000u) {
        *(uint64_t *)at = us;
        return true;
    }
    snprintf(why, OPTION_WHY_MAX, "it is a time from 100ms to 1h");
    return false;
}

#define AT(field) offsetof(struct top_options, field)
static const struct option_row rows[] = {
    {'i', "interval", "TIME", OPTION_CUSTOM, AT(interval_us), "between looks (default 1s)",
     set_interval, 0},
    {'s', "sort", "NAME", OPTION_CUSTOM, AT(sort),
     "rate, bytes, rtt, age or name; the largest first, names\nby the alphabet (default rate)",
     set_sort, 0},
    {'r', "reverse", NULL, OPTION_FLAG, AT(reverse), "the other way round", NULL, 0},
    {'f', "filter", "TEXT", OPTION_TEXT, AT(filter),
     "only connections whose program, addresses or names contain it", NULL, 0},
    {'b', "batch", NULL, OPTION_FLAG, AT(batch), "text, one look after the other", NULL, 0},
    {'1', "once", NULL, OPTION_FLAG, AT(once), "the same, one look", NULL, 0},
    {0},
};
static const struct option_row folder_rows[] = {
    {0, "folder", "PATH", OPTION_TEXT, AT(ask.folder),
     "of the daemon's sockets (default: $PLAIT_FOLDER, then\n$XDG_RUNTIME_DIR/plait, then "
     "/run/plait)",
     NULL, 0},
    {0},
};

struct running {
    const struct top_options *o;
    struct top top;
    struct control *control;
    struct screen *screen; /* NULL: text */
    unsigned looks;
    bool asked, gone;
    uint64_t next_us; /* when to look again */
    sigset_t calm;    /* the signals of before: they come while it waits, and only then */
};

/* ---- what the daemon says -------------------------------------------------- */

static bool look(struct running *r)
{
    r->asked = true;
    r->next_us = cli_now_us() + r->o->interval_us;
    return control_send(r->control, json_pack("{s:s}", "do", "status"));
}

static void print_line(void *ctx, enum top_kind kind, const char *line)
{
    FILE *out = ctx;
    (void)kind;

    fprintf(out, "%s\n", line);
}

static void print_look(struct running *r)
{
    /* The first look has nothing to compare with. */
    if (r->looks < 2)
        return;
    if (r->looks > 2)
        putchar('\n');
    top_head(&r->top, COLUMNS_BATCH, print_line, stdout);
    top_conns(&r->top, COLUMNS_BATCH, print_line, stdout);
    fflush(stdout);
}

/* Take what has come. */
static void listen_to(struct running *r)
{
    json_t *line;

    while ((line = control_poll(r->control, &r->gone))) {
        if (r->top.paused && json_object_get(line, "event")) {
            json_decref(line);
        } else if (json_object_get(line, "event")) {
            top_event(&r->top, line);
        } else if (json_object_get(line, "daemon")) {
            r->asked = false;
            r->looks++;
            if (r->top.paused)
                json_decref(line);
            else
                top_take(&r->top, line);
            if (!r->screen)
                print_look(r);
        } else {
            json_decref(line); /* events will come */
        }
    }
}

/* ---- the loop -------------------------------------------------------------- */

static int wait_for_more(struct running *r)
{
    struct pollfd fds[] = {{.fd = control_fd(r->control), .events = POLLIN},
                           {.fd = STDIN_FILENO, .events = POLLIN}};
    uint64_t now = cli_now_us();
    uint64_t us = r->asked ? r->o->interval_us : r->next_us > now ? r->next_us - now : 0;
    const struct timespec t = {(time_t)(us / 1000000), (long)(us % 1000000) * 1000};

    int n = ppoll(fds, r->screen ? 2 : 1, &t, &r->calm);
    if (n > 0 && r->screen && fds[1].revents & (POLLHUP | POLLERR))
        return -1; /* the terminal is gone */
    return n;
}

static bool over(const struct running *r)
{
    return r->gone || cli_interrupted() || (r->o->once && r->looks >= 2);
}

static int run(struct running *r)
{
    bool on = control_send(r->control, json_pack("{s:s}", "do", "events")) && look(r);

    while (on && !over(r)) {
        if (r->screen)
            screen_draw(r->screen, &r->top);
        if (wait_for_more(r) < 0 && errno != EINTR)
            break;
        listen_to(r);
        if (r->screen && !screen_keys(r->screen, &r->top))
            break;
        if (!r->asked && cli_now_us() >= r->next_us)
            on = look(r);
    }
    r->gone = r->gone || !on;
    return r->gone ? HOST_FAIL_TRANSFER : cli_interrupted() ? CLI_INTERRUPTED : HOST_OK;
}

/* SIGINT, SIGTERM and SIGHUP end it, SIGWINCH interrupts it, all while it waits. */
static void take_signals(struct running *r)
{
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGWINCH};
    struct sigaction as_int;
    sigset_t set;

    cli_catch_signals();
    sigaction(SIGINT, NULL, &as_int);
    sigaction(SIGHUP, &as_int, NULL);
    sigemptyset(&set);
    for (unsigned i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        sigaddset(&set, numbers[i]);
    sigprocmask(SIG_BLOCK, &set, &r->calm);
}

static int top(const struct top_options *o, struct control *control)
{
    struct running r = {.o = o,
                        .control = control,
                        .top = {.sort = o->sort, .reverse = o->reverse}};
    bool text = o->batch || o->once || !isatty(STDOUT_FILENO) || !isatty(STDIN_FILENO);

    snprintf(r.top.filter, sizeof r.top.filter, "%s", o->filter ? o->filter : "");
    if (!text) {
        r.screen = screen_open();
        if (!r.screen) {
            cli_error("this terminal (TERM=%s) cannot be drawn on: try --batch",
                      getenv("TERM") ? getenv("TERM") : "");
            return HOST_FAIL_USAGE;
        }
    }
    take_signals(&r);
    int failure = run(&r);
    screen_close(r.screen);
    top_free(&r.top);
    if (r.gone)
        cli_error("the daemon went away");
    return failure;
}

int cmd_top(int argc, char **argv)
{
    struct top_options o = {.interval_us = 1000000};
    const struct usage usage = {.synopsis = "top [OPTIONS]",
                                .about = about,
                                .closing = "Examples:\n  plait top\n  plait top --sort rtt\n"
                                           "  plait top --once --filter curl\n\n" CLI_EXIT_CODES,
                                .groups = {{"Options", rows, &o}, {"Daemon", folder_rows, &o}}};
    int failure, operand, end = options_parse(&usage, argc, argv, &operand);

    if (end != OPTION_GO)
        return end;
    struct control *c = ask_open(&o.ask, &failure);
    if (!c)
        return failure;
    failure = top(&o, c);
    control_close(c);
    return failure;
}
