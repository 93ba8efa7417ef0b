/* SPDX-License-Identifier: MIT
 *
 * Talking to a running wire: lines on standard input, on a socket, and lines
 * given beforehand with their time. Each line gets a line back: JSON for
 * `stats`, else "ok" or "error: " and a sentence.
 */
#define _GNU_SOURCE
#include "cli/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/options.h"
#include "cli/report.h"
#include "cli/units.h"

enum { CLIENTS_MAX = WIRE_CONTROL_FDS - 1, LINE_BYTES_MAX = 512, PLANS_MAX = 64 };

/* ---- commands ------------------------------------------------------------- */

static json_t *way_json(const struct wire_way *way)
{
    const struct link *l = &way->link;
    const struct link_stats *s = &l->stats;
    char spec[SPEC_TEXT_MAX];
    const struct report_number numbers[] = {
        {"offered", s->offered},
        {"offered_bytes", s->offered_bytes},
        {"delivered", s->delivered},
        {"delivered_bytes", s->delivered_bytes},
        {"dropped_queue", s->dropped_queue},
        {"dropped_loss", s->dropped_loss},
        {"dropped_down", s->dropped_down},
        {"corrupted", s->corrupted},
        {"duplicated", s->duplicated},
        {"reordered", s->reordered},
        {"queued_bytes", l->queued_bytes},
        {"queue_peak_bytes", s->queue_peak_bytes},
        {"malformed", way->from->malformed + way->from->too_long},
        {"not_sent", way->to->lost_out},
        {"late_mean_us", way->sent ? way->late_sum_us / way->sent : 0},
        {"late_max_us", way->late_max_us},
    };
    json_t *o = json_pack("{s:s s:s s:s s:b}", "from", way->from->name, "to", way->to->name, "link",
                          link_spec_format(&l->config, spec), "up", l->up);

    report_numbers(o, numbers, sizeof numbers / sizeof numbers[0]);
    return o;
}

static char *stats(const struct wire *w, uint64_t now_us)
{
    json_t *pairs = json_array();

    for (unsigned i = 0; i < w->count; i++)
        json_array_append_new(pairs, json_pack("{s:i s:o s:o s:o}", "pair", (int)i + 1, "there",
                                               way_json(&w->pairs[i].way[0]), "back",
                                               way_json(&w->pairs[i].way[1]), "boxes",
                                               wire_boxes_json(&w->pairs[i])));
    json_t *all = json_pack("{s:I s:b s:o}", "time_us", (json_int_t)(now_us - w->start_us),
                            "realtime", w->realtime, "pairs", pairs);
    char *text = json_dumps(all, JSON_COMPACT);
    json_decref(all);
    return text;
}

/* A link's present configuration with some of its keys given anew. */
static bool reconfigure(struct wire_way *way, const char *keys, uint64_t now_us, char *error)
{
    char text[2 * SPEC_TEXT_MAX + 2], present[SPEC_TEXT_MAX];
    struct link_config config;

    snprintf(text, sizeof text, "%s,%s", link_spec_format(&way->link.config, present), keys);
    if (!link_spec_parse(text, &config, error))
        return false;
    link_configure(&way->link, now_us, &config);
    return true;
}

static char *answer_error(const char *sentence)
{
    char *text = NULL;

    return asprintf(&text, "error: %s", sentence) < 0 ? NULL : text;
}

/* "set 1 back rate=5mbit delay=9ms" after its second word; down and up are
 * the same without keys. */
static char *change(struct wire_pair *pair, const char *verb, char *save, uint64_t now_us)
{
    char *word = strtok_r(NULL, " \t", &save);
    char keys[LINE_BYTES_MAX] = "", error[SPEC_ERROR_MAX] = "";
    bool there = true, back = true;

    if (word && (strcmp(word, "there") == 0 || strcmp(word, "back") == 0)) {
        there = *word == 't';
        back = !there;
        word = strtok_r(NULL, " \t", &save);
    }
    for (; word; word = strtok_r(NULL, " \t", &save))
        snprintf(keys + strlen(keys), sizeof keys - strlen(keys), "%s%s", *keys ? "," : "", word);
    bool set = strcmp(verb, "set") == 0;
    if (set != (*keys != 0))
        return answer_error(set ? "set what? write set 1 rate=5mbit" : "too many words");
    for (unsigned i = 0; i < 2; i++) {
        struct wire_way *way = &pair->way[i];
        if (i == 0 ? !there : !back)
            continue;
        if (!set)
            link_set_up(&way->link, now_us, *verb == 'u');
        else if (!reconfigure(way, keys, now_us, error))
            return answer_error(error);
    }
    return strdup("ok");
}

static char *box(struct wire_pair *pair, char *save, uint64_t now_us)
{
    char error[BOX_ERROR_MAX] = "out of memory";
    char *text = wire_box_command(pair, &save, now_us, error);

    return text ? text : answer_error(error);
}

