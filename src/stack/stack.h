/* SPDX-License-Identifier: MIT
 *
 * The stack: the object that the public engine API (plait/plait.h) is about.
 * Its files share this structure; nobody else sees it.
 */
#ifndef STACK_STACK_H
#define STACK_STACK_H

#include "mptcp/conn.h"

enum { STRAYS_MAX = 32, COOKIES_MAX = 128 };

/* A reset that answers a segment without a connection. */
struct stray {
    struct plait_endpoint src, dst;
    uint32_t seq, ack;
    uint8_t flags;
    enum plait_reason why; /* of a refused MP_JOIN: with MP_TCPRST (RFC 8684 3.2) */
};

/* A SYN/ACK that stands for a SYN which was forgotten. */
struct cookie_reply {
    struct plait_endpoint src, dst;
    struct cookie cookie;
    uint32_t tsecr;
    bool checksum; /* MP_CAPABLE with the A flag */
};

struct plait_listener {
    struct plait_stack *stack;
    struct list link, ready_link;
    struct list accepted; /* struct plait_conn.accept_link: established, not taken */
    struct plait_endpoint local;
    struct conn_setup setup;
    struct list half_open; /* struct plait_conn.accept_link: only a SYN came; oldest first */
    uint32_t backlog;
    uint32_t waiting, half_open_count; /* in the two lists */
    uint64_t cookies_until_us;         /* ACKs may answer cookies before this time */
};

struct plait_stack {
    struct mptcp_env env;
    struct list listeners, ready_listeners;
    struct stray strays[STRAYS_MAX]; /* a ring */
    unsigned stray_first, stray_count;
    struct cookie_reply cookies[COOKIES_MAX]; /* a ring */
    unsigned cookie_first, cookie_count;
};

static inline struct plait_stack *stack_of(struct mptcp_env *env)
{
    return list_entry(env, struct plait_stack, env);
}

/* stack.c */
/* Note the time of an entry; time never goes backwards inside. */
uint64_t stack_enter(struct plait_stack *s, uint64_t now_us);
/* End of an entry: finish every connection that was touched. */
void stack_leave(struct plait_stack *s);

/* listen.c */
struct plait_listener *listener_find(struct plait_stack *s, const struct plait_endpoint *local);
/* A connection for it, not open yet. NULL: none, and why was counted. */
struct plait_conn *listener_conn(struct plait_listener *l);
/* The connection was opened: it waits for the last ACK of its handshake. */
void listener_half_open(struct plait_listener *l, struct plait_conn *c);
/* A SYN for a listener. */
void listener_syn(struct plait_listener *l, const struct segment *seg, uint64_t now_us);
/* A connection that nobody took yet was established or failed. */
void listener_update(struct plait_conn *c);

/* local.c: wake some of those who slept through a change of addresses, and say
 * in env->tell_us when to go on. */
void local_tell(struct plait_stack *s);

/* stray.c */
void stray_answer(struct plait_stack *s, const struct segment *seg, enum plait_reason why);
bool stray_output(struct plait_stack *s, struct plait_packet_tx *p);

/* cookies.c: SYN cookies. */
/* Answer a SYN and forget it. */
void cookies_answer(struct plait_listener *l, const struct segment *syn, uint64_t now_us);
/* An ACK that belongs to no connection. True: it answers a cookie, or is of a
 * connection that a cookie is still to open, and nothing more is due. */
bool cookies_ack(struct plait_stack *s, const struct segment *seg, uint64_t now_us);
bool cookies_output(struct plait_stack *s, struct plait_packet_tx *p);

/* config.c */
/* Plug-ins by name, the program's own too; NULL: unknown. */
const struct plait_cc *setup_cc(const struct mptcp_env *env, const char *name);
const struct plait_sched *setup_sched(const struct mptcp_env *env, const char *name,
                                      uint64_t state[PLAIT_PLUGIN_STATE_MAX / 8]);
/* What is used where none is named, or where one fails. */
void setup_defaults(struct mptcp_env *env);
/* What holds for one connection: the plug-ins an options struct names, the
 * stack's where it names none. PLAIT_E_UNKNOWN_NAME. */
int setup_resolve(const struct mptcp_env *env, const struct plait_options *options, bool client,
                  struct conn_setup *out);

#endif
