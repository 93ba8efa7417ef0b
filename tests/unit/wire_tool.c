/* SPDX-License-Identifier: MIT
 *
 * Our side of the comparison with tshark (test_wire_tshark.py). Both modes
 * print a line for each TCP packet: its number in the capture and, separated
 * by tabs, field=value with tshark's field names.
 *
 *   wire_tool corpus FILE   write a capture of what the encoder makes; the
 *                           lines say what was meant, not what was read back
 *   wire_tool dump FILE     read a capture with our decoder
 *
 * Captures are in the classic pcap format, in this machine's byte order.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/bytes.h"
#include "wire/checksum.h"
#include "wire/offload.h"
#include "wire_gen.h"

#define MP "tcp.options.mptcp."
#define field(name, format, ...) printf("\t" name "=" format, __VA_ARGS__)

static void field_bytes(const char *name, const uint8_t *bytes, size_t n)
{
    printf("\t%s=", name);
    for (size_t i = 0; i < n; i++)
        printf("%02x", bytes[i]);
}

static void print_header(const struct segment *s, uint32_t payload_len)
{
    char text[ADDR_TEXT_MAX];
    bool v4 = s->src.addr.family == PLAIT_IPV4;
    field("%s.src", "%s", v4 ? "ip" : "ipv6", addr_format(&s->src.addr, text));
    field("%s.dst", "%s", v4 ? "ip" : "ipv6", addr_format(&s->dst.addr, text));
    field("%s.ecn", "%u", v4 ? "ip.dsfield" : "ipv6.tclass", s->ecn);
    field("%s", "%u", v4 ? "ip.ttl" : "ipv6.hlim", s->ttl);
    field("tcp.srcport", "%u", s->src.port);
    field("tcp.dstport", "%u", s->dst.port);
    field("tcp.seq_raw", "%" PRIu32, s->seq);
    field("tcp.ack_raw", "%" PRIu32, s->ack);
    field("tcp.flags", "%u", s->flags);
    field("tcp.window_size_value", "%u", s->window);
    field("tcp.urgent_pointer", "%u", s->urgent);
    field("tcp.len", "%" PRIu32, payload_len);
}

static void print_tcp_options(const struct tcp_options *t)
{
    if (t->present & OPT_MSS)
        field("tcp.options.mss_val", "%u", t->mss);
    if (t->present & OPT_WSCALE)
        field("tcp.options.wscale.shift", "%u", t->wscale);
    if (t->present & OPT_SACK_OK)
        field("tcp.options.sack_perm", "%u", 1);
    for (unsigned i = 0; t->present & OPT_SACK && i < t->sack_count; i++) {
        field("tcp.options.sack_le", "%" PRIu32, t->sack[i].left);
        field("tcp.options.sack_re", "%" PRIu32, t->sack[i].right);
    }
    if (t->present & OPT_TIMESTAMP) {
        field("tcp.options.timestamp.tsval", "%" PRIu32, t->tsval);
        field("tcp.options.timestamp.tsecr", "%" PRIu32, t->tsecr);
    }
    if (t->present & OPT_FASTOPEN && t->fastopen_len)
        field_bytes("tcp.options.tfo.cookie", t->fastopen, t->fastopen_len);
}

static void print_handshake(const struct mptcp_options *m)
{
    const struct mptcp_capable *c = &m->capable;
    const struct mptcp_join *j = &m->join;
    if (m->present & MPO_CAPABLE_ANY) {
        field(MP "subtype", "%u", MPTCP_CAPABLE);
        field(MP "version", "%u", c->version);
        field(MP "flags", "%u", c->flags);
    }
    if (m->present & (MPO_CAPABLE_KEY | MPO_CAPABLE_KEYS | MPO_CAPABLE_DATA))
        field(MP "sendkey", "%" PRIu64, c->sender_key);
    if (m->present & (MPO_CAPABLE_KEYS | MPO_CAPABLE_DATA))
        field(MP "recvkey", "%" PRIu64, c->receiver_key);
    if (m->present & MPO_CAPABLE_DATA)
        field(MP "datalvllen", "%u", c->data_len);
    if (m->present & MPO_CAPABLE_DATA && c->has_checksum)
        field(MP "checksum", "%u", c->checksum);

    if (m->present & MPO_JOIN_ANY)
        field(MP "subtype", "%u", MPTCP_JOIN);
    if (m->present & (MPO_JOIN_SYN | MPO_JOIN_SYNACK)) {
        field(MP "flags", "%u", MPTCP_JOIN << 4 | j->backup);
        field(MP "backup.flag", "%u", j->backup);
        field(MP "addrid", "%u", j->addr_id);
        field(MP "sendrand", "%" PRIu32, j->nonce);
    }
    if (m->present & MPO_JOIN_SYN)
        field(MP "recvtok", "%" PRIu32, j->token);
    if (m->present & MPO_JOIN_SYNACK)
        field(MP "sendtrunchmac", "%" PRIu64, get_be64(j->hmac));
    if (m->present & MPO_JOIN_ACK)
        field_bytes(MP "sendhmac", j->hmac, 20);
}

static void print_dss(const struct mptcp_dss *d)
{
    field(MP "subtype", "%u", MPTCP_DSS);
    field(MP "datafin.flag", "%u", d->data_fin);
    field(MP "dseqnpresent.flag", "%u", d->has_map);
    field(MP "dataackpresent.flag", "%u", d->has_ack);
    if (d->has_ack) {
        field(MP "dataack8.flag", "%u", d->ack64);
        field(MP "rawdataack", "%" PRIu64, d->data_ack);
    }
    if (!d->has_map)
        return;
    field(MP "dseqn8.flag", "%u", d->dsn64);
    field(MP "rawdataseqno", "%" PRIu64, d->dsn);
    field(MP "subflowseqno", "%" PRIu32, d->ssn);
    field(MP "datalvllen", "%u", d->data_len);
    if (d->has_checksum)
        field(MP "checksum", "%u", d->checksum);
}

static void print_add_addr(const struct mptcp_add_addr *a)
{
    char text[ADDR_TEXT_MAX];
    bool v4 = a->addr.family == PLAIT_IPV4, v0 = !a->echo && !a->has_hmac;
    field(MP "subtype", "%u", MPTCP_ADD_ADDR);
    if (v0)
        field(MP "ipver", "%u", v4 ? 4 : 6);
    else
        field(MP "echo", "%u", a->echo);
    field(MP "addrid", "%u", a->addr_id);
    field(MP "%s", "%s", v4 ? "ipv4" : "ipv6", addr_format(&a->addr, text));
    if (a->has_port)
        field(MP "port", "%u", a->port);
    if (a->has_hmac)
        field(MP "addaddrtrunchmac", "%" PRIu64, get_be64(a->hmac));
}

static void print_the_rest(const struct mptcp_options *m)
{
    if (m->present & MPO_REMOVE_ADDR) {
        field(MP "subtype", "%u", MPTCP_REMOVE_ADDR);
        for (unsigned i = 0; i < m->remove_addr_count; i++)
            field(MP "addrid", "%u", m->remove_addr[i]);
    }
    if (m->present & MPO_PRIO) {
        field(MP "subtype", "%u", MPTCP_PRIO);
        field(MP "backup.flag", "%u", m->prio.backup);
        if (m->prio.has_addr_id)
            field(MP "addrid", "%u", m->prio.addr_id);
    }
    if (m->present & MPO_FAIL) {
        field(MP "subtype", "%u", MPTCP_FAIL);
        field(MP "rawdataseqno", "%" PRIu64, m->fail_dsn);
    }
    if (m->present & MPO_FASTCLOSE) {
        field(MP "subtype", "%u", MPTCP_FASTCLOSE);
        field(MP "recvkey", "%" PRIu64, m->fastclose_key);
    }
    if (m->present & MPO_TCPRST) {
        field(MP "subtype", "%u", MPTCP_TCPRST);
        field(MP "flag_T.flag", "%u", m->tcprst.transient);
        field(MP "rst_reason", "%u", m->tcprst.reason);
    }
}

static void print_segment(unsigned frame, const struct segment *s, uint32_t payload_len,
                          const char *checksum)
{
    printf("%u", frame);
    print_header(s, payload_len);
    if (*checksum)
        field("tcp.checksum.status", "%s", checksum);
    print_tcp_options(&s->tcp);
    print_handshake(&s->mptcp);
    if (s->mptcp.present & MPO_DSS)
        print_dss(&s->mptcp.dss);
    for (unsigned i = 0; s->mptcp.present & MPO_ADD_ADDR && i < s->mptcp.add_addr_count; i++)
        print_add_addr(&s->mptcp.add_addr[i]);
    print_the_rest(&s->mptcp);
    printf("\n");
}

/* ---- The file format ---- */

