/* SPDX-License-Identifier: MIT
 *
 * Failures as sentences: what is wrong and what to do about it.
 */
#ifndef HOST_FAIL_H
#define HOST_FAIL_H

#include "host/host.h"

/* Fill *err (may be NULL); returns failure. */
__attribute__((format(printf, 3, 4))) int host_fail(struct host_error *err,
                                                    enum host_failure failure, const char *format,
                                                    ...);

/* A driver did not open. `error` is a negative errno. */
int fail_driver(struct host_error *err, const char *driver, int error);
/* The packet driver did not open for several threads. */
int fail_threads(struct host_error *err, int error);
/* A port could not be held. */
int fail_port(struct host_error *err, uint16_t port, int error);
/* A file could not be opened. */
int fail_file(struct host_error *err, const char *what, const char *path, int error);
/* addr is not an address that can be used now. */
int fail_address(struct host_error *err, const struct plait_addr *addr);
/* host_fail_of, returning the failure. */
int fail_engine(struct host_error *err, int engine_error, const struct plait_endpoint *remote);

#endif
