/* SPDX-License-Identifier: MIT
 *
 * plait: one program, a table of subcommands.
 */
#include "cli/cli.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

static const struct cli_command commands[] = {
    {"connect", cmd_connect, "connect to a host and carry standard input and output"},
    {"listen", cmd_listen, "accept connections and carry standard input and output"},
    {"run", cmd_run, "run a command with its connections carried by plait"},
    {"proxy", cmd_proxy, "bond access links: SOCKS, HTTP CONNECT and RFC 8803"},
    {"perf", cmd_perf, "measure throughput between a client and a server"},
    {"sim", cmd_sim, "run a scenario in the simulator"},
    {"wire", cmd_wire, "join two interfaces through emulated links, in real time"},
    {"paths", cmd_paths, "show which subflows a path manager would open, and why"},
    {"lb", cmd_lb, "print rules for a load balancer in front of several servers"},
    {"daemon", cmd_daemon, "serve the programs of this host (plaitd)"},
    {"status", cmd_status, "what plaitd's connections are doing"},
    {"top", cmd_top, "the same as a live view: rates, paths, why"},
    {"set", cmd_set, "change a live connection of plaitd's: scheduler, priority"},
    {"open", cmd_open, "open a further subflow of a connection of plaitd's"},
    {"close", cmd_close, "end a connection of plaitd's, or a subflow"},
    {"addr", cmd_addr, "which of the host's addresses plaitd uses, and for what"},
    {"events", cmd_events, "what happens to plaitd's connections, as it happens"},
    {"demo", cmd_demo, "see a transfer survive the loss of a path; needs no root"},
};
enum { COMMANDS = sizeof commands / sizeof commands[0] };

static void print_help(FILE *out)
{
    fputs("usage: plait COMMAND [OPTIONS] [ARGUMENTS]\n"
          "\n"
          "Multipath TCP (RFC 8684) in user space: one byte stream over several paths.\n"
          "\n"
          "Commands:\n",
          out);
    for (size_t i = 0; i < COMMANDS; i++)
        fprintf(out, "  %-9s %s\n", commands[i].name, commands[i].summary);
    fputs("\n"
          "  -h, --help     this text; plait COMMAND --help says more\n"
          "  -V, --version  the version\n"
          "\n"
          "Try first:  plait demo\n",
          out);
}

static int unknown_command(const char *word)
{
    const char *names[COMMANDS];

    for (size_t i = 0; i < COMMANDS; i++)
        names[i] = commands[i].name;
    const char *near = cli_nearest(word, names, COMMANDS);
    if (near)
        cli_error("there is no command '%s': did you mean '%s'?", word, near);
    else
        cli_error("there is no command '%s': plait --help lists them", word);
    return HOST_FAIL_USAGE;
}

/* Standard output may be a full disk or a closed pipe: then success is not. */
static int flushed(int code)
{
    if (fflush(stdout) != 0 && code == HOST_OK) {
        cli_error("cannot write standard output");
        return HOST_FAIL_FILE;
    }
    return code;
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN); /* a reader that left is an error like others */
    const char *own = strrchr(argv[0], '/');
    if (strcmp(own ? own + 1 : argv[0], "plaitd") == 0) { /* installed under both names */
        cli_set_name("daemon");
        return flushed(cmd_daemon(argc, argv));
    }
    if (argc < 2) {
        print_help(stderr);
        return HOST_FAIL_USAGE;
    }
    const char *word = argv[1];
    if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0) {
        printf("plait %s\n", PLAIT_VERSION);
        return flushed(HOST_OK);
    }
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 ||
        (strcmp(word, "help") == 0 && argc == 2)) {
        print_help(stdout);
        return flushed(HOST_OK);
    }
    static char help[] = "--help";
    if (strcmp(word, "help") == 0) { /* plait help COMMAND */
        word = argv[1] = argv[2];
        argv[2] = help;
        argc = 3;
    }
    for (size_t i = 0; i < COMMANDS; i++) {
        if (strcmp(word, commands[i].name) == 0) {
            cli_set_name(word);
            return flushed(commands[i].run(argc - 1, argv + 1));
        }
    }
    return unknown_command(word);
}
