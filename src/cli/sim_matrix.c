/* SPDX-License-Identifier: MIT
 *
 * plait sim matrix: every row of the middlebox matrix in a child process of
 * its own, and the table that comes of it as text, Markdown or JSON.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/options.h"
#include "cli/sim_matrix.h"
#include "sim/jobs.h"
#include "sim/matrix.h"
#include "sim/sim.h"

enum { ROWS_MAX = 128, ROW_LIMIT_S = 300, MERGED_MAX = 256 };

struct result {
    bool ran, holds[MATRIX_CELLS];
    struct matrix_outcome cell[MATRIX_CELLS];
};

struct matrix_options {
    bool json, markdown, list;
    const char *only;
    unsigned rows[ROWS_MAX]; /* of the jobs */
    unsigned count, failed;
    struct result *results; /* by job */
};

/* ---- running ---------------------------------------------------------------------------- */

/* A cell as the child writes it: numbers, then the note to the line's end. */
static bool run_row(void *ctx, uint64_t number, FILE *out)
{
    const struct matrix_options *o = ctx;
    const struct matrix_row *row = &matrix_rows[o->rows[number]];
    for (unsigned i = 0; i < MATRIX_CELLS; i++) {
        const struct matrix_cell c = matrix_cell(i);
        struct matrix_outcome r;
        matrix_run(row, &c, &r);
        fprintf(out, "%d %d %d %d %.60s\n", r.end, r.data, r.why, r.extra_rtts, r.note);
    }
    return true;
}

static bool parse_cell(const char **at, struct matrix_outcome *r)
{
    int end, data, why, n = 0;
    if (sscanf(*at, "%d %d %d %d%n", &end, &data, &why, &r->extra_rtts, &n) != 4)
        return false;
    r->end = (enum matrix_end)end;
    r->data = (enum matrix_data)data;
    r->why = (enum plait_reason)why;
    *at += n;
    size_t len = strcspn(*at, "\n");
    snprintf(r->note, sizeof r->note, "%.*s", (int)(len ? len - 1 : 0), *at + (len > 0));
    *at += len + ((*at)[len] == '\n');
    return true;
}

static bool row_done(void *ctx, const struct job_result *job)
{
    struct matrix_options *o = ctx;
    struct result *r = &o->results[job->number];
    const struct matrix_row *row = &matrix_rows[o->rows[job->number]];
    const char *at = job->text;
    r->ran = true;
    for (unsigned i = 0; i < MATRIX_CELLS; i++) {
        const struct matrix_cell c = matrix_cell(i);
        if (!parse_cell(&at, &r->cell[i])) {
            r->cell[i] = (struct matrix_outcome){.end = MATRIX_WRONG, .data = DATA_WRONG};
            snprintf(r->cell[i].note, sizeof r->cell[i].note, "it crashed: %.60s", at);
        }
        r->holds[i] = matrix_holds(matrix_expect(row, &c), &r->cell[i]);
        o->failed += !r->holds[i];
    }
    return true;
}

/* ---- the table -------------------------------------------------------------------------- */

/* "MPTCP", "TCP: peer_no_mptcp, 1 RTT" */
static char *cell_text(const struct matrix_outcome *r, char *buf, size_t size)
{
    size_t n = (size_t)snprintf(buf, size, "%s", matrix_end_text(r->end));
    if (r->why && r->end != MATRIX_WRONG)
        n += (size_t)snprintf(buf + n, size - n, " (%s)", plait_reason_name(r->why));
    if (r->data != DATA_INTACT)
        n += (size_t)snprintf(buf + n, size - n, ", data %s", matrix_data_text(r->data));
    if (r->extra_rtts > 0)
        snprintf(buf + n, size - n, ", +%d RTT", r->extra_rtts);
    return buf;
}

static bool alike(const struct matrix_outcome *a, const struct matrix_outcome *b)
{
    return a->end == b->end && a->data == b->data && a->why == b->why &&
           a->extra_rtts == b->extra_rtts;
}

/* What a group of cells has in common, as few words as say it: those of all
 * eight of a place, else by what they differ in. */
