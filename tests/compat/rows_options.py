# SPDX-License-Identifier: MIT
"""Every option of SOL_SOCKET, IPPROTO_TCP, IP and SOL_MPTCP, names, poll bits and
errors: sockets.c, one binary, run under the kernel and under plait run. Lines that
differ have to be in differences.txt, with their reason.
"""
import pathlib
import re

from row import Row
from world import KERNEL, PLAIT, World, expect

HERE = pathlib.Path(__file__).resolve().parent


def lines_of(plait, protocol, by):
    sockets = pathlib.Path(plait).resolve().parent / "tests/compat/sockets"
    with World(plait) as world:
        peer = world.start(world.server, "mptcpize", "run", sockets, "peer", "7000")
        peer.wait_line("ready")
        run = [] if by == KERNEL else [plait, "run", "--carry", "10.0.0.0/8", "--"]
        client = world.start(world.client, *run, sockets, "client", world.host(), "7000", protocol)
        world.complete(client)
        server = world.start(world.client, *run, sockets, "server", "7001", protocol)
        server.wait_line("ready")
        world.start(world.server, "mptcpize", "run", "curl", "-sS", "-m", "3",
                    f"http://{world.addr(4, 1, 1)}:7001/")
        world.complete(server)
        return client.lines + server.lines


def known():
    """The expressions of differences.txt; what follows two blanks is the reason."""
    for line in (HERE / "differences.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            yield re.compile(line.split("  ")[0])


def compared(protocol):
    def body(world, _size):
        kernel, plait = (lines_of(world.plait, protocol, by) for by in (KERNEL, PLAIT))
        expect(len(kernel) == len(plait) > 700, f"{len(kernel)} and {len(plait)} lines")
        patterns = list(known())
        fresh = [f"kernel '{k}', plait '{p}'" for k, p in zip(kernel, plait)
                 if k != p and not any(r.fullmatch(p) for r in patterns)]
        expect(not fresh, f"{len(fresh)} new differences: {'; '.join(fresh[:5])}")
    return body


OPTION_ROWS = [
    Row("sockets.c", f"every option, {name}", compared(protocol),
        "754 lines (set, get, inheritance, errno, names, poll) as the kernel has them, but for "
        "those in tests/compat/differences.txt", needs=("curl", "mptcpize"), size=1, quick=1)
    for name, protocol in (("IPPROTO_TCP", "6"), ("IPPROTO_MPTCP", "262"))
]
