#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""plait and the kernel over one veth, no emulator: Gbit/s and CPU seconds a GB.

Two namespaces, offloads as they are, cubic on both sides. Every round runs
each contender once, so that what else the machine does hits all alike; the
table shows medians and ratios of this one run. CPU is the whole machine's busy
time (/proc/stat), so run it on an idle one.
"""
import argparse
import json
import os
import pathlib
import statistics
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests/interop"))
import lab as laboratory  # noqa: E402 (needs the path above)
from lab import Lab, LabError, Path  # noqa: E402

IPERF_PORT = 5201


def busy_seconds():
    """CPU time that all processors together were not idle."""
    fields = [int(f) for f in pathlib.Path("/proc/stat").read_text().split("\n")[0].split()[1:9]]
    user, nice, system, _idle, _iowait, irq, softirq, _steal = fields
    return (user + nice + system + irq + softirq) / os.sysconf("SC_CLK_TCK")


def busy_before():
    """The part of all processors that something else uses, over half a second."""
    start = busy_seconds()
    time.sleep(0.5)
    return (busy_seconds() - start) / (0.5 * os.cpu_count())


class Contender:
    """Server and client command lines, both with iperf3's JSON."""

    def __init__(self, name, server, client):
        self.name, self.server, self.client = name, server, client
        self.rates, self.costs = [], []

    def run(self, lab, seconds):
        server = lab.start(lab.server, *self.server)
        server.wait_line(r"[Ll]istening|ready", 10)
        before = busy_seconds()
        client = lab.start(lab.client, *self.client, "--time", seconds, "--json")
        code = client.finish(seconds + 30)
        busy = busy_seconds() - before
        server.stop()
        report = client.object()
        if code or not report or "end" not in report:
            said = (report or {}).get("error") or client.complaint()
            raise LabError(f"{self.name}: {said}")
        received = report["end"]["sum_received"]
        self.rates.append(received["bits_per_second"] / 1e9)
        self.costs.append(busy / (received["bytes"] / 1e9))

    def rate(self):
        return statistics.median(self.rates)

    def cost(self):
        return statistics.median(self.costs)


def base_is_tcp(lab, rows):
    """Did the kernel's MPTCP contender run without MPTCP?"""
    counted = lab.counters(lab.server)["MPCapableACKRX"]
    return any(row.name == "kernel MPTCP" for row in rows) and not counted


def contenders(plait, host, only):
    iperf_server = ["iperf3", "--server", "--one-off", "--forceflush", "--port", IPERF_PORT]
    iperf_client = ["iperf3", "--client", host, "--port", IPERF_PORT]
    mptcp = ["mptcpize", "run"]
    every = [
        Contender("kernel TCP", iperf_server, iperf_client),
        Contender("kernel MPTCP", mptcp + iperf_server, mptcp + iperf_client),
        Contender("plait", [plait, "perf", "server"], [plait, "perf", "client", host]),
    ]
    return [c for c in every if not only or c.name in only]


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--plait", default=str(ROOT / "build/plait"))
    parser.add_argument("--time", type=int, default=2, help="seconds a run")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--only", action="append", metavar="NAME")
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--at-least", type=float, default=0.4, metavar="RATIO",
                        help="fail when plait is slower than this part of kernel MPTCP")
    args = parser.parse_args()
    if os.geteuid() != 0:
        print("the bench makes network namespaces: run it as root", file=sys.stderr)
        return 77

    laboratory.exit_on_signals()
    laboratory.remove_leftovers()
    plait = os.path.abspath(args.plait)
    with Lab(plait, [Path(0, 0, 0)], emulator=None) as lab:
        if (other := busy_before()) > 0.1:
            print(f"warning: the machine is {other:.0%} busy with other things; figures of "
                  "several processes suffer more from that than the kernel's")
        rows = contenders(plait, lab.v4(1, 2), args.only)
        for number in range(args.runs):
            for row in rows:
                row.run(lab, args.time)
            if base_is_tcp(lab, rows):
                raise SystemExit("the kernel's MPTCP fell back to TCP: nothing to compare with")
            print(f"round {number + 1} of {args.runs}: "
                  + ", ".join(f"{r.name} {r.rates[-1]:.1f}" for r in rows), flush=True)
    return report(rows, args)


def report(rows, args):
    by_name = {row.name: row for row in rows}
    base = by_name.get("kernel MPTCP")
    print(f"\nmedians of {args.runs} runs of {args.time} s, cubic, one veth, "
          f"{time.strftime('%Y-%m-%d')}\n")
    print(f"{'':14}{'Gbit/s':>8}{'range':>14}{'CPU s/GB':>10}{'/ kernel MPTCP':>16}")
    for row in rows:
        ratio = f"{row.rate() / base.rate():.2f}" if base else ""
        spread = f"{min(row.rates):.1f}-{max(row.rates):.1f}"
        print(f"{row.name:14}{row.rate():8.1f}{spread:>14}{row.cost():10.2f}{ratio:>16}")
    if args.json:
        with open(args.json, "w") as out:
            json.dump([{"name": r.name, "gbit_per_second": r.rates, "cpu_seconds_per_gb": r.costs}
                       for r in rows], out, indent=1)
    if base and "plait" in by_name and by_name["plait"].rate() < args.at_least * base.rate():
        print(f"\nFAIL  plait is below {args.at_least} of kernel MPTCP")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
