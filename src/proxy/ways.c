/* SPDX-License-Identifier: MIT */
#include "proxy/ways.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/addr.h"
#include "host/fail.h"

/* ---- what there is --------------------------------------------------------------- */

/* A name that means nothing to a shell, of an interface that is there. */
static int usable(const char *interface, struct host_error *err)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

    if (!interface[0] || strlen(interface) >= IF_NAMESIZE || interface[0] == '-' ||
        interface[strspn(interface, plain)])
        return host_fail(err, HOST_FAIL_USAGE, "'%s' is no name of an interface", interface);
    if (!if_nametoindex(interface))
        return host_fail(err, HOST_FAIL_ADDRESS, "there is no interface '%s' (ip link lists them)",
                         interface);
    return HOST_OK;
}

/* The word after `key` in the first line that this command prints. */
static bool word_after(const char *command, const char *key, char *out, size_t size)
{
    char line[512], *at;
    FILE *pipe = popen(command, "re");
    bool found = pipe && fgets(line, sizeof line, pipe) && (at = strstr(line, key)) != NULL;

    if (found) {
        at += strlen(key);
        size_t len = strcspn(at, " /\n");
        found = len > 0 && len < size;
        if (found) {
            memcpy(out, at, len);
            out[len] = 0;
        }
    }
    if (pipe)
        pclose(pipe);
    return found;
}

static void add_family(struct ways *w, const char *interface, int family)
{
    struct way *way = &w->wans[w->wan_count];
    char command[128], word[ADDR_TEXT_MAX];

    snprintf(command, sizeof command, "ip -%d -o addr show dev %s scope global", family, interface);
    *way = (struct way){0};
    if (!word_after(command, family == 4 ? " inet " : " inet6 ", word, sizeof word) ||
        !addr_parse(word, &way->addr))
        return;
    snprintf(command, sizeof command, "ip -%d -o route show default dev %s", family, interface);
    if (word_after(command, "default via ", word, sizeof word))
        addr_parse(word, &way->gateway);
    memcpy(way->interface, interface, strlen(interface) + 1);
    w->wan_count++;
}

int ways_add_wan(struct ways *w, const char *interface, struct host_error *err)
{
    unsigned before = w->wan_count;
    int failure = usable(interface, err);

    if (failure)
        return failure;
    if (before + 2 > sizeof w->wans / sizeof w->wans[0])
        return host_fail(err, HOST_FAIL_USAGE, "at most %d links", WAYS_MAX);
    add_family(w, interface, 4);
    add_family(w, interface, 6);
    if (w->wan_count == before)
        return host_fail(err, HOST_FAIL_ADDRESS, "'%s' has no address: is the link up?", interface);
    return HOST_OK;
}

int ways_add_lan(struct ways *w, const char *interface, struct host_error *err)
{
    int failure = usable(interface, err);

    if (failure)
        return failure;
    if (w->lan_count == WAYS_MAX)
        return host_fail(err, HOST_FAIL_USAGE, "at most %d networks", WAYS_MAX);
    memcpy(w->lans[w->lan_count++], interface, strlen(interface) + 1);
    return HOST_OK;
}

/* ---- scripts ---------------------------------------------------------------------- */

static int family_of(const struct way *way)
{
    return way->addr.family == PLAIT_IPV4 ? 4 : 6;
}

void ways_print_up(const struct ways *w, FILE *out)
{
    char addr[ADDR_TEXT_MAX], gateway[ADDR_TEXT_MAX];

    fputs("set -e\n", out);
    for (unsigned i = 0; i < w->wan_count; i++) {
        const struct way *way = &w->wans[i];
        unsigned table = WAYS_TABLE + i;
        fprintf(out, "ip -%d route add default %s%s dev %s table %u\n", family_of(way),
                way->gateway.family ? "via " : "",
                way->gateway.family ? addr_format(&way->gateway, gateway) : "", way->interface,
                table);
        fprintf(out, "ip -%d rule add from %s table %u priority %u\n", family_of(way),
                addr_format(&way->addr, addr), table, table);
    }
    if (w->lan_count == 0)
        return;
    fputs("nft -f - <<END\ntable inet plait_lan {\n    chain in {\n"
          "        type nat hook prerouting priority dstnat\n",
          out);
    for (unsigned i = 0; i < w->lan_count; i++)
        fprintf(out,
                "        iifname \"%s\" meta l4proto tcp fib daddr type != local redirect to :%u\n",
                w->lans[i], w->port);
    fputs("    }\n}\nEND\n", out);
}

void ways_print_down(const struct ways *w, FILE *out)
{
    if (w->lan_count)
        fputs("nft delete table inet plait_lan 2>/dev/null\n", out);
    for (unsigned i = 0; i < w->wan_count; i++) {
        unsigned table = WAYS_TABLE + i;
        fprintf(out, "ip -%d rule del priority %u 2>/dev/null\n", family_of(&w->wans[i]), table);
        fprintf(out, "ip -%d route flush table %u 2>/dev/null\n", family_of(&w->wans[i]), table);
    }
    fputs("true\n", out);
}

/* ---- holding ------------------------------------------------------------------------ */

static bool run(const struct ways *w, void (*print)(const struct ways *, FILE *))
{
    FILE *shell = popen("/bin/sh", "we");

    if (!shell)
        return false;
    print(w, shell);
    return pclose(shell) == 0;
}

/* In a process of its own: until the other end is closed. */
static void keep(const struct ways *w, int end)
{
    char byte;

    setsid(); /* an interrupt from the terminal is for the proxy */
    signal(SIGTERM, SIG_IGN);
    while (read(end, &byte, 1) < 0 && errno == EINTR)
        ;
    run(w, ways_print_down);
}

int ways_hold(const struct ways *w, struct host_error *err)
{
    int pair[2];

    run(w, ways_print_down); /* of one that was killed together with its keeper */
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
        host_fail(err, HOST_FAIL_OTHER, "a pair of sockets: %s", strerror(errno));
        return -1;
    }
    pid_t keeper = fork();
    if (keeper == 0) {
        close(pair[0]);
        keep(w, pair[1]);
        _exit(0);
    }
    close(pair[1]);
    if (keeper > 0 && run(w, ways_print_up))
        return pair[0];
    host_fail(
        err, HOST_FAIL_PERMISSION,
        "routes and rules cannot be set up: root, ip and nft are needed; --dry-run shows what "
        "would be done");
    ways_release(pair[0]);
    return -1;
}

void ways_release(int held)
{
    char byte;

    if (held < 0)
        return;
    shutdown(held, SHUT_WR);
    while (read(held, &byte, 1) < 0 && errno == EINTR)
        ;
    close(held);
}
