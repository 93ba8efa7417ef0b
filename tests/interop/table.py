# SPDX-License-Identifier: MIT
"""docs/interop.md: the table under the text that people write."""
import subprocess

MARK = "<!-- Below this line: tests/interop/run.py --markdown -->"
HEAD = ("| row | plait is | result | plait counts | the kernel counts | remark |\n"
        "|---|---|---|---|---|---|\n")


def counted(counters):
    """At least so many; 0 is exactly none."""
    return ", ".join(f"{name} {value}" for name, value in sorted(counters.items()))


def feature(row):
    asserted = row["asserted"]
    return (f"{row['title']}, IPv{row['family']}", row["plait_is"], counted(asserted["plait"]),
            counted(asserted["kernel"]), row["remark"])


def transfer(row):
    """A file moved: rates where it was long enough to say."""
    group, _, what = row["name"].partition(": ")
    role = "both" if what.startswith(("plait -> plait", "plait perf")) else \
        "server" if "client kernel" in what or "client tcp" in what or "listen" in what else "client"
    figures = []
    if rate := row.get("bits_per_second_after_1s"):
        figures.append(f"{rate / 1e6:.1f} Mbit/s")
    if row.get("cut") and row.get("longest_pause_s") is not None:
        figures.append(f"longest pause {row['longest_pause_s']:.2f} s")
    joins = ", ".join(f"{end} {count} joins" for end, count in row.get("joins", {}).items())
    return f"{group}: {what}", role, joins, "", ", ".join(figures)


def line(row):
    name, role, plait, kernel, remark = feature(row) if "asserted" in row else transfer(row)
    result = "fail: " + row["complaints"][0] if row["complaints"] else "pass"
    cells = (name, role, result, plait, kernel, remark)
    return "| " + " | ".join(c.replace("|", "/") for c in cells) + " |\n"


def write(path, rows, paths):
    """Replace what is below the mark."""
    with open(path) as old:
        text = old.read().partition(MARK)[0]
    kernel = subprocess.run(["uname", "-r"], capture_output=True, text=True).stdout.split("-")[0]
    judged = [row for row in rows if not row.get("reference")]
    failed = sum(bool(row["complaints"]) for row in judged)
    with open(path, "w") as out:
        out.write(f"{text}{MARK}\n\n")
        out.write("Printed by `tests/interop/run.py --markdown` (part of `make interop`) on "
                  f"Linux {kernel.strip()}; path 1: {paths[0]}; path 2: {paths[1]}. "
                  f"{len(judged) - failed} rows passed, {failed} failed, 0 skipped.\n\n{HEAD}")
        out.writelines(line(row) for row in judged)
