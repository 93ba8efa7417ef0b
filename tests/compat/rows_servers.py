# SPDX-License-Identifier: MIT
"""Servers with many processes and threads, and those who talk to them."""
import os
import pathlib
import re
import shutil

from row import MB, Row
from world import KERNEL, PLAIT, LabError, digest, expect, expect_same, run

PORT = 8080


# ---- nginx ----------------------------------------------------------------------------

NGINX = """
daemon off;
worker_processes 3;
pid {folder}/nginx.pid;
error_log stderr;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    sendfile on;
    client_max_body_size 0;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{ listen {port}; listen [::]:{port}; root {folder}/www; }}
    server {{ listen {proxy}; location / {{ proxy_pass http://{origin}; }} }}
}}
"""


def nginx(world, by, origin="127.0.0.1:1"):
    folder = world.folder_of("nginx")
    os.makedirs(f"{folder}/www", exist_ok=True)
    os.chmod(world.folder.name, 0o755)  # the workers are not root
    conf = f"{folder}/nginx.conf"
    with open(conf, "w") as out:
        out.write(NGINX.format(folder=folder, port=PORT, proxy=PORT + 1, origin=origin))
    server = world.launch("server", by, "nginx", "-e", "stderr", "-c", conf)
    world.wait_serving(server, PORT)
    return f"{folder}/www"


def nginx_serves(world, size):
    www = nginx(world, PLAIT)
    source = world.random_file("nginx/www/file", size)
    url = f"http://{world.host()}:{PORT}/file"
    fetches = [world.launch("client", KERNEL, "curl", "-sS", "--fail", "-o", world.file(f"got{i}"), url)
               for i in range(8)]
    for i, program in enumerate(fetches):
        world.complete(program)
        expect_same(source, world.file(f"got{i}"))
    world.expect_joined(("client", KERNEL), ("server", PLAIT))
    expect(pathlib.Path(www).is_dir(), "the folder is gone")


def nginx_proxies(world, size):
    """From one nginx under plait to the kernel's http.server behind it."""
    folder = world.folder_of("www")
    source = world.random_file("www/file", size)
    origin = world.start(world.client, "mptcpize", "run", "python3", "-u", "-m", "http.server",
                         "8000", "--bind", "0.0.0.0", "-d", folder)
    origin.wait_line("Serving HTTP")
    nginx(world, PLAIT, f"{world.addr(4, 1, 1)}:8000")
    client = world.launch("client", KERNEL, "curl", "-sS", "--fail", "-o", world.file("got"),
                          f"http://{world.host()}:{PORT + 1}/file")
    world.complete(client)
    expect_same(source, world.file("got"))
    world.expect_joined(("client", KERNEL), ("server", PLAIT))


# ---- iperf3 -----------------------------------------------------------------------------

def iperf3(client_by, server_by, *more):
    def body(world, size):
        server = world.launch("server", server_by, "iperf3", "-s", "-1", "-p", "5201", "--forceflush")
        server.wait_line("Server listening")
        client = world.launch("client", client_by, "iperf3", "-c", world.host(), "-p", "5201", "-J",
                              "-n", str(size), *more)
        world.complete(client)
        moved = client.object()["end"]["sum_received"]["bytes"]
        expect(moved >= size * 0.9, f"only {moved} bytes of {size} arrived")
        world.expect_joined(("client", client_by), ("server", server_by))
    return body


# ---- redis --------------------------------------------------------------------------------

def redis(world, _size):
    server = world.launch("server", PLAIT, "redis-server", "--port", "6379", "--bind", "0.0.0.0",
                          "--protected-mode", "no", "--save", "", "--appendonly", "no",
                          "--dir", world.folder.name)
    server.wait_line("Ready to accept connections")
    bench = world.launch("client", PLAIT, "redis-benchmark", "-h", world.host(), "-c", "20", "-n",
                         "4000", "-t", "ping,set,get,lpush,lrange_100", "--csv", "-d", "1000")
    world.complete(bench)
    tests = [line for line in bench.lines if line.startswith('"') and "rps" not in line]
    expect(len(tests) >= 5, f"redis-benchmark reports {tests}")
    world.expect_joined(("client", PLAIT), ("server", PLAIT))


# ---- socat ----------------------------------------------------------------------------------

