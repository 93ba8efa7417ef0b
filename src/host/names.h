/* SPDX-License-Identifier: MIT
 *
 * Names to addresses without waiting: questions are under way while the host's loop
 * runs, and answers come from it. As the system's settings say (/etc/hosts,
 * /etc/resolv.conf), asked by c-ares.
 */
#ifndef HOST_NAMES_H
#define HOST_NAMES_H

#include "host/host.h"

struct names;
struct names_query;

/* NULL: no memory, or the settings make no sense. */
struct names *names_new(struct host *h);
/* Questions that are under way get no answer. */
void names_free(struct names *n);

/* count 0: there is none, and why says why. Best first (RFC 6724). */
typedef void names_answer(void *ctx, const struct plait_addr *addrs, unsigned count,
                          const char *why);
/* The answer comes once, from the loop and never from within this call. NULL: no
 * memory. `family` PLAIT_NONE: both. */
struct names_query *names_ask(struct names *n, const char *name, enum plait_family family,
                              names_answer *answer, void *ctx);
/* The answer is no longer wanted. */
void names_forget(struct names_query *q);

#endif
