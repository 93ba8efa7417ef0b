/* SPDX-License-Identifier: MIT
 *
 * Packing subflows and unpacking them; see sleep.h. Most words of an idle
 * subflow are zero, "never", or an empty list that points at itself, so each
 * word becomes two bits that say which, and only other words are written, as
 * their bytes that are not zero. No field is known here by name, but for those
 * by which a subflow hangs together with others.
 *
 * Subflows look much alike: each is written as what differs from the one before
 * it, the first as what differs from the first that ever slept in this stack
 * (env->sleep_like).
 *
 * Invariants: while c->asleep is set c->subflows is empty, c->subflow_count
 * still counts them, c->awake is NULL, and every one of them is in
 * env->asleep and none in env->flows.
 */
#include "mptcp/sleep.h"

#include <assert.h>
#include <string.h>

/* ---- words ------------------------------------------------------------------------ */

enum word_code {
    WORD_LIKE,  /* as expected: zero, or what the example has */
    WORD_ONES,  /* TIMER_NEVER */
    WORD_EMPTY, /* the two of an empty list's head */
    WORD_BYTES  /* the difference: a mask of its bytes that are not zero, then these */
};

enum {
    WORD = sizeof(uint64_t),
    CODES_A_BYTE = 4,
    SUBFLOW_WORDS = sizeof(struct subflow) / WORD,
    STATE_WORDS = sizeof(struct conn_plugins) / WORD
};
static_assert(sizeof(struct subflow) % WORD == 0 && sizeof(struct conn_plugins) % WORD == 0,
              "packed by words");
static_assert(sizeof(uintptr_t) == WORD, "an empty list is two words");

static size_t codes_bytes(size_t words)
{
    return (words + CODES_A_BYTE - 1) / CODES_A_BYTE;
}

static uint64_t word_at(const void *base, size_t i)
{
    uint64_t w;
    memcpy(&w, (const char *)base + i * WORD, WORD);
    return w;
}

/* What is at i is the head of an empty list. */
static bool empty_list_at(const void *base, size_t words, size_t i)
{
    uint64_t self = (uintptr_t)base + i * WORD;
    return i + 1 < words && word_at(base, i) == self && word_at(base, i + 1) == self;
}

static bool points_into(const void *base, size_t words, uint64_t w)
{
    uint64_t begin = (uintptr_t)base;
    return w >= begin && w < begin + words * WORD;
}

/* The word that one packed like `like` is expected to have. Places in `like`
 * itself are no example. */
static uint64_t like_at(const void *like, size_t words, size_t i)
{
    uint64_t w = like ? word_at(like, i) : 0;
    return points_into(like, words, w) ? 0 : w;
}

static enum word_code code_of(const void *base, const void *like, size_t words, size_t i)
{
    uint64_t w = word_at(base, i);
    if (empty_list_at(base, words, i))
        return WORD_EMPTY;
    if (w == like_at(like, words, i))
        return WORD_LIKE;
    return w == UINT64_MAX ? WORD_ONES : WORD_BYTES;
}

static size_t pack_bytes(uint64_t w, uint8_t *out)
{
    size_t n = 1;
    uint8_t mask = 0;
    for (unsigned b = 0; b < WORD; b++) {
        uint8_t byte = (uint8_t)(w >> (8 * b));
        if (!byte)
            continue;
        mask |= (uint8_t)(1 << b);
        if (out)
            out[n] = byte;
        n++;
    }
    if (out)
        out[0] = mask;
    return n;
}

static size_t unpack_bytes(const uint8_t *in, uint64_t *w)
{
    size_t n = 1;
    *w = 0;
    for (unsigned b = 0; b < WORD; b++)
        if (in[0] & 1 << b)
            *w |= (uint64_t)in[n++] << (8 * b);
    return n;
}

/* Pack what is at base; out NULL: only say how many bytes it takes. like: what
 * it probably resembles, NULL: nothing. */