def socat(client_by, server_by):
    """A file through two socats; the receiver has it when the sender has ended."""
    def body(world, size):
        source, got = world.random_file("file", size), world.file("got")
        # The kernel refuses joins once the listener is closed: it stays.
        server = world.launch("server", server_by, "socat", "-u", "-d", "-d",
                              "TCP4-LISTEN:7000,reuseaddr,fork", f"CREATE:{got}")
        server.wait_line("listening on")
        client = world.launch("client", client_by, "socat", "-u", f"FILE:{source}",
                              f"TCP4:{world.host()}:7000")
        world.complete(client)
        world.until_size(server, got, size)
        expect_same(source, got)
        world.expect_joined(("client", client_by), ("server", server_by))
    return body


# ---- node -------------------------------------------------------------------------------------

NODE_SERVER = """
const http = require('http'), crypto = require('crypto');
http.createServer((q, r) => {
  if (q.method === 'GET') return require('fs').createReadStream(process.argv[2]).pipe(r);
  const h = crypto.createHash('sha256');
  q.on('data', d => h.update(d)).on('end', () => r.end(h.digest('hex')));
}).listen(7100, '0.0.0.0', () => console.log('listening'));
"""
NODE_CLIENT = """
const http = require('http'), fs = require('fs'), [, , host, up, down] = process.argv;
http.get({host, port: 7100}, r => r.pipe(fs.createWriteStream(down)).on('finish', () => {
  const q = http.request({host, port: 7100, method: 'PUT'}, r => {
    let text = ''; r.on('data', d => text += d).on('end', () => console.log('sha256', text));
  });
  fs.createReadStream(up).pipe(q);
}));
"""


def node(client_by, server_by):
    def body(world, size):
        source = world.random_file("file", size)
        for name, text in (("server.js", NODE_SERVER), ("client.js", NODE_CLIENT)):
            with open(world.file(name), "w") as out:
                out.write(text)
        server = world.launch("server", server_by, "node", world.file("server.js"), source)
        server.wait_line("listening")
        client = world.launch("client", client_by, "node", world.file("client.js"), world.host(),
                              source, world.file("got"))
        world.complete(client)
        expect_same(source, world.file("got"))
        expect(f"sha256 {digest(source)}" in client.lines, f"the upload differs: {client.lines}")
        world.expect_joined(("client", client_by), ("server", server_by))
    return body


# ---- git --------------------------------------------------------------------------------------

def git(world, size):
    bare, work = world.folder_of("www/repo.git"), world.folder_of("work")
    run("git", "init", "-q", work)
    world.random_file("work/file", size)
    for words in (["add", "file"], ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "x"]):
        run("git", "-C", work, *words)
    run("git", "clone", "-q", "--bare", work, bare)
    run("git", "-C", bare, "update-server-info")
    server = world.launch("server", KERNEL, "python3", "-u", "-m", "http.server", "8000", "--bind",
                          "0.0.0.0", "-d", world.folder_of("www"))
    server.wait_line("Serving HTTP")
    client = world.launch("client", PLAIT, "git", "clone", "-q",
                          f"http://{world.host()}:8000/repo.git", world.file("clone"))
    world.complete(client)
    expect_same(world.file("work/file"), world.file("clone/file"))
    world.expect_joined(("client", PLAIT), ("server", KERNEL))


# ---- PostgreSQL ---------------------------------------------------------------------------------

def postgres_folder():
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


