/* SPDX-License-Identifier: MIT
 *
 * The few things that every command does the same way: errors, signals, the
 * clock, and guessing what a misspelt word meant.
 */
#include "cli/cli.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static const char *command_name;
static volatile sig_atomic_t interrupted;

void cli_set_name(const char *name)
{
    command_name = name;
}

void cli_error(const char *format, ...)
{
    va_list args;

    fflush(stdout);
    if (command_name)
        fprintf(stderr, "plait %s: ", command_name);
    else
        fprintf(stderr, "plait: ");
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

static void on_signal(int number)
{
    (void)number;
    interrupted = 1;
}

void cli_catch_signals(void)
{
    /* SA_RESETHAND: the second one kills, should closing hang. No SA_RESTART:
     * the wait that the signal finds us in has to end. */
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

bool cli_interrupted(void)
{
    return interrupted != 0;
}

uint64_t cli_now_us(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000u + (uint64_t)ts.tv_nsec / 1000u;
}

/* Levenshtein's distance, for words short enough to be options. */
static unsigned distance(const char *a, const char *b)
{
    enum { WORD_MAX = 32 };
    unsigned row[WORD_MAX + 1];
    size_t a_len = strlen(a), b_len = strlen(b);

    if (a_len > WORD_MAX || b_len > WORD_MAX)
        return WORD_MAX;
    for (unsigned j = 0; j <= b_len; j++)
        row[j] = j;
    for (size_t i = 1; i <= a_len; i++) {
        unsigned diagonal = row[0];
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= b_len; j++) {
            unsigned above = row[j];
            unsigned best = diagonal + (a[i - 1] != b[j - 1]);
            if (above + 1 < best)
                best = above + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
            diagonal = above;
        }
    }
    return row[b_len];
}

const char *cli_nearest(const char *word, const char *const *names, size_t count)
{
    const char *best = NULL;
    unsigned best_distance = 3; /* two slips are a typing error, three another word */

    for (size_t i = 0; i < count; i++) {
        unsigned d = distance(word, names[i]);
        if (d < best_distance && d < strlen(names[i])) {
            best_distance = d;
            best = names[i];
        }
    }
    return best;
}
