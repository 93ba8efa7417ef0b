#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Wrong use of plait: each a clear sentence on standard error and the exit code
that --help documents. Rows that need namespaces are skipped without root.
"""
import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys

import lab as laboratory
from lab import Lab, LabError, Path

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent

OK, SYSTEM, USAGE, PERMISSION, ADDRESS, PORT, DRIVER, NAME, UNREACHABLE, BROKEN, FILE = range(11)

# Arguments, exit code, what standard error must say (or standard output, for 0).
ANYWHERE = (
    ("--help", OK, r"connect.*listen.*perf.*sim.*wire.*paths.*lb.*demo"),
    ("--version", OK, r"\d+\.\d+"),
    ("connect --help", OK, r"usage: plait connect.*Exit codes"),
    ("listen --help", OK, r"usage: plait listen.*Exit codes"),
    ("perf --help", OK, r"usage: plait perf"),
    ("sim --help", OK, r"usage: plait sim"),
    ("wire --help", OK, r"usage: plait wire.*Exit codes"),
    ("run --help", OK, r"usage: plait run.*126.*Exit codes"),
    ("run", USAGE, r"missing"),
    ("run --direct nowhere -- true", USAGE, r"nowhere.*write a network"),
    ("run --carry 10.0.0.0/33 -- true", USAGE, r"10\.0\.0\.0/33.*write a network"),
    ("run --only both -- true", USAGE, r"both.*connect or listen"),
    ("run --folder /nonexistent -- true", UNREACHABLE, r"no plaitd answers in '/nonexistent'"),
    ("run --folder /nonexistent --tcp -- true", USAGE, r"leave --folder or"),
    ("run -- nosuchcommand", 127, r"nosuchcommand"),
    ("run -- /dev/null", 126, r"cannot be run"),
    ("daemon --http nowhere", USAGE, r"nowhere.*write a port"),
    ("daemon --http 127.0.0.1:0", USAGE, r"write a port"),
    ("daemon --http-control", USAGE, r"--http, which is missing"),
    ("top --help", OK, r"usage: plait top.*Exit codes"),
    ("top --folder /nonexistent", UNREACHABLE, r"no plaitd answers in '/nonexistent'"),
    ("top --once --sort colour", USAGE, r"colour.*rate, bytes, rtt, age or name"),
    ("top --interval 10ms", USAGE, r"10ms.*100ms to 1h"),
    ("top 7", USAGE, r"too many"),
    ("proxy --help", OK, r"plait proxy client.*plait proxy server"),
    ("proxy", USAGE, r"client or server"),
    ("proxy server --help", OK, r"usage: plait proxy server.*Exit codes"),
    ("proxy client --help", OK, r"usage: plait proxy client.*Exit codes"),
    ("proxy server", USAGE, r"who may use it.*--no-auth"),
    ("proxy server --no-auth --user a:b", USAGE, r"exclude each other"),
    ("proxy server --to localhost:80 --user a:b", USAGE, r"exclude each other"),
    ("proxy server --to localhost", USAGE, r"no port"),
    ("proxy server --user nobody", USAGE, r"nobody.*NAME:SECRET"),
    ("proxy server --users /nonexistent", USAGE, r"cannot read the users file"),
    ("proxy server --users /dev/null", USAGE, r"no user in"),
    ("proxy server --user a:b --user a:c", USAGE, r"'a' is there twice"),
    ("proxy server --no-auth --allow 10.0.0.0/33", USAGE, r"10\.0\.0\.0/33.*write a network"),
    ("proxy server --no-auth --deny here", USAGE, r"here.*write a network"),
    ("proxy server --no-auth --listen here", USAGE, r"here.*address with a port"),
    ("proxy client --socks localhost:1080", USAGE, r"localhost:1080.*address with a port"),
    ("proxy client --http 0", USAGE, r"port"),
    ("proxy client --user a:b", USAGE, r"there is no --server"),
    ("proxy client --server [::1]x", USAGE, r"no port"),
    ("proxy client --login nobody", USAGE, r"nobody.*NAME:SECRET"),
    ("proxy client --wan nosuch0", ADDRESS, r"no interface 'nosuch0'"),
    ("proxy client --lan a;b", USAGE, r"no name of an interface"),
    ("proxy client --dry-run", OK, r"at the beginning.*at the end"),
    ("proxy client --page nowhere:x", USAGE, r"nowhere:x"),
    ("demo --help", OK, r"usage: plait demo"),
    ("", USAGE, r"usage|command"),
    ("frobnicate", USAGE, r"frobnicate"),
    ("conect", USAGE, r"connect"),
    ("connect", USAGE, r"missing"),
    ("connect 127.0.0.1", USAGE, r"missing"),
    ("connect 127.0.0.1 80 81", USAGE, r"too many"),
    ("connect 127.0.0.1 notaport", USAGE, r"notaport"),
    ("connect 127.0.0.1 65536", USAGE, r"65536"),
    ("connect 127.0.0.1 0", USAGE, r"'?0'?"),
    ("connect --chekcsum 127.0.0.1 80", USAGE, r"--checksum"),
    ("connect --cc nosuch 127.0.0.1 80", (USAGE, ADDRESS), r"nosuch"),
    ("connect --memory 1000k 127.0.0.1 80", USAGE, r"1000k.*from 1MiB on"),
    ("listen --memory much 4711", USAGE, r"much.*from 1MiB on"),
    ("perf server --conn-memory 32767", USAGE, r"32767.*from 32KiB on"),
    ("connect --break-timeout soon 127.0.0.1 80", USAGE, r"soon"),
    ("connect --keepalive often 127.0.0.1 80", USAGE, r"often"),
    ("connect --retries 0 127.0.0.1 80", USAGE, r"retries"),
    ("connect --no-race=yes 127.0.0.1 80", USAGE, r"--no-race"),
    ("connect --mptcp-version 2 127.0.0.1 80", USAGE, r"auto, 1 or 0"),
    ("connect --scheduler nosuch 127.0.0.1 80", (USAGE, ADDRESS), r"nosuch"),
    ("connect --scheduler weighted:0 127.0.0.1 80", USAGE, r"weighted.*'0', only: WEIGHT"),
    ("connect --scheduler round-robin:2,lax 127.0.0.1 80", USAGE, r"'2,lax', only: SEGMENTS"),
    ("perf server --scheduler redundant:much", USAGE, r"'much', only: KIB"),
    ("listen --scheduler ecf:1 4711", USAGE, r"'1', only: nothing"),
    ("connect --scheduler lua:{root}/tests/plugins/syntax.lua 127.0.0.1 80", USAGE,
     r"syntax\.lua:4: "),
    ("listen --scheduler lua:{root}/tests/plugins/missing.lua 4711", USAGE,
     r"missing\.lua: .*function \"pick\""),
    ("perf server --cc lua:{root}/tests/plugins/start.lua", USAGE, r"start\.lua:3: .*settings"),
    ("perf server --path-manager lua:/nosuch.lua", FILE, r"/nosuch\.lua: No such file"),
    ("paths -L 10.0.0.1 --path-manager lua:/nosuch.lua 192.0.2.1:80", FILE, r"nosuch\.lua"),
    ("sim {root}/tests/sim/handover.lua --scheduler nosuch", USAGE, r"no scheduler 'nosuch'"),
    ("sim {root}/tests/sim/handover.lua --cc lia --seeds 1..2", USAGE, r"for one run"),
    ("connect --cc help", OK, r"cubic .*default.*newreno .*wvegas .*lua:FILE"),
    ("listen --scheduler help", OK, r"arrival .*default.*weighted .*weighted:WEIGHT.*ecf "),
    ("paths --path-manager help", OK, r"fullmesh .*default.*laminar .*signal .*none "),
    ("sim x.lua --scheduler help", OK, r"arrival .*redundant "),
    ("connect --driver nosuch 127.0.0.1 80", (USAGE, ADDRESS), r"nosuch"),
    ("connect --driver packet --tun 10.9.0.2/24 127.0.0.1 80", USAGE, r"leave --tun away"),
    ("listen --announce 192.0.2.1:0 5000", USAGE, r"192\.0\.2\.1:0"),
    ("listen --announce elsewhere 5000", USAGE, r"elsewhere"),
    ("connect --limits subflows=256 127.0.0.1 80", USAGE, r"up to 255"),
    ("connect --heuristics penalize 127.0.0.1 80", USAGE, r"none, or some of"),
    ("listen --heuristics guard, 80", USAGE, r"none, or some of"),
    ("connect --local elsewhere 127.0.0.1 80", (USAGE, ADDRESS), r"elsewhere"),
    ("listen", USAGE, r"missing"),
    ("listen --syn-cookies sometimes 4711", USAGE, r"never, auto or always"),
    ("perf server --ecn perhaps", USAGE, r"ask, answer or never"),
    ("perf server --nat-keepalive 4s", USAGE, r"'4s'.*from 5s"),
    ("perf server --syn-cookies sometimes", USAGE, r"never, auto or always"),
    ("listen --server-id 5/4 4711", USAGE, r"K/N"),
    ("listen --server-id 1 4711", USAGE, r"K/N"),
    ("perf server --server-id 1/257", USAGE, r"1 to 256"),
    ("listen --threads 2 4711", USAGE, r"--keep.*--send.*--recv"),
    ("listen --threads 0 4711", USAGE, r"threads"),
    ("listen -k --threads 65 --send /dev/null --recv /dev/null 4711", USAGE, r"1 to 64"),
    ("listen -k --threads 2 --send /dev/null --recv /dev/null --tun 10.9.0.2/24 4711", USAGE,
     r"tun driver serves one thread"),
    ("lb rules 192.0.2.1:443 10.0.0.1 10.0.0.2", OK, r"0-127 : 10\.0\.0\.1.*128-255"),
    ("paths -L 10.0.0.1/24@a -L 10.0.1.1,backup 192.0.2.1:80", OK, r"first.*10\.0\.1\.1 .*backup"),
    ("lb", USAGE, r"missing"),
    ("lb rules 192.0.2.1 10.0.0.1", USAGE, r"'192\.0\.2\.1'.*port"),
    ("lb rules 192.0.2.1:443 fd00::1", USAGE, r"fd00::1.*IP version"),
    ("lb rules 192.0.2.1:443 -", USAGE, r"no server"),
    ("lb table 192.0.2.1:443 10.0.0.1", USAGE, r"only: rules"),
    ("listen http-like", USAGE, r"http-like"),
    ("perf", USAGE, r"server|client"),
    ("perf nosuch", USAGE, r"server.*client"),
    ("perf client", USAGE, r"missing"),
    ("wire", USAGE, r"\w"),
    ("wire a b --link rate=fast", USAGE, r"fast"),
    ("wire a b --box strap", USAGE, r"there is no box \"strap\": there are strip"),
    ("wire a b --box strip:on=noon", USAGE, r"on=noon in a box: wanted syn"),
    ("wire a b --box 2:strip", USAGE, r"there is no pair 2"),
    ("sim boxes", OK, r"strip .*isn .*pep "),
    ("sim nosuch", USAGE, r"usage: plait sim"),
    ("sim nosuch.lua", FILE, r"nosuch\.lua: No such file"),
    ("sim x.lua --help", OK, r"usage: plait sim FILE\.lua"),
    ("sim {root}/tests/sim/handover.lua --set n=1", USAGE, r"no parameter \"n\", only: none"),
    ("sim {root}/tests/sim/handover.lua --set n", USAGE, r"--set name=value"),
    ("sim {root}/tests/sim/handover.lua --seed x", USAGE, r"whole number"),
    ("sim {root}/tests/sim/meson.build", USAGE, r"meson\.build:1: unexpected symbol"),
    ("sim {root}/tests/sim/sweep.lua --sweep nosuch=1,2", USAGE, r"no parameter \"nosuch\""),
    ("sim {root}/tests/sim/sweep.lua --sweep rate", USAGE, r"name=value,value"),
    ("sim {root}/tests/sim/sweep.lua --sweep rate=1,1", USAGE, r"rate=1 is there twice"),
    ("sim {root}/tests/sim/sweep.lua --sweep rate=1..300", USAGE, r"at most 256 values"),
    ("sim {root}/tests/sim/sweep.lua --sweep rate=1..3,2", USAGE, r"rate=2 is there twice"),
    ("sim {root}/tests/sim/sweep.lua --sweep rate=1 --sweep rate=2", USAGE, r"swept twice"),
    ("sim {root}/tests/sim/sweep.lua --sweep rate=1,much", USAGE, r"rate=much: a number"),
    ("sim {root}/tests/sim/sweep.lua --seeds 2..1", USAGE, r"--seeds 1\.\.10"),
    ("sim {root}/tests/sim/sweep.lua --seeds 1..2000000", USAGE, r"more than 1000000 runs"),
    ("sim {root}/tests/sim/sweep.lua --seeds 1..2 --json", USAGE, r"--json is for one run"),
    ("sim {root}/tests/sim/sweep.lua --emit-tasks", USAGE, r"--out DIR"),
    ("sim {root}/tests/sim/sweep.lua --out /dev/null/x", USAGE, r"/dev/null: File exists|Not a dir"),
    ("sim merge", USAGE, r"missing"),
    ("sim merge part", USAGE, r"--out is missing"),
    ("sim merge --out /dev/null/x /nosuch", FILE, r"."),
    ("demo --nosuch", USAGE, r"nosuch"),
)

# The same with two hosts: {host} is the server's address, port 4712 is held by
# the server's kernel, and nothing listens on 4713.
HOSTS = (
    ("client", "connect --send /nosuch/file {host} 4713", FILE, r"/nosuch/file"),
    ("client", "connect --recv /nosuch/file {host} 4713", FILE, r"/nosuch/file"),
    ("client", "connect --pcap /nosuch/file {host} 4713", FILE, r"/nosuch/file"),
    ("client", "connect --local 192.0.2.77 {host} 4713", ADDRESS, r"192\.0\.2\.77"),
    ("server", "listen --announce 192.0.2.77:443 4713", ADDRESS, r"192\.0\.2\.77"),
    ("client", "connect no-such-host.invalid 4713", NAME, r"no-such-host\.invalid"),
    ("client", "connect {host} 4713", UNREACHABLE, r"refused"),
    ("server", "connect 203.0.113.9 4713", UNREACHABLE, r"no route to 203\.0\.113\.9"),
    ("client", "connect --timeout 2s 10.1.1.77 4713", UNREACHABLE, r"no answer"),
    ("server", "listen 4712", PORT, r"4712.*in use|in use.*4712"),
    ("client", "perf client {host} --port 4713", UNREACHABLE, r"refused"),
    ("client", "wire nosuch0 a1 --link rate=1mbit", (SYSTEM, ADDRESS, DRIVER), r"nosuch0"),
)
WITHOUT_CAPABILITY = (
    ("client", "connect {host} 4713", PERMISSION, r"CAP_NET_RAW.*setcap"),
    ("server", "listen 4713", PERMISSION, r"CAP_NET_RAW.*setcap"),
    ("server", "listen -k --threads 2 --send /dev/null --recv /dev/null 4713", PERMISSION,
     r"CAP_BPF.*setcap"),
)


def judge(words, wanted, pattern, done):
    """What is wrong with how a command ended."""
    codes = wanted if isinstance(wanted, tuple) else (wanted,)
    text = done.stdout if wanted == OK else done.stderr
    if done.returncode not in codes:
        said = (done.stderr or done.stdout).strip().splitlines()
        return f"exit code {done.returncode}, not {wanted}: {said[:1]}"
    if not re.search(pattern, text, re.DOTALL):
        return f"it said: {text.strip()[:200]!r}"
    if wanted != OK and "usage:" not in text and len(text.strip().splitlines()) > 4:
        return f"it said too much: {len(text.splitlines())} lines"
    return None


def show(words, complaint):
    verdict = "FAIL" if complaint else "PASS"
    print(f"{verdict}  plait {' '.join(words)}" + (f"\n      {complaint}" if complaint else ""),
          flush=True)
    return bool(complaint)


def attempt(prefix, words, wanted, pattern):
    try:
        done = subprocess.run([*prefix, *words], capture_output=True, text=True, timeout=60,
                              stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired:
        return show(words, "it did not end within 60 s")
    return show(words, judge(words, wanted, pattern, done))


def anywhere(plait):
    return sum(attempt([plait], line.format(root=ROOT).split(), wanted, pattern)
               for line, wanted, pattern in ANYWHERE)


def on_hosts(plait):
    failed = 0
    with Lab(plait, [Path(0, 0, 0)], emulator=None) as lab:
        host = lab.v4(1, 2)
        holder = lab.start(lab.server, laboratory.HERE / "peer.py", "listen", "0.0.0.0", 4712)
        holder.event("ready", 10)
        # An ordinary user's copy, where an ordinary user can reach it.
        copy = lab.file("plait")
        shutil.copy(plait, copy)
        os.chmod(lab.folder.name, 0o755)
        plain = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups",
                 "--bounding-set=-all"]
        for rows, prefix, program in ((HOSTS, [], plait), (WITHOUT_CAPABILITY, plain, copy)):
            for side, line, wanted, pattern in rows:
                words = line.format(host=host).split()
                ns = lab.client if side == "client" else lab.server
                failed += attempt(["ip", "netns", "exec", ns, *prefix, program], words, wanted,
                                  pattern)
    return failed


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plait", default=str(ROOT / "build/plait"))
    args = parser.parse_args()
    plait = os.path.abspath(args.plait)
    failed = anywhere(plait)
    if os.geteuid() == 0:
        laboratory.exit_on_signals()
        laboratory.remove_leftovers()
        try:
            failed += on_hosts(plait)
        except LabError as error:
            print(f"FAIL  the lab: {error}")
            failed += 1
    else:
        print("SKIP  rows with two hosts: they need root")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
