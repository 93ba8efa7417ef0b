/* SPDX-License-Identifier: MIT
 *
 * The real world around one engine: a packet driver, the host's addresses, an
 * event loop with timers, descriptors and signals. The loop is the only
 * reader of the clock; everything it calls sees the same host_now.
 *
 * A program is: host_open, host_callbacks, host_listen or host_connect, then
 * host_step until it is done, host_close. All calls come from one thread.
 * Inside callbacks everything may be called but host_step and host_close.
 */
#ifndef HOST_HOST_H
#define HOST_HOST_H

#include "io/driver.h"
#include "plait/plait.h"

struct host;

enum { HOST_LOCALS_MAX = 16 };

/* What went wrong, by the exit code that a command ends with. */
enum host_failure {
    HOST_OK = 0,
    HOST_FAIL_OTHER = 1,       /* memory, an unexpected system error */
    HOST_FAIL_USAGE = 2,       /* an option makes no sense */
    HOST_FAIL_PERMISSION = 3,  /* a capability is missing; the text names it */
    HOST_FAIL_ADDRESS = 4,     /* a given address is not this host's, or there is none */
    HOST_FAIL_PORT = 5,        /* the port is in use */
    HOST_FAIL_DRIVER = 6,      /* this system cannot run the driver */
    HOST_FAIL_NAME = 7,        /* a host name does not resolve */
    HOST_FAIL_UNREACHABLE = 8, /* no route, no answer, refused: see host_fail_of */
    HOST_FAIL_TRANSFER = 9,    /* an established connection broke */
    HOST_FAIL_FILE = 10        /* a file cannot be opened, read or written */
};

enum { HOST_ERROR_TEXT_MAX = 320 };

struct host_error {
    enum host_failure failure;
    char text[HOST_ERROR_TEXT_MAX]; /* a sentence that says what to do */
};

struct host_options {
    /* "packet", "tun"; NULL or "auto": tun when it has addresses, else packet */
    const char *driver;
    struct plait_addr locals[HOST_LOCALS_MAX]; /* use only these of the host's addresses */
    unsigned local_count;                      /* 0: all of them */
    /* Tell peers these addresses only, each with its port, which is held; port
     * 0: the connection's. A port is told for joins alone: nothing need listen. */
    struct plait_endpoint announce[HOST_LOCALS_MAX];
    unsigned announce_count;    /* 0: as the engine's configuration says, without ports */
    unsigned ports;             /* held for outgoing subflows; 0: 32 */
    struct plait_config engine; /* secret and allocator are filled in when zero;
                                    * its sink is called after the events file */
    const char *pcap_path;      /* capture everything; NULL: nothing */
    const char *events_path;    /* JSON lines; "-": standard error; NULL: nothing */
    /* engine.plugins where that is empty: plug-ins in Lua (plug/plug.h). What is
     * wrong with one that runs is told here, in the thread that has it; may be NULL. */
    void (*plug_told)(void *ctx, const char *message);
    void *plug_ctx;
    struct io_tun_config tun;     /* driver "tun" */
    struct io_fault_config fault; /* all zero: none */
    bool busy_poll;               /* never sleep: a turn costs no wake-up, but a core */
    bool signals;                 /* SIGINT and SIGTERM only set host_signal */
};

/* Everything at its default, the engine's configuration included. */
void host_options_default(struct host_options *options);

/* HOST_OK, or a failure that is also in err->failure with a sentence. */
int host_open(const struct host_options *options, struct host **out, struct host_error *err);
/* Ends everything at once. Say goodbye first: close connections and call
 * host_drain. */
void host_close(struct host *h);

struct plait_stack *host_stack(struct host *h);
/* Microseconds, CLOCK_MONOTONIC, as of the start of this step. */
uint64_t host_now(const struct host *h);
const struct io_driver *host_driver(const struct host *h);
/* Why it is this one: half a sentence. */
const char *host_driver_why(const struct host *h);
/* The usable local addresses of now; returns how many there are. */
unsigned host_locals(const struct host *h, struct plait_local *out, unsigned max);

/* How an address of this host is used, where that differs from what its
 * interface and the options say. Kept for addresses that come later, too. */
