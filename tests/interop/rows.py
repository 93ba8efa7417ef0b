# SPDX-License-Identifier: MIT
"""What rows are made of. Each is about one feature, with plait as client and as
server where that makes a difference; rows_*.py have them, by theme. scene.py
says what is done around every body.
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


# ---- what rows have in common ------------------------------------------------------------


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
