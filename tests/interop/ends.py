# SPDX-License-Identifier: MIT
"""The two ends of a row, as a row sees them: commands, events, counters.

Both programs (plait_end.c, kernel_end.py) take the same commands, so that a
row says once what happens and is run with plait as client and as server.
Nothing here sleeps for luck: commands are answered when they are done, events
are waited for, and a counter, which no event announces, is read again after
each event and every POLL_S.
"""
import json
import pathlib
import re
import subprocess
import time

from lab import HERE, LabError

ANSWER_S = 30  # a command that takes longer hangs
POLL_S = 0.05


class End:
    """A program that obeys."""

    def __init__(self, lab, ns, role, *words):
        self.lab, self.ns, self.role = lab, ns, role
        self.letter, self.number = ("a", 1) if role == "client" else ("b", 2)
        self.program = lab.start(ns, *words, stdin=subprocess.PIPE)
        self.asked = 0
        self.answers, self.events = {}, []
        self._parsed = 0
        self.conn = None  # of the latest connection: what commands mean without another

    # ---- commands

    def ask(self, do, **fields):
        """Send a command; its number, for `answer`."""
        self.asked += 1
        line = json.dumps({"n": self.asked, "do": do, **fields}) + "\n"
        try:
            self.program.process.stdin.write(line.encode())
            self.program.process.stdin.flush()
        except BrokenPipeError:
            raise LabError(f"{self} is gone: {self.program.complaint()}") from None
        return self.asked

    def answer(self, n, seconds=ANSWER_S):
        got = self._wait(lambda: self.answers.get(n), f"answered command {n}", seconds)
        if "error" in got:
            raise LabError(f"{self}: {got['error']} (read {got.get('read')})")
        return got

    def do(self, what, **fields):
        return self.answer(self.ask(what, **fields))

    def on(self, what, **fields):
        """A command on the latest connection."""
        return self.do(what, conn=self.conn, **fields)

    def refuses(self, what, **fields):
        """A command on the latest connection that must fail."""
        n = self.ask_on(what, **fields)
        return "error" in self._wait(lambda: self.answers.get(n), f"answered {what}")

    def ask_on(self, what, **fields):
        return self.ask(what, conn=self.conn, **fields)

    # ---- events

    def _parse(self):
        lines = self.program.lines
        while self._parsed < len(lines):
            line = lines[self._parsed]
            self._parsed += 1
            if not line.startswith("{"):
                continue
            fields = json.loads(line)
            if "n" in fields:
                self.answers[fields["n"]] = fields
            else:
                self.events.append(fields)

    def _wait(self, what, sentence, seconds=ANSWER_S):
        def found(_):
            self._parse()
            return what()
        try:
            return self.program.wait_for(found, seconds)
        except LabError:
            raise LabError(f"{self} never {sentence}: {self.program.complaint()}") from None

    def seen(self, name, **match):
        """The events of this name so far."""
        self._parse()
        return [e for e in self.events if e["event"] == name
                and all(e.get(k) == v for k, v in match.items())]

    def event(self, name, count=1, **match):
        """Wait for the count-th such event; it."""
        def there():
            found = self.seen(name, **match)
            return len(found) >= count and found[count - 1]
        return self._wait(there, f"said {name} {match or ''}")

    def accepted(self):
        """Wait for the next connection that arrives; it is the latest then."""
        self.accepts += 1
        self.conn = self.event("accepted", self.accepts)["conn"]

    def connect(self, **where):
        """Ask for a connection; the command's number."""
        self.connects += 1
        n = self.ask("connect", **where)
        self.conn = self.event("connecting", self.connects)["conn"]
        return n

    accepts = connects = 0

    def addr(self, path, family=4):
        """This end's own address on a path."""
        return self.lab.addr(family, path, self.number)

    def quit(self):
        return self.do("quit")

    def __str__(self):
        return f"{self.kind} ({self.role})"


class PlaitEnd(End):
    kind = "plait"

    def __init__(self, lab, ns, role, **options):
        program = pathlib.Path(lab.plait).parent / "tests/interop/plait_end"
        super().__init__(lab, ns, role, program)
        self.do("open", **options)

    def counters(self):
        return self.do("counters")["counters"]

    def subflows(self):
        return [s for s in self.on("info")["subflows"] if not s["closed"]]


    def remote_port(self):
        """Where the first subflow goes to."""
        return int(self.on("info")["subflows"][0]["remote"].rpartition(":")[2])


class KernelEnd(End):
    kind = "kernel"

    def __init__(self, lab, ns, role):
        super().__init__(lab, ns, role, HERE / "kernel_end.py")

    def counters(self):
        return self.lab.counters(self.ns)

    def mptcp(self, *words):
        """ip mptcp WORDS in this end's namespace."""
        return self.lab.shell(self.ns, "ip mptcp " + " ".join(map(str, words)))

    def endpoint(self, path, *flags, family=4, dev=True):
        """Tell the kernel's own path manager of an address; subflows from it leave by its
        interface, or (`dev` false) by any."""
        where = ("dev", f"{self.letter}{path}") if dev else ()
        self.mptcp("endpoint", "add", self.addr(path, family), *where, *flags)

    def token(self):
        """Of the latest connection."""
        return self.on("info")["token"]

    def listen_for_joins(self, path, port):
        """A path manager in user space listens by itself where it announces a port, and
        on that address alone: the kernel takes no other for the announced one."""
        self.do("listen", addr=self.addr(path), port=port)

    def subflows(self):
        """The flags that ss shows of each established subflow (b: backup by the kernel's
        wish, B: by plait's)."""
        return re.findall(r"^ESTAB .* tcp-ulp-mptcp flags:(\w+)",
                          self.lab.shell(self.ns, "ss -HOnti"), re.MULTILINE)


def until(condition, *ends, seconds=ANSWER_S):
    """Look at `condition` again and again until it is true or time is up; its value."""
    deadline = time.monotonic() + seconds
    while not (value := condition()) and time.monotonic() < deadline:
        ends[0].program.wait_change(POLL_S)
    return value
