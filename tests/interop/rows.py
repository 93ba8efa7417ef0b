# SPDX-License-Identifier: MIT
"""The rows: one feature each, with plait as client and as server where that
makes a difference. scene.py says what is done around every body.
"""
from scene import MOVE_BYTES, Row
from transfer import PORT

ROWS = []
BOTH = ("client", "server")
JOIN_PORT = 4720  # where an announced address with a port listens


def row(title, roles=BOTH, families=(4,), quick=False, **options):
    """Add a body's rows: one for each role of plait and family. `quick`: a part of every
    test run, for the first family."""
    def add(body):
        for family in families:
            for role in roles:
                ROWS.append(Row(title, role, body, family, quick and family == families[0],
                                **options))
        return body
    return add


# ---- joins --------------------------------------------------------------------


@row("the client joins", families=(4, 6), quick=True)
def client_joins(s):
    if s.client is s.kernel:
        s.kernel.endpoint(2, "subflow", family=s.family)
        s.connect()
        s.expect(kernel={"MPJoinSynTx": 1, "MPJoinSynAckRx": 1},
                 plait={"MPJoinSynRx": 1, "MPJoinAckRx": 1})
    else:
        s.connect()
        s.plait.on("open_subflow", local=s.plait.addr(2, s.family),
                   addr=s.kernel.addr(2, s.family), port=PORT)
        s.expect(plait={"MPJoinSynTx": 1, "MPJoinSynAckRx": 1},
                 kernel={"MPJoinSynRx": 1, "MPJoinAckRx": 1})
    s.subflows(2)
    s.move()


@row("ADD_ADDR and its echo from the kernel, then a join to it", families=(4, 6), quick=True,
     config={"path_manager": "fullmesh"}, roles=("client",))
def kernel_announces(s):
    s.kernel.endpoint(2, "signal", family=s.family)
    s.connect()
    s.expect(kernel={"AddAddrTx": 1, "EchoAdd": 1, "MPJoinAckRx": 1},
             plait={"AddAddr": 1, "EchoAddTx": 1, "MPJoinSynAckRx": 1})
    s.subflows(2)
    s.move()


@row("ADD_ADDR and its echo from plait, then a join to it", families=(4, 6), quick=True,
     config={"announce": True}, roles=("server",))
def plait_announces(s):
    s.connect()
    s.expect(plait={"AddAddrTx": 1, "EchoAdd": 1, "MPJoinAckRx": 1},
             kernel={"AddAddr": 1, "EchoAddTx": 1, "MPJoinSynAckRx": 1})
    s.subflows(2)
    s.move()


@row("the server joins the port that the client announced", roles=("server",))
def server_joins_kernel(s):
    s.kernel.endpoint(2, "signal", "port", JOIN_PORT)
    s.connect()
    s.expect(kernel={"AddAddrTx": 1, "EchoAdd": 1}, plait={"AddAddr": 1, "EchoAddTx": 1})
    s.plait.on("open_subflow", local=s.plait.addr(2), addr=s.kernel.addr(2), port=JOIN_PORT)
    s.expect(kernel={"MPJoinSynRx": 1, "MPJoinAckRx": 1, "MPJoinPortSynRx": 1},
             plait={"MPJoinSynTx": 1, "MPJoinSynAckRx": 1})
    s.subflows(2)
    s.move()


@row("an IPv6 subflow beside an IPv4 one", roles=("client",), families=(4,),
     dual=True)
def mixed_families(s):
    s.connect(server={"addr": "::"})
    s.plait.on("open_subflow", local=s.plait.addr(2, 6), addr=s.kernel.addr(2, 6), port=PORT)
    s.expect(plait={"MPJoinSynTx": 1, "MPJoinSynAckRx": 1},
             kernel={"MPJoinSynRx": 1, "MPJoinAckRx": 1})
    s.subflows(2)
    s.move()


@row("fullmesh of two addresses by two", config={"announce": True})
def fullmesh(s):
    if s.client is s.kernel:
        s.kernel.endpoint(1, "subflow", "fullmesh")
        s.kernel.endpoint(2, "subflow", "fullmesh")
        s.connect()
    else:
        s.kernel.endpoint(2, "signal")
        s.connect()
        for local, remote in ((1, 2), (2, 1), (2, 2)):
            s.plait.on("open_subflow", local=s.plait.addr(local), addr=s.kernel.addr(remote),
                       port=PORT)
    s.subflows(4)
    s.move()


