/* SPDX-License-Identifier: MIT
 *
 * What a reset says: the reason code and the T bit of MP_TCPRST (RFC 8684 3.6)
 * for each reason why plait resets a subflow or answers a SYN with RST. These
 * are all the resets that RFC 8684 mentions, and those that it leaves to us:
 *
 *   3.2    unknown token, a join that is refused, wrong HMAC, MP_JOIN missing
 *          from SYN/ACK or ACK: MPTCP-specific error
 *   3.3.1  a checksum where none was negotiated, or none where one was:
 *          MPTCP-specific error
 *   3.3.3  subflows that do not finish once the connection has: too much
 *          outstanding data
 *   3.3.7  unacceptable performance: a path manager that closes a subflow says so
 *   3.4.2  an address that went: unspecified, "as a courtesy"
 *   3.5    MP_FASTCLOSE stands in place of MP_TCPRST (options_out.c)
 *   3.7    data or acknowledgments without DSS, a checksum that fails, MP_FAIL,
 *          an infinite mapping on a second subflow: middlebox interference
 *
 * Transient means: the same path may work when tried again. A row that is not
 * here says nothing in particular (0, permanent).
 */
#include "mptcp/conn.h"

static const struct reset_told rows[PLAIT_WHY_COUNT] = {
    /* 3.2 */
    [PLAIT_WHY_NO_TOKEN] = {RST_MPTCP, false},
    [PLAIT_WHY_BAD_HMAC] = {RST_MPTCP, false},
    [PLAIT_WHY_NO_JOIN_OPTION] = {RST_MPTCP, false},
    [PLAIT_WHY_LIMIT] = {RST_MPTCP, false},
    [PLAIT_WHY_NOT_CONFIRMED] = {RST_MPTCP, true},
    [PLAIT_WHY_POLICY] = {RST_POLICY, false},
    [PLAIT_WHY_NO_MEMORY] = {RST_RESOURCES, true},
    [PLAIT_WHY_TIMEOUT] = {RST_UNSPECIFIED, true},
    /* 3.3.1, 3.3.2 */
    [PLAIT_WHY_BAD_MAPPING] = {RST_MPTCP, false},
    [PLAIT_WHY_UNMAPPED_DATA] = {RST_MIDDLEBOX, false},
    [PLAIT_WHY_SUBFLOW_TIMEOUT] = {RST_OUTSTANDING, true},
    [PLAIT_WHY_KEEPALIVE_UNANSWERED] = {RST_OUTSTANDING, true},
    /* 3.7: what one segment suffered, the next one may not; options that are
     * gone stay so */
    [PLAIT_WHY_CHECKSUM_FAILED] = {RST_MIDDLEBOX, true},
    [PLAIT_WHY_LENGTH_CHANGED] = {RST_MIDDLEBOX, true},
    [PLAIT_WHY_MP_FAIL] = {RST_MIDDLEBOX, true},
    [PLAIT_WHY_INFINITE_MAPPING] = {RST_MIDDLEBOX, false},
    [PLAIT_WHY_OPTIONS_STRIPPED] = {RST_MIDDLEBOX, false},
    [PLAIT_WHY_FIRST_DATA_PLAIN] = {RST_MIDDLEBOX, false},
    [PLAIT_WHY_FIRST_ACK_PLAIN] = {RST_MIDDLEBOX, false},
    [PLAIT_WHY_JOIN_DATA_PLAIN] = {RST_MIDDLEBOX, false},
    [PLAIT_WHY_JOIN_ACK_PLAIN] = {RST_MIDDLEBOX, false},
    [PLAIT_WHY_FIRST_ACK_WRONG] = {RST_MIDDLEBOX, false},
    [PLAIT_WHY_FIRST_KEYS_WRONG] = {RST_MIDDLEBOX, false},
    [PLAIT_WHY_THIRD_ACK_PLAIN] = {RST_MIDDLEBOX, false},
    /* the connection is over */
    [PLAIT_WHY_PEER_FASTCLOSE] = {RST_MPTCP, false},
    [PLAIT_WHY_LOCAL_ABORT] = {RST_MPTCP, false},
};

struct reset_told reset_says(enum plait_reason why)
{
    return rows[why];
}

void reset_out(enum plait_reason why, struct mptcp_options *o)
{
    struct reset_told told = reset_says(why);
    o->present |= MPO_TCPRST;
    o->tcprst.transient = told.transient;
    o->tcprst.flags = told.transient;
    o->tcprst.reason = told.reason;
}

void subflow_reset(struct subflow *sf, enum plait_reason why)
{
    if (sf->gone || sf->tcp.state == TCP_CLOSED || sf->rst_set)
        return; /* the first reason stands */
    sf->rst_set = true;
    sf->why = why;
    sf->quiet = false;
    tcp_abort(&sf->tcp);
    conn_touch(sf->conn);
}
