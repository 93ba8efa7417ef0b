#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Wrong arguments and --help of every command: the exit code that --help
promises, one sentence on standard error, nothing on standard output. Needs no
privilege and sends no packet."""
import subprocess
import sys

PLAIT = sys.argv[1]

COMMANDS = [["connect"], ["listen"], ["perf"], ["perf", "client"], ["perf", "server"], ["sim"],
            ["wire"], ["demo"], ["lb"], ["paths"], ["daemon"], ["status"], ["set"], ["open"],
            ["close"], ["addr"], ["events"]]

# (arguments, exit code, what the sentence has to say)
WRONG = [
    (["frobnicate"], 2, "no command 'frobnicate'"),
    (["conect", "host", "80"], 2, "did you mean 'connect'"),
    (["connect"], 2, "missing"),
    (["connect", "localhost"], 2, "missing"),
    (["connect", "localhost", "80", "81"], 2, "too many"),
    (["connect", "localhost", "http"], 2, "'http' is no port"),
    (["connect", "localhost", "0"], 2, "'0' is no port"),
    (["connect", "localhost", "65536"], 2, "no port"),
    (["connect", "localhost", "80", "--chekcsum"], 2, "did you mean '--checksum'"),
    (["connect", "localhost", "80", "--local"], 2, "needs a value"),
    (["connect", "localhost", "80", "--local", "nowhere"], 2, "no IP address"),
    (["connect", "localhost", "80", "--limits", "many"], 2, "subflows=N"),
    (["connect", "localhost", "80", "--timeout", "soon"], 2, "500ms"),
    (["connect", "localhost", "80", "--cc", "nonesuch"], 2, "only: "),
    (["connect", "localhost", "80", "--scheduler", "nonesuch"], 2, "only: "),
    (["connect", "localhost", "80", "--scheduler", "overflow:soon"], 2, "only: MS"),
    (["connect", "localhost", "80", "--path-manager", "nonesuch"], 2, "only: "),
    (["connect", "localhost", "80", "--tun", "10.0.0.1"], 2, "prefix"),
    (["daemon", "--config", "/nowhere/x"], 2, "cannot read the settings file"),
    (["daemon", "--group", "nonesuchgroup", "--folder", "/tmp/plait-no"], 2, "groupadd"),
    (["daemon", "--folder", "/tmp/" + "x" * 200], 2, "too long a name"),
    (["status", "--folder", "/nowhere"], 8, "no plaitd answers in '/nowhere'"),
    (["close", "x"], 2, "'x' is no connection's number"),
    (["close", "1", "y"], 2, "'y' is no subflow's number"),
    (["open", "1"], 2, "missing"),
    (["set"], 2, "set what"),
    (["set", "1", "--backup", "1", "--normal", "2"], 2, "opposite"),
    (["addr", "nowhere"], 2, "no IP address"),
    (["addr", "10.0.0.1"], 2, "what about 10.0.0.1"),
    (["addr", "10.0.0.1", "sideways"], 2, "there are use, unuse"),
    (["addr", "10.0.0.1", "port", "65536"], 2, "port N"),
    (["events", "z"], 2, "'z' is no connection's number"),
    (["listen"], 2, "missing"),
    (["listen", "x"], 2, "'x' is no port"),
    (["perf"], 2, "perf server"),
    (["perf", "sideways"], 2, "perf server"),
    (["perf", "client"], 2, "missing"),
    (["perf", "client", "localhost", "--parallel", "1025"], 2, "1024"),
    (["perf", "client", "localhost", "--ping-pong", "--connections"], 2, "take one"),
    (["perf", "client", "localhost", "--ping-pong", "--reverse"], 2, "--reverse"),
    (["perf", "client", "localhost", "--message", "10"], 2, "needs --ping-pong"),
    (["perf", "client", "localhost", "--ping-pong", "--message", "65536"], 2, "65535"),
    (["perf", "client", "localhost", "--time", "0"], 2, "nothing"),
    (["perf", "server", "extra"], 2, "too many"),
    (["wire"], 2, "interfaces"),
    (["wire", "a"], 2, "two interfaces"),
    (["wire", "a", "b", "--link", "rate=fast"], 2, "rate"),
    (["wire", "a", "b", "--link", "colour=red"], 2, "colour"),
    (["wire", "--pair", "a", "b"], 2, "3 values"),
    (["wire", "a", "b", "--at", "down"], 2, "5s:down:1"),
    (["wire", "--tell", "/nonexistent/socket", "stats"], 8, "no wire answers"),
    (["paths"], 2, "missing"),
    (["paths", "192.0.2.1"], 2, "--local"),
    (["paths", "-L", "10.0.0.1/33", "192.0.2.1"], 2, "10.0.0.1/33"),
    (["paths", "-L", "10.0.0.1,main", "192.0.2.1"], 2, "backup"),
    (["paths", "-L", "10.0.0.1", "2001:db8::1"], 2, "IP versions"),
    (["paths", "-L", "10.0.0.1", "nowhere"], 2, "nowhere"),
    (["paths", "-L", "10.0.0.1", "--path-manager", "nonesuch", "192.0.2.1"], 2, "only: "),
    (["demo", "--size", "big"], 2, "size"),
    (["demo", "--size", "0"], 2, "nothing to show"),
    (["demo", "--wifi", "rate=1"], 2, "rate"),
    (["demo", "extra"], 2, "too many"),
]


def run(*arguments):
    return subprocess.run([PLAIT, *arguments], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=60, check=False)


def failures():
    for arguments, code, text in WRONG:
        got = run(*arguments)
        if got.returncode != code or text not in got.stderr or got.stdout:
            yield f"{arguments}: exit {got.returncode}, not {code}: {got.stderr!r} {got.stdout!r}"
        elif len(got.stderr.strip().splitlines()) != 1 or not got.stderr.startswith("plait"):
            yield f"{arguments}: not one sentence: {got.stderr!r}"
    for command in [[], *COMMANDS]:
        for spelling in (["--help"], ["-h"]):
            got = run(*command, *spelling)
            if got.returncode != 0 or not got.stdout.startswith("usage: plait") or got.stderr:
                yield f"{command + spelling}: exit {got.returncode}: {got.stderr!r}"
    if run("help", "wire").stdout != run("wire", "--help").stdout:
        yield "plait help wire is not plait wire --help"
    if not run("--version").stdout.startswith("plait "):
        yield "--version says no version"
    if run().returncode != 2:
        yield "no command at all is not a usage error"


def main():
    complaints = list(failures())
    for complaint in complaints:
        print(complaint)
    print(f"{len(WRONG)} wrong command lines, {len(complaints)} complaints")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
