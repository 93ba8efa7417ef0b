#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Hold the codec against tshark, an outside decoder.

usage: test_wire_tshark.py WIRE_TOOL corpus
       test_wire_tshark.py WIRE_TOOL captures DIRECTORY

corpus: what our encoder writes must read in tshark as it was meant, field by
field, with nothing malformed and no expert error. captures: for recordings of
other implementations our decoder and tshark must say the same.
Exit 77 (skipped) when tshark or the recordings are absent.
"""
import ipaddress
import os
import shutil
import subprocess
import sys
import tempfile

SKIPPED = 77

MPTCP = """subtype version flags backup.flag addrid sendkey recvkey recvtok sendrand
    sendtrunchmac sendhmac addaddrtrunchmac rawdataack rawdataseqno subflowseqno datalvllen
    checksum ipver echo ipv4 ipv6 port rst_reason flag_T.flag datafin.flag dseqn8.flag
    dseqnpresent.flag dataack8.flag dataackpresent.flag""".split()

FIELDS = """ip.src ip.dst ip.dsfield.ecn ip.ttl ipv6.src ipv6.dst ipv6.tclass.ecn ipv6.hlim
    tcp.srcport tcp.dstport tcp.seq_raw tcp.ack_raw tcp.flags tcp.window_size_value
    tcp.urgent_pointer tcp.len tcp.checksum.status
    tcp.options.mss_val tcp.options.wscale.shift tcp.options.sack_perm tcp.options.sack_le
    tcp.options.sack_re tcp.options.timestamp.tsval tcp.options.timestamp.tsecr
    tcp.options.tfo.cookie""".split() + ["tcp.options.mptcp." + f for f in MPTCP]

ADDRESSES = {"ip.src", "ip.dst", "ipv6.src", "ipv6.dst",
             "tcp.options.mptcp.ipv4", "tcp.options.mptcp.ipv6"}
CHECKSUM = "tcp.options.mptcp.checksum"
BYTES = {"tcp.options.mptcp.sendhmac", "tcp.options.tfo.cookie"}

# What a dissector says about a connection it has seen only one packet of, and
# about TCP flags in odd company, is no statement about the codec.
OPTIONS = ["-o", "tcp.check_checksum:TRUE", "-o", "tcp.relative_sequence_numbers:FALSE",
           "-o", "tcp.analyze_sequence_numbers:FALSE", "-o", "tcp.desegment_tcp_streams:FALSE",
           "-o", "tcp.try_heuristic_first:FALSE"]


def value(field, text):
    """One value in a form in which both sides are comparable."""
    if field in ADDRESSES:
        return str(ipaddress.ip_address(text))
    if field in BYTES:
        return text.replace(":", "").lower()
    if field == "tcp.options.sack_perm":
        return 1
    if text in ("True", "False"):
        return int(text == "True")
    number = int(text, 0)
    return number & 0xff if field == "tcp.flags" else number


def tshark(path, display_filter, fields):
    command = ["tshark", "-n", "-r", path, "-Y", display_filter, "-T", "fields",
               "-E", "occurrence=a", "-E", "aggregator=;", "-E", "separator=/t", *OPTIONS]
    for field in fields:
        command += ["-e", field]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          text=True)
    return [line.split("\t") for line in done.stdout.splitlines()]


def dss_checksums(options):
    """The checksums of the DSS options in raw option bytes: tshark 4.0 reads
    over them (RFC 8684 3.3: two bytes more than the flags account for)."""
    found = []
    while options and options[0] != 0:
        if options[0] == 1:
            options = options[1:]
            continue
        option, options = options[:options[1]], options[options[1]:]
        if option[0] == 30 and option[2] >> 4 == 2 and option[3] & 4:
            ack = (8 if option[3] & 2 else 4) if option[3] & 1 else 0
            dsn = 8 if option[3] & 8 else 4
            if len(option) == 4 + ack + dsn + 6 + 2:
                found.append(int.from_bytes(option[-2:], "big"))
    return found


def their_reading(path):
    frames = {}
    for row in tshark(path, "tcp && !icmp && !icmpv6", ["frame.number", "tcp.options"] + FIELDS):
        values = {}
        for field, text in zip(FIELDS, row[2:]):
            if text:
                values[field] = sorted(value(field, t) for t in text.split(";"))
        checksums = dss_checksums(bytes.fromhex(row[1].replace(":", "")))
        if checksums and CHECKSUM not in values:
            values[CHECKSUM] = checksums
        frames[int(row[0])] = values
    return frames


def our_reading(lines):
    frames = {}
    for line in lines:
        number, *pairs = line.split("\t")
        values = {}
        for pair in pairs:
            field, text = pair.split("=", 1)
            if field not in FIELDS:
                raise SystemExit(f"wire_tool prints {field}, which is not compared")
            values.setdefault(field, []).append(value(field, text))
        frames[int(number)] = {field: sorted(v) for field, v in values.items()}
    return frames


def without_noise(ours, theirs):
    """Drop what only one side has an opinion on."""
    theirs = dict(theirs)
    for field in ("flags", "dataack8.flag", "dseqn8.flag"):
        # Shown by tshark for options in which the bit has no meaning, too;
        # the lengths of the numbers themselves are compared by their values.
        name = "tcp.options.mptcp." + field
        mine = ours.get(name)
        if mine is None:
            theirs.pop(name, None)
        else:
            kept = list(theirs.get(name, []))
            theirs[name] = sorted(v for v in mine if v in kept)
    if "tcp.checksum.status" not in ours:
        theirs.pop("tcp.checksum.status", None)
    return theirs


def compare(name, ours, theirs):
    wrong = 0
    for number in sorted(set(ours) | set(theirs)):
        a = ours.get(number)
        b = theirs.get(number)
        if a is not None and b is not None:
            b = without_noise(a, b)
        if a == b:
            continue
        wrong += 1
        if wrong > 10:
            continue
        if a is None or b is None:
            print(f"{name} frame {number}: read only by {'us' if b is None else 'tshark'}")
            continue
        for field in sorted(set(a) | set(b)):
            if a.get(field) != b.get(field):
                print(f"{name} frame {number}: {field}: we {a.get(field)}, tshark {b.get(field)}")
    print(f"{name}: {len(ours)} segments, {wrong} differ")
    return wrong == 0 and len(ours) > 0


def no_complaints(path):
    bad = tshark(path, "_ws.malformed || _ws.expert.severity == error",
                 ["frame.number", "_ws.expert.message"])
    for row in bad[:10]:
        print("tshark complains:", *row)
    return not bad


def run_tool(tool, mode, path):
    done = subprocess.run([tool, mode, path], check=True, stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True)
    return our_reading(done.stdout.splitlines())


def test_corpus(tool):
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "corpus.pcap")
        ours = run_tool(tool, "corpus", path)
        ok = compare("corpus", ours, their_reading(path))
        return no_complaints(path) and ok


def test_captures(tool, directory):
    ok = True
    with tempfile.TemporaryDirectory() as scratch:
        path = os.path.join(scratch, "classic.pcap")
        for name in sorted(os.listdir(directory)):
            if name.endswith((".pcap", ".pcapng")):
                subprocess.run(["tshark", "-r", os.path.join(directory, name), "-F", "pcap",
                                "-w", path], check=True, stderr=subprocess.DEVNULL)
                ok = compare(name, run_tool(tool, "dump", path), their_reading(path)) and ok
    return ok


def main():
    tool, mode = sys.argv[1:3]
    if not shutil.which("tshark"):
        print("skipped: tshark is not installed")
        return SKIPPED
    if mode == "corpus":
        return 0 if test_corpus(tool) else 1
    if not os.path.isdir(sys.argv[3]):
        print(f"skipped: no captures in {sys.argv[3]}")
        return SKIPPED
    return 0 if test_captures(tool, sys.argv[3]) else 1


sys.exit(main())
