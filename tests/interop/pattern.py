# SPDX-License-Identifier: MIT
"""The stream that the ends of a row send each other; pattern.h says why."""


def _period():
    x, out = 1, bytearray()
    for _ in range(65521):
        x = (x * 1103515245 + 12345) & 0x7fffffff
        out.append(x >> 16 & 0xff)
    return bytes(out)


PERIOD = _period()


def at(offset, size):
    """`size` bytes of the stream from `offset` on."""
    start = offset % len(PERIOD)
    return (PERIOD * ((start + size) // len(PERIOD) + 1))[start:start + size]