/* Commands about a pair: VERB N ... */
static char *pair_command(struct wire *w, const char *verb, char *rest, uint64_t now_us)
{
    char *save = NULL, *word = strtok_r(rest, " \t", &save);
    uint64_t number;

    if (!word || !parse_count(word, &number) || number < 1 || number > w->count)
        return answer_error("say which pair: a number from 1, in the order they were given");
    struct wire_pair *pair = &w->pairs[number - 1];
    return strcmp(verb, "box") == 0 ? box(pair, save, now_us) : change(pair, verb, save, now_us);
}

char *wire_command(struct wire *w, const char *line, uint64_t now_us)
{
    char copy[LINE_BYTES_MAX];
    char *rest = copy;

    snprintf(copy, sizeof copy, "%s", line);
    char *verb = strtok_r(copy, " \t\r", &rest);
    if (!verb)
        return strdup("ok");
    if (strcmp(verb, "down") == 0 || strcmp(verb, "up") == 0 || strcmp(verb, "set") == 0 ||
        strcmp(verb, "box") == 0)
        return pair_command(w, verb, rest, now_us);
    if (strcmp(verb, "stats") == 0)
        return stats(w, now_us);
    if (strcmp(verb, "quit") == 0) {
        w->quit = true;
        return strdup("ok");
    }
    return answer_error(
        "there are: down N, up N, set N KEY=VALUE..., box N add|remove|list, stats, "
        "quit; after N, 'there' or 'back' names one direction");
}

/* ---- lines ---------------------------------------------------------------- */

struct client {
    int in, out; /* -1: free */
    char line[LINE_BYTES_MAX];
    size_t len;
};

struct plan {
    uint64_t at_us; /* after the start */
    char line[LINE_BYTES_MAX];
};

struct wire_control {
    struct wire *wire;
    int listen_fd;
    const char *path;
    struct client clients[CLIENTS_MAX]; /* the first is standard input's */
    struct plan plans[PLANS_MAX];
    unsigned plan_count;
};

static void obey(struct wire_control *control, struct client *c)
{
    char *text = wire_command(control->wire, c->line, cli_now_us());
    const char *said = text ? text : "error: out of memory";
    struct iovec parts[2] = {{(void *)said, strlen(said)}, {"\n", 1}};

    /* A client that does not read its answers loses them. */
    if (writev(c->out, parts, 2) < 0)
        c->len = 0;
    free(text);
}

static void forget(struct client *c)
{
    if (c->in > STDIN_FILENO)
        close(c->in);
    *c = (struct client){.in = -1, .out = -1};
}

/* Called when there is something: one read a turn, the rest the next time. */
static void read_client(struct wire_control *control, struct client *c)
{
    char bytes[LINE_BYTES_MAX];
    ssize_t n = read(c->in, bytes, sizeof bytes);

    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
        forget(c);
        return;
    }
    for (ssize_t i = 0; i < n; i++) {
        if (bytes[i] == '\n') {
            c->line[c->len] = 0;
            c->len = 0;
            obey(control, c);
        } else if (c->len < sizeof c->line - 1) {
            c->line[c->len++] = bytes[i];
        }
    }
}

static void accept_client(struct wire_control *control)
{
    int fd = accept4(control->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    for (unsigned i = 1; fd >= 0 && i < CLIENTS_MAX; i++) {
        if (control->clients[i].in < 0) {
            control->clients[i].in = control->clients[i].out = fd;
            return;
        }
    }
    if (fd >= 0)
        close(fd);
}

unsigned wire_control_fds(const struct wire_control *control, struct pollfd *fds)
{
    fds[0] = (struct pollfd){.fd = control->listen_fd, .events = POLLIN};
    for (unsigned i = 0; i < CLIENTS_MAX; i++)
        fds[i + 1] = (struct pollfd){.fd = control->clients[i].in, .events = POLLIN};
    return CLIENTS_MAX + 1; /* poll passes over those below zero */
}

void wire_control_poll(struct wire_control *control, const struct pollfd *fds)
{
    for (unsigned i = 0; i < CLIENTS_MAX; i++) {
        if (fds[i + 1].revents)
            read_client(control, &control->clients[i]);
    }
    if (fds[0].revents)
        accept_client(control);
}

/* ---- the schedule --------------------------------------------------------- */

bool wire_control_at(struct wire_control *control, const char *text, char *why)
{
    struct plan plan = {0};
    char when[32];
    const char *colon = strchr(text, ':');

    snprintf(when, sizeof when, "%.*s", colon ? (int)(colon - text) : 0, text);
    if (!colon || !parse_seconds(when, &plan.at_us)) {
        snprintf(why, OPTION_WHY_MAX, "write TIME:COMMAND, as in 5s:down:1");
        return false;
    }
    if (control->plan_count == PLANS_MAX) {
        snprintf(why, OPTION_WHY_MAX, "at most %d commands can be planned", PLANS_MAX);
        return false;
    }
    snprintf(plan.line, sizeof plan.line, "%s", colon + 1);
    for (char *c = plan.line; *c; c++) {
        if (*c == ':')
            *c = ' ';
    }
    /* Sorted, equal times in the order given. */
    unsigned i = control->plan_count++;
    for (; i > 0 && control->plans[i - 1].at_us > plan.at_us; i--)
        control->plans[i] = control->plans[i - 1];
    control->plans[i] = plan;
    return true;
}

uint64_t wire_control_tick(struct wire_control *control, uint64_t now_us)
{
    struct wire *w = control->wire;
    unsigned due = 0;

    for (; due < control->plan_count; due++) {
        const struct plan *plan = &control->plans[due];
        if (w->start_us + plan->at_us > now_us)
            break;
        char *text = wire_command(w, plan->line, w->start_us + plan->at_us);
        if (text && strncmp(text, "error", 5) == 0)
            cli_error("'%s': %s", plan->line, text);
        free(text);
    }
    control->plan_count -= due;
    memmove(control->plans, control->plans + due, control->plan_count * sizeof control->plans[0]);
    return control->plan_count ? w->start_us + control->plans[0].at_us : UINT64_MAX;
}

/* ---- opening -------------------------------------------------------------- */

static bool socket_address(const char *path, struct sockaddr_un *address)
{
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address->sun_path) {
        cli_error("the path '%s' is too long for a socket: at most %zu characters", path,
                  sizeof address->sun_path - 1);
        return false;
    }
    memcpy(address->sun_path, path, strlen(path));
    return true;
}

