/* SPDX-License-Identifier: MIT
 *
 * Scenarios written in Lua: a file that builds a world in the simulator, runs
 * it and says what it measured. docs/scenarios.md is the language; this is
 * how a program plays such a file.
 *
 * A run is a function of the file, its settings and the seed: the language has
 * no clock, no files, no randomness but the world's, tables are walked in the
 * order of their keys, and texts never show an address of memory.
 *
 * A file is not trusted: it gets so many instructions and so much memory, and
 * whatever goes wrong in it is an error with the file's name and line.
 */
#ifndef LAB_LAB_H
#define LAB_LAB_H

#include "sim/scenario.h"

enum {
    SCRIPT_PARAMS_MAX = 32,
    SCRIPT_PLOTS_MAX = 8,
    SCRIPT_NAME_MAX = 32,  /* a parameter's, with the final 0 */
    SCRIPT_VALUE_MAX = 64, /* its value as text */
    SCRIPT_TEXT_MAX = 160, /* titles, help */
    SCRIPT_ERROR_MAX = 512
};

/* One --set: both are the caller's. */
struct script_setting {
    const char *name, *value;
};

/* A parameter that the file declares. */
struct script_param {
    char name[SCRIPT_NAME_MAX], unit[16], help[SCRIPT_TEXT_MAX];
    char value[SCRIPT_VALUE_MAX]; /* in this run */
    bool given;                   /* by a setting, not the default */
    bool number;                  /* not a text, true or false */
};

/* What to draw of a sweep: columns of its table by name. */
struct script_plot {
    char name[SCRIPT_NAME_MAX]; /* of the files */
    char title[SCRIPT_TEXT_MAX];
    char x[56], y[56], series[SCRIPT_NAME_MAX]; /* series "": one line */
    char xlabel[56], ylabel[56];
    bool logx, logy;
    bool cdf; /* the distribution of y instead of y over x */
};

struct script {
    struct run run; /* in: seed, pcap_path, events; out: hash, figures, failure */

    const char *path;                      /* of the file */
    const struct script_setting *settings; /* the last one of a name counts */
    unsigned setting_count;
    FILE *out;                                 /* what the file prints; NULL: nowhere */
    const char *cc, *scheduler, *path_manager; /* of hosts for which the file names none; NULL:
                                                * the defaults */
    uint64_t steps_max;                        /* instructions; 0: 4e9, half a minute of them */
    size_t mem_max_bytes;                      /* 0: 256 MiB */

    char title[SCRIPT_TEXT_MAX];
    struct script_param params[SCRIPT_PARAMS_MAX]; /* in the order of the file */
    unsigned param_count;
    struct script_plot plots[SCRIPT_PLOTS_MAX];
    unsigned plot_count;

    struct play *play; /* while it runs */
};

/* Read the file up to its first host: title, parameters and plots are known
 * then, and nothing was simulated. False: error (SCRIPT_ERROR_MAX bytes) says
 * what is wrong, with file and line, or which setting the file does not have. */
bool script_describe(struct script *s, char *error);

/* Play it. False: s->run.failure says what did not hold or went wrong. */
bool script_run(struct script *s);

#endif