# ---- announcements ----------------------------------------------------------------


@row("ADD_ADDR with a port from the kernel, joined there", roles=("client",),
     config={"path_manager": "fullmesh"})
@row("ADD_ADDR with a port from the kernel, joined there", roles=("client",), families=(6,),
     config={"path_manager": "fullmesh"}, kernel_tcp={"tcp_timestamps": 0},
     remark="without timestamps: with them the option's 30 bytes find no room, and the kernel "
            "announces nothing")
def kernel_announces_port(s):
    s.kernel.endpoint(2, "signal", "port", JOIN_PORT, family=s.family)
    s.connect()
    s.expect(kernel={"AddAddrTx": 1, "EchoAdd": 1, "MPJoinPortSynRx": 1, "MPJoinPortAckRx": 1},
             plait={"AddAddr": 1, "EchoAddTx": 1, "MPJoinSynAckRx": 1})
    s.subflows(2)
    s.move()


@row("an address that the kernel gets later is announced and joined",
     config={"path_manager": "fullmesh"}, roles=("client",))
def kernel_announces_late(s):
    s.connect()
    s.move()
    s.kernel.endpoint(2, "signal")
    s.expect(kernel={"AddAddrTx": 1, "EchoAdd": 1, "MPJoinAckRx": 1},
             plait={"AddAddr": 1, "EchoAddTx": 1, "MPJoinSynAckRx": 1})
    s.subflows(2)
    s.move()


@row("an address that plait gets later is announced and joined", config={"announce": True},
     locals=(1,), roles=("server",))
def plait_announces_late(s):
    s.connect()
    s.move()
    s.plait.do("add_address", addr=s.plait.addr(2), prefix_len=24)
    s.expect(plait={"AddAddrTx": 1, "EchoAdd": 1, "MPJoinAckRx": 1},
             kernel={"AddAddr": 1, "EchoAddTx": 1, "MPJoinSynAckRx": 1})
    s.subflows(2)
    s.move()


@row("several addresses announced at once by the kernel, none lost", paths=4,
     locals=(1, 2, 3, 4), config={"path_manager": "fullmesh"}, roles=("client",))
def kernel_announces_three(s):
    for path in (2, 3, 4):
        s.kernel.endpoint(path, "signal")
    s.connect()
    s.expect(kernel={"AddAddrTx": 3, "EchoAdd": 3, "MPJoinAckRx": 3},
             plait={"AddAddr": 3, "EchoAddTx": 3, "MPJoinSynAckRx": 3})
    s.subflows(4)
    s.move()


@row("several addresses announced at once by plait, none lost", paths=4,
     locals=(1, 2, 3, 4), config={"announce": True}, roles=("server",))
def plait_announces_three(s):
    s.connect()
    s.expect(plait={"AddAddrTx": 3, "EchoAdd": 3, "MPJoinAckRx": 3},
             kernel={"AddAddr": 3, "EchoAddTx": 3, "MPJoinSynAckRx": 3})
    s.subflows(4)
    s.move()


@row("REMOVE_ADDR from the kernel ends the subflow", families=(4, 6), quick=True)
def kernel_removes(s):
    two_subflows(s)
    s.kernel.mptcp("endpoint", "delete", "id", 1)
    s.expect(kernel={"RmAddrTx": 1}, plait={"RmAddr": 1})
    s.subflows(1)
    s.move()


@row("REMOVE_ADDR from plait ends the subflow", families=(4, 6), quick=True, config={"announce": True})
def plait_removes(s):
    if s.client is s.kernel:
        s.connect()
        s.subflows(2)
    else:
        two_subflows(s)
    s.plait.do("remove_address", addr=s.plait.addr(2, s.family))
    s.expect(plait={"RmAddrTx": 1}, kernel={"RmAddr": 1})
    s.subflows(1)
    s.move()


# ---- priorities ---------------------------------------------------------------------