static size_t pack(const void *base, const void *like, size_t words, uint8_t *out)
{
    size_t n = codes_bytes(words);
    if (out)
        memset(out, 0, n);
    for (size_t i = 0; i < words; i++) {
        enum word_code code = code_of(base, like, words, i);
        if (out)
            out[i / CODES_A_BYTE] |= (uint8_t)(code << (2 * (i % CODES_A_BYTE)));
        if (code == WORD_BYTES)
            n += pack_bytes(word_at(base, i) ^ like_at(like, words, i), out ? out + n : NULL);
        i += code == WORD_EMPTY; /* the second of the two has no code of its own */
    }
    return n;
}

/* The other way round, wherever base is now. Returns the bytes read. */
static size_t unpack(void *base, const void *like, size_t words, const uint8_t *in)
{
    size_t n = codes_bytes(words);
    for (size_t i = 0; i < words; i++) {
        char *at = (char *)base + i * WORD;
        uint64_t w = like_at(like, words, i), differs;
        switch ((enum word_code)(in[i / CODES_A_BYTE] >> (2 * (i % CODES_A_BYTE)) & 3)) {
        case WORD_LIKE:
            break;
        case WORD_ONES:
            w = UINT64_MAX;
            break;
        case WORD_EMPTY:
            w = (uintptr_t)at;
            memcpy(at + WORD, &w, WORD);
            i++;
            break;
        case WORD_BYTES:
            n += unpack_bytes(in + n, &differs);
            w ^= differs;
        }
        memcpy(at, &w, WORD);
    }
    return n;
}

/* A word that points into what is packed would point nowhere afterwards. */
static bool points_at_itself(const void *base, size_t words)
{
    for (size_t i = 0; i < words; i++) {
        if (empty_list_at(base, words, i))
            i++;
        else if (points_into(base, words, word_at(base, i)))
            return true;
    }
    return false;
}

/* ---- who may sleep ------------------------------------------------------------------ */

static bool subflow_rests(const struct subflow *sf)
{
    const struct tcp *t = &sf->tcp;
    return sf->quiet && sf->joined && !sf->gone && t->state == TCP_ESTABLISHED &&
           list_empty(&t->records) && list_empty(&t->receiver.pieces) && !t->receiver.ready_set &&
           list_empty(&sf->mappings) && list_empty(&sf->held) && !sf->place_hint &&
           !list_linked(&sf->half_open_link);
}

static bool conn_rests(const struct plait_conn *c)
{
    if (!c->awake || !plugins_may_sleep(c))
        return false;
    if (c->snd_una != c->snd_end || c->recv_bytes || c->ooo_bytes || list_linked(&c->sending_link))
        return false;
    bool open = c->state == CONN_ESTABLISHED && !c->closing && !c->fin_queued && !c->fin_known &&
                !c->fin_received && !c->rd_shut && !c->lingering && !c->early;
    bool taken =
        !c->listener && !c->detached && !c->race && !c->awake->falling.sf && !c->fastclose_on;
    if (!open || !taken || list_empty(&c->subflows) || !list_empty(&c->reinject) ||
        !list_empty(&c->send_queue))
        return false;
    list_each(sf, &c->subflows, struct subflow, link)
        if (!subflow_rests(sf))
            return false;
    return true;
}

/* ---- falling asleep ------------------------------------------------------------------- */

/* Take a subflow out of everything that points to it. */
static void lie_down(struct subflow *sf)
{
    tcp_set_group(&sf->tcp, NULL, NULL);
    hash_remove(&sf->conn->env->flows, &sf->flow);
    list_remove(&sf->link);
    sf->flow = (struct hash_node){0};
    sf->conn = NULL;
}

static uint64_t hash_of(const struct mptcp_env *env, const struct subflow *sf)
{
    return flow_hash(env, &sf->tcp.local, &sf->tcp.remote);
}

/* Back again, behind those that are. */
static void stand_up(struct plait_conn *c, struct subflow *sf)
{
    sf->conn = c;
    list_append(&c->subflows, &sf->link);
    hash_insert(&c->env->flows, &sf->flow, hash_of(c->env, sf));
}