def postgres(world, size):
    tools = postgres_folder()
    if not tools:
        raise LabError("no PostgreSQL is installed")
    data = world.folder_of("data")
    os.chmod(world.folder.name, 0o755)
    shutil.chown(data, "postgres")
    own = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    run(*own, str(tools / "initdb"), "-D", data, "--auth=trust", "--no-sync", "-U", "bench")
    with open(f"{data}/pg_hba.conf", "a") as out:
        out.write("host all all 10.0.0.0/8 trust\n")
    server = world.launch("server", PLAIT, *own, str(tools / "postgres"), "-D", data, "-h", "0.0.0.0",
                          "-k", data, "-c", "fsync=off")
    server.wait_line("ready to accept connections", 30)
    place = ["-h", world.host(), "-U", "bench"]
    world.complete(world.launch("client", PLAIT, str(tools / "pgbench"), "-i", "-q", *place, "postgres"))
    bench = world.launch("client", PLAIT, str(tools / "pgbench"), "-C", "-c", "8", "-j", "4", "-t",
                         str(max(5, size // MB)), *place, "postgres")
    world.complete(bench)
    text = "\n".join(bench.lines)
    expect(re.search(r"number of failed transactions: 0 ", text), f"pgbench says: {text[-300:]}")
    rows = world.launch("client", PLAIT, str(tools / "psql"), *place, "-At", "-c",
                        "select count(*) from pgbench_accounts", "postgres")
    world.complete(rows)
    expect(rows.lines == ["100000"], f"psql says {rows.lines}")
    world.expect_joined(("client", PLAIT), ("server", PLAIT))


# ---- OpenSSH ------------------------------------------------------------------------------------

SSHD = """
ListenAddress 0.0.0.0:2222
HostKey {folder}/host
AuthorizedKeysFile {folder}/key.pub
PidFile none
StrictModes no
UsePAM no
Subsystem sftp internal-sftp
"""


def ssh(client_by, server_by, cut=False):
    """scp of a file; with `cut` the first path dies in the middle."""
    def body(world, size):
        folder = world.folder_of("ssh")
        os.makedirs("/run/sshd", exist_ok=True)
        for key in ("host", "key"):
            run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{folder}/{key}")
        with open(f"{folder}/sshd_config", "w") as out:
            out.write(SSHD.format(folder=folder))
        source = world.random_file("file", size)
        server = world.launch("server", server_by, "/usr/sbin/sshd", "-D", "-e", "-f",
                              f"{folder}/sshd_config")
        server.wait_line("Server listening on 0.0.0.0")
        options = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-i",
                   f"{folder}/key", "-P", "2222", "-o", "LogLevel=ERROR"]
        client = world.launch("client", client_by, "scp", "-q", *options, source,
                              f"root@{world.host()}:{world.file('got')}")
        if cut:
            world.until_size(client, world.file("got"), size // 4)
            run("ip", "-n", world.client, "link", "set", "a1", "down")
            expect(os.path.getsize(world.file("got")) < size, "it was over before the path died")
        world.complete(client, seconds=120)
        expect_same(source, world.file("got"))
        if not cut:
            world.expect_joined(("client", client_by), ("server", server_by))
    return body


EXACT = "bytes exact; two subflows counted on both sides"
COUNTED = "what was sent had arrived, but for what was on its way; two subflows counted on both sides"
SERVER_ROWS = [
    Row("nginx, three workers", "eight files at once to curl, kernel", nginx_serves,
        EXACT + "; workers of another user", needs=("nginx", "curl"), size=100 * MB, quick=20 * MB),
    Row("nginx", "as a proxy, from and to the kernel", nginx_proxies, EXACT,
        needs=("nginx", "curl"), size=100 * MB, quick=20 * MB),
    Row("iperf3", "client, to the kernel", iperf3(PLAIT, KERNEL), COUNTED, needs=("iperf3",),
        quick=20 * MB),
    Row("iperf3", "server, from the kernel", iperf3(KERNEL, PLAIT), COUNTED, needs=("iperf3",)),
    Row("iperf3", "client, four streams back from the kernel", iperf3(PLAIT, KERNEL, "-R", "-P", "4"),
        COUNTED, needs=("iperf3",)),
    Row("redis-server and redis-benchmark", "plait on both sides", redis,
        "all tests report; two subflows counted on both sides",
        needs=("redis-server", "redis-benchmark"), size=1, quick=1),
    Row("socat", "to the kernel", socat(PLAIT, KERNEL), EXACT, needs=("socat",), quick=20 * MB),
    Row("socat", "from the kernel", socat(KERNEL, PLAIT), EXACT, needs=("socat",)),
    Row("node", "client both ways, kernel's server", node(PLAIT, KERNEL), EXACT, needs=("node",),
        quick=20 * MB),
    Row("node", "server both ways, kernel's client", node(KERNEL, PLAIT), EXACT, needs=("node",)),
    Row("git clone", "over HTTP from the kernel", git, EXACT, needs=("git",), size=100 * MB),
    Row("PostgreSQL, pgbench and psql", "plait on both sides", postgres,
        "no transaction fails, a new connection for each; two subflows counted on both sides",
        needs=("setpriv",), size=50 * MB),
    Row("scp and sshd", "plait on both sides", ssh(PLAIT, PLAIT), EXACT, needs=("scp",), size=100 * MB),
    Row("scp", "to the kernel's sshd, a path dies in the middle", ssh(PLAIT, KERNEL, cut=True),
        "bytes exact", needs=("scp",)),
    Row("sshd", "from the kernel's scp, a path dies in the middle", ssh(KERNEL, PLAIT, cut=True),
        "bytes exact", needs=("scp",)),
]
