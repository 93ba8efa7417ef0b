/* SPDX-License-Identifier: MIT */
#include "cli/progress.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/units.h"

enum { LIVE_PERIOD_US = 100000, PLAIN_PERIOD_US = 1000000, BAR_MAX = 40, BAR_MIN = 8 };

/* Green, blue, yellow, magenta, cyan: legible on dark and on light. */
static const char *const colours[] = {"32", "34", "33", "35", "36"};

static bool fancy_terminal(FILE *out)
{
    const char *term = getenv("TERM");

    return isatty(fileno(out)) && term && strcmp(term, "dumb") != 0;
}

void progress_init(struct progress *p, FILE *out, enum progress_mode mode, uint64_t now_us)
{
    const char *no_colour = getenv("NO_COLOR");

    *p = (struct progress){.out = out, .start_us = now_us, .last_us = now_us};
    p->live = mode != PROGRESS_OFF && fancy_terminal(out);
    p->colour = p->live && !(no_colour && *no_colour);
    p->period_us = p->live ? LIVE_PERIOD_US : mode == PROGRESS_ON ? PLAIN_PERIOD_US : 0;
}

uint64_t progress_next(const struct progress *p)
{
    return p->period_us ? p->last_us + p->period_us : UINT64_MAX;
}

static double smooth(double before, uint64_t bytes, uint64_t us, bool live)
{
    double rate = (double)bytes * 8e6 / (double)us;

    return live && before > 0 ? before * 0.7 + rate * 0.3 : rate;
}

static void measure(struct progress *p, uint64_t now_us, const struct progress_state *s)
{
    uint64_t us = now_us > p->last_us ? now_us - p->last_us : 1;

    p->rate = smooth(p->rate, s->bytes - p->last_bytes, us, p->live);
    p->last_bytes = s->bytes;
    for (unsigned i = 0; i < s->count && i < PROGRESS_PATHS_MAX; i++) {
        uint64_t fresh = s->paths[i].bytes - p->path_last[i];
        p->path_rate[i] = smooth(p->path_rate[i], fresh, us, p->live);
        p->path_last[i] = s->paths[i].bytes;
        if (p->path_rate[i] > p->rate_max)
            p->rate_max = p->path_rate[i];
    }
    p->last_us = now_us;
}

static unsigned columns(FILE *out)
{
    struct winsize size;

    return ioctl(fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col ? size.ws_col : 80;
}

static void draw_bar(const struct progress *p, double part, unsigned width, const char *colour)
{
    unsigned full = part <= 0 ? 0 : part >= 1 ? width : (unsigned)(part * width + 0.5);

    if (p->colour)
        fprintf(p->out, "\033[%sm", colour);
    for (unsigned i = 0; i < full; i++)
        fputs("█", p->out);
    if (p->colour)
        fputs("\033[0m", p->out);
    for (unsigned i = full; i < width; i++)
        fputs("░", p->out);
}

static double share_of(const struct progress_state *s, unsigned i)
{
    uint64_t all = 0;

    for (unsigned k = 0; k < s->count; k++)
        all += s->paths[k].bytes;
    return all ? (double)s->paths[i].bytes / (double)all : 0;
}

static void draw_live(struct progress *p, const struct progress_state *s)
{
    char done[UNIT_TEXT_MAX], rate[UNIT_TEXT_MAX];
    unsigned wide = columns(p->out), count = s->count;
    unsigned bar = wide > 60 + BAR_MIN ? wide - 60 : BAR_MIN;

    if (bar > BAR_MAX)
        bar = BAR_MAX;
    if (count > PROGRESS_PATHS_MAX)
        count = PROGRESS_PATHS_MAX;
    progress_clear(p);
    double part = s->goal_bytes ? (double)s->bytes / (double)s->goal_bytes : 0;
    fprintf(p->out, "%-28s ", "total");
    draw_bar(p, part, bar, "0");
    fprintf(p->out, " %11s %8s", format_rate(p->rate, rate), format_size(s->bytes, done));
    if (s->goal_bytes)
        fprintf(p->out, " %3.0f %%", 100 * part);
    fputc('\n', p->out);
    for (unsigned i = 0; i < count; i++) {
        fprintf(p->out, "%-28.28s ", s->paths[i].name);
        draw_bar(p, p->rate_max > 0 ? p->path_rate[i] / p->rate_max : 0, bar,
                 colours[i % (sizeof colours / sizeof colours[0])]);
        fprintf(p->out, " %11s %8s %3.0f %% %s\n", format_rate(p->path_rate[i], rate),
                format_size(s->paths[i].bytes, done), 100 * share_of(s, i),
                s->paths[i].note ? s->paths[i].note : "");
    }
    p->lines = count + 1;
}

static void draw_plain(const struct progress *p, const struct progress_state *s)
{
    char done[UNIT_TEXT_MAX], rate[UNIT_TEXT_MAX];

    fprintf(p->out, "%6.1f s  %s", (double)(p->last_us - p->start_us) / 1e6,
            format_size(s->bytes, done));
    if (s->goal_bytes)
        fprintf(p->out, " (%.0f %%)", 100 * (double)s->bytes / (double)s->goal_bytes);
    fprintf(p->out, "  %s", format_rate(p->rate, rate));
    for (unsigned i = 0; i < s->count && i < PROGRESS_PATHS_MAX; i++)
        fprintf(p->out, "   %s %s%s%s", s->paths[i].name, format_rate(p->path_rate[i], rate),
                s->paths[i].note ? " " : "", s->paths[i].note ? s->paths[i].note : "");
    fputc('\n', p->out);
}

void progress_update(struct progress *p, uint64_t now_us, const struct progress_state *s)
{
    if (!p->period_us)
        return;
    measure(p, now_us, s);
    if (p->live)
        draw_live(p, s);
    else
        draw_plain(p, s);
    fflush(p->out);
}

void progress_clear(struct progress *p)
{
    if (p->lines)
        fprintf(p->out, "\033[%uA\033[J", p->lines);
    p->lines = 0;
}
