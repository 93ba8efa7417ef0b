/* SPDX-License-Identifier: MIT
 *
 * A host's lock and its thread: who has it may touch everything, who waits lets
 * it go. The thread sleeps outside of it, and is woken only where a timer became
 * due sooner than it sleeps.
 */
#include <signal.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "sock/sock.h"

/* ---- the lock ------------------------------------------------------------ */

void sock_enter(struct plait_host *h)
{
    if (h->threaded)
        pthread_mutex_lock(&h->mutex);
    host_refresh(h->host);
}

/* The thread sleeps for longer than what was asked for allows. */
static void wake(struct plait_host *h)
{
    static const uint64_t one = 1;
    uint64_t wait_us = host_wait_us(h->host);

    if (h->waiting && wait_us != UINT64_MAX && host_now(h->host) + wait_us < h->wait_until_us) {
        h->waiting = false; /* once is enough */
        if (write(h->wake_fd, &one, sizeof one) < 0)
            return; /* full: it is awake already */
    }
}

void sock_leave(struct plait_host *h)
{
    host_flush(h->host);
    if (!h->threaded)
        return;
    wake(h);
    pthread_mutex_unlock(&h->mutex);
}

static void before_wait(void *ctx, uint64_t until_us)
{
    struct plait_host *h = ctx;

    h->waiting = true;
    h->wait_until_us = until_us;
    pthread_mutex_unlock(&h->mutex);
}

static void after_wait(void *ctx)
{
    struct plait_host *h = ctx;

    pthread_mutex_lock(&h->mutex);
    h->waiting = false;
}

static void on_wake(void *ctx, int fd, unsigned events)
{
    uint64_t count;
    (void)ctx;
    (void)events;

    if (read(fd, &count, sizeof count) < 0)
        return; /* somebody else's wake-up was ours too */
}

static void *run(void *ctx)
{
    struct plait_host *h = ctx;

    pthread_mutex_lock(&h->mutex);
    while (!h->stopping && host_step(h->host, UINT64_MAX) == 0)
        ;
    pthread_mutex_unlock(&h->mutex);
    return NULL;
}

/* ---- waiting ------------------------------------------------------------- */

void sock_cond_init(pthread_cond_t *cond)
{
    pthread_condattr_t attr;

    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(cond, &attr);
    pthread_condattr_destroy(&attr);
}

uint64_t sock_until(const struct plait_socket *s, uint64_t timeout_us)
{
    uint64_t now_us = host_now(s->host->host);

    return timeout_us && timeout_us < UINT64_MAX - now_us ? now_us + timeout_us : UINT64_MAX;
}

static void wait_cond(pthread_cond_t *cond, pthread_mutex_t *mutex, uint64_t until_us)
{
    const struct timespec until = {.tv_sec = (time_t)(until_us / 1000000),
                                   .tv_nsec = (long)(until_us % 1000000) * 1000};

    if (until_us == UINT64_MAX)
        pthread_cond_wait(cond, mutex);
    else
        pthread_cond_timedwait(cond, mutex, &until);
}

bool sock_wait_on(struct plait_host *h, pthread_cond_t *cond, uint64_t until_us)
{
    uint64_t changes = h->changes;

    host_flush(h->host);
    if (h->changes != changes)
        return true; /* what is waited for may have come with it */
    if (host_now(h->host) >= until_us)
        return false;
    if (h->threaded) {
        wake(h);
        wait_cond(cond, &h->mutex, until_us);
        host_refresh(h->host);
        return true;
    }
    return host_step(h->host, until_us == UINT64_MAX ? UINT64_MAX : until_us - host_now(h->host)) ==
           0;
}

bool sock_wait(struct plait_socket *s, uint64_t until_us)
{
    return sock_wait_on(s->host, &s->ready, until_us);
}

/* ---- the thread ---------------------------------------------------------- */

int sock_thread_start(struct plait_host *h)
{
    const struct host_pause pause = {h, before_wait, after_wait};
    sigset_t all, before;

    h->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (h->wake_fd < 0 || host_watch(h->host, h->wake_fd, HOST_IN, on_wake, h) != 0)
        return PLAIT_E_NO_MEMORY;
    host_set_pause(h->host, &pause);
    /* Signals are the program's, and none of them comes to our thread. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    h->threaded = pthread_create(&h->thread, NULL, run, h) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return h->threaded ? 0 : PLAIT_E_NO_MEMORY;
}

void sock_thread_stop(struct plait_host *h)
{
    static const uint64_t one = 1;

    pthread_mutex_lock(&h->mutex);
    h->stopping = true;
    if (write(h->wake_fd, &one, sizeof one) < 0)
        h->stopping = true; /* full: it is awake already */
    pthread_mutex_unlock(&h->mutex);
    pthread_join(h->thread, NULL);
    h->threaded = false;
    host_set_pause(h->host, &(struct host_pause){0});
}
