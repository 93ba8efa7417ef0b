/* SPDX-License-Identifier: MIT
 *
 * plait wire: two interfaces joined by two emulated links, one a direction,
 * in real time. The pieces: a port is one interface's raw socket, the cutter
 * turns what a kernel hands over (super-segments, unfinished checksums) into
 * the frames a wire would carry, a way is one direction's link, a pair is two
 * ports and their two ways, and the control takes commands while it runs.
 *
 * A link's clock is the kernel's arrival time of each frame, not the time at
 * which this process was woken: a late wake-up delays deliveries but costs no
 * capacity.
 */
#ifndef CLI_WIRE_H
#define CLI_WIRE_H

#include <jansson.h>
#include <linux/virtio_net.h>
#include <poll.h>
#include <sys/socket.h>

#include "sim/box.h"
#include "sim/link.h"
#include "sim/spec.h"

enum {
    WIRE_PAIRS_MAX = 16,
    WIRE_NAME_MAX = 96,
    WIRE_BATCH = 32,           /* frames a system call */
    WIRE_FRAME_MAX = 66 * 1024 /* Ethernet, VLAN tags and the largest IP packet */
};

/* ---- ports ---------------------------------------------------------------- */

struct wire_port {
    int fd;
    char name[WIRE_NAME_MAX]; /* as the user wrote it: [netns:]interface */
    uint64_t frames_in, frames_out, too_long, malformed, lost_out;
    bool gone; /* the interface was removed: said once */
};

/* A frame as the kernel handed it over. */
struct wire_frame {
    uint64_t at_us; /* arrival by CLOCK_MONOTONIC */
    struct virtio_net_hdr vnet;
    uint8_t *bytes; /* may be changed */
    uint32_t len;
};

/* Buffers for one batch, shared by all ports. */
struct wire_batch;
struct wire_batch *wire_batch_new(void);
void wire_batch_free(struct wire_batch *batch);

/* HOST_OK or another failure, said with cli_error. */
int wire_port_open(struct wire_port *port, const char *name);
void wire_port_close(struct wire_port *port);
/* At most WIRE_BATCH frames, valid until the next call. */
unsigned wire_port_receive(struct wire_port *port, struct wire_batch *batch,
                           struct wire_frame *frames);
/* Send and free `count` <= WIRE_BATCH packets. */
void wire_port_send(struct wire_port *port, struct sim_packet **packets, unsigned count);

/* ---- cutting -------------------------------------------------------------- */

/* The frames that *frame stands for, checksums finished, appended to `out`.
 * False: it makes no sense. */
bool wire_cut(const struct wire_frame *frame, struct list *out);

/* ---- the whole ------------------------------------------------------------ */

struct wire_way {
    struct wire_port *from, *to;
    struct link link;
    uint64_t offered_us; /* the latest arrival: the link's time never goes back */
    uint64_t sent, late_sum_us, late_max_us; /* delivery against plan */
};

struct wire_pair {
    struct wire_port port[2];
    struct wire_way way[2]; /* there (0 to 1) and back */
    struct box_chain boxes; /* before both links */
};

struct wire {
    struct wire_pair pairs[WIRE_PAIRS_MAX];
    unsigned count;
    uint64_t start_us;
    bool realtime; /* the scheduler lets us go first */
    bool quit;
};

/* ---- boxes ---------------------------------------------------------------- */

void wire_boxes_init(struct wire_pair *pair, uint64_t seed);
/* "[N:]NAME[:key=value,...]", N counts pairs from 1 (without: the first);
 * false and why not (of BOX_ERROR_MAX bytes). */
bool wire_box_add(struct wire *w, const char *text, uint64_t now_us, char *error);
/* The words after "box N" (in strtok_r's *save): add, remove or list. NULL:
 * error says why, or there is no memory. */
char *wire_box_command(struct wire_pair *pair, char **save, uint64_t now_us, char *error);
/* Each box with its counts. */
json_t *wire_boxes_json(const struct wire_pair *pair);

/* ---- control -------------------------------------------------------------- */

/* Carry out one command line; the answer, one line without its end, is the
 * caller's to free. NULL without memory. */
char *wire_command(struct wire *w, const char *line, uint64_t now_us);

/* Lines from standard input and from clients of a socket; planned ones. */
enum { WIRE_CONTROL_FDS = 9 };
struct wire_control;
struct wire_control *wire_control_new(struct wire *w);
/* path may be NULL. HOST_OK or another failure, which was said. */
int wire_control_open(struct wire_control *control, const char *path);
void wire_control_free(struct wire_control *control);
/* "5s:down:1", counted from the wire's start; false and why not (of
 * OPTION_WHY_MAX bytes). */
bool wire_control_at(struct wire_control *control, const char *text, char *why);
/* Fill WIRE_CONTROL_FDS entries to poll, and look at what came of them. */
unsigned wire_control_fds(const struct wire_control *control, struct pollfd *fds);
void wire_control_poll(struct wire_control *control, const struct pollfd *fds);
/* Carry out what is due; returns the time of the next planned command. */
uint64_t wire_control_tick(struct wire_control *control, uint64_t now_us);

/* The client: send a command to a running wire, print the answer. Exit code. */
int wire_tell(const char *path, int argc, char **argv);

#endif
