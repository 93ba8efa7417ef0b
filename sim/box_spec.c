/* SPDX-License-Identifier: MIT
 *
 * Boxes as text. Every value is a number: a size, a time, a signed count, the
 * index of a word, or the bits of several words; one row a key says which.
 */
#include <stdio.h>
#include <string.h>

#include "base/addr.h"
#include "sim/box_kind.h"
#include "sim/spec.h"

/* What has nine digits in the smallest unit reads as it was written. */
#define TIME_MOST UINT64_C(900000000)
#define TIME_FORM "a time such as 500ms, at most 900s"

const struct box_kind *const box_kinds[] = {&kind_strip,     &kind_repeat, &kind_mss,
                                            &kind_window,    &kind_drop,   &kind_reset,
                                            &kind_blackhole, &kind_nohole, &kind_unseen,
                                            &kind_forge,     &kind_mtu,    &kind_isn,
                                            &kind_nat,       &kind_split,  &kind_coalesce,
                                            &kind_resegment, &kind_edit,   &kind_alg,
                                            &kind_pep,       &kind_portal, NULL};

static const char *const dir_words[] = {"there", "back", NULL};
static const char *const phase_words[] = {"syn",  "synack", "third", "ack",
                                          "data", "fin",    "rst",   NULL};
static const char *const flag_words[] = {"fin", "syn", "rst", "psh", "ack", NULL};
static const char *const option_words[] = {"capable",     "join",   "dss",       "add_addr",
                                           "remove_addr", "prio",   "fail",      "fastclose",
                                           "tcprst",      "mptcp",  "timestamp", "sack",
                                           "sackok",      "wscale", "mss",       "fastopen",
                                           NULL};
static const uint32_t option_bits[] = {1 << 0,         1 << 1,           1 << 2,
                                       1 << 3,         1 << 4,           1 << 5,
                                       1 << 6,         1 << 7,           1 << 8,
                                       OPTION_MPTCP,   OPTION_TIMESTAMP, OPTION_SACK,
                                       OPTION_SACKOK,  OPTION_WSCALE,    OPTION_MSS,
                                       OPTION_FASTOPEN};

enum value_type {
    VALUE_NUMBER, /* least to most */
    VALUE_SIGNED, /* -most to most, not 0 */
    VALUE_TIME,
    VALUE_BYTES,
    VALUE_WORDS, /* joined by '+' */
    VALUE_HOW,   /* one of the kind's words */
    VALUE_ADDR
};

static const struct key_row {
    const char *name;
    enum value_type type;
    uint64_t least, most;
    const char *const *words;
    const char *form; /* "a number from 1 to 65535" */
} keys[BOX_KEY_COUNT] = {
    [BOX_DIR] = {"dir", VALUE_WORDS, .words = dir_words, .form = "there, back or both"},
    [BOX_ON] = {"on", VALUE_WORDS, .words = phase_words,
                .form = "syn, synack, third, ack, data, fin or rst, several joined by +"},
    [BOX_OPTION] = {"option", VALUE_WORDS, .words = option_words,
                    .form = "capable, join, dss, add_addr, remove_addr, prio, fail, fastclose, "
                            "tcprst, mptcp, timestamp, sack, sackok, wscale, mss or fastopen, "
                            "several joined by +"},
    [BOX_PORT] = {"port", VALUE_NUMBER, 1, 65535, .form = "a number from 1 to 65535"},
    [BOX_AFTER] = {"after", VALUE_NUMBER, 1, 1000000000, .form = "how many packets pass first"},
    [BOX_COUNT] = {"count", VALUE_NUMBER, 1, 1000000000, .form = "on how many packets, from 1"},
    [BOX_FROM] = {"from", VALUE_TIME, 0, TIME_MOST, .form = TIME_FORM},
    [BOX_UNTIL] = {"until", VALUE_TIME, 1, TIME_MOST, .form = TIME_FORM},
    [BOX_HOW] = {"how", VALUE_HOW},
    [BOX_SIZE] = {"size", VALUE_NUMBER, 1, 65535, .form = "bytes, from 1 to 65535"},
    [BOX_BYTES] = {"bytes", VALUE_BYTES, 1, 999999999, .form = "a number with B, kB or MB"},
    [BOX_HOLD] = {"hold", VALUE_TIME, 1, TIME_MOST, .form = TIME_FORM},
    [BOX_OFFSET] = {"offset", VALUE_NUMBER, 0, 1000000000, .form = "a place in the stream, from 0"},
    [BOX_GROW] = {"grow", VALUE_SIGNED, 1, 64, .form = "bytes, from -64 to 64, not 0"},
    [BOX_ADDR] = {"addr", VALUE_ADDR, .form = "an IPv4 or IPv6 address"},
    [BOX_IDLE] = {"idle", VALUE_TIME, 1, TIME_MOST, .form = TIME_FORM},
    [BOX_FLUSH] = {"flush", VALUE_TIME, 1, TIME_MOST, .form = TIME_FORM},
    [BOX_NEAR] = {"near", VALUE_NUMBER, 0, UINT32_MAX, .form = "a sequence number"},
    [BOX_FLAGS] = {"flags", VALUE_WORDS, .words = flag_words,
                   .form = "fin, syn, rst, psh or ack, several joined by +"},
    [BOX_SHIFT] = {"shift", VALUE_SIGNED, 1, 1000000000,
                   .form = "bytes to add to the sequence number, not 0"},
};

