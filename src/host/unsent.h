/* SPDX-License-Identifier: MIT
 *
 * Packets that the engine has given out and the driver did not take. The
 * engine's payload may change at the next call into it, so they are copied.
 * At most one batch: nothing more is pulled until they are gone.
 */
#ifndef HOST_UNSENT_H
#define HOST_UNSENT_H

#include "io/driver.h"

struct unsent {
    struct plait_packet_tx packets[IO_BATCH];
    uint8_t *payload[IO_BATCH];
    unsigned first, count; /* first .. count - 1 wait */
};

static inline bool unsent_empty(const struct unsent *u)
{
    return u->first == u->count;
}

/* Only when empty. What finds no memory is lost. */
void unsent_keep(struct unsent *u, const struct plait_packet_tx *packets, unsigned count);
/* Offer them to the driver again; true: none is left. */
bool unsent_retry(struct unsent *u, struct io_driver *driver, uint64_t now_us);
void unsent_free(struct unsent *u);

#endif
