# SPDX-License-Identifier: MIT
"""A row about one feature: the kernel's MPTCP at one end, plait at the other.

A row's body (rows.py) says what happens. Around every body the same is done:
two hosts, a capture of all that plait sends and gets, and at the end the connection is closed,
both programs must be done with it, no counter may tell of an error or a
fallback that the row does not expect, and tshark must find nothing wrong with
what was on the wire.
"""
import dataclasses
import time
import traceback

from ends import KernelEnd, PlaitEnd, until
from lab import Lab, LabError
from transfer import KERNEL_ERRORS, PORT, check_capture

KB = 1000
MOVE_BYTES = 200 * KB  # each way: some hundred packets, every one checked


@dataclasses.dataclass
class Row:
    title: str
    plait_is: str  # "client" or "server"
    body: object
    family: int = 4
    quick: bool = False  # a part of every test run
    emulator: str = "direct"
    kernel: dict = dataclasses.field(default_factory=dict)  # net.mptcp.* there
    kernel_tcp: dict = dataclasses.field(default_factory=dict)  # net.ipv4.* there
    config: dict = dataclasses.field(default_factory=dict)  # plait's
    paths: int = 2
    locals: tuple = (1, 2)  # the paths whose addresses plait may use
    dual: bool = False  # of both families
    options: dict = dataclasses.field(default_factory=dict)  # of plait's `open`
    expected_errors: tuple = ()  # counters of errors that the row provokes
    remark: str = ""  # where the kernel differs from the RFC, or why something is absent

    size = 0
    reference = cut = False

    def name(self):
        return f"{self.title}, plait {self.plait_is}, IPv{self.family}"

    def run(self, plait, paths, _file, _digest, emulator="wire"):
        row = {"name": self.name(), "complaints": [], "joins": {}, "title": self.title,
               "plait_is": self.plait_is, "family": self.family, "remark": self.remark}
        started = time.monotonic()
        try:
            paths = list(paths) + [paths[-1]] * (self.paths - len(paths))
            with Lab(plait, paths, self.emulator) as lab:
                scene = Scene(lab, self, row)
                scene.play()
        except LabError as error:
            row["complaints"].append(str(error))
        except (OSError, KeyError, IndexError, ValueError):
            row["complaints"].append(traceback.format_exc(limit=-3).strip().replace("\n", " | "))
        row["seconds"] = round(time.monotonic() - started, 1)
        return row


