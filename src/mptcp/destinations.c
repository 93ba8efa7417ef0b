/* SPDX-License-Identifier: MIT
 *
 * The memory of destinations; see destinations.h. Entries are looked up when a
 * client opens and when its SYN is answered, never on the data path.
 */
#include "mptcp/destinations.h"

#include <string.h>

#include "mptcp/conn.h"

enum {
    SYN_DROPPED_SEEN_MIN = 2, /* connections in a row before it is believed */
    HOLD_DOUBLINGS_MAX = 5
};

struct destination {
    struct hash_node node;
    struct list link;
    struct plait_destination d;
    uint32_t probe_conn; /* the connection that tries anew; 0: none */
};

bool destinations_init(struct mptcp_env *env)
{
    list_init(&env->destinations.entries);
    return hash_init(&env->destinations.table, &env->mem);
}

static void entry_free(struct mptcp_env *env, struct destination *e)
{
    hash_remove(&env->destinations.table, &e->node);
    list_remove(&e->link);
    env->destinations.count--;
    mem_free(&env->mem, e, sizeof *e);
}

void destinations_free(struct mptcp_env *env)
{
    list_each(e, &env->destinations.entries, struct destination, link)
        entry_free(env, e);
    hash_free(&env->destinations.table);
}

/* ---- keys ----------------------------------------------------------------------- */

/* The key part of an entry for this connection. */
static struct plait_destination key_of(const struct plait_conn *c, enum plait_reason why,
                                       uint8_t version)
{
    struct plait_destination k = {.local = c->local.addr, .remote = c->remote};
    const struct local_addr *l = local_find(c->env, &c->local.addr);
    k.why = why;
    k.version = version;
    k.prefix_len = l ? l->local.prefix_len : 0;
    for (unsigned bit = k.prefix_len; k.prefix_len && bit < 8 * sizeof k.local.bytes; bit++)
        k.local.bytes[bit / 8] &= (uint8_t) ~(0x80u >> bit % 8);
    return k;
}

static uint64_t key_hash(const struct mptcp_env *env, const struct plait_destination *k)
{
    const struct plait_endpoint network = {k->local, k->prefix_len};
    return flow_hash(env, &network, &k->remote);
}

static struct destination *entry_find(const struct plait_conn *c, enum plait_reason why,
                                      uint8_t version)
{
    const struct plait_destination k = key_of(c, why, version);
    struct hash_node *n = hash_find(&c->env->destinations.table, key_hash(c->env, &k));
    for (; n; n = hash_next(n)) {
        struct destination *e = list_entry(n, struct destination, node);
        if (e->d.why == why && e->d.version == version && e->d.prefix_len == k.prefix_len &&
            addr_equal(&e->d.local, &k.local) && endpoint_equal(&e->d.remote, &k.remote))
            return e;
    }
    return NULL;
}

/* ---- verdicts -------------------------------------------------------------------- */

static unsigned seen_min(const struct destination *e)
{
    return e->d.why == PLAIT_WHY_SYN_DROPPED ? SYN_DROPPED_SEEN_MIN : 1;
}

/* How long the verdict is heeded before somebody tries anew. */
static uint64_t hold_us(const struct mptcp_env *env, const struct destination *e)
{
    unsigned again = e->d.seen > seen_min(e) ? e->d.seen - seen_min(e) : 0;
    unsigned doublings = again < HOLD_DOUBLINGS_MAX ? again : HOLD_DOUBLINGS_MAX;
    return (uint64_t)env->config.destination_hold_us << doublings;
}

static void entry_event(struct mptcp_env *env, const struct destination *e, uint32_t conn_id,
                        enum plait_event_type type, enum plait_reason why)
{
    struct plait_event event = {.time_us = env->now_us,
                                .type = type,
                                .why = why,
                                .conn_id = conn_id,
                                .local = {e->d.local, 0},
                                .remote = e->d.remote,
                                .arg = {e->d.version, e->d.seen, hold_us(env, e)}};
    env_event(env, &event);
}

static void entry_forget(struct mptcp_env *env, struct destination *e, uint32_t conn_id,
                         enum plait_reason why)
{
    entry_event(env, e, conn_id, PLAIT_EV_DESTINATION_FORGOTTEN, why);
    entry_free(env, e);
}

/* Nobody renewed it for so long that it says nothing any more. */
static bool decayed(const struct mptcp_env *env, const struct destination *e)
{
    uint64_t until_us = e->d.decisive ? e->d.until_us : e->d.seen_us;
    return env->now_us > until_us + hold_us(env, e);
}

static void heed(struct plait_conn *c, struct destination *e, enum plait_reason why)
{
    e->d.used++;
    c->destination_why = why;
    entry_event(c->env, e, c->id, PLAIT_EV_DESTINATION_USED, why);
}

