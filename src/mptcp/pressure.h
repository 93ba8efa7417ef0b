/* SPDX-License-Identifier: MIT
 *
 * What connections hold, and who gives way when it is too much.
 *
 * A connection holds payload: what was written and is not DATA_ACKed, what came
 * and was not read yet, in order or not. config.conn_held_max_bytes bounds it
 * for each, held_max_bytes for all of them together; memory_max_bytes, which is
 * about the engine's own memory, bounds it as well.
 *
 * Nobody gets a share in advance. A connection may hold as much as is free:
 * the first that hoards gets half of the limit, the next half of what is left,
 * and one that holds little finds what it needs. As others come, the same rule
 * asks the largest to give way first: nothing more is taken from its
 * application, and no more window is offered to its peer. A window that was
 * offered stays so (RFC 9293 3.8.6), which means that together peers may send
 * more than the limit: then whoever holds most gives up what came out of order,
 * which the peer has to keep, since none of it was DATA_ACKed (RFC 8684 3.3.2)
 * or, on the subflow, acknowledged (RFC 2018 8). If that is not enough, what
 * comes for a connection that holds more than a floor is not taken in.
 *
 * The floor is what each direction of a connection may always hold, so that
 * none ever waits for another.
 */
#ifndef MPTCP_PRESSURE_H
#define MPTCP_PRESSURE_H

#include "base/list.h"
#include "plait/plait.h"

enum {
    HOLD_FLOOR = 16 * 1024, /* bytes, each direction */
    HOLD_CLASS_MIN = 12,    /* log2 of the least that counts as hoarding */
    HOLD_CLASSES = 36
};

struct mptcp_env;
struct plait_conn;
struct subflow;
struct segment;

/* Of a connection; unlinked while it holds little. */
struct holding {
    struct plait_conn *conn;
    struct list link;          /* pressure.holders[], by the size of what it holds */
    struct list squeezed_link; /* pressure.squeezed */
    uint64_t bytes;
    enum plait_reason squeezed; /* which limit keeps it from holding more; NONE: none does */
    unsigned size_class;        /* its list in pressure.holders */
};

/* Of the stack. */
struct pressure {
    struct list holders[HOLD_CLASSES]; /* struct holding.link: 2^(HOLD_CLASS_MIN + i) bytes on */
    struct list squeezed;              /* those that the stack's limit keeps from more */
    uint64_t held_bytes;               /* of all */
    uint64_t free_bytes;               /* at the end of the last entry */
    uint32_t squeezed_count;
    uint32_t to_look_at; /* squeezed ones for whom there may be room now */
};

void pressure_init(struct pressure *p);
void holding_init(struct holding *h, struct plait_conn *c);

/* End of an entry that touched c: count what it holds, say so (CONN_SQUEEZED,
 * CONN_RELAXED) when a limit begins or ceases to bind. */
void holding_update(struct plait_conn *c);
/* It is being freed, or sleeps and holds nothing. */
void holding_end(struct plait_conn *c);

/* Bytes that the connection may write, or offer its peer beyond what was read
 * and what came out of order; its buffers may allow less. */
uint64_t pressure_send_room(const struct plait_conn *c);
uint64_t pressure_recv_room(const struct plait_conn *c);

/* Payload came for sf: make room for it if need be. False: there is none, leave
 * it out (pressure_without_payload). */
bool pressure_admit(struct subflow *sf, uint32_t len);
/* The segment as far as it matters without its payload; its acknowledgments
 * count, and it is answered. */
const struct segment *pressure_without_payload(struct subflow *sf, const struct segment *seg,
                                               struct segment *copy);
/* Memory was refused: whoever holds most gives up some of what came out of
 * order. False: nobody has any. */
bool pressure_reclaim(struct mptcp_env *env);

/* End of every entry: squeezed connections for whom there is room again are told
 * so, a few at a time. */
void pressure_relax(struct mptcp_env *env);
/* Assert the invariants. */
void pressure_check(const struct mptcp_env *env);
/* There are more: the stack wants to be entered again now. */
static inline bool pressure_relaxing(const struct pressure *p)
{
    return p->to_look_at > 0;
}

#endif
