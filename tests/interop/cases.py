# SPDX-License-Identifier: MIT
"""The rows of the table."""
import itertools

import rows_paths  # noqa: F401 (each adds its rows to ROWS, in this order)
import rows_ends  # noqa: F401
import rows_userspace  # noqa: F401
import rows_handshake  # noqa: F401
from perf_row import PerfFastOpen
from rows import ROWS
from transfer import Case
from web import WebCase

# Who sends to whom: client, server, which of them sends. Each pair with plait
# as client and as server.
PAIRS = (
    ("plait", "plait", "client"), ("plait", "plait", "server"),
    ("plait", "kernel", "client"), ("kernel", "plait", "server"),
    ("kernel", "plait", "client"), ("plait", "kernel", "server"))
REFERENCE = (("kernel", "kernel", "client"), ("kernel", "kernel", "server"))
TCP = (
    ("plait", "tcp", "client"), ("plait", "tcp", "server"),
    ("tcp", "plait", "client"), ("tcp", "plait", "server"))

MB = 1_000_000


def moves(group, pairs, families=(4, 6), checksums=(False, True), **more):
    for checksum, family, (client, server, sender) in itertools.product(checksums, families, pairs):
        yield Case(group, client, server, sender, family, checksum, **more)


def full():
    return [
        *ROWS,
        *moves("move", REFERENCE, (4, 6), (False,)),
        *moves("move", PAIRS),
        *moves("cut", REFERENCE, cut=True),
        *moves("cut", PAIRS, cut=True),
        *moves("tcp", TCP, checksums=(False,), size=50 * MB),
        *(WebCase(kind, family) for kind in ("nginx", "curl") for family in (4, 6)),
        *(PerfFastOpen(family=family) for family in (4, 6)),
        *moves("capture", PAIRS, capture=True, size=10 * MB),
    ]


def quick():
    return [
        *(row for row in ROWS if row.quick),
        *moves("move", PAIRS, (4,), (False,), capture=True, size=10 * MB),
        *moves("move", PAIRS[2:5:2], (6,), (True,), capture=True, size=10 * MB),
        *moves("cut", PAIRS[::2], (4,), (False,), cut=True, size=10 * MB),
        *moves("tcp", TCP[::2], (4,), (False,), capture=True, size=10 * MB),
        WebCase("nginx", 4, 10 * MB), WebCase("curl", 6, 10 * MB), PerfFastOpen(),
    ]
