/* SPDX-License-Identifier: MIT
 *
 * A driver around a driver that loses and doubles packets, from a seed.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/prng.h"
#include "io/decorate.h"

struct fault {
    struct io_decorator base; /* first */
    struct io_fault_config config;
    struct prng prng;
    struct plait_packet_rx rx[IO_BATCH];
};

static unsigned fault_receive(struct io_driver *driver, struct plait_packet_rx *out, unsigned max,
                              uint64_t now_us)
{
    struct fault *f = (struct fault *)driver;
    struct io_driver *inner = f->base.inner;
    bool dup = f->config.rx_dup_ppm > 0 && max > 1;
    unsigned got = inner->ops->receive(inner, f->rx, dup ? max / 2 : max, now_us);
    unsigned count = 0;

    for (unsigned i = 0; i < got; i++) {
        if (prng_chance(&f->prng, f->config.rx_drop_ppm))
            continue;
        out[count++] = f->rx[i];
        if (dup && prng_chance(&f->prng, f->config.rx_dup_ppm))
            out[count++] = f->rx[i];
    }
    io_decorator_update(&f->base);
    return count;
}

static unsigned fault_send(struct io_driver *driver, const struct plait_packet_tx *packets,
                           unsigned count, uint64_t now_us)
{
    struct fault *f = (struct fault *)driver;
    struct io_driver *inner = f->base.inner;
    unsigned i;

    for (i = 0; i < count; i++) {
        if (prng_chance(&f->prng, f->config.tx_drop_ppm))
            continue;
        if (inner->ops->send(inner, &packets[i], 1, now_us) == 0)
            break;
        if (prng_chance(&f->prng, f->config.tx_dup_ppm))
            inner->ops->send(inner, &packets[i], 1, now_us);
    }
    io_decorator_update(&f->base);
    if (i == count)
        driver->blocked_fd = -1; /* only a double found no room */
    return i;
}

static void fault_close(struct io_driver *driver)
{
    struct fault *f = (struct fault *)driver;

    f->base.inner->ops->close(f->base.inner);
    free(f);
}

static const struct io_ops fault_ops = {
    .receive = fault_receive,
    .send = fault_send,
    .hold_ports = io_decorator_hold_ports,
    .release_port = io_decorator_release_port,
    .claim_port = io_decorator_claim_port,
    .close = fault_close,
};

int io_fault_open(struct io_driver *inner, const struct io_fault_config *config,
                  struct io_driver **out)
{
    struct fault *f = calloc(1, sizeof *f);

    if (!f)
        return -ENOMEM;
    io_decorate(&f->base, inner, &fault_ops, "with faults");
    f->config = *config;
    prng_seed(&f->prng, config->seed);
    *out = &f->base.driver;
    return 0;
}
