/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "lab/plot.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SERIES_MAX = 16, PATH_BYTES = 900 };

struct columns {
    int x, y, series; /* x, series -1: none */
};

static bool find_columns(const struct script_plot *p, const struct table *t, struct columns *c,
                         char *error)
{
    const struct {
        const char *name;
        int *at;
    } wanted[] = {{p->y, &c->y}, {p->x, &c->x}, {p->series, &c->series}};
    for (unsigned i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        *wanted[i].at = wanted[i].name[0] ? table_column(t, wanted[i].name) : -1;
        if (wanted[i].name[0] && *wanted[i].at < 0) {
            snprintf(error, TABLE_ERROR_MAX, "plot %s: there is no parameter or figure \"%s\"",
                     p->name, wanted[i].name);
            return false;
        }
    }
    return true;
}

/* ---- data ------------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static bool in_series(const struct table *t, const struct columns *c, unsigned row,
                      const char *series)
{
    return c->series < 0 || strcmp(table_cell(t, row, (unsigned)c->series), series) == 0;
}

static double number_at(const struct table *t, unsigned row, int column)
{
    return strtod(table_cell(t, row, (unsigned)column), NULL);
}

/* A column of a series, of those rows whose x is this (NULL: any), sorted. */
static unsigned collect(const struct table *t, const struct columns *c, int column,
                        const char *series, const double *x, double *out)
{
    unsigned n = 0;
    for (unsigned row = 0; row < t->rows; row++) {
        if (in_series(t, c, row, series) && (!x || number_at(t, row, c->x) == *x))
            out[n++] = number_at(t, row, column);
    }
    qsort(out, n, sizeof *out, compare);
    return n;
}

static void put_distribution(const struct table *t, const struct columns *c, const char *series,
                             double *room, FILE *out)
{
    unsigned n = collect(t, c, c->y, series, NULL, room);
    for (unsigned i = 0; i < n; i++)
        fprintf(out, "%.10g %.6f\n", room[i], (double)(i + 1) / n);
}

/* x, the median of y, the least and the most. */
static void put_medians(const struct table *t, const struct columns *c, const char *series,
                        double *room, FILE *out)
{
    double *xs = sim_alloc((t->rows + 1) * sizeof *xs);
    unsigned count = collect(t, c, c->x, series, NULL, xs);
    for (unsigned i = 0; i < count; i++) {
        if (i && xs[i] == xs[i - 1])
            continue;
        unsigned n = collect(t, c, c->y, series, &xs[i], room);
        fprintf(out, "%.10g %.10g %.10g %.10g\n", xs[i], (room[(n - 1) / 2] + room[n / 2]) / 2,
                room[0], room[n - 1]);
    }
    free(xs);
}

/* The values of the series' column, in the table's order. */
static unsigned find_series(const struct table *t, const struct columns *c,
                            const char *names[SERIES_MAX])
{
    unsigned count = 0;
    if (c->series < 0) {
        names[0] = "";
        return 1;
    }
    for (unsigned row = 0; row < t->rows && count < SERIES_MAX; row++) {
        const char *name = table_cell(t, row, (unsigned)c->series);
        bool new = true;
        for (unsigned i = 0; i < count; i++)
            new &= strcmp(names[i], name) != 0;
        if (new)
            names[count++] = name;
    }
    return count;
}

/* ---- commands --------------------------------------------------------------------------- */

/* A text between quotes: none of gnuplot's marks in it. */
static void put_text(const char *before, const char *text, const char *after, FILE *out)
{
    fputs(before, out);
    for (; *text; text++)
        fputc(strchr("\"\\`\n", *text) ? ' ' : *text, out);
    fputs(after, out);
}

static void put_plot(const struct script_plot *p, const char *const *names, unsigned count,
                     FILE *out)
{
    fputs("plot ", out);
    for (unsigned i = 0; i < count; i++) {
        fprintf(out, "%s$data%u using 1:2 with %s", i ? ", \\\n     " : "", i,
                p->cdf ? "steps" : "linespoints");
        put_text(" lw 2 title \"", names[i], "\"", out);
    }
    fputs("\n", out);
}

static void put_commands(const struct script_plot *p, const struct table *t,
                         const struct columns *c, FILE *out)
{
    const char *names[SERIES_MAX];
    unsigned count = find_series(t, c, names);
    double *room = sim_alloc((t->rows + 1) * sizeof *room);
    for (unsigned i = 0; i < count; i++) {
        fprintf(out, "$data%u << END\n", i);
        if (p->cdf)
            put_distribution(t, c, names[i], room, out);
        else
            put_medians(t, c, names[i], room, out);
        fputs("END\n", out);
    }
    free(room);
    put_text("set title \"", p->title, "\" noenhanced\n", out);
    put_text("set xlabel \"",
             p->xlabel[0] ? p->xlabel
             : p->cdf     ? p->y
                          : p->x,
             "\" noenhanced\n", out);
    put_text("set ylabel \"",
             p->ylabel[0] ? p->ylabel
             : p->cdf     ? "part of all"
                          : p->y,
             "\" noenhanced\n", out);
    fprintf(out, "%s%sset key outside below noenhanced\nset grid\n",
            p->logx ? "set logscale x\n" : "", p->logy ? "set logscale y\n" : "");
    fprintf(out, "set terminal svg size 800,500 background 'white'\nset output '%s.svg'\n",
            p->name);
    put_plot(p, names, count, out);
    fprintf(out, "set terminal png size 800,500\nset output '%s.png'\nreplot\n", p->name);
}

static char *file_name(const struct script_plot *p, char name[SCRIPT_NAME_MAX + 4])
{
    snprintf(name, SCRIPT_NAME_MAX + 4, "%s.gp", p->name);
    return name;
}

bool plot_write(const struct script_plot *p, const struct table *t, const char *folder, char *error)
{
    struct columns c;
    char path[PATH_BYTES], file[SCRIPT_NAME_MAX + 4];
    if (!t->rows)
        return true;
    if (!find_columns(p, t, &c, error))
        return false;
    snprintf(path, sizeof path, "%.700s/%s", folder, file_name(p, file));
    FILE *out = fopen(path, "w");
    if (out)
        put_commands(p, t, &c, out);
    if (!out || fclose(out) != 0) {
        snprintf(error, TABLE_ERROR_MAX, "%.300s: %s", path, strerror(errno));
        return false;
    }
    return true;
}

/* What gnuplot has to say (that a range is empty) is seen by who calls it. */
bool plot_draw(const struct script_plot *p, const char *folder, char *error)
{
    extern char **environ;
    posix_spawn_file_actions_t actions;
    char file[SCRIPT_NAME_MAX + 4];
    char *const argv[] = {"gnuplot", file_name(p, file), NULL};
    pid_t pid;
    int status = 0;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addchdir_np(&actions, folder);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    int failed = posix_spawnp(&pid, "gnuplot", &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    while (!failed && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (failed || status)
        snprintf(error, TABLE_ERROR_MAX, "no plot, gnuplot %s: %.200s/%s is left for it",
                 failed ? "cannot be run" : "failed", folder, file);
    return !failed && !status;
}
