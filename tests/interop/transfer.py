# SPDX-License-Identifier: MIT
"""One transfer in a lab: who talks to whom, what both ends said of it, and
what is wrong with that."""
import dataclasses
import os
import subprocess
import threading
import time

from lab import HERE, Lab, LabError
from meter import Meter

PORT = 4711
# Shorter transfers say nothing of rates and pauses: only what arrived is judged.
TIMED_BYTES = 50_000_000

# Every one of these must stay zero on a healthy path: errors and fallbacks.
KERNEL_ERRORS = (
    "MPCapableFallbackACK", "MPCapableFallbackSYNACK", "MPCapableDataFallback",
    "MPFallbackTokenInit", "MPJoinNoTokenFound", "MPJoinSynAckHMacFailure",
    "MPJoinAckHMacFailure", "MPJoinRejected", "DSSNotMatching", "DSSCorruptionFallback",
    "DSSCorruptionReset", "InfiniteMapTx", "InfiniteMapRx", "DSSNoMatchTCP", "DataCsumErr",
    "MPFailTx", "MPFailRx", "DssFallback", "SimultConnectFallback", "MD5SigFallback",
    "FallbackFailed", "PAWSEstab", "InCsumErrors")


@dataclasses.dataclass
class Case:
    group: str  # "move", "cut", "tcp", "capture", ...
    client: str  # "plait", "kernel", "tcp" (the kernel without MPTCP)
    server: str
    sender: str  # "client" or "server"
    family: int = 4
    checksum: bool = False
    size: int = 100_000_000
    cut: bool = False
    capture: bool = False

    @property
    def reference(self):
        """Without plait: measured for comparison, judged only on being intact."""
        return "plait" not in (self.client, self.server)

    @property
    def multipath(self):
        return "tcp" not in (self.client, self.server)

    def run(self, plait, paths, file, digest, emulator="wire"):
        """A row: what was measured and what is wrong with it."""
        row = {"name": self.name(), "complaints": [], "reference": self.reference,
               **dataclasses.asdict(self)}
        started = time.monotonic()
        try:
            with Lab(plait, paths, emulator, self.checksum) as lab:
                _transfer(lab, self, file, digest, row)
        except LabError as error:
            row["complaints"].append(str(error))
        row["seconds"] = round(time.monotonic() - started, 1)
        return row

    def name(self):
        source, sink = ((self.client, self.server) if self.sender == "client"
                        else (self.server, self.client))
        return (f"{self.group}: {source} -> {sink}, client {self.client}"
                f"{' (sends)' if self.sender == 'client' else ' (receives)'}, "
                f"IPv{self.family}, checksum {'on' if self.checksum else 'off'}")


class End:
    """One side of a transfer, whatever program it is."""

    def __init__(self, lab, ns, kind, role, case, file, mark):
        self.lab, self.ns, self.kind, self.role = lab, ns, kind, role
        self.sends = case.sender == role
        self.family, self.file = case.family, file
        self.meter = None
        captured = kind == "plait" and (case.capture or lab.keep)
        self.pcap = lab.file(f"{role}.pcap") if captured else None
        self.marked = threading.Event()
        self.mark = None if self.sends else mark
        self.program = None
        self.checksum = case.checksum

    def start(self):
        host = self.lab.addr(self.family, 1, 2)
        if self.kind == "plait":
            self._start_plait(host)
        else:
            words = [HERE / "peer.py", "listen" if self.role == "server" else "connect", host, PORT]
            words += ["--tcp"] if self.kind == "tcp" else []
            words += ["--send", self.file] if self.sends else []
            words += ["--mark", self.mark] if self.mark else []
            self.program = self.lab.start(self.ns, *words)
        if self.role == "server":
            self.program.wait_line(r'"ready"|listening')

    def _start_plait(self, host):
        words = [self.lab.plait]
        words += ["listen", PORT] if self.role == "server" else ["connect", host, PORT]
        words += ["--json", "--checksum"] if self.checksum else ["--json"]
        words += ["--pcap", self.pcap] if self.pcap else []
        words += ["--events", self.lab.file(f"{self.role}.events")] if self.lab.keep else []
        if self.sends:
            self.program = self.lab.start(self.ns, *words, "--send", self.file)
        else:
            self.meter = Meter(self.mark, self.marked.set)
            self.program = self.lab.start_metered(self.ns, self.meter, *words)

    def wait_mark(self, seconds):
        if self.kind == "plait":
            if not self.program.wait_while_alive(self.marked, seconds):
                raise LabError(f"{self.program.name()}: half of the file did not arrive: "
                               f"{self.program.complaint()}")
        else:
            self.program.event("mark", seconds)

    def finish(self, seconds):
        """The figures of this end, whoever measured them."""
        code = self.program.finish(seconds)
        if self.kind != "plait":
            done = next((e for e in self.program.events() if e["event"] == "done"), {})
            if code or "error" in done:
                raise LabError(f"{self.role}: {done.get('error') or self.program.complaint()}")
            return done
        report = self.program.object()
        if code:
            raise LabError(f"plait {self.role} exited with {code}: {self.program.complaint()}")
        figures = self.meter.result() if self.meter else {}
        return {**figures, "report": report}


