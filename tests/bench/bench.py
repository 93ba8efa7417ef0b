#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""plait and the kernel side by side: ratios first, then what was measured and CPU.

Two namespaces joined by veths, no emulator, cubic on both sides. Every round
of a case runs each contender once, so that what else the machine does hits all
alike; the table shows medians, and ratios to the kernel's MPTCP of the same
rounds. CPU is the whole machine's time (/proc/stat) for each 10^9 bytes that
arrived, or for a million round trips or connections: user, system, softirq. Run it on an idle machine. docs/performance.md
has results and what they mean.
"""
import argparse
import json
import os
import pathlib
import statistics
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(ROOT / "tests/interop"))
import lab as laboratory  # noqa: E402 (needs the path above)
from lab import Lab, LabError, Path  # noqa: E402

IPERF_PORT = 5201
KINDS = ("user", "system", "softirq")
BASE = "kernel MPTCP"

# What ethtool changes for a case.
WIRES = {
    "offloads on": "",
    "offloads off": "tso off gso off gro off tx off rx off",
    "GRO only": "tso off gso off gro on",
}

MANY = 1000  # connections of the case 'thousand'
AT_ONCE = 16  # connections of the case 'connections'
BUSY = "plait --busy-poll"
LENT = "plait --zero-copy"

PURE = ("plait", BASE, "kernel TCP")


class Case:
    """One row group of the table: a lab and who runs in it."""

    def __init__(self, name, title, contenders=PURE, paths=1, wire="offloads on", kind="bulk"):
        self.name, self.title, self.contenders = name, title, contenders
        self.paths, self.wire, self.kind = paths, wire, kind


CASES = [
    Case("one", "one subflow", PURE[:1] + (LENT,) + PURE[1:]),
    Case("two", "two subflows", ("plait", BASE), paths=2),
    Case("four", "four subflows", ("plait", BASE), paths=4),
    Case("mixed", "with the kernel as peer", ("plait to kernel", "kernel to plait", BASE)),
    Case("checksum", "DSS checksums (first two)", ("plait checksum", BASE + " checksum", BASE)),
    Case("off", "offloads off, 1500-byte frames", wire="offloads off"),
    Case("gro", "GRO only", wire="GRO only"),
    Case("thousand", f"{MANY} connections at once", kind="many"),
    Case("pingpong", "1 byte there and back", PURE[:1] + (BUSY,) + PURE[1:], kind="ping-pong"),
    Case("connections", f"connect, 1000 bytes each way, close; {AT_ONCE} at once",
         kind="connections"),
]


def cpu_seconds():
    """CPU time of all processors together, by kind."""
    fields = [int(f) for f in pathlib.Path("/proc/stat").read_text().split("\n")[0].split()[1:9]]
    user, nice, system, _idle, _iowait, irq, softirq, _steal = fields
    tick = os.sysconf("SC_CLK_TCK")
    return {"user": (user + nice) / tick, "system": system / tick,
            "softirq": (irq + softirq) / tick}


def busy_before():
    """The part of all processors that something else uses, over half a second."""
    start = sum(cpu_seconds().values())
    time.sleep(0.5)
    return (sum(cpu_seconds().values()) - start) / (0.5 * os.cpu_count())


def commands(kind, name, args, host):
    """Server and client command lines of a contender; the client prints JSON."""
    return (bulk_commands(name, args.plait, host, args.time) if kind == "bulk"
            else other_commands(kind, name, args, host))


def other_commands(kind, name, args, host):
    if name.startswith("plait"):
        extra = name.split()[1:]
        what = {"many": ["--parallel", MANY], "ping-pong": ["--ping-pong"],
                "connections": ["--connections", "--parallel", AT_ONCE]}[kind]
        return ([args.plait, "perf", "server", *extra],
                [args.plait, "perf", "client", host, "--json", "--time", args.time, *what, *extra])
    kernel = [args.kernel_bench] + (["--tcp"] if name == "kernel TCP" else [])
    what = {"many": ["bulk", host, args.time, MANY], "ping-pong": [kind, host, args.time, 1],
            "connections": [kind, host, args.time, 1000, AT_ONCE]}[kind]
    return kernel + ["server"], kernel + what


def bulk_commands(name, plait, host, seconds):
    """The client prints iperf3's JSON."""
    ends = bulk_ends(name, plait, host)
    return ends[0], ends[1] + ["--time", seconds, "--json"]


