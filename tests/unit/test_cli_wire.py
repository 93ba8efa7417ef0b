#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""plait wire between two namespaces with ordinary kernel sockets at the ends:
delay, cutting of super-segments, commands on the socket, planned commands,
exit codes. Needs root; exits 77 (skipped) without. No assertion depends on
how fast this machine is: delays are checked from below only."""
import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time

PLAIT = sys.argv[1]
NAMES = [f"plaitwire-{os.getpid()}-{end}" for end in "mab"]
MIDDLE, ALICE, BOB = NAMES
DELAY_S = 0.005


def ip(*words):
    subprocess.run(["ip", *words], check=True)


def build():
    for name in NAMES:
        ip("netns", "add", name)
    for name, port, number in ((ALICE, "wa", 1), (BOB, "wb", 2)):
        ip("-n", MIDDLE, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", name)
        ip("-n", MIDDLE, "link", "set", port, "up")
        ip("-n", name, "link", "set", "eth0", "up")
        ip("-n", name, "addr", "add", f"10.1.0.{number}/24", "dev", "eth0")


def cleanup():
    for process in Wire.running:
        process.kill()
        process.wait()
    for name in NAMES:
        subprocess.run(["ip", "netns", "del", name], check=False, stderr=subprocess.DEVNULL)


@contextlib.contextmanager
def namespace(name):
    """The calling thread in another network namespace."""
    with open("/proc/self/ns/net") as home, open(f"/run/netns/{name}") as there:
        os_setns(there.fileno())
        try:
            yield
        finally:
            os_setns(home.fileno())


def os_setns(fd):
    import ctypes
    if ctypes.CDLL(None, use_errno=True).setns(fd, 0x40000000) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def udp(name):
    with namespace(name):
        return socket.socket(socket.AF_INET, socket.SOCK_DGRAM)


class Wire:
    running = []

    def __init__(self, *arguments):
        self.process = subprocess.Popen([PLAIT, "wire", *arguments], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, text=True)
        Wire.running.append(self.process)
        line = self.process.stdout.readline()
        assert line == "ready\n", f"not ready but {line!r}"

    def end(self):
        return self.process.wait(timeout=20)


def tell(path, *words):
    return subprocess.run([PLAIT, "wire", "--tell", path, *words], capture_output=True, text=True,
                          check=False)


def receive(sock, count, patience):
    sock.settimeout(patience)
    got = []
    try:
        while len(got) < count:
            got.append(sock.recv(65535))
    except TimeoutError:
        pass
    return got


def check(what, good):
    print("ok   " if good else "FAIL ", what)
    return 0 if good else 1


def boxes(path):
    """The kernel's own TCP through boxes that come while the wire runs."""
    failed = 0
    for box in ("isn", "split:size=700,how=first", "nat", "resegment:size=900,hold=1ms"):
        failed += check(f"box {box} is added",
                        tell(path, "box", "1", "add", box).returncode == 0)
    with namespace(BOB):
        listener = socket.create_server(("10.1.0.2", 7002))
    with namespace(ALICE):
        client = socket.create_connection(("10.1.0.2", 7002), timeout=20)
    server, peer = listener.accept()
    failed += check("the port was translated", peer[1] != client.getsockname()[1])
    data = os.urandom(300000)
    sender = threading.Thread(target=lambda: (client.sendall(data), client.close()))
    sender.start()
    with server.makefile("rb") as stream:
        failed += check("TCP through four boxes is intact", stream.read() == data)
    sender.join()
    stats = json.loads(tell(path, "stats").stdout)["pairs"][0]
    failed += check("each of them did something", all(b["acted"] > 10 for b in stats["boxes"]))
    for _ in stats["boxes"]:
        tell(path, "box", "1", "remove", "1")
    failed += check("and they go", json.loads(tell(path, "box", "1", "list").stdout) == [])
    failed += check("a wrong box is an error",
                    tell(path, "box", "1", "add", "nosuch").returncode == 2)
    return failed


def run(path):
    failed = 0
    wire = Wire(f"{MIDDLE}:wa", f"{MIDDLE}:wb", "--link", "rate=100mbit,delay=5ms", "-c", path)
    alice, bob = udp(ALICE), udp(BOB)
    bob.bind(("10.1.0.2", 7000))

    start = time.monotonic()
    alice.sendto(b"hello", ("10.1.0.2", 7000))
    got = receive(bob, 1, 10)
    failed += check("a datagram passes, ARP and all", got == [b"hello"])
    # ARP there and back, then the datagram: three times the delay.
    failed += check("and takes its time", time.monotonic() - start >= 3 * DELAY_S)

    data = os.urandom(10 * 1200 + 500)
    alice.setsockopt(socket.IPPROTO_UDP, 103, 1200)  # UDP_SEGMENT
    alice.sendto(data, ("10.1.0.2", 7000))
    got = receive(bob, 11, 10)
    failed += check("a batch of datagrams is cut", [len(d) for d in got] == [1200] * 10 + [500])
    failed += check("with its bytes intact", b"".join(got) == data)

    with namespace(BOB):
        listener = socket.create_server(("10.1.0.2", 7001))
    with namespace(ALICE):
        client = socket.create_connection(("10.1.0.2", 7001), timeout=20)
    server, _ = listener.accept()
    data = os.urandom(1 << 20)
    sender = threading.Thread(target=lambda: (client.sendall(data), client.close()))
    sender.start()
    with server.makefile("rb") as stream:
        failed += check("TCP with its offloads is intact", stream.read() == data)
    sender.join()

    failed += boxes(path)
    failed += check("a command is obeyed", tell(path, "down", "1", "there").returncode == 0)
    alice.sendto(b"lost", ("10.1.0.2", 7000))
    failed += check("down loses", receive(bob, 1, 0.3) == [])
    failed += check("a wrong command is an error", tell(path, "down", "7").returncode == 2)
    tell(path, "up", "1")
    stats = json.loads(tell(path, "stats").stdout)["pairs"][0]["there"]
    failed += check("and is counted", stats["up"] and stats["dropped_down"] >= 1)
    failed += check("nothing else was lost", stats["malformed"] == stats["not_sent"] == 0)
    tell(path, "quit")
    failed += check("quit ends it well", wire.end() == 0)
    failed += check("and takes the socket away", not os.path.exists(path))

    wire = Wire(f"{MIDDLE}:wa", f"{MIDDLE}:wb", "--at", "100ms:down:1", "--at", "200ms:quit")
    failed += check("planned commands are carried out", wire.end() == 0)
    wire = Wire(f"{MIDDLE}:wa", f"{MIDDLE}:wb")
    wire.process.terminate()
    failed += check("SIGTERM is 130", wire.end() == 130)
    for arguments, code in ((["nosuch0", "lo"], 4), (["nosuch:lo", "lo"], 4),
                            (["lo", "lo", "--box", "nosuch"], 2), (["lo", "lo", "--box", "2:isn"], 2)):
        done = subprocess.run([PLAIT, "wire", *arguments], capture_output=True, check=False)
        failed += check(f"wire {' '.join(arguments)} ends with {code}", done.returncode == code)
    return failed


def main():
    if os.geteuid() != 0:
        print("needs root")
        return 77
    try:
        build()
        with tempfile.TemporaryDirectory() as folder:
            return 1 if run(f"{folder}/control") else 0
    finally:
        cleanup()


if __name__ == "__main__":
    sys.exit(main())
