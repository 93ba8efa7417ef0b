# SPDX-License-Identifier: MIT
"""Rows: how subflows and connections end."""
from rows import row, two_subflows
from scene import MOVE_BYTES
from transfer import PORT


# ---- the end of subflows and connections -------------------------------------------------


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