static uint16_t place_of(const struct plait_conn *c, const struct subflow *wanted)
{
    uint16_t place = 1;
    list_each(sf, &c->subflows, struct subflow, link) {
        if (sf == wanted)
            return place;
        place++;
    }
    return 0;
}

static uint8_t *packed_of(struct asleep *a)
{
    return (uint8_t *)(a->flows + a->count);
}

/* The first to sleep is the example for all that come. */
static bool like_learn(struct mptcp_env *env, const struct subflow *sf)
{
    if (env->sleep_like)
        return true;
    size_t bytes = pack(sf, NULL, SUBFLOW_WORDS, NULL);
    uint8_t *packed = mem_alloc_raw(&env->mem, bytes);
    env->sleep_like = packed ? mem_alloc_raw(&env->mem, sizeof *env->sleep_like) : NULL;
    if (env->sleep_like) { /* whose lists begin where it is */
        pack(sf, NULL, SUBFLOW_WORDS, packed);
        unpack(env->sleep_like, NULL, SUBFLOW_WORDS, packed);
    }
    mem_free(&env->mem, packed, bytes);
    return env->sleep_like != NULL;
}

void asleep_forget_like(struct mptcp_env *env)
{
    mem_free(&env->mem, env->sleep_like, sizeof *env->sleep_like);
    env->sleep_like = NULL;
}

/* A block for the subflows in `down`, which are on no list, and the plug-ins'
 * state. NULL: not now. */
static struct asleep *asleep_new(struct plait_conn *c, struct subflow *const *down)
{
    size_t bytes = sizeof(struct asleep) + c->subflow_count * sizeof(struct sleeper) +
                   pack(&c->awake->plugins, NULL, STATE_WORDS, NULL);
    if (!like_learn(c->env, down[0]))
        return NULL;
    const struct subflow *like = c->env->sleep_like;
    for (unsigned i = 0; i < c->subflow_count; i++) {
        if (points_at_itself(down[i], SUBFLOW_WORDS))
            return NULL;
        bytes += pack(down[i], like, SUBFLOW_WORDS, NULL);
        like = down[i];
    }
    struct asleep *a = blocks_get(&c->env->asleep_blocks, bytes);
    if (a)
        *a = (struct asleep){.bytes = (uint32_t)bytes, .count = (uint16_t)c->subflow_count};
    return a;
}

static void asleep_fill(struct plait_conn *c, struct asleep *a, struct subflow *const *down)
{
    struct mptcp_env *env = c->env;
    const struct subflow *like = env->sleep_like;
    uint8_t *out = packed_of(a);
    for (unsigned i = 0; i < a->count; i++) {
        out += pack(down[i], like, SUBFLOW_WORDS, out);
        like = down[i];
        a->flows[i].conn = c;
        hash_insert(&env->asleep, &a->flows[i].flow, hash_of(env, down[i]));
    }
    out += pack(&c->awake->plugins, NULL, STATE_WORDS, out);
    assert(out == (uint8_t *)a + a->bytes);
    for (unsigned i = 0; i < a->count; i++)
        pool_put(&env->subflows, down[i]);
}

static void conn_sleep(struct plait_conn *c)
{
    uint16_t initial = place_of(c, c->initial), plain = place_of(c, c->plain),
             last_recv = place_of(c, c->last_recv);
    struct subflow **down = c->awake->arrays.subflows; /* as large as this, and nobody else's now */
    unsigned count = 0;
    list_each(sf, &c->subflows, struct subflow, link) {
        lie_down(sf);
        down[count++] = sf;
    }
    struct asleep *a = asleep_new(c, down);
    if (!a) {
        for (unsigned i = 0; i < count; i++)
            stand_up(c, down[i]);
        conn_regroup(c);
        return;
    }
    asleep_fill(c, a, down);
    a->initial = initial;
    a->plain = plain;
    a->last_recv = last_recv;
    c->initial = c->plain = c->last_recv = NULL;
    conn_free_awake(c);
    c->asleep = a;
    c->env->asleep_count++;
    list_remove(&c->link);
    list_append(&c->env->sleepers, &c->link);
}

