/* SPDX-License-Identifier: MIT
 *
 * Connections with nothing to do sleep: their subflows, which are made for
 * speed and not for size, are packed into as few bytes as what they know needs,
 * and what is only needed while data flows is freed. Whatever concerns the
 * connection wakes it: a segment for one of its subflows, a call, a timer.
 *
 * Sleep changes nothing but memory: what is awake again is what went to sleep.
 */
#ifndef MPTCP_SLEEP_H
#define MPTCP_SLEEP_H

#include "mptcp/conn.h"

enum { WAKE_AGAIN_US = 100 * 1000 }; /* a timer found no memory to wake it */

/* A sleeping connection's subflow in the table of sleeping flows. */
struct sleeper {
    struct hash_node flow;
    struct plait_conn *conn;
};

/* Subflows in place of those of a connection, for as long as it sleeps. */
struct asleep {
    uint32_t bytes; /* of this block */
    uint16_t count; /* of subflows */
    /* Where the connection's pointers are to point: 1 is the first; 0: NULL. */
    uint16_t initial, plain, last_recv;
    struct sleeper flows[]; /* and then what they are packed into */
};

/* At the end of an entry: let the connection sleep if it is time. `at_us` is
 * when it has something to do; returns when to look at it again. */
uint64_t sleep_step(struct plait_conn *c, uint64_t at_us, uint64_t now_us);
/* Awake afterwards. False: no memory, it sleeps on and nothing has changed. */
bool conn_wake(struct plait_conn *c);
/* The same for a connection that is to end: without memory its subflows are
 * dropped as they sleep. */
void conn_wake_or_drop(struct plait_conn *c);
/* The sleeping connection with this subflow, or NULL. */
struct plait_conn *asleep_find(const struct mptcp_env *env, const struct plait_endpoint *local,
                               const struct plait_endpoint *remote);
/* The stack is being freed. */
void asleep_forget_like(struct mptcp_env *env);
/* Forget the subflows of a sleeping connection, which is being freed. */
void asleep_free(struct plait_conn *c);

#endif
