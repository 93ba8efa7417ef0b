/* SPDX-License-Identifier: MIT
 *
 * Descriptors and timers under one epoll: the part of the host loop that
 * knows nothing of packets or engines.
 */
#ifndef HOST_LOOP_H
#define HOST_LOOP_H

#include "base/list.h"
#include "base/timers.h"
#include "host/host.h"

struct loop {
    int epoll_fd;
    struct list watches;  /* struct watch */
    struct watch **by_fd; /* the same, `fds` places */
    unsigned fds;
    struct list removed;   /* freed after the dispatch in which they may be named */
    bool busy;             /* never sleep */
    unsigned always_ready; /* watched plain files */
    struct host_pause pause;
    struct mem mem;
    struct timers timers;
};

int loop_open(struct loop *l);
void loop_close(struct loop *l);
/* CLOCK_MONOTONIC in microseconds. Nobody but the host asks. */
uint64_t loop_clock(void);
/* What to add to loop_clock to get the time of day. */
uint64_t loop_realtime(void);
/* malloc and free. */
extern const struct plait_allocator loop_heap;

/* As host_watch. */
int loop_watch(struct loop *l, int fd, unsigned events, host_fd_fn *fn, void *ctx);
/* Wait at most timeout_us (UINT64_MAX: no limit), then call who is ready.
 * *now_us is set between the two. 0 or a negative errno. */
int loop_wait(struct loop *l, uint64_t timeout_us, uint64_t *now_us);

struct host_timer *loop_timer_new(struct loop *l, host_timer_fn *fn, void *ctx);
void loop_timer_free(struct loop *l, struct host_timer *t);
void loop_timer_set(struct loop *l, struct host_timer *t, uint64_t at_us);
/* Call every timer that is due. */
void loop_timers_run(struct loop *l, uint64_t now_us);

#endif