uint64_t sleep_step(struct plait_conn *c, uint64_t at_us, uint64_t now_us)
{
    uint32_t sleep_us = c->env->config.sleep_us;
    if (!sleep_us || !conn_rests(c))
        return at_us;
    uint64_t due_us = c->active_us + sleep_us;
    if (now_us < due_us)
        return due_us < at_us ? due_us : at_us;
    if (at_us > now_us + sleep_us)
        conn_sleep(c);
    return at_us;
}

/* ---- waking up ------------------------------------------------------------------------ */

/* `count` empty subflows on `cells`. */
static bool cells_get(struct mptcp_env *env, unsigned count, struct list *cells)
{
    list_init(cells);
    while (count--) {
        struct subflow *sf = pool_get(&env->subflows);
        if (!sf)
            break;
        list_append(cells, &sf->link);
        if (!count)
            return true;
    }
    list_each(sf, cells, struct subflow, link)
        pool_put(&env->subflows, sf);
    return false;
}

static void asleep_release(struct plait_conn *c)
{
    struct asleep *a = c->asleep;
    for (unsigned i = 0; i < a->count; i++)
        hash_remove(&c->env->asleep, &a->flows[i].flow);
    blocks_put(&c->env->asleep_blocks, a, a->bytes);
    c->asleep = NULL;
    c->env->asleep_count--;
    list_remove(&c->link);
    list_append(&c->env->conns, &c->link);
}

static void point(struct subflow **at, uint16_t place, unsigned index, struct subflow *sf)
{
    if (place == index + 1)
        *at = sf;
}

bool conn_wake(struct plait_conn *c)
{
    struct asleep *a = c->asleep;
    struct mptcp_env *env = c->env;
    struct list cells;
    if (!a)
        return true;
    bool room = conn_new_awake(c) && conn_reserve_arrays(c);
    if (!room || !cells_get(env, a->count, &cells)) {
        conn_free_awake(c);
        return false;
    }
    const uint8_t *in = packed_of(a);
    const struct subflow *like = env->sleep_like;
    unsigned i = 0;
    list_each(sf, &cells, struct subflow, link) {
        list_remove(&sf->link);
        in += unpack(sf, like, SUBFLOW_WORDS, in);
        like = c->awake->arrays.subflows[i++] = sf;
    }
    unpack(&c->awake->plugins, NULL, STATE_WORDS, in);
    for (i = 0; i < a->count; i++) { /* only now: who stands is no example any more */
        struct subflow *sf = c->awake->arrays.subflows[i];
        stand_up(c, sf);
        point(&c->initial, a->initial, i, sf);
        point(&c->plain, a->plain, i, sf);
        point(&c->last_recv, a->last_recv, i, sf);
    }
    asleep_release(c);
    conn_regroup(c);
    c->active_us = env->now_us;
    conn_touch(c);
    paths_locals_slept(c);
    return true;
}

void asleep_free(struct plait_conn *c)
{
    if (!c->asleep)
        return;
    unsigned count = c->asleep->count;
    asleep_release(c);
    c->subflow_count -= count;
    c->env->subflow_count -= count;
}

void conn_wake_or_drop(struct plait_conn *c)
{
    if (conn_wake(c))
        return;
    asleep_free(c);
    conn_fail(c, PLAIT_E_NO_MEMORY, PLAIT_WHY_NO_MEMORY);
}

struct plait_conn *asleep_find(const struct mptcp_env *env, const struct plait_endpoint *local,
                               const struct plait_endpoint *remote)
{
    if (env->asleep.count == 0)
        return NULL;
    struct hash_node *n = hash_find(&env->asleep, flow_hash(env, local, remote));
    return n ? list_entry(n, struct sleeper, flow)->conn : NULL;
}
