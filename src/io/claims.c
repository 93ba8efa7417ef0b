/* SPDX-License-Identifier: MIT */
#include "io/claims.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

int claims_new(unsigned threads, struct claims **out)
{
    struct claims *c = calloc(1, sizeof *c);
    uint32_t seed;
    int err = 0;

    if (!c)
        return -ENOMEM;
    if (threads > 1) {
        err = getrandom(&seed, sizeof seed, 0) == sizeof seed ? 0 : -EIO;
        if (!err)
            err = steer_open(&c->steer, threads, seed);
    }
    if (err) {
        free(c);
        return err;
    }
    pthread_mutex_init(&c->lock, NULL);
    c->steered = threads > 1;
    c->users = threads;
    *out = c;
    return 0;
}

void claims_leave(struct claims *c)
{
    pthread_mutex_lock(&c->lock);
    unsigned left = --c->users;
    pthread_mutex_unlock(&c->lock);
    if (left > 0)
        return;
    if (c->steered)
        steer_close(&c->steer);
    holds_free(&c->holds);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

/* Under the lock: tell who gets the port's packets, or give it up. */
static int steer(struct claims *c, uint16_t port, unsigned whose)
{
    int err = c->steered ? steer_port(&c->steer, port, whose) : 0;

    if (err)
        holds_remove(&c->holds, port);
    return err;
}

int claims_hold(struct claims *c, unsigned thread, uint16_t *port)
{
    unsigned whose = *port ? STEER_SHARED : thread + 1;

    pthread_mutex_lock(&c->lock);
    int err = holds_add(&c->holds, port);
    if (!err)
        err = steer(c, *port, whose);
    pthread_mutex_unlock(&c->lock);
    return err;
}

int claims_claim(struct claims *c, uint16_t port)
{
    pthread_mutex_lock(&c->lock);
    int err = holds_claim(&c->holds, port);
    if (!err)
        err = steer(c, port, STEER_SHARED);
    pthread_mutex_unlock(&c->lock);
    return err;
}

void claims_release(struct claims *c, uint16_t port)
{
    pthread_mutex_lock(&c->lock);
    if (holds_remove(&c->holds, port) && c->steered)
        steer_port(&c->steer, port, STEER_NOBODY);
    pthread_mutex_unlock(&c->lock);
}

static int by_number(const void *a, const void *b)
{
    return *(const uint16_t *)a - *(const uint16_t *)b;
}

uint16_t *claims_ports(struct claims *c, unsigned *count)
{
    pthread_mutex_lock(&c->lock);
    uint16_t *ports = malloc((c->holds.count + 1) * sizeof *ports);
    *count = ports ? c->holds.count : 0;
    for (unsigned i = 0; i < *count; i++)
        ports[i] = c->holds.items[i].port;
    pthread_mutex_unlock(&c->lock);
    if (ports)
        qsort(ports, *count, sizeof *ports, by_number);
    return ports;
}
