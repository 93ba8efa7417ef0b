#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""plaitd by itself: its folder and lock, who may come, requests that are wrong,
addresses, SIGHUP, SIGTERM and SIGKILL. In a network namespace of its own; needs
root, exits 77 (skipped) without. What it does for programs is tests/compat's."""
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

PLAIT = sys.argv[1]
NOBODY = 65534


# A leak checker stops and looks into its own threads, which the sandbox forbids: a
# daemon has either of them.
CHECKED = "ASAN_OPTIONS" in os.environ
NO_LEAKS = {**os.environ, "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"}


class Daemon:
    """A plaitd that is ready."""

    def __init__(self, folder, *options, sandbox=not CHECKED):
        words = ["plaitd", "--folder", folder, *options, *([] if sandbox else ["--no-sandbox"])]
        self.process = subprocess.Popen(words, executable=PLAIT, stderr=subprocess.PIPE, text=True,
                                        env=NO_LEAKS if sandbox else None)
        self.said = []
        self.wait_for("ready")

    def wait_for(self, word):
        for line in self.process.stderr:
            self.said.append(line)
            if line.startswith(word):
                return line
        raise AssertionError(f"no '{word}' from plaitd: {self.said}")

    def end(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        code = self.process.wait()
        self.process.stderr.close()
        return code


def plait(folder, *words, uid=None):
    done = subprocess.run([PLAIT, *words, "--folder", folder], capture_output=True, text=True,
                          user=uid, group=uid, extra_groups=[] if uid else None)
    return done.returncode, done.stdout, done.stderr


def lines(folder, data):
    """What comes back for these bytes, until the daemon ends the connection or
    has answered every line."""
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(f"{folder}/control")
        s.sendall(data)
        s.shutdown(socket.SHUT_WR)
        return [json.loads(line) for line in s.makefile()]


def check(what, condition, seen):
    print(("ok    " if condition else "FAIL  ") + what, "" if condition else repr(seen))
    return not condition


def test_wrong_requests(folder):
    rows = [(b"{\n", "bad-request"), (b"[]\n", "bad-request"), (b'{"do":"status"}\n', "bad-request"),
            (b'{"plait":2,"do":"status"}\n', "bad-version"),
            (b'{"plait":1,"do":"fly"}\n', "bad-request"),
            (b'{"plait":1,"do":"close","conn":1}\n', "no-connection"),
            (b'{"plait":1,"do":"close","conn":"1"}\n', "bad-request"),
            (b'{"plait":1,"do":"set","cc":"nonesuch"}\n', "unknown-name"),
            (b'{"plait":1,"do":"addr","addr":"10.0.0.1","port":65536}\n', "bad-request"),
            (b'{"plait":1,"do":"status","limit":-1}\n', "bad-request"),
            (b"x" * 70000, "bad-request")]
    failed = 0
    for data, error in rows:
        answers = lines(folder, data)
        failed += check(f"{data[:40]} is answered with {error}",
                        len(answers) == 1 and answers[0].get("error") == error, answers)
    answers = lines(folder, b'{"plait":1,"do":"status"}\n' * 3)
    return failed + check("three requests, three answers",
                          [a["ok"] for a in answers] == [True] * 3, answers)


def test_addresses(folder):
    failed = 0
    code, _, said = plait(folder, "addr", "10.1.1.1", "backup", "no-announce", "port", "8443")
    failed += check("an address is changed", code == 0, said)
    _, out, _ = plait(folder, "addr", "--json")
    by_name = {a["addr"]: a for a in json.loads(out)["addresses"]}
    a = by_name.get("10.1.1.1", {})
    failed += check("and shows it", a.get("backup") and not a.get("announced") and
                    a.get("port") == 8443 and a.get("present"), by_name)
    plait(folder, "addr", "10.1.1.1", "unuse")
    _, out, _ = plait(folder, "addr")
    failed += check("an address is unused", "10.1.1.1" in out and "unused" in out, out)
    plait(folder, "addr", "10.7.7.7", "backup")
    _, out, _ = plait(folder, "addr")
    failed += check("one that is not there is remembered", "10.7.7.7" in out and "absent" in out,
                    out)
    return failed


def test_who_may_come(base):
    folder = f"{base}/private"
    d = Daemon(folder)
    code, _, said = plait(folder, "status", uid=NOBODY)
    failed = check("another user may not come", code == 3 and "group" in said, (code, said))
    failed += check("SIGTERM ends it well", d.end() == 0, d.said)
    d = Daemon(folder, "--everybody")
    code, out, said = plait(folder, "status", uid=NOBODY)
    failed += check("with --everybody it may", code == 0, said)
    own, = lines(folder, b'{"plait":1,"do":"status","limit":1}\n')
    failed += check("sums are shown to root", own["paths"] == [] and own["more"] == 0 and
                    "addr_local_added" in own["reasons"], own)
    code, out, said = plait(folder, "status", "--json", uid=NOBODY)
    failed += check("and to nobody else", code == 0 and not {"paths", "reasons"} & set(json.loads(out)),
                    out)
    code, _, said = plait(folder, "set", "--scheduler", "redundant", uid=NOBODY)
    failed += check("but not change what others get", code == 3, (code, said))
    code, _, said = plait(folder, "addr", "10.1.1.1", "unuse", uid=NOBODY)
    failed += check("nor addresses", code == 3, (code, said))
    crowd = []
    for _ in range(40):
        s = socket.socket(socket.AF_UNIX)
        s.connect(f"{folder}/control")
        crowd.append(s)
    code, _, said = plait(folder, "status")
    failed += check("forty idle clients are no harm", code == 0, said)
    for s in crowd:
        s.close()
    d.end()
    return failed


def test_folder(folder, d):
    second = subprocess.run([PLAIT, "daemon", "--folder", folder], capture_output=True, text=True)
    failed = check("one daemon a folder", second.returncode == 10 and
                   str(d.process.pid) in second.stderr, second.stderr)
    failed += check("SIGKILL", d.end(signal.SIGKILL) == -signal.SIGKILL, d.said)
    code, _, said = plait(folder, "status")
    failed += check("a dead daemon is said to be none", code == 8 and "start one" in said, said)
    d = Daemon(folder)
    code, _, said = plait(folder, "status")
    failed += check("the next one takes its folder over", code == 0, said)
    d.end()
    return failed


def test_settings(base):
    folder, path = f"{base}/settings", f"{base}/plaitd.conf"
    pathlib.Path(path).write_text("# none of it\nscheduler = redundant\nchecksum = yes\n")
    d = Daemon(folder, "--config", path)
    pathlib.Path(path).write_text("scheduler = nonesuch\n")
    d.process.send_signal(signal.SIGHUP)
    line = d.wait_for("plait daemon: the settings stay")
    failed = check("wrong settings change nothing", any("nonesuch" in s for s in d.said), line)
    pathlib.Path(path).write_text("scheduler = blest\n")
    d.process.send_signal(signal.SIGHUP)
    failed += check("settings are read anew", d.wait_for("settings read") != "", d.said)
    d.end()
    pathlib.Path(path).write_text("scheduler = blest\nchecksum = perhaps\n")
    done = subprocess.run([PLAIT, "daemon", "--config", path, "--folder", folder],
                          capture_output=True, text=True)
    return failed + check("a wrong line is named", done.returncode == 2 and
                          "plaitd.conf:2:" in done.stderr and "yes or no" in done.stderr,
                          done.stderr)


def test_sandbox(folder):
    """What it gave up: capabilities by /proc, system calls by its filter."""
    d = Daemon(folder, sandbox=True)
    fields = dict(line.split(":", 1) for line in
                  pathlib.Path(f"/proc/{d.process.pid}/status").read_text().splitlines())
    kept = int(fields["CapEff"], 16)
    failed = check("three capabilities are left", kept == 1 << 10 | 1 << 12 | 1 << 13, hex(kept))
    failed += check("none comes back", int(fields["CapBnd"], 16) & ~kept == 0 and
                    fields["NoNewPrivs"].strip() == "1", fields["CapBnd"])
    failed += check("system calls are filtered", fields["Seccomp"].strip() == "2",
                    fields["Seccomp"])
    d.end()
    return failed


def test_socket_activation(folder):
    """As systemd does it: sockets that are there before the daemon is."""
    os.makedirs(folder, mode=0o755)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(f"{folder}/control")
        listening.listen()
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(f"{folder}/control")
            client.sendall(b'{"plait":1,"do":"status"}\n')

            def pass_on():
                os.dup2(listening.fileno(), 3)
                os.execve(PLAIT, ["plaitd", "--folder", folder],
                          {**NO_LEAKS, "LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1",
                           "LISTEN_FDNAMES": "control"})

            process = subprocess.Popen([PLAIT], preexec_fn=pass_on, stderr=subprocess.DEVNULL,
                                       pass_fds=[3], env=NO_LEAKS)
            answer = json.loads(client.makefile().readline())
            process.terminate()
            return check("a request from before it was started is answered",
                         answer["ok"] and process.wait() == 0, answer)


def test_large_numbers(folder):
    """What no integer of 63 bits holds, as a data sequence number, passes plait events."""
    os.makedirs(folder)
    event = b'{"time_us":1,"event":"reinjected","conn":1,"dsn":16202703064441633232}\n'
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(f"{folder}/control")
        listening.listen()
        asking = subprocess.Popen([PLAIT, "events", "--folder", folder], stdout=subprocess.PIPE)
        with listening.accept()[0] as client:
            client.recv(1000)
            client.sendall(b'{"plait":1,"ok":true}\n' + event)
        out = asking.communicate()[0]
    return check("numbers of 64 bits are printed as they come", out == event, out)


def test_stop(folder):
    d = Daemon(folder)
    failed = check("a request can stop it",
                   lines(folder, b'{"plait":1,"do":"stop"}\n')[0]["ok"], d.said)
    code = d.process.wait()
    d.process.stderr.close()
    return failed + check("and it ends well", code == 0, code)


def main():
    if os.geteuid() != 0:
        sys.exit(77)
    if len(sys.argv) == 2:
        os.execvp("unshare", ["unshare", "-n", sys.executable, *sys.argv, "inside"])
    for words in (["link", "set", "lo", "up"], ["link", "add", "d0", "type", "veth", "peer", "name", "d1"],
                  ["addr", "add", "10.1.1.1/24", "dev", "d0"], ["link", "set", "d0", "up"], ["link", "set", "d1", "up"]):
        subprocess.run(["ip", *words], check=True)
    base = tempfile.mkdtemp(prefix="plaitd-")
    os.chmod(base, 0o755)
    try:
        folder = f"{base}/run"
        d = Daemon(folder)
        failed = test_wrong_requests(folder) + test_addresses(folder) + test_folder(folder, d)
        failed += test_who_may_come(base) + test_settings(base) + test_stop(folder)
        failed += test_large_numbers(f"{base}/fake")
        failed += test_sandbox(folder) + test_socket_activation(f"{base}/passed")
    finally:
        shutil.rmtree(base)
    print(f"{failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
