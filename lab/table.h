/* SPDX-License-Identifier: MIT
 *
 * The tidy table of a sweep: one row a run. First the parameters, then `seed`,
 * which together name the run (its key), then `hash` and the figures. As a file
 * it is CSV without quotes: no cell has a comma, a quote or a line's end.
 */
#ifndef LAB_TABLE_H
#define LAB_TABLE_H

#include <stdbool.h>
#include <stdio.h>

enum { TABLE_COLUMNS_MAX = 128, TABLE_ERROR_MAX = 400 };

struct table {
    unsigned columns; /* 0: nothing is known of it yet */
    unsigned keys;    /* the first so many, the last of them `seed` */
    unsigned rows, room;
    char **cells; /* the names of the columns, then row after row; the table's own */
};

void table_free(struct table *t);

/* Take a header in; where the table has one it must be the same. False: error
 * (TABLE_ERROR_MAX bytes) says why. Lines end with the text or a line's end. */
bool table_header(struct table *t, const char *line, char *error);
/* One more row. The row of a key that there is must be the same one. */
bool table_row(struct table *t, const char *line, char *error);
/* Add what stands in a file (header and rows; a last line that was cut off is
 * passed over). A file that is not there is an empty one only if may_lack. */
bool table_read(struct table *t, const char *path, bool may_lack, char *error);

const char *table_cell(const struct table *t, unsigned row, unsigned column);
/* The column's place, or -1. */
int table_column(const struct table *t, const char *name);
/* There is a row with this key, cells separated by commas. */
bool table_has(const struct table *t, const char *key);

/* By key: columns from the left, numbers by value and before texts. */
void table_sort(struct table *t);
void table_print(const struct table *t, FILE *out);
/* Anew, so that either the old or the new file is there. */
bool table_write(const struct table *t, const char *path, char *error);

#endif
