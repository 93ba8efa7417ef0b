/* SPDX-License-Identifier: MIT
 *
 * Servers behind one address: which of them a token names. A load balancer that
 * sends an MP_JOIN to the server that its token names needs no table of
 * connections (RFC 8041 3.12 did without such tokens, because a token is a
 * hash; but a server may draw keys until one has a token that suits).
 *
 * The first byte of a token decides, in `servers` ranges as equal as can be, in
 * order, so that a balancer needs eight bits at a fixed place and a list of
 * ranges. Servers count from 1.
 */
#ifndef BASE_FARM_H
#define BASE_FARM_H

#include <stdbool.h>
#include <stdint.h>

enum { FARM_BYTES = 256, FARM_SERVERS_MAX = FARM_BYTES };

/* The server that a token with this first byte names, of `servers`. */
static inline unsigned farm_server(uint8_t first_byte, unsigned servers)
{
    return first_byte * servers / FARM_BYTES + 1;
}

/* The first and last of the bytes that name this server. */
static inline uint8_t farm_first(unsigned server, unsigned servers)
{
    return (uint8_t)(((server - 1) * FARM_BYTES + servers - 1) / servers);
}

static inline uint8_t farm_last(unsigned server, unsigned servers)
{
    return (uint8_t)((server * FARM_BYTES + servers - 1) / servers - 1);
}

static inline bool farm_names(uint32_t token, unsigned server, unsigned servers)
{
    return servers == 0 || farm_server((uint8_t)(token >> 24), servers) == server;
}

#endif