@row("MP_PRIO from the kernel", quick=True)
def kernel_priority(s):
    two_subflows(s)
    s.kernel.mptcp("endpoint", "change", "id", 1, "backup")
    s.expect(kernel={"MPPrioTx": 1}, plait={"MPPrioRx": 1})
    s.check(lambda: s.plait.subflows()[1]["backup"], "plait does not know it for backup")
    s.check(lambda: any("b" in flags for flags in s.kernel.subflows()), "ss shows no backup")
    only_first_path_carries(s)
    s.kernel.mptcp("endpoint", "change", "id", 1, "nobackup")
    s.expect(kernel={"MPPrioTx": 2}, plait={"MPPrioRx": 2})
    s.check(lambda: not s.plait.subflows()[1]["backup"], "plait still takes it for backup")
    s.move()


@row("MP_PRIO from plait", quick=True)
def plait_priority(s):
    two_subflows(s)
    second = s.plait.subflows()[1]["id"]
    s.plait.on("set_backup", subflow=second, backup=True)
    s.expect(plait={"MPPrioTx": 1}, kernel={"MPPrioRx": 1})
    s.kernel.event("subflow_priority", backup=1)
    s.check(lambda: any("B" in flags for flags in s.kernel.subflows()), "ss shows no backup")
    only_first_path_carries(s)
    s.plait.on("set_backup", subflow=second, backup=False)
    s.expect(plait={"MPPrioTx": 2}, kernel={"MPPrioRx": 2})
    s.kernel.event("subflow_priority", backup=0)
    s.move()


@row("a join with the backup flag carries nothing until the other path dies", emulator="wire")
def backup(s):
    if s.client is s.kernel:
        s.kernel.endpoint(2, "subflow", "backup")
        s.connect()
        s.expect(kernel={"MPJoinSynAckRx": 1}, plait={"MPJoinAckRx": 1})
    else:
        s.connect()
        s.plait.on("open_subflow", local=s.plait.addr(2), addr=s.kernel.addr(2), port=PORT,
                   backup=True)
        s.expect(plait={"MPJoinSynAckRx": 1}, kernel={"MPJoinAckRx": 1, "MPJoinSynBackupRx": 1})
    s.check(lambda: s.plait.subflows()[1]["backup"], "plait does not know it for backup")
    only_first_path_carries(s)
    s.lab.set_path(1, up=False)
    s.move()
    s.lab.set_path(1, up=True)


# ---- the end of subflows and connections ----------------------------------------------


@row("MP_FASTCLOSE from the kernel", quick=True)
def kernel_fastclose(s):
    two_subflows(s)
    n = s.plait.ask_on("write", bytes=MOVE_BYTES)
    s.plait.answer(n)
    s.kernel.on("read", bytes=1)
    s.kernel.on("close")  # with data unread
    s.broken(s.plait)
    s.expect(kernel={"MPFastcloseTx": 1}, plait={"MPFastcloseRx": 1})


@row("MP_FASTCLOSE from plait", quick=True)
def plait_fastclose(s):
    two_subflows(s)
    s.plait.on("abort")
    s.broken(s.kernel)
    s.expect(plait={"MPFastcloseTx": 1}, kernel={"MPFastcloseRx": 1})


@row("MP_TCPRST from the kernel ends one subflow")
def kernel_resets(s):
    two_subflows(s)
    s.lab.shell(s.kernel.ns, f"ss -HKtn src {s.kernel.addr(2)}")
    s.expect(kernel={"MPRstTx": 1}, plait={"MPRstRx": 1})
    s.subflows(1)
    s.move()


@row("MP_TCPRST from plait ends one subflow", quick=True)
def plait_resets(s):
    two_subflows(s)
    s.plait.on("close_subflow", subflow=s.plait.subflows()[1]["id"])
    s.expect(plait={"MPRstTx": 1}, kernel={"MPRstRx": 1})
    s.subflows(1)
    s.move()


@row("the kernel refuses a join beyond its limit", roles=("client",),
     expected_errors=("MPJoinRejected",))
def kernel_refuses(s):
    s.kernel.mptcp("limits", "set", "subflow", 0)
    s.connect()
    s.plait.on("open_subflow", local=s.plait.addr(2), addr=s.kernel.addr(2), port=PORT)
    s.plait.event("subflow_closed")
    s.expect(plait={"MPJoinSynTx": 1})
    s.subflows(1)
    s.move()


