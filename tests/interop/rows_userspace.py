# SPDX-License-Identifier: MIT
"""Rows: the kernel's path manager in user space (net.mptcp.pm_type=1)."""
from rows import JOIN_PORT, only_first_path_carries, row
from transfer import PORT


# ---- the kernel's path manager in user space ---------------------------------------------


@row("user-space path manager: the kernel announces, plait joins, the kernel removes",
     kernel={"pm_type": 1}, config={"path_manager": "fullmesh"}, roles=("client",), quick=True)
def userspace_announces(s):
    s.connect()
    token = s.kernel.token()
    s.kernel.do("announce", token=token, addr=s.kernel.addr(2), id=7)
    joined = s.kernel.event("subflow_established", local_id=7)
    s.expect(kernel={"AddAddrTx": 1, "EchoAdd": 1, "MPJoinAckRx": 1},
             plait={"AddAddr": 1, "EchoAddTx": 1, "MPJoinSynAckRx": 1})
    s.subflows(2)
    s.move()
    s.kernel.do("remove", token=token, id=7)
    s.expect(kernel={"RmAddrTx": 1}, plait={"RmAddr": 1})
    # The subflow is the path manager's to close; plait may have been first.
    s.kernel.ask("destroy", token=token, local=s.kernel.addr(2), local_port=joined["local_port"],
                 addr=s.plait.addr(2), port=joined["remote_port"])
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