/* ---- values ----------------------------------------------------------------------------- */

static bool number(const char *text, uint64_t least, uint64_t most, uint64_t *out)
{
    uint64_t v = 0;
    if (!*text)
        return false;
    for (; *text >= '0' && *text <= '9'; text++) {
        v = v * 10 + (uint64_t)(*text - '0');
        if (v > most)
            return false;
    }
    *out = v;
    return !*text && v >= least;
}

static bool signed_number(const char *text, const struct key_row *k, uint64_t *out)
{
    bool minus = *text == '-';
    if (!number(text + (minus || *text == '+'), k->least, k->most, out))
        return false;
    if (minus)
        *out = 0 - *out;
    return true;
}

/* The bits of one word; 0: there is no such word. */
static uint64_t word_bits(const char *const *words, const char *text, size_t len)
{
    for (unsigned i = 0; words[i]; i++) {
        if (strlen(words[i]) == len && memcmp(words[i], text, len) == 0)
            return words == option_words ? option_bits[i] : UINT64_C(1) << i;
    }
    return words == dir_words && len == 4 && memcmp(text, "both", 4) == 0 ? 3 : 0;
}

static bool words(const char *text, const struct key_row *k, uint64_t *out)
{
    *out = 0;
    for (;;) {
        size_t len = strcspn(text, "+");
        uint64_t bits = word_bits(k->words, text, len);
        if (!bits)
            return false;
        *out |= bits;
        if (!text[len])
            return true;
        text += len + 1;
    }
}

static bool how_word(const struct box_kind *kind, const char *text, uint64_t *out)
{
    for (unsigned i = 0; kind->how[i]; i++) {
        if (strcmp(kind->how[i], text) == 0) {
            *out = i;
            return true;
        }
    }
    return false;
}

static bool value(const struct key_row *k, const char *text, struct box_spec *s, uint64_t *out)
{
    switch (k->type) {
    case VALUE_NUMBER:
        return number(text, k->least, k->most, out);
    case VALUE_SIGNED:
        return signed_number(text, k, out);
    case VALUE_TIME:
        return spec_time(text, out) && *out >= k->least && *out <= k->most;
    case VALUE_BYTES:
        return spec_bytes(text, out) && *out >= k->least && *out <= k->most;
    case VALUE_WORDS:
        return words(text, k, out);
    case VALUE_HOW:
        return how_word(s->kind, text, out);
    default:
        return addr_parse(text, &s->addr);
    }
}

/* ---- parsing ---------------------------------------------------------------------------- */

