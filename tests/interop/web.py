# SPDX-License-Identifier: MIT
"""Peers that nobody here wrote: nginx and curl on the kernel's MPTCP."""
import dataclasses
import subprocess
import time

from lab import Lab, LabError
from meter import Meter
from transfer import judge_kernel, judge_plait

NGINX_PORT = 8080
UPLOAD_PORT = 4711

NGINX_CONF = """
daemon off;
master_process off;
user root;
pid {folder}/nginx.pid;
error_log stderr;
events {{}}
http {{
    access_log off;
    sendfile off;
    client_body_temp_path {folder};
    proxy_temp_path {folder};
    fastcgi_temp_path {folder};
    uwsgi_temp_path {folder};
    scgi_temp_path {folder};
    server {{
        listen {listen};
        root {root};
    }}
}}
"""

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class BodyMeter(Meter):
    """Meters what follows the HTTP header."""

    header = b""
    in_body = False

    def add(self, data):
        if not self.in_body:
            self.header += data
            self.header, blank, data = self.header.partition(b"\r\n\r\n")
            self.in_body = bool(blank)
        if data and self.in_body:
            super().add(data)


@dataclasses.dataclass
class WebCase:
    kind: str  # "nginx" or "curl"
    family: int = 4
    size: int = 100_000_000
    cut = reference = False
    sender = checksum = None

    def name(self):
        what = {"nginx": "nginx under mptcpize -> plait connect",
                "curl": "mptcpize run curl -T -> plait listen"}[self.kind]
        return f"web: {what}, IPv{self.family}"

    def run(self, plait, paths, file, digest, emulator="wire"):
        row = {"name": self.name(), "complaints": [], "size": self.size, "joins": {}}
        started = time.monotonic()
        try:
            with Lab(plait, paths, emulator) as lab:
                lab.endpoints(self.family)
                meter, role, report = getattr(self, "_" + self.kind)(lab, file)
                self._judge(lab, meter, digest, role, report, row)
        except LabError as error:
            row["complaints"].append(str(error))
        row["seconds"] = round(time.monotonic() - started, 1)
        return row

    def _seconds(self, lab):
        return 20 + 4 * self.size * 8 / (1e6 * min(p.mbit for p in lab.paths))

    def _nginx(self, lab, file):
        """plait fetches the file."""
        host = lab.addr(self.family, 1, 2)
        listen = f"[::]:{NGINX_PORT}" if self.family == 6 else str(NGINX_PORT)
        root, _, name = file.rpartition("/")
        conf = lab.file("nginx.conf")
        with open(conf, "w") as out:
            out.write(NGINX_CONF.format(folder=lab.folder.name, listen=listen, root=root))
        lab.start(lab.server, "mptcpize", "run", "nginx", "-e", "stderr", "-c", conf)
        lab.wait_listening(lab.server, NGINX_PORT)
        meter = BodyMeter()
        client = lab.start_metered(lab.client, meter, lab.plait, "connect", host, NGINX_PORT,
                                   "--json", "--keep-open", stdin=subprocess.PIPE)
        # Without --keep-open nginx would take our end of stream for a lost client.
        client.process.stdin.write(f"GET /{name} HTTP/1.0\r\n\r\n".encode())
        client.process.stdin.close()
        if client.finish(self._seconds(lab)):
            raise LabError(f"plait connect: {client.complaint()}")
        return meter, "client", client.object()

    def _curl(self, lab, file):
        """plait takes what curl uploads, and answers when all is there."""
        host = lab.addr(self.family, 1, 2)
        literal = f"[{host}]" if self.family == 6 else host
        server = None

        def answer():
            server.process.stdin.write(ANSWER)
            server.process.stdin.close()

        meter = BodyMeter(self.size, answer)
        server = lab.start_metered(lab.server, meter, lab.plait, "listen", UPLOAD_PORT, "--json",
                                   stdin=subprocess.PIPE)
        server.wait_line(r"listening|ready")
        curl = lab.start(lab.client, "mptcpize", "run", "curl", "-sS", "--fail", "--noproxy", "*",
                         "-H", "Expect:", "-T", file, f"http://{literal}:{UPLOAD_PORT}/upload")
        if curl.finish(self._seconds(lab)):
            raise LabError(f"curl: {curl.complaint()}")
        if server.finish(30):
            raise LabError(f"plait listen: {server.complaint()}")
        return meter, "server", server.object()

    def _judge(self, lab, meter, digest, role, report, row):
        complaints = row["complaints"]
        row.update(meter.result())
        if row["sha256"] != digest:
            complaints.append(f"the file arrived changed or short: {meter.bytes} of {self.size}")
        other = "server" if role == "client" else "client"
        row["joins"][role] = judge_plait(self, role, report, complaints)
        row["joins"][other] = judge_kernel(self, other, lab.counters(getattr(lab, other)),
                                           complaints)

    multipath = True
