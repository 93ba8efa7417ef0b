/* SPDX-License-Identifier: MIT
 *
 * The smallest program that embeds the engine, built against what `make
 * install` leaves: a stack, an address, a connection, and its SYN.
 */
#include <plait/plait.h>
#include <stdio.h>
#include <stdlib.h>

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

int main(void)
{
    struct plait_config config;
    struct plait_stack *stack;
    struct plait_conn *conn;
    struct plait_packet_tx packet;
    struct plait_local local = {.addr = {PLAIT_IPV4, {192, 0, 2, 1}}, .mtu = 1500};
    struct plait_endpoint remote = {.addr = {PLAIT_IPV4, {192, 0, 2, 2}}, .port = 80};

    plait_config_default(&config);
    config.allocator = (struct plait_allocator){.alloc = give, .free = take};
    config.secret[0] = 1; /* thirty-two random bytes, in earnest */
    if (plait_stack_new(&config, 0, &stack) < 0 || plait_stack_add_addr(stack, &local, 0) < 0 ||
        plait_connect(stack, NULL, &remote, NULL, 0, &conn) < 0 ||
        !plait_stack_tx(stack, 0, &packet))
        return EXIT_FAILURE;
    printf("a SYN of %u bytes\n", packet.header_len);
    plait_conn_abort(conn, 0);
    plait_stack_free(stack);
    return EXIT_SUCCESS;
}