enum host_address_flag {
    HOST_ADDRESS_UNUSED = 1, /* as if it were not there: what runs over it ends */
    HOST_ADDRESS_BACKUP = 2, /* subflows from it are backup */
    HOST_ADDRESS_NO_SUBFLOW = 4,
    HOST_ADDRESS_NO_ANNOUNCE = 8,
    HOST_ADDRESS_FLAGS_ALL = 15
};
struct host_address {
    struct plait_addr addr;
    unsigned flags; /* enum host_address_flag */
    uint16_t port;  /* announced with it, and held; 0: none */
    uint32_t link;  /* of its interface; 0: not there, or not known */
    bool present;
};
enum { HOST_ADDRESSES_MAX = 64 };
/* Those that are there or of which something was said; how many were filled in. */
unsigned host_addresses(const struct host *h, struct host_address *out, unsigned max);
/* What is known of a->addr, nothing said: all zero. */
void host_address_get(const struct host *h, struct host_address *a);
/* HOST_OK; or a failure with err filled, and nothing changed: the port cannot be
 * held, or of HOST_ADDRESSES_MAX addresses something was said already. */
int host_address_set(struct host *h, const struct host_address *a, struct host_error *err);

/* Called for each connection or listener whose readiness changed. */
struct host_callbacks {
    void *ctx;
    void (*conn)(void *ctx, struct plait_conn *conn);
    void (*listener)(void *ctx, struct plait_listener *listener);
};
void host_callbacks(struct host *h, const struct host_callbacks *callbacks);

/* One turn of the loop: wait at most max_wait_us (UINT64_MAX: as long as it
 * takes) for packets, descriptors, timers or a signal, deal with what is
 * there, send what is to be sent. A negative errno when waiting failed. */
int host_step(struct host *h, uint64_t max_wait_us);
/* Between steps, for programs whose own loop calls host_step: this descriptor is
 * readable when a step has something to do, */
int host_fd(const struct host *h);
/* or when so much time has passed (UINT64_MAX: not before). */
uint64_t host_wait_us(struct host *h);
/* host_now is now. For calls that come between steps. */
void host_refresh(struct host *h);
/* Send what was asked for since the last step, tell who became ready. */
void host_flush(struct host *h);
/* Around each wait of host_step: `before` says until when it will last, at most.
 * For steps in a thread of their own that lets others in while it waits. */
struct host_pause {
    void *ctx;
    void (*before)(void *ctx, uint64_t until_us);
    void (*after)(void *ctx);
};
void host_set_pause(struct host *h, const struct host_pause *pause);
/* The last signal taken (SIGINT, SIGTERM), 0: none yet. */
int host_signal(const struct host *h);
/* Step until no connection is left that could still send or receive (those
 * in TIME_WAIT do not count), a second signal, or max_us has passed. True:
 * nothing is left. */
bool host_drain(struct host *h, uint64_t max_us);

/* Hold the port, then listen. err may be NULL. */
int host_listen(struct host *h, const struct plait_endpoint *local,
                const struct plait_options *options, struct plait_listener **out,
                struct host_error *err);
/* The same at a port that the caller holds (host_hold). */
int host_listen_held(struct host *h, const struct plait_endpoint *local,
                     const struct plait_options *options, struct plait_listener **out,
                     struct host_error *err);
/* Give a listener up. Its port stays reserved until host_close. */
void host_unlisten(struct host *h, struct plait_listener *listener);
/* local NULL: the address that the route to `remote` prefers. */
int host_connect(struct host *h, const struct plait_endpoint *remote,
                 const struct plait_endpoint *local, const struct plait_options *options,
                 struct plait_conn **out, struct host_error *err);

/* The same from local->port, which the caller holds (host_hold). */
int host_connect_held(struct host *h, const struct plait_endpoint *remote,
                      const struct plait_endpoint *local, const struct plait_options *options,
                      struct plait_conn **out, struct host_error *err);
/* From now on a TCP socket of the caller's, bound or not, takes its port, *port,
 * from the kernel for us: it listens, and throws away what comes. 0 or a negative
 * errno. host_release ends it; the socket is the caller's to close, and free to
 * connect. */
int host_hold(struct host *h, int fd, uint16_t *port);
void host_release(struct host *h, int fd, uint16_t port);

/* A name or address, and how to get there. */
struct host_target {
    const char *name;
    uint16_t port;
    enum plait_family family; /* PLAIT_NONE: both */
    bool no_race;             /* only the name's first address, by the route to it */
};