#define PCAP_MAGIC 0xa1b2c3d4

enum {
    LINK_ETHERNET = 1,
    LINK_PPP = 9,
    LINK_RAW = 101,
    LINK_SLL = 113,
    LINK_SLL2 = 276,
    CAPTURE_MAX = 1 << 18
};

struct pcap_file {
    uint32_t magic;
    uint16_t major, minor;
    uint32_t zone, accuracy, snaplen, linktype;
};

struct pcap_record {
    uint32_t seconds, micros, caplen, len;
};

/* ---- corpus ---- */

static unsigned frames;

static void write_segment(FILE *out, const struct segment *s, uint32_t payload_len,
                          uint32_t gso_size)
{
    static uint8_t payload[8000];
    uint8_t packet[8000 + PLAIT_HEADER_MAX];
    struct plait_iov iov = {payload, payload_len};
    struct plait_packet_tx tx;
    struct segment part = *s;
    segment_encode(s, &iov, payload_len ? 1 : 0, gso_size, &tx);
    unsigned count = offload_count(&tx);
    for (unsigned i = 0; i < count; i++) {
        size_t len = offload_write(&tx, i, packet, sizeof packet);
        struct pcap_record r = {1000000 + frames, 0, (uint32_t)len, (uint32_t)len};
        fwrite(&r, sizeof r, 1, out);
        fwrite(packet, len, 1, out);
        part.seq = s->seq + i * gso_size;
        part.flags =
            (uint8_t)(s->flags & ~((i + 1 < count ? TCP_PSH | TCP_FIN : 0) | (i ? TCP_CWR : 0)));
        print_segment(++frames, &part, (uint32_t)len - tx.header_len, "1");
    }
}

