/* SPDX-License-Identifier: MIT
 *
 * Many independent jobs in child processes, a few at a time: a job that
 * crashes, aborts or hangs is a failed job and nothing more.
 */
#ifndef SIM_JOBS_H
#define SIM_JOBS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { JOB_TEXT_MAX = 32768 };

struct job_result {
    uint64_t number;
    bool ok;
    char text[JOB_TEXT_MAX]; /* what the job wrote, standard error included */
};

struct jobs {
    uint64_t first, last; /* job numbers, both included */
    unsigned workers;     /* at a time; 0: one a core */
    unsigned limit_s;     /* CPU seconds a job; 0: none */
    void *ctx;
    /* In the child. False: failed. */
    bool (*run)(void *ctx, uint64_t number, FILE *out);
    /* In the parent, in the order in which jobs end. False: start no more. */
    bool (*done)(void *ctx, const struct job_result *r);
};

/* How many failed; UINT64_MAX: a process could not be made (errno). */
uint64_t jobs_run(const struct jobs *j);

#endif
