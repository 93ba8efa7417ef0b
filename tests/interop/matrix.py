#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The middlebox matrix with the kernel's MPTCP: kernel to kernel, and plait with
the kernel both ways, through `plait wire --box` between two namespaces; beside
it what `plait sim matrix` says of plait alone. Writes docs/middleboxes.md.

A cell moves a few hundred kB, in either direction, and ends with both programs
or when its time is up. It says whether the bytes are intact, whether Multipath
TCP was kept, and who hangs. Needs root.
"""
import argparse
import collections
import concurrent.futures
import dataclasses
import hashlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import time

import lab
from lab import HERE, Lab, LabError

ROOT = HERE.parent.parent
PLACES = ("only", "first", "joined")
PAIRS = (("kernel", "kernel"), ("plait", "kernel"), ("kernel", "plait"))
CELL_S = 20
SIZE = 300_000

# So that a dead path is found dead within a cell's time, by either:
# four retransmissions instead of fifteen, and no memory of paths that swallow SYNs.
# A connection without any subflow is given up after CLOSE_S at both.
CLOSE_S = 5
SETTINGS = {
    "net/ipv4/tcp_retries2": 4, "net/ipv4/tcp_orphan_retries": 2,
    "net/mptcp/blackhole_timeout": 0, "net/mptcp/close_timeout": CLOSE_S,
}


@dataclasses.dataclass(frozen=True)
class Cell:
    row: str
    boxes: tuple  # as `plait wire` takes them, from A to B
    client: str
    server: str
    place: str
    to_client: bool
    checksum: bool


@dataclasses.dataclass
class Outcome:
    end: str  # MPTCP, TCP, error, hangs
    data: str  # intact, cut off, changed
    seconds: float
    note: str = ""

    def text(self):
        return self.end if self.data == "intact" else f"{self.end}, data {self.data}"


def boxes_of(row, to_client):
    """The row's boxes for data in this direction, in the order from A to B."""
    ahead, behind = ("back", "there") if to_client else ("there", "back")
    boxes = [b.replace("@", ahead).replace("~", behind) for b in row["boxes"].split()]
    return tuple(reversed(boxes) if to_client else boxes)


def cells(rows):
    for row in rows:
        for checksum in (False, True) if row["checksum_matters"] else (False,):
            for client, server in PAIRS:
                for place in PLACES:
                    if place == "only" and "plait" in (client, server):
                        continue  # one path, one subflow: the simulator's matter
                    # With plait at one end it sends once and receives once.
                    for to_client in (False, True) if client == server else (False,):
                        yield Cell(row["row"], boxes_of(row, to_client), client, server, place,
                                   to_client, checksum)


class End:
    """One program of a cell."""

    def __init__(self, where, ns, kind, role, cell, port, file):
        self.kind, self.role, self.lab = kind, role, where
        self.sends = (role == "server") == cell.to_client
        self.got = where.file(f"{role}-{port}")
        host = where.v4(1, 2)
        if kind == "plait":
            words = [where.plait, *(["listen", port] if role == "server"
                                    else ["connect", host, port]), "--json", "--recv", self.got]
            words += ["--break-timeout", f"{CLOSE_S}s", "--retries", "4", "--keepalive", "1s"]
            words += ["--checksum"] if cell.checksum else []
            # No half-close at once by a reader: with one, Linux opens no subflows.
            words += ["--send", file if self.sends else "/dev/null"]
            words += [] if self.sends else ["--keep-open"]
        else:
            words = [HERE / "peer.py", "listen" if role == "server" else "connect", host, port]
            words += ["--send", file] if self.sends else []
        self.program = where.start(ns, *words)
        if role == "server":
            self.program.wait_line(r'"ready"|listening')

    def stop(self):
        self.program.stop()
        self.lab.programs.remove(self.program)

    def report(self, ended):
        """bytes, sha256, multipath and error as far as the program told."""
        if self.kind == "kernel":
            done = next((e for e in self.program.events() if e["event"] == "done"), {})
            return {"bytes": done.get("bytes"), "sha256": done.get("sha256"),
                    "multipath": done.get("multipath"), "error": done.get("error")}
        data = pathlib.Path(self.got).read_bytes() if os.path.exists(self.got) else b""
        told = self.program.object() or {}
        code = self.program.process.returncode
        return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest(),
                "multipath": told.get("multipath"),
                "error": self._complaint(code) if code and ended else None}

    def _complaint(self, code):
        lines = [x for x in self.program.errors if x[:1] != "{" and "listening" not in x]
        return lines[-1] if lines else f"exit code {code}"


