#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""plait against the kernel's MPTCP over two emulated paths: a table, PASS or
FAIL a row, with the figures. `make interop` runs it; it needs root.

Paths, sizes and delays are arguments: nothing is tuned to the lab.
"""
import argparse
import hashlib
import json
import os
import pathlib
import sys
import tempfile

import cases
import lab
import table

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent


def random_file(folder, size):
    """A random file and its SHA-256."""
    path, digest, left = os.path.join(folder, f"random-{size}"), hashlib.sha256(), size
    with open(path, "wb") as out:
        while left:
            piece = os.urandom(min(left, 1 << 20))
            digest.update(piece)
            out.write(piece)
            left -= len(piece)
    os.chmod(folder, 0o755)
    os.chmod(path, 0o644)
    return path, digest.hexdigest()


def show_header(paths):
    for number, path in enumerate(paths, 1):
        print(f"path {number}: {path}")
    print(f"\n{'':6}{'Mbit/s':>8} {'lesser':>7} {'pause':>7} {'joins':>6}   {'row':40}", flush=True)


def show_row(row, reference):
    # What the kernel does with itself is shown beside, not judged.
    verdict = "ref" if row.get("reference") else "FAIL" if row["complaints"] else "PASS"
    if row.get("skipped"):
        verdict = "SKIP"
    rate = row.get("bits_per_second_after_1s") or row.get("bits_per_second")
    cells = [f"{rate / 1e6:8.1f}" if rate else f"{'':8}",
             f"{row['lesser_share']:7.0%}" if row.get("lesser_share") is not None else f"{'':7}",
             f"{row['longest_pause_s']:6.2f}s" if row.get("longest_pause_s") is not None
             else f"{'':7}",
             f"{'/'.join(str(n) for n in row.get('joins', {}).values()):>6}"]
    name = row["name"]
    if row.get("cut") and not row.get("reference") and reference is not None:
        name += f" (kernel's own pause {reference:.2f} s)"
    print(f"{verdict:6}{' '.join(cells)}   {name}")
    for complaint in row["complaints"]:
        print(f"      {complaint}")
    sys.stdout.flush()


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--plait", default=str(ROOT / "build/plait"))
    parser.add_argument("--quick", action="store_true", help="a few rows of 10 MB each")
    parser.add_argument("--only", action="append", metavar="TEXT",
                        help="rows whose name contains TEXT (may be given again: all must)")
    parser.add_argument("--list", action="store_true", help="name the rows and stop")
    parser.add_argument("--json", metavar="FILE", help="write every figure there")
    parser.add_argument("--markdown", metavar="FILE", nargs="?", const=str(ROOT / "docs/interop.md"),
                        help="rewrite the table in FILE (docs/interop.md); every row is run")
    parser.add_argument("--path", action="append", metavar="MBIT,MS",
                        help="a path's rate and one-way delay (twice; default 50,10 and 50,30)")
    parser.add_argument("--size", type=int, metavar="BYTES", help="instead of 100 MB")
    parser.add_argument("--emulator", default="wire", choices=("wire", "bridge"),
                        help="bridge: rate limits without delay, for work on the lab itself")
    parser.add_argument("--keep", metavar="FOLDER",
                        help="keep captures, events and output of every row there")
    args = parser.parse_args()

    rows = cases.quick() if args.quick else cases.full()
    for text in args.only or ():
        rows = [row for row in rows if text in row.name()]
    if args.list:
        print("\n".join(row.name() for row in rows))
        return 0
    if args.markdown and (args.quick or args.only):
        parser.error("--markdown is about every row: not with --quick or --only")
    if args.markdown and not pathlib.Path(args.markdown).is_file():
        parser.error(f"--markdown rewrites a table: there is no {args.markdown}")
    if os.geteuid() != 0:
        print("the lab makes network namespaces: run it as root", file=sys.stderr)
        return 77
    if not rows:
        print("no row matches", file=sys.stderr)
        return 2

    lab.exit_on_signals()
    lab.remove_leftovers()
    lab.Lab.keep = args.keep
    paths = lab.paths_with_common_queue(*(tuple(map(float, p.split(",")))
                                          for p in args.path or ("50,10", "50,30")))
    show_header(paths)
    results, pauses = [], {}
    with tempfile.TemporaryDirectory(prefix=lab.PREFIX) as folder:
        files = {}
        for case in rows:
            if args.size and case.size > args.size:
                case.size = args.size
            if case.size not in files:
                files[case.size] = random_file(folder, case.size)
            row = case.run(os.path.abspath(args.plait), paths, *files[case.size], args.emulator)
            key = (row.get("sender"), row.get("family"), row.get("checksum"))
            if row.get("cut") and row.get("reference"):
                pauses[key] = row.get("longest_pause_s")
            results.append(row)
            show_row(row, pauses.get(key))
    failed = sum(bool(r["complaints"]) and not r.get("reference") for r in results)
    passed = len(results) - failed
    print(f"\n{passed} passed, {failed} failed, 0 skipped")
    if args.json:
        with open(args.json, "w") as out:
            json.dump({"paths": [vars(p) for p in paths], "rows": results}, out, indent=1)
    if args.markdown:
        table.write(args.markdown, results, paths)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
