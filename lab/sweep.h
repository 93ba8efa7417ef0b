/* SPDX-License-Identifier: MIT
 *
 * One scenario many times: the product of the values of some parameters, each
 * with a range of seeds, over all cores, into one table. In a folder the table
 * grows as runs end, so that a sweep which was interrupted goes on where it
 * was: runs that have a row are not run again.
 *
 * The folder holds results.csv, scenario.lua (the file that made them; another
 * version of it starts in another folder), and the plots.
 */
#ifndef LAB_SWEEP_H
#define LAB_SWEEP_H

#include "lab/lab.h"
#include "lab/table.h"

enum {
    SWEEP_AXES_MAX = 8,
    SWEEP_VALUES_MAX = 256,
    SWEEP_RUNS_MAX = 1000000,
    SWEEP_ERROR_MAX = TABLE_ERROR_MAX
};

/* --sweep name=a,b,c; 1..9 among the values stands for all of these numbers */
struct sweep_axis {
    const char *name;
    const char *values[SWEEP_VALUES_MAX];
    char numbers[SWEEP_VALUES_MAX][8]; /* those that a range stands for */
    unsigned count;
};

struct sweep {
    const char *path;                      /* of the scenario */
    const struct script_setting *settings; /* for all runs */
    unsigned setting_count;
    struct sweep_axis axes[SWEEP_AXES_MAX];
    unsigned axis_count;
    uint64_t seed_first, seed_last;
    unsigned workers;          /* 0: one a core */
    const char *folder;        /* NULL: the table is not kept */
    const char *pcap, *events; /* folders for a file a run; NULL: none */

    /* A run has ended: how many of those to be run have, how many of them
     * failed, and what the failed one said (else NULL). */
    void (*progress)(void *ctx, const struct sweep *s, const char *failure);
    void *ctx;

    uint64_t todo, done, failed; /* runs, without those that had a row */
    uint64_t *pending;           /* their numbers */
    struct table table;
    struct script *script;      /* described: title, plots */
    char note[SWEEP_ERROR_MAX]; /* after sweep_finish: what could not be drawn; or empty */
};

/* Cut "a=1,2,3" into an axis; the text is the axis' from then on and changes. */
bool sweep_axis_parse(struct sweep_axis *axis, char *text, char *error);

/* How many runs it is, those with a row included. */
uint64_t sweep_runs(const struct sweep *s);
/* The settings of run i (axis_count of them); returns its seed. */
uint64_t sweep_settings(const struct sweep *s, uint64_t i, struct script_setting *out);

/* Look at the scenario and the folder; false: error says what is wrong. */
bool sweep_open(struct sweep *s, char *error);
/* Run what has no row yet. False: error says what made it stop; runs that
 * failed are counted instead. */
bool sweep_run(struct sweep *s, char *error);
/* The table in order, to the folder; and the plots. */
bool sweep_finish(struct sweep *s, char *error);
void sweep_close(struct sweep *s);

/* Join the tables of several folders in s->folder. */
bool sweep_merge(struct sweep *s, char *const *parts, unsigned count, char *error);

#endif
