/* SPDX-License-Identifier: MIT
 *
 * Segmentation and checksumming in software, for drivers and worlds without
 * hardware or a kernel to do it. The result is byte for byte what Linux's GSO
 * makes of the same super-segment.
 */
#include "wire/offload.h"

#include <assert.h>

#include "base/bytes.h"
#include "wire/checksum.h"
#include "wire/ip.h"

unsigned offload_count(const struct plait_packet_tx *p)
{
    if (!p->gso_size || !p->payload_len)
        return 1;
    return (p->payload_len + p->gso_size - 1) / p->gso_size;
}

/* Copy payload bytes [from, from + len). */
static void copy_payload(const struct plait_packet_tx *p, uint32_t from, uint32_t len, uint8_t *out)
{
    for (unsigned i = 0; i < p->iov_count && len; i++) {
        uint32_t size = p->iov[i].len;
        if (from >= size) {
            from -= size;
            continue;
        }
        uint32_t n = size - from < len ? size - from : len;
        memcpy(out, p->iov[i].data + from, n);
        out += n;
        len -= n;
        from = 0;
    }
    assert(len == 0);
}

size_t offload_write(const struct plait_packet_tx *p, unsigned index, uint8_t *buf, size_t size)
{
    unsigned count = offload_count(p);
    assert(index < count);
    uint32_t from = index * (uint32_t)p->gso_size;
    uint32_t len = index + 1 < count ? p->gso_size : p->payload_len - from;
    assert(size >= p->header_len + len);
    memcpy(buf, p->header, p->header_len);
    copy_payload(p, from, len, buf + p->header_len);

    uint8_t *t = buf + p->csum_start;
    uint32_t tcp_len = p->header_len - p->csum_start + len;
    put_be32(t + 4, get_be32(t + 4) + from);
    if (index + 1 < count)
        t[13] &= (uint8_t) ~(TCP_FIN | TCP_PSH);
    if (index > 0)
        t[13] &= (uint8_t)~TCP_CWR;
    ip_set_length(buf, tcp_len, (uint16_t)index);
    put_be16(t + 16, csum_pseudo(&p->src, &p->dst, tcp_len));
    put_be16(t + 16, (uint16_t)~csum_partial(t, tcp_len));
    return p->header_len + len;
}
