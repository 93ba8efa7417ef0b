/* SPDX-License-Identifier: MIT
 *
 * What clients of this stack learned about destinations, so that later
 * connections need not learn it again: that SYNs with MP_CAPABLE are not
 * answered (RFC 8684 3.1), or that an offer is answered without MP_CAPABLE.
 * An entry belongs to our network, the destination's address and port, what
 * failed, and the version that was offered.
 *
 * A verdict is heeded for a time; after it one connection tries anew while the
 * others still heed it. If that fails the time doubles, if it works the entry
 * is gone. One that nobody renews is gone after twice its time.
 *
 * Lost SYNs look like swallowed ones. So they need a second connection that
 * began after the first had shown it: an outage, or a server that is just
 * starting, shows itself to all connections of its time and to none later.
 *
 * Invariant: entries are in the table and in the list, in the order in which
 * they were last learned; there are at most config.destinations_max.
 */
#ifndef MPTCP_DESTINATIONS_H
#define MPTCP_DESTINATIONS_H

#include "base/hash.h"
#include "base/list.h"
#include "plait/plait.h"

struct mptcp_env;
struct plait_conn;

struct destinations {
    struct hash_table table;
    struct list entries; /* struct destination, the one learned longest ago first */
    unsigned count;
};

/* False: no memory. */
bool destinations_init(struct mptcp_env *env);
void destinations_free(struct mptcp_env *env);

/* Before a client's first SYN: what is known may make it plain TCP, or a
 * connection of version 0. Says so in c->destination_why. */
void destinations_choose(struct plait_conn *c);
/* The SYN/ACK carried MP_CAPABLE. */
void destinations_worked(struct plait_conn *c);
/* The SYN/ACK came without: SYN_DROPPED or PEER_NO_MPTCP. */
void destinations_failed(struct plait_conn *c, enum plait_reason why);
/* The connection ends; if it was the one to try anew, the next one is. */
void destinations_gone(struct plait_conn *c);

unsigned destinations_read(const struct mptcp_env *env, struct plait_destination *out,
                           unsigned max);

#endif
