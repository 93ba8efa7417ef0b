# SPDX-License-Identifier: MIT
"""Something to watch: two hosts joined by two links, a plaitd at one of them, and a
program there that plaitd carries and that sends over both, without hurry, until it is
told to stop.
"""
import json
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "interop"))
from lab import Lab, LabError, Path, exit_on_signals, run  # noqa: E402,F401

SINK = """
import socket
with socket.create_server(("0.0.0.0", 7000)) as listening:
    print("listening", flush=True)
    while True:
        conn = listening.accept()[0]
        while conn.recv(1 << 16):
            pass
"""
SOURCE = """
import select, socket, sys
with socket.create_connection((sys.argv[1], 7000)) as s:
    while not select.select([sys.stdin], [], [], 0.01)[0]:
        s.sendall(bytes(20000))
"""


class Watched(Lab):
    def __init__(self, plait, *daemon_options):
        super().__init__(plait, [Path(200, 1, 250_000)] * 2, None)
        try:
            self.sockets = self.file("daemon")
            self.daemon = self.start(self.client, plait, "daemon", "--folder", self.sockets,
                                     "--scheduler", "redundant", *daemon_options)
            self.daemon.wait_line("ready")
            sink = self.start(self.server, plait, "run", "--carry", "10.0.0.0/8", "--",
                              sys.executable, "-c", SINK)
            sink.wait_line("listening")
        except BaseException:
            self.__exit__(None, None, None)
            raise

    def send(self):
        """Start a program that sends; stop() ends it well."""
        return self.start(self.client, self.plait, "run", "--folder", self.sockets, "--carry",
                          "10.0.0.0/8", "--", sys.executable, "-c", SOURCE, self.addr(4, 1, 2),
                          stdin=subprocess.PIPE)

    @staticmethod
    def finish_sending(program):
        program.process.stdin.close()
        return program.finish()

    def ask(self, *words):
        return subprocess.run([self.plait, *words, "--folder", self.sockets], capture_output=True,
                              text=True)

    def status(self):
        return json.loads(self.ask("status", "--json", "--counters").stdout)