static uint32_t keys_of(const struct box_kind *kind)
{
    return kind->keys | (kind->how ? 1u << BOX_HOW : 0) | ((1u << BOX_COMMON_KEYS) - 1);
}

/* "a, b and c" of what stands in `in`, bits of keys. */
static void list_keys(uint32_t in, char *buf, size_t size)
{
    size_t n = 0;
    *buf = '\0';
    for (unsigned i = 0; i < BOX_KEY_COUNT; i++) {
        if (!(in & 1u << i))
            continue;
        uint32_t later = in & ~((2u << i) - 1);
        n += (size_t)snprintf(buf + n, size - n, "%s%s", keys[i].name,
                              !later                 ? ""
                              : later & (later - 1u) ? ", "
                                                     : " and ");
    }
}

static void how_form(const struct box_kind *kind, char *buf, size_t size)
{
    size_t n = 0;
    for (unsigned i = 0; kind->how[i]; i++)
        n += (size_t)snprintf(buf + n, size - n, "%s%s", i ? " or " : "", kind->how[i]);
}

static bool parse_item(struct box_spec *s, char *item, char *error)
{
    char list[BOX_ERROR_MAX / 2], *text = strchr(item, '=');
    if (!text) {
        snprintf(error, BOX_ERROR_MAX, "\"%.40s\" in a box has no value: write key=value", item);
        return false;
    }
    *text++ = '\0';
    for (unsigned i = 0; i < BOX_KEY_COUNT; i++) {
        uint64_t v = 0;
        if (strcmp(item, keys[i].name) != 0 || !(keys_of(s->kind) & 1u << i))
            continue;
        if (value(&keys[i], text, s, &v)) {
            s->value[i] = v;
            s->given |= 1u << i;
            return true;
        }
        if (i == BOX_HOW)
            how_form(s->kind, list, sizeof list);
        else
            snprintf(list, sizeof list, "%s", keys[i].form);
        snprintf(error, BOX_ERROR_MAX, "%s=%.40s in a box: wanted %s", item, text, list);
        return false;
    }
    list_keys(keys_of(s->kind), list, sizeof list);
    snprintf(error, BOX_ERROR_MAX, "the box %s has no \"%.20s\": there are %s", s->kind->name, item,
             list);
    return false;
}

static const struct box_kind *find_kind(const char *name, char *error)
{
    for (const struct box_kind *const *k = box_kinds; *k; k++) {
        if (strcmp((*k)->name, name) == 0)
            return *k;
    }
    int n = snprintf(error, BOX_ERROR_MAX, "there is no box \"%.20s\": there are ", name);
    for (const struct box_kind *const *k = box_kinds; *k; k++)
        n += snprintf(error + n, (size_t)(BOX_ERROR_MAX - n), "%s%s", (*k)->name,
                      !k[1]  ? ""
                      : k[2] ? ", "
                             : " and ");
    return NULL;
}

static bool complete(const struct box_spec *s, char *error)
{
    char list[BOX_ERROR_MAX / 2];
    uint32_t missing = s->kind->needs & ~s->given;
    if (missing) {
        list_keys(missing, list, sizeof list);
        snprintf(error, BOX_ERROR_MAX, "the box %s needs %s", s->kind->name, list);
        return false;
    }
    if (s->given & 1u << BOX_UNTIL && s->value[BOX_UNTIL] <= s->value[BOX_FROM]) {
        snprintf(error, BOX_ERROR_MAX, "until= in a box must be later than from=");
        return false;
    }
    return true;
}

