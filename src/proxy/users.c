/* SPDX-License-Identifier: MIT */
#include "proxy/users.h"

#include <nettle/hmac.h>
#include <nettle/memops.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

enum {
    FORMAT = 1,
    AT_NAME_LEN = 1,
    AT_TIME = 4,
    AT_NONCE = 12,
    AT_MAC = 28,
    AT_NAME = 60,
    NONCE_BYTES = 16,
    MAC_BYTES = 32,
    /* Nonces of two generations: each as long as a message is good for. */
    NONCES_MAX = 1 << 16,
    NONCE_PLACES = 2 * NONCES_MAX
};
#define GOOD_FOR_US 60000000ull /* before and after the server's time */

/* ---- credentials -------------------------------------------------------------- */

bool credential_parse(const char *text, struct credential *out)
{
    const char *colon = strchr(text, ':');
    size_t name = colon ? (size_t)(colon - text) : 0;

    if (name == 0 || name > USERS_NAME_MAX || !colon[1] || strlen(colon + 1) > USERS_SECRET_MAX)
        return false;
    memcpy(out->name, text, name);
    out->name[name] = 0;
    memcpy(out->secret, colon + 1, strlen(colon + 1) + 1);
    return true;
}

/* Of a message in which the MAC is zero. */
static void mac_of(const struct credential *c, const uint8_t *message, size_t len,
                   uint8_t out[MAC_BYTES])
{
    struct hmac_sha256_ctx ctx;

    hmac_sha256_set_key(&ctx, strlen(c->secret), (const uint8_t *)c->secret);
    hmac_sha256_update(&ctx, len, message);
    hmac_sha256_digest(&ctx, MAC_BYTES, out);
}

bool credential_sign(const struct credential *c, struct convert_writer *w, uint64_t server_us,
                     const uint8_t nonce[NONCE_BYTES])
{
    uint8_t cookie[AT_NAME + USERS_NAME_MAX] = {FORMAT};
    size_t name = strlen(c->name);

    cookie[AT_NAME_LEN] = (uint8_t)name;
    put_be64(cookie + AT_TIME, server_us);
    memcpy(cookie + AT_NONCE, nonce, NONCE_BYTES);
    memcpy(cookie + AT_NAME, c->name, name);
    size_t at = convert_put_cookie(w, cookie, AT_NAME + name);
    if (!convert_end(w))
        return false;
    mac_of(c, w->bytes, w->len, w->bytes + at + AT_MAC);
    return true;
}

void challenge_put(uint8_t out[CHALLENGE_BYTES], uint64_t server_us)
{
    out[0] = 0;
    put_be64(out + 1, server_us);
}

bool challenge_read(const struct convert_span *value, uint64_t *server_us)
{
    if (value->len < CHALLENGE_BYTES || value->at[0] != 0)
        return false;
    *server_us = get_be64(value->at + 1);
    return true;
}

/* ---- nonces that were heard ----------------------------------------------------- */

/* Open addressing; all of it is forgotten at once. */
struct generation {
    uint64_t since_us;
    unsigned count;
    uint8_t (*places)[NONCE_BYTES]; /* all zero: empty */
};

struct users {
    struct account {
        struct user_account shown; /* first */
        struct credential credential;
    } * *list;
    unsigned count;
    struct generation now, before;
};

static bool is_zero(const uint8_t nonce[NONCE_BYTES])
{
    static const uint8_t zero[NONCE_BYTES];

    return memcmp(nonce, zero, NONCE_BYTES) == 0;
}

/* Where it is, or would be. A nonce is its sender's: who makes long chains, having a
 * secret, makes them for at most NONCES_MAX messages. */
static uint8_t *place_of(const struct generation *g, const uint8_t nonce[NONCE_BYTES])
{
    size_t i = (size_t)(get_be64(nonce) ^ get_be64(nonce + 8)) % NONCE_PLACES;

    while (!is_zero(g->places[i]) && memcmp(g->places[i], nonce, NONCE_BYTES) != 0)
        i = (i + 1) % NONCE_PLACES;
    return g->places[i];
}

