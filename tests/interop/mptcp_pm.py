# SPDX-License-Identifier: MIT
"""The kernel's generic netlink family mptcp_pm (linux/mptcp_pm.h): commands of a
path manager in user space, and the events that it lives on.

Only what the rows need of netlink is here; numbers are the uapi header's.
"""
import dataclasses
import ipaddress
import os
import socket
import struct

NETLINK_GENERIC = 16
NETLINK_ADD_MEMBERSHIP, SOL_NETLINK = 1, 270
NLMSG_ERROR = 2
NLM_F_REQUEST, NLM_F_ACK = 1, 4
NLA_F_NESTED = 0x8000
NLA_TYPE_MASK = 0x3fff

# Family 16 knows the others: CTRL_CMD_GETFAMILY and its attributes.
CTRL_ID, CTRL_GETFAMILY = 16, 3
CTRL_FAMILY_ID, CTRL_FAMILY_NAME, CTRL_MCAST_GROUPS = 1, 2, 7
CTRL_GROUP_NAME, CTRL_GROUP_ID = 1, 2

SET_FLAGS, ANNOUNCE, REMOVE, SUBFLOW_CREATE, SUBFLOW_DESTROY = 7, 8, 9, 10, 11
ATTR_ADDR, ATTR_TOKEN, ATTR_LOC_ID, ATTR_ADDR_REMOTE = 1, 4, 5, 6
ADDR_FAMILY, ADDR_ID, ADDR_V4, ADDR_V6, ADDR_PORT, ADDR_FLAGS = 1, 2, 3, 4, 5, 6
FLAG_SIGNAL, FLAG_SUBFLOW, FLAG_BACKUP = 1, 2, 4

EVENTS = {1: "conn_created", 2: "conn_established", 3: "conn_closed", 6: "addr_received",
          7: "addr_withdrawn", 10: "subflow_established", 11: "subflow_closed",
          13: "subflow_priority", 15: "listener_created", 16: "listener_closed"}
# Attribute: name and how to read it.
EVENT_ATTRS = {
    1: ("token", "=I"), 3: ("local_id", "=B"), 4: ("remote_id", "=B"),
    5: ("local", socket.AF_INET), 6: ("local", socket.AF_INET6),
    7: ("remote", socket.AF_INET), 8: ("remote", socket.AF_INET6),
    9: ("local_port", ">H"), 10: ("remote_port", ">H"), 11: ("backup", "=B"),
    12: ("error", "=B"), 13: ("flags", "=H"), 16: ("reset_reason", "=I"),
    17: ("reset_flags", "=I"), 18: ("server", "=B")}


class NetlinkError(OSError):
    pass


@dataclasses.dataclass
class Address:
    addr: str
    id: int = None
    port: int = None
    flags: int = 0

    def attrs(self):
        ip = ipaddress.ip_address(self.addr)
        v4 = ip.version == 4
        out = attr(ADDR_FAMILY, struct.pack("=H", socket.AF_INET if v4 else socket.AF_INET6))
        out += attr(ADDR_V4 if v4 else ADDR_V6, ip.packed)
        if self.id is not None:
            out += attr(ADDR_ID, struct.pack("=B", self.id))
        if self.port:
            out += attr(ADDR_PORT, struct.pack("=H", self.port))
        if self.flags:
            out += attr(ADDR_FLAGS, struct.pack("=I", self.flags))
        return out


def attr(kind, payload):
    header = struct.pack("=HH", 4 + len(payload), kind)
    return header + payload + bytes(-len(payload) % 4)


def attrs(data):
    """(type, payload) of each attribute."""
    while len(data) >= 4:
        size, kind = struct.unpack_from("=HH", data)
        if size < 4:
            return
        yield kind & NLA_TYPE_MASK, data[4:size]
        data = data[(size + 3) & ~3:]


