#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""plait proxy, both sides, with programs and destinations that know nothing of it: two
links between a client's namespace and a server's; curl and sockets on the one side, a
server of the kernel's TCP on the other. And a client of the Convert Protocol that was
written from RFC 8803 alone, over the kernel's TCP and Multipath TCP. Needs root, exits
77 (skipped) without."""
import hashlib
import http.server
import json
import os
import pathlib
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading

PLAIT = sys.argv[1]
ORIGIN = "198.18.0.1"
CHECKED = "ASAN_OPTIONS" in os.environ  # a leak checker and the sandbox exclude each other
NO_SANDBOX = ["--no-sandbox"] if CHECKED else []
DATA = bytes(range(256)) * 4096 * 4


def check(what, condition, seen=""):
    print(("ok    " if condition else "FAIL  ") + what, "" if condition else repr(seen), flush=True)
    return not condition


# ---- the lab --------------------------------------------------------------------


class Lab:
    """Namespaces of the client and the server, two links between them."""

    def __init__(self):
        self.client, self.server, self.lan = (f"px{os.getpid()}{end}" for end in "csl")
        for ns in (self.client, self.server, self.lan):
            run("ip", "netns", "add", ns)
            run("ip", "-n", ns, "link", "set", "lo", "up")
        for link in (1, 2):
            run("ip", "link", "add", f"c{link}", "netns", self.client, "type", "veth",
                "peer", "name", f"s{link}", "netns", self.server)
            for ns, end, host in ((self.client, "c", 1), (self.server, "s", 2)):
                run("ip", "-n", ns, "addr", "add", f"10.0.{link}.{host}/24", "dev", f"{end}{link}")
                run("ip", "-n", ns, "link", "set", f"{end}{link}", "up")
        run("ip", "-n", self.server, "addr", "add", f"{ORIGIN}/32", "dev", "lo")
        run("ip", "link", "add", "lan", "netns", self.client, "type", "veth", "peer", "name", "lan",
            "netns", self.lan)
        for ns, host in ((self.client, 1), (self.lan, 2)):
            run("ip", "-n", ns, "addr", "add", f"10.9.0.{host}/24", "dev", "lan")
            run("ip", "-n", ns, "link", "set", "lan", "up")
        run("ip", "-n", self.lan, "route", "add", "default", "via", "10.9.0.1")
        run("ip", "-n", self.client, "route", "add", "default", "via", "10.0.1.2")

    def close(self):
        for ns in (self.client, self.server, self.lan):
            subprocess.run(["ip", "netns", "del", ns], check=False)


def run(*words):
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)


class within:
    """This thread is in the namespace."""

    def __init__(self, ns):
        self.there = ns

    def __enter__(self):
        self.back = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
        with open(f"/run/netns/{self.there}") as there:
            libc_setns(there.fileno())

    def __exit__(self, *_):
        libc_setns(self.back)
        os.close(self.back)


def libc_setns(fd):
    import ctypes
    if ctypes.CDLL(None, use_errno=True).setns(fd, 0x40000000):
        raise OSError(ctypes.get_errno(), "setns")


class Proxy:
    """plait proxy client or server, ready."""

    def __init__(self, ns, folder, *words):
        self.folder = folder
        self.process = subprocess.Popen(
            ["ip", "netns", "exec", ns, PLAIT, "proxy", *words, "--folder", folder, "--log",
             *NO_SANDBOX], stderr=subprocess.PIPE, text=True)
        self.said = []
        for line in self.process.stderr:
            self.said.append(line)
            if line.startswith("ready"):
                break
        else:
            raise AssertionError(f"not ready: {self.said}")
        self.reader = threading.Thread(target=self.read)
        self.reader.start()

    def read(self):
        for line in self.process.stderr:
            self.said.append(line)

    def status(self):
        done = subprocess.run([PLAIT, "status", "--json", "--folder", self.folder],
                              capture_output=True, text=True, check=True)
        return json.loads(done.stdout)

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        return self.wait()

    def wait(self):
        code = self.process.wait()
        self.reader.join()
        self.process.stderr.close()
        return code


class Origin(http.server.BaseHTTPRequestHandler):
    """What there is to fetch: DATA."""

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", str(len(DATA)))
        self.end_headers()
        self.wfile.write(DATA)

    def log_message(self, *_):
        pass


def serve(ns, port, fn):
    """A thread that gives each connection at ORIGIN:port to fn."""
    with within(ns):
        listener = socket.create_server((ORIGIN, port), backlog=64)

    def loop():
        while True:
            try:
                conn, peer = listener.accept()
            except OSError:
                return
            threading.Thread(target=fn, args=(conn, peer), daemon=True).start()

    threading.Thread(target=loop, daemon=True).start()
    return listener


def upper(conn, _):
    """Answers at the end of the stream alone: a half-close has to come over."""
    data = b"".join(iter(lambda: conn.recv(65536), b""))
    conn.sendall(data.upper())
    conn.close()


def slam(conn, _):
    """A byte, then a reset."""
    conn.recv(1)
    conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    conn.close()


def report_end(ends):
    def fn(conn, _):
        try:
            while conn.recv(65536):
                pass
            ends.append("end")
        except ConnectionResetError:
            ends.append("reset")
        done.set()
    done = threading.Event()
    return fn, done


# ---- programs -------------------------------------------------------------------


def curl(ns, *words):
    done = subprocess.run(["ip", "netns", "exec", ns, "curl", "-sS", "--max-time", "60", *words],
                          capture_output=True)
    return done.returncode, done.stdout, done.stderr.decode()


def socks(ns, port, to_port, host=ORIGIN):
    """A connection through the SOCKS port, and the reply's code."""
    with within(ns):
        s = socket.create_connection(("127.0.0.1", port))
    s.sendall(b"\5\1\0" + b"\5\1\0\3" + bytes([len(host)]) + host.encode()
              + struct.pack("!H", to_port))
    got = receive(s, 2 + 10)
    return s, got[3] if len(got) == 12 else None


