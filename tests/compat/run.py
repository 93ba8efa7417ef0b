#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Programs that know nothing of plait, under `plait run`: one row each.

    run.py --plait build/plait [--quick] [--only TEXT] [--list] [--write FILE]

Needs root: every row has network namespaces of its own, removed afterwards. Prints
PASS, FAIL or SKIP for each; --write makes the table of docs/compatibility.md.
"""
import argparse
import os
import pathlib
import shutil
import sys
import time
import traceback

from rows import ROWS
from world import LabError, World, exit_on_signals
import lab

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent

HEAD = """# Programs under plait run

Unmodified programs whose connections plait carries (`plait run -- COMMAND`), each
between two network namespaces with two paths, against the kernel's Multipath TCP or
against plait. `make compat` runs the rows and writes this page; `tests/compat` has
them.

| program | what it does | result | what was asserted |
|---|---|---|---|
"""


def play(row, plait, quick):
    """(result, remark)"""
    missing = row.missing()
    if missing:
        return "SKIP", "not installed: " + ", ".join(missing)
    try:
        with World(plait) as world:
            row.body(world, row.quick if quick else row.size)
    except LabError as error:
        return "FAIL", str(error)
    except (OSError, KeyError, IndexError, ValueError):
        return "FAIL", traceback.format_exc(limit=-3).strip().replace("\n", " | ")
    return "PASS", ""


def write_table(path, results):
    with open(path, "w") as out:
        out.write(HEAD)
        for row, result, remark in results:
            said = {"PASS": "passes", "FAIL": "fails", "SKIP": "skipped"}[result]
            out.write(f"| {row.program} | {row.title} | {said}{': ' if remark else ''}{remark} | "
                      f"{row.asserts} |\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--plait", type=pathlib.Path, default=ROOT / "build/plait")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--write", type=pathlib.Path)
    args = parser.parse_args()
    rows = [r for r in ROWS if args.only in r.name() and (r.quick or not args.quick)]
    if args.list:
        print("\n".join(r.name() for r in rows))
        return 0
    if os.geteuid() != 0 or not shutil.which("ip"):
        print("SKIP compatibility: needs root and iproute2")
        return 77
    exit_on_signals()
    lab.remove_leftovers()
    results = []
    for row in rows:
        began = time.monotonic()
        result, remark = play(row, str(args.plait.resolve()), args.quick)
        results.append((row, result, remark))
        print(f"{result} {row.name()} ({time.monotonic() - began:.1f} s)"
              f"{': ' if remark else ''}{remark}", flush=True)
    if args.write:
        write_table(args.write, results)
    return 1 if any(result == "FAIL" for _, result, _ in results) else 0


if __name__ == "__main__":
    sys.exit(main())
