/* SPDX-License-Identifier: MIT */
#include "host/unsent.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

void unsent_keep(struct unsent *u, const struct plait_packet_tx *packets, unsigned count)
{
    assert(unsent_empty(u) && count <= IO_BATCH);
    u->first = u->count = 0;
    for (unsigned i = 0; i < count; i++) {
        const struct plait_packet_tx *p = &packets[i];
        struct plait_packet_tx *copy = &u->packets[u->count];
        uint8_t *payload = malloc(p->payload_len + 1u);
        uint32_t len = 0;

        if (!payload)
            continue;
        for (unsigned n = 0; n < p->iov_count; n++) {
            memcpy(payload + len, p->iov[n].data, p->iov[n].len);
            len += p->iov[n].len;
        }
        *copy = *p;
        copy->iov[0] = (struct plait_iov){payload, len};
        copy->iov_count = len > 0;
        u->payload[u->count++] = payload;
    }
}

bool unsent_retry(struct unsent *u, struct io_driver *driver, uint64_t now_us)
{
    unsigned taken;

    if (unsent_empty(u))
        return true;
    taken = driver->ops->send(driver, u->packets + u->first, u->count - u->first, now_us);
    while (taken-- > 0)
        free(u->payload[u->first++]);
    return unsent_empty(u);
}

void unsent_free(struct unsent *u)
{
    while (!unsent_empty(u))
        free(u->payload[u->first++]);
}