@row("plait refuses a join", roles=("server",), config={"joins_accepted": False},
     expected_errors=("MPJoinRejected",),
     remark="the kernel looks at no option of a reset that answers its SYN: it counts no MPRstRx")
def plait_refuses(s):
    s.kernel.endpoint(2, "subflow")
    s.connect()
    s.expect(kernel={"MPJoinSynTx": 1}, plait={"MPJoinSynRx": 1, "MPRstTx": 1})
    s.kernel.event("subflow_closed")
    s.subflows(1)
    s.move()


@row("the kernel closed its listener: it knows the token, and refuses the join", roles=("client",),
     remark="RFC 8684 3.2 asks for the token alone to decide; the kernel wants a listener too, "
            "and answers with a reset")
def kernel_closed_listener(s):
    s.connect()
    s.kernel.do("unlisten")
    s.plait.on("open_subflow", local=s.plait.addr(2), addr=s.kernel.addr(2), port=PORT)
    s.plait.event("subflow_closed")
    s.expect(plait={"MPJoinSynTx": 1}, kernel={"MPJoinAckRx": 0})
    s.move()


@row("plait closed its listener: the token decides, the join is accepted", roles=("server",))
def plait_closed_listener(s):
    s.connect()
    s.plait.do("unlisten")
    s.kernel.endpoint(2, "subflow")
    s.expect(kernel={"MPJoinSynTx": 1, "MPJoinSynAckRx": 1},
             plait={"MPJoinSynRx": 1, "MPJoinAckRx": 1})
    s.subflows(2)
    s.move()


@row("break before make: the only subflow is reset, another goes on", roles=("client",))
def break_before_make(s):
    s.connect()
    s.plait.on("close_subflow", subflow=1)
    s.kernel.event("subflow_closed")
    s.plait.on("open_subflow", local=s.plait.addr(2), addr=s.kernel.addr(2), port=PORT)
    s.expect(plait={"MPRstTx": 1, "MPJoinSynAckRx": 1}, kernel={"MPRstRx": 1, "MPJoinAckRx": 1})
    s.move()


@row("half-close: data goes on in the other direction", quick=True)
def half_close(s):
    two_subflows(s)
    for source, sink in ((s.client, s.server), (s.server, s.client)):
        if source is s.server:
            s.send(source)  # the client's direction is closed
        source.on("shutdown")
        sink.on("read")
    s.plait.on("finish")
    s.over = True


@row("DATA_FIN of both ends cross, and the first of each is lost", emulator="wire")
def fins_cross(s):
    two_subflows(s)
    for path in (1, 2):
        s.lab.set_path(path, up=False)
    for end in (s.client, s.server):
        end.on("shutdown")  # neither can know of the other's
    for path in (1, 2):
        s.lab.set_path(path, up=True)
    s.finish_reading()


@row("plait closes with bytes unread: the kernel learns that they were not")
def plait_closes_unread(s):
    two_subflows(s)
    s.kernel.on("write", bytes=MOVE_BYTES)
    s.plait.on("read", bytes=1)
    s.plait.on("close")
    s.broken(s.kernel)
    s.expect(plait={"MPFastcloseTx": 1}, kernel={"MPFastcloseRx": 1})


@row("both ends abort at once")
def both_abort(s):
    two_subflows(s)
    s.plait.on("write", bytes=MOVE_BYTES)
    s.kernel.on("read", bytes=1)
    asked = [(s.kernel, s.kernel.ask_on("close")), (s.plait, s.plait.ask_on("abort"))]
    for end, n in asked:
        end.answer(n)
    s.over = True
    s.check(lambda: not s.kernel.subflows(), "the kernel kept a subflow")


# ---- checksums ---------------------------------------------------------------------------


@row("checksums that both want", kernel={"checksum_enabled": 1}, config={"checksum": True},
     quick=True)
@row("checksums that the kernel alone wants", kernel={"checksum_enabled": 1})
@row("checksums that plait alone wants", config={"checksum": True})
def checksums(s):
    two_subflows(s)
    for end in (s.plait, s.kernel):
        if not end.on("info")["checksum"]:
            s.complain(f"{end} does without checksums")
    s.expect(plait={"DataCsumErr": 0}, kernel={"DataCsumErr": 0})
    s.move()


