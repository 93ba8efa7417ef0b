/* SPDX-License-Identifier: MIT
 *
 * One connection between two descriptors, netcat's manners: what comes in
 * here goes to the peer, what the peer sends goes out there, and the end of
 * the input is the end of our stream while the other direction goes on.
 */
#ifndef CLI_TRANSFER_H
#define CLI_TRANSFER_H

#include "cli/options.h"
#include "host/host.h"

struct transfer_options {
    const char *send, *recv; /* NULL: standard input and output */
    uint64_t timeout_us;     /* for connecting */
    bool stats, json, sha256, progress, quiet, keep_open;
};

/* Rows for struct transfer_options, but for --timeout. */
extern const struct option_row transfer_rows[];

struct transfer;

/* Open the files. `serial` counts connections from 1: further ones append it
 * to --recv's name. NULL: *failure was said. */
struct transfer *transfer_new(struct host *h, const struct transfer_options *o, unsigned serial,
                              int *failure);
void transfer_free(struct transfer *t);

/* Carry everything over conn, which is closed in the end; returns the exit
 * code. The host's connection callbacks have to go to transfer_ready. */
int transfer_run(struct transfer *t, struct plait_conn *conn);
void transfer_ready(struct transfer *t, struct plait_conn *conn);

#endif
