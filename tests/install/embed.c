/* SPDX-License-Identifier: MIT
 *
 * The smallest program that embeds the engine, built against what `make
 * install` leaves: a stack, an address, a connection, and its SYN.
 */
#include <plait/plait.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *give(void *ctx, size_t size)
{
    (void)ctx;
    return malloc(size);
}

static void take(void *ctx, void *ptr, size_t size)
{
    (void)ctx;
    (void)size;
    free(ptr);
}

/* A scheduler of the program's own, found by name. */
static struct plait_sched_choice last(void *state, const struct plait_sched_view *view)
{
    (void)state;
    return (struct plait_sched_choice){.path = (int)view->count - 1};
}

static const struct plait_sched mine = {.name = "last",
                                        .summary = "the path opened last",
                                        .pick = last};

static const struct plait_sched *find(void *ctx, const char *name)
{
    (void)ctx;
    return strcmp(name, mine.name) == 0 ? &mine : NULL;
}

int main(void)
{
    struct plait_config config;
    struct plait_stack *stack;
    struct plait_conn *conn;
    struct plait_conn_info info;
    struct plait_packet_tx packet;
    struct plait_local local = {.addr = {PLAIT_IPV4, {192, 0, 2, 1}}, .mtu = 1500};
    struct plait_endpoint remote = {.addr = {PLAIT_IPV4, {192, 0, 2, 2}}, .port = 80};

    plait_config_default(&config);
    config.allocator = (struct plait_allocator){.alloc = give, .free = take};
    config.plugins.scheduler = find;
    config.scheduler = "last";
    config.secret[0] = 1; /* thirty-two random bytes, in earnest */
    if (plait_stack_new(&config, 0, &stack) < 0 || plait_stack_add_addr(stack, &local, 0) < 0 ||
        plait_connect(stack, NULL, &remote, NULL, 0, &conn) < 0 ||
        !plait_stack_tx(stack, 0, &packet))
        return EXIT_FAILURE;
    plait_conn_info(conn, &info);
    if (strcmp(info.scheduler, "last") != 0)
        return EXIT_FAILURE;
    printf("a SYN of %u bytes\n", packet.header_len);
    plait_conn_abort(conn, 0);
    plait_stack_free(stack);
    return EXIT_SUCCESS;
}
