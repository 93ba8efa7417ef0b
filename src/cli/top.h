/* SPDX-License-Identifier: MIT
 *
 * plait top: what its files share.
 *
 *   cmd_top.c     options, the loop: keys, the daemon's lines, time, signals
 *   top_model.c   what the daemon said last and before that: rates, order, filter
 *   top_text.c    that as lines of text
 *   top_screen.c  those lines on a terminal, and keys
 */
#ifndef CLI_TOP_H
#define CLI_TOP_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* X(NAME, "name") : the largest first, but for names. */
#define TOP_SORTS(X) X(RATE, "rate") X(BYTES, "bytes") X(RTT, "rtt") X(AGE, "age") X(NAME, "name")
enum top_sort {
#define X(id, name) TOP_BY_##id,
    TOP_SORTS(X)
#undef X
        TOP_SORT_COUNT
};
const char *top_sort_name(enum top_sort sort);
/* False: no order has this name. */
bool top_sort_find(const char *name, enum top_sort *out);

enum { TOP_FILTER_MAX = 64, TOP_EVENTS_MAX = 64, TOP_EVENT_TEXT_MAX = 200 };

struct top {
    json_t *now, *before; /* answers to "status"; NULL: not yet */
    enum top_sort sort;
    bool reverse, no_subflows, no_events;
    bool paused;                 /* what the daemon says is not taken */
    char filter[TOP_FILTER_MAX]; /* "": all; else what program, addresses or names contain */
    char events[TOP_EVENTS_MAX][TOP_EVENT_TEXT_MAX]; /* a ring */
    unsigned event_count;                            /* ever */
};

/* Bits a second between the last two answers; 0 where there are not two. */
struct top_rate {
    double out, in;
};
struct top_row {
    const json_t *conn, *before; /* the latter may be NULL */
    struct top_rate rate;
    double key;
};

/* An answer to "status", or an event: taken over. */
void top_take(struct top *t, json_t *answer);
void top_event(struct top *t, json_t *event);
void top_free(struct top *t);
/* The connections to be shown, in order: the caller's to free; *count of them. */
struct top_row *top_rows(const struct top *t, unsigned *count);
/* Of one of a connection's subflows, and of a row of "paths". */
struct top_rate top_subflow_rate(const struct top *t, const struct top_row *row,
                                 const json_t *subflow);
struct top_rate top_path_rate(const struct top *t, const json_t *path);
/* The i-th latest event, from 0; NULL: there is none. */
const char *top_event_text(const struct top *t, unsigned i);

/* 0 where there is none; exact up to 2^53. */
uint64_t top_number(const json_t *o, const char *name);
const char *top_string(const json_t *o, const char *name); /* "?" where there is none */

/* ---- as text -------------------------------------------------------------- */

enum { TOP_LINE_MAX = 256 };
enum top_kind { TOP_DAEMON, TOP_PATH, TOP_HEADER, TOP_CONN, TOP_SUBFLOW, TOP_TROUBLE };
/* One line without control characters. TOP_TROUBLE: a subflow that is stale or ended. */
typedef void top_put(void *ctx, enum top_kind kind, const char *line);
/* What stands above the connections, and these; for a terminal of so many columns. */
void top_head(const struct top *t, unsigned columns, top_put *put, void *ctx);
void top_conns(const struct top *t, unsigned columns, top_put *put, void *ctx);

/* ---- on a terminal --------------------------------------------------------- */

struct screen;
/* NULL: this terminal cannot do it. */
struct screen *screen_open(void);
/* The terminal is as it was. */
void screen_close(struct screen *s);
void screen_draw(struct screen *s, const struct top *t);
/* Take what was typed: false: to end. */
bool screen_keys(struct screen *s, struct top *t);

#endif
