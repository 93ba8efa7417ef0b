/* SPDX-License-Identifier: MIT
 *
 * A segment as one line of text, worded as tcpdump words it.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/addr.h"
#include "wire/segment.h"

/* Text that counts on past its end, as snprintf does. */
struct text {
    char *buf;
    size_t size, len;
    const char *comma; /* what goes before the next option */
};

static char *text_at(const struct text *t)
{
    return t->len < t->size ? t->buf + t->len : NULL;
}

static size_t text_room(const struct text *t)
{
    return t->len < t->size ? t->size - t->len : 0;
}

#define add(t, ...) ((t)->len += (size_t)snprintf(text_at(t), text_room(t), __VA_ARGS__))

/* Start an option: a comma unless it is the first. */
static void next(struct text *t)
{
    add(t, "%s", t->comma);
    t->comma = ",";
}

static void add_hex(struct text *t, const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        add(t, "%02x", bytes[i]);
}

static void format_flags(const struct segment *s, struct text *t)
{
    static const struct {
        uint8_t flag;
        char letter;
    } letters[] = {{TCP_FIN, 'F'}, {TCP_SYN, 'S'}, {TCP_RST, 'R'}, {TCP_PSH, 'P'},
                   {TCP_URG, 'U'}, {TCP_ECE, 'E'}, {TCP_CWR, 'W'}, {TCP_ACK, '.'}};
    add(t, " [");
    for (size_t i = 0; i < sizeof letters / sizeof letters[0]; i++)
        if (s->flags & letters[i].flag)
            add(t, "%c", letters[i].letter);
    add(t, "]");
}

static void format_tcp(const struct tcp_options *o, struct text *t)
{
    if (o->present & OPT_MSS)
        next(t), add(t, "mss %u", o->mss);
    if (o->present & OPT_SACK_OK)
        next(t), add(t, "sackOK");
    if (o->present & OPT_TIMESTAMP)
        next(t), add(t, "TS val %" PRIu32 " ecr %" PRIu32, o->tsval, o->tsecr);
    if (o->present & OPT_WSCALE)
        next(t), add(t, "wscale %u", o->wscale);
    if (o->present & OPT_SACK) {
        next(t), add(t, "sack %u ", o->sack_count);
        for (unsigned i = 0; i < o->sack_count; i++)
            add(t, "{%" PRIu32 ":%" PRIu32 "}", o->sack[i].left, o->sack[i].right);
    }
    if (o->present & OPT_FASTOPEN) {
        next(t), add(t, "tfo %s", o->fastopen_len ? "cookie " : "cookiereq");
        add_hex(t, o->fastopen, o->fastopen_len);
    }
    if (o->unknown_count)
        next(t), add(t, "unknown %u", o->unknown_count);
}

static void format_capable(const struct mptcp_options *m, struct text *t)
{
    const struct mptcp_capable *c = &m->capable;
    add(t, "capable v%u flags %02x", c->version, c->flags);
    if (!(m->present & MPO_CAPABLE_SYN))
        add(t, " key %016" PRIx64, c->sender_key);
    if (m->present & (MPO_CAPABLE_KEYS | MPO_CAPABLE_DATA))
        add(t, " %016" PRIx64, c->receiver_key);
    if (m->present & MPO_CAPABLE_DATA)
        add(t, " len %u", c->data_len);
    if (m->present & MPO_CAPABLE_DATA && c->has_checksum)
        add(t, " csum %04x", c->checksum);
}

static void format_join(const struct mptcp_options *m, struct text *t)
{
    const struct mptcp_join *j = &m->join;
    if (m->present & MPO_JOIN_ACK) {
        add(t, "join hmac ");
        add_hex(t, j->hmac, sizeof j->hmac);
        return;
    }
    add(t, "join%s id %u", j->backup ? " backup" : "", j->addr_id);
    if (m->present & MPO_JOIN_SYN) {
        add(t, " token %08" PRIx32, j->token);
    } else {
        add(t, " hmac ");
        add_hex(t, j->hmac, 8);
    }
    add(t, " nonce %08" PRIx32, j->nonce);
}

