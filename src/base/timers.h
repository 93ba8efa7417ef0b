/* SPDX-License-Identifier: MIT
 *
 * Timers of one stack: a binary heap of intrusive entries. Equal deadlines
 * fire in the order in which they were armed, so that a run is repeatable.
 * Arming may allocate; a timer that was armed once keeps its slot in the
 * heap's array reserved until timers_forget, so re-arming never fails.
 */
#ifndef BASE_TIMERS_H
#define BASE_TIMERS_H

#include "base/alloc.h"

#define TIMER_NEVER UINT64_MAX

struct timer {
    uint64_t at_us; /* TIMER_NEVER: not armed */
    uint64_t order;
    uint32_t slot; /* index in the heap + 1; 0: not in it */
    bool reserved;
};

struct timers {
    struct mem *mem;
    struct timer **heap;
    uint32_t count, capacity, reserved;
    uint64_t order;
};

void timers_init(struct timers *ts, struct mem *mem);
void timers_free(struct timers *ts);

/* Make room for t, unarmed. False when memory is refused. */
bool timers_reserve(struct timers *ts, struct timer *t);
/* Disarm t and give up its room. Harmless if it has none. */
void timers_forget(struct timers *ts, struct timer *t);

/* Arm, re-arm (TIMER_NEVER disarms). t must be reserved. */
void timers_set(struct timers *ts, struct timer *t, uint64_t at_us);
/* The earliest deadline, TIMER_NEVER when nothing is armed. */
uint64_t timers_next(const struct timers *ts);
/* Take one timer that is due at now_us off the heap, or NULL. */
struct timer *timers_expire(struct timers *ts, uint64_t now_us);

#endif
