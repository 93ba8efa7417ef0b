#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""plaitd by HTTP: the page, its stream of events, metrics, whom it refuses, and that viewers
who do not read do not matter. Needs root, exits 77 (skipped) without."""
import json
import os
import pathlib
import re
import subprocess
import sys

from watched import Watched, exit_on_signals

PLAIT = sys.argv[1]
AT = "http://127.0.0.1:8684"
VIEWERS_MAX = 16
DASHBOARD = pathlib.Path(__file__).resolve().parents[2] / "data/plait-grafana.json"


def check(what, condition, seen):
    print(("ok    " if condition else "FAIL  ") + what, "" if condition else f"\n{seen}")
    return not condition


def curl(world, path, *more):
    """Status code, headers and body."""
    done = subprocess.run(["ip", "netns", "exec", world.client, "curl", "-s", "-m", "20", "-D", "-",
                           *more, AT + path], capture_output=True, text=True)
    head, _, body = done.stdout.replace("\r", "").partition("\n\n")
    code = re.match(r"HTTP/1.1 (\d+)", head)
    return int(code[1]) if code else None, head, body


def viewer(world):
    return subprocess.Popen(["ip", "netns", "exec", world.client, "curl", "-sNf", "-m", "60",
                             "--retry", "20", "--retry-delay", "1", AT + "/events"],
                            stdout=subprocess.PIPE, text=True)


def messages(stream):
    """(kind, data) as they come; ends with the stream."""
    kind = None
    for line in stream.stdout:
        word, _, rest = line.rstrip("\n").partition(": ")
        if word == "event":
            kind = rest
        elif word == "data":
            yield kind, json.loads(rest)


def test_page(world):
    failed = 0
    for path, kind in (("/", "text/html"), ("/page.js", "text/javascript"), ("/page.css", "text/css")):
        code, head, body = curl(world, path)
        failed += check(f"{path} is served", code == 200 and kind in head and
                        "SPDX-License-Identifier" in body, (code, head))
        failed += check("with a policy that lets nothing else in",
                        "Content-Security-Policy: default-src 'none'" in head, head)
        failed += check("and asks nobody else", not re.search(r"https?://(?!www\.w3\.org/2000/svg)", body),
                        body)
    code, _, body = curl(world, "/status.json")
    status = json.loads(body)
    return failed + check("/status.json is plait status, without the token", code == 200 and
                          status["daemon"]["pid"] == world.status()["daemon"]["pid"] and
                          not {"page", "page_token"} & set(status), status)


def test_refusals(world, token):
    change = json.dumps({"plait": 1, "do": "close", "conn": 4711})
    own = ("-H", f"X-Plait-Token: {token}")
    rows = (("another name", "/", ("-H", "Host: evil.example:8684"), 403),
            ("another port", "/", ("-H", "Host: 127.0.0.1:80"), 403),
            ("another address", "/", ("-H", "Host: 10.1.1.1:8684"), 403),
            ("localhost", "/", ("-H", "Host: localhost:8684"), 200),
            ("another origin", "/events", ("-H", "Origin: http://evil.example"), 403),
            ("no such page", "/../etc/passwd", (), 404),
            ("POST without token", "/control", ("-d", change), 403),
            ("a wrong token", "/control", ("-d", change, "-H", "X-Plait-Token: " + "0" * 32), 403),
            ("a token from elsewhere", "/control",
             ("-d", change, *own, "-H", "Origin: http://evil.example"), 403),
            ("a long request", "/control", ("-d", "x" * 5000, *own), 413),
            ("GET of what is POSTed", "/control", own, 405))
    failed = 0
    for what, path, words, expected in rows:
        code, _, body = curl(world, path, *words)
        failed += check(f"{what}: {expected}", code == expected, (code, body))
    for request, error in ((change, "no-connection"), ("{", "bad-request"),
                           ('{"plait":1,"do":"stop"}', "bad-request"),
                           ('{"plait":1,"do":"set","scheduler":"redundant"}', "bad-request")):
        _, _, body = curl(world, "/control", "-d", request, *own)
        failed += check(f"{request} is answered with {error}",
                        json.loads(body).get("error") == error, body)
    return failed


def test_stream(world, token):
    with viewer(world) as stream:
        told = messages(stream)
        failed = check("sentences of reasons come first", next(told)[0] == "reasons", "")
        conn = next(data["connections"][0]["conn"] for kind, data in told
                    if kind == "status" and data["connections"])
        flow = next(data for kind, data in told if kind == "status" and
                    len(data["paths"]) == 2 and all(p["bytes_sent"] for p in data["paths"]))
        failed += check("looks say whether something can be changed", flow["control"] is True, flow)
        request = json.dumps({"plait": 1, "do": "set", "conn": conn, "subflow": 2, "backup": True})
        curl(world, "/control", "-d", request, "-H", f"X-Plait-Token: {token}")
        event = next(data for kind, data in told if data.get("event") == "subflow_priority")
        failed += check("what the page changes is told", event["subflow"] == 2, event)
        look = next(data for kind, data in told if kind == "status")
        failed += check("and seen", any(s["backup"] for s in look["connections"][0]["subflows"]),
                        look)
        request = json.dumps({"plait": 1, "do": "close", "conn": conn, "subflow": 2})
        code, _, body = curl(world, "/control", "-d", request, "-H", f"X-Plait-Token: {token}",
                             "-H", f"Origin: {AT}")
        failed += check("a subflow is closed from the page", code == 200 and json.loads(body)["ok"],
                        body)
        event = next(data for kind, data in told if data.get("event") == "subflow_closed")
        failed += check("the event comes with its reason", event["reason"] == "local_close" and
                        event["conn"] == conn, event)
        stream.terminate()
    return failed


def test_crowd(world):
    """Viewers who never read: as many as may come, and nothing stops for them."""
    crowd = [viewer(world) for _ in range(VIEWERS_MAX)]
    for stream in crowd:
        stream.stdout.readline()
    code, _, _ = curl(world, "/events", "-m", "2")
    failed = check("one more viewer is refused", code == 503, code)
    code, _, _ = curl(world, "/metrics")
    failed += check("others are served", code == 200, code)
    for stream in crowd:
        stream.kill()
        stream.stdout.close()
        stream.wait()
    return failed


SAMPLE = re.compile(r'^([a-zA-Z_:][\w:]*)(?:\{(\w+="[^"\\\n]*"(?:,\w+="[^"\\\n]*")*)\})? (-?[\d.]+(?:e[+-]?\d+)?)$')


def test_metrics(world):
    code, head, body = curl(world, "/metrics")
    failed = check("metrics are text of the format's version", code == 200 and
                   "version=0.0.4" in head, head)
    types, helped, samples, series = {}, set(), {}, set()
    for line in body.splitlines():
        words = line.split(" ", 3)
        if words[:2] == ["#", "TYPE"]:
            failed += bool(words[2] in types) and check(f"{words[2]} has one type", False, line)
            types[words[2]] = words[3]
        elif words[:2] == ["#", "HELP"]:
            helped.add(words[2])
        elif match := SAMPLE.match(line):
            name = match[1]
            if name not in types or (types[name] == "counter") != name.endswith("_total") or \
                    (name, match[2]) in series:
                failed += check("a sample has a type that fits and is there once", False, line)
            series.add((name, match[2]))
            samples[name] = samples.get(name, 0) + float(match[3])
        else:
            failed += check("a line is a comment or a sample", False, line)
    failed += check("all have help", helped == set(types), helped ^ set(types))
    failed += check("paths have bytes", samples["plait_path_bytes_total"] > 0, samples)
    failed += check("the stack's counters are there", samples["plait_MPJoinSynTx_total"] >= 1,
                    samples)
    panels = json.loads(DASHBOARD.read_text())["panels"]
    asked = {name for panel in panels for target in panel["targets"]
             for name in re.findall(r"\bplait_\w+", target["expr"])}
    failed += check("the dashboard asks for nothing else", asked and asked <= set(types),
                    asked - set(types))
    return failed + check("events with reasons", re.search(
        r'plait_events_total\{event="subflow_closed",reason="local_close"\} [1-9]', body), body)


def main():
    if os.geteuid() != 0:
        sys.exit(77)
    exit_on_signals()
    with Watched(PLAIT, "--http", "8684", "--http-control") as world:
        program = world.send()
        token = world.status()["page_token"]
        failed = check("plait status tells the page and its token",
                       f"page at {AT}/#{token}" in world.ask("status").stdout, token)
        failed += test_page(world) + test_refusals(world, token) + test_stream(world, token)
        failed += test_crowd(world) + test_metrics(world)
        failed += check("the program ends well", world.finish_sending(program) == 0, "")
        with viewer(world) as stream:
            next(messages(stream))
            world.daemon.process.terminate()
            failed += check("plaitd ends well with a viewer", world.daemon.finish() == 0,
                            world.daemon.errors)
    print(f"{failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