static void turn_generation(struct users *u, uint64_t now_us)
{
    if (now_us - u->now.since_us < 2 * GOOD_FOR_US)
        return;
    struct generation spare = u->before;
    u->before = u->now;
    if (now_us - u->before.since_us >= 4 * GOOD_FOR_US && u->before.count) {
        memset(u->before.places, 0, (size_t)NONCE_PLACES * NONCE_BYTES);
        u->before.count = 0;
    }
    if (spare.count)
        memset(spare.places, 0, (size_t)NONCE_PLACES * NONCE_BYTES);
    u->now = (struct generation){.since_us = now_us, .places = spare.places};
}

static enum users_verdict remember(struct users *u, const uint8_t nonce[NONCE_BYTES],
                                   uint64_t now_us)
{
    turn_generation(u, now_us);
    if (is_zero(nonce) || !is_zero(place_of(&u->before, nonce)))
        return USERS_UNKNOWN;
    uint8_t *place = place_of(&u->now, nonce);
    if (!is_zero(place))
        return USERS_UNKNOWN;
    if (u->now.count == NONCES_MAX)
        return USERS_FULL;
    memcpy(place, nonce, NONCE_BYTES);
    u->now.count++;
    return USERS_GOOD;
}

/* ---- users ---------------------------------------------------------------------- */

struct users *users_new(void)
{
    struct users *u = calloc(1, sizeof *u);

    if (!u)
        return NULL;
    u->now.places = calloc(NONCE_PLACES, NONCE_BYTES);
    u->before.places = calloc(NONCE_PLACES, NONCE_BYTES);
    u->list = calloc(USERS_MAX, sizeof(struct account *));
    if (u->now.places && u->before.places && u->list)
        return u;
    users_free(u);
    return NULL;
}

void users_free(struct users *u)
{
    if (!u)
        return;
    for (unsigned i = 0; i < u->count; i++) {
        explicit_bzero(u->list[i], sizeof *u->list[i]);
        free(u->list[i]);
    }
    free(u->list);
    free(u->now.places);
    free(u->before.places);
    free(u);
}

static struct account *find(const struct users *u, const char *name, size_t len)
{
    for (unsigned i = 0; i < u->count; i++) {
        const char *own = u->list[i]->credential.name;
        if (strlen(own) == len && memcmp(own, name, len) == 0)
            return u->list[i];
    }
    return NULL;
}

bool users_add(struct users *u, const struct credential *c)
{
    struct account *a;

    if (u->count == USERS_MAX || find(u, c->name, strlen(c->name)) || !(a = calloc(1, sizeof *a)))
        return false;
    a->credential = *c;
    memcpy(a->shown.name, c->name, sizeof a->shown.name);
    u->list[u->count++] = a;
    return true;
}

unsigned users_count(const struct users *u)
{
    return u->count;
}

static bool timely(uint64_t sent_us, uint64_t now_us)
{
    return sent_us > now_us ? sent_us - now_us <= GOOD_FOR_US : now_us - sent_us <= GOOD_FOR_US;
}

enum users_verdict users_check(struct users *u, const uint8_t *message, size_t len,
                               const struct convert_message *m, uint64_t server_us,
                               struct user_account **out)
{
    const uint8_t *cookie = m->cookie_bytes.at;
    uint8_t copy[CONVERT_BYTES_MAX], mac[MAC_BYTES];

    if (m->cookie_bytes.len < AT_NAME || cookie[0] != FORMAT ||
        cookie[AT_NAME_LEN] > m->cookie_bytes.len - AT_NAME)
        return USERS_UNKNOWN;
    struct account *a = find(u, (const char *)cookie + AT_NAME, cookie[AT_NAME_LEN]);
    if (!a || !timely(get_be64(cookie + AT_TIME), server_us))
        return USERS_UNKNOWN;
    memcpy(copy, message, len);
    memset(copy + (cookie - message) + AT_MAC, 0, MAC_BYTES);
    mac_of(&a->credential, copy, len, mac);
    if (!memeql_sec(mac, cookie + AT_MAC, MAC_BYTES))
        return USERS_UNKNOWN;
    *out = &a->shown;
    return remember(u, cookie + AT_NONCE, server_us);
}