def judge(ends, ended, digest, seconds):
    reports = [e.report(over) for e, over in zip(ends, ended)]
    reader = next(r for e, r in zip(ends, reports) if not e.sends)
    data = ("intact" if reader["sha256"] == digest and reader["bytes"] == SIZE else
            "changed" if (reader["bytes"] or 0) >= SIZE else "cut off")
    errors = [f"{e.kind} {e.role}: {r['error']}" for e, r in zip(ends, reports) if r["error"]]
    waits = [e for e, over in zip(ends, ended) if not over]
    note = "; ".join(errors + [f"{e.kind} {e.role} waits" for e in waits])
    if errors:
        return Outcome("error" if not waits else "error at one end", data, seconds, note)
    if waits:
        return Outcome("hangs", data, seconds, note)
    kept = all(r["multipath"] for r in reports)
    return Outcome("MPTCP" if kept else "TCP", data, seconds, note)


class Bench:
    """A lab that runs one cell after another."""

    def __init__(self, plait, file, digest):
        self.file, self.digest, self.port, self.set_up = file, digest, 5000, None
        self.lab = Lab(plait, [lab.Path(20, 5, 100_000), lab.Path(20, 5, 100_000)])
        for ns in (self.lab.client, self.lab.server):
            self.lab.sysctl(ns, SETTINGS)

    def tell(self, *words):
        return lab.run(self.lab.plait, "wire", "--tell", self.lab.control_path(), *map(str, words))

    def prepare(self, cell):
        if self.set_up != (cell.checksum, cell.place == "only"):
            for ns in (self.lab.client, self.lab.server):
                lab.run("ip", "-n", ns, "mptcp", "endpoint", "flush", check=False)
                self.lab.sysctl(ns, {"net/mptcp/checksum_enabled": int(cell.checksum)})
            if cell.place != "only":
                self.lab.endpoints(4)
            self.set_up = (cell.checksum, cell.place == "only")
        pair = 2 if cell.place == "joined" else 1
        # Where a NAT of this pair's path makes flows come from (RFC 5737).
        lab.run("ip", "-n", self.lab.server, "route", "replace", "192.0.2.0/24", "via",
                self.lab.v4(pair, 1), "dev", f"b{pair}")
        for box in cell.boxes:
            self.tell("box", pair, "add", box)
        return pair

    def run(self, cell):
        self.port += 1
        began = time.monotonic()
        pair = self.prepare(cell)
        ends = []
        try:
            for ns, kind, role in ((self.lab.server, cell.server, "server"),
                                   (self.lab.client, cell.client, "client")):
                ends.append(End(self.lab, ns, kind, role, cell, self.port, self.file))
            started = time.monotonic()
            ended = [self._finish(e, started + CELL_S) for e in ends]
            outcome = judge(ends, ended, self.digest, round(time.monotonic() - began, 1))
        except LabError as error:
            outcome = Outcome("error", "cut off", round(time.monotonic() - began, 1), str(error))
        finally:
            for end in ends:
                end.stop()
            for _ in cell.boxes:
                self.tell("box", pair, "remove", 1)
        return outcome

    @staticmethod
    def _finish(end, deadline):
        try:
            end.program.finish(max(0.1, deadline - time.monotonic()))
            return True
        except LabError:
            return False


def run_cells(plait, wanted, workers, folder):
    path = os.path.join(folder, "data")
    data = os.urandom(SIZE)
    pathlib.Path(path).write_bytes(data)
    os.chmod(folder, 0o755)
    digest = hashlib.sha256(data).hexdigest()
    results, todo, lock = {}, collections.deque(wanted), threading.Lock()

    def work():
        bench = Bench(plait, path, digest)
        try:
            while True:
                with lock:
                    if not todo:
                        return
                    cell = todo.popleft()
                outcome = bench.run(cell)
                with lock:
                    results[cell] = outcome
                    print(f"{len(results):4} {cell.row:24} {cell.client} -> {cell.server} "
                          f"{cell.place:6} {'down' if cell.to_client else 'up':4} "
                          f"{'checksums' if cell.checksum else '':9} {outcome.seconds:5.1f} s  "
                          f"{outcome.text()} {outcome.note}", flush=True)
        finally:
            bench.lab.close()

    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        for future in [pool.submit(work) for _ in range(workers)]:
            future.result()
    return results


