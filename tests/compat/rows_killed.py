# SPDX-License-Identifier: MIT
"""How connections end when somebody is killed, and what is left behind."""
import sys
import time

from row import MB, Row
from world import KERNEL, PLAIT, LabError, expect

# Connect, say so, and tell how reading ends.
READER = """
import socket, sys
s = socket.create_connection((sys.argv[1], int(sys.argv[2])))
print("connected", flush=True)
total = 0
try:
    while data := s.recv(65536):
        total += len(data)
    print("end", total)
except OSError as error:
    print(type(error).__name__, total)
"""
# Accept one connection, send some bytes, and tell how reading ends.
WRITER = """
import socket, sys
l = socket.create_server(("0.0.0.0", int(sys.argv[1])))
print("listening", flush=True)
while True:
    s, _ = l.accept()
    s.sendall(bytes(int(sys.argv[2])))
    try:
        while s.recv(65536):
            pass
        print("end", flush=True)
    except OSError as error:
        print(type(error).__name__, flush=True)
"""
ACCEPTER = """
import socket, sys
l = socket.create_server(("0.0.0.0", int(sys.argv[1])))
print("listening", flush=True)
try:
    l.accept()
    print("accepted")
except OSError as error:
    print(type(error).__name__)
"""
MANY_SERVER = """
import selectors, socket, sys
l = socket.create_server(("0.0.0.0", int(sys.argv[1])), backlog=1024)
l.setblocking(False)
s = selectors.DefaultSelector()
s.register(l, selectors.EVENT_READ)
print("listening", flush=True)
while True:
    for key, _ in s.select():
        if key.fileobj is l:
            c, _ = l.accept()
            s.register(c, selectors.EVENT_READ)
        elif data := key.fileobj.recv(4096):
            key.fileobj.sendall(data)
        else:
            s.unregister(key.fileobj)
            key.fileobj.close()
"""
MANY_CLIENT = """
import resource, socket, sys
count = int(sys.argv[3])
most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
held = []
for i in range(count):
    s = socket.create_connection((sys.argv[4 if i % 2 else 1], int(sys.argv[2])))
    s.sendall(b"%6d" % i)
    held.append(s)
for i, s in enumerate(held):
    got = b""
    while len(got) < 6:
        got += s.recv(6)
    assert int(got) == i
print("all", len(held), flush=True)
sys.stdin.readline()
for s in held:
    s.close()
print("closed", flush=True)
sys.stdin.readline()
"""


def daemon(world, side):
    """A plaitd of its own, for those who are started with its folder."""
    folder = world.file(f"daemon-{side}")
    program = world.start(world.namespace(side), world.plait, "daemon", "--folder", folder)
    program.wait_line("ready")
    return program, folder


def under(world, side, folder, script, *words, stdin=None):
    more = {} if stdin is None else {"stdin": stdin}
    return world.start(world.namespace(side), world.plait, "run", "--folder", folder, "--carry",
                       "10.0.0.0/8", "--", sys.executable, "-u", "-c", script, *words, **more)


def daemon_killed(world, _size):
    """Applications get an error at once; another plaitd can start, on the same port."""
    writer = world.launch("server", KERNEL, sys.executable, "-u", "-c", WRITER, "7000", "1000")
    writer.wait_line("listening")
    plaitd, folder = daemon(world, "client")
    reader = under(world, "client", folder, READER, world.host(), "7000")
    accepter = under(world, "client", folder, ACCEPTER, "7001")
    reader.wait_line("connected")
    accepter.wait_line("listening")
    world.until_says(world.status(folder), '"bytes_received":1000')
    plaitd.process.kill()
    for program, line in ((reader, "ConnectionResetError 1000"), (accepter, "OSError")):
        world.complete(program, seconds=5)
        expect(program.lines[-1] == line, f"instead of {line}: {program.lines}")
    again, folder = daemon(world, "client")
    accepter = under(world, "client", folder, ACCEPTER, "7001")
    accepter.wait_line("listening")


def program_killed(world, _size):
    """Its peer sees an end of stream; or a reset where the program had not read all."""
    writer = world.launch("server", KERNEL, sys.executable, "-u", "-c", WRITER, "7000", "1000")
    writer.wait_line("listening")
    plaitd, folder = daemon(world, "client")
    reader = under(world, "client", folder, READER, world.host(), "7000")
    reader.wait_line("connected")
    world.until_says(world.status(folder), '"bytes_received":1000')
    reader.process.kill()
    writer.wait_line("^end$", 5)
    stopped = under(world, "client", folder, READER.replace("total = 0", "import time; time.sleep(99)"),
                    world.host(), "7000")
    stopped.wait_line("connected")
    world.until_says(world.status(folder), '"bytes_received":1000')
    stopped.process.kill()
    writer.wait_line("ConnectionResetError", 5)
    plaitd.stop()


def resident(program):
    with open(f"/proc/{program.process.pid}/status") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


def many(world, count):
    """Connections at once between two programs, twice: nothing is left of them."""
    sides = {side: daemon(world, side) for side in ("server", "client")}
    server = under(world, "server", sides["server"][1], MANY_SERVER, "7000")
    server.wait_line("listening")
    memory = []
    for _ in range(2):
        client = under(world, "client", sides["client"][1], MANY_CLIENT, world.host(), "7000",
                       str(count), world.host(2), stdin=-1)
        client.wait_line(f"all {count}", 120)
        client.process.stdin.write(b"\n")
        client.process.stdin.flush()
        client.wait_line("closed", 60)
        client.process.stdin.close()
        world.complete(client)
        memory.append(resident(sides["server"][0]))
        for side, (d, _) in sides.items():
            deadline = time.monotonic() + 30
            while (now := world.channels(d)) > 1:
                if time.monotonic() > deadline:
                    raise LabError(f"{now} channels are left at the {side}")
                d.wait_change(0.2)
    expect(memory[1] < memory[0] * 1.2 + 10_000, f"memory grew: {memory} kB")


END_ROWS = [
    Row("plaitd", "killed while programs wait", daemon_killed,
        "read gives ECONNRESET, accept EINVAL; the next plaitd and the port work", size=1, quick=1),
    Row("a program", "killed with and without unread bytes", program_killed,
        "the kernel at the other end sees a reset, an end of stream", size=1, quick=1),
    Row("python3", "connections at once, plait on both sides, twice", many,
        "1,000 at once: every echo right; no channel left in either daemon, no more memory the second time",
        size=1000, quick=200),
]
