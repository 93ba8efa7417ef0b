/* SPDX-License-Identifier: MIT
 *
 * plait lb rules: nftables rules for a load balancer in front of servers that
 * run with --server-id. All it has to know of Multipath TCP is where an MP_JOIN
 * has its token (RFC 8684 3.2): byte 4 of the option, whose first byte names
 * the server (base/farm.h).
 */
#include <stdio.h>
#include <string.h>

#include "base/addr.h"
#include "base/farm.h"
#include "cli/cli.h"
#include "cli/options.h"

static const char about[] =
    "Prints nftables rules for a load balancer: new connections to VIP:PORT go to one of\n"
    "the servers by a hash of who calls, further subflows (MP_JOIN) to the server that\n"
    "their token names. Server K of N in this list runs with --server-id K/N; one that is\n"
    "out of service is written -, and keeps its place.\n";

static const char closing[] =
    "Where the option is, nft finds out; rules and balancers share nothing about\n"
    "connections but the flow table that NAT keeps anyway.\n"
    "\n"
    "Examples:\n"
    "  plait lb rules 192.0.2.1:443 10.0.0.1 10.0.0.2 10.0.0.3 10.0.0.4 | nft -f -\n"
    "  plait lb rules 192.0.2.1:443 10.0.0.1 - 10.0.0.3 10.0.0.4 | nft -f -\n"
    "  plait lb rules [2001:db8::1]:443 fd00::1 fd00::2\n"
    "\n" CLI_EXIT_CODES;

struct farm {
    struct plait_endpoint vip;
    struct plait_addr servers[FARM_SERVERS_MAX]; /* PLAIT_NONE: out of service */
    unsigned count, live;
};

static bool take_server(struct farm *f, const char *text)
{
    struct plait_addr *a = &f->servers[f->count];
    if (f->count == FARM_SERVERS_MAX) {
        cli_error("more than %d servers cannot be told apart", FARM_SERVERS_MAX);
        return false;
    }
    if (strcmp(text, "-") == 0) {
        f->count++;
        return true;
    }
    if (!addr_parse(text, a) || a->family != f->vip.addr.family) {
        cli_error("'%s' is no server's address: give it as a number, of the same IP version as "
                  "the first",
                  text);
        return false;
    }
    f->count++;
    f->live++;
    return true;
}

static bool take_farm(struct farm *f, char **words, int count)
{
    if (strcmp(words[0], "rules") != 0) {
        cli_error("there is no 'plait lb %s', only: rules", words[0]);
        return false;
    }
    if (!endpoint_parse(words[1], &f->vip) || f->vip.port == 0) {
        cli_error("'%s' is no address with a port: write 192.0.2.1:443 or [2001:db8::1]:443",
                  words[1]);
        return false;
    }
    for (int i = 2; i < count; i++)
        if (!take_server(f, words[i]))
            return false;
    if (f->live == 0)
        cli_error("there is no server left to send anybody to");
    return f->live > 0;
}

/* "from[-to] : server" for each that is in service. */
static void print_map(const struct farm *f, bool by_token)
{
    char text[ADDR_TEXT_MAX];
    unsigned n = 0;

    for (unsigned i = 1; i <= f->count; i++) {
        const struct plait_addr *a = &f->servers[i - 1];
        if (a->family == PLAIT_NONE)
            continue;
        printf("%s\n\t\t\t", n ? "," : "");
        if (by_token)
            printf("%u-%u", farm_first(i, f->count), farm_last(i, f->count));
        else
            printf("%u", n);
        printf(" : %s", addr_format(a, text));
        n++;
    }
    printf("\n\t\t}\n");
}

static void print_rules(const struct farm *f)
{
    char text[ADDR_TEXT_MAX];
    const char *ip = f->vip.addr.family == PLAIT_IPV6 ? "ip6" : "ip";

    printf("table %s plait_lb {\n"
           "\tchain prerouting {\n"
           "\t\ttype nat hook prerouting priority dstnat; policy accept;\n"
           "\t\t%s daddr != %s accept\n"
           "\t\ttcp dport != %u accept\n"
           "\t\t# MP_JOIN: kind 30, subtype 1; the token's first byte names the server\n"
           "\t\ttcp flags & (syn | ack) == syn tcp option @30,16,4 1 "
           "dnat to tcp option @30,32,8 map {",
           ip, ip, addr_format(&f->vip.addr, text), f->vip.port);
    print_map(f, true);
    printf("\t\ttcp flags & (syn | ack) == syn tcp option @30,16,4 1 reject with tcp reset\n"
           "\t\t# anything else that begins a flow\n"
           "\t\ttcp flags & (syn | ack) == syn dnat to jhash %s saddr . tcp sport mod %u map {",
           ip, f->live);
    print_map(f, false);
    printf("\t}\n}\n");
}

int cmd_lb(int argc, char **argv)
{
    static struct farm farm;
    int operand;
    const struct usage usage = {.synopsis = "lb rules VIP:PORT SERVER...",
                                .about = about,
                                .closing = closing,
                                .operands_min = 3,
                                .operands_max = -1};

    int end = options_parse(&usage, argc, argv, &operand);
    if (end != OPTION_GO)
        return end;
    if (!take_farm(&farm, argv + operand, argc - operand))
        return HOST_FAIL_USAGE;
    print_rules(&farm);
    return HOST_OK;
}
