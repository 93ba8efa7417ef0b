/* SPDX-License-Identifier: MIT
 *
 * How a transfer is going, on standard error or output: on a terminal a block
 * of lines that is redrawn in place, a bar for the whole and one for each
 * path; elsewhere a plain line now and then. Colours only on a terminal, and
 * not when NO_COLOR is set (no-color.org).
 */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { PROGRESS_PATHS_MAX = 8, PROGRESS_NAME_MAX = 48 };

struct progress_path {
    char name[PROGRESS_NAME_MAX];
    uint64_t bytes;   /* so far */
    const char *note; /* "down"; NULL: nothing to say */
};

struct progress_state {
    uint64_t bytes, goal_bytes; /* goal 0: unknown */
    const struct progress_path *paths;
    unsigned count;
};

/* The rates are of the time since the last update, smoothed. */
struct progress {
    FILE *out;
    bool live, colour;
    unsigned lines; /* on the screen now */
    uint64_t period_us, start_us, last_us, last_bytes, path_last[PROGRESS_PATHS_MAX];
    double rate, path_rate[PROGRESS_PATHS_MAX]; /* bits a second */
    double rate_max;
};

enum progress_mode { PROGRESS_AUTO /* only on a terminal */, PROGRESS_ON, PROGRESS_OFF };

void progress_init(struct progress *p, FILE *out, enum progress_mode mode, uint64_t now_us);
/* When progress_update should be called next; UINT64_MAX: never. */
uint64_t progress_next(const struct progress *p);
void progress_update(struct progress *p, uint64_t now_us, const struct progress_state *state);
/* Take the block away, so that something else may be printed. */
void progress_clear(struct progress *p);

#endif
