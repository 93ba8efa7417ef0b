#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Four servers behind one address, and nftables as the load balancer.

    client             balancer                 server K
      a1 10.1.1.1 ------ x1    y1..y4 ------- b1 10.2.K.2
      a2 10.1.2.1 ------ x2    192.0.2.1

Every connection joins from the client's second address. The balancer knows no
connection: `plait lb rules` sends the join by its token, and all of them arrive
at their servers. Then one server goes out of service: its connections end, and
no other.
"""
import argparse
import os
import pathlib
import sys

import lab as laboratory
from ends import PlaitEnd
from lab import Lab, LabError, run

SERVERS, PORT, VIP = 4, 5000, "192.0.2.1"
NEWCOMER = "10.1.1.3"
MANY = 400
BATCH = 50
LONG = 2  # connections that stay, at least so many on each server


class Farm(Lab):
    """The client's namespace and the balancer's are the lab's; the servers are here."""

    def __init__(self, plait):
        base = f"{laboratory.PREFIX}-{os.getpid()}"
        self.servers = [f"{base}-9{k}-s" for k in range(1, SERVERS + 1)]
        super().__init__(plait, [None, None], emulator=None)

    def _build(self, checksum):
        off = {"net/ipv4/conf/all/rp_filter": 0, "net/ipv4/conf/default/rp_filter": 0}
        for ns in (self.client, self.middle, self.server, *self.servers):
            run("ip", "netns", "add", ns)
            self.sysctl(ns, off)
        self.sysctl(self.middle, {"net/ipv4/ip_forward": 1})
        run("ip", "-n", self.middle, "link", "set", "lo", "up")
        run("ip", "-n", self.middle, "addr", "add", f"{VIP}/32", "dev", "lo")
        for i in (1, 2):
            self._join(self.client, f"a{i}", f"x{i}", f"10.1.{i}")
            run("ip", "-n", self.client, "rule", "add", "from", f"10.1.{i}.1", "table", str(i))
            run("ip", "-n", self.client, "route", "add", "default", "via", f"10.1.{i}.254",
                "table", str(i))
        run("ip", "-n", self.client, "route", "add", "default", "via", "10.1.1.254")
        for k, ns in enumerate(self.servers, 1):
            self._join(ns, "b1", f"y{k}", f"10.2.{k}")
            run("ip", "-n", ns, "route", "add", "default", "via", f"10.2.{k}.254")

    def _join(self, ns, name, inner, network):
        """A veth from the balancer's `inner` to `name` in ns, .1 there."""
        run("ip", "link", "add", inner, "netns", self.middle, "type", "veth", "peer", "name", name,
            "netns", ns)
        for where, device, host in ((ns, name, 1), (self.middle, inner, 254)):
            run("ip", "-n", where, "addr", "add", f"{network}.{host}/24", "dev", device)
            run("ip", "-n", where, "link", "set", device, "up")

    def balance(self, gone=()):
        servers = ["-" if k in gone else f"10.2.{k}.1" for k in range(1, SERVERS + 1)]
        rules = run(self.plait, "lb", "rules", f"{VIP}:{PORT}", *servers)
        again = "table ip plait_lb {}\ndelete table ip plait_lb\n" + rules
        run("ip", "netns", "exec", self.middle, "nft", "-f", "-", input_text=again)

    def close(self):
        super().close()
        for ns in self.servers:
            if os.path.exists(f"/run/netns/{ns}"):
                run("ip", "netns", "del", ns, check=False)


def check(what, holds):
    print(f"{'PASS' if holds else 'FAIL'}  {what}", flush=True)
    return not holds


def start_servers(farm):
    servers = []
    for k, ns in enumerate(farm.servers, 1):
        end = PlaitEnd(farm, ns, "server", locals=[f"10.2.{k}.1"],
                       config={"server_id": k, "servers": SERVERS})
        end.do("listen", port=PORT, echo=True)
        servers.append(end)
    return servers


