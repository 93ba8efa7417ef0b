/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "lab/table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void *need(void *p)
{
    if (!p)
        abort();
    return p;
}

void table_free(struct table *t)
{
    for (unsigned i = 0; t->columns && i < (t->rows + 1) * t->columns; i++)
        free(t->cells[i]);
    free(t->cells);
    *t = (struct table){0};
}

const char *table_cell(const struct table *t, unsigned row, unsigned column)
{
    return t->cells[(row + 1) * t->columns + column];
}

int table_column(const struct table *t, const char *name)
{
    for (unsigned i = 0; i < t->columns; i++) {
        if (strcmp(t->cells[i], name) == 0)
            return (int)i;
    }
    return -1;
}

/* ---- lines ------------------------------------------------------------------------------ */

static size_t line_len(const char *line)
{
    return strcspn(line, "\r\n");
}

/* The line's cells, the caller's to free; their number, 0: too many. */
static unsigned cut(const char *line, char *cells[TABLE_COLUMNS_MAX])
{
    unsigned count = 0;
    const char *end = line + line_len(line);
    for (;;) {
        size_t len = strcspn(line, ",\r\n");
        if (count == TABLE_COLUMNS_MAX) {
            while (count)
                free(cells[--count]);
            return 0;
        }
        cells[count++] = need(strndup(line, len));
        if (line + len == end)
            return count;
        line += len + 1;
    }
}

static void drop(char **cells, unsigned count)
{
    while (count)
        free(cells[--count]);
}

static bool same_header(const struct table *t, char *const *cells, unsigned count)
{
    bool same = count == t->columns;
    for (unsigned i = 0; same && i < count; i++)
        same = strcmp(cells[i], t->cells[i]) == 0;
    return same;
}

bool table_header(struct table *t, const char *line, char *error)
{
    char *cells[TABLE_COLUMNS_MAX];
    unsigned count = cut(line, cells), keys = 0;
    if (t->columns) {
        bool same = same_header(t, cells, count);
        drop(cells, count);
        if (!same)
            snprintf(error, TABLE_ERROR_MAX, "its columns are others: %.300s", line);
        return same;
    }
    for (unsigned i = 0; i < count && !keys; i++)
        keys = strcmp(cells[i], "seed") == 0 ? i + 1 : 0;
    if (!keys) {
        drop(cells, count);
        snprintf(error, TABLE_ERROR_MAX, "it is no table of a sweep: it has no column \"seed\"");
        return false;
    }
    t->columns = count;
    t->keys = keys;
    t->cells = need(malloc(count * sizeof *t->cells));
    memcpy(t->cells, cells, count * sizeof *t->cells);
    return true;
}

static int find(const struct table *t, char *const *cells)
{
    for (unsigned row = 0; row < t->rows; row++) {
        bool same = true;
        for (unsigned i = 0; same && i < t->keys; i++)
            same = strcmp(table_cell(t, row, i), cells[i]) == 0;
        if (same)
            return (int)row;
    }
    return -1;
}

static void append(struct table *t, char *const *cells)
{
    if (t->rows == t->room) {
        t->room = t->room ? 2 * t->room : 64;
        t->cells = need(realloc(t->cells, (t->room + 1) * t->columns * sizeof *t->cells));
    }
    t->rows++;
    memcpy(&t->cells[t->rows * t->columns], cells, t->columns * sizeof *t->cells);
}

static bool same_row(const struct table *t, unsigned row, char *const *cells)
{
    for (unsigned i = 0; i < t->columns; i++) {
        if (strcmp(table_cell(t, row, i), cells[i]) != 0)
            return false;
    }
    return true;
}

bool table_row(struct table *t, const char *line, char *error)
{
    char *cells[TABLE_COLUMNS_MAX];
    unsigned count = cut(line, cells);
    if (count != t->columns) {
        drop(cells, count);
        snprintf(error, TABLE_ERROR_MAX, "%u cells where there are %u columns: %.200s", count,
                 t->columns, line);
        return false;
    }
    int row = find(t, cells);
    if (row < 0) {
        append(t, cells);
        return true;
    }
    bool same = same_row(t, (unsigned)row, cells);
    drop(cells, count);
    if (!same)
        snprintf(error, TABLE_ERROR_MAX, "the same run has two results: %.300s", line);
    return same;
}

bool table_has(const struct table *t, const char *key)
{
    char *cells[TABLE_COLUMNS_MAX];
    unsigned count = cut(key, cells);
    bool has = t->columns && count == t->keys && find(t, cells) >= 0;
    drop(cells, count);
    return has;
}

/* ---- files ------------------------------------------------------------------------------ */

bool table_read(struct table *t, const char *path, bool may_lack, char *error)
{
    FILE *f = fopen(path, "r");
    char *line = NULL, why[TABLE_ERROR_MAX];
    size_t room = 0;
    unsigned number = 0;
    bool good = true;
    if (!f && may_lack && errno == ENOENT)
        return true;
    if (!f) {
        snprintf(error, TABLE_ERROR_MAX, "%s: %s", path, strerror(errno));
        return false;
    }
    for (ssize_t n; good && (n = getline(&line, &room, f)) > 0;) {
        if (line[n - 1] != '\n') /* whoever wrote it was interrupted */
            break;
        line[line_len(line)] = '\0';
        good = number++ ? table_row(t, line, why) : table_header(t, line, why);
        if (!good)
            snprintf(error, TABLE_ERROR_MAX, "%s:%u: %.300s", path, number, why);
    }
    free(line);
    fclose(f);
    return good;
}

void table_print(const struct table *t, FILE *out)
{
    for (unsigned i = 0; t->columns && i < (t->rows + 1) * t->columns; i++)
        fprintf(out, "%s%c", t->cells[i], (i + 1) % t->columns ? ',' : '\n');
}

bool table_write(const struct table *t, const char *path, char *error)
{
    char next[1024];
    snprintf(next, sizeof next, "%s.new", path);
    FILE *f = fopen(next, "w");
    bool good = f != NULL;
    if (f) {
        table_print(t, f);
        good = !ferror(f);
        good = fclose(f) == 0 && good;
    }
    good = good && rename(next, path) == 0;
    if (!good)
        snprintf(error, TABLE_ERROR_MAX, "%s: %s", path, strerror(errno));
    return good;
}

/* ---- order ------------------------------------------------------------------------------ */

static int compare_cells(const char *a, const char *b)
{
    char *a_end, *b_end;
    double x = strtod(a, &a_end), y = strtod(b, &b_end);
    bool a_number = *a && !*a_end, b_number = *b && !*b_end;
    if (a_number && b_number && x != y)
        return x < y ? -1 : 1;
    if (a_number != b_number)
        return a_number ? -1 : 1;
    return strcmp(a, b);
}

static int compare_rows(const void *a, const void *b, void *keys)
{
    char *const *x = a, *const *y = b;
    for (unsigned i = 0; i < *(const unsigned *)keys; i++) {
        int order = compare_cells(x[i], y[i]);
        if (order)
            return order;
    }
    return 0;
}

void table_sort(struct table *t)
{
    if (t->rows)
        qsort_r(&t->cells[t->columns], t->rows, t->columns * sizeof *t->cells, compare_rows,
                &t->keys);
}