/* A socket that a killed wire left behind is taken over; a live one is not. */
static bool left_behind(const struct sockaddr_un *address)
{
    struct stat st;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool dead = fd >= 0 && lstat(address->sun_path, &st) == 0 && S_ISSOCK(st.st_mode) &&
                connect(fd, (const struct sockaddr *)address, sizeof *address) != 0 &&
                errno == ECONNREFUSED;

    if (fd >= 0)
        close(fd);
    return dead;
}

static int open_socket(const char *path, int *failure)
{
    struct sockaddr_un address;

    *failure = HOST_FAIL_USAGE;
    if (!socket_address(path, &address))
        return -1;
    if (left_behind(&address))
        unlink(path);
    *failure = HOST_FAIL_FILE;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    mode_t before = umask(0177); /* commands are the owner's */
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        listen(fd, CLIENTS_MAX) != 0) {
        cli_error("cannot make the control socket '%s': %s", path, strerror(errno));
        if (fd >= 0)
            close(fd);
        fd = -1;
    }
    umask(before);
    return fd;
}

/* Reading a terminal from the background would stop us. */
static bool stdin_is_ours(void)
{
    return !isatty(STDIN_FILENO) || tcgetpgrp(STDIN_FILENO) == getpgrp();
}

struct wire_control *wire_control_new(struct wire *w)
{
    struct wire_control *control = calloc(1, sizeof *control);

    if (!control)
        return NULL;
    control->wire = w;
    control->listen_fd = -1;
    for (unsigned i = 0; i < CLIENTS_MAX; i++)
        control->clients[i].in = control->clients[i].out = -1;
    return control;
}

int wire_control_open(struct wire_control *control, const char *path)
{
    int failure = HOST_OK;

    if (stdin_is_ours()) {
        control->clients[0].in = STDIN_FILENO;
        control->clients[0].out = STDOUT_FILENO;
    }
    if (path) {
        control->listen_fd = open_socket(path, &failure);
        if (control->listen_fd < 0)
            return failure;
        control->path = path;
    }
    return HOST_OK;
}

void wire_control_free(struct wire_control *control)
{
    for (unsigned i = 0; i < CLIENTS_MAX; i++)
        forget(&control->clients[i]);
    if (control->listen_fd >= 0)
        close(control->listen_fd);
    if (control->path)
        unlink(control->path);
    free(control);
}

/* ---- the client ----------------------------------------------------------- */

int wire_tell(const char *path, int argc, char **argv)
{
    struct sockaddr_un address;
    char line[LINE_BYTES_MAX] = "", answer[16384];
    FILE *stream = NULL;
    int code = HOST_OK;

    if (!socket_address(path, &address))
        return HOST_FAIL_USAGE;
    for (int i = 0; i < argc; i++)
        snprintf(line + strlen(line), sizeof line - strlen(line), "%s%s", i ? " " : "", argv[i]);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0 ||
        !(stream = fdopen(fd, "r+"))) {
        cli_error("no wire answers at '%s': %s", path, strerror(errno));
        if (fd >= 0)
            close(fd);
        return HOST_FAIL_UNREACHABLE;
    }
    fprintf(stream, "%s\n", line);
    fflush(stream);
    if (!fgets(answer, sizeof answer, stream)) {
        cli_error("the wire at '%s' did not answer", path);
        code = HOST_FAIL_TRANSFER;
    } else if (strncmp(answer, "error: ", 7) == 0) {
        cli_error("%.*s", (int)strcspn(answer + 7, "\n"), answer + 7);
        code = HOST_FAIL_USAGE;
    } else if (strcmp(answer, "ok\n") != 0) {
        fputs(answer, stdout);
    }
    fclose(stream);
    return code;
}
