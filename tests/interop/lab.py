# SPDX-License-Identifier: MIT
"""Two hosts joined by two paths, on one machine, with an emulator in between.

    client namespace            middle namespace           server namespace
      a1 10.1.1.1 ------------- x1   wire   y1 ------------- b1 10.1.1.2
      a2 10.1.2.1 ------------- x2   wire   y2 ------------- b2 10.1.2.2

Names carry the process id, so that labs run side by side; everything is
removed at the end, on signals too, and what a killed run left is removed by
the next. The client routes by source address, as a host with two providers
does; the server by destination. The emulator "direct" is none, on a wire of
1500-byte packets; without one (None) the veths that join the hosts keep their
offloads too.
"""
import atexit
import fcntl
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
PREFIX = "plaitlab"


class LabError(Exception):
    """Something in the lab did not do what it should, said in one sentence."""


def run(*words, check=True, input_text=None):
    done = subprocess.run(words, capture_output=True, text=True, input=input_text, timeout=60)
    if check and done.returncode != 0:
        raise LabError(f"{' '.join(words)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


def remove_leftovers():
    """Namespaces of runs that are gone."""
    for line in run("ip", "netns", "list", check=False).splitlines():
        name = line.split()[0]
        match = re.fullmatch(PREFIX + r"-(\d+)-\d+-[cms]", name)
        if match and not pathlib.Path(f"/proc/{match[1]}").exists():
            run("ip", "netns", "del", name, check=False)


def use_cubic(set_in_namespaces):
    """Make cubic the default congestion control of the lab's namespaces.

    A control that the machine does not allow to everybody cannot be set in a
    namespace, so the list is widened while that is done, under a lock because
    another lab may be doing the same.
    """
    allowed = pathlib.Path("/proc/sys/net/ipv4/tcp_allowed_congestion_control")
    with open(f"/run/{PREFIX}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        before = allowed.read_text().strip()
        widen = "cubic" not in before.split()
        if widen:
            allowed.write_text(before + " cubic")
        try:
            set_in_namespaces({"net/ipv4/tcp_congestion_control": "cubic"})
        finally:
            if widen:
                allowed.write_text(before)


class Program:
    """A process in a namespace, its output read by threads as it comes."""

    def __init__(self, words, stdin=subprocess.DEVNULL, pass_fds=()):
        self.words = words
        self.lines = []  # of standard output
        self.errors = []  # of standard error
        self._changed = threading.Condition()
        self._open = 0
        self._threads = []
        self.process = subprocess.Popen(words, stdin=stdin, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, pass_fds=pass_fds)
        self._watch(self._read, self.process.stdout, self.lines)
        self._watch(self._read, self.process.stderr, self.errors)

    def meter(self, fd, meter):
        """Let `meter` measure what the program writes to the pipe `fd`."""
        self._watch(self._drain, fd, meter)

    def _watch(self, what, *args):
        self._open += 1
        thread = threading.Thread(target=what, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _finish(self):
        with self._changed:
            self._open -= 1
            self._changed.notify_all()

    def _read(self, pipe, lines):
        for line in pipe:
            with self._changed:
                lines.append(line.decode(errors="replace").rstrip("\n"))
                self._changed.notify_all()
        self._finish()

    def _drain(self, fd, meter):
        while data := os.read(fd, 1 << 18):
            meter.add(data)
        os.close(fd)
        self._finish()

    def wait_for(self, what, seconds=10.0):
        """Until `what(self)` gives something true; that. Ends early with the program."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while not (found := what(self)):
                left = deadline - time.monotonic()
                if self._open == 0:
                    raise LabError(f"{self.name()} ended early: {self.complaint()}")
                if left <= 0 or not self._changed.wait(left):
                    if not (found := what(self)):
                        raise LabError(f"{self.name()} kept us waiting: {self.complaint()}")
                    break
            return found

    def wait_change(self, seconds):
        """Until the program says something, or so long."""
        with self._changed:
            self._changed.wait(seconds)

    def wait_line(self, pattern, seconds=10.0):
        """Until a line of either output matches; the match."""
        def found(self):
            for line in self.lines + self.errors:
                if match := re.search(pattern, line):
                    return match
            return None
        return self.wait_for(found, seconds)

    def finish(self, seconds=30.0):
        """Wait for the end; the exit code."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.stop()
            raise LabError(f"{self.name()} did not end in {seconds:.0f} s: "
                           f"{self.complaint()}") from None
        for thread in self._threads:
            thread.join(5)
        return self.process.returncode

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(3)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def name(self):
        words = self.words[3:] if self.words[:2] == ["ip", "netns"] else self.words
        words = words[1:] if words and words[0] == "exec" else words
        return " ".join(pathlib.Path(w).name if "/" in w else w for w in words[1:4])

    def complaint(self):
        return "; ".join(self.errors[-3:] or self.lines[-1:]) or "it said nothing"

    def events(self):
        """JSON objects on standard output, a line each."""
        for line in self.lines:
            if line.startswith("{"):
                try:
                    yield json.loads(line)
                except ValueError:
                    pass

    def object(self):
        """The JSON object that standard output is, or that a line of either output is."""
        for text in ["\n".join(self.lines)] + [x for x in self.lines + self.errors if x[:1] == "{"]:
            try:
                return json.loads(text)
            except ValueError:
                pass
        return None

    def wait_while_alive(self, event, seconds):
        """Wait for a threading.Event as long as the program lives; was it set?"""
        deadline = time.monotonic() + seconds
        while not event.wait(0.05):
            if self.process.poll() is not None or time.monotonic() > deadline:
                return event.is_set()
        return True

    def event(self, name, seconds):
        return self.wait_for(lambda p: next((e for e in p.events() if e.get("event") == name),
                                            None), seconds)


class Path:
    """One of the lab's paths: a rate, a one-way delay, a queue."""

    def __init__(self, mbit, delay_ms, queue_bytes):
        self.mbit, self.delay_ms, self.queue_bytes = mbit, delay_ms, queue_bytes

    def spec(self):
        return f"rate={self.mbit}mbit,delay={self.delay_ms}ms,queue={self.queue_bytes}B"

    def __str__(self):
        return f"{self.mbit} Mbit/s, {self.delay_ms} ms one way, queue {self.queue_bytes} bytes"


def paths_with_common_queue(*rates_and_delays):
    """Paths whose queues all hold one bandwidth-delay product of the slowest round trip."""
    bdp = max(int(mbit * 1e6 / 8 * 2 * delay_ms / 1e3) for mbit, delay_ms in rates_and_delays)
    return [Path(mbit, delay_ms, bdp) for mbit, delay_ms in rates_and_delays]


class Lab:
    count = 0
    keep = None  # a folder for what there is to look at afterwards

    def __init__(self, plait, paths, emulator="wire", checksum=False):
        self.plait, self.paths, self.emulator = plait, paths, emulator
        Lab.count += 1
        base = f"{PREFIX}-{os.getpid()}-{Lab.count}"
        self.client, self.middle, self.server = f"{base}-c", f"{base}-m", f"{base}-s"
        self.programs = []
        self.folder = tempfile.TemporaryDirectory(prefix=f"{PREFIX}-")
        self.wire = None
        atexit.register(self.close)
        try:
            self._build(checksum)
        except BaseException:
            self.close()
            raise

    # ---- construction -----------------------------------------------------

    def _build(self, checksum):
        for ns in (self.client, self.middle, self.server):
            run("ip", "netns", "add", ns)
        for ns in (self.client, self.server):
            self.sysctl(ns, {
                "net/mptcp/enabled": 1,
                "net/mptcp/checksum_enabled": int(checksum),
                "net/ipv4/conf/all/rp_filter": 0,
                "net/ipv4/conf/default/rp_filter": 0,
                "net/ipv4/tcp_no_metrics_save": 1,
                "net/ipv6/conf/all/accept_dad": 0,
                "net/ipv6/conf/default/accept_dad": 0,
            })
        self.sysctl(self.middle, {"net/ipv6/conf/all/disable_ipv6": 1,
                                  "net/ipv6/conf/default/disable_ipv6": 1})
        use_cubic(lambda setting: [self.sysctl(ns, setting) for ns in (self.client, self.server)])
        self._connect()
        self._address()
        self._limits()
        self._emulate()

    def _connect(self):
        numbers = range(1, len(self.paths) + 1)
        ends = [(self.client, "a"), (self.server, "b")]
        if self.emulator not in (None, "direct"):
            joins = [f"link add {inner}{i} netns {self.middle} type veth peer name {letter}{i} "
                     f"netns {ns}" for i in numbers for (ns, letter), inner in zip(ends, "xy")]
            ends += [(self.middle, "x"), (self.middle, "y")]
        else:
            joins = [f"link add a{i} netns {self.client} type veth peer name b{i} "
                     f"netns {self.server}" for i in numbers]
        run("ip", "-batch", "-", input_text="\n".join(joins))
        # On an emulated wire packets are what they are on a real one: 1500 bytes,
        # checksums finished.
        tune = "ethtool -K {} tso off gso off gro off tx off rx off; " if self.emulator else ""
        for ns, letter in ends:
            names = [f"{letter}{i}" for i in numbers]
            self.shell(ns, "; ".join(["ip link set lo up"]
                                     + [tune.format(n) + f"ip link set {n} up" for n in names]))

    def _address(self):
        numbers = range(1, len(self.paths) + 1)
        for version, bits, addr, more in ((4, 24, self.v4, ""), (6, 64, self.v6, " nodad")):
            for ns, letter, end in ((self.client, "a", 1), (self.server, "b", 2)):
                commands = [f"addr add {addr(i, end)}/{bits} dev {letter}{i}{more}"
                            for i in numbers]
                if end == 1:
                    for i in numbers:
                        commands += [
                            f"rule add from {addr(i, 1)} table {i}",
                            f"route add default via {addr(i, 2)} dev a{i} table {i}"]
                run("ip", "-n", ns, f"-{version}", "-batch", "-", input_text="\n".join(commands))

    def _limits(self):
        for ns in (self.client, self.server):
            run("ip", "-n", ns, "mptcp", "limits", "set", "subflow", "4", "add_addr_accepted", "4")

    def _emulate(self):
        if self.emulator == "wire":
            words = [self.plait, "wire"]
            for i, path in enumerate(self.paths, 1):
                words += ["--pair", f"x{i}", f"y{i}", path.spec()]
            words += ["--control", self.control_path()]
            self.wire = self.start(self.middle, *words)
            self.wire.wait_line(r"ready")
        elif self.emulator == "bridge":
            # No emulation beyond the rate: for working on the lab itself.
            for i, path in enumerate(self.paths, 1):
                self.shell(self.middle, f"""
                    ip link add br{i} type bridge && ip link set br{i} up
                    for d in x{i} y{i}; do
                        ip link set $d master br{i}
                        tc qdisc add dev $d root tbf rate {path.mbit}mbit burst 16kb \
                            limit {path.queue_bytes}
                    done""")
        elif self.emulator not in (None, "direct"):
            raise LabError(f"there is no emulator {self.emulator}")

    # ---- addresses and endpoints ------------------------------------------

    @staticmethod
    def v4(path, end):
        return f"10.1.{path}.{end}"

    @staticmethod
    def v6(path, end):
        return f"fd00:1:{path}::{end}"

    def addr(self, family, path, end):
        return self.v4(path, end) if family == 4 else self.v6(path, end)

    def endpoints(self, family):
        """Tell both kernels of the second path: the client joins, the server announces."""
        for i in range(2, len(self.paths) + 1):
            run("ip", "-n", self.client, "mptcp", "endpoint", "add", self.addr(family, i, 1),
                "dev", f"a{i}", "subflow")
            run("ip", "-n", self.server, "mptcp", "endpoint", "add", self.addr(family, i, 2),
                "dev", f"b{i}", "signal")

    # ---- programs ----------------------------------------------------------

    def start(self, ns, *words, stdin=subprocess.DEVNULL, pass_fds=()):
        program = Program(["ip", "netns", "exec", ns, *map(str, words)], stdin, pass_fds)
        self.programs.append(program)
        return program

    def start_metered(self, ns, meter, *words, stdin=subprocess.DEVNULL):
        """Start plait with --recv into a pipe that `meter` reads."""
        reader, writer = os.pipe()
        try:
            program = self.start(ns, *words, "--recv", f"/dev/fd/{writer}", stdin=stdin,
                                 pass_fds=(writer,))
        finally:
            os.close(writer)
        program.meter(reader, meter)
        return program

    def start_capture(self, letter):
        """Capture at the client's interfaces, as packets are on the wire."""
        path = self.file("wire.pcapng")
        interfaces = [w for i in range(1, len(self.paths) + 1) for w in ("-i", f"{letter}{i}")]
        self.capture = self.start(self.client, "dumpcap", "-q", "-w", path, *interfaces)
        self.capture.wait_line(r"File: ")
        return path

    def stop_capture(self):
        self.capture.process.send_signal(signal.SIGINT)
        self.capture.finish(10)

    def wait_listening(self, ns, port, seconds=10):
        """Until some program there listens on the port (for those that do not say so)."""
        deadline = time.monotonic() + seconds
        while f":{port} " not in self.shell(ns, "ss -Hltn"):
            if time.monotonic() > deadline:
                raise LabError(f"nothing listens on port {port}")

    def shell(self, ns, script):
        return run("ip", "netns", "exec", ns, "sh", "-euc", script)

    def sysctl(self, ns, settings):
        self.shell(ns, "; ".join(f"echo {value} >/proc/sys/{key}"
                                 for key, value in settings.items()))

    def file(self, name):
        return os.path.join(self.folder.name, name)

    # ---- the paths ----------------------------------------------------------

    def control_path(self):
        return self.file("wire.sock")

    def set_path(self, path, up):
        """Cut a path, silently: packets vanish, no link goes down. Or mend it."""
        word = "up" if up else "down"
        if self.emulator == "wire":
            run(self.plait, "wire", "--tell", self.control_path(), word, str(path))
        else:
            self.shell(self.middle, f"ip link set y{path} {'master br%d' % path if up else 'nomaster'}")

    def interface_bytes(self, ns, letter):
        """Received bytes of each path's interface."""
        links = json.loads(run("ip", "-n", ns, "-j", "-s", "link"))
        by_name = {link["ifname"]: link["stats64"]["rx"]["bytes"] for link in links}
        return [by_name[f"{letter}{i}"] for i in range(1, len(self.paths) + 1)]

    # ---- counters ------------------------------------------------------------

    def counters(self, ns):
        """The kernel's MPTCP and TCP counters there: {"MPJoinSynRx": 1, ...}."""
        rows = self.shell(ns, "cat /proc/net/netstat /proc/net/snmp").splitlines()
        found = {}
        for names, values in zip(rows[::2], rows[1::2]):
            for name, value in zip(names.split()[1:], values.split()[1:]):
                found[name] = int(value)
        return found

    # ---- the end ---------------------------------------------------------------

    def close(self):
        for program in reversed(self.programs):
            program.stop()
        if self.keep and self.programs:
            self._keep(os.path.join(self.keep, f"row-{Lab.count}"))
        self.programs = []
        for ns in (self.client, self.middle, self.server):
            if os.path.exists(f"/run/netns/{ns}"):
                run("ip", "netns", "del", ns, check=False)
        self.folder.cleanup()
        atexit.unregister(self.close)

    def _keep(self, folder):
        shutil.copytree(self.folder.name, folder, dirs_exist_ok=True,
                        ignore=lambda where, names: [n for n in names if n.endswith(".sock")])
        for number, program in enumerate(self.programs, 1):
            text = "\n".join([" ".join(program.words), *program.lines, "--- standard error",
                              *program.errors])
            pathlib.Path(folder, f"program-{number}.txt").write_text(text + "\n")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def exit_on_signals():
    """Let signals run the clean-up."""
    def leave(number, _):
        raise SystemExit(128 + number)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, leave)
