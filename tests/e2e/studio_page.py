# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The steps of studio_page.t."""
import http.server
import json
import shutil
import tempfile
import threading

from page_orders import (check_continuous, check_crowd, check_daemon, check_failure, check_keys, check_many, check_order,
                         check_parts, check_scopes, check_subscription, container, go, pick, press)
from studio_rig import Studio, Tap, wait_for
from webdriver import Browser

NAMES = {"markup": "<img src=x onerror=window.pwned=1>", "script": "</script><script>window.pwned=1</script>",
         "lines": "two\u2028lines\u2029", "bidi": "host\u202egpj.exe", "control": "tab\tbell\u0007",
         "quotes": "\"';-- \\", "proto": "__proto__"}
# Tries everything that a page could want from its surroundings, and says what it got.
HOSTILE_PAGE = """<!doctype html><title>x</title><body><p id=here>uploaded</p><script>
const got = {}; const attempt = (name, fn) => { try { got[name] = String(fn()); } catch (e) { got[name] = "refused"; } };
attempt("parent", () => parent.document.body.innerHTML);
attempt("top", () => top.location.href);
attempt("cookie", () => document.cookie);
attempt("storage", () => localStorage.length);
attempt("opener", () => window.opener && window.opener.document);
got.origin = self.origin;
(async () => {
  try { await fetch("/api/studio/hosts"); got.fetch = "answered"; } catch (e) { got.fetch = "refused"; }
  try { await fetch("SINK/fetch", {mode: "no-cors"}); got.fetch2 = "answered"; } catch (e) { got.fetch2 = "refused"; }
  const image = new Image(); image.onload = () => got.image = "loaded"; image.onerror = () => got.image = "refused";
  image.src = "SINK/image";
  parent.postMessage({token: 1}, "*"); parent.postMessage("<p>forged</p>", "*");
  attempt("popup", () => window.open("SINK/popup"));
  attempt("topnav", () => { top.location = "SINK/top"; return "moved"; });
  got.done = true; window.got = got;
})();
</script></body>"""


