/* SPDX-License-Identifier: MIT
 *
 * What a run leaves behind: a hash over every packet delivered and every
 * event with their times (equal hashes: the same run), captures in the
 * classic pcap format, events as JSON lines, and a tally per host of events
 * and of the options it sent, for scenarios to check.
 */
#ifndef SIM_TRACE_H
#define SIM_TRACE_H

#include <stdio.h>

#include "plait/plait.h"
#include "sim/link.h"

struct trace {
    uint64_t hash;
    FILE *events; /* JSON lines; NULL: none */
    uint64_t started_us;
};

struct tally {
    uint32_t event[PLAIT_EV_COUNT];
    uint32_t event_why[PLAIT_EV_COUNT][PLAIT_WHY_COUNT];
    uint64_t event_arg[PLAIT_EV_COUNT][4]; /* of the last one */
    uint64_t event_us[PLAIT_EV_COUNT];     /* time of the last one */
    /* Of the packets this host sent. */
    uint32_t option[16]; /* by position of the enum mptcp_option_bit */
    uint32_t data_fin_alone, data_fin_with_data;
    uint32_t dsn64, dsn32, ack64, ack32, dss_checksum;
    uint32_t rst, super_segments, plain_data; /* plain_data: payload without a mapping */
    uint32_t undecodable;
};

struct pcap;

void trace_packet(struct trace *t, unsigned host, uint64_t now_us, const struct sim_packet *p);
void trace_event(struct trace *t, const char *host, unsigned index,
                 const struct plait_event *event);

void tally_event(struct tally *t, const struct plait_event *event);
/* A packet as it leaves the host, after cutting. */
void tally_packet(struct tally *t, const struct sim_packet *p);

/* Captures with raw IP packets (link type 101). NULL: errno says why. */
struct pcap *pcap_open(const char *path);
void pcap_write(struct pcap *c, uint64_t now_us, const struct sim_packet *p);
/* False: something could not be written. */
bool pcap_close(struct pcap *c);

#endif
