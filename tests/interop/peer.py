#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""A program over the kernel's own sockets, for plait to talk to.

    peer.py listen  ADDR PORT [--send FILE] [--tcp] [--mark BYTES]
    peer.py connect ADDR PORT [--send FILE] [--tcp] [--mark BYTES]

The listener takes the family of ADDR. Sends FILE and closes its direction, and meters what it receives. One JSON
object a line on standard output: {"event": "ready"} when listening, "mark"
when BYTES have arrived, "done" with the figures at the end.
"""
import argparse
import hashlib
import json
import selectors
import socket
import struct
import sys

from meter import Meter

IPPROTO_MPTCP = 262
SOL_MPTCP = 284
MPTCP_INFO = 1
INFO_FALLBACK = 1
PIECE_BYTES = 256 * 1024


def say(event, **fields):
    print(json.dumps({"event": event, **fields}), flush=True)


def mptcp_info(sock):
    """What the kernel says of the connection while it lives: subflows, fallback."""
    try:
        raw = sock.getsockopt(SOL_MPTCP, MPTCP_INFO, 256)
    except OSError:
        return {"multipath": False, "subflows": 1}
    # linux/mptcp.h, struct mptcp_info: six one-byte counts, then the flags.
    subflows, flags = raw[0], struct.unpack_from("=I", raw, 8)[0]
    return {"multipath": not flags & INFO_FALLBACK, "subflows": 1 + subflows}


def exchange(sock, path, meter):
    """Send the file and receive to the end, both at once."""
    sock.setblocking(False)
    watch = selectors.DefaultSelector()
    source = open(path, "rb") if path else None
    sent_hash, sent, pending = hashlib.sha256(), 0, b""
    events = selectors.EVENT_READ
    if source:
        events |= selectors.EVENT_WRITE
    watch.register(sock, events)
    info = mptcp_info(sock)
    reading = True
    while reading or source:
        for _, mask in watch.select():
            if mask & selectors.EVENT_READ:
                data = sock.recv(PIECE_BYTES)
                if data:
                    meter.add(data)
                reading = bool(data)
                info = max(info, mptcp_info(sock), key=lambda i: i["subflows"])
            if mask & selectors.EVENT_WRITE and source:
                if not pending:
                    pending = source.read(PIECE_BYTES)
                    sent_hash.update(pending)
                if pending:
                    taken = sock.send(pending)
                    sent += taken
                    pending = pending[taken:]
                else:
                    source.close()
                    source = None
                    sock.shutdown(socket.SHUT_WR)
        events = (selectors.EVENT_READ if reading else 0) | (selectors.EVENT_WRITE if source else 0)
        if events:
            watch.modify(sock, events)
    if not path:
        sock.shutdown(socket.SHUT_WR)
    info["multipath"] = info["multipath"] and mptcp_info(sock)["multipath"]
    sock.close()
    return {"sent_bytes": sent, "sent_sha256": sent_hash.hexdigest(), **info}


def main():
    parser = argparse.ArgumentParser(description="kernel MPTCP or TCP peer")
    parser.add_argument("role", choices=("listen", "connect"))
    parser.add_argument("addr")
    parser.add_argument("port", type=int)
    parser.add_argument("--send")
    parser.add_argument("--tcp", action="store_true", help="plain TCP")
    parser.add_argument("--mark", type=int)
    args = parser.parse_args()

    meter = Meter(args.mark, lambda: say("mark"))
    family = socket.AF_INET6 if ":" in args.addr else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM, 0 if args.tcp else IPPROTO_MPTCP)
    try:
        if args.role == "listen":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            # Every address, as servers do: joins may come to any of them.
            sock.bind(("::" if ":" in args.addr else "0.0.0.0", args.port))
            sock.listen()
            say("ready")
            conn, _ = sock.accept()  # the listener stays: joins arrive there
        else:
            sock.connect((args.addr, args.port))
            conn = sock
        figures = exchange(conn, args.send, meter)
    except OSError as error:
        say("done", error=str(error), **meter.result())
        return 1
    say("done", **meter.result(), **figures)
    return 0


if __name__ == "__main__":
    sys.exit(main())