static void format_dss(const struct mptcp_options *m, struct text *t)
{
    const struct mptcp_dss *d = &m->dss;
    add(t, "dss%s", d->data_fin ? " fin" : "");
    if (d->has_ack)
        add(t, " ack%s %" PRIu64, d->ack64 ? "" : "4", d->data_ack);
    if (d->has_map)
        add(t, " seq%s %" PRIu64 " subseq %" PRIu32 " len %u", d->dsn64 ? "" : "4", d->dsn, d->ssn,
            d->data_len);
    if (d->has_map && d->has_checksum)
        add(t, " csum %04x", d->checksum);
}

static void format_add_addr(const struct mptcp_options *m, struct text *t)
{
    for (unsigned i = 0; i < m->add_addr_count; i++) {
        const struct mptcp_add_addr *a = &m->add_addr[i];
        const char *form = a->has_hmac ? "" : a->echo ? " echo" : " v0";
        char addr[ADDR_TEXT_MAX];
        add(t, "%sadd-addr%s id %u %s", i ? " " : "", form, a->addr_id,
            addr_format(&a->addr, addr));
        if (a->has_port)
            add(t, " port %u", a->port);
        if (a->has_hmac) {
            add(t, " hmac ");
            add_hex(t, a->hmac, sizeof a->hmac);
        }
    }
}

static void format_remove_addr(const struct mptcp_options *m, struct text *t)
{
    add(t, "rem-addr id");
    for (unsigned i = 0; i < m->remove_addr_count; i++)
        add(t, " %u", m->remove_addr[i]);
}

static void format_prio(const struct mptcp_options *m, struct text *t)
{
    add(t, "prio%s", m->prio.backup ? " backup" : "");
    if (m->prio.has_addr_id)
        add(t, " id %u", m->prio.addr_id);
}

static void format_fail(const struct mptcp_options *m, struct text *t)
{
    add(t, "fail seq %" PRIu64, m->fail_dsn);
}

static void format_fastclose(const struct mptcp_options *m, struct text *t)
{
    add(t, "fast-close key %016" PRIx64, m->fastclose_key);
}

static void format_tcprst(const struct mptcp_options *m, struct text *t)
{
    add(t, "tcprst%s reason %u", m->tcprst.transient ? " transient" : "", m->tcprst.reason);
}

static void format_experimental(const struct mptcp_options *m, struct text *t)
{
    (void)m;
    add(t, "experimental");
}

static void format_mptcp(const struct mptcp_options *m, struct text *t)
{
    static const struct {
        uint32_t bits;
        void (*format)(const struct mptcp_options *m, struct text *t);
    } rows[] = {
        {MPO_CAPABLE_ANY, format_capable},
        {MPO_JOIN_ANY, format_join},
        {MPO_DSS, format_dss},
        {MPO_ADD_ADDR, format_add_addr},
        {MPO_REMOVE_ADDR, format_remove_addr},
        {MPO_PRIO, format_prio},
        {MPO_FAIL, format_fail},
        {MPO_FASTCLOSE, format_fastclose},
        {MPO_TCPRST, format_tcprst},
        {MPO_EXPERIMENTAL, format_experimental},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (!(m->present & rows[i].bits))
            continue;
        next(t), add(t, "mptcp ");
        rows[i].format(m, t);
    }
    if (m->unknown_count || m->malformed_count)
        next(t), add(t, "mptcp unknown %u malformed %u", m->unknown_count, m->malformed_count);
}

int segment_format(const struct segment *s, char *buf, size_t size)
{
    struct text t = {.buf = buf, .size = size, .comma = " <"};
    char src[ENDPOINT_TEXT_MAX], dst[ENDPOINT_TEXT_MAX];
    add(&t, "%s > %s", endpoint_format(&s->src, src), endpoint_format(&s->dst, dst));
    format_flags(s, &t);
    add(&t, " seq %" PRIu32, s->seq);
    if (s->flags & TCP_ACK)
        add(&t, " ack %" PRIu32, s->ack);
    add(&t, " win %u", s->window);
    if (s->flags & TCP_URG)
        add(&t, " urg %u", s->urgent);
    format_tcp(&s->tcp, &t);
    format_mptcp(&s->mptcp, &t);
    add(&t, "%s len %" PRIu32, t.comma[0] == ',' ? ">" : "", s->payload_len);
    return (int)t.len;
}
