/* SPDX-License-Identifier: MIT
 *
 * Names of events and reasons, from the lists in plait/events.h.
 */
#include "plait/events.h"

struct event_text {
    const char *name;
    const char *args[4];
};

static const struct event_text event_texts[PLAIT_EV_COUNT] = {
#define X(id, name, a, b, c, d) [PLAIT_EV_##id] = {name, {a, b, c, d}},
    PLAIT_EVENTS(X)
#undef X
};

static const char *const reason_texts[PLAIT_WHY_COUNT] = {
#define X(id, text) [PLAIT_WHY_##id] = text,
    PLAIT_REASONS(X)
#undef X
};

/* The preprocessor cannot write lower case; the unit test holds this against
 * the list. */
static const char *const reason_names[PLAIT_WHY_COUNT] = {
    [PLAIT_WHY_NONE] = "none",
    [PLAIT_WHY_PEER_NO_MPTCP] = "peer_no_mptcp",
    [PLAIT_WHY_PEER_PLAIN_SYN] = "peer_plain_syn",
    [PLAIT_WHY_PEER_VERSION] = "peer_version",
    [PLAIT_WHY_PEER_CHECKSUM] = "peer_checksum",
    [PLAIT_WHY_SYN_DROPPED] = "syn_dropped",
    [PLAIT_WHY_DESTINATION_DROPS_SYNS] = "destination_drops_syns",
    [PLAIT_WHY_DESTINATION_NO_V1] = "destination_no_v1",
    [PLAIT_WHY_DESTINATION_PROBE] = "destination_probe",
    [PLAIT_WHY_DESTINATION_WORKS] = "destination_works",
    [PLAIT_WHY_DESTINATION_DECAYED] = "destination_decayed",
    [PLAIT_WHY_THIRD_ACK_PLAIN] = "third_ack_plain",
    [PLAIT_WHY_TOKEN_TAKEN] = "token_taken",
    [PLAIT_WHY_COOKIE_KEYS_LOST] = "cookie_keys_lost",
    [PLAIT_WHY_FIRST_DATA_PLAIN] = "first_data_plain",
    [PLAIT_WHY_FIRST_ACK_PLAIN] = "first_ack_plain",
    [PLAIT_WHY_FIRST_ACK_WRONG] = "first_ack_wrong",
    [PLAIT_WHY_FIRST_KEYS_WRONG] = "first_keys_wrong",
    [PLAIT_WHY_OPTIONS_STRIPPED] = "options_stripped",
    [PLAIT_WHY_JOIN_DATA_PLAIN] = "join_data_plain",
    [PLAIT_WHY_JOIN_ACK_PLAIN] = "join_ack_plain",
    [PLAIT_WHY_CHECKSUM_FAILED] = "checksum_failed",
    [PLAIT_WHY_LENGTH_CHANGED] = "length_changed",
    [PLAIT_WHY_INFINITE_MAPPING] = "infinite_mapping",
    [PLAIT_WHY_MP_FAIL] = "mp_fail",
    [PLAIT_WHY_DISABLED] = "disabled",
    [PLAIT_WHY_NO_TOKEN] = "no_token",
    [PLAIT_WHY_BAD_HMAC] = "bad_hmac",
    [PLAIT_WHY_NO_JOIN_OPTION] = "no_join_option",
    [PLAIT_WHY_NOT_CONFIRMED] = "not_confirmed",
    [PLAIT_WHY_LIMIT] = "limit",
    [PLAIT_WHY_POLICY] = "policy",
    [PLAIT_WHY_NO_MEMORY] = "no_memory",
    [PLAIT_WHY_DUPLICATE] = "duplicate",
    [PLAIT_WHY_BAD_ADDRESS] = "bad_address",
    [PLAIT_WHY_TIMEOUT] = "timeout",
    [PLAIT_WHY_PEER_RESET] = "peer_reset",
    [PLAIT_WHY_PEER_FASTCLOSE] = "peer_fastclose",
    [PLAIT_WHY_PEER_REMOVED_ADDR] = "peer_removed_addr",
    [PLAIT_WHY_LOCAL_ADDR_GONE] = "local_addr_gone",
    [PLAIT_WHY_LOCAL_ABORT] = "local_abort",
    [PLAIT_WHY_LOCAL_CLOSE] = "local_close",
    [PLAIT_WHY_PEER_CLOSE] = "peer_close",
    [PLAIT_WHY_UNREACHABLE] = "unreachable",
    [PLAIT_WHY_BAD_MAPPING] = "bad_mapping",
    [PLAIT_WHY_UNMAPPED_DATA] = "unmapped_data",
    [PLAIT_WHY_SUBFLOW_TIMEOUT] = "subflow_timeout",
    [PLAIT_WHY_KEEPALIVE_UNANSWERED] = "keepalive_unanswered",
    [PLAIT_WHY_TAIL] = "tail",
    [PLAIT_WHY_WINDOW] = "window",
    [PLAIT_WHY_SILENCE] = "silence",
    [PLAIT_WHY_SUBFLOW_LOST] = "subflow_lost",
    [PLAIT_WHY_PEER_CLOSED_SUBFLOW] = "peer_closed_subflow",
    [PLAIT_WHY_PRIVATE_ADDRESS] = "private_address",
    [PLAIT_WHY_NOT_ANNOUNCED] = "not_announced",
    [PLAIT_WHY_COST] = "cost",
    [PLAIT_WHY_REST_OVER] = "rest_over",
    [PLAIT_WHY_PERFORMANCE] = "performance",
    [PLAIT_WHY_SIMULTANEOUS_OPEN] = "simultaneous_open",
    [PLAIT_WHY_NO_SUBFLOW] = "no_subflow",
    [PLAIT_WHY_RACE_DELAY] = "race_delay",
    [PLAIT_WHY_RACE_LOST] = "race_lost",
    [PLAIT_WHY_CONN_MEMORY] = "conn_memory",
    [PLAIT_WHY_STACK_MEMORY] = "stack_memory",
    [PLAIT_WHY_HALF_OPEN] = "half_open",
    [PLAIT_WHY_PLUGIN_ERROR] = "plugin_error",
    [PLAIT_WHY_PLUGIN_STEPS] = "plugin_steps",
    [PLAIT_WHY_PLUGIN_MEMORY] = "plugin_memory",
    [PLAIT_WHY_PLUGIN_RESULT] = "plugin_result",
};

const char *plait_event_name(enum plait_event_type type)
{
    return (unsigned)type < PLAIT_EV_COUNT ? event_texts[type].name : "unknown";
}

const char *plait_event_arg_name(enum plait_event_type type, unsigned i)
{
    return (unsigned)type < PLAIT_EV_COUNT && i < 4 ? event_texts[type].args[i] : NULL;
}

const char *plait_reason_text(enum plait_reason why)
{
    return (unsigned)why < PLAIT_WHY_COUNT ? reason_texts[why] : "unknown";
}

const char *plait_reason_name(enum plait_reason why)
{
    return (unsigned)why < PLAIT_WHY_COUNT ? reason_names[why] : "unknown";
}
