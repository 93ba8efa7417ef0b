/* SPDX-License-Identifier: MIT */
#include "io/decorate.h"

#include <stdio.h>
#include <string.h>

void io_decorate(struct io_decorator *d, struct io_driver *inner, const struct io_ops *ops,
                 const char *what)
{
    d->inner = inner;
    d->driver = *inner;
    d->driver.ops = ops;
    size_t len = strlen(d->driver.describe);
    snprintf(d->driver.describe + len, sizeof d->driver.describe - len, ", %s", what);
}

void io_decorator_update(struct io_decorator *d)
{
    d->driver.stats = d->inner->stats;
    d->driver.blocked_fd = d->inner->blocked_fd;
}

int io_decorator_hold_ports(struct io_driver *driver, uint16_t *ports, unsigned count)
{
    struct io_driver *inner = ((struct io_decorator *)driver)->inner;

    return inner->ops->hold_ports(inner, ports, count);
}

int io_decorator_claim_port(struct io_driver *driver, uint16_t port)
{
    struct io_driver *inner = ((struct io_decorator *)driver)->inner;

    return inner->ops->claim_port(inner, port);
}

void io_decorator_release_port(struct io_driver *driver, uint16_t port)
{
    struct io_driver *inner = ((struct io_decorator *)driver)->inner;

    inner->ops->release_port(inner, port);
}
