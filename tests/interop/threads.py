#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A server of several threads: every packet arrives at the stack that it is for.

    client                                   server
      a1 10.1.1.1 ------------------------- b1 10.1.1.2
      a2 10.1.2.1 ------------------------- b2 10.1.2.2

Each connection joins over the second path: its SYN's token names the thread, and
the packets after it have the 4-tuple alone. No join may be at another thread, no
thread may answer a packet that is another's, and the connections have to be
spread evenly. --rate measures connections a second with one thread and with
several, in turns.
"""
import argparse
import os
import pathlib
import statistics
import sys

import lab as laboratory
from ends import PlaitEnd
from farm import check, joined
from lab import Lab, LabError

PORT, ADDR = 5000, "10.1.1.2"
BATCH = 50
BYTES = 20000
STRAYS = ("MPJoinNoTokenFound", "MPCapableFallbackACK", "MPRstTx")


class Server:
    """threads_end, as a server."""

    def __init__(self, lab, threads):
        self.program = start(lab, lab.server, "server", threads, ADDR, PORT)
        self.program.wait_line("listening")

    def stop(self):
        """What each thread counted."""
        return ended(self.program, stop=True)


def start(lab, ns, role, threads, *words):
    program = pathlib.Path(lab.plait).parent / "tests/interop/threads_end"
    return lab.start(ns, program, role, str(threads), *map(str, words))


def ended(program, stop=False, seconds=120):
    if stop:
        program.process.terminate()
    code = program.finish(seconds)
    if code:
        raise LabError(f"threads_end ended with {code}: {program.complaint()}")
    return [o for o in program.events() if "counters" in o]


def summed(threads, name):
    return [t["counters"][name] for t in threads]


def joins_arrive(lab, threads, count):
    """Connections with a join each; bytes pass on both of their subflows."""
    server = Server(lab, threads)
    client = PlaitEnd(lab, lab.client, "client", locals=["10.1.1.1", "10.1.2.1"],
                      config={"subflows_wanted": 1})
    for _ in range(0, count, BATCH):
        opened = joined(client, BATCH, ADDR)
        for what in ("write", "read"):
            for n in [client.ask(what, conn=c, bytes=BYTES) for c in opened]:
                client.answer(n)
        for n in [client.ask("close", conn=c) for c in opened]:
            client.answer(n)
    client.quit()
    result = server.stop()
    arrived, joins = summed(result, "MPCapableACKRX"), summed(result, "MPJoinAckRx")
    print(f"      {threads} threads: connections {arrived}, joins {joins}")
    failed = check(f"{count} connections, spread evenly over {threads} threads",
                   sum(arrived) == count and min(arrived) > count / threads / 2)
    failed += check("each join is where its connection is", joins == arrived)
    for name in STRAYS:
        failed += check(f"{name}: {summed(result, name)}", sum(summed(result, name)) == 0)
    return failed + check("nothing failed", sum(t["failed"] for t in result) == 0)


def clients_too(lab, count):
    """A client of two threads: what comes back arrives where it was sent from."""
    server = Server(lab, 3)
    asked = ended(start(lab, lab.client, "client", 2, ADDR, PORT, count, 20))
    result = server.stop()
    done = [t["done"] for t in asked]
    return check(f"a client of two threads: {done} of {count} each",
                 done == [count, count] and sum(t["failed"] for t in asked + result) == 0)


def rate(lab, threads, count, at_once):
    """Connections a second, and the server's CPU microseconds for each."""
    server = Server(lab, threads)
    asked = ended(start(lab, lab.client, "client", 1, ADDR, PORT, count, at_once))
    result = server.stop()
    if sum(t["done"] for t in asked) != count:
        raise LabError("not all connections were served")
    cpu = sum(t["cpu_seconds"] for t in result)
    return count / max(t["seconds"] for t in asked), cpu / count * 1e6


def rates(lab, threads, count, rounds):
    measured = {n: [] for n in (1, threads)}
    for _ in range(rounds):
        for n, results in measured.items():
            results.append(rate(lab, n, count, 64))
    for n, results in measured.items():
        a_second, cpu = (statistics.median(column) for column in zip(*results))
        print(f"      {n} threads: {a_second:.0f} connections a second, "
              f"{cpu:.1f} us of the server's threads each")
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--plait", type=pathlib.Path, required=True)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--count", type=int, default=300, help="connections (default %(default)s)")
    parser.add_argument("--rate", type=int, metavar="ROUNDS", help="measure instead")
    args = parser.parse_args()
    if os.geteuid() != 0:
        print("SKIP  namespaces need root")
        return 77
    laboratory.exit_on_signals()
    laboratory.remove_leftovers()
    try:
        with Lab(args.plait.resolve(), [None, None], emulator=None) as lab:
            if args.rate:
                return rates(lab, args.threads, args.count, args.rate)
            failed = joins_arrive(lab, args.threads, args.count)
            failed += clients_too(lab, args.count)
    except LabError as error:
        failed = check(str(error), False)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
