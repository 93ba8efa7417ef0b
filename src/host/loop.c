/* SPDX-License-Identifier: MIT */
#include "host/loop.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS_AT_ONCE = 64 };
#define WAIT_MAX_US (3600ull * 1000000)

struct watch {
    struct list link;
    int fd;
    unsigned events;
    bool always;    /* a plain file, which epoll refuses */
    host_fd_fn *fn; /* NULL: removed */
    void *ctx;
};

struct host_timer {
    struct timer timer; /* first */
    host_timer_fn *fn;
    void *ctx;
};

static void *heap_alloc(void *ctx, size_t size)
{
    (void)ctx;
    return malloc(size);
}

static void heap_free(void *ctx, void *ptr, size_t size)
{
    (void)ctx;
    (void)size;
    free(ptr);
}

const struct plait_allocator loop_heap = {NULL, heap_alloc, heap_free};

/* Payload chunks come and go at the heap's end: keep their pages. */
static void heap_keeps_pages(void)
{
    mallopt(M_MMAP_THRESHOLD, 1 << 20);
    mallopt(M_TRIM_THRESHOLD, 64 << 20);
}

int loop_open(struct loop *l)
{
    heap_keeps_pages();
    *l = (struct loop){.epoll_fd = epoll_create1(EPOLL_CLOEXEC)};
    list_init(&l->watches);
    list_init(&l->removed);
    mem_init(&l->mem, &loop_heap, 0);
    timers_init(&l->timers, &l->mem);
    return l->epoll_fd < 0 ? -errno : 0;
}

static void free_list(struct list *head)
{
    list_each(w, head, struct watch, link) {
        list_remove(&w->link);
        free(w);
    }
}

void loop_close(struct loop *l)
{
    free_list(&l->watches);
    free_list(&l->removed);
    free(l->by_fd);
    timers_free(&l->timers);
    if (l->epoll_fd >= 0)
        close(l->epoll_fd);
    l->epoll_fd = -1;
}

