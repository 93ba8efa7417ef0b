/* SPDX-License-Identifier: MIT
 *
 * Which packet driver: the one that was named, or what fits what was asked for.
 */
#include <string.h>

#include "host/fail.h"
#include "host/state.h"

struct driver_row {
    const char *name;
    int (*open)(const struct host_options *options, struct io_driver **out);
};

static int open_packet(const struct host_options *options, struct io_driver **out)
{
    (void)options;
    return io_packet_open(out);
}

static int open_tun(const struct host_options *options, struct io_driver **out)
{
    return io_tun_open(&options->tun, out);
}

static const struct driver_row drivers[] = {{"packet", open_packet}, {"tun", open_tun}};

const char *driver_choose(const struct host_options *options, const char **why)
{
    bool automatic = !options->driver || strcmp(options->driver, "auto") == 0;

    if (!automatic) {
        *why = "it was named";
        return options->driver;
    }
    if (options->tun.addr_count > 0) {
        *why = "addresses are given for a device of our own";
        return "tun";
    }
    *why = "no addresses are given for a device of our own, and the host has its own";
    return "packet";
}

int driver_open(const struct host_options *options, struct io_driver **out, struct host_error *err)
{
    const char *why, *name = driver_choose(options, &why);

    if (strcmp(name, "packet") == 0 && options->tun.addr_count > 0)
        return host_fail(err, HOST_FAIL_USAGE,
                         "the packet driver has no device of its own to give addresses to: leave "
                         "--tun away, or choose the driver tun");
    for (unsigned i = 0; i < sizeof drivers / sizeof *drivers; i++) {
        if (strcmp(name, drivers[i].name) != 0)
            continue;
        int error = drivers[i].open(options, out);
        return error ? fail_driver(err, name, error) : HOST_OK;
    }
    return host_fail(err, HOST_FAIL_USAGE, "there is no driver '%s': try auto, packet or tun",
                     name);
}