/* As host_connect_name with the name's addresses: what does not block of it. */
int host_connect_addrs(struct host *h, const struct plait_addr *addrs, unsigned count,
                       const struct host_target *target, const struct plait_options *options,
                       struct plait_conn **out, struct host_error *err);
enum { HOST_NAME_ADDRS_MAX = 8 }; /* of a name that are tried */

/* Resolve the name (blocks), then connect to whichever of its addresses
 * answers first, from whichever of this host's addresses that have a route
 * there (plait_connect_race). plait_conn_info tells in the end between which.
 * Further addresses of the name are not joined unless the server announces
 * them: they may be other servers. */
int host_connect_name(struct host *h, const struct host_target *target,
                      const struct plait_options *options, struct plait_conn **out,
                      struct host_error *err);

/* ---- threads -------------------------------------------------------------- */

/* Hosts for several threads, which share their addresses and the ports that they
 * listen at, and nothing else: each has a stack and a packet socket of its own,
 * and the kernel brings each packet to the one that it is for. A connection stays
 * in its thread; further subflows come to it by their token. Limits on memory and
 * connections (plait_config) are of all together. Only the packet driver can. */
struct host_group;
enum { HOST_THREADS_MAX = 64, HOST_PATH_MAX = 4096 };

/* `threads` 1 to HOST_THREADS_MAX. The second and later write their packets and
 * events to pcap_path.2, .3 and events_path.2, .3. */
int host_group_open(const struct host_options *options, unsigned threads, struct host_group **out,
                    struct host_error *err);
/* When no thread runs. */
void host_group_close(struct host_group *g);
unsigned host_group_count(const struct host_group *g);
/* i from 0. To be used by its thread alone while there is one. */
struct host *host_group_at(struct host_group *g, unsigned i);
/* Before they run: listen in all of them; out[i] is the i-th's. Not at port 0. */
int host_group_listen(struct host_group *g, const struct plait_endpoint *local,
                      const struct plait_options *options, struct plait_listener **out,
                      struct host_error *err);
/* Call fn for each host, in as many threads; the calling one has the first. When
 * one fails, the others see SIGTERM (host_signal), as all see a signal that comes.
 * When all have returned: HOST_OK, or what the first to fail returned;
 * HOST_FAIL_OTHER: a thread could not be started. */
typedef int host_thread_fn(void *ctx, struct host *h, unsigned i);
int host_group_run(struct host_group *g, host_thread_fn *fn, void *ctx);

/* ---- descriptors ---------------------------------------------------------- */

enum host_event {
    HOST_IN = 1,
    HOST_OUT = 2,
    HOST_HUP = 4,  /* closed or in error; always told */
    HOST_END = 8,  /* told with IN: the other end sends no more */
    HOST_EDGE = 16 /* asked for with others: tell only what is new since the last time */
};

typedef void host_fd_fn(void *ctx, int fd, unsigned events);
/* Call fn while fd is ready for `events`; again with other events changes
 * them, 0 forgets the descriptor (do so before closing it). Plain files count
 * as always ready. 0 or a negative errno. */
int host_watch(struct host *h, int fd, unsigned events, host_fd_fn *fn, void *ctx);

/* ---- timers --------------------------------------------------------------- */

struct host_timer;
typedef void host_timer_fn(void *ctx);
/* NULL without memory. Unarmed at first. */
struct host_timer *host_timer_new(struct host *h, host_timer_fn *fn, void *ctx);
/* Fire once at `at_us` of host_now; UINT64_MAX disarms. */
void host_timer_set(struct host *h, struct host_timer *t, uint64_t at_us);
void host_timer_free(struct host *h, struct host_timer *t);

/* ---- names ---------------------------------------------------------------- */

/* Addresses of a name or literal, best first, at most max; blocks. `family`
 * PLAIT_NONE: both. HOST_OK or HOST_FAIL_NAME with err filled; *count says
 * how many. */
int host_resolve(const char *name, enum plait_family family, struct plait_addr *out, unsigned max,
                 unsigned *count, struct host_error *err);

/* The failure that stands for an engine error (PLAIT_E_*), and its sentence
 * about `remote` (may be NULL). */
void host_fail_of(int engine_error, const struct plait_endpoint *remote, struct host_error *err);

#endif
