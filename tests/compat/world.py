# SPDX-License-Identifier: MIT
"""What a row of the compatibility table works with: two hosts joined by two paths,
programs that plait carries or that the kernel's Multipath TCP does, and the
subflows that each side counted.
"""
import hashlib
import json
import os
import pathlib
import random
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "interop"))
from lab import Lab, LabError, Path, exit_on_signals, run  # noqa: E402,F401

SECONDS = 60
PLAIT, KERNEL = "plait", "kernel"


class World(Lab):
    """A lab whose hosts have a name for each side: "client", "server"."""

    def __init__(self, plait, emulator=None, paths=None):
        super().__init__(plait, paths or [Path(200, 5, 250_000)] * 2, emulator)
        self.events = {}
        self.endpoints(4)

    def namespace(self, side):
        return self.client if side == "client" else self.server

    def host(self, path=1):
        """The server's address."""
        return self.addr(4, path, 2)

    def launch(self, side, by, *words, options=(), stdin=None):
        """Start a program at one side, carried by plait or by the kernel."""
        more = {} if stdin is None else {"stdin": stdin}
        if by == KERNEL:
            return self.start(self.namespace(side), "mptcpize", "run", *words, **more)
        events = self.file(f"events-{side}-{len(self.programs)}")
        self.events.setdefault(side, []).append(events)
        return self.start(self.namespace(side), self.plait, "run", "--carry", "10.0.0.0/8",
                          "--events", events, *options, "--", *words, **more)

    def complete(self, program, code=0, seconds=SECONDS):
        """Wait for a program's end, which must be this one."""
        got = program.finish(seconds)
        if got != code:
            raise LabError(f"{program.name()} ended with {got}: {program.complaint()}")
        return program

    def wait_serving(self, program, port):
        """Until the server under plait listens there."""
        def asked():
            return subprocess.run(["ip", "netns", "exec", self.server, "ss", "-ltnH",
                                   f"sport = :{port}"], capture_output=True).stdout.strip()
        deadline = time.monotonic() + 15
        while not asked():
            if program.process.poll() is not None or time.monotonic() > deadline:
                raise LabError(f"nobody listens at {port}: {program.complaint()}")
            program.wait_change(0.05)

    def until_size(self, program, path, size):
        """Until a file has grown so far, while the program runs."""
        while not os.path.exists(path) or os.path.getsize(path) < size:
            if program.process.poll() is not None:
                raise LabError(f"{program.name()} ended: {program.complaint()}")
            program.wait_change(0.02)

    def status(self, folder):
        return [self.plait, "status", "--folder", folder, "--json"]

    @staticmethod
    def until_says(words, text, seconds=10):
        """Ask until the answer has this in it."""
        deadline = time.monotonic() + seconds
        while text not in (said := run(*words, check=False)):
            if time.monotonic() > deadline:
                raise LabError(f"no {text} in {said[-300:]}")
            time.sleep(0.05)

    @staticmethod
    def channels(program):
        """Unix stream sockets that a daemon has open."""
        folder, count = f"/proc/{program.process.pid}/fd", 0
        with open(f"/proc/{program.process.pid}/net/unix") as lines:
            streams = {f"socket:[{w[6]}]" for w in map(str.split, lines) if w[4] == "0001"}
        for name in os.listdir(folder):
            try:
                count += os.readlink(f"{folder}/{name}") in streams
            except FileNotFoundError:
                pass
        return count

    # ---- what was counted ---------------------------------------------------------

    def said(self, side):
        """The events of all that plait carried at a side."""
        for path in self.events.get(side, []):
            with open(path) as lines:
                for line in lines:
                    if line.endswith("\n"):
                        yield json.loads(line)

    def joined(self, side, by):
        """Subflows beyond the first that became established at a side."""
        if by == KERNEL:
            counters = self.counters(self.namespace(side))
            return counters.get("MPTcpExtMPJoinSynAckRx", counters.get("MPJoinSynAckRx", 0)) + \
                counters.get("MPTcpExtMPJoinAckRx", counters.get("MPJoinAckRx", 0))
        return sum(1 for e in self.said(side)
                   if e["event"] == "subflow_established" and e["subflow"] > 1)

    def multipath(self, side):
        """Connections that plait had at a side, and how many of them were Multipath TCP."""
        events = [e for e in self.said(side) if e["event"] == "conn_established"]
        return len(events), sum(e["multipath"] for e in events)

    def expect_joined(self, *sides):
        for program in self.programs:
            program.stop()  # what plait saw is complete when it has ended
        for side, by in sides:
            if not self.joined(side, by):
                raise LabError(f"no second subflow was counted at the {side} ({by})")

    # ---- files -----------------------------------------------------------------------

    def random_file(self, name, size):
        path = self.file(name)
        source = random.Random(size)
        with open(path, "wb") as out:
            left = size
            while left:
                piece = source.randbytes(min(left, 1 << 20))
                out.write(piece)
                left -= len(piece)
        return path

    def folder_of(self, name):
        path = self.file(name)
        os.makedirs(path, exist_ok=True)
        return path


def digest(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def expect_same(first, second):
    if digest(first) != digest(second):
        raise LabError(f"{pathlib.Path(second).name} is not what was sent")


def expect(condition, sentence):
    if not condition:
        raise LabError(sentence)