bool box_spec_parse(const char *text, struct box_spec *out, char *error)
{
    char copy[BOX_TEXT_MAX], *rest = NULL;
    struct box_spec s;
    memset(&s, 0, sizeof s);
    if (strlen(text) >= sizeof copy) {
        snprintf(error, BOX_ERROR_MAX, "a box is described in at most %d characters",
                 BOX_TEXT_MAX - 1);
        return false;
    }
    memcpy(copy, text, strlen(text) + 1);
    char *colon = strchr(copy, ':');
    if (colon)
        *colon = '\0';
    s.kind = find_kind(copy, error);
    if (!s.kind)
        return false;
    char *item = colon ? strtok_r(colon + 1, ",", &rest) : NULL;
    for (; item; item = strtok_r(NULL, ",", &rest)) {
        if (!parse_item(&s, item, error))
            return false;
    }
    if (!complete(&s, error))
        return false;
    *out = s;
    return true;
}

/* ---- formatting ------------------------------------------------------------------------- */

static void put_words(const struct key_row *k, uint64_t v, char *buf, size_t size)
{
    size_t n = 0;
    if (k->words == dir_words && v == 3) {
        snprintf(buf, size, "both");
        return;
    }
    for (unsigned i = 0; k->words[i]; i++) {
        uint64_t bits = word_bits(k->words, k->words[i], strlen(k->words[i]));
        bool all_mptcp = k->words == option_words && (v & OPTION_MPTCP) == OPTION_MPTCP;
        if ((v & bits) == bits && !(all_mptcp && bits < OPTION_MPTCP))
            n += (size_t)snprintf(buf + n, size - n, "%s%s", n ? "+" : "", k->words[i]);
    }
}

static void put_value(const struct box_spec *s, unsigned i, char *buf, size_t size)
{
    const struct key_row *k = &keys[i];
    uint64_t v = s->value[i];
    switch (k->type) {
    case VALUE_NUMBER:
        snprintf(buf, size, "%llu", (unsigned long long)v);
        break;
    case VALUE_SIGNED:
        snprintf(buf, size, "%lld", (long long)v);
        break;
    case VALUE_TIME:
        snprintf(buf, size, v % 1000 ? "%lluus" : "%llums",
                 (unsigned long long)(v % 1000 ? v : v / 1000));
        break;
    case VALUE_BYTES:
        snprintf(buf, size, v % 1000 ? "%lluB" : "%llukB",
                 (unsigned long long)(v % 1000 ? v : v / 1000));
        break;
    case VALUE_WORDS:
        put_words(k, v, buf, size);
        break;
    case VALUE_HOW:
        snprintf(buf, size, "%s", s->kind->how[v]);
        break;
    case VALUE_ADDR:
        addr_format(&s->addr, buf);
        break;
    }
}

char *box_spec_format(const struct box_spec *s, char *buf)
{
    char sign = ':';
    size_t n = (size_t)snprintf(buf, BOX_TEXT_MAX, "%s", s->kind->name);
    for (unsigned i = 0; i < BOX_KEY_COUNT; i++) {
        char text[128]; /* every option's word is the longest */
        if (!(s->given & 1u << i))
            continue;
        put_value(s, i, text, sizeof text);
        n += (size_t)snprintf(buf + n, BOX_TEXT_MAX - n, "%c%s=%s", sign, keys[i].name, text);
        if (n >= BOX_TEXT_MAX)
            break;
        sign = ',';
    }
    return buf;
}

/* ---- the catalogue ---------------------------------------------------------------------- */

bool box_catalogue(unsigned i, struct box_entry *e)
{
    char how[48];
    size_t n = 0;
    const struct box_kind *k = box_kinds[i];
    if (!k)
        return false;
    e->name = k->name;
    e->summary = k->summary;
    e->arguments[0] = '\0';
    for (unsigned key = BOX_COMMON_KEYS; key < BOX_KEY_COUNT; key++) {
        if (!(keys_of(k) & 1u << key))
            continue;
        size_t at = 0;
        for (unsigned w = 0; key == BOX_HOW && k->how[w]; w++)
            at += (size_t)snprintf(how + at, sizeof how - at, "%s%s", w ? "|" : "", k->how[w]);
        n += (size_t)snprintf(e->arguments + n, sizeof e->arguments - n, "%s%s=%s", n ? "," : "",
                              keys[key].name, key == BOX_HOW ? how : "...");
    }
    return true;
}