# ---- the kernel's path manager in user space ---------------------------------------------


@row("user-space path manager: the kernel announces, plait joins, the kernel removes",
     kernel={"pm_type": 1}, config={"path_manager": "fullmesh"}, roles=("client",), quick=True)
def userspace_announces(s):
    s.connect()
    token = s.kernel.token()
    s.kernel.do("announce", token=token, addr=s.kernel.addr(2), id=7)
    s.expect(kernel={"AddAddrTx": 1, "EchoAdd": 1, "MPJoinAckRx": 1},
             plait={"AddAddr": 1, "EchoAddTx": 1, "MPJoinSynAckRx": 1})
    s.subflows(2)
    s.move()
    s.kernel.do("remove", token=token, id=7)
    s.expect(kernel={"RmAddrTx": 1}, plait={"RmAddr": 1})
    s.subflows(1)
    s.move()


@row("user-space path manager: the kernel opens and closes a subflow", kernel={"pm_type": 1},
     roles=("server",), quick=True)
def userspace_creates(s):
    s.connect()
    token = s.kernel.token()
    s.kernel.do("create", token=token, local=s.kernel.addr(2), local_id=9, addr=s.plait.addr(2),
                port=PORT)
    made = s.kernel.event("subflow_established", local_id=9)
    s.expect(kernel={"MPJoinSynTx": 1, "MPJoinSynAckRx": 1},
             plait={"MPJoinSynRx": 1, "MPJoinAckRx": 1})
    s.subflows(2)
    s.move()
    s.kernel.do("destroy", token=token, local=s.kernel.addr(2), local_port=made["local_port"],
                addr=s.plait.addr(2), port=PORT)
    s.expect(kernel={"RmSubflow": 1})
    s.subflows(1)
    s.move()


@row("user-space path manager: the kernel changes a priority", kernel={"pm_type": 1},
     roles=("server",))
def userspace_priority(s):
    s.connect()
    token = s.kernel.token()
    s.kernel.do("create", token=token, local=s.kernel.addr(2), local_id=9, addr=s.plait.addr(2),
                port=PORT)
    made = s.kernel.event("subflow_established", local_id=9)
    s.subflows(2)
    s.kernel.do("set_backup", token=token, local=s.kernel.addr(2), local_port=made["local_port"],
                addr=s.plait.addr(2), port=PORT, backup=True)
    s.expect(kernel={"MPPrioTx": 1}, plait={"MPPrioRx": 1})
    s.check(lambda: s.plait.subflows()[1]["backup"], "plait does not know it for backup")
    only_first_path_carries(s)


@row("user-space path manager: plait announces, the kernel joins, plait removes",
     kernel={"pm_type": 1}, config={"announce": True}, roles=("server",))
def userspace_hears(s):
    s.connect()
    heard = s.kernel.event("addr_received")
    s.expect(plait={"AddAddrTx": 1, "EchoAdd": 1}, kernel={"AddAddr": 1, "EchoAddTx": 1})
    s.kernel.do("create", token=s.kernel.token(), local=s.kernel.addr(2), local_id=3,
                addr=heard["remote"], port=PORT)
    s.subflows(2)
    s.move()
    s.plait.do("remove_address", addr=s.plait.addr(2))
    s.kernel.event("addr_withdrawn")
    s.expect(plait={"RmAddrTx": 1}, kernel={"RmAddr": 1})
    s.subflows(1)
    s.move()


@row("user-space path manager: the server's end opens a subflow to the port it heard of",
     kernel={"pm_type": 1}, roles=("server",))
def userspace_announces_port(s):
    s.connect()
    s.kernel.listen_for_joins(2, JOIN_PORT)
    s.kernel.do("announce", token=s.kernel.token(), addr=s.kernel.addr(2), id=7, port=JOIN_PORT)
    s.expect(kernel={"AddAddrTx": 1, "EchoAdd": 1}, plait={"AddAddr": 1, "EchoAddTx": 1})
    s.plait.on("open_subflow", local=s.plait.addr(2), addr=s.kernel.addr(2), port=JOIN_PORT)
    s.expect(kernel={"MPJoinSynRx": 1, "MPJoinAckRx": 1}, plait={"MPJoinSynAckRx": 1})
    s.subflows(2)
    s.move()


