/* SPDX-License-Identifier: MIT
 *
 * A socket's subflows by hand, its numbers and its history.
 */
#include "base/addr.h"
#include "sock/sock.h"

enum { SUBFLOWS_MAX = 64 };

int plait_socket_info(struct plait_socket *s, struct plait_conn_info *out)
{
    sock_enter(s->host);
    if (s->conn)
        plait_conn_info(s->conn, out);
    sock_leave(s->host);
    return s->conn ? 0 : PLAIT_E_NOT_CONNECTED;
}

int plait_socket_subflows(struct plait_socket *s, struct plait_subflow_info *out, unsigned max)
{
    sock_enter(s->host);
    int count = s->conn ? (int)plait_conn_subflows(s->conn, out, max) : PLAIT_E_NOT_CONNECTED;
    sock_leave(s->host);
    return count;
}

/* Locked. */
static int open_subflow(struct plait_socket *s, const struct plait_endpoint *local,
                        const struct plait_endpoint *remote, bool backup)
{
    struct plait_conn_info info;

    if (!s->conn)
        return PLAIT_E_NOT_CONNECTED;
    plait_conn_info(s->conn, &info);
    return plait_conn_open_subflow(s->conn, local, remote ? remote : &info.remote, backup,
                                   host_now(s->host->host));
}

void sock_open_named(struct plait_socket *s)
{
    for (unsigned i = 1; i < s->set.addr_count; i++)
        open_subflow(s, &s->set.addrs[i], NULL, false); /* what fails is in the history */
}

int plait_socket_open_subflow(struct plait_socket *s, const struct plait_endpoint *local,
                              const struct plait_endpoint *remote, bool backup)
{
    sock_enter(s->host);
    int error = open_subflow(s, local, remote, backup);
    sock_leave(s->host);
    return error;
}

int plait_socket_close_subflow(struct plait_socket *s, uint32_t subflow_id)
{
    sock_enter(s->host);
    int error = s->conn ? plait_conn_close_subflow(s->conn, subflow_id, host_now(s->host->host))
                        : PLAIT_E_NOT_CONNECTED;
    sock_leave(s->host);
    return error;
}

int plait_socket_set_backup(struct plait_socket *s, uint32_t subflow_id, bool backup)
{
    sock_enter(s->host);
    int error = s->conn
                    ? plait_conn_set_backup(s->conn, subflow_id, backup, host_now(s->host->host))
                    : PLAIT_E_NOT_CONNECTED;
    sock_leave(s->host);
    return error;
}

int plait_socket_history(struct plait_socket *s, struct plait_event *out, unsigned max)
{
    sock_enter(s->host);
    uint64_t kept = s->happened < PLAIT_HISTORY_MAX ? s->happened : PLAIT_HISTORY_MAX;
    for (uint64_t i = 0; i < kept && i < max; i++)
        out[i] = s->history[(s->happened - kept + i) % PLAIT_HISTORY_MAX];
    sock_leave(s->host);
    return (int)kept;
}

/* ---- RFC 6897's lists ---------------------------------------------------- */

int sock_add_addrs(struct plait_socket *s, const struct plait_endpoint *list, unsigned count)
{
    int error = 0;

    if (s->conn) {
        for (unsigned i = 0; i < count && !error; i++)
            error = open_subflow(s, &list[i], NULL, false);
        return error;
    }
    if (count > SOCK_ADDRS_MAX - s->set.addr_count)
        return PLAIT_E_LIMIT;
    for (unsigned i = 0; i < count; i++)
        s->set.addrs[s->set.addr_count++] = list[i];
    return 0;
}

static int remove_named(struct plait_socket *s, const struct plait_addr *addr)
{
    struct sock_settings *set = &s->set;

    for (unsigned i = 0; i < set->addr_count; i++) {
        if (!addr_equal(&set->addrs[i].addr, addr))
            continue;
        for (unsigned k = i + 1; k < set->addr_count; k++)
            set->addrs[k - 1] = set->addrs[k];
        set->addr_count--;
        return 0;
    }
    return PLAIT_E_INVALID;
}

/* Every open subflow from this address. */
static int close_from(struct plait_socket *s, const struct plait_addr *addr)
{
    struct plait_subflow_info list[SUBFLOWS_MAX];
    unsigned count = plait_conn_subflows(s->conn, list, SUBFLOWS_MAX);
    int result = PLAIT_E_INVALID;

    for (unsigned i = 0; i < count && i < SUBFLOWS_MAX; i++) {
        if (list[i].closed || !addr_equal(&list[i].local.addr, addr))
            continue;
        int error = plait_conn_close_subflow(s->conn, list[i].id, host_now(s->host->host));
        if (error)
            return error;
        result = 0;
    }
    return result;
}

int sock_remove_addrs(struct plait_socket *s, const struct plait_endpoint *list, unsigned count)
{
    int error = 0;

    for (unsigned i = 0; i < count && !error; i++)
        error = s->conn ? close_from(s, &list[i].addr) : remove_named(s, &list[i].addr);
    return error;
}

unsigned sock_pairs(struct plait_socket *s, struct plait_pair *out, unsigned max)
{
    struct plait_subflow_info list[SUBFLOWS_MAX];
    unsigned count = s->conn ? plait_conn_subflows(s->conn, list, SUBFLOWS_MAX) : 0, pairs = 0;

    for (unsigned i = 0; i < count && i < SUBFLOWS_MAX; i++) {
        if (!list[i].established || list[i].closed)
            continue;
        if (pairs < max)
            out[pairs] = (struct plait_pair){list[i].local, list[i].remote, list[i].backup};
        pairs++;
    }
    return pairs;
}