static void who(const struct result *r, unsigned first, unsigned i, char *buf, size_t size)
{
    unsigned same = 0;
    for (unsigned j = 0; j < 8; j++)
        same |= (unsigned)alike(&r->cell[first + j], &r->cell[first + i]) << j;
    static const struct {
        unsigned mask;
        const char *text;
    } groups[] = {{0xff, ""},
                  {0x0f, "v1: "},
                  {0xf0, "v0: "},
                  {0x33, "checksums: "},
                  {0xcc, "none: "},
                  {0x55, "up: "},
                  {0xaa, "down: "},
                  {0x03, "v1, checksums: "},
                  {0x0c, "v1, none: "},
                  {0x30, "v0, checksums: "},
                  {0xc0, "v0, none: "},
                  {0x05, "v1, up: "},
                  {0x0a, "v1, down: "},
                  {0x50, "v0, up: "},
                  {0xa0, "v0, down: "},
                  {0x11, "checksums, up: "},
                  {0x22, "checksums, down: "},
                  {0x44, "none, up: "},
                  {0x88, "none, down: "}};
    for (unsigned g = 0; g < sizeof groups / sizeof groups[0]; g++) {
        if (groups[g].mask & 1u << i && (same & groups[g].mask) == groups[g].mask) {
            snprintf(buf, size, "%s", groups[g].text);
            return;
        }
    }
    snprintf(buf, size, "%s, %s, %s: ", i & 4 ? "v0" : "v1", i & 2 ? "none" : "checksums",
             i & 1 ? "down" : "up");
}

/* The eight cells of a place in one line. */
static void place_text(const struct result *r, unsigned place, const char *between, char *buf,
                       size_t size)
{
    size_t n = 0;
    unsigned first = place * 8;
    char seen[8][64];
    unsigned count = 0;
    *buf = '\0';
    for (unsigned i = 0; i < 8; i++) {
        char group[64], text[160];
        bool again = false;
        who(r, first, i, group, sizeof group);
        for (unsigned j = 0; j < count; j++)
            again |= strcmp(seen[j], group) == 0;
        if (again)
            continue;
        snprintf(seen[count++], sizeof seen[0], "%s", group);
        n += (size_t)snprintf(buf + n, size - n, "%s%s%s", n ? between : "", group,
                              cell_text(&r->cell[first + i], text, sizeof text));
        if (n >= size)
            return;
    }
}

static void print_failures(const struct matrix_options *o, unsigned job, FILE *out)
{
    const struct result *r = &o->results[job];
    for (unsigned i = 0; i < MATRIX_CELLS; i++) {
        const struct matrix_cell c = matrix_cell(i);
        char where[80], text[160];
        if (r->holds[i])
            continue;
        const struct matrix_row *row = &matrix_rows[o->rows[job]];
        fprintf(out, "FAIL %s, %s: %s%s%s\n", row->name, matrix_cell_text(&c, where, sizeof where),
                cell_text(&r->cell[i], text, sizeof text), r->cell[i].note[0] ? ": " : "",
                r->cell[i].note);
    }
}

static void print_text(const struct matrix_options *o)
{
    static const char *const places[] = {"only", "first", "joined"};
    for (unsigned job = 0; job < o->count; job++) {
        const struct matrix_row *row = &matrix_rows[o->rows[job]];
        bool good = true;
        for (unsigned i = 0; i < MATRIX_CELLS; i++)
            good &= o->results[job].holds[i];
        printf("%-4s %-22s %s\n", good ? "ok" : "FAIL", row->name, row->what);
        for (unsigned p = 0; p < PLACE_COUNT; p++) {
            char text[1024];
            place_text(&o->results[job], p, "; ", text, sizeof text);
            printf("       %-7s %s\n", places[p], text);
        }
        print_failures(o, job, stdout);
    }
    printf("%u cells, %u failed\n", o->count * MATRIX_CELLS, o->failed);
}

static void print_markdown(const struct matrix_options *o)
{
    printf("| middlebox | boxes | on the only path | on the first subflow's | on the joined "
           "subflow's |\n|---|---|---|---|---|\n");
    for (unsigned job = 0; job < o->count; job++) {
        const struct matrix_row *row = &matrix_rows[o->rows[job]];
        printf("| %s | `%s` |", row->what, row->boxes);
        for (unsigned p = 0; p < PLACE_COUNT; p++) {
            char text[1024];
            place_text(&o->results[job], p, "<br>", text, sizeof text);
            printf(" %s |", text);
        }
        printf("\n");
    }
}