def bulk_ends(name, plait, host):
    iperf_server = ["iperf3", "--server", "--one-off", "--forceflush", "--port", IPERF_PORT]
    iperf_client = ["iperf3", "--client", host, "--port", IPERF_PORT]
    kernel = [sys.executable, HERE / "kernel_perf.py"]
    mptcp = ["mptcpize", "run"]
    plait_server, plait_client = [plait, "perf", "server"], [plait, "perf", "client", host]
    return {
        "kernel TCP": (iperf_server, iperf_client),
        BASE: (mptcp + iperf_server, mptcp + iperf_client),
        BASE + " checksum": (mptcp + iperf_server, mptcp + iperf_client),
        "plait": (plait_server, plait_client),
        LENT: (plait_server + ["--zero-copy"], plait_client + ["--zero-copy"]),
        "plait checksum": (plait_server + ["--checksum"], plait_client + ["--checksum"]),
        "plait to kernel": (kernel + ["server"], plait_client),
        "kernel to plait": (plait_server, kernel + ["client", host]),
    }[name]


class Contender:
    """One row: what its runs measured."""

    unit, cost_unit = "Gbit/s", "s/GB"

    def __init__(self, name, args, host, kind="bulk"):
        self.name = name
        self.server, self.client = commands(kind, name, args, host)
        self.rates, self.costs, self.paths = [], [], 0

    def run(self, lab, seconds):
        server = lab.start(lab.server, *self.server)
        server.wait_line(r"[Ll]istening|ready", 10)
        before, bytes_before = cpu_seconds(), lab.interface_bytes(lab.server, "b")
        client = lab.start(lab.client, *self.client)
        code = client.finish(seconds + 60)
        after, bytes_after = cpu_seconds(), lab.interface_bytes(lab.server, "b")
        server.stop()
        report = client.object()
        if code or not report or "error" in report:
            said = (report or {}).get("error") or client.complaint()
            raise LabError(f"{self.name}: {said}")
        amount = self.take(report)
        self.costs.append({kind: (after[kind] - before[kind]) / amount for kind in KINDS})
        moved = [b - a for a, b in zip(bytes_before, bytes_after)]
        self.paths = max(self.paths, sum(m > 0.01 * sum(moved) for m in moved))

    def take(self, report):
        """Keep the figures of a run; returns what its CPU time is divided by."""
        received = report["end"]["sum_received"]
        if not received["bytes"]:
            raise LabError(f"{self.name}: no byte arrived")
        self.rates.append(received["bits_per_second"] / 1e9)
        return received["bytes"] / 1e9

    def rate(self):
        return statistics.median(self.rates)

    def cost(self, kind=None):
        return statistics.median(c[kind] if kind else sum(c.values()) for c in self.costs)

    def extra_columns(self):
        """What only some cases have: {heading: value}."""
        return {}

    def as_json(self, base):
        row = {"name": self.name, "rate_unit": self.unit, "rates": self.rates,
               "paths_used": self.paths, "cpu_unit": self.cost_unit, "cpu": self.costs}
        row |= {"ratios": self.ratios(base)} if base else {}
        return row | self.extra_columns()

    def ratios(self, base):
        return {"rate": self.rate() / base.rate(),
                "CPU": self.cost() / base.cost() if base.cost() else None}


class ManyContender(Contender):
    """Many connections at once: how evenly they share."""

    def __init__(self, *args):
        super().__init__(*args)
        self.fairness = []

    def take(self, report):
        shares = [s["receiver"]["bytes"] for s in report["end"]["streams"]]
        squares = len(shares) * sum(s * s for s in shares)
        self.fairness.append(sum(shares) ** 2 / squares if squares else 0)
        if len(shares) != MANY:
            raise LabError(f"{self.name}: {len(shares)} connections, not {MANY}")
        return super().take(report)

    def extra_columns(self):
        return {"Jain": round(statistics.median(self.fairness), 3)}


class TripContender(Contender):
    """Round trips, or connections: so many a second, and how long one takes."""

    unit, cost_unit = "a second", "us each"

    def __init__(self, *args):
        super().__init__(*args)
        self.latencies = []

    def take(self, report):
        if not report["trips"]:
            raise LabError(f"{self.name}: nothing came back")
        self.rates.append(report["per_second"])
        self.latencies.append(report["latency_us"])
        return report["trips"] / 1e6

    def latency(self, what):
        return statistics.median(each[what] for each in self.latencies)

    def ratios(self, base):
        return super().ratios(base) | {what: self.latency(what) / base.latency(what)
                                       for what in ("median", "p99")}

    def extra_columns(self):
        return {f"{what} us": round(self.latency(what), 1) for what in ("median", "p99")}


CONTENDERS = {"bulk": Contender, "many": ManyContender, "ping-pong": TripContender,
              "connections": TripContender}


def check_mptcp(lab, row):
    """The kernel's MPTCP must not have been TCP in disguise."""
    if row.name.startswith(BASE) and not lab.counters(lab.server)["MPCapableACKRX"]:
        raise LabError("the kernel's MPTCP fell back to TCP: nothing to compare with")


