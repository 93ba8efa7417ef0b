/* SPDX-License-Identifier: MIT
 *
 * Any bytes as what the kernel answers about routes, interfaces, addresses
 * and neighbours, or tells of them unasked. The first byte chooses the
 * reader; the rest is one datagram in a buffer as large as the real one.
 */
#include <string.h>

#include "tests/fuzz/fuzz.h"

/* What reads answers is private to these files. */
#include "io/route.c"
#undef _GNU_SOURCE
#include "io/watch.c"

enum { READERS = 8 };

static void read_all(const char *buf, size_t size, unsigned which)
{
    static struct routes routes;
    static struct picture picture;
    struct plait_addr wanted = {PLAIT_IPV4, {10, 0, 0, 1}};
    struct answer answer = {0};
    struct owner_search owner = {&wanted, 0};
    struct device device = {0};
    struct route neighbour = {0};
    struct change change = {&routes, false};
    uint32_t found[4];
    struct switch_ports ports = {found, 0, 4};
    const struct {
        mnl_cb_t read;
        void *ctx;
    } readers[READERS] = {
        {read_route, &answer},        {read_owner, &owner},   {read_device, &device},
        {read_neighbour, &neighbour}, {read_change, &change}, {read_switch_port, &ports},
        {read_link, &picture},        {read_addr, &picture},
    };
    routes.slots[0] =
        (struct route){.known = true, .way = ROUTE_ETHERNET, .ifindex = 1, .next_hop = wanted};
    picture.addr_count = 0;
    picture.links[0] = (struct link){.ifindex = 1, .mtu = 1500, .up = true};
    picture.link_count = 1;
    mnl_cb_run(buf, size, 0, 0, readers[which % READERS].read, readers[which % READERS].ctx);
}

/* libmnl trusts the kernel in one thing: a message ends within its datagram. */
static void messages_bound(char *buf, size_t size)
{
    size_t at = 0;
    while (size - at >= sizeof(struct nlmsghdr)) {
        struct nlmsghdr *message = (struct nlmsghdr *)(buf + at);
        if (message->nlmsg_len < sizeof *message || message->nlmsg_len > size - at)
            message->nlmsg_len = (uint32_t)(size - at);
        at += MNL_ALIGN(message->nlmsg_len);
        if (at > size)
            break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static _Alignas(8) char buf[32768];
    if (size < 1 || size - 1 > sizeof buf / 2)
        return 0;
    memcpy(buf, data + 1, size - 1);
    memset(buf + size - 1, 0xff, 256);
    messages_bound(buf, size - 1);
    read_all(buf, size - 1, data[0]);
    return 0;
}
