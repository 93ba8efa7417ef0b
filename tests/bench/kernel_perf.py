#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`plait perf` over the kernel's MPTCP sockets: the other end of a mixed pair.

    kernel_perf.py server
    kernel_perf.py client HOST --time SECONDS

The protocol is src/cli/perf.h's, with one stream, from client to server, by
the clock. The server takes one test. The client prints what matters of
`iperf3 --json`: the receiver's rate.
"""
import argparse
import json
import os
import socket
import struct
import sys
import time

IPPROTO_MPTCP, PORT = 262, 5201
MAGIC, VERSION, CONTROL, DATA = b"plaitprf", 1, 0, 1
HELLO = struct.Struct("!8sBBH16s")
BLOCK_BYTES = 256 * 1024


def new_socket():
    return socket.socket(socket.AF_INET, socket.SOCK_STREAM, IPPROTO_MPTCP)


def read_exactly(sock, count):
    data = b""
    while len(data) < count:
        piece = sock.recv(count - len(data))
        if not piece:
            raise ConnectionError("the peer ended the connection")
        data += piece
    return data


def send_message(sock, message):
    text = json.dumps(message).encode()
    sock.sendall(struct.pack("!I", len(text)) + text)


def read_message(sock):
    (length,) = struct.unpack("!I", read_exactly(sock, 4))
    message = json.loads(read_exactly(sock, length))
    if "error" in message:
        raise ConnectionError(message["error"])
    return message


def read_hello(sock, kind):
    magic, version, said, _stream, cookie = HELLO.unpack(read_exactly(sock, HELLO.size))
    if (magic, version, said) != (MAGIC, VERSION, kind):
        raise ConnectionError("the peer does not speak plait perf's protocol")
    return cookie


def results(byte_count, seconds):
    stream = {"bytes": byte_count, "us": int(seconds * 1e6), "retransmits": 0, "pause_us": 0,
              "error": 0, "connection": {}}
    return {"streams": [stream], "cpu": {"total": 0.0, "user": 0.0, "system": 0.0}}


def receive(data):
    """All bytes up to the end of the stream; (how many, in how many seconds)."""
    block, total, start = bytearray(BLOCK_BYTES), 0, time.monotonic()
    while count := data.recv_into(block):
        total += count
    return total, time.monotonic() - start


def send(data, seconds):
    block, total, start = bytes(BLOCK_BYTES), 0, time.monotonic()
    while time.monotonic() - start < seconds:
        total += data.send(block)
    data.shutdown(socket.SHUT_WR)
    return total, time.monotonic() - start


def server():
    listener = new_socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("", PORT))
    listener.listen()
    print("listening", flush=True)
    control, _ = listener.accept()
    cookie = read_hello(control, CONTROL)
    asked = read_message(control)
    if asked["streams"] != 1 or asked["reverse"]:
        raise ConnectionError("one stream, from the client")
    send_message(control, {"ok": True})
    data, _ = listener.accept()
    if read_hello(data, DATA) != cookie:
        raise ConnectionError("a stream of another test")
    send_message(control, {"start": True})
    send_message(control, results(*receive(data)))
    read_message(control)


def client(host, seconds):
    cookie = os.urandom(16)
    control, data = new_socket(), new_socket()
    control.connect((host, PORT))
    control.sendall(HELLO.pack(MAGIC, VERSION, CONTROL, 0, cookie))
    send_message(control, {"streams": 1, "reverse": False, "time_us": int(seconds * 1e6),
                           "bytes": 0})
    read_message(control)
    data.connect((host, PORT))
    data.sendall(HELLO.pack(MAGIC, VERSION, DATA, 0, cookie))
    read_message(control)
    own = results(*send(data, seconds))
    (theirs,) = read_message(control)["streams"]
    send_message(control, own)
    rate = theirs["bytes"] * 8e6 / theirs["us"]
    print(json.dumps({"end": {"sum_received": {"bytes": theirs["bytes"],
                                               "bits_per_second": rate}}}))


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    roles = parser.add_subparsers(dest="role", required=True)
    roles.add_parser("server")
    sender = roles.add_parser("client")
    sender.add_argument("host")
    sender.add_argument("--time", type=float, required=True)
    sender.add_argument("--json", action="store_true", help="as iperf3 has it; always so")
    args = parser.parse_args()
    try:
        if args.role == "server":
            server()
        else:
            client(args.host, args.time)
    except (OSError, ValueError) as error:
        print(f"kernel_perf: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