# ---- handshakes ---------------------------------------------------------------------------


@row("the kernel's server answers with SYN cookies", roles=("client",), quick=True,
     kernel_tcp={"tcp_syncookies": 2})
def kernel_cookies(s):
    s.connect()
    s.plait.on("open_subflow", local=s.plait.addr(2), addr=s.kernel.addr(2), port=PORT)
    s.expect(kernel={"SyncookiesSent": 2, "SyncookiesRecv": 2, "MPCapableACKRX": 1,
                     "MPJoinAckRx": 1},
             plait={"MPCapableSYNACKRX": 1, "MPJoinSynAckRx": 1})
    s.subflows(2)
    s.move()


@row("plait offers version 0, which the kernel does not have", roles=("client",),
     expected_errors=("MPCapableFallbackSYNACK",))
def plait_offers_v0(s):
    s.connect(version="0")
    s.expect(plait={"MPCapableSYNTX": 1, "MPCapableFallbackSYNACK": 1},
             kernel={"MPCapableSYNRX": 0})
    plain_at_both_ends(s)
    s.move()


@row("plait has version 0 alone, and the kernel offers 1", roles=("server",),
     expected_errors=("MPCapableFallbackSYNACK",))
def plait_takes_v0_only(s):
    s.connect(server={"version": "0"})
    s.expect(kernel={"MPCapableSYNTX": 1, "MPCapableFallbackSYNACK": 1})
    plain_at_both_ends(s)
    s.move()


# ---- many ------------------------------------------------------------------------------------


@row("1000 connections at once, 1000 bytes each way", options={"ports": 1100})
def many(s):
    s.listen(echo=True)
    s.client.do("many", addr=s.server.addr(1), port=PORT, count=1000, bytes=1000)
    s.over = True
    s.expect(**{s.client.kind: {"MPCapableSYNTX": 1000, "MPCapableSYNACKRX": 1000},
                s.server.kind: {"MPCapableSYNRX": 1000, "MPCapableACKRX": 1000}})


# ---- plain TCP -----------------------------------------------------------------------------


@row("a plain TCP client", quick=True, expected_errors=("MPCapableFallbackACK",))
def plain_client(s):
    s.connect(multipath=False)
    plain_at_both_ends(s)
    s.expect(plait={"MPCapableSYNRX": 0}, kernel={"MPCapableSYNRX": 0})
    s.move()


@row("a plain TCP server", quick=True, expected_errors=("MPCapableFallbackSYNACK",))
def plain_server(s):
    s.connect(server={"multipath": False})
    plain_at_both_ends(s)
    s.expect(**{s.client.kind: {"MPCapableSYNTX": 1, "MPCapableFallbackSYNACK": 1}})
    s.move()


# ---- what rows have in common ------------------------------------------------------------------


def two_subflows(s):
    """A connection with a subflow on each path; the kernel's second address has ID 1."""
    if s.client is s.kernel:
        s.kernel.endpoint(2, "subflow", family=s.family)
        s.connect()
    else:
        s.kernel.endpoint(2, "signal", family=s.family)
        s.connect()
        s.plait.on("open_subflow", local=s.plait.addr(2, s.family),
                   addr=s.kernel.addr(2, s.family), port=PORT)
    s.subflows(2)


def plain_at_both_ends(s):
    s.check(lambda: not s.plait.on("info")["multipath"], "plait takes it for multipath")
    s.check(lambda: not s.kernel.on("info")["multipath"], "the kernel takes it for multipath")


def only_first_path_carries(s):
    """What is sent now goes over path 1 alone, in both directions. A busy machine can
    make an end believe that path 1 is dead, and repeat bytes on the other: then again."""
    for _ in range(10):
        before, repeated = s.path_bytes(), s.reinjected()
        s.move()
        if s.reinjected() == repeated:
            break
    carried = [b - a for a, b in zip(before, s.path_bytes())]
    if carried[0] < 2 * MOVE_BYTES or carried[1] > MOVE_BYTES // 20:
        s.complain(f"the paths carried {carried[0]} and {carried[1]} bytes")
