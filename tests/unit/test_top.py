#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""plait top on a terminal: what a person sees of a connection over two paths, what keys
do, and that the terminal is as it was afterwards. Needs root and pyte, exits 77 (skipped)
without. (Debian's own python3 is the one that has python3-pyte.)"""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time

try:
    import pyte
except ImportError:
    sys.exit(77)
from watched import Watched, exit_on_signals

PLAIT = sys.argv[1]
SECONDS = 30
COLOUR = re.compile(rb"\x1b\[(?:[0-9]+;)*3[0-7]m")


class Terminal:
    """A program on a terminal of its own."""

    def __init__(self, *words, columns=80, rows=24, **environment):
        self.screen = pyte.Screen(columns, rows)
        self.stream = pyte.ByteStream(self.screen)
        self.raw = b""
        self.master, self.slave = pty.openpty()
        self.resize(columns, rows)
        self.before = termios.tcgetattr(self.slave)
        self.process = subprocess.Popen(
            words, stdin=self.slave, stdout=self.slave, stderr=self.slave, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
            env={**os.environ, "TERM": "linux", "NO_COLOR": "", **environment})

    def resize(self, columns, rows):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.screen.resize(rows, columns)

    def key(self, text):
        os.write(self.master, text.encode())

    def until(self, what):
        """Until a pattern is on the screen, or a function of its text is true."""
        seen = what if callable(what) else lambda text: re.search(what, text)
        deadline = time.monotonic() + SECONDS
        while not (found := seen("\n".join(self.screen.display))):
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.master], [], [], left)[0]:
                return None
            data = os.read(self.master, 65536)
            self.raw += data
            self.stream.feed(data)
        return found

    def end(self):
        """The exit code, and whether the terminal is as it was."""
        while self.process.poll() is None:
            if select.select([self.master], [], [], 0.05)[0]:
                self.raw += os.read(self.master, 65536)
        restored = termios.tcgetattr(self.slave) == self.before
        os.close(self.master)
        os.close(self.slave)
        return self.process.returncode, restored

    def text(self):
        return "\n".join(self.screen.display)


def check(what, condition, seen):
    print(("ok    " if condition else "FAIL  ") + what, "" if condition else f"\n{seen}")
    return not condition


def top(world, *more, **environment):
    return Terminal(PLAIT, "top", "--folder", world.sockets, "--interval", "200ms", *more,
                    **environment)


def test_screen(world):
    t = top(world)
    rates = t.until(r"python3 > 10\.\S+ +([0-9.]+[kM])")
    failed = check("a connection and its rate", rates, t.text())
    failed += check("its two subflows, with round trips",
                    t.until(r"/1 +10\.\S+ +.*[mu]s .* up *\n +/2 +10\.\S+ +.*[mu]s .* up"), t.text())
    failed += check("sums by local address", t.until(r"all from 10\.\S+ +[0-9.]+[kM].* 1 open"),
                    t.text())
    failed += check("keys at the bottom", t.screen.display[23].startswith("q leave  h help"),
                    t.text())
    failed += check("colours", COLOUR.search(t.raw), t.raw[-400:])
    t.key("h")
    failed += check("h explains", t.until(r"bytes sent again over another path"), t.text())
    t.key("?")
    failed += check("and goes back", t.until(r"python3 >"), t.text())
    t.key("s")
    failed += check("without subflows",
                    t.until(lambda text: "python3" in text and "  /2 " not in text), t.text())
    t.key("s/nosuch\r")
    failed += check("a filter that nothing contains", t.until(r"no connection contains that"),
                    t.text())
    t.key("/pyth\r")
    failed += check("and one that it does", t.until(r"only pyth\b[\s\S]*python3 >"), t.text())
    t.key("o")
    failed += check("another order", t.until(r"by bytes"), t.text())
    return failed + test_changes(world, t)


def test_changes(world, t):
    conn = str(world.status()["connections"][0]["conn"])
    world.ask("set", conn, "--backup", "2")
    failed = check("a priority is seen, and the event",
                   t.until(r"/2 .* backup[\s\S]* subflow_priority"), t.text())
    world.ask("close", conn, "2")
    failed += check("the end of a subflow with its reason",
                    t.until(r"/2 .* local_clos[\s\S]*subflow_closed: closed here"), t.text())
    t.resize(120, 40)
    failed += check("a larger terminal is used", t.until(
        lambda _: t.screen.display[39].startswith("q leave") and "python3" in t.text()), t.text())
    t.resize(80, 24)
    failed += check("and a smaller one",
                    t.until(lambda _: t.screen.display[23].startswith("q leave")), t.text())
    t.key(" ")
    failed += check("it stands still", t.until(r"STOPPED"), t.text())
    t.key("q")
    code, restored = t.end()
    return failed + check("q leaves the terminal as it was", code == 0 and restored,
                          (code, restored))


def test_ends(world):
    failed = 0
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        t = top(world, NO_COLOR="1")
        t.until(r"python3 >")
        t.process.send_signal(number)
        code, restored = t.end()
        failed += check(f"{number.name} leaves the terminal as it was",
                        code == 130 and restored, (code, restored))
        failed += check("NO_COLOR is heeded", not COLOUR.search(t.raw), t.raw[-400:])
    t = Terminal(PLAIT, "top", "--folder", world.sockets, TERM="nonesuch")
    failed += check("a terminal that nobody knows", t.until(r"TERM=nonesuch"), t.text())
    return failed + check("is wrong use", t.end()[0] == 2, t.text())


def test_text(world):
    done = world.ask("top", "--once", "--interval", "300ms")
    failed = check("one look as text", done.returncode == 0 and "\x1b" not in done.stdout and
                   re.search(r"python3 > 10\.\S+ +[0-9.]+[kM] ", done.stdout), done.stdout)
    done = world.ask("top", "--once", "--filter", "nosuch", "--interval", "100ms")
    return failed + check("filtered", done.returncode == 0 and "python3" not in done.stdout,
                          done.stdout)


def sums(world):
    return {p["local"]: p["bytes_sent"] for p in world.status()["paths"]}


def main():
    if os.geteuid() != 0:
        sys.exit(77)
    exit_on_signals()
    with Watched(PLAIT) as world:
        program = world.send()
        failed = test_screen(world) + test_ends(world) + test_text(world)
        before = sums(world)
        failed += check("both addresses have sums", len(before) == 2 and all(before.values()),
                        before)
        failed += check("the program ends well", world.finish_sending(program) == 0, "")
        after = sums(world)
        failed += check("sums outlive connections",
                        all(after[a] >= before[a] for a in before), (before, after))
        t = top(world)
        t.until(r"no connections")
        world.ask("status")
        world.daemon.stop()
        failed += check("the daemon's end is told", t.until("went away"), t.text())
        failed += check("as a broken connection", t.end() == (9, True), t.text())
    print(f"{failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