static uint64_t clock_us(clockid_t clock)
{
    struct timespec t;

    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

uint64_t loop_clock(void)
{
    return clock_us(CLOCK_MONOTONIC);
}

uint64_t loop_realtime(void)
{
    return clock_us(CLOCK_REALTIME) - clock_us(CLOCK_MONOTONIC);
}

/* ---- descriptors ------------------------------------------------------------- */

static struct watch *find_watch(struct loop *l, int fd)
{
    return fd >= 0 && (unsigned)fd < l->fds ? l->by_fd[fd] : NULL;
}

/* A place for this descriptor's watch. */
static bool reserve_fd(struct loop *l, int fd)
{
    unsigned fds = l->fds ? l->fds : 64;

    if (fd < 0)
        return false;
    while (fds <= (unsigned)fd)
        fds *= 2;
    if (fds == l->fds)
        return true;
    struct watch **by_fd = realloc(l->by_fd, fds * sizeof *by_fd);
    if (!by_fd)
        return false;
    memset(by_fd + l->fds, 0, (fds - l->fds) * sizeof *by_fd);
    l->by_fd = by_fd;
    l->fds = fds;
    return true;
}

static int epoll_set(struct loop *l, int op, struct watch *w)
{
    struct epoll_event e = {.data.ptr = w};

    e.events = (w->events & HOST_IN ? EPOLLIN | EPOLLRDHUP : 0u) |
               (w->events & HOST_OUT ? (unsigned)EPOLLOUT : 0u) |
               (w->events & HOST_EDGE ? (unsigned)EPOLLET : 0u);
    return epoll_ctl(l->epoll_fd, op, w->fd, &e) < 0 ? -errno : 0;
}

static void watch_remove(struct loop *l, struct watch *w)
{
    if (w->always)
        l->always_ready--;
    else
        epoll_ctl(l->epoll_fd, EPOLL_CTL_DEL, w->fd, NULL);
    w->fn = NULL;
    l->by_fd[w->fd] = NULL;
    list_remove(&w->link);
    list_append(&l->removed, &w->link);
}

static int watch_add(struct loop *l, int fd, unsigned events, host_fd_fn *fn, void *ctx)
{
    struct watch *w = calloc(1, sizeof *w);
    int err;

    if (!w || !reserve_fd(l, fd)) {
        free(w);
        return fd < 0 ? -EBADF : -ENOMEM;
    }
    *w = (struct watch){.fd = fd, .events = events, .fn = fn, .ctx = ctx};
    err = epoll_set(l, EPOLL_CTL_ADD, w);
    if (err == -EPERM) {
        w->always = true;
        l->always_ready++;
        err = 0;
    }
    if (err) {
        free(w);
        return err;
    }
    l->by_fd[fd] = w;
    list_append(&l->watches, &w->link);
    return 0;
}

int loop_watch(struct loop *l, int fd, unsigned events, host_fd_fn *fn, void *ctx)
{
    struct watch *w = find_watch(l, fd);

    if (!w)
        return events ? watch_add(l, fd, events, fn, ctx) : 0;
    if (!events) {
        watch_remove(l, w);
        return 0;
    }
    w->fn = fn;
    w->ctx = ctx;
    if (w->events == events)
        return 0;
    w->events = events;
    return w->always ? 0 : epoll_set(l, EPOLL_CTL_MOD, w);
}

static unsigned events_of(uint32_t epoll_events)
{
    unsigned events = 0;

    if (epoll_events & (EPOLLIN | EPOLLRDHUP))
        events |= HOST_IN;
    if (epoll_events & EPOLLOUT)
        events |= HOST_OUT;
    if (epoll_events & EPOLLRDHUP)
        events |= HOST_END;
    if (epoll_events & (EPOLLHUP | EPOLLERR))
        events |= HOST_HUP;
    return events;
}

static void dispatch(struct loop *l, const struct epoll_event *ready, int count)
{
    for (int i = 0; i < count; i++) {
        struct watch *w = ready[i].data.ptr;
        if (w->fn) /* an earlier callback may have removed it */
            w->fn(w->ctx, w->fd, events_of(ready[i].events));
    }
    if (l->always_ready) {
        list_each(w, &l->watches, struct watch, link) {
            if (w->always)
                w->fn(w->ctx, w->fd, w->events);
        }
    }
    free_list(&l->removed);
}

static int wait_for(struct loop *l, uint64_t timeout_us, struct epoll_event *ready)
{
    struct timespec t = {.tv_sec = (time_t)(timeout_us / 1000000),
                         .tv_nsec = (long)(timeout_us % 1000000) * 1000};
    int count = epoll_pwait2(l->epoll_fd, ready, EVENTS_AT_ONCE, &t, NULL);

    if (count < 0 && errno == ENOSYS) /* before Linux 5.11: milliseconds, rounded up */
        count = epoll_wait(l->epoll_fd, ready, EVENTS_AT_ONCE, (int)((timeout_us + 999) / 1000));
    return count < 0 ? -errno : count;
}

int loop_wait(struct loop *l, uint64_t timeout_us, uint64_t *now_us)
{
    struct epoll_event ready[EVENTS_AT_ONCE];

    if (l->always_ready || l->busy)
        timeout_us = 0;
    if (timeout_us > WAIT_MAX_US)
        timeout_us = WAIT_MAX_US; /* the caller comes round again */
    if (l->pause.before)
        l->pause.before(l->pause.ctx, loop_clock() + timeout_us);
    int count = wait_for(l, timeout_us, ready);
    if (l->pause.after)
        l->pause.after(l->pause.ctx);
    if (count < 0 && count != -EINTR)
        return count;
    *now_us = loop_clock();
    dispatch(l, ready, count);
    return 0;
}

/* ---- timers ------------------------------------------------------------------ */

struct host_timer *loop_timer_new(struct loop *l, host_timer_fn *fn, void *ctx)
{
    struct host_timer *t = calloc(1, sizeof *t);

    if (!t)
        return NULL;
    t->timer.at_us = TIMER_NEVER;
    t->fn = fn;
    t->ctx = ctx;
    if (!timers_reserve(&l->timers, &t->timer)) {
        free(t);
        return NULL;
    }
    return t;
}

void loop_timer_free(struct loop *l, struct host_timer *t)
{
    if (!t)
        return;
    timers_forget(&l->timers, &t->timer);
    free(t);
}

void loop_timer_set(struct loop *l, struct host_timer *t, uint64_t at_us)
{
    timers_set(&l->timers, &t->timer, at_us);
}

void loop_timers_run(struct loop *l, uint64_t now_us)
{
    struct timer *due;

    while ((due = timers_expire(&l->timers, now_us))) {
        struct host_timer *t = (struct host_timer *)due;
        t->fn(t->ctx);
    }
}
