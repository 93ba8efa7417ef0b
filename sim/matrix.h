/* SPDX-License-Identifier: MIT
 *
 * The middlebox matrix: each row of boxes x {v0, v1} x {checksums on, off} x
 * {the only path, the first subflow's of two, the joined subflow's} x {data to
 * the server, to the client}. A cell is one small world, run with and without
 * the boxes; what may come of it is part of the row, so that a cell which
 * differs is a failure.
 */
#ifndef SIM_MATRIX_H
#define SIM_MATRIX_H

#include "plait/plait.h"
#include "sim/box.h"

enum matrix_place { PLACE_ONLY, PLACE_FIRST, PLACE_JOINED, PLACE_COUNT };

/* A cell's number: its coordinates. */
struct matrix_cell {
    unsigned version; /* of MPTCP: 0 or 1 */
    bool checksum, to_client;
    enum matrix_place place;
};
enum { MATRIX_CELLS = 2 * 2 * PLACE_COUNT * 2 };
struct matrix_cell matrix_cell(unsigned number);
/* "v1, checksums, only path, to the client" */
char *matrix_cell_text(const struct matrix_cell *c, char *buf, size_t size);

/* How a connection ended. */
enum matrix_end {
    MATRIX_MPTCP = 1 << 0, /* both ends well, as Multipath TCP */
    MATRIX_TCP = 1 << 1,   /* both ends well, as plain TCP */
    MATRIX_ERROR = 1 << 2, /* both ends know of an error */
    MATRIX_HANG = 1 << 3,  /* somebody waits for ever */
    MATRIX_WRONG = 1 << 4  /* the ends do not agree, or an invariant broke */
};
/* What the reader got. */
enum matrix_data {
    DATA_INTACT = 1 << 0, /* every byte as it was written */
    DATA_PART = 1 << 1,   /* a beginning of that, with an error */
    DATA_BOXED = 1 << 2,  /* as the box rewrote it: what plain TCP would deliver */
    DATA_WRONG = 1 << 3
};

struct matrix_outcome {
    enum matrix_end end;
    enum matrix_data data;
    enum plait_reason why; /* of the fallback or of the end of the subflow that
                              went; NONE: nothing happened */
    int extra_rtts;        /* against the same without boxes */
    char note[96];         /* what went wrong, for MATRIX_HANG and MATRIX_WRONG */
};

/* What may come of a row at one place. */
struct matrix_expect {
    uint8_t end, data;     /* bits of the above */
    enum plait_reason why; /* a fallback's, as either end tells it; NONE: any */
    uint16_t rtts;         /* extra ones at most */
};

struct matrix_row {
    const char *name, *what;
    /* Boxes in the order in which data meets them, separated by blanks; @ is
     * the direction of the data, ~ the other one. */
    const char *boxes;
    struct matrix_expect expect[PLACE_COUNT];
    /* Where data is changed: what may come of it when nothing protects it.
     * end 0: the same as with checksums. */
    struct matrix_expect unprotected[PLACE_COUNT];
};
extern const struct matrix_row matrix_rows[]; /* the last one has no name */

const struct matrix_expect *matrix_expect(const struct matrix_row *row,
                                          const struct matrix_cell *c);
/* The boxes of one cell, in the order from A to B; how many (at most
 * BOXES_MAX). Aborts when the row does not parse. */
unsigned matrix_boxes(const struct matrix_row *row, const struct matrix_cell *c,
                      struct box_spec *out);

/* Run it; the same every time. row NULL: without boxes. */
void matrix_run(const struct matrix_row *row, const struct matrix_cell *c,
                struct matrix_outcome *out);
bool matrix_holds(const struct matrix_expect *e, const struct matrix_outcome *o);

const char *matrix_end_text(enum matrix_end end);
const char *matrix_data_text(enum matrix_data data);

#endif