class Scene:
    """What a row's body works with."""

    def __init__(self, lab, row, figures):
        self.lab, self.row, self.family = lab, row, row.family
        self.complaints = figures["complaints"]
        self.asserted = figures["asserted"] = {"plait": {}, "kernel": {}}
        self.over = False  # the body ended the connection itself
        plait_ns, kernel_ns = ((lab.client, lab.server) if row.plait_is == "client"
                               else (lab.server, lab.client))
        kernel_is = "server" if row.plait_is == "client" else "client"
        if row.kernel:
            lab.sysctl(kernel_ns, {f"net/mptcp/{k}": v for k, v in row.kernel.items()})
        if row.kernel_tcp:
            lab.sysctl(kernel_ns, {f"net/ipv4/{k}": v for k, v in row.kernel_tcp.items()})
        self.pcap = lab.file("plait.pcap")
        self.kernel = KernelEnd(lab, kernel_ns, kernel_is)
        self.kernel.do("open")
        number = 1 if row.plait_is == "client" else 2
        self.plait = PlaitEnd(lab, plait_ns, row.plait_is, pcap=self.pcap, **row.options,
                              locals=[lab.addr(f, p, number) for p in row.locals
                                      for f in ((4, 6) if row.dual else (row.family,))],
                              config={"path_manager": "none", "announce": False, **row.config})
        self.client, self.server = ((self.plait, self.kernel) if row.plait_is == "client"
                                    else (self.kernel, self.plait))

    def play(self):
        self.row.body(self)
        if not self.over:
            self.finish()
        self._leave()

    # ---- what bodies do ------------------------------------------------------

    def listen(self, **options):
        if self.server is self.kernel:
            options.setdefault("addr", "::" if self.family == 6 else "0.0.0.0")
        self.server.do("listen", port=PORT, **options)

    def connect(self, listen=True, server={}, **options):
        """A connection over path 1, established at both ends, with data moved both ways."""
        if listen:
            self.listen(**server)
        self.open(**options)
        self.move(KB)

    def open(self, **options):
        n = self.client.connect(addr=self.server.addr(1, self.family), port=PORT, **options)
        self.client.answer(n)
        self.server.accepted()

    def move(self, size=MOVE_BYTES):
        """So many bytes each way at once, each byte checked."""
        asked = [(end, end.ask_on(what, bytes=size)) for what in ("read", "write")
                 for end in (self.client, self.server)]
        for end, n in asked:
            end.answer(n)

    def next_connection(self):
        """The one so far ends in both directions; another may follow."""
        self.finish()
        self.over = False

    def send(self, source, size=MOVE_BYTES):
        sink = self.client if source is self.server else self.server
        n = sink.ask_on("read", bytes=size)
        source.on("write", bytes=size)
        sink.answer(n)

    def finish(self):
        """Both close their direction, and read the other's end."""
        for end in (self.client, self.server):
            end.on("shutdown")
        self.finish_reading()

    def finish_reading(self):
        """Both directions were closed: each end reads to the other's end."""
        asked = [(end, end.ask_on("read")) for end in (self.client, self.server)]
        asked.append((self.plait, self.plait.ask_on("finish")))
        for end, n in asked:
            end.answer(n)
        self.over = True

    def broken(self, end):
        """The connection was ended from the other side: reading says so at `end`."""
        try:
            end.on("read")
            self.complain(f"{end} read to the end of the stream, no error")
        except LabError as error:
            if "reset" not in str(error):
                raise
        self.over = True

    def path_bytes(self):
        """Bytes on each path so far, both directions."""
        return [a + b for a, b in zip(self.lab.interface_bytes(self.lab.client, "a"),
                                      self.lab.interface_bytes(self.lab.server, "b"))]

    def reinjected(self):
        """How often, or how much, either end sent bytes again on another subflow."""
        return (self.plait.on("info")["bytes_reinjected"], self.kernel.counters()["MPTCPRetrans"])

    def expect(self, plait=None, kernel=None):
        """Counters: 0 means exactly none, a number at least so many."""
        for end, wanted in ((self.plait, plait or {}), (self.kernel, kernel or {})):
            self.asserted[end.kind].update(wanted)
            found = {}

            def met():
                found.update(end.counters())
                return all(found.get(k, -1) >= v if v else found.get(k) == 0
                           for k, v in wanted.items())
            if not until(met, end):
                wrong = {k: found.get(k) for k, v in wanted.items()
                         if (found.get(k, -1) < v if v else found.get(k) != 0)}
                self.complain(f"{end}: {wrong}, wanted {({k: wanted[k] for k in wrong})}")

    def check(self, condition, sentence):
        """`condition` must come true."""
        if not until(condition, self.plait):
            self.complain(sentence)

    def complain(self, sentence):
        self.complaints.append(sentence)

    def subflows(self, count):
        """Both ends have so many subflows that are established."""
        self.check(lambda: sum(s["state"] == "ESTABLISHED" for s in self.plait.subflows()) == count,
                   f"plait has not {count} subflows")
        self.check(lambda: self.kernel.on("info")["subflow_count"] == count,
                   f"the kernel has not {count} subflows")
        self.check(lambda: len(self.kernel.subflows()) == count, f"ss does not show {count} subflows")

    # ---- the end ---------------------------------------------------------------

    def _leave(self):
        """Nothing may be left of anything."""
        quiet = self.plait.quit()
        if not quiet["drained"]:
            self.complain("plait was never done with its connections")
        kernel = self.kernel.counters()
        self.kernel.quit()
        for end in (self.plait, self.kernel):
            if code := end.program.finish(30):
                self.complain(f"{end} exited with {code}: {end.program.complaint()}")
        for end, counters in ((self.plait, quiet["counters"]), (self.kernel, kernel)):
            for name in KERNEL_ERRORS:
                if counters.get(name) and name not in self.row.expected_errors:
                    self.complain(f"{end}: {name} {counters[name]}")
        check_capture(self.pcap, self.complaints)
