/* SPDX-License-Identifier: MIT
 *
 * What every driver around a driver does the same way.
 */
#ifndef IO_DECORATE_H
#define IO_DECORATE_H

#include "io/driver.h"

struct io_decorator {
    struct io_driver driver; /* first */
    struct io_driver *inner;
};

/* Take over what a loop looks at; `what` goes into the description. */
void io_decorate(struct io_decorator *d, struct io_driver *inner, const struct io_ops *ops,
                 const char *what);
/* Statistics and blocked_fd as the inner driver has them now. */
void io_decorator_update(struct io_decorator *d);

/* For io_ops: straight to the inner driver. */
int io_decorator_hold_ports(struct io_driver *driver, uint16_t *ports, unsigned count);
int io_decorator_claim_port(struct io_driver *driver, uint16_t port);
void io_decorator_release_port(struct io_driver *driver, uint16_t port);

#endif