def judge_kernel(case, role, counters, complaints):
    joins = counters["MPJoinSynAckRx" if role == "client" else "MPJoinAckRx"]
    if case.multipath and joins < 1:
        complaints.append(f"kernel {role} counted no join")
    for name in KERNEL_ERRORS:
        if counters.get(name) and case.multipath:
            complaints.append(f"kernel {role} {name} {counters[name]}")
    return joins


def judge_plait(case, role, report, complaints):
    joins = plait_counter(report, "MPJoinSynAckRx" if role == "client" else "MPJoinAckRx")
    if joins is None:
        complaints.append(f"plait {role} reported no counters")
        return 0
    if case.multipath and joins < 1:
        complaints.append(f"plait {role} counted no join")
    for name in KERNEL_ERRORS:
        if plait_counter(report, name) and case.multipath:
            complaints.append(f"plait {role} {name} {plait_counter(report, name)}")
    return joins


def plait_counter(report, name):
    return (report or {}).get("counters", {}).get(name)


def check_capture(path, complaints):
    """tshark must find nothing malformed and no error in a capture. The payload is
    random: it is not to guess at protocols in it."""
    if not os.path.exists(path) or os.path.getsize(path) < 1000:
        complaints.append(f"{os.path.basename(path)}: nothing captured")
        return
    done = subprocess.run(
        ["tshark", "-r", path, "-d", f"tcp.port=={PORT},data", "-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE",
         "-Y", "_ws.malformed || _ws.expert.severity == error", "-T", "fields",
         "-e", "frame.number", "-e", "_ws.expert.message"],
        capture_output=True, text=True, timeout=300)
    lines = done.stdout.splitlines()
    if lines:
        complaints.append(f"{os.path.basename(path)}: tshark complains of {len(lines)} packets, "
                          f"first {lines[0]}")
    elif done.returncode:
        complaints.append(f"tshark: {done.stderr.strip().splitlines()[-1:]}")



def _transfer(lab, case, file, digest, row):
    complaints = row["complaints"]
    lab.endpoints(case.family)
    mark = case.size // 2 if case.cut else None
    server = End(lab, lab.server, case.server, "server", case, file, mark)
    client = End(lab, lab.client, case.client, "client", case, file, mark)
    sink, source = (server, client) if case.sender == "client" else (client, server)
    limit = 20 + 4 * case.size * 8 / (1e6 * min(p.mbit for p in lab.paths))

    letter = "b" if sink is server else "a"
    before = lab.interface_bytes(sink.ns, letter)
    wire_pcap = lab.start_capture("a") if case.capture or lab.keep else None
    server.start()
    began = time.monotonic()
    client.start()
    if case.cut:
        sink.wait_mark(limit)
        lab.set_path(1, up=False)
    got = sink.finish(limit)
    gave = source.finish(30 if not case.cut else 70)
    after = lab.interface_bytes(sink.ns, letter)
    if wire_pcap:
        lab.stop_capture()

    carried = [b - a for a, b in zip(before, after)]
    row["path_bytes"] = carried
    row["lesser_share"] = round(min(carried) / sum(carried), 4) if sum(carried) else 0
    row.update({key: got.get(key) for key in (
        "bytes", "sha256", "duration_s", "bits_per_second", "bits_per_second_after_1s",
        "longest_pause_s")})
    if sink.meter and sink.meter.first_at:
        row["first_byte_s"] = round(sink.meter.first_at - began, 3)
    if got.get("sha256") != digest:
        complaints.append(f"the file arrived changed or short: {got.get('bytes')} of {case.size}")
    _judge_rate(lab, case, row, complaints)

    row["joins"] = {}
    for end, figures in ((sink, got), (source, gave)):
        if end.kind == "plait":
            row["joins"][end.role] = judge_plait(case, end.role, figures["report"], complaints)
            row[f"plait_{end.role}"] = figures["report"]
        else:
            counters = lab.counters(end.ns)
            row["joins"][end.role] = judge_kernel(case, end.role, counters, complaints)
            row[f"kernel_{end.role}"] = {k: v for k, v in counters.items()
                                         if v and k.startswith(("MP", "DSS", "Data", "Retrans"))}
        if end.pcap:
            check_capture(end.pcap, complaints)
    if wire_pcap:
        check_capture(wire_pcap, complaints)


def _judge_rate(lab, case, row, complaints):
    if case.reference or case.size < TIMED_BYTES:
        return
    if case.cut:
        if row["longest_pause_s"] > 1.5:
            complaints.append(f"a pause of {row['longest_pause_s']:.2f} s (at most 1.5)")
        return
    paths = lab.paths if case.multipath else lab.paths[:1]
    wanted = 0.9 * sum(p.mbit for p in paths) * 1e6 * 0.952
    rate = row["bits_per_second_after_1s"] or 0
    if rate < wanted:
        complaints.append(f"{rate / 1e6:.1f} Mbit/s (at least {wanted / 1e6:.1f})")
    if case.multipath and row["lesser_share"] < 0.3:
        complaints.append(f"the lesser path carried {row['lesser_share']:.0%} (at least 30%)")
    if not case.multipath and row.get("first_byte_s", 0) > 1.0:
        complaints.append(f"the first byte took {row['first_byte_s']:.2f} s")
