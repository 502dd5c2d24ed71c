# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Chromium through chromedriver. WebDriver is plain HTTP and JSON, so nothing but Python is needed."""
import base64
import json
import os
import re
import subprocess
import time
import urllib.error
import urllib.request

FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
         "--window-size=1400,900", "about:blank"]
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"


class Browser:
    def __init__(self, folder, *flags):
        self.folder = folder
        self.driver = subprocess.Popen(["chromedriver", "--port=0", f"--log-path={folder}/driver.log"],
                                       stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                                       env={**os.environ, "HOME": folder})
        for line in self.driver.stdout:
            found = re.search(r"successfully on port (\d+)", line)
            if found:
                break
        self.base = f"http://127.0.0.1:{found.group(1)}"
        options = {"args": [f"--user-data-dir={folder}/chromium", *flags, *FLAGS]}
        answer = self.call("POST", "/session", {"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"}}}})
        self.base += "/session/" + answer["sessionId"]

    def call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as reply:
                return json.load(reply)["value"]
        except urllib.error.HTTPError as error:
            raise RuntimeError(error.read().decode()[:600]) from error

    def quit(self):
        try:
            self.call("DELETE", "")
        finally:
            self.driver.terminate()
            self.driver.wait(timeout=20)

    def open(self, url):
        self.call("POST", "/url", {"url": url})

    def run(self, script, *args):
        return self.call("POST", "/execute/sync", {"script": script, "args": list(args)})

    def wait(self, script, *args, seconds=30):
        """The script's first true value, or its last."""
        deadline = time.monotonic() + seconds
        while True:
            got = self.run(script, *args)
            if got or time.monotonic() > deadline:
                return got
            time.sleep(0.03)

    def find(self, css):
        return self.call("POST", "/element", {"using": "css selector", "value": css})[ELEMENT]

    def click(self, css):
        self.call("POST", f"/element/{self.find(css)}/click", {})

    def type(self, css, text):
        element = self.find(css)
        self.call("POST", f"/element/{element}/clear", {})
        self.call("POST", f"/element/{element}/value", {"text": text})

    def key(self, key):
        """Pressed where the focus is."""
        self.call("POST", "/actions", {"actions": [{"type": "key", "id": "keys", "actions": [
            {"type": "keyDown", "value": key}, {"type": "keyUp", "value": key}]}]})

    def text(self, css):
        return self.run("const e = document.querySelector(arguments[0]); return e && e.textContent;", css)

    def frame(self, css=None):
        """Scripts run inside this frame from now on; None: in the page."""
        self.call("POST", "/frame", {"id": {ELEMENT: self.find(css)} if css else None})

    def logs(self, kind):
        return self.call("POST", "/se/log", {"type": kind})

    def shot(self, name):
        if os.environ.get("SHOTS"):
            with open(f"{os.environ['SHOTS']}/{name}.png", "wb") as out:
                out.write(base64.b64decode(self.call("GET", "/screenshot")))

    def dark(self, is_on):
        value = [{"name": "prefers-color-scheme", "value": "dark" if is_on else "light"}]
        self.call("POST", "/goog/cdp/execute", {"cmd": "Emulation.setEmulatedMedia", "params": {"features": value}})
