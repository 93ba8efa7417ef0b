/* SPDX-License-Identifier: MIT
 *
 * plait demo: the same engine as on a real network, client and server in one
 * process, joined by two of the simulator's links whose clock is the wall's.
 * The parts: demo_file makes, keeps and checks the file; demo_report says how
 * it went; cmd_demo builds the world and runs it.
 */
#ifndef CLI_DEMO_H
#define CLI_DEMO_H

#include <nettle/sha2.h>

#include "cli/progress.h"
#include "sim/spec.h"
#include "sim/stream.h"

enum { DEMO_PATHS = 2, DEMO_SHA_TEXT = 2 * SHA256_DIGEST_SIZE + 1 };

struct demo_options {
    uint64_t size_bytes, cut_at_bytes, back_after_us;
    struct link_config links[DEMO_PATHS];
    unsigned speed, seed;
    bool json;
};

/* What one path did, all its subflows together. */
struct demo_path {
    const char *name;
    char link[SPEC_TEXT_MAX];
    uint64_t received_bytes, retransmits, reinjected_bytes, timeouts;
    uint64_t after_bytes; /* received after the path came back */
    uint32_t srtt_us;
};

struct demo_result {
    uint64_t bytes, start_us, end_us, cut_us, back_us, pause_us, reinjections;
    bool multipath, intact;
    const char *error; /* NULL: none */
    char sha_sent[DEMO_SHA_TEXT], sha_received[DEMO_SHA_TEXT];
    struct demo_path paths[DEMO_PATHS];
};

/* ---- files ------------------------------------------------------------------ */

/* A file without a name, of size random bytes, 0: empty; -1 with errno. */
int demo_file_new(uint64_t size);
/* SHA-256 of a whole file as text. */
bool demo_file_sha(int fd, char *text);

/* ---- results ------------------------------------------------------------------ */

void demo_print(const struct demo_result *r, FILE *out, bool colour);
void demo_print_json(const struct demo_result *r, FILE *out);

#endif
