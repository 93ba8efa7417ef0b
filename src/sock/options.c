/* SPDX-License-Identifier: MIT
 *
 * Options of sockets: what kind of value each has, when it may be set, and the
 * two functions that know what it means.
 */
#include <stddef.h>
#include <string.h>

#include "sock/sock.h"

enum kind { INT, TIME, TEXT, LIST };
enum when { BEFORE, ANY, NEVER };

static const struct {
    enum kind kind;
    enum when when;
} rows[] = {
#define X(id, kind, when, text) [PLAIT_OPT_##id] = {kind, when},
    PLAIT_OPTIONS(X)
#undef X
};

/* ---- setting ------------------------------------------------------------- */

static int set_flag(bool *at, int32_t value)
{
    *at = value != 0;
    return 0;
}

static int set_three(int *at, int32_t value)
{
    *at = value != 0;
    return 0;
}

static int set_int(struct plait_socket *s, enum plait_option option, int32_t value)
{
    struct sock_settings *set = &s->set;

    switch (option) {
    case PLAIT_OPT_NONBLOCK:
        return set_flag(&set->nonblock, value);
    case PLAIT_OPT_NODELAY:
        if (s->conn)
            plait_conn_set_nagle(s->conn, value == 0, host_now(s->host->host));
        return set_flag(&set->nodelay, value);
    case PLAIT_OPT_FASTOPEN:
        return set_three(&set->fastopen, value);
    case PLAIT_OPT_MULTIPATH_ENABLE:
        return set_three(&set->multipath, value);
    case PLAIT_OPT_VERSION:
        if (value < PLAIT_VERSION_DEFAULT || value > PLAIT_VERSION_0)
            return PLAIT_E_INVALID;
        set->version = (enum plait_version)value;
        return 0;
    case PLAIT_OPT_MODE:
        if (value < PLAIT_MODE_DEFAULT || value > PLAIT_MODE_AGGREGATE)
            return PLAIT_E_INVALID;
        set->mode = (enum plait_mode)value;
        return 0;
    default:
        return PLAIT_E_INVALID;
    }
}

static int set_time(struct plait_socket *s, enum plait_option option, uint64_t us)
{
    struct sock_settings *set = &s->set;

    switch (option) {
    case PLAIT_OPT_SEND_TIMEOUT:
        set->send_timeout_us = us;
        return 0;
    case PLAIT_OPT_RECV_TIMEOUT:
        set->recv_timeout_us = us;
        return 0;
    case PLAIT_OPT_BREAK_TIMEOUT:
        if (us > UINT32_MAX)
            return PLAIT_E_INVALID;
        set->break_timeout_us = us;
        return 0;
    case PLAIT_OPT_LINGER:
        set->linger_us = us;
        if (s->conn)
            plait_conn_set_linger(s->conn, us != UINT64_MAX,
                                  us < UINT32_MAX ? (uint32_t)us : UINT32_MAX);
        return 0;
    default:
        return PLAIT_E_INVALID;
    }
}

/* Of a connection to come: the engine has to know the name. */
static int keep_name(struct plait_socket *s, char *at, const char *name)
{
    char before[SOCK_NAME_MAX];
    struct plait_options options;

    memcpy(before, at, sizeof before);
    memcpy(at, name, sizeof before);
    sock_options(s, &options);
    int error = plait_options_check(host_stack(s->host->host), &options);
    if (error)
        memcpy(at, before, sizeof before);
    return error;
}

static int set_text(struct plait_socket *s, enum plait_option option, const char *text, size_t len)
{
    char name[SOCK_NAME_MAX] = "";
    uint64_t now_us = host_now(s->host->host);
    int error = 0;

    if (len == 0 || len >= sizeof name || memchr(text, 0, len))
        return PLAIT_E_UNKNOWN_NAME;
    memcpy(name, text, len);
    switch (option) {
    case PLAIT_OPT_SCHEDULER:
        error = s->conn ? plait_conn_set_scheduler(s->conn, name, now_us) : 0;
        return error ? error : keep_name(s, s->set.scheduler, name);
    case PLAIT_OPT_CC:
        error = s->conn ? plait_conn_set_cc(s->conn, name, now_us) : 0;
        return error ? error : keep_name(s, s->set.cc, name);
    case PLAIT_OPT_PATH_MANAGER:
        return keep_name(s, s->set.path_manager, name);
    default:
        return PLAIT_E_INVALID;
    }
}

static int set_list(struct plait_socket *s, enum plait_option option, const void *value, size_t len)
{
    unsigned count = (unsigned)(len / sizeof(struct plait_endpoint));

    if (count == 0 || len % sizeof(struct plait_endpoint) || count > SOCK_ADDRS_MAX)
        return PLAIT_E_INVALID;
    return option == PLAIT_OPT_MULTIPATH_ADD ? sock_add_addrs(s, value, count)
                                             : sock_remove_addrs(s, value, count);
}

