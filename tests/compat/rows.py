# SPDX-License-Identifier: MIT
"""Unmodified programs under `plait run`. A row's body raises where something is not
as it should; its `asserts` is what the table in docs/compatibility.md says of it.
"""
from row import MB, Row
from rows_killed import END_ROWS
from rows_options import OPTION_ROWS
from rows_servers import SERVER_ROWS
from world import KERNEL, PLAIT, expect, expect_same

WEB_PORT = 8000


# ---- HTTP -----------------------------------------------------------------------------

def http_server(world, by, folder, side="server"):
    server = world.launch(side, by, "python3", "-u", "-m", "http.server", str(WEB_PORT), "--bind",
                          "0.0.0.0", "-d", folder)
    server.wait_line(r"Serving HTTP")
    return server


def fetch(world, by, url, out, *more):
    client = world.launch("client", by, "curl", "-sS", "--fail", *more, "-o", out, url)
    return world.complete(client)


def web(client_by, server_by):
    """curl fetches a file from Python's http.server."""
    def body(world, size):
        folder = world.folder_of("www")
        source = world.random_file("www/file", size)
        http_server(world, server_by, folder)
        fetch(world, client_by, f"http://{world.host()}:{WEB_PORT}/file", world.file("got"))
        expect_same(source, world.file("got"))
        world.expect_joined(("client", client_by), ("server", server_by))
    return body


# ---- how things fail ------------------------------------------------------------------------

def refused(world, _size):
    client = world.launch("client", PLAIT, "curl", "-sS", f"http://{world.host()}:9/")
    world.complete(client, code=7)
    expect(any("refused" in line.lower() or "connect" in line.lower() for line in client.errors),
           f"curl says: {client.complaint()}")


def direct(world, _size):
    """Without --carry a private destination is left to the kernel, and said so."""
    folder = world.folder_of("www")
    source = world.random_file("www/file", 1 * MB)
    http_server(world, KERNEL, folder)
    client = world.start(world.client, world.plait, "run", "--explain", "--", "curl", "-sS", "-o",
                         world.file("got"), f"http://{world.host()}:{WEB_PORT}/file")
    world.complete(client)
    expect_same(source, world.file("got"))
    expect(any("direct, because a private address" in line for line in client.errors),
           f"nothing was explained: {client.errors}")
    expect(world.counters(world.server).get("MPCapableSYNRX", 0) == 0,
           "the server saw MP_CAPABLE")


ROWS = [
    Row("curl", "from Python's http.server, kernel", web(PLAIT, KERNEL),
        "bytes exact; two subflows counted on both sides", quick=20 * MB),
    Row("python3 -m http.server", "to curl, kernel", web(KERNEL, PLAIT),
        "bytes exact; two subflows counted on both sides", quick=20 * MB),
    Row("curl", "from Python's http.server, plait", web(PLAIT, PLAIT),
        "bytes exact; two subflows counted on both sides", quick=20 * MB),
    Row("curl", "refused connection", refused, "exit code 7 (ECONNREFUSED in time)", quick=1),
    Row("curl", "private destination without --carry", direct,
        "bytes exact; no MP_CAPABLE at the server; --explain says why", quick=1),
] + SERVER_ROWS + END_ROWS + OPTION_ROWS