def prepare(lab, case):
    if case.paths > 1:
        lab.endpoints(4)
    for i in range(1, case.paths + 1):
        for ns, letter in ((lab.client, "a"), (lab.server, "b")):
            if WIRES[case.wire]:
                lab.shell(ns, f"ethtool -K {letter}{i} {WIRES[case.wire]}")


def set_checksum(lab, on):
    for ns in (lab.client, lab.server):
        lab.sysctl(ns, {"net/mptcp/checksum_enabled": int(on)})


def run_case(case, args):
    """The case's rows, measured."""
    names = [n for n in case.contenders if not args.only or n in args.only]
    with Lab(args.plait, [Path(0, 0, 0)] * case.paths, emulator=None) as lab:
        prepare(lab, case)
        make = CONTENDERS[case.kind]
        rows = [make(name, args, lab.v4(1, 2), case.kind) for name in names]
        for number in range(args.runs):
            for row in rows:
                set_checksum(lab, row.name.endswith("checksum"))
                row.run(lab, args.time)
                check_mptcp(lab, row)
            print(f"{case.name}: round {number + 1} of {args.runs}: "
                  + ", ".join(f"{r.name} {figure(r.rates[-1])}" for r in rows), flush=True)
    return rows


def base_of(rows):
    return next((row for row in rows if row.name == BASE), None)


def figure(value):
    return f"{value:.0f}" if value >= 1000 else f"{value:.1f}"


def print_case(case, rows):
    base = base_of(rows)
    first = rows[0]
    names = list(first.ratios(base)) if base else []
    headings = "".join(f"{name:>8}" for name in names)
    more = "".join(f"{name:>11}" for name in first.extra_columns())
    print(f"\n{case.title}; {case.wire}")
    print(f"  {'':22}{headings}   {first.unit:>8}{'range':>15}{more}   "
          f"{'CPU ' + first.cost_unit:>11}{'user':>7}{'sys':>7}{'soft':>7}  paths")
    for row in rows:
        ratios = row.ratios(base) if base else {}
        parts = "".join("        " if ratios[n] is None else f"{ratios[n]:8.2f}" for n in names)
        spread = f"{figure(min(row.rates))}-{figure(max(row.rates))}"
        kinds = "".join(f"{row.cost(kind):7.2f}" for kind in KINDS)
        extra = "".join(f"{value:11}" for value in row.extra_columns().values())
        print(f"  {row.name:22}{parts}   {figure(row.rate()):>8}{spread:>15}{extra}   "
              f"{row.cost():11.2f}{kinds}  {row.paths}")


def parse():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--plait", default=str(ROOT / "build/plait"))
    parser.add_argument("--kernel-bench", default=str(ROOT / "build/tests/bench/kernel_bench"))
    parser.add_argument("--time", type=int, default=2, help="seconds a run")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--case", action="append", choices=[c.name for c in CASES],
                        help="only this case (may be repeated)")
    parser.add_argument("--only", action="append", metavar="NAME",
                        help="only this contender (may be repeated)")
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--quick", action="store_true",
                        help="one short round of every case: does it run at all")
    parser.add_argument("--at-least", type=float, metavar="RATIO",
                        help="fail when plait is slower than this part of kernel MPTCP "
                             "in the case 'one'")
    args = parser.parse_args()
    args.plait = os.path.abspath(args.plait)
    if args.quick:
        args.runs, args.time = 1, 1
    return args


def too_slow(results, args):
    for case, rows in results:
        base, plait = base_of(rows), next((r for r in rows if r.name == "plait"), None)
        if case.name == "one" and base and plait and args.at_least:
            return plait.rate() < args.at_least * base.rate()
    return False


def main():
    args = parse()
    if os.geteuid() != 0:
        print("the bench makes network namespaces: run it as root", file=sys.stderr)
        return 77
    laboratory.exit_on_signals()
    laboratory.remove_leftovers()
    if (other := busy_before()) > 0.1:
        print(f"warning: the machine is {other:.0%} busy with other things; figures of "
              "several processes suffer more from that than the kernel's")
    cases = [c for c in CASES if (not args.case or c.name in args.case)
             and (not args.only or set(args.only) & set(c.contenders))]
    results = [(case, run_case(case, args)) for case in cases]
    print(f"\nmedians of {args.runs} runs of {args.time} s, cubic, {time.strftime('%Y-%m-%d')}; "
          f"rate and CPU a byte in parts of {BASE}'s")
    for case, rows in results:
        print_case(case, rows)
    if args.json:
        with open(args.json, "w") as out:
            json.dump({case.name: {"title": case.title, "wire": case.wire,
                                   "rows": [r.as_json(base_of(rows)) for r in rows]}
                       for case, rows in results}, out, indent=1)
    if too_slow(results, args):
        print(f"\nFAIL  plait is below {args.at_least} of {BASE}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
