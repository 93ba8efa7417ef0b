/* SPDX-License-Identifier: MIT
 *
 * A driver around a driver that writes what passes into a pcap file. Between
 * us and the kernel there are super-segments and unfinished checksums; a
 * reader wants what is on the wire, so packets are cut and finished here,
 * both ways. A packet that came with a final checksum is written as it is, a
 * wrong checksum included.
 *
 * The file ends on a whole record about once a second, so that it can be read
 * while it grows and after a crash. When writing fails capturing stops; the
 * connection goes on.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "io/decorate.h"
#include "wire/checksum.h"
#include "wire/offload.h"

enum {
    PCAP_LINKTYPE_RAW = 101,
    PACKET_BYTES_MAX = 65536,
    FILE_BUFFER_BYTES = 1 << 20,
    FLUSH_US = 1000 * 1000,
    IP4_HEADER_MIN = 20,
    IP6_HEADER = 40,
    TCP_HEADER_MIN = 20,
    TCP_CHECKSUM = 16
};
#define PCAP_MAGIC_US 0xa1b2c3d4u

struct capture {
    struct io_decorator base; /* first */
    FILE *file;               /* NULL: gave up */
    uint64_t realtime_us, flushed_us;
    uint8_t packet[PACKET_BYTES_MAX];
};

/* Both headers are in the byte order of the machine; the magic tells. */
struct pcap_file_header {
    uint32_t magic;
    uint16_t major, minor;
    uint32_t zone, accuracy, snaplen, linktype;
};

struct pcap_record_header {
    uint32_t seconds, microseconds, captured, length;
};

static void give_up(struct capture *c)
{
    fclose(c->file);
    c->file = NULL;
}

static void record(struct capture *c, uint64_t now_us, const void *packet, size_t len)
{
    uint64_t t = now_us + c->realtime_us;
    struct pcap_record_header h = {(uint32_t)(t / 1000000), (uint32_t)(t % 1000000), (uint32_t)len,
                                   (uint32_t)len};

    if (!c->file)
        return;
    if (fwrite(&h, sizeof h, 1, c->file) != 1 || fwrite(packet, 1, len, c->file) != len)
        give_up(c);
}

static void record_tx(struct capture *c, uint64_t now_us, const struct plait_packet_tx *p)
{
    unsigned count = offload_count(p);

    for (unsigned i = 0; i < count; i++)
        record(c, now_us, c->packet, offload_write(p, i, c->packet, sizeof c->packet));
}

/* What came in, described like something to send, so that it can be cut.
 * False when it is not TCP or its header does not fit. */
static bool as_tx(const struct plait_packet_rx *rx, struct plait_packet_tx *tx)
{
    const uint8_t *ip = rx->data;
    uint32_t ip_len, header_len;

    memset(tx, 0, offsetof(struct plait_packet_tx, header));
    if (rx->len >= IP4_HEADER_MIN && ip[0] >> 4 == 4 && ip[9] == IPPROTO_TCP) {
        ip_len = 4u * (ip[0] & 0xf);
        tx->src.family = tx->dst.family = PLAIT_IPV4;
        memcpy(tx->src.bytes, ip + 12, 4);
        memcpy(tx->dst.bytes, ip + 16, 4);
    } else if (rx->len >= IP6_HEADER && ip[0] >> 4 == 6 && ip[6] == IPPROTO_TCP) {
        ip_len = IP6_HEADER;
        tx->src.family = tx->dst.family = PLAIT_IPV6;
        memcpy(tx->src.bytes, ip + 8, 16);
        memcpy(tx->dst.bytes, ip + 24, 16);
    } else {
        return false;
    }
    if (ip_len < IP4_HEADER_MIN || rx->len < ip_len + TCP_HEADER_MIN)
        return false;
    header_len = ip_len + 4u * (ip[ip_len + 12] >> 4);
    if (header_len < ip_len + TCP_HEADER_MIN || header_len > PLAIT_HEADER_MAX ||
        header_len > rx->len)
        return false;
    tx->header_len = (uint16_t)header_len;
    tx->csum_start = (uint16_t)ip_len;
    tx->payload_len = rx->len - header_len;
    tx->gso_size = rx->gso_size;
    tx->iov_count = tx->payload_len > 0;
    tx->iov[0] = (struct plait_iov){ip + header_len, tx->payload_len};
    memcpy(tx->header, ip, header_len);
    put_be16(tx->header + ip_len + TCP_CHECKSUM, csum_pseudo(&tx->src, &tx->dst, rx->len - ip_len));
    return true;
}

static void record_rx(struct capture *c, uint64_t now_us, const struct plait_packet_rx *p)
{
    struct plait_packet_tx tx;

    if (p->csum_ok && as_tx(p, &tx))
        record_tx(c, now_us, &tx);
    else
        record(c, now_us, p->data, p->len);
}

static void flush_sometimes(struct capture *c, uint64_t now_us)
{
    if (!c->file || now_us - c->flushed_us < FLUSH_US)
        return;
    c->flushed_us = now_us;
    if (fflush(c->file) != 0)
        give_up(c);
}

static unsigned capture_receive(struct io_driver *driver, struct plait_packet_rx *out, unsigned max,
                                uint64_t now_us)
{
    struct capture *c = (struct capture *)driver;
    unsigned count = c->base.inner->ops->receive(c->base.inner, out, max, now_us);

    for (unsigned i = 0; i < count && c->file; i++)
        record_rx(c, now_us, &out[i]);
    flush_sometimes(c, now_us);
    io_decorator_update(&c->base);
    return count;
}

static unsigned capture_send(struct io_driver *driver, const struct plait_packet_tx *packets,
                             unsigned count, uint64_t now_us)
{
    struct capture *c = (struct capture *)driver;
    unsigned taken = c->base.inner->ops->send(c->base.inner, packets, count, now_us);

    for (unsigned i = 0; i < taken && c->file; i++)
        record_tx(c, now_us, &packets[i]);
    flush_sometimes(c, now_us);
    io_decorator_update(&c->base);
    return taken;
}

static void capture_close(struct io_driver *driver)
{
    struct capture *c = (struct capture *)driver;

    if (c->file)
        fclose(c->file);
    c->base.inner->ops->close(c->base.inner);
    free(c);
}

static const struct io_ops capture_ops = {
    .receive = capture_receive,
    .send = capture_send,
    .hold_ports = io_decorator_hold_ports,
    .release_port = io_decorator_release_port,
    .claim_port = io_decorator_claim_port,
    .close = capture_close,
};

int io_capture_open(struct io_driver *inner, const char *path, uint64_t realtime_us,
                    struct io_driver **out)
{
    const struct pcap_file_header header = {.magic = PCAP_MAGIC_US,
                                            .major = 2,
                                            .minor = 4,
                                            .snaplen = PACKET_BYTES_MAX * 4,
                                            .linktype = PCAP_LINKTYPE_RAW};
    struct capture *c = calloc(1, sizeof *c);
    int err;

    if (!c)
        return -ENOMEM;
    c->realtime_us = realtime_us;
    c->file = fopen(path, "wbe");
    if (!c->file)
        goto fail;
    setvbuf(c->file, NULL, _IOFBF, FILE_BUFFER_BYTES);
    if (fwrite(&header, sizeof header, 1, c->file) != 1 || fflush(c->file) != 0)
        goto fail;
    io_decorate(&c->base, inner, &capture_ops, "captured");
    *out = &c->base.driver;
    return 0;
fail:
    err = -errno;
    if (c->file)
        fclose(c->file);
    free(c);
    return err;
}