/* The entry that c has to heed, or NULL. After its time c may be the one that
 * finds out anew. */
static struct destination *entry_heeded(struct plait_conn *c, enum plait_reason why,
                                        uint8_t version)
{
    struct destination *e = entry_find(c, why, version);
    if (e && decayed(c->env, e)) {
        entry_forget(c->env, e, c->id, PLAIT_WHY_DESTINATION_DECAYED);
        return NULL;
    }
    if (!e || !e->d.decisive)
        return NULL;
    if (c->env->now_us < e->d.until_us || e->probe_conn)
        return e;
    e->probe_conn = c->id;
    heed(c, e, PLAIT_WHY_DESTINATION_PROBE);
    return NULL;
}

static bool known_to_fail(const struct plait_conn *c, enum plait_reason why, uint8_t version)
{
    const struct destination *e = entry_find(c, why, version);
    return e && e->d.decisive && c->env->now_us < e->d.until_us;
}

void destinations_choose(struct plait_conn *c)
{
    struct destination *e;
    if (!c->multipath || !c->env->destinations.count)
        return;
    if ((e = entry_heeded(c, PLAIT_WHY_SYN_DROPPED, c->version)) != NULL) {
        heed(c, e, PLAIT_WHY_DESTINATION_DROPS_SYNS);
        c->multipath = false;
        c->fallback_why = c->destination_why;
        return;
    }
    if (c->version != 1 || c->version_choice == PLAIT_VERSION_1 ||
        !c->env->config.version_fallback || known_to_fail(c, PLAIT_WHY_PEER_NO_MPTCP, 0) ||
        known_to_fail(c, PLAIT_WHY_SYN_DROPPED, 0))
        return;
    if ((e = entry_heeded(c, PLAIT_WHY_PEER_NO_MPTCP, 1)) != NULL) {
        heed(c, e, PLAIT_WHY_DESTINATION_NO_V1);
        c->version = 0;
    }
}

/* ---- evidence -------------------------------------------------------------------- */

void destinations_worked(struct plait_conn *c)
{
    static const enum plait_reason steps[] = {PLAIT_WHY_SYN_DROPPED, PLAIT_WHY_PEER_NO_MPTCP};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        struct destination *e = entry_find(c, steps[i], c->version);
        if (e)
            entry_forget(c->env, e, c->id, PLAIT_WHY_DESTINATION_WORKS);
    }
}

static struct destination *entry_new(struct plait_conn *c, enum plait_reason why)
{
    struct mptcp_env *env = c->env;
    struct destinations *all = &env->destinations;
    if (env->config.destinations_max == 0)
        return NULL;
    if (all->count >= env->config.destinations_max)
        entry_forget(env, list_first(&all->entries, struct destination, link), c->id,
                     PLAIT_WHY_LIMIT);
    struct destination *e = mem_alloc(&env->mem, sizeof *e);
    if (!e)
        return NULL;
    e->d = key_of(c, why, c->version);
    hash_insert(&all->table, &e->node, key_hash(env, &e->d));
    list_append(&all->entries, &e->link);
    all->count++;
    return e;
}

void destinations_failed(struct plait_conn *c, enum plait_reason why)
{
    struct mptcp_env *env = c->env;
    if (why == PLAIT_WHY_PEER_NO_MPTCP && !env->config.version_fallback)
        return; /* it costs the next connection nothing to offer again */
    struct destination *e = entry_find(c, why, c->version);
    if (e && c->opened_us <= e->d.seen_us)
        return; /* of the same time as what was seen already */
    if (e && decayed(env, e)) {
        entry_forget(env, e, c->id, PLAIT_WHY_DESTINATION_DECAYED);
        e = NULL;
    }
    if (!e)
        e = entry_new(c, why);
    if (!e)
        return;
    list_remove(&e->link);
    list_append(&env->destinations.entries, &e->link);
    e->d.seen++;
    e->d.seen_us = env->now_us;
    e->probe_conn = 0;
    if (e->d.seen < seen_min(e))
        return;
    e->d.decisive = true;
    e->d.until_us = env->now_us + hold_us(env, e);
    entry_event(env, e, c->id, PLAIT_EV_DESTINATION_JUDGED, why);
}

void destinations_gone(struct plait_conn *c)
{
    if (c->destination_why != PLAIT_WHY_DESTINATION_PROBE)
        return;
    list_each(e, &c->env->destinations.entries, struct destination, link)
        if (e->probe_conn == c->id)
            e->probe_conn = 0;
}

unsigned destinations_read(const struct mptcp_env *env, struct plait_destination *out, unsigned max)
{
    unsigned n = 0;
    list_each(e, &env->destinations.entries, struct destination, link) {
        if (n < max) {
            out[n] = e->d;
            out[n].probing = e->probe_conn != 0;
        }
        n++;
    }
    return n;
}
