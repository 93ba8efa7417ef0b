#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The live page in Chromium, told what to do over its DevTools pipe: plots move, a button
changes what is shown, a phone and the dark have a page of their own. Needs root and
chromium, exits 77 (skipped) without.

    test_page.py PLAIT [FOLDER]     screenshots into FOLDER
"""
import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile

from watched import Watched, exit_on_signals

PLAIT = sys.argv[1]
SHOTS = sys.argv[2] if len(sys.argv) > 2 else None
POINTS = 15 if SHOTS else 3


class Browser:
    """One page of a headless Chromium, in a namespace."""

    def __init__(self, namespace):
        self.folder = tempfile.mkdtemp(prefix="plait-page-")
        theirs_in, self.out = os.pipe()
        self.back, theirs_out = os.pipe()

        def pipes():  # it reads its descriptor 3 and writes 4
            high = [os.dup2(theirs_in, 100), os.dup2(theirs_out, 101)]
            os.dup2(high[0], 3)
            os.dup2(high[1], 4)

        self.process = subprocess.Popen(
            ["ip", "netns", "exec", namespace, "chromium", "--headless", "--no-sandbox",
             "--disable-gpu", "--hide-scrollbars", "--remote-debugging-pipe",
             f"--user-data-dir={self.folder}", "about:blank"],
            preexec_fn=pipes, close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(theirs_in)
        os.close(theirs_out)
        self.count, self.read, self.session = 0, b"", {}
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = {"sessionId": self.call("Target.attachToTarget", targetId=target,
                                               flatten=True)["sessionId"]}

    def call(self, method, **params):
        self.count += 1
        message = {"id": self.count, "method": method, "params": params, **self.session}
        os.write(self.out, json.dumps(message).encode() + b"\0")
        return self.next(lambda answer: answer.get("id") == self.count)["result"]

    def next(self, wanted):
        """The next message that is wanted; those before are not."""
        while True:
            while b"\0" not in self.read:
                data = os.read(self.back, 1 << 20)
                if not data:
                    raise RuntimeError("chromium ended")
                self.read += data
            text, self.read = self.read.split(b"\0", 1)
            message = json.loads(text)
            if wanted(message):
                return message

    def open(self, url):
        self.call("Page.enable")
        self.call("Page.navigate", url=url)
        self.next(lambda event: event.get("method") == "Page.loadEventFired")

    def value(self, script):
        return self.call("Runtime.evaluate", expression=script, awaitPromise=True,
                         returnByValue=True)["result"].get("value")

    def until(self, script, seconds=30):
        """Until it is true, looked at whenever the page changes."""
        return self.value(f"""new Promise(done => {{
            const look = () => {{ if ({script}) {{ seen.disconnect(); done(true); }} }};
            const seen = new MutationObserver(look);
            seen.observe(document.body, {{subtree: true, childList: true, characterData: true}});
            setTimeout(() => done(false), {seconds * 1000}); look(); }})""")

    def device(self, width, scheme):
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=900,
                  deviceScaleFactor=1, mobile=width < 500)
        self.call("Emulation.setEmulatedMedia",
                  features=[{"name": "prefers-color-scheme", "value": scheme}])

    def shoot(self, name):
        if SHOTS:
            with open(f"{SHOTS}/live-{name}.png", "wb") as file:
                file.write(base64.b64decode(self.call("Page.captureScreenshot")["data"]))

    def end(self):
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def check(what, condition, seen=""):
    print(("ok    " if condition else "FAIL  ") + what, "" if condition else f"\n{seen}")
    return not condition


def test_page(page, url):
    page.device(1100, "light")
    page.open(url)
    failed = check("two paths are plotted as they move", page.until(
        f"[...document.querySelectorAll('#rate-plot polyline')].filter(l => "
        f"l.points.length >= {POINTS} && l.points[l.points.length - 1].y < 20).length === 2"),
        page.value("document.body && document.body.innerText"))
    failed += check("the token is not left in the address", page.value("location.hash") == "")
    failed += check("plots say in words what they show", "10.1.2.1 " in page.value(
        "document.getElementById('rate-plot').getAttribute('aria-label')"))
    page.value("document.querySelector('[aria-label=\"make a backup of subflow 2\"]').focus()")
    for kind in ("rawKeyDown", "char", "keyUp"):  # as a keyboard does it
        page.call("Input.dispatchKeyEvent", type=kind, key="Enter", code="Enter", text="\r",
                  windowsVirtualKeyCode=13)
    failed += check("a button makes a subflow a backup", page.until(
        "document.getElementById('subflows').textContent.includes('backup, established')"),
        page.value("document.body.innerText"))
    failed += check("which is an event", page.until(
        "document.getElementById('events').textContent.includes('subflow priority')"))
    page.shoot("light")
    page.device(1100, "dark")
    failed += check("the dark is dark", page.value(
        "getComputedStyle(document.body).backgroundColor") == "rgb(13, 17, 23)")
    page.shoot("dark")
    page.device(390, "light")
    failed += check("a phone need not scroll sideways", page.value(
        "document.documentElement.scrollWidth") == 390)
    page.shoot("phone")
    page.value("document.querySelector('[aria-label=\"close subflow 2\"]').click()")
    return failed + check("and another closes it, with the reason", page.until(
        "document.getElementById('subflows').textContent.includes('closed here')"))


def main():
    if os.geteuid() != 0 or not shutil.which("chromium"):
        sys.exit(77)
    exit_on_signals()
    with Watched(PLAIT, "--http", "8684", "--http-control") as world:
        world.send()
        page = Browser(world.client)
        try:
            failed = test_page(page, f"http://127.0.0.1:8684/#{world.status()['page_token']}")
        finally:
            page.end()
    print(f"{failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
