/* SPDX-License-Identifier: MIT
 *
 * The timer heap. Invariants: heap[0 .. count) is a binary heap ordered by
 * (at_us, order), each entry knowing its slot; count <= reserved <= capacity,
 * which is why arming a reserved timer cannot fail.
 */
#include "base/timers.h"

#include <assert.h>
#include <string.h>

enum { TIMERS_CAPACITY_FIRST = 16 };

void timers_init(struct timers *ts, struct mem *mem)
{
    *ts = (struct timers){.mem = mem};
}

void timers_free(struct timers *ts)
{
    mem_free(ts->mem, ts->heap, ts->capacity * sizeof *ts->heap);
    *ts = (struct timers){.mem = ts->mem};
}

static bool timer_before(const struct timer *a, const struct timer *b)
{
    return a->at_us < b->at_us || (a->at_us == b->at_us && a->order < b->order);
}

static void heap_place(struct timers *ts, uint32_t index, struct timer *t)
{
    ts->heap[index] = t;
    t->slot = index + 1;
}

static void heap_up(struct timers *ts, uint32_t index)
{
    struct timer *t = ts->heap[index];
    while (index) {
        uint32_t parent = (index - 1) / 2;
        if (!timer_before(t, ts->heap[parent]))
            break;
        heap_place(ts, index, ts->heap[parent]);
        index = parent;
    }
    heap_place(ts, index, t);
}

static void heap_down(struct timers *ts, uint32_t index)
{
    struct timer *t = ts->heap[index];
    for (;;) {
        uint32_t child = 2 * index + 1;
        if (child >= ts->count)
            break;
        if (child + 1 < ts->count && timer_before(ts->heap[child + 1], ts->heap[child]))
            child++;
        if (!timer_before(ts->heap[child], t))
            break;
        heap_place(ts, index, ts->heap[child]);
        index = child;
    }
    heap_place(ts, index, t);
}

/* Restore order around an entry whose key has changed. */
static void heap_fix(struct timers *ts, uint32_t index)
{
    struct timer *t = ts->heap[index];
    heap_up(ts, index);
    heap_down(ts, t->slot - 1);
}

static void heap_remove(struct timers *ts, struct timer *t)
{
    uint32_t index = t->slot - 1;
    t->slot = 0;
    struct timer *last = ts->heap[--ts->count];
    if (last == t)
        return;
    heap_place(ts, index, last);
    heap_fix(ts, index);
}

static bool timers_grow(struct timers *ts)
{
    uint32_t capacity = ts->capacity ? ts->capacity * 2 : TIMERS_CAPACITY_FIRST;
    if (capacity < ts->capacity)
        return false;
    struct timer **heap = mem_alloc_raw(ts->mem, capacity * sizeof *heap);
    if (!heap)
        return false;
    if (ts->count)
        memcpy(heap, ts->heap, ts->count * sizeof *heap);
    mem_free(ts->mem, ts->heap, ts->capacity * sizeof *ts->heap);
    ts->heap = heap;
    ts->capacity = capacity;
    return true;
}

bool timers_reserve(struct timers *ts, struct timer *t)
{
    assert(!t->reserved);
    if (ts->reserved == ts->capacity && !timers_grow(ts))
        return false;
    ts->reserved++;
    *t = (struct timer){.at_us = TIMER_NEVER, .reserved = true};
    return true;
}

void timers_forget(struct timers *ts, struct timer *t)
{
    if (!t->reserved)
        return;
    if (t->slot)
        heap_remove(ts, t);
    ts->reserved--;
    *t = (struct timer){.at_us = TIMER_NEVER};
}

void timers_set(struct timers *ts, struct timer *t, uint64_t at_us)
{
    assert(t->reserved);
    t->at_us = at_us;
    if (at_us == TIMER_NEVER) {
        if (t->slot)
            heap_remove(ts, t);
        return;
    }
    t->order = ts->order++;
    if (!t->slot)
        heap_place(ts, ts->count++, t);
    heap_fix(ts, t->slot - 1);
}

uint64_t timers_next(const struct timers *ts)
{
    return ts->count ? ts->heap[0]->at_us : TIMER_NEVER;
}

struct timer *timers_expire(struct timers *ts, uint64_t now_us)
{
    if (!ts->count || ts->heap[0]->at_us > now_us)
        return NULL;
    struct timer *t = ts->heap[0];
    heap_remove(ts, t);
    t->at_us = TIMER_NEVER;
    return t;
}