# ---- the document ----------------------------------------------------------------------------

HEAD = """# Middleboxes

What becomes of a connection when something stands in its path. Generated by
`tests/interop/matrix.py` (part of `make interop`); the rows and what must come of
them are `sim/matrix_rows.c`, the boxes are `plait sim boxes`.

Three places: on the only path, on the path of the first subflow of two, on the
path of the joined one. A cell says how the connection ended (MPTCP: kept; TCP: both
ends went on as plain TCP) and, if the bytes were not intact, how they came out.
"up" is data from client to server, "down" from server to client.
The end that reads ends its own stream last: Linux finishes no join once it has had
the peer's DATA_FIN, and then falls silent where it has to fall back.

plait's columns are the simulator's (`plait sim matrix`): both versions, with and
without checksums, every cell held against the row's expectation. The kernel's are
of Linux {kernel} with itself, through `plait wire --box`, MPTCP v1, checksums off
unless it says otherwise; a cell has {seconds} seconds and four retransmissions
(`tcp_retries2`) to end in, and a connection without a subflow is given up after
{close} seconds, by plait too. "waits" is an end that had not ended by then.
Time is real there: a box that acts early may do so before or after the second
subflow has joined, and such a cell may differ from run to run.
"""


def merged(outcomes):
    """{(direction, checksums): text} in as few words as say it."""
    texts = list(dict.fromkeys(outcomes.values()))
    if len(texts) == 1:
        return texts[0]
    return "<br>".join(f"{', '.join(name for name, text in outcomes.items() if text == t)}: {t}"
                       for t in texts)


def kernel_text(results, row, client, server, place):
    found = {}
    for cell, outcome in results.items():
        if (cell.row, cell.client, cell.server, cell.place) == (row, client, server, place):
            name = "down" if cell.to_client else "up"
            found[name + (" with checksums" if cell.checksum else "")] = outcome.text()
    return merged(dict(sorted(found.items()))) if found else ""


def plait_text(sim, row, place):
    found = {}
    for cell in sim:
        if (cell["row"], cell["place"]) != (row, place):
            continue
        text = cell["end"] + (f" ({cell['why']})" if cell["end"] == "TCP" else "")
        if cell["data"] != "intact":
            text += f", data {cell['data']}"
        found.setdefault(text, []).append(cell)
    if len(found) == 1:
        return next(iter(found))
    return "<br>".join(f"{share(cells_, place)}: {text}" for text, cells_ in found.items())


def share(cells_, _):
    """What the cells of one outcome have in common."""
    words = []
    for key, names in (("version", {1: "v1", 0: "v0"}), ("checksum", {True: "checksums",
                                                                      False: "none"}),
                       ("to", {"server": "up", "client": "down"})):
        values = {c[key] for c in cells_}
        if len(values) == 1:
            words.append(names[values.pop()])
    return ", ".join(words) or "some"


def rank(outcome_end, data):
    """Worse is higher: to compare the kernel's cell with plait's."""
    if data in ("changed", "wrong", "as rewritten") and outcome_end != "TCP":
        return 4  # as plain TCP it is what the box makes of any connection
    order = {"MPTCP": 0, "TCP": 1, "error": 2, "error at one end": 3, "hangs": 4}
    return order.get(outcome_end, 4)


def differences(results, sim, rows):
    """Sentences where the kernel does worse than plait in the same cell, and the
    other way round."""
    worse, better = [], []
    by_key = {(c["row"], c["place"], c["to"], c["checksum"]): c for c in sim if c["version"] == 1}
    what = {r["row"]: r["what"] for r in rows}
    for cell, outcome in results.items():
        if (cell.client, cell.server) != ("kernel", "kernel"):
            continue
        ours = by_key[(cell.row, cell.place, "client" if cell.to_client else "server",
                       cell.checksum)]
        theirs, own = rank(outcome.end, outcome.data), rank(ours["end"], ours["data"])
        sentence = (f"- {what[cell.row]} ({cell.place}, {'down' if cell.to_client else 'up'}"
                    f"{', checksums' if cell.checksum else ''}): kernel {outcome.text()}"
                    f"{' (' + outcome.note + ')' if outcome.note else ''}; plait {ours['end']}"
                    f"{'' if ours['data'] == 'intact' else ', data ' + ours['data']}.")
        (worse if theirs > own else better if theirs < own else []).append(sentence)
    return worse, better


