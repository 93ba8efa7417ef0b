# SPDX-License-Identifier: MIT
"""Rows: joins, announced and removed addresses, priorities."""
from rows import JOIN_PORT, only_first_path_carries, row, two_subflows
from transfer import PORT


# ---- joins -------------------------------------------------------------------------------


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


@row("the server joins the port that the client's host announced", roles=("server",),
     config={"path_manager": "fullmesh", "server_opens": True})
def server_joins_kernel(s):
    s.kernel.endpoint(2, "signal", "port", JOIN_PORT)
    s.connect()
    s.expect(kernel={"AddAddrTx": 1, "EchoAdd": 1, "MPJoinPortSynRx": 1, "MPJoinAckRx": 1},
             plait={"AddAddr": 1, "PortAdd": 1, "EchoAddTx": 1, "MPJoinSynAckRx": 1})
    s.subflows(2)
    s.move()


@row("the server joins the address that the client announced", roles=("client",),
     config={"client_announces": True})
def server_joins_plait(s):
    s.connect()
    s.expect(plait={"AddAddrTx": 1, "EchoAdd": 1, "MPJoinSynRx": 1, "MPJoinAckRx": 1},
             kernel={"AddAddr": 1, "EchoAddTx": 1, "MPJoinSynTx": 1, "MPJoinSynAckRx": 1})
    s.subflows(2)
    s.move()


@row("plait's server joins the client's first address: no listener, the kernel refuses",
     roles=("server",), config={"server_opens": True},
     remark="the kernel accepts joins at listeners alone (RFC 8684 3.2 asks for none)")
def server_refused(s):
    s.connect()
    s.plait.on("open_subflow", local=s.plait.addr(2), addr=s.kernel.addr(1),
               port=s.plait.remote_port())
    s.plait.event("subflow_closed")
    s.expect(plait={"MPJoinSynTx": 1}, kernel={"MPJoinAckRx": 0})
    s.subflows(1)
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


@row("fullmesh of two addresses by two", quick=True, roles=("server",),
     config={"announce": True})
def kernel_fullmesh(s):
    s.kernel.endpoint(1, "subflow", "fullmesh")
    s.kernel.endpoint(2, "subflow", "fullmesh")
    s.connect()
    s.expect(kernel={"MPJoinSynTx": 3, "MPJoinSynAckRx": 3, "AddAddr": 1},
             plait={"MPJoinSynRx": 3, "MPJoinAckRx": 3, "AddAddrTx": 1})
    s.subflows(4)
    s.move()


@row("fullmesh of two addresses by two", roles=("client",),
     config={"path_manager": "fullmesh", "subflows_wanted": 3})
def plait_fullmesh(s):
    for path in (1, 2):  # without a network: each of the kernel's can be reached from each
        s.plait.do("add_address", addr=s.plait.addr(path), prefix_len=0)
    s.kernel.endpoint(2, "signal")
    s.connect()
    s.expect(plait={"MPJoinSynTx": 3, "MPJoinSynAckRx": 3, "AddAddr": 1},
             kernel={"MPJoinSynRx": 3, "MPJoinAckRx": 3, "AddAddrTx": 1})
    s.subflows(4)
    s.move()


# ---- announcements -----------------------------------------------------------------------


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


@row("ADD_ADDR with a port from plait, joined there", roles=("server",), locals=(1,),
     config={"announce": True}, families=(4, 6),
     remark="IPv6: plait leaves the timestamps out of the segment, for which there is no room")
def plait_announces_port(s):
    s.plait.do("listen", port=JOIN_PORT)
    s.plait.do("add_address", addr=s.plait.addr(2, s.family), port=JOIN_PORT, prefix_len=24)
    s.connect()
    s.expect(plait={"AddAddrTx": 1, "EchoAdd": 1, "MPJoinPortSynRx": 1, "MPJoinPortAckRx": 1},
             kernel={"AddAddr": 1, "PortAdd": 1, "EchoAddTx": 1, "MPJoinSynAckRx": 1})
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


@row("REMOVE_ADDR from the kernel for its first address: the other subflow goes on",
     roles=("server",))
def kernel_removes_first(s):
    two_subflows(s)
    s.kernel.mptcp("endpoint", "delete", "id", 0, s.kernel.addr(1))
    s.expect(kernel={"RmAddrTx": 1}, plait={"RmAddr": 1})
    s.subflows(1)
    s.move()


@row("REMOVE_ADDR from plait for its first address: the other subflow goes on",
     roles=("client",))
def plait_removes_first(s):
    two_subflows(s)
    s.plait.do("remove_address", addr=s.plait.addr(1))
    s.expect(plait={"RmAddrTx": 1}, kernel={"RmAddr": 1})
    s.subflows(1)
    s.move()


# ---- priorities --------------------------------------------------------------------------


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


@row("the announced address is for backup: the answer to the join says so", roles=("client",),
     emulator="wire", config={"path_manager": "fullmesh"})
def kernel_backup_answer(s):
    s.kernel.endpoint(2, "signal", "backup")
    s.connect()
    s.expect(plait={"MPJoinSynAckRx": 1, "MPJoinSynAckBackupRx": 1}, kernel={"MPJoinAckRx": 1})
    s.check(lambda: s.plait.subflows()[1]["backup"], "plait does not know it for backup")
    s.send(s.client)
    s.move()


@row("the announced address is for backup: the answer to the join says so", roles=("server",),
     emulator="wire", locals=(1,), config={"announce": True})
def plait_backup_answer(s):
    s.plait.do("add_address", addr=s.plait.addr(2), prefix_len=24, backup=True)
    s.connect()
    s.expect(kernel={"MPJoinSynAckRx": 1, "MPJoinSynAckBackupRx": 1}, plait={"MPJoinAckRx": 1})
    s.subflows(2)
    only_first_path_carries(s)
