/* SPDX-License-Identifier: MIT
 *
 * Progress goes to standard error, the table to its folder or to standard
 * output.
 */
#include "cli/sim_sweep.h"

#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/options.h"
#include "cli/sim_file.h"
#include "cli/units.h"

enum { RUN_FAILED = 1, SHOWN_MAX = 10 };

/* ---- progress --------------------------------------------------------------------------- */

struct watch {
    uint64_t started_us, shown_us;
    bool live; /* a terminal: one line that changes */
};

/* "12 of 100 runs, 1 failed, 34 s left" */
static void show(const struct sweep *s, struct watch *w, uint64_t now_us)
{
    char left[UNIT_TEXT_MAX];
    uint64_t spent_us = now_us - w->started_us, rest = s->todo - s->done;
    fprintf(stderr, "\r\033[K%llu of %llu runs", (unsigned long long)s->done,
            (unsigned long long)s->todo);
    if (s->failed)
        fprintf(stderr, ", %llu failed", (unsigned long long)s->failed);
    if (rest && s->done)
        fprintf(stderr, ", %s left",
                format_time((uint64_t)((double)spent_us / (double)s->done * (double)rest), left));
    w->shown_us = now_us;
}

static void progress(void *ctx, const struct sweep *s, const char *failure)
{
    struct watch *w = ctx;
    uint64_t now_us = cli_now_us();
    if (failure && s->failed <= SHOWN_MAX)
        fprintf(stderr, "%sFAIL %s\n", w->live ? "\r\033[K" : "", failure);
    if (w->live && (now_us - w->shown_us > 200000 || s->done == s->todo))
        show(s, w, now_us);
    if (w->live && s->done == s->todo)
        fputs("\r\033[K", stderr);
}

/* ---- running ---------------------------------------------------------------------------- */

static void summary(const struct sweep *s)
{
    uint64_t before = sweep_runs(s) - s->todo;
    fprintf(stderr, "%llu runs", (unsigned long long)s->done);
    if (before)
        fprintf(stderr, ", %llu were there", (unsigned long long)before);
    if (s->failed)
        fprintf(stderr, ", %llu failed", (unsigned long long)s->failed);
    if (s->folder)
        fprintf(stderr, "; %s/results.csv", s->folder);
    fputc('\n', stderr);
    if (s->note[0])
        fprintf(stderr, "%s\n", s->note);
}

int sim_sweep(struct sweep *s)
{
    struct watch w = {.started_us = cli_now_us(), .live = isatty(STDERR_FILENO)};
    char error[SWEEP_ERROR_MAX];
    int code = HOST_OK;
    s->progress = progress;
    s->ctx = &w;
    if (!sweep_open(s, error)) {
        cli_error("%s", error);
        code = HOST_FAIL_USAGE;
    } else if (!sweep_run(s, error) || !sweep_finish(s, error)) {
        cli_error("%s", error);
        code = HOST_FAIL_FILE;
    } else {
        if (!s->folder)
            table_print(&s->table, stdout);
        summary(s);
        code = s->failed ? RUN_FAILED : HOST_OK;
    }
    sweep_close(s);
    return code;
}

/* ---- elsewhere -------------------------------------------------------------------------- */

/* A word as a shell reads it. */
static void put_word(const char *word)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "_-./=:,+@%";
    if (*word && strspn(word, plain) == strlen(word)) {
        fputs(word, stdout);
        return;
    }
    putchar('\'');
    for (; *word; word++) {
        if (*word == '\'')
            fputs("'\\''", stdout);
        else
            putchar(*word);
    }
    putchar('\'');
}

static void put_setting(const struct script_setting *set)
{
    fputs(" --set ", stdout);
    put_word(set->name);
    putchar('=');
    put_word(set->value);
}

static void put_task(const struct sweep *s, uint64_t i)
{
    struct script_setting own[SWEEP_AXES_MAX];
    uint64_t seed = sweep_settings(s, i, own);
    char part[32];
    fputs("plait sim ", stdout);
    put_word(s->path);
    for (unsigned k = 0; k < s->setting_count; k++)
        put_setting(&s->settings[k]);
    for (unsigned k = 0; k < s->axis_count; k++)
        put_setting(&own[k]);
    printf(" --seed %llu --out ", (unsigned long long)seed);
    put_word(s->folder);
    snprintf(part, sizeof part, "/task-%llu", (unsigned long long)i + 1);
    puts(part);
}

int sim_sweep_tasks(struct sweep *s)
{
    if (!s->folder || s->pcap || s->events) {
        cli_error(s->folder ? "--emit-tasks is without --pcap and --events"
                            : "--emit-tasks wants --out DIR, under which each task has a folder");
        return HOST_FAIL_USAGE;
    }
    uint64_t runs = sweep_runs(s);
    for (uint64_t i = 0; i < runs; i++)
        put_task(s, i);
    fprintf(stderr, "%llu tasks; then: plait sim merge --out %s %s/task-*\n",
            (unsigned long long)runs, s->folder, s->folder);
    return HOST_OK;
}

int sim_merge(int argc, char **argv)
{
    static struct sweep s; /* large */
    const struct option_row rows[] = {{'o', "out", "DIR", OPTION_TEXT,
                                       offsetof(struct sweep, folder),
                                       "where the joined table goes, and its plots"},
                                      {0}};
    const struct usage usage = {
        .synopsis = "sim merge --out DIR PART...",
        .about = "Join the tables of several folders (--out of plait sim FILE) in one.\n",
        .closing =
            "Exit codes: 0 joined, 2 wrong arguments, 10 a table cannot be read or written,\n"
            "or is of another scenario.\n",
        .groups = {{"Options", rows, &s}},
        .operands_min = 1,
        .operands_max = -1};
    char error[SWEEP_ERROR_MAX];
    int operand, code = HOST_OK;
    int parsed = options_parse(&usage, argc, argv, &operand);
    if (parsed != OPTION_GO)
        return parsed;
    if (!s.folder) {
        cli_error("--out is missing: plait sim merge --out DIR PART...");
        return HOST_FAIL_USAGE;
    }
    if (sweep_merge(&s, argv + operand, (unsigned)(argc - operand), error)) {
        printf("%u rows: %s/results.csv\n%s", s.table.rows, s.folder, s.note);
    } else {
        cli_error("%s", error);
        code = HOST_FAIL_FILE;
    }
    sweep_close(&s);
    return code;
}