def receive(s, length):
    got = b""
    while len(got) < length:
        piece = s.recv(length - len(got))
        if not piece:
            break
        got += piece
    return got


# ---- a Convert client, from RFC 8803 ----------------------------------------------


def connect_tlv(host, port, options=b""):
    options += bytes(-len(options) % 4)
    mapped = bytes(10) + b"\xff\xff" + socket.inet_aton(host)
    return bytes([10, 5 + len(options) // 4]) + struct.pack("!H", port) + mapped + options


def message(*tlvs, version=1, magic=0x2263):
    body = b"".join(tlvs)
    return struct.pack("!BBH", version, 1 + len(body) // 4, magic) + body


def converse(ns, data, mptcp=False, port=8803):
    """Send this to the Converter: (its TLVs as {type: value}, the socket), or None
    where it closes without a message."""
    with within(ns):
        s = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262 if mptcp else 0)
        s.settimeout(30)
        s.connect(("10.0.1.2", port))
    s.sendall(data)
    try:
        head = receive(s, 4)
    except ConnectionResetError:
        return None, s
    if len(head) < 4:
        return None, s
    assert head[0] == 1 and head[2:] == b"\x22\x63", head
    body, tlvs = receive(s, head[1] * 4 - 4), {}
    while body:
        length = body[1] * 4
        assert body[0] not in tlvs, "a TLV twice"
        tlvs[body[0]], body = body[2:length], body[length:]
    return tlvs, s


def test_convert(lab, ns):
    failed = 0
    for mptcp in (False, True):
        kind = "Multipath TCP" if mptcp else "TCP"
        answer, s = converse(ns, message(connect_tlv(ORIGIN, 81)) + b"early ", mptcp)
        s.sendall(b"data")
        s.shutdown(socket.SHUT_WR)
        got = receive(s, 100)
        failed += check(f"Convert over the kernel's {kind}: data with the message is the stream's",
                        answer == {} and got == b"EARLY DATA", (answer, got))
    info = bytes([1, 1, 0, 0])
    answer, s = converse(ns, message(info))
    failed += check("Info is answered with the extensions, MPTCP among them",
                    answer and 30 in answer[21][2:] and answer[21][:2] == b"\0\0", answer)
    answer, s = converse(ns, message(connect_tlv(ORIGIN, 81, b"\x1e\x02")))
    failed += check("the server's options come back where options were asked for",
                    answer and answer[20][2:4] == b"\2\4", answer)
    echo = message(bytes([99, 1, 0, 0]))
    rows = (
        ("a type that is unknown", echo, 2, b"\0" + echo),
        ("a type twice", message(info, info), 1, b"\0" + message(info, info)),
        ("loopback", message(connect_tlv("127.0.0.1", 81)), 1, None),
        ("multicast", message(connect_tlv("224.0.0.1", 81)), 1, None),
        ("another version", message(version=3), 0, b"\1"),
        ("a destination that is not public", message(connect_tlv("10.0.1.2", 81)), 32, b"\0"),
        ("nobody listens", message(connect_tlv(ORIGIN, 9)), 96, b"\0"),
        ("an option that cannot be had", message(connect_tlv(ORIGIN, 81, b"\x22\x02")), 33,
         b"\x22"),
        ("nothing is asked for", message(), 1, None),
    )
    for what, data, code, value in rows:
        answer, s = converse(ns, data)
        error = answer and answer.get(30)
        good = bool(error) and error[0] == code and (value is None or error[1:] == value)
        failed += check(f"Convert, {what}: error {code}", good, answer)
        failed += check(f"Convert, {what}: then the end, and no reset", s.recv(1) == b"")
        s.close()
    for what, data in (("length zero", b"\1\0\x22\x63"), ("no Convert", b"GET / HTTP/1.0\r\n\r\n")):
        answer, s = converse(ns, data)
        failed += check(f"Convert, {what}: reset", answer is None, answer)
    return failed


# ---- the pair -------------------------------------------------------------------------


def test_fetch(ns, client):
    url, digest = f"http://{ORIGIN}/", hashlib.sha256(DATA).digest()
    ways = (("SOCKS", ["--socks5-hostname", "127.0.0.1:1080"]),
            ("SOCKS with the address", ["--socks5", "127.0.0.1:1080"]),
            ("HTTP CONNECT", ["-p", "-x", "http://127.0.0.1:3128"]),
            ("redirected", []))
    failed = 0
    for what, words in ways:
        code, out, err = curl(ns, *words, url)
        failed += check(f"fetched, {what}", code == 0 and hashlib.sha256(out).digest() == digest,
                        (code, len(out), err))
    code, out, err = curl(ns, "-x", "http://127.0.0.1:3128", url)
    failed += check("plain HTTP is refused in words", b"CONNECT only" in out, (out, err))
    paths = client.status()["paths"]
    carried = [p["local"] for p in paths if p["bytes_received"] > len(DATA) // 10]
    failed += check("both links carried", sorted(carried) == ["10.0.1.1", "10.0.2.1"], paths)
    return failed


def test_ends(lab, ns):
    failed = 0
    s, reply = socks(ns, 1080, 81)
    s.sendall(b"half")
    s.shutdown(socket.SHUT_WR)
    failed += check("a half-close comes over, and the answer back",
                    reply == 0 and receive(s, 100) == b"HALF", reply)
    s, reply = socks(ns, 1080, 82)
    s.sendall(b"x")
    try:
        seen = s.recv(1)
    except ConnectionResetError:
        seen = "reset"
    failed += check("the destination's reset comes back as one", seen == "reset", seen)
    ends = []
    fn, done = report_end(ends)
    listener = serve(lab.server, 83, fn)
    s, reply = socks(ns, 1080, 83)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.sendall(b"x")
    s.close()
    done.wait()
    failed += check("a program's reset goes over as one", ends == ["reset"], ends)
    listener.close()
    return failed


def syns(capture):
    """How many bytes each SYN to the server carried."""
    out = subprocess.run(["tshark", "-r", capture, "-T", "fields", "-e", "tcp.len", "-Y",
                          "tcp.dstport == 8803 && tcp.flags.syn == 1 && ip.dst == 10.0.1.2"],
                         capture_output=True, text=True, check=True).stdout
    return [int(n) for n in out.split()]


def test_round_trips(lab, folder):
    """What is wanted goes with the SYN, once the server gave a cookie."""
    capture = f"{folder}/client.pcap"
    with Proxies(lab, folder, ["--user", "bob:secret"],
                 ["--user", "bob:secret", "--pcap", capture]):
        for _ in range(3):
            s, _ = socks(lab.client, 1080, 81)
            s.shutdown(socket.SHUT_WR)
            s.recv(1)
            s.close()
    sent = syns(capture)
    return check("the message goes with the SYN", sent[0] == 0 and min(sent[2:]) > 80, sent)


def test_drain(lab, folder):
    """SIGTERM lets a connection end; nothing new is taken."""
    server = Proxy(lab.server, f"{folder}/s", "server", "--no-auth", "--allow", "198.18.0.0/15",
                   "--drain", "60")
    answer, s = converse(lab.client, message(connect_tlv(ORIGIN, 81)) + b"dr")
    server.process.send_signal(signal.SIGTERM)
    refused = False
    while not refused:  # the signal takes its way
        try:
            converse(lab.client, message())[1].close()
        except ConnectionRefusedError:
            refused = True
        except ConnectionResetError:  # it came just then
            pass
    s.sendall(b"ain")
    s.shutdown(socket.SHUT_WR)
    got = receive(s, 10)
    s.close()
    return check("a connection ends by itself after SIGTERM", answer == {} and got == b"DRAIN",
                 (answer, got)) + check("and then the server", server.wait() == 0, server.said)


def test_refusals(lab, ns):
    failed = 0
    for what, host, port, code in (("nobody listens", ORIGIN, 9, 5),
                                   ("not public", "10.0.1.2", 80, 2),
                                   ("a name of the server's own", "localhost", 80, 2),
                                   ("no such name", "no.such.name.invalid", 80, 4)):
        s, reply = socks(ns, 1080, port, host)
        failed += check(f"SOCKS, {what}: reply {code}", reply == code, reply)
        s.close()
    return failed


def test_users(lab, folder):
    failed = 0
    with Proxies(lab, folder, ["--user", "bob:secret", "--user", "eve:other",
                               "--user-connections", "2"],
                 ["--user", "bob:secret"]) as (server, client):
        code, out, err = curl(lab.client, "--socks5-hostname", "127.0.0.1:1080",
                              f"http://{ORIGIN}/")
        failed += check("with the secret", code == 0 and out == DATA, (code, err, server.said))
        kept = [socks(lab.client, 1080, 81) for _ in range(3)]
        failed += check("a user's limit", [k[1] for k in kept] == [0, 0, 1], kept)
        answer, _ = converse(lab.client, message(connect_tlv(ORIGIN, 81)))
        failed += check("without a cookie: Missing Cookie, and a zero in front",
                        answer and answer[30][:2] == b"\3\0" and len(answer[30]) >= 10, answer)
        cookie = bytes([22, 3, 0, 0]) + answer[30][2:10]
        answer, _ = converse(lab.client, message(connect_tlv(ORIGIN, 81), cookie))
        failed += check("the challenge alone opens nothing", answer and answer[30][0] == 32, answer)
        for k in kept:
            k[0].close()
    with Proxies(lab, folder, ["--user", "bob:secret"], ["--user", "bob:guess"]) as (server, client):
        s, reply = socks(lab.client, 1080, 81)
        failed += check("with a wrong secret nothing goes through", reply == 2, reply)
    return failed


class Proxies:
    """A server and its client, and that they end well."""

    def __init__(self, lab, folder, server, client):
        self.lab, self.folder, self.words = lab, folder, (server, client)

    def __enter__(self):
        server, client = self.words
        self.server = Proxy(self.lab.server, f"{self.folder}/s", "server", "--allow",
                            "198.18.0.0/15", *server)
        self.client = Proxy(self.lab.client, f"{self.folder}/c", "client", "--server",
                            "10.0.1.2", "--socks", "1080", *client)
        return self.server, self.client

    def __exit__(self, *_):
        codes = self.client.end(), self.server.end()
        assert codes == (0, 0), (codes, self.client.said, self.server.said)


def redirect(lab):
    rules = ("table ip plait_test {\n chain out {\n  type nat hook output priority -100;\n"
             f"  ip daddr {ORIGIN} tcp dport 80 redirect to :1081\n }}\n}}\n")
    subprocess.run(["ip", "netns", "exec", lab.client, "nft", "-f", "-"], input=rules, text=True,
                   check=True)


def test_pair(lab, folder):
    redirect(lab)
    with Proxies(lab, folder, ["--no-auth"],
                 ["--http", "3128", "--transparent", "127.0.0.1:1081"]) as (_, client):
        return (test_fetch(lab.client, client) + test_ends(lab, lab.client)
                + test_refusals(lab, lab.client) + test_convert(lab, lab.client))


def test_ways(lab, folder):
    """--wan and --lan: links that need rules of their own, a network behind; and nothing
    is left, though the proxy is killed."""
    def rules():
        return [subprocess.run(["ip", "netns", "exec", lab.client, *words], capture_output=True,
                               text=True, check=True).stdout
                for words in (["ip", "rule"], ["ip", "route", "show", "table", "all"],
                              ["nft", "list", "tables"])]

    before = rules()
    server = Proxy(lab.server, f"{folder}/s", "server", "--no-auth", "--allow", "198.18.0.0/15")
    client = Proxy(lab.client, f"{folder}/c", "client", "--server", "10.0.1.2", "--wan", "c1",
                   "--wan", "c2", "--lan", "lan")
    with within(lab.lan):
        s = socket.create_connection((ORIGIN, 81))
    s.sendall(b"from the lan")
    s.shutdown(socket.SHUT_WR)
    got = receive(s, 100)
    s.close()
    failed = check("a LAN's connection is carried", got == b"FROM THE LAN", got)
    during = rules()
    failed += check("a rule for each link", "8800:" in during[0] and "8801:" in during[0]
                    and "plait_lan" in during[2], during)
    client.process.send_signal(signal.SIGKILL)
    client.wait()  # until nobody has its standard error any more: its keeper is done
    server.end()
    return failed + check("nothing is left after SIGKILL", rules() == before)


def test_in_front(lab, folder):
    """--to: a server that knows nothing of MPTCP, and hears who came."""
    seen, done = [], threading.Event()

    def fn(conn, _):
        seen.append(receive(conn, 28 + 2))
        conn.sendall(b"hello")
        conn.close()
        done.set()

    listener = serve(lab.server, 84, fn)
    server = Proxy(lab.server, f"{folder}/s", "server", "--listen", "8080", "--to",
                   f"{ORIGIN}:84", "--proxy-protocol")
    with within(lab.client):
        s = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)
        s.connect(("10.0.1.2", 8080))
    s.sendall(b"hi")
    got = receive(s, 5)
    done.wait()
    head = seen[0]
    own = s.getsockname()
    failed = check("in front of a server: bytes both ways", got == b"hello" and head[28:] == b"hi",
                   (got, head))
    failed += check("and it hears who came", head[16:20] == socket.inet_aton(own[0])
                    and head[24:26] == struct.pack("!H", own[1]), head)
    s.close()
    listener.close()
    return failed + check("ends well", server.end() == 0, server.said)


def main():
    if os.geteuid() != 0:
        print("needs root")
        return 77
    missing = [p for p in ("curl", "nft", "ip", "tshark") if not shutil.which(p)]
    if missing:
        print("missing:", *missing)
        return 77
    lab, failed = Lab(), 0
    folder = tempfile.mkdtemp(prefix="plait-proxy-")
    try:
        with within(lab.server):
            web = http.server.ThreadingHTTPServer((ORIGIN, 80), Origin)
        threading.Thread(target=web.serve_forever, daemon=True).start()
        listeners = [serve(lab.server, 81, upper), serve(lab.server, 82, slam)]
        for test in (test_pair, test_users, test_in_front, test_round_trips, test_drain, test_ways):
            failed += test(lab, folder)
        web.shutdown()
        for listener in listeners:
            listener.close()
    finally:
        lab.close()
        shutil.rmtree(pathlib.Path(folder))
    print(f"{failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