def write_document(path, rows, sim, results):
    kernel = os.uname().release.split("-")[0]
    out = [HEAD.format(kernel=kernel, seconds=CELL_S, close=CLOSE_S)]
    out.append("| what stands in the path | boxes | place | plait | kernel | plait client, "
               "kernel server | kernel client, plait server |")
    out.append("|---|---|---|---|---|---|---|")
    for row in rows:
        for place in PLACES:
            first = place == "only"
            columns = [row["what"] if first else "", f"`{row['boxes']}`" if first else "", place,
                       plait_text(sim, row["row"], place)]
            columns += [kernel_text(results, row["row"], *pair, place) for pair in PAIRS]
            out.append("| " + " | ".join(columns) + " |")
    worse, better = differences(results, sim, rows)
    out += ["", "## Where the kernel loses more than plait", "",
            "Data changed or cut off, a hang, an error, or MPTCP given up by the kernel with "
            "itself, where plait with itself (in the simulator) comes out better in the same "
            "cell:", "", *(worse or ["Nowhere."])]
    out += ["", "## Where plait loses more than the kernel", "", *(better or ["Nowhere."]), ""]
    pathlib.Path(path).write_text("\n".join(out))
    return worse, better


def complaints(results):
    """What must not be, with plait at one end: wrong bytes that plait reads without an error
    where checksums or an untouched payload protect them, and a plait end that waits."""
    found = []
    for cell, outcome in results.items():
        if "plait" not in (cell.client, cell.server):
            continue
        rewrites = cell.row.startswith(("edit", "alg"))
        plait_reads = "plait" == (cell.client if cell.to_client else cell.server)
        where = f"{cell.row}, {cell.client} -> {cell.server}, {cell.place}, " \
                f"{'down' if cell.to_client else 'up'}"
        if outcome.data == "changed" and plait_reads and not rewrites:
            found.append(f"{where}: the data arrived changed")
        if outcome.data == "cut off" and plait_reads and outcome.end in ("MPTCP", "TCP"):
            found.append(f"{where}: an end before the last byte, and no error")
        if "plait" in outcome.note and "waits" in outcome.note and outcome.end == "hangs":
            found.append(f"{where}: {outcome.note}")
    return found


def sim_rows(plait, *words):
    done = subprocess.run([plait, "sim", "matrix", *words], capture_output=True, text=True,
                          check=False, timeout=1200)
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--plait", default=str(ROOT / "build/plait"))
    parser.add_argument("--only", action="append", metavar="ROW", help="may be given again")
    parser.add_argument("--workers", type=int, default=4, help="labs at a time")
    parser.add_argument("--document", metavar="FILE", help="write it there "
                        "(default with all rows: docs/middleboxes.md)")
    parser.add_argument("--json", metavar="FILE", help="write every cell there")
    args = parser.parse_args(argv)
    if os.geteuid() != 0:
        print("the lab makes network namespaces: run it as root", file=sys.stderr)
        return 77
    plait = os.path.abspath(args.plait)
    rows = sim_rows(plait, "--list", *(args.only or ()))
    if not rows:
        print("no such row: plait sim matrix --list names them", file=sys.stderr)
        return 2
    lab.exit_on_signals()
    lab.remove_leftovers()
    with tempfile.TemporaryDirectory(prefix=lab.PREFIX) as folder:
        wanted = sorted(cells(rows), key=lambda c: (c.checksum, c.place == "only"))
        results = run_cells(plait, wanted, args.workers, folder)
    sim = sim_rows(plait, "--json", *(args.only or ()))
    document = args.document or (None if args.only else ROOT / "docs/middleboxes.md")
    if document:
        worse, better = write_document(document, rows, sim, results)
        print(f"\n{document}: the kernel does worse in {len(worse)} cells, better in {len(better)}")
    if args.json:
        pathlib.Path(args.json).write_text(json.dumps(
            [{**dataclasses.asdict(c), **dataclasses.asdict(o)} for c, o in results.items()],
            indent=1))
    found = complaints(results)
    for complaint in found:
        print("FAIL ", complaint)
    print(f"{len(results)} cells, {len(found)} failed")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
