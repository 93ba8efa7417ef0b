# SPDX-License-Identifier: MIT
"""What a receiver sees of a stream: how much, how fast, how evenly, its hash.

Both ends of the lab are measured by this one class, outside plait: inside the
kernel's peer program, and behind the pipe that plait writes to.
"""
import hashlib
import time


class Meter:
    def __init__(self, mark_bytes=None, on_mark=None):
        self.bytes = 0
        self.longest_pause_s = 0.0
        self.first_at = self.last_at = None
        self.mark_bytes, self.on_mark = mark_bytes, on_mark
        self._hash = hashlib.sha256()
        self._second_one = None  # (when, bytes) when the first second was over

    def add(self, data):
        now = time.monotonic()
        if self.first_at is None:
            self.first_at = now
        else:
            self.longest_pause_s = max(self.longest_pause_s, now - self.last_at)
        self.last_at = now
        self.bytes += len(data)
        if self._second_one is None and now - self.first_at >= 1.0:
            self._second_one = (now, self.bytes)
        self._hash.update(data)
        if self.mark_bytes is not None and self.bytes >= self.mark_bytes:
            self.mark_bytes = None
            self.on_mark()

    def result(self):
        """Figures as a dictionary; rates in bits a second."""
        duration = (self.last_at - self.first_at) if self.bytes else 0.0
        after = None
        if self._second_one and self.last_at > self._second_one[0] + 1.0:  # enough to say so
            after = (self.bytes - self._second_one[1]) * 8 / (self.last_at - self._second_one[0])
        return {
            "bytes": self.bytes,
            "sha256": self._hash.hexdigest(),
            "duration_s": round(duration, 4),
            "bits_per_second": round(self.bytes * 8 / duration) if duration else None,
            "bits_per_second_after_1s": round(after) if after else None,
            "longest_pause_s": round(self.longest_pause_s, 4),
        }
