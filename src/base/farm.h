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
 *
 * The second byte tells the threads of a server apart in the same way
 * (io/steer.h): a balancer need not know of them.
 */
#ifndef BASE_FARM_H
#define BASE_FARM_H

#include <stdbool.h>
#include <stdint.h>

enum { FARM_BYTES = 256, FARM_SERVERS_MAX = FARM_BYTES };
enum { FARM_SERVER_BYTE = 0, FARM_THREAD_BYTE = 1 }; /* of the token, first on the wire */

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

/* This byte of the token (FARM_SERVER_BYTE, FARM_THREAD_BYTE) names this one of
 * so many; of 0: there is nothing to name. */
static inline bool farm_names(uint32_t token, unsigned byte, unsigned one, unsigned of)
{
    return of == 0 || farm_server((uint8_t)(token >> (24 - 8 * byte)), of) == one;
}

/* `one` of `of` can be named. */
static inline bool farm_place_valid(unsigned one, unsigned of)
{
    return of == 0 || (of <= FARM_SERVERS_MAX && one >= 1 && one <= of);
}

#endif