static int set_locked(struct plait_socket *s, enum plait_option option, const void *value,
                      size_t len)
{
    int32_t number;
    uint64_t us;

    if (rows[option].when == NEVER || (rows[option].when == BEFORE && (s->conn || s->listener)))
        return PLAIT_E_INVALID;
    switch (rows[option].kind) {
    case INT:
        if (len != sizeof number)
            return PLAIT_E_INVALID;
        memcpy(&number, value, sizeof number);
        return set_int(s, option, number);
    case TIME:
        if (len != sizeof us)
            return PLAIT_E_INVALID;
        memcpy(&us, value, sizeof us);
        return set_time(s, option, us);
    case TEXT:
        return set_text(s, option, value, len);
    case LIST:
        return set_list(s, option, value, len);
    }
    return PLAIT_E_INVALID;
}

int plait_socket_set(struct plait_socket *s, enum plait_option option, const void *value,
                     size_t len)
{
    if ((unsigned)option >= PLAIT_OPT_COUNT || (!value && len))
        return PLAIT_E_INVALID;
    sock_enter(s->host);
    int error = set_locked(s, option, value, len);
    sock_leave(s->host);
    return error;
}

int plait_socket_set_int(struct plait_socket *s, enum plait_option option, int32_t value)
{
    return plait_socket_set(s, option, &value, sizeof value);
}

int plait_socket_set_time(struct plait_socket *s, enum plait_option option, uint64_t us)
{
    return plait_socket_set(s, option, &us, sizeof us);
}

int plait_socket_set_text(struct plait_socket *s, enum plait_option option, const char *text)
{
    return plait_socket_set(s, option, text, text ? strlen(text) : 0);
}

/* ---- getting ------------------------------------------------------------- */

static int32_t get_int(const struct plait_socket *s, enum plait_option option)
{
    struct plait_conn_info info = {0};

    if (s->conn)
        plait_conn_info(s->conn, &info);
    switch (option) {
    case PLAIT_OPT_NONBLOCK:
        return s->set.nonblock;
    case PLAIT_OPT_NODELAY:
        return s->set.nodelay;
    case PLAIT_OPT_FASTOPEN:
        return s->set.fastopen != 0; /* unset: as the host, which may */
    case PLAIT_OPT_VERSION:
        return (int32_t)s->set.version;
    case PLAIT_OPT_MODE:
        return (int32_t)s->set.mode;
    case PLAIT_OPT_ERROR:
        return s->conn ? plait_conn_error(s->conn) : 0;
    case PLAIT_OPT_MULTIPATH_ENABLE:
        return s->conn ? info.multipath : s->set.multipath != 0;
    case PLAIT_OPT_MULTIPATH_CONNID:
        return (int32_t)info.token;
    default:
        return 0;
    }
}

static uint64_t get_time(const struct plait_socket *s, enum plait_option option)
{
    switch (option) {
    case PLAIT_OPT_SEND_TIMEOUT:
        return s->set.send_timeout_us;
    case PLAIT_OPT_RECV_TIMEOUT:
        return s->set.recv_timeout_us;
    case PLAIT_OPT_BREAK_TIMEOUT:
        return s->set.break_timeout_us;
    default:
        return s->set.linger_us;
    }
}

/* The name in use; "" where the host's holds and there is no connection. */
static const char *get_text(const struct plait_socket *s, enum plait_option option,
                            struct plait_conn_info *info)
{
    if (s->conn)
        plait_conn_info(s->conn, info);
    switch (option) {
    case PLAIT_OPT_SCHEDULER:
        return s->conn ? info->scheduler : s->set.scheduler;
    case PLAIT_OPT_CC:
        return s->conn ? info->cc : s->set.cc;
    default:
        return s->conn ? info->path_manager : s->set.path_manager;
    }
}

static int put(void *value, size_t *len, const void *from, size_t size)
{
    if (*len < size)
        return PLAIT_E_INVALID;
    memcpy(value, from, size);
    *len = size;
    return 0;
}

static int get_locked(struct plait_socket *s, enum plait_option option, void *value, size_t *len)
{
    struct plait_conn_info info;
    int32_t number;
    uint64_t us;
    size_t size;

    switch (rows[option].kind) {
    case INT:
        number = get_int(s, option);
        return put(value, len, &number, sizeof number);
    case TIME:
        us = get_time(s, option);
        return put(value, len, &us, sizeof us);
    case TEXT: {
        const char *text = get_text(s, option, &info);
        return put(value, len, text, strlen(text) + 1);
    }
    case LIST:
        break;
    }
    if (option == PLAIT_OPT_MULTIPATH_SUBFLOWS) {
        *len = sock_pairs(s, value, (unsigned)(*len / sizeof(struct plait_pair))) *
               sizeof(struct plait_pair);
        return 0;
    }
    size = s->set.addr_count * sizeof s->set.addrs[0];
    memcpy(value, s->set.addrs, size < *len ? size : *len - *len % sizeof s->set.addrs[0]);
    *len = size;
    return 0;
}

int plait_socket_get(struct plait_socket *s, enum plait_option option, void *value, size_t *len)
{
    if ((unsigned)option >= PLAIT_OPT_COUNT)
        return PLAIT_E_INVALID;
    sock_enter(s->host);
    int error = get_locked(s, option, value, len);
    sock_leave(s->host);
    return error;
}
