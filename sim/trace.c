/* SPDX-License-Identifier: MIT
 *
 * Trace hash, event log, tallies and captures.
 */
#include "sim/trace.h"

#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/hash.h"
#include "wire/segment.h"

static void mix(struct trace *t, uint64_t key, const void *data, size_t len)
{
    const struct hash_key k = {t->hash, key};
    t->hash = siphash(&k, data, len);
}

void trace_packet(struct trace *t, unsigned host, uint64_t now_us, const struct sim_packet *p)
{
    mix(t, now_us << 8 | (host & 0xff), p->bytes, p->len);
}

static void print_endpoint(FILE *f, const char *name, const struct plait_endpoint *e)
{
    char text[ENDPOINT_TEXT_MAX];
    if (e->addr.family != PLAIT_NONE)
        fprintf(f, ",\"%s\":\"%s\"", name, endpoint_format(e, text));
}

static void print_event(FILE *f, const char *host, const struct plait_event *e, uint64_t since_us)
{
    fprintf(f, "{\"time\":%llu.%06llu,\"host\":\"%s\",\"event\":\"%s\"",
            (unsigned long long)(since_us / 1000000), (unsigned long long)(since_us % 1000000),
            host, plait_event_name(e->type));
    if (e->conn_id)
        fprintf(f, ",\"conn\":%u", e->conn_id);
    if (e->subflow_id)
        fprintf(f, ",\"subflow\":%u", e->subflow_id);
    print_endpoint(f, "local", &e->local);
    print_endpoint(f, "remote", &e->remote);
    for (unsigned i = 0; i < 4; i++) {
        if (plait_event_arg_name(e->type, i))
            fprintf(f, ",\"%s\":%lld", plait_event_arg_name(e->type, i), (long long)e->arg[i]);
    }
    if (e->why)
        fprintf(f, ",\"why\":\"%s\"", plait_reason_name(e->why));
    fputs("}\n", f);
}

void trace_event(struct trace *t, const char *host, unsigned index, const struct plait_event *event)
{
    uint64_t words[8] = {event->time_us, event->type,   event->why,    event->conn_id,
                         event->arg[0],  event->arg[1], event->arg[2], event->arg[3]};
    mix(t, (uint64_t)event->subflow_id << 8 | (index & 0xff), words, sizeof words);
    if (t->events)
        print_event(t->events, host, event, event->time_us - t->started_us);
}

void tally_event(struct tally *t, const struct plait_event *event)
{
    t->event[event->type]++;
    t->event_why[event->type][event->why]++;
    memcpy(t->event_arg[event->type], event->arg, sizeof event->arg);
    t->event_us[event->type] = event->time_us;
}

static void tally_dss(struct tally *t, const struct mptcp_dss *d)
{
    if (d->data_fin) {
        if (d->data_len > 1)
            t->data_fin_with_data++;
        else
            t->data_fin_alone++;
    }
    if (d->has_map) {
        t->dsn64 += d->dsn64;
        t->dsn32 += !d->dsn64;
        t->dss_checksum += d->has_checksum;
    }
    if (d->has_ack) {
        t->ack64 += d->ack64;
        t->ack32 += !d->ack64;
    }
}

void tally_packet(struct tally *t, const struct sim_packet *p)
{
    struct segment s;
    const struct plait_packet_rx rx = {.data = p->bytes, .len = p->len};
    if (segment_decode(&rx, &s) != SEGMENT_OK) {
        t->undecodable++;
        return;
    }
    for (unsigned bit = 0; bit < 15; bit++)
        t->option[bit] += (s.mptcp.present >> bit) & 1;
    if (s.mptcp.present & MPO_DSS)
        tally_dss(t, &s.mptcp.dss);
    bool mapped = (s.mptcp.present & MPO_CAPABLE_DATA) ||
                  ((s.mptcp.present & MPO_DSS) && s.mptcp.dss.has_map);
    t->plain_data += s.payload_len > 0 && !mapped;
    t->rst += (s.flags & TCP_RST) != 0;
}

/* ---- captures --------------------------------------------------------------------------- */

struct pcap {
    FILE *file;
    bool failed;
};

struct pcap *pcap_open(const char *path)
{
    /* Magic, version 2.4, no zone, no accuracy, snap length, LINKTYPE_RAW. */
    const struct {
        uint32_t magic;
        uint16_t major, minor;
        uint32_t zone, accuracy, snap, link;
    } head = {0xa1b2c3d4, 2, 4, 0, 0, 65535, 101};
    FILE *f = fopen(path, "wb");
    if (!f)
        return NULL;
    struct pcap *c = calloc(1, sizeof *c);
    if (!c) {
        fclose(f);
        return NULL;
    }
    c->file = f;
    c->failed = fwrite(&head, sizeof head, 1, f) != 1;
    return c;
}

void pcap_write(struct pcap *c, uint64_t now_us, const struct sim_packet *p)
{
    uint32_t len = p->len - p->head_len;
    const uint32_t head[4] = {(uint32_t)(now_us / 1000000), (uint32_t)(now_us % 1000000), len, len};
    if (fwrite(head, sizeof head, 1, c->file) != 1 ||
        fwrite(p->bytes + p->head_len, len, 1, c->file) != 1)
        c->failed = true;
}

bool pcap_close(struct pcap *c)
{
    bool ok = !c->failed;
    if (fclose(c->file) != 0)
        ok = false;
    free(c);
    return ok;
}
