# SPDX-License-Identifier: MIT
"""A row of the table: what is done, and what is said of it."""
import dataclasses
import shutil

MB = 1_000_000


@dataclasses.dataclass
class Row:
    program: str
    title: str
    body: object  # called with the world and a size; raises where something is wrong
    asserts: str
    needs: tuple = ()  # programs
    size: int = 500 * MB  # of what is transferred
    quick: int = 0  # the same in a quick run; 0: not a part of it

    def name(self):
        return f"{self.program}: {self.title}"

    def missing(self):
        return [word for word in self.needs if not shutil.which(word)]
