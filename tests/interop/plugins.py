#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""docs/plugins.md to the letter, and the examples on a live network.

    plugins.py --plait PLAIT

The files and commands of the page are what is written and run here, in its order:
first in simulation, then between two hosts with two paths. Without root the second
half is skipped.
"""
import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import lab as laboratory
from lab import Lab, LabError, Path

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PAGE = ROOT / "docs/plugins.md"
EXAMPLES = ROOT / "examples/plugins"
SKIPPED = 77

# Option, example, what the report says of it.
LIVE = (("--scheduler", "soonest.lua", r"scheduler lua:.*soonest\.lua"),
        ("--cc", "gentle.lua", r"congestion control lua:.*gentle\.lua"),
        ("--path-manager", "standby.lua", r"10\.1\.2\.1 .*backup"))

complaints = []


def check(good, text):
    print(f"{'PASS' if good else 'FAIL'}  {text}", flush=True)
    if not good:
        complaints.append(text)
    return good


class Tutorial:
    """The page's blocks, in their order: (kind, file name, text)."""

    def __init__(self):
        self.text = PAGE.read_text()
        self.blocks = re.findall(r"^```(\w+) ?(\S*)\n(.*?)^```", self.text, re.M | re.S)

    def commands(self, kind):
        return [line for word, _, text in self.blocks if word == kind
                for line in text.splitlines()]

    def write_files(self, folder):
        names = [name for word, name, _ in self.blocks if word == "lua"]
        for word, name, text in self.blocks:
            if word == "lua":
                (folder / name).write_text(text)
        return names


def in_simulation(plait, tutorial, folder):
    figures = {}
    for command in tutorial.commands("sh"):
        words = command.split()
        assert words[0] == "plait"
        done = subprocess.run([plait, *words[1:]], cwd=folder, capture_output=True, text=True,
                              timeout=120)
        found = re.findall(r"^     (\S.*?) {2,}([\d.]+)", done.stdout, re.M)
        figures[words[-1]] = dict(found)
        check(done.returncode == 0 and len(found) == 2, f"{command}: two figures")
        said = re.search(r"plug-in failed: .*", done.stdout)
        told = re.search(r"^says `(plug-in failed: .*?)`", tutorial.text, re.M)[1]
        if "broken.lua" in command:
            check(said and said[0] == told, "the page has the words that it says")
        else:
            check(not said, f"{command}: no failure")
    slow, quick = (float(figures[name]["longest delay of a response"])
                   for name in ("round-robin", "lua:mine.lua"))
    check(quick < 0.75 * slow, f"the longest delay is {quick} ms, with round-robin {slow} ms")


def live(lab, folder, words, pattern):
    """One run of plait perf client in the folder; its report has these words."""
    client = lab.start(lab.client, "sh", "-c", 'cd "$1" && shift && exec "$@"', "sh", folder,
                       lab.plait, *words)
    code = client.finish(60)
    report = "\n".join(client.lines)
    check(code == 0 and not client.errors, f"plait {' '.join(map(str, words))}: "
          f"{code} {client.errors}")
    check(re.search(pattern, report), f"the report has {pattern}: {report[-300:]!r}")
    return report


def on_hosts(plait, tutorial, folder):
    paths = [Path(20, 10, 60000), Path(10, 40, 60000)]
    with Lab(plait, paths) as lab:
        [command] = tutorial.commands("server")
        lab.start(lab.server, lab.plait, *command.split()[1:]).wait_line(r"listening|ready")
        [command] = tutorial.commands("client")
        report = live(lab, folder, command.split()[1:], r"scheduler lua:mine\.lua")
        for address in ("10.1.1.1", "10.1.2.1"):
            check(re.search(rf"{re.escape(address)} > .*ESTABLISHED", report),
                  f"a subflow from {address}")
        for option, name, pattern in LIVE:
            live(lab, folder, ["perf", "client", lab.v4(1, 2), "--time", "2s", option,
                               f"lua:{EXAMPLES / name}"], pattern)
        # A script that fails on the way: the transfer goes on.
        client = lab.start(lab.client, lab.plait, "perf", "client", lab.v4(1, 2), "--bytes",
                           "2000000", "--scheduler", f"lua:{ROOT / 'tests/plugins/loop.lua'}")
        check(client.finish(60) == 0, "a transfer whose scheduler fails ends well")
        said = "\n".join(client.errors)
        check(len(client.errors) == 1 and re.search(r"loop\.lua:\d+: .*instructions", said),
              f"and the failure is said once: {said}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plait", default=str(ROOT / "build/plait"))
    plait = os.path.abspath(parser.parse_args().plait)
    tutorial = Tutorial()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        check(tutorial.write_files(folder) == ["mine.lua", "world.lua", "broken.lua"], "the files")
        check(len((folder / "mine.lua").read_text().splitlines()) <= 34, "it is short")
        in_simulation(plait, tutorial, folder)
        if os.geteuid() == 0:
            laboratory.exit_on_signals()
            laboratory.remove_leftovers()
            try:
                on_hosts(plait, tutorial, folder)
            except LabError as error:
                check(False, f"the lab: {error}")
    if not complaints and os.geteuid() != 0:
        print("SKIP  the live half needs root")
        return SKIPPED
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
