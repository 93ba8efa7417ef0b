#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Plug-ins in Lua, in simulation: the examples that come with plait, and bad ones.

    plugins.py PLAIT

Same script and seed, same trace. A script that fails says where, and the transfer
ends well all the same.
"""
import json
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
WORLD = ROOT / "tests/plugins/two-paths.lua"

# Script, reason, line (0: none can be told), what is said.
FAIL_LATER = (
    ("loop.lua", "plugin_steps", (8, 9), r"loop\.lua:[89]: .*used up its instructions"),
    ("hog.lua", "plugin_memory", (0,), r"hog\.lua: .*used up its memory"),
    ("error.lua", "plugin_error", (6,), r"error\.lua:6: .*nil value \(field 'lenght'\)"),
    ("result.lua", "plugin_result", (4,), r"result\.lua:4: .*whole number, not table"),
)
FAIL_AT_ONCE = (
    ("syntax.lua", 2, r"syntax\.lua:4: '\)' expected"),
    ("missing.lua", 2, r"missing\.lua: a scheduler in Lua has a function \"pick\""),
    ("start.lua", 2, r"start\.lua:3: .*global 'settings'"),
    ("nosuch.lua", 10, r"nosuch\.lua: No such file"),
)
EXAMPLES = (("--scheduler", "soonest.lua"), ("--cc", "gentle.lua"),
            ("--path-manager", "standby.lua"))

complaints = []


def check(good, text):
    if not good:
        complaints.append(text)


def run(plait, *words):
    return subprocess.run([plait, "sim", WORLD, *words], capture_output=True, text=True,
                          timeout=120)


def result(plait, *words):
    """The run's object; the events of failed plug-ins."""
    with tempfile.NamedTemporaryFile() as file:
        done = run(plait, *words, "--json", "--events", file.name)
        check(done.returncode == 0, f"{words}: exit code {done.returncode}: {done.stdout}")
        events = [json.loads(line) for line in open(file.name)]
    return json.loads(done.stdout), [e for e in events if e["event"] == "plugin_failed"]


def figure(run_object, name):
    return next(f["value"] for f in run_object["figures"] if f["what"] == name)


def examples(plait, default):
    for option, name in EXAMPLES:
        script = f"lua:{ROOT / 'examples/plugins' / name}"
        one, failed = result(plait, option, script, "--seed", "7")
        two, _ = result(plait, option, script, "--seed", "7")
        check(not failed, f"{name} failed: {failed}")
        check(one["hash"] == two["hash"], f"{name}: the same seed gave another run")
        check(one["hash"] != default["hash"], f"{name} decided nothing")
        check(figure(one, "goodput") > 12, f"{name}: {figure(one, 'goodput')} Mbit/s")


def bad_scripts(plait, default):
    for name, why, lines, words in FAIL_LATER:
        script = f"lua:{ROOT / 'tests/plugins' / name}"
        one, failed = result(plait, "--scheduler", script)
        check(len(failed) == 1 and failed[0]["why"] == why and failed[0]["line"] in lines,
              f"{name}: events {failed}")
        check(figure(one, "plug-ins failed") == 1, f"{name}: not counted once")
        check(figure(one, "goodput") > figure(default, "goodput") * 0.5, f"{name}: too slow then")
        said = run(plait, "--scheduler", script).stdout
        check(re.search(words, said), f"{name} says: {said}")
    for name, code, words in FAIL_AT_ONCE:
        done = run(plait, "--scheduler", f"lua:{ROOT / 'tests/plugins' / name}")
        check(done.returncode == code and re.search(words, done.stderr),
              f"{name}: {done.returncode}, {done.stderr}")


def described():
    """docs/plugins.md has every field that a script sees."""
    text = (ROOT / "docs/plugins.md").read_text()
    for source in ("sched.c", "cc.c", "pm.c"):
        rows = re.findall(r"\b[A-Z]\((\w+), VALUE_", (ROOT / "src/plug" / source).read_text())
        check(len(rows) > 10, f"{source}: {len(rows)} fields")
        for name in rows:
            check(f"`{name}`" in text, f"docs/plugins.md does not say what {name} is")


def main():
    plait = sys.argv[1]
    default, failed = result(plait, "--seed", "7")
    check(not failed, "plait's own plug-ins cannot fail")
    examples(plait, default)
    bad_scripts(plait, default)
    described()
    for text in complaints:
        print(text)
    print(f"plugins: {len(EXAMPLES)} examples, {len(FAIL_LATER) + len(FAIL_AT_ONCE)} bad scripts, "
          f"{len(complaints)} complaints")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
