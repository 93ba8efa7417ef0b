# SPDX-License-Identifier: MIT
"""`plait perf` as a row: what its options put on the wire."""
import dataclasses
import subprocess
import time

from lab import Lab, LabError
from transfer import check_capture


@dataclasses.dataclass
class PerfFastOpen:
    """The first connection asks for a cookie; those after it bring data on the SYN."""
    size: int = 1_000_000
    family: int = 4
    cut = reference = False
    sender = checksum = None

    def name(self):
        return f"perf: plait perf client --fastopen -> plait perf server, IPv{self.family}"

    def run(self, plait, paths, _file, _digest, emulator="wire"):
        row = {"name": self.name(), "complaints": [], "size": self.size}
        started = time.monotonic()
        try:
            with Lab(plait, paths, emulator) as lab:
                self._run(lab, row)
        except LabError as error:
            row["complaints"].append(str(error))
        row["seconds"] = round(time.monotonic() - started, 1)
        return row

    def _run(self, lab, row):
        streams, host = 3, lab.addr(self.family, 1, 2)
        capture = lab.file("perf.pcap")
        server = lab.start(lab.server, lab.plait, "perf", "server", "--fastopen")
        server.wait_line(r"listening|ready")
        client = lab.start(lab.client, lab.plait, "perf", "client", host, "--fastopen", "--json",
                           "--parallel", streams, "--bytes", self.size, "--pcap", capture)
        if client.finish(60):
            raise LabError(f"plait perf client: {client.complaint()}")
        if client.object()["end"]["sum_received"]["bytes"] < self.size:
            row["complaints"].append("not all of it arrived")
        carried = syns_with_data(capture)
        if carried != streams:
            row["complaints"].append(f"{carried} SYNs with data, not {streams}")
        check_capture(capture, row["complaints"])


def syns_with_data(capture):
    """How many connections had data on their SYN, and it was acknowledged with the SYN."""
    fields = [word for name in ("tcp.stream", "tcp.len", "tcp.ack") for word in ("-e", name)]
    done = subprocess.run(["tshark", "-r", capture, "-Y", "tcp.flags.syn == 1", "-T", "fields",
                           *fields], capture_output=True, text=True, check=True)
    sent, taken = {}, set()
    for line in done.stdout.splitlines():
        stream, length, ack = line.split("\t")
        if int(length):
            sent[stream] = int(length)
        elif stream in sent and int(ack or 0) == 1 + sent[stream]:
            taken.add(stream)
    return len(taken)