class Sink:
    """Another site: whatever is sent to it stays in HEARD."""

    def __init__(self):
        heard = self.heard = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                heard.append(self.path)
                self.send_error(404)

            def log_message(self, format, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://localhost:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def check_token(browser, studio, tap):
    browser.open(studio.url + "/")
    tap.ok(browser.run("return !document.getElementById('door').hidden && document.getElementById('room').hidden;"),
           "without a token the page asks for it and shows nothing")
    browser.shot("1-token")
    browser.type("#token", "wrong-token-wrong-token")
    browser.click("#token-form button")
    tap.ok(browser.wait("return document.getElementById('token-error').textContent.includes('does not know');"),
           "a wrong token is refused in words")
    browser.type("#token", studio.token)
    browser.click("#token-form button")
    tap.ok(browser.wait("return !document.getElementById('room').hidden;"), "the right token opens the page")
    tap.ok(browser.wait("return !document.getElementById('no-hosts').hidden;"), "no host: the page says how to add one")
    browser.shot("2-empty")


def check_graph(browser, tap):
    browser.click("#profiles .open")
    tap.ok(browser.wait("return !!document.querySelector('#viewer iframe');"), "Open shows a frame")
    browser.frame("#viewer iframe")
    tap.ok(browser.wait("return document.querySelectorAll('g.frame').length > 5;"),
           "the flame graph made from the lines is drawn in it", browser.run("return document.body.innerText;"))
    names = browser.run("return [...document.querySelectorAll('g.frame')].map((g) => g.getAttribute('name'));")
    tap.ok(any("ksys_read" in (name or "") for name in names), "with the names of the upload", names)
    tap.equal(browser.run("return self.origin;"), "null", "the frame has no origin")
    browser.frame()
    browser.shot("4-graph")
    browser.click("#viewer-back")
    tap.ok(browser.wait("return document.getElementById('viewer').hidden;"), "Back closes it")


def check_hostile_names(browser, studio, tap):
    for name in NAMES.values():
        studio.heartbeat(name, name)
        studio.upload(metadata={"hostname": name})
    browser.click("#tab-host")
    browser.type("#filter", " ")
    browser.wait("return document.querySelectorAll('#targets tr').length === arguments[0];", 2 + len(NAMES))
    shown = browser.run("return [...document.querySelectorAll('#targets .name b')].map((e) => e.textContent);")
    tap.ok(NAMES["markup"] in shown and NAMES["script"] in shown, "markup in a host name is text", shown)
    tap.ok("host\u2039U+202E\u203agpj.exe" in shown and "two\u2039U+2028\u203alines\u2039U+2029\u203a" in shown,
           "direction marks and line separators are spelled out", shown)
    browser.shot("8-hostile")
    pick(browser, NAMES["markup"], NAMES["proto"])
    tap.equal(press(browser, "#start"), "2 hosts", "hosts with such names are ordered too")
    go(browser)
    got = [wait_for(lambda: studio.heartbeat(name, name).json["profiling_command"]) for name in (NAMES["markup"], NAMES["proto"])]
    tap.ok(all(got), "and get their profile", got)
    facts = browser.run("return [window.pwned === undefined, document.images.length, document.scripts.length];")
    tap.equal(facts, [True, 0, 1], "no name became an element or ran")
    browser.type("#filter", "onerror")
    tap.ok(browser.wait("return document.querySelectorAll('#targets tr').length === 1;"), "a hostile name can be filtered")
    browser.type("#filter", " ")


def check_hostile_page(browser, studio, tap):
    sink = Sink()
    studio.upload(html=HOSTILE_PAGE.replace("SINK", sink.url), metadata={"hostname": "evil"})
    browser.wait("return document.querySelector('#profiles tr').textContent.includes('evil');")
    browser.click("#profiles tr:first-child .open")
    browser.wait("return !!document.querySelector('#viewer iframe');")
    browser.shot("7-evil")
    browser.frame("#viewer iframe")
    tap.ok(browser.wait("return !!window.got && window.got.done && !!window.got.image;"), "an uploaded page runs in its frame")
    got = browser.run("return window.got;") or {}
    refused = ["parent", "top", "cookie", "storage", "fetch", "fetch2", "image"]
    tap.equal({name: got.get(name) for name in refused}, {name: "refused" for name in refused},
              "but reaches neither the page, nor storage, nor the network")
    tap.equal(got.get("origin"), "null", "it has no origin")
    tap.ok(got.get("popup") in ("null", "refused"), "it opens no window", got)
    browser.frame()
    tap.ok(browser.run("return location.href;").startswith(studio.url), "it does not move the page away")
    tap.ok(browser.run("return !document.body.textContent.includes('forged');"), "its messages are ignored")
    browser.frame("#viewer iframe")
    browser.run("location.href = arguments[0];", sink.url + "/frame")
    browser.frame()
    tap.ok(browser.wait("return !document.getElementById('viewer').hidden && window.frames.length === 1;"),
           "its frame stays where it is")
    tap.equal(sink.heard, [], "a server that listens for it hears nothing")
    sink.close()
    browser.click("#viewer-back")


def check_secrets(browser, studio, tap):
    tap.ok(studio.token not in browser.run("return location.href + document.cookie;"),
           "the token is neither in the address nor in a cookie")
    stored = browser.run("return [localStorage.length, sessionStorage.length, document.cookie];")
    tap.equal(stored, [0, 0, ""], "nothing is stored in the browser")
    markup = browser.run("return document.documentElement.outerHTML + document.getElementById('token').value;")
    tap.ok(studio.token not in markup, "nor is it in the document")
    urls = [json.loads(entry["message"])["message"] for entry in browser.logs("performance")]
    urls = [u["params"]["request"]["url"] for u in urls if u["method"] == "Network.requestWillBeSent"]
    foreign = [u for u in urls if not u.startswith((studio.url, "data:", "blob:", "chrome:", "chrome-untrusted:"))]
    tap.equal(foreign, [], "no request goes anywhere else")
    tap.ok(all(studio.token not in u for u in urls), "and none carries the token in its address")


def check_restart(browser, studio, tap):
    studio.heartbeat("k8s-3", "pay", containers=[container("pay", "pay-a", "prod", (31, "pay"))])
    browser.type("#filter", "pay")
    browser.click("#tab-process")
    studio.stop()
    tap.ok(browser.wait("return document.getElementById('banner').textContent.includes('does not answer');"),
           "a studio that is gone is said to be gone")
    studio.start(studio.port)
    tap.ok(browser.wait("return document.getElementById('banner').hidden;"), "and its return is noticed")
    browser.dark(True)
    browser.shot("6-dark")
    browser.dark(False)
    browser.call("POST", "/refresh", {})
    tap.ok(browser.wait("return !document.getElementById('door').hidden;"), "a reload forgets the token")
    browser.type("#token", studio.token)
    browser.click("#token-form button")
    tap.ok(browser.wait("return document.querySelectorAll('#targets tr').length === 1;"), "but finds its place again")
    tap.equal(browser.run("return [document.querySelector('[aria-selected=true]').id, document.getElementById('filter').value];"),
              ["tab-process", "pay"], "which is in its address")


def check_console(browser, tap):
    noise = ("401", "422", "ERR_CONNECTION_REFUSED", "/viewer", "srcdoc", "Content Security Policy", "sandbox")
    errors = [entry["message"] for entry in browser.logs("browser")
              if entry["level"] == "SEVERE" and not any(word in entry["message"] for word in noise)]
    tap.equal(errors, [], "the page's console shows no error of its own")


def main():
    folder = tempfile.mkdtemp(prefix="pulseprof-page.")
    tap = Tap()
    studio = Studio(folder + "/state")
    browser = Browser(folder)
    try:
        check_token(browser, studio, tap)
        check_order(browser, studio, tap)
        check_graph(browser, tap)
        check_failure(browser, studio, tap)
        check_continuous(browser, studio, tap)
        check_hostile_names(browser, studio, tap)
        check_scopes(browser, studio, tap)
        check_subscription(browser, studio, tap)
        check_many(browser, studio, tap)
        check_crowd(browser, studio, tap)
        check_keys(browser, tap)
        check_parts(browser, studio, tap)
        check_daemon(browser, studio, folder, tap)
        check_secrets(browser, studio, tap)
        check_hostile_page(browser, studio, tap)
        check_restart(browser, studio, tap)
        check_console(browser, tap)
    finally:
        browser.quit()
        studio.process.kill()
        studio.process.wait()
        shutil.rmtree(folder, ignore_errors=True)
    tap.end()


main()