def messages(data):
    """(type, command, attributes) of each message; command None for an error or ack."""
    while len(data) >= 16:
        size, kind = struct.unpack_from("=IH", data)
        body = data[16:size]
        if kind == NLMSG_ERROR:
            yield kind, None, body
        else:
            yield kind, body[0], body[4:]
        data = data[(size + 3) & ~3:]


class PathManager:
    def __init__(self):
        self.sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_GENERIC)
        self.sock.bind((0, 0))
        self.family, groups = self._find_family(b"mptcp_pm\0")
        self.watch = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_GENERIC)
        self.watch.bind((0, 0))
        self.watch.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
        self.watch.setsockopt(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, groups["mptcp_pm_events"])
        self.watch.setblocking(False)

    def _request(self, family, command, payload, version=1):
        """The answers to one request; NetlinkError with the kernel's errno."""
        body = struct.pack("=BBH", command, version, 0) + payload
        flags = NLM_F_REQUEST | NLM_F_ACK
        self.sock.send(struct.pack("=IHHII", 16 + len(body), family, flags, 1, 0) + body)
        answers = []
        while True:
            for _, got, rest in messages(self.sock.recv(1 << 16)):
                if got is not None:
                    answers.append(rest)
                elif (error := -struct.unpack_from("=i", rest)[0]):
                    raise NetlinkError(error, os.strerror(error))
                else:
                    return answers

    def _find_family(self, name):
        answer = self._request(CTRL_ID, CTRL_GETFAMILY, attr(CTRL_FAMILY_NAME, name))[0]
        number, groups = None, {}
        for kind, data in attrs(answer):
            if kind == CTRL_FAMILY_ID:
                number = struct.unpack("=H", data)[0]
            elif kind == CTRL_MCAST_GROUPS:
                for _, group in attrs(data):
                    fields = dict(attrs(group))
                    text = fields[CTRL_GROUP_NAME].rstrip(b"\0").decode()
                    groups[text] = struct.unpack("=I", fields[CTRL_GROUP_ID])[0]
        return number, groups

    def _command(self, command, *parts):
        self._request(self.family, command, b"".join(parts))

    # ---- commands of a path manager in user space: for one connection -----------

    @staticmethod
    def _token(token):
        return attr(ATTR_TOKEN, struct.pack("=I", token))

    @staticmethod
    def _local(address):
        return attr(ATTR_ADDR | NLA_F_NESTED, address.attrs())

    @staticmethod
    def _remote(address):
        return attr(ATTR_ADDR_REMOTE | NLA_F_NESTED, address.attrs())

    def announce(self, token, address):
        address.flags |= FLAG_SIGNAL
        self._command(ANNOUNCE, self._token(token), self._local(address))

    def remove(self, token, local_id):
        self._command(REMOVE, self._token(token), attr(ATTR_LOC_ID, struct.pack("=B", local_id)))

    def create(self, token, local, remote):
        self._command(SUBFLOW_CREATE, self._token(token), self._local(local), self._remote(remote))

    def destroy(self, token, local, remote):
        self._command(SUBFLOW_DESTROY, self._token(token), self._local(local),
                      self._remote(remote))

    def set_backup(self, token, local, remote, backup):
        local.flags = FLAG_BACKUP if backup else 0
        self._command(SET_FLAGS, self._token(token), self._local(local), self._remote(remote))

    # ---- events -------------------------------------------------------------------

    def events(self):
        """What happened since the last call: {"event": ..., "token": ..., ...}."""
        try:
            data = self.watch.recv(1 << 16)
        except BlockingIOError:
            return
        for kind, number, rest in messages(data):
            if kind == self.family and number in EVENTS:
                yield {"event": EVENTS[number], **_event_fields(rest)}


def _event_fields(data):
    found = {}
    for kind, value in attrs(data):
        if kind not in EVENT_ATTRS:
            continue
        name, how = EVENT_ATTRS[kind]
        if how in (socket.AF_INET, socket.AF_INET6):
            found[name] = socket.inet_ntop(how, value)
        else:
            found[name] = struct.unpack(how, value)[0]
    return found
