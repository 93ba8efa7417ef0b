/* SPDX-License-Identifier: MIT
 *
 * What a daemon has counted since it began, beyond the connections of now: what
 * went over each local address, and how often each thing happened for each
 * reason.
 */
#ifndef DAEMON_TOTALS_H
#define DAEMON_TOTALS_H

#include <jansson.h>

#include "base/list.h"
#include "plait/plait.h"

enum { TOTALS_PATHS_MAX = 64 }; /* the addresses that come after are counted as one, "other" */

/* Payload of all subflows from one local address. */
struct path_sums {
    struct plait_addr local; /* PLAIT_NONE: those that found no place of their own */
    uint64_t bytes_sent, bytes_received, bytes_retransmitted, bytes_reinjected;
    uint64_t retransmits, subflows_total;
    uint32_t subflows; /* open now */
    uint32_t srtt_us;  /* the smallest of them; 0: not known */
};
struct path_table {
    struct path_sums rows[TOTALS_PATHS_MAX + 1];
    unsigned count;
};

struct totals {
    uint64_t reasons[PLAIT_EV_COUNT][PLAIT_WHY_COUNT];
    struct path_table past; /* of connections that are carried no longer */
};

void totals_event(struct totals *t, const struct plait_event *e);
/* The connection is about to be given up: keep its numbers. What the engine still
 * delivers of it afterwards is not counted. */
void totals_conn(struct totals *t, const struct plait_conn *conn);

/* An array: an object for each local address, by its first use; `carried` is the list of
 * struct carried, of the connections of now. */
json_t *totals_paths(const struct totals *t, const struct list *carried);
/* {"conn_fallback": {"peer_no_mptcp": 3}, ...}: what never happened is left out. */
json_t *totals_reasons(const struct totals *t);

#endif