/* Flags that fit the options: a peer of ours would send nothing else. */
static void set_flags(struct segment *s)
{
    bool syn = s->tcp.present & (OPT_MSS | OPT_WSCALE | OPT_SACK_OK | OPT_FASTOPEN) ||
               s->mptcp.present & (MPO_CAPABLE_SYN | MPO_JOIN_SYN | MPO_JOIN_SYNACK);
    s->flags = syn ? TCP_SYN : TCP_ACK | TCP_PSH;
    if (s->mptcp.present & (MPO_CAPABLE_KEY | MPO_JOIN_SYNACK))
        s->flags = TCP_SYN | TCP_ACK;
    if (s->mptcp.present & MPO_TCPRST)
        s->flags = TCP_RST | TCP_ACK;
    s->urgent = 0;
    s->mptcp.capable.version &= 1;
}

static int corpus(const char *path)
{
    const struct pcap_file head = {PCAP_MAGIC, 2, 4, 0, 0, CAPTURE_MAX, LINK_RAW};
    FILE *out = fopen(path, "wb");
    if (!out) {
        perror(path);
        return 1;
    }
    fwrite(&head, sizeof head, 1, out);
    struct prng rng;
    struct segment s;
    prng_seed(&rng, 40017);
    for (unsigned round = 0; round < 40; round++) {
        for (uint32_t bit = 1; bit < MPO_EXPERIMENTAL; bit <<= 1) {
            gen_header(&rng, &s);
            gen_mptcp_option(&rng, &s, bit);
            set_flags(&s);
            if (segment_options_len(&s) <= TCP_OPTIONS_MAX)
                write_segment(out, &s, 0, 0);
        }
        for (uint32_t bit = 1; bit <= OPT_FASTOPEN; bit <<= 1) {
            gen_header(&rng, &s);
            gen_tcp_option(&rng, &s, bit);
            set_flags(&s);
            write_segment(out, &s, 0, 0);
        }
    }
    for (unsigned i = 0; i < 2000; i++) {
        gen_segment(&rng, &s);
        set_flags(&s);
        uint32_t payload_len = s.flags & TCP_SYN ? 0 : (uint32_t)prng_below(&rng, 6000);
        write_segment(out, &s, payload_len, payload_len ? 1400 : 0);
    }
    bool ok = !ferror(out);
    return fclose(out) == 0 && ok ? 0 : 1;
}

