/* SPDX-License-Identifier: MIT
 *
 * Links as text, one vocabulary for `plait sim` and `plait wire`:
 *
 *   rate=50mbit,delay=10ms,queue=375kB,loss=0.1%
 *
 *   rate=R        bit, kbit, mbit, gbit (decimal)          default: infinite
 *   delay=T       us, ms, s; one way                       default: 0
 *   jitter=T      uniform, keeps the order
 *   queue=Q       B, kB, MB (decimal), KiB, MiB, packets (100pkt), or a time at
 *                 line rate (80ms); default: 100 ms at line rate, at least 32 kB
 *   random=N      of a queue in packets: the last N places drop one in ten
 *   mark=Q        ECN-capable packets that find so many bytes waiting get CE
 *   loss=P        percent, after the queue
 *   burst=P/P/P   Gilbert-Elliott: into bad, out of bad, loss while bad
 *   reorder=P/T   so many packets are late by T
 *   dup=P         duplicated
 *   corrupt=P     one bit flipped
 *
 * Numbers may have decimals (0.5mbit, 0.01%). An empty text is a perfect link.
 */
#ifndef SIM_SPEC_H
#define SIM_SPEC_H

#include "sim/link.h"

enum { SPEC_ERROR_MAX = 160, SPEC_TEXT_MAX = 256 };

/* False: *out is untouched and error (SPEC_ERROR_MAX bytes) says what is
 * wrong and what is allowed, in one sentence without a full stop. */
bool link_spec_parse(const char *text, struct link_config *out, char *error);

/* The shortest text that parses to *config; SPEC_TEXT_MAX bytes; returns buf. */
char *link_spec_format(const struct link_config *config, char *buf);

/* The parts, for command lines of their own: "50mbit", "10ms", "0.1%". */
bool spec_rate(const char *text, uint64_t *bps);
bool spec_time(const char *text, uint64_t *us);
bool spec_bytes(const char *text, uint64_t *bytes);
bool spec_percent(const char *text, uint32_t *ppm);

#endif
