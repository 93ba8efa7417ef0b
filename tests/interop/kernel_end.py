#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The kernel's end of a row: the commands of plait_end.c for the kernel's MPTCP
sockets, and its path manager's events as plait names them.

    {"n": 2, "do": "connect", "addr": "10.1.1.2", "port": 4711}

An answer bears its command's n, and "error" where it failed. Connections are
numbered from 1. Commands with a "token" are those of a path manager in user
space (net.mptcp.pm_type=1).
"""
import itertools
import json
import os
import selectors
import socket
import struct
import sys

import pattern
from mptcp_pm import Address, NetlinkError, PathManager

IPPROTO_MPTCP, SOL_MPTCP, MPTCP_INFO = 262, 284, 1
# linux/mptcp.h, struct mptcp_info: flags after six counts of a byte each.
INFO_FALLBACK, INFO_FLAGS_AT, INFO_TOKEN_AT, INFO_CHECKSUM_AT = 1, 8, 12, 42
INFO_SUBFLOWS_AT = 80  # with the initial one, where that is left
TCP_FASTOPEN, TCP_FASTOPEN_CONNECT = 23, 30
PIECE_BYTES = 1 << 16


def say(**fields):
    print(json.dumps(fields), flush=True)


class Stream:
    """One connection. Kinds as in plait_end.c."""

    def __init__(self, end, sock, kind):
        self.end, self.sock, self.kind = end, sock, kind
        self.number = next(end.numbers)
        self.waiting = {}  # "connect", "write", "read", "finish": the command's n
        self.written = self.write_goal = self.got = 0
        self.read_goal = 0 if kind == "commanded" else None  # None: to the end
        self.eof = self.shut = self.connected = False
        sock.setblocking(False)

    # ---- answers

    def settle(self, what, error=None):
        if what in self.waiting:
            fields = {"written": self.written, "read": self.got, "eof": self.eof}
            if error:
                fields["error"] = error
            say(n=self.waiting.pop(what), **fields)

    def failed(self, error):
        for what in list(self.waiting):
            self.settle(what, error)

    # ---- progress

    def wants(self):
        """What to wait for."""
        mask = 0
        if not self.eof and (self.read_goal is None or self.got < self.read_goal):
            mask |= selectors.EVENT_READ
        if not self.connected or self.written < self.write_goal:
            mask |= selectors.EVENT_WRITE
        return mask

    def step(self):
        try:
            if not self.connected and not self._connect():
                return
            self._read()
            if self.kind == "echo":
                self.write_goal = self.got
            self._write()
            self._end_by_itself()
        except OSError as error:
            self.failed(error.strerror)
            if self.kind != "commanded":
                self.end.over(self, False)

    def _connect(self):
        error = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            raise OSError(error, os.strerror(error))
        try:
            self.sock.getpeername()
        except OSError:
            return False
        self.connected = True
        self.settle("connect")
        return True

    def _read(self):
        while not self.eof and (self.read_goal is None or self.got < self.read_goal):
            size = PIECE_BYTES if self.read_goal is None else self.read_goal - self.got
            try:
                data = self.sock.recv(min(size, PIECE_BYTES))
            except BlockingIOError:
                return
            if data != pattern.at(self.got, len(data)):
                raise OSError(0, "wrong bytes arrived")
            self.got += len(data)
            self.eof = not data
        if self.eof and self.read_goal is not None:
            self.settle("read", "the stream ended early")
        self.settle("read")

    def _write(self):
        while self.written < self.write_goal:
            size = min(self.write_goal - self.written, PIECE_BYTES)
            try:
                self.written += self.sock.send(pattern.at(self.written, size))
            except BlockingIOError:
                return
        self.settle("write")

    def _end_by_itself(self):
        if self.kind == "commanded":
            return
        if self.written == self.write_goal and not self.shut and (self.kind == "batch" or self.eof):
            self.sock.shutdown(socket.SHUT_WR)
            self.shut = True
        if self.eof and self.shut:
            self.end.over(self, self.got == self.written)

    # ---- facts

    def info(self):
        try:
            raw = self.sock.getsockopt(SOL_MPTCP, MPTCP_INFO, 256)
        except OSError:
            return {"multipath": False, "subflow_count": 1}
        flags, token = (struct.unpack_from("=I", raw, at)[0] for at in
                        (INFO_FLAGS_AT, INFO_TOKEN_AT))
        return {"multipath": not flags & INFO_FALLBACK, "subflow_count": raw[INFO_SUBFLOWS_AT],
                "token": token, "checksum": bool(raw[INFO_CHECKSUM_AT])}


class End:
    def __init__(self):
        self.watch = selectors.DefaultSelector()
        self.numbers = itertools.count(1)
        self.streams = {}
        self.listeners = []
        self.pm = PathManager()
        self.input = b""
        self.batch_n, self.batch_left, self.batch_failed = 0, 0, 0
        self.quit = False
        self.watch.register(self.pm.watch, selectors.EVENT_READ, self._pm_events)
        self.watch.register(sys.stdin.fileno(), selectors.EVENT_READ, self._commands)

    # ---- the loop

    def run(self):
        while not self.quit:
            for key, _ in self.watch.select():
                key.data()

    def _pm_events(self):
        for event in self.pm.events():
            say(**event)

    def _commands(self):
        data = os.read(sys.stdin.fileno(), 1 << 16)
        if not data:
            self.quit = True
        *lines, self.input = (self.input + data).split(b"\n")
        for line in lines:
            self._obey(json.loads(line))

    def _obey(self, args):
        n, name = args.pop("n"), args.pop("do")
        try:
            if "conn" in args:
                stream = self.streams.get(args.pop("conn"))
                if not stream:
                    raise OSError(0, "there is no such connection")
                answer = getattr(self, "on_" + name)(stream, n=n, **args)
                self._look(stream)
            else:
                answer = getattr(self, "do_" + name)(n=n, **args)
            if answer is not None:
                say(n=n, **answer)
        except (OSError, NetlinkError) as error:
            say(n=n, error=error.strerror)

    def _look(self, stream):
        """Step a stream and wait for what it wants next."""
        stream.step()
        if stream.sock.fileno() < 0:
            return
        wanted, known = stream.wants(), stream.sock.fileno() in self.watch.get_map()
        if wanted and known:
            self.watch.modify(stream.sock, wanted, lambda: self._look(stream))
        elif wanted:
            self.watch.register(stream.sock, wanted, lambda: self._look(stream))
        elif known:
            self.watch.unregister(stream.sock)

    def _add(self, sock, kind):
        stream = Stream(self, sock, kind)
        self.streams[stream.number] = stream
        return stream

    def _drop(self, stream):
        del self.streams[stream.number]
        if stream.sock.fileno() in self.watch.get_map():
            self.watch.unregister(stream.sock)
        stream.sock.close()

    def over(self, stream, whole):
        """An echo or batch stream ended."""
        self._drop(stream)
        if stream.kind == "batch":
            self.batch_failed += not whole
            self.batch_left -= 1
            if not self.batch_left:
                say(n=self.batch_n, failed=self.batch_failed)

    # ---- commands

    @staticmethod
    def _socket(addr, tcp):
        family = socket.AF_INET6 if ":" in addr else socket.AF_INET
        return socket.socket(family, socket.SOCK_STREAM, 0 if tcp else IPPROTO_MPTCP)

    def do_open(self, n):
        return {}

    def do_listen(self, n, port, addr="0.0.0.0", multipath=True, echo=False, fastopen=False):
        sock = self._socket(addr, not multipath)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if fastopen:
            sock.setsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN, 16)
        sock.bind((addr, port))
        sock.listen(4096)
        sock.setblocking(False)
        self.listeners.append(sock)  # joins arrive there as long as it is open
        self.watch.register(sock, selectors.EVENT_READ,
                            lambda: self._accept(sock, "echo" if echo else "commanded"))
        return {}

    def _accept(self, listener, kind):
        try:
            sock, _ = listener.accept()
        except BlockingIOError:
            return
        stream = self._add(sock, kind)
        say(event="accepted", conn=stream.number)
        self._look(stream)

    def _start(self, kind, addr, port, local=None, multipath=True, fastopen=False):
        sock = self._socket(addr, not multipath)
        if fastopen:
            sock.setsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN_CONNECT, 1)
        if local:
            sock.bind((local, 0))
        stream = self._add(sock, kind)
        try:
            sock.connect((addr, port))
        except BlockingIOError:
            pass
        return stream

    def do_connect(self, n, bytes=0, **args):
        stream = self._start("commanded", **args)
        stream.waiting["connect"] = n
        stream.write_goal = bytes
        say(event="connecting", conn=stream.number)
        if args.get("fastopen"):  # the SYN leaves with the first data
            stream.connected = True
            stream.settle("connect")
        self._look(stream)

    def do_many(self, n, count, bytes, **args):
        self.batch_n, self.batch_left, self.batch_failed = n, count, 0
        for _ in range(count):
            stream = self._start("batch", **args)
            stream.write_goal = bytes
            self._look(stream)

    def do_quit(self, n):
        for stream in list(self.streams.values()):
            self._drop(stream)
        self.quit = True
        return {}

    def do_unlisten(self, n):
        for sock in self.listeners:
            self.watch.unregister(sock)
            sock.close()
        self.listeners = []
        return {}

    # ---- commands on a connection

    def on_write(self, stream, n, bytes):
        stream.waiting["write"] = n
        stream.write_goal += bytes

    def on_read(self, stream, n, bytes=None):
        stream.waiting["read"] = n
        stream.read_goal = None if bytes is None else stream.got + bytes

    def on_shutdown(self, stream, n):
        stream.sock.shutdown(socket.SHUT_WR)
        return {}

    def on_close(self, stream, n):
        self._drop(stream)
        return {}

    def on_info(self, stream, n):
        return stream.info()

    # ---- a path manager in user space

    def do_announce(self, n, token, addr, id, port=None):
        self.pm.announce(token, Address(addr, id, port))
        return {}

    def do_remove(self, n, token, id):
        self.pm.remove(token, id)
        return {}

    def do_create(self, n, token, local, local_id, addr, port):
        self.pm.create(token, Address(local, local_id), Address(addr, port=port))
        return {}

    def do_destroy(self, n, token, local, local_port, addr, port):
        self.pm.destroy(token, Address(local, port=local_port), Address(addr, port=port))
        return {}

    def do_set_backup(self, n, token, local, local_port, addr, port, backup):
        self.pm.set_backup(token, Address(local, port=local_port), Address(addr, port=port),
                           backup)
        return {}


if __name__ == "__main__":
    End().run()
