#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Run the experiments and compare what they measure with what was published.

    run.py [--plait FILE] [--quick] [--resume] [--out DIR] [--markdown FILE] [--data DIR] [NAME...]

Each folder has scenario.lua, or the line `scenario: FILE` in `sweeps`; `sweeps`, with
the arguments of `plait sim` of a quick and of a full run; and expected.csv, a row a
figure: where (parameters, as name=value), figure, least and most (what it must be;
empty: no bound), published (what others measured), and open (why the row may fail for
now; then it does not count). Several runs of a row (seeds) count by their median; a
figure named `gains: NAME` is the percentage of them in which NAME is more than 0.

`data` in sweeps are runs that need tables which are not plait's to give away: they are
made when --data, or PLAIT_DATA, names their folder, and {data} stands for it. Rows of
expected.csv whose place is never run then are left out.
"""
import argparse
import csv
import os
import pathlib
import shlex
import shutil
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent


def sweeps(folder, kind):
    """The argument lists of a kind, one a line: `quick: --sweep ...`."""
    for line in (folder / "sweeps").read_text().splitlines():
        word, _, rest = line.partition(":")
        if word.strip() == kind:
            yield shlex.split(rest)


def scenario_of(folder):
    return folder.joinpath(*next(sweeps(folder, "scenario"), ["scenario.lua"])).resolve()


def runs_of(folder, kind, data):
    """The argument lists of that kind, with those that need data if there is some."""
    runs = list(sweeps(folder, kind))
    if data and kind == "full":
        place = os.path.relpath(data, scenario_of(folder).parent)
        runs += [[arg.replace("{data}", place) for arg in args] for args in sweeps(folder, "data")]
    return runs


def play(plait, folder, kind, out, resume, data):
    """Every sweep of that kind; the rows of the tables that came of them."""
    rows = []
    for number, args in enumerate(runs_of(folder, kind, data)):
        target = out / f"{folder.name}-{kind}-{number}"
        if target.exists() and not resume:
            shutil.rmtree(target)
        done = subprocess.run([plait, "sim", scenario_of(folder), *args, "--out", target],
                              cwd=HERE, stderr=subprocess.PIPE, text=True)
        if done.returncode:
            print(f"FAIL  {folder.name}: {done.stderr.strip()[:300]}")
        if (target / "results.csv").exists():
            with open(target / "results.csv", newline="") as file:
                rows += list(csv.DictReader(file))
    for row in rows:  # the name of a table, wherever it is
        row["data"] = pathlib.Path(row.get("data", "")).name
    return rows


def measured(row, rows):
    """What the runs that it means say of the row's figure, or None."""
    wanted = [pair.split("=", 1) for pair in row["where"].split()]
    name = row["figure"].removeprefix("gains: ")
    values = [float(r[name]) for r in rows
              if name in r and all(r.get(k) == v for k, v in wanted)]
    if values and name != row["figure"]:
        return 100 * sum(v > 0 for v in values) / len(values)
    return statistics.median(values) if values else None


def holds(row, value):
    return ((not row["least"] or value >= float(row["least"])) and
            (not row["most"] or value <= float(row["most"])))


def bounds(row):
    if row["least"] and row["most"]:
        return f"{row['least']} to {row['most']}"
    return f"at least {row['least']}" if row["least"] else f"at most {row['most']}"


def judge(folder, rows, kind, data):
    """(row, measured value, verdict) for the rows that this kind of run has."""
    with open(folder / "expected.csv", newline="") as file:
        for row in csv.DictReader(file):
            value = measured(row, rows)
            tables = any(w.startswith("data=") and w != "data=" for w in row["where"].split())
            if value is None and (kind == "quick" or (tables and not data)):
                continue
            good = value is not None and holds(row, value)
            verdict = "PASS" if good else "open" if row["open"] and value is not None else "FAIL"
            yield row, value, verdict


def show(folder, row, value, verdict):
    shown = "nothing" if value is None else f"{value:.4g}"
    published = f"; published {row['published']}" if row["published"] else ""
    why = f"; open: {row['open']}" if verdict == "open" else ""
    print(f"{verdict}  {folder.name:20} {row['where']}, {row['figure']}: {shown} "
          f"({bounds(row)}{published}{why})", flush=True)


def title(folder):
    return (folder / "README.md").read_text().splitlines()[0].lstrip("# ")


def markdown(results, absent, out, target):
    """The page of all results, with the plots beside it."""
    plots = target.with_suffix("")
    lines = ["# Results", "", "What `make experiments` measured: figures of the simulator, "
             "beside the bounds that a row", "must keep and what others published. `open` says "
             "why a row may miss its bound for now.", ""]
    if absent:
        lines += [f"Not run this time: {', '.join(absent)}.", ""]
    for folder, rows in results:
        lines += [f"## {title(folder)}", "", f"[{folder.name}](../experiments/{folder.name})", "",
                  "| where | figure | measured | bound | published | |", "|---|---|---|---|---|---|"]
        for row, value, verdict in rows:
            shown = "" if value is None else f"{value:.4g}"
            lines.append(f"| {row['where']} | {row['figure']} | {shown} | {bounds(row)} | "
                         f"{row['published']} | {verdict}{': ' if row['open'] else ''}"
                         f"{row['open'] if verdict != 'PASS' else ''} |")
        lines.append("")
        for svg in sorted(out.glob(f"{folder.name}-full-*/*.svg")):
            plots.mkdir(exist_ok=True)
            name = f"{folder.name}-{svg.name}"
            drawn = svg.read_text().splitlines()  # gnuplot leaves blanks at the ends of lines
            (plots / name).write_text("\n".join(line.rstrip() for line in drawn) + "\n")
            lines += [f"![{svg.stem}]({plots.name}/{name})", ""]
    target.write_text("\n".join(line.rstrip() for line in lines).rstrip() + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--plait", default=str(ROOT / "build/plait"))
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--resume", action="store_true", help="keep what an interrupted run of "
                        "the same plait has measured")
    parser.add_argument("--out", default=str(ROOT / "build/experiments"))
    parser.add_argument("--markdown", type=pathlib.Path)
    parser.add_argument("--data", type=pathlib.Path, default=os.environ.get("PLAIT_DATA"))
    parser.add_argument("names", nargs="*")
    args = parser.parse_args()
    kind = "quick" if args.quick else "full"
    folders = [f.parent for f in sorted(HERE.glob("*/sweeps"))]
    unknown = set(args.names) - {f.name for f in folders}
    if unknown:
        sys.exit(f"run.py: no experiment {', '.join(sorted(unknown))}, only "
                 f"{', '.join(f.name for f in folders)}")
    results, failed = [], 0
    for folder in folders:
        if args.names and folder.name not in args.names:
            continue
        rows = play(pathlib.Path(args.plait).resolve(), folder, kind, pathlib.Path(args.out),
                    args.resume, args.data)
        judged = list(judge(folder, rows, kind, args.data))
        for row, value, verdict in judged:
            show(folder, row, value, verdict)
            failed += verdict == "FAIL"
        if not judged:
            print(f"FAIL  {folder.name}: no row was measured")
            failed += 1
        results.append((folder, judged))
    if args.markdown:
        absent = [f.name for f in folders if args.names and f.name not in args.names]
        markdown(results, absent, pathlib.Path(args.out), args.markdown)
    print(f"{sum(len(r) for _, r in results)} rows, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
