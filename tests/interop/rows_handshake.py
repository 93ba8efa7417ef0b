# SPDX-License-Identifier: MIT
"""Rows: what handshakes agree on, and how many there can be."""
from rows import JOIN_PORT, plain_at_both_ends, row, two_subflows
from scene import KB
from transfer import PORT

DENY_JOIN_ID0 = 1  # MPTCP_PM_EV_FLAG_DENY_JOIN_ID0: the peer's C flag
SYN_COOKIES_ALWAYS = 2  # PLAIT_SYN_COOKIES_ALWAYS
ECN_ASK = 1  # PLAIT_ECN_ASK


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


# ---- handshakes --------------------------------------------------------------------------


@row("C flag from the kernel: no join to its first address, one to another", quick=True,
     roles=("client",), kernel={"allow_join_initial_addr_port": 0})
def kernel_forbids_initial(s):
    s.connect()
    if not s.plait.refuses("open_subflow", local=s.plait.addr(2), addr=s.kernel.addr(1), port=PORT):
        s.complain("plait joins the kernel's first address")
    s.plait.on("open_subflow", local=s.plait.addr(2), addr=s.kernel.addr(2), port=PORT)
    s.expect(plait={"MPJoinSynTx": 1, "MPJoinSynAckRx": 1}, kernel={"MPJoinAckRx": 1})
    s.subflows(2)
    s.move()


@row("C flag from plait: no join to its first address, one to another", roles=("server",),
     quick=True, config={"announce": True, "no_join_initial": True})
def plait_forbids_initial(s):
    s.kernel.endpoint(2, "subflow")
    s.connect()
    if not s.kernel.event("conn_established")["flags"] & DENY_JOIN_ID0:
        s.complain("the kernel saw no C flag")
    s.expect(plait={"AddAddrTx": 1, "MPJoinSynRx": 1, "MPJoinAckRx": 1},
             kernel={"AddAddr": 1, "MPJoinSynTx": 1, "MPJoinSynAckRx": 1})
    s.subflows(2)
    for sub in s.plait.subflows()[1:]:
        s.check(lambda sub=sub: s.plait.addr(2) in sub["local"], "a join came to the first address")
    s.move()


@row("C flag from plait's client: the kernel's server joins the announced address alone",
     roles=("client",), config={"no_join_initial": True, "client_announces": True})
def plait_client_forbids(s):
    s.connect()
    if not s.kernel.event("conn_established")["flags"] & DENY_JOIN_ID0:
        s.complain("the kernel saw no C flag")
    s.expect(plait={"AddAddrTx": 1, "MPJoinSynRx": 1, "MPJoinAckRx": 1},
             kernel={"AddAddr": 1, "MPJoinSynTx": 1, "MPJoinSynAckRx": 1})
    s.subflows(2)
    s.check(lambda: s.plait.addr(2) in s.plait.subflows()[1]["local"],
            "a join came to the first address")
    s.move()


@row("C flag from the kernel's client: plait's server joins the announced address alone",
     roles=("server",), kernel={"allow_join_initial_addr_port": 0},
     config={"server_opens": True, "path_manager": "fullmesh"})
def kernel_client_forbids(s):
    s.kernel.endpoint(2, "signal", "port", JOIN_PORT)
    s.connect()
    if not s.plait.refuses("open_subflow", local=s.plait.addr(2), addr=s.kernel.addr(1),
                           port=s.plait.remote_port()):
        s.complain("plait joins the kernel's first address")
    s.expect(kernel={"AddAddrTx": 1, "MPJoinPortSynRx": 1, "MPJoinAckRx": 1},
             plait={"AddAddr": 1, "MPJoinSynTx": 1, "MPJoinSynAckRx": 1})
    s.subflows(2)
    s.move()


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


@row("plait's server answers with SYN cookies", roles=("server",), quick=True,
     config={"syn_cookies": SYN_COOKIES_ALWAYS})
def plait_cookies(s):
    s.kernel.endpoint(2, "subflow")
    s.connect()
    s.expect(plait={"SyncookiesSent": 1, "SyncookiesRecv": 1, "MPCapableACKRX": 1,
                    "MPJoinAckRx": 1},
             kernel={"MPCapableSYNACKRX": 1, "MPJoinSynAckRx": 1})
    s.subflows(2)
    s.move()


