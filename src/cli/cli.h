/* SPDX-License-Identifier: MIT
 *
 * What the subcommands share: the table's row, the exit codes that --help
 * promises, and how an error is said. Each command lives in a file of
 * its own, cmd_<name>.c.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/host.h"

/* A command ends with one of host.h's enum host_failure (0: success), or with
 * this after SIGINT or SIGTERM, as a shell reports it. */
enum { CLI_INTERRUPTED = 130 };

/* argv[0] is the command's name. Returns the exit code. */
struct cli_command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary;
};

int cmd_connect(int argc, char **argv);
int cmd_listen(int argc, char **argv);
int cmd_perf(int argc, char **argv);
int cmd_sim(int argc, char **argv);
int cmd_wire(int argc, char **argv);
int cmd_demo(int argc, char **argv);
int cmd_lb(int argc, char **argv);
int cmd_paths(int argc, char **argv);
int cmd_daemon(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_top(int argc, char **argv);
int cmd_close(int argc, char **argv);
int cmd_open(int argc, char **argv);
int cmd_set(int argc, char **argv);
int cmd_addr(int argc, char **argv);
int cmd_events(int argc, char **argv);
int cmd_proxy(int argc, char **argv);
int cmd_run(int argc, char **argv);

/* "plait connect: <sentence>" on standard error. The command's name is what
 * main was asked for. */
__attribute__((format(printf, 1, 2))) void cli_error(const char *format, ...);
void cli_set_name(const char *name);

/* For commands without a host: SIGINT and SIGTERM set a flag instead of
 * killing, a second one kills at once. */
void cli_catch_signals(void);
bool cli_interrupted(void);

/* Monotonic microseconds, for what the commands measure themselves. */
uint64_t cli_now_us(void);

/* The name in `names` closest to `word`, or NULL when none is near. */
const char *cli_nearest(const char *word, const char *const *names, size_t count);

#endif