static void print_json(const struct matrix_options *o)
{
    for (unsigned job = 0; job < o->count; job++) {
        const struct matrix_row *row = &matrix_rows[o->rows[job]];
        for (unsigned i = 0; i < MATRIX_CELLS; i++) {
            static const char *const places[] = {"only", "first", "joined"};
            const struct matrix_cell c = matrix_cell(i);
            const struct matrix_outcome *r = &o->results[job].cell[i];
            printf("{\"row\":\"%s\",\"boxes\":\"%s\",\"version\":%u,\"checksum\":%s,"
                   "\"place\":\"%s\",\"to\":\"%s\",\"end\":\"%s\",\"data\":\"%s\",\"why\":\"%s\","
                   "\"extra_rtts\":%d,\"ok\":%s}\n",
                   row->name, row->boxes, c.version, c.checksum ? "true" : "false", places[c.place],
                   c.to_client ? "client" : "server", matrix_end_text(r->end),
                   matrix_data_text(r->data), plait_reason_name(r->why), r->extra_rtts,
                   o->results[job].holds[i] ? "true" : "false");
        }
    }
}

/* For programs that run the same rows elsewhere. */
static void print_rows(const struct matrix_options *o)
{
    for (unsigned job = 0; job < o->count; job++) {
        const struct matrix_row *row = &matrix_rows[o->rows[job]];
        printf("{\"row\":\"%s\",\"what\":\"%s\",\"boxes\":\"%s\",\"checksum_matters\":%s}\n",
               row->name, row->what, row->boxes, row->unprotected[0].end ? "true" : "false");
    }
}

/* ---- the command ------------------------------------------------------------------------ */

static bool choose(struct matrix_options *o, char **names, unsigned count)
{
    for (unsigned i = 0; matrix_rows[i].name; i++) {
        bool wanted = !count;
        for (unsigned j = 0; j < count; j++)
            wanted |= strcmp(names[j], matrix_rows[i].name) == 0;
        if (wanted && o->count < ROWS_MAX)
            o->rows[o->count++] = i;
    }
    if (!count || o->count == count)
        return true;
    cli_error("there is no such row: plait sim matrix without a name runs all and shows them");
    return false;
}

static int run_rows(struct matrix_options *o)
{
    const struct jobs j = {
        .last = o->count - 1, .limit_s = ROW_LIMIT_S, .ctx = o, .run = run_row, .done = row_done};
    if (jobs_run(&j) == UINT64_MAX) {
        cli_error("cannot start a process: %s", strerror(errno));
        return HOST_FAIL_OTHER;
    }
    if (o->json)
        print_json(o);
    else if (o->markdown)
        print_markdown(o);
    else
        print_text(o);
    for (unsigned job = 0; (o->json || o->markdown) && job < o->count; job++)
        print_failures(o, job, stderr);
    return o->failed ? 1 : HOST_OK;
}

int sim_matrix(int argc, char **argv)
{
    struct matrix_options o = {0};
    const struct option_row rows[] = {
        {'j', "json", NULL, OPTION_FLAG, offsetof(struct matrix_options, json),
         "one JSON object a cell"},
        {'l', "list", NULL, OPTION_FLAG, offsetof(struct matrix_options, list),
         "the rows and their boxes, one JSON object a row; nothing is run"},
        {'m', "markdown", NULL, OPTION_FLAG, offsetof(struct matrix_options, markdown), "a table"},
        {0}};
    const struct usage usage = {
        .synopsis = "sim matrix [OPTIONS] [ROW...]",
        .about =
            "Middleboxes x versions x checksums x places x directions, each against what must\n"
            "come of it.\n",
        .closing = "Exit codes: 0 every cell held, 1 one did not, 2 wrong arguments.\n",
        .groups = {{"Options", rows, &o}},
        .operands_max = -1};
    int operand;
    int parsed = options_parse(&usage, argc, argv, &operand);
    if (parsed != OPTION_GO)
        return parsed;
    if (!choose(&o, argv + operand, (unsigned)(argc - operand)))
        return HOST_FAIL_USAGE;
    if (o.list) {
        print_rows(&o);
        return HOST_OK;
    }
    o.results = sim_alloc(o.count * sizeof *o.results);
    int code = run_rows(&o);
    free(o.results);
    return code;
}