# ---- data on the SYN ------------------------------------------------------------------------


@row("TCP Fast Open with MPTCP: the second connection's data is on its SYN", quick=True,
     kernel_tcp={"tcp_fastopen": 3}, config={"fastopen": True}, families=(4, 6))
def fast_open(s):
    s.connect(server={"fastopen": True}, fastopen=True)  # asks for a cookie
    s.next_connection()
    s.open(fastopen=True, bytes=KB)
    s.server.on("read", bytes=KB)
    s.expect(**{s.client.kind: {"TCPFastOpenActive": 1, "MPCapableSYNACKRX": 2},
                s.server.kind: {"TCPFastOpenPassive": 1, "TCPFastOpenCookieReqd": 1,
                                "MPCapableSYNRX": 2, "MPCapableACKRX": 2}})
    s.move()
    s.check(lambda: s.plait.on("info")["multipath"], "plait fell back")
    s.check(lambda: s.kernel.on("info")["multipath"], "the kernel fell back")


@row("TCP Fast Open where the server has none: the data goes after the handshake",
     kernel_tcp={"tcp_fastopen": 1})
def fast_open_refused(s):
    s.connect(fastopen=True)
    s.next_connection()
    s.open(fastopen=True, bytes=KB)
    s.server.on("read", bytes=KB)
    s.expect(**{s.client.kind: {"MPCapableSYNACKRX": 2, "TCPFastOpenActive": 0},
                s.server.kind: {"MPCapableACKRX": 2, "TCPFastOpenPassive": 0}})
    s.move()


# ---- explicit congestion notification -----------------------------------------------------------


@row("ECN (RFC 3168) is agreed on and used", kernel_tcp={"tcp_ecn": 1}, config={"ecn": ECN_ASK})
def ecn(s):
    s.connect()
    s.move()
    s.check(lambda: all(f["ecn"] for f in s.plait.on("info")["subflows"]), "plait does not")
    s.expect(kernel={"InECT0Pkts": 10})


# ---- which path is first --------------------------------------------------------------------


@row("the preferred path is dead: the handshake on the other wins the race", roles=("client",),
     emulator="wire", quick=True)
def race(s):
    s.listen()
    s.lab.set_path(1, up=False)
    s.open(race=[[s.plait.addr(n), s.kernel.addr(n)] for n in (1, 2)])
    s.expect(plait={"MPCapableSYNTX": 2, "MPCapableSYNACKRX": 1},
             kernel={"MPCapableSYNRX": 1, "MPCapableACKRX": 1})
    s.subflows(1)
    s.check(lambda: s.kernel.addr(2) in s.plait.subflows()[0]["remote"], "it runs on path 1")
    s.move()
    s.lab.set_path(1, up=True)
    s.plait.on("open_subflow", local=s.plait.addr(1), addr=s.kernel.addr(1), port=PORT)
    s.expect(plait={"MPJoinSynAckRx": 1}, kernel={"MPJoinAckRx": 1})
    s.subflows(2)
    s.move()


@row("two handshakes at once: the kernel's end of the one that came late is reset",
     roles=("client",), emulator="wire", config={"race_delay_us": 10000})
def race_both(s):
    s.listen()
    s.open(race=[[s.plait.addr(n), s.kernel.addr(n)] for n in (2, 1)])
    s.expect(plait={"MPCapableSYNTX": 2, "MPCapableSYNACKRX": 1, "OutRsts": 1},
             kernel={"MPCapableSYNRX": 2, "MPCapableACKRX": 1})
    s.subflows(1)
    s.check(lambda: s.kernel.addr(1) in s.plait.subflows()[0]["remote"], "the slower path won")
    s.move()


# ---- many --------------------------------------------------------------------------------


@row("1000 connections at once, 1000 bytes each way", options={"ports": 1100})
def many(s):
    s.listen(echo=True)
    s.client.do("many", addr=s.server.addr(1), port=PORT, count=1000, bytes=1000)
    s.over = True
    s.expect(**{s.client.kind: {"MPCapableSYNTX": 1000, "MPCapableSYNACKRX": 1000},
                s.server.kind: {"MPCapableSYNRX": 1000, "MPCapableACKRX": 1000}})


# ---- plain TCP ---------------------------------------------------------------------------


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