/* ---- dump ---- */

/* Bytes of link header in front of the IP header; negative: not known. */
static int link_header(uint32_t linktype, const uint8_t *data, uint32_t len)
{
    switch (linktype) {
    case LINK_RAW:
        return 0;
    case LINK_ETHERNET: {
        uint32_t at = 12;
        while (len >= at + 2 && get_be16(data + at) == 0x8100)
            at += 4;
        return (int)at + 2;
    }
    case LINK_SLL:
        return 16;
    case LINK_SLL2:
        return 20;
    case LINK_PPP:
        return len >= 2 && data[0] == 0xff && data[1] == 0x03 ? 4 : 2;
    default:
        return -1;
    }
}

/* A capture may be cut short and its checksums unfinished; neither is our
 * subject. The packet is padded with zeros to the length its header gives. */
static uint32_t ip_packet_len(const uint8_t *ip, uint32_t len)
{
    if (len >= 20 && ip[0] >> 4 == 4)
        return get_be16(ip + 2);
    if (len >= 40 && ip[0] >> 4 == 6)
        return 40U + get_be16(ip + 4);
    return 0;
}

static void dump_packet(unsigned frame, const uint8_t *ip, uint32_t len)
{
    static uint8_t whole[65536 + 40];
    uint32_t total = ip_packet_len(ip, len);
    bool cut = total > len;
    memset(whole, 0, total);
    memcpy(whole, ip, cut ? len : total);
    if (total && ip[0] >> 4 == 4) {
        put_be16(whole + 10, 0);
        put_be16(whole + 10, (uint16_t)~csum_partial(whole, (ip[0] & 15U) * 4));
    }
    struct segment s;
    struct plait_packet_rx rx = {.data = whole, .len = total};
    enum segment_error error = segment_decode(&rx, &s);
    bool bad = error == SEGMENT_CHECKSUM;
    if (bad) {
        rx.csum_ok = true;
        error = segment_decode(&rx, &s);
    }
    if (error == SEGMENT_OK)
        print_segment(frame, &s, s.payload_len, cut ? "" : bad ? "0" : "1");
    else
        fprintf(stderr, "%u: %s\n", frame, segment_error_text(error));
}

static bool dump_records(FILE *in, uint32_t linktype)
{
    static uint8_t data[CAPTURE_MAX];
    struct pcap_record r;
    for (unsigned frame = 1; fread(&r, sizeof r, 1, in) == 1; frame++) {
        if (r.caplen > sizeof data || fread(data, 1, r.caplen, in) != r.caplen) {
            fprintf(stderr, "frame %u is cut short\n", frame);
            return false;
        }
        int skip = link_header(linktype, data, r.caplen);
        if (skip < 0) {
            fprintf(stderr, "link type %" PRIu32 " is not known here\n", linktype);
            return false;
        }
        if (r.caplen > (uint32_t)skip)
            dump_packet(frame, data + skip, r.caplen - (uint32_t)skip);
    }
    return true;
}

static int dump(const char *path)
{
    struct pcap_file head;
    FILE *in = fopen(path, "rb");
    if (!in || fread(&head, sizeof head, 1, in) != 1 || head.magic != PCAP_MAGIC) {
        fprintf(stderr, "%s: cannot be read as a classic pcap\n", path);
        return 1;
    }
    bool ok = dump_records(in, head.linktype & 0xffff);
    fclose(in);
    return ok ? 0 : 1;
}

int main(int argc, char **argv)
{
    if (argc == 3 && !strcmp(argv[1], "corpus"))
        return corpus(argv[2]);
    if (argc == 3 && !strcmp(argv[1], "dump"))
        return dump(argv[2]);
    fprintf(stderr, "usage: wire_tool corpus|dump FILE\n");
    return 2;
}