def joined(client, count, addr=VIP):
    """Open connections, and wait until each has its second subflow: a byte there and back
    comes before (RFC 8684 3.1)."""
    opened = []
    asked = []
    for _ in range(count):
        asked.append(client.connect(addr=addr, port=PORT))
        opened.append(client.conn)
    for n in asked:
        client.answer(n)
    asked = [client.ask(what, conn=c, bytes=1) for what in ("write", "read") for c in opened]
    for n in asked:
        client.answer(n)
    for c in opened:
        client.event("subflow_established", count=2, conn=c)
    return opened


def many(client, servers, count):
    """Connections with a join each, that end when they have it."""
    for _ in range(0, count, BATCH):
        for n in [client.ask("close", conn=c) for c in joined(client, BATCH)]:
            client.answer(n)
    counters = [s.counters() for s in servers]
    arrived = [c["MPCapableACKRX"] for c in counters]
    joins = [c["MPJoinAckRx"] for c in counters]
    wrong = sum(c["MPJoinNoTokenFound"] for c in counters)
    print(f"      connections on the servers: {arrived}, joins: {joins}")
    failed = check(f"{count} connections, all servers have some", sum(arrived) == count
                   and min(arrived) > 0)
    failed += check(f"each join is where its connection is: {sum(joins)}", joins == arrived)
    return failed + check(f"{wrong} joins at another server", wrong == 0)


def remove_one(farm, client, servers):
    """Connections that last, on all servers; the second server goes."""
    where = {}
    before = [len(s.seen("accepted")) for s in servers]
    while min(list(where.values()).count(k) for k in range(SERVERS)) < LONG:
        joined(client, 1)
        now = [len(s.seen("accepted")) for s in servers]
        where[client.conn] = next(k for k in range(SERVERS) if now[k] > before[k])
        before = now
    lost = [c for c, k in where.items() if k == 1]
    farm.balance(gone=(2,))
    servers[1].program.stop()
    for c in lost:
        client.ask("write", conn=c, bytes=1000)
    ended = all(client.event("conn_closed", conn=c) for c in lost)
    failed = check(f"server 2 goes: its {len(lost)} connections end", ended)
    for c in where:
        if c not in lost:
            client.conn = c
            client.on("write", bytes=1000)
            client.on("read", bytes=1000)
    others = [c for c in where if c not in lost and client.seen("conn_closed", conn=c)]
    failed += check(f"the {len(where) - len(lost)} others go on", not others)
    return failed


def newcomer(farm, servers):
    """A client that the balancer's flow table does not know: all of it goes to the others."""
    run("ip", "-n", farm.client, "addr", "add", NEWCOMER, "dev", "a1")
    client = PlaitEnd(farm, farm.client, "client", locals=[NEWCOMER])
    before = [s.counters()["MPCapableACKRX"] for s in servers]
    client.answer(client.ask("many", addr=VIP, port=PORT, count=BATCH, bytes=1000), 60)
    came = [s.counters()["MPCapableACKRX"] - b for s, b in zip(servers, before)]
    return check(f"{BATCH} new connections on the other three: {came}",
                 sum(came) == BATCH and min(came) > 0)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--plait", type=pathlib.Path, required=True)
    parser.add_argument("--count", type=int, default=MANY,
                        help="short connections (default %(default)s)")
    args = parser.parse_args()
    if os.geteuid() != 0:
        print("SKIP  namespaces need root")
        return 77
    laboratory.exit_on_signals()
    laboratory.remove_leftovers()
    try:
        with Farm(args.plait.resolve()) as farm:
            farm.balance()
            servers = start_servers(farm)
            client = PlaitEnd(farm, farm.client, "client", locals=["10.1.1.1", "10.1.2.1"],
                              config={"subflows_wanted": 1})
            failed = many(client, servers, args.count)
            failed += remove_one(farm, client, servers)
            failed += newcomer(farm, servers[:1] + servers[2:])
    except LabError as error:
        failed = check(str(error), False)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
