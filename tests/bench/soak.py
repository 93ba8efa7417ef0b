#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""plait at full rate for a long time while its paths come and go: nothing grows.

Two namespaces joined by two veths, one connection, one of the links down at a
time. After each flap both links are up again and bytes have to pass on both. What
the two processes hold (anonymous memory, descriptors) is noted then, and must not
be more in the last third of the flaps than it was in the first, but for what buffers
differ by. No figure of time is judged: a busy machine only flaps less often.
"""
import argparse
import os
import pathlib
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(ROOT / "tests/interop"))
import lab as laboratory  # noqa: E402 (needs the path above)
from lab import Lab, LabError, Path, run  # noqa: E402

DOWN_SECONDS = 0.5  # about as long as a timeout, so that what was on its way is sent elsewhere
MOVED_BYTES = 10_000_000  # on a path, after it came back
PATIENCE = 60  # seconds for that; a path that is still silent then is lost
SKIPPED = 77
FLAPS_MIN = 3  # fewer have no first and last third
SLACK = {"kB": 24 * 1024, "descriptors": 0}  # buffers are full or empty when one looks


def held(program):
    """What a process holds: anonymous memory in kB, descriptors."""
    proc = pathlib.Path(f"/proc/{program.process.pid}")
    status = dict(line.split(":", 1) for line in (proc / "status").read_text().splitlines())
    return {"kB": int(status["RssAnon"].split()[0]),
            "descriptors": len(list((proc / "fd").iterdir()))}


def moves(lab, client, path):
    """Wait until bytes pass on the path; how many seconds that took."""
    start, before = time.monotonic(), lab.interface_bytes(lab.server, "b")[path]
    while lab.interface_bytes(lab.server, "b")[path] - before < MOVED_BYTES:
        if client.process.poll() is not None:
            return None  # the test is over
        if time.monotonic() - start > PATIENCE:
            raise LabError(f"path {path + 1} came back, and nothing is sent there")
        client.wait_change(0.05)
    return time.monotonic() - start


def flap(lab, client, path):
    """Take a link away and give it back; False: the client ended meanwhile."""
    link = f"b{path + 1}"
    run("ip", "-n", lab.server, "link", "set", link, "down")
    client.wait_change(DOWN_SECONDS)
    run("ip", "-n", lab.server, "link", "set", link, "up")
    run("ip", "-n", lab.server, "-6", "addr", "replace", f"{lab.v6(path + 1, 2)}/64", "dev", link,
        "nodad")  # the kernel forgets it with the link
    return all(moves(lab, client, p) is not None for p in range(len(lab.paths)))


def growth(samples):
    """By how much the most of the last third exceeds the most of the first."""
    third = len(samples) // 3
    return {what: max(s[what] for s in samples[-third:]) - max(s[what] for s in samples[:third])
            for what in SLACK}


def watch(lab, args, server, client):
    """Flap until the client is done; what both held after each flap."""
    samples = {"client": [], "server": []}
    while client.process.poll() is None:
        if not flap(lab, client, len(samples["client"]) % len(lab.paths)):
            break
        for name, program in (("client", client), ("server", server)):
            samples[name].append(held(program))
        if args.verbose:
            print(f"flap {len(samples['client'])}: "
                  + ", ".join(f"{name} {s[-1]}" for name, s in samples.items()), flush=True)
    return samples


def judge(samples):
    """How many of the things that processes hold have grown."""
    failed = 0
    for name, taken in samples.items():
        for what, more in growth(taken).items():
            good = more <= SLACK[what]
            failed += not good
            print(f"{'ok  ' if good else 'FAIL'}  {name}: {what} {taken[0][what]} after the first of "
                  f"{len(taken)} flaps, {taken[-1][what]} after the last; the most grew by {more}")
    return failed


def soak(lab, args):
    server = lab.start(lab.server, args.plait, "perf", "server", "--one-off")
    server.wait_line(r"listening", 10)
    client = lab.start(lab.client, args.plait, "perf", "client", lab.v4(1, 2), "--json",
                       "--interval", "0", "--time", f"{args.time}s")
    samples = watch(lab, args, server, client)
    code, report = client.finish(args.time + PATIENCE), client.object()
    if code or not report or "error" in report:
        raise LabError((report or {}).get("error") or client.complaint())
    server.finish(PATIENCE)
    received = report["end"]["sum_received"]
    flaps = len(samples["client"])
    print(f"{received['bytes'] / 1e9:.1f} GB in {received['seconds']:.0f} s, "
          f"{received['bits_per_second'] / 1e9:.1f} Gbit/s, {flaps} flaps")
    if flaps < FLAPS_MIN:
        print(f"skipped: {flaps} flaps say nothing; this machine needs a longer --time")
        return SKIPPED
    return 1 if judge(samples) else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--plait", default=str(ROOT / "build/plait"))
    parser.add_argument("--time", type=int, default=1800, help="seconds (default: 30 minutes)")
    parser.add_argument("--verbose", action="store_true", help="a line for each flap")
    args = parser.parse_args()
    args.plait = os.path.abspath(args.plait)
    if os.geteuid() != 0:
        print("the soak makes network namespaces: run it as root", file=sys.stderr)
        return SKIPPED
    laboratory.exit_on_signals()
    laboratory.remove_leftovers()
    try:
        with Lab(args.plait, [Path(0, 0, 0)] * 2, emulator=None) as lab:
            return soak(lab, args)
    except LabError as error:
        print(f"FAIL  {error}")
        return 1


if __name__ == "__main__":
    sys.exit(main())
