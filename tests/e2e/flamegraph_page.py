# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The steps of flamegraph_page.t. WebDriver is plain HTTP and JSON, so nothing but Python is needed."""
import base64
import json
import os
import re
import sys
import time
import urllib.request

PAGES = os.environ["PAGES"]
SHOTS = os.environ.get("SHOTS")
FLAGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync",
         "--disable-dev-shm-usage", "--window-size=1400,1500", f"--user-data-dir={PAGES}/chromium", "about:blank"]
HOSTILE = ["semi;colon", r"new\x0aline", "#hash", "</script><script>window.pwned=1</script>",
           "<img/src=x/onerror=window.pwned=1>", r"u2028\u{2028}sep", r"bidi\u{202e}txt.exe",
           r"not\xff\xfeutf8", "quote\"'\\back", "&lt;b&gt;amp&", "__proto__",
           "std::map<int,std::less<int>>::find"]


def driver_port():
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        with open(os.environ["DRIVER_OUT"], encoding="utf-8") as out:
            found = re.search(r"successfully on port (\d+)", out.read())
        if found:
            return int(found.group(1))
        time.sleep(0.05)
    sys.exit("Bail out! chromedriver did not start")


class Browser:
    def __init__(self, flags):
        self.base = f"http://127.0.0.1:{driver_port()}"
        options = {"args": flags}
        wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"}}
        answer = self.call("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})
        self.base += "/session/" + answer["sessionId"]

    def call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data, {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=60) as reply:
            return json.load(reply)["value"]

    def open(self, kind):
        self.call("POST", "/url", {"url": f"file://{PAGES}/{kind}.html"})

    def run(self, script, *args):
        return self.call("POST", "/execute/sync", {"script": script, "args": list(args)})

    def logs(self, kind):
        return self.call("POST", "/se/log", {"type": kind})

    def key(self, *keys):
        actions = [{"type": what, "value": key} for key in keys for what in ("keyDown", "keyUp")]
        self.call("POST", "/actions", {"actions": [{"type": "key", "id": "k", "actions": actions}]})

    def wait(self, script, *args):
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            if self.run(script, *args):
                return True
            time.sleep(0.02)
        return False

    def click(self, css, text=None):
        """A real click of the mouse in the middle of the element with this text."""
        where = self.run("""const e = [...document.querySelectorAll(arguments[0])].find(
            (x) => arguments[1] === null || x.textContent === arguments[1]);
            e.scrollIntoView({block: 'center'}); const r = e.getBoundingClientRect();
            return [Math.round(r.x + r.width / 2), Math.round(r.y + r.height / 2)];""", css, text)
        mouse = [{"type": "pointerMove", "duration": 0, "x": where[0], "y": where[1]},
                 {"type": "pointerDown", "button": 0}, {"type": "pointerUp", "button": 0}]
        self.call("POST", "/actions", {"actions": [{"type": "pointer", "id": "m", "actions": mouse}]})

    def shot(self, name):
        if SHOTS:
            with open(f"{SHOTS}/{name}.png", "wb") as out:
                out.write(base64.b64decode(self.call("GET", "/screenshot")))


class Tap:
    def __init__(self, count):
        self.done = self.failed = 0
        print(f"1..{count}")

    def ok(self, good, what, *facts):
        self.done += 1
        self.failed += not good
        print(f"{'ok' if good else 'not ok'} {self.done} - {what}", flush=True)
        if not good:
            for fact in facts:
                print(f"# {fact!r}", flush=True)


VISIBLE = """return [...document.querySelectorAll('.d3-flame-graph-label')]
    .filter((x) => x.style.display !== 'none').map((x) => x.textContent);"""
NAMES = "return [...document.querySelectorAll('g.frame')].map((g) => g.getAttribute('name'));"
TEXT = "return document.querySelector(arguments[0]).textContent;"


def check_hostile(browser, tap):
    browser.open("hostile")
    names = browser.run(NAMES)
    tap.ok(all(names.count(name) == 2 for name in HOSTILE), "each hostile name is the text of its frames", names)
    labels = browser.run(VISIBLE)
    tap.ok("</script><script>window.pwned=1</script>" in labels, "markup in a name is shown as text", labels)
    markup = browser.run("return [window.pwned === undefined, document.images.length, document.scripts.length];")
    tap.ok(markup == [True, 0, 3], "no name became an element or ran", markup)
    raw = browser.run("return /[\\u2028\\u202a-\\u202e]/.test(document.body.innerText);")
    tap.ok(raw is False, "no bidi control or line separator reaches the page")
    browser.run("const s = document.getElementById('search'); s.value = arguments[0];"
                "s.dispatchEvent(new Event('input'));", "<img")
    tap.ok("2 frames" in browser.run(TEXT, "#matched"), "a hostile name can be searched",
           browser.run(TEXT, "#matched"))
    browser.shot("hostile")


def check_search(browser, tap):
    browser.open("rich")
    browser.key("/")
    browser.key(*"ngx_http")
    tap.ok(browser.wait("return document.getElementById('matched').textContent !== '';"), "/ goes to the search field")
    tree = "profile.nodes"
    expected = browser.run("""let sum = 0; const flat = profile.nodes; const open = [];
        for (let i = 0; i < flat.length; i += 3) {
            while (open.length && open[open.length - 1].left === 0) open.pop();
            const above = open[open.length - 1]; if (above) above.left--;
            const hit = profile.names[flat[i]][0].includes('ngx_http'); const inside = above ? above.inside : false;
            if (hit && !inside) sum += flat[i + 2];
            open.push({left: flat[i + 1], inside: hit || inside});
        } return sum;""")
    shown = browser.run(TEXT, "#matched")
    tap.ok(expected > 0 and f"{expected:,} samples" in shown, "search counts each sample once", tree, expected, shown)
    share = 100 * expected / browser.run("return summary.samples;")
    tap.ok(f"{share:.1f}" in shown, "search shows the matched share", share, shown)
    browser.shot("search")
    browser.run("const s = document.getElementById('search'); s.value = '/^tcp_/'; s.dispatchEvent(new Event('input'));")
    tap.ok("2 frames" in browser.run(TEXT, "#matched"), "an expression in slashes searches too", browser.run(TEXT, "#matched"))
    browser.run("const s = document.getElementById('search'); s.value = '/(/'; s.dispatchEvent(new Event('input'));")
    tap.ok("not a regular" in browser.run(TEXT, "#matched"), "a broken expression is said to be one")
    browser.run("const s = document.getElementById('search'); s.value = ''; s.dispatchEvent(new Event('input'));")
    tap.ok(browser.run(TEXT, "#matched") == "", "an emptied search field clears the matches")


def check_zoom(browser, tap):
    width = """return [...document.querySelectorAll('g.frame')].filter((g) => g.getAttribute('name') === arguments[0])
        .map((g) => Math.round(g.querySelector('rect').getBoundingClientRect().width))[0] || 0;"""
    full = browser.run("return Math.round(document.getElementById('chart').clientWidth);")
    before = browser.run(width, "postgres")
    browser.click(".d3-flame-graph-label", "postgres")
    grown = browser.wait(width.replace("return [", "return Math.abs([").replace("|| 0;", "- arguments[1]) < 3;"),
                         "postgres", full)
    tap.ok(0 < before < full / 2 and grown, "a click zooms to the frame", before, full, browser.run(width, "postgres"))
    tap.ok(browser.run(width, "nginx") == 0, "what is outside of the zoom is hidden")
    details = browser.run(TEXT, "#details")
    tap.ok("postgres" in details and "samples" in details and "% of all" in details.replace("\u202f", ""),
           "details of a frame show on hover", details)
    browser.shot("zoom")
    browser.click("#reset")
    tap.ok(browser.wait(width.replace("return [", "return Math.abs([").replace("|| 0;", "- arguments[1]) < 3;"),
                        "postgres", before), "reset shows everything again")
    browser.run("document.getElementById('chart').focus();")
    browser.key("\ue015", "\ue015", "\ue015")  # arrow down: all, its heaviest child, ...
    walked = browser.run("return [current.depth, current.data.value];")
    heaviest = browser.run("""let node = data; for (let i = 0; i < 3; i++)
        node = node.children.reduce((a, b) => (a.value >= b.value ? a : b)); return node.value;""")
    tap.ok(walked == [3, heaviest], "arrow keys walk the heaviest frames", walked, heaviest)
    browser.key("\ue007")
    tap.ok(browser.wait("return !document.getElementById('reset').disabled;"), "enter zooms to the frame walked to")
    browser.key("\ue00c")
    tap.ok(browser.wait("return document.getElementById('reset').disabled;"), "escape zooms out")


def check_numbers(browser, tap):
    text = browser.run("return document.body.innerText;").replace("\u202f", " ")
    summary = browser.run("return summary;")
    for wanted in (f"{summary['samples']:,}", f"{summary['user_stacks_complete_pct']:.1f} %", "no frame pointer",
                   "expected = missed + taken", f"{summary['kernel_ns_per_sample']:,} ns", "14.0 MiB", "5,210",
                   "web-7.example.net", "2026-11-22 14:26:26 UTC", "cpu-clock (software)"):
        if wanted not in text:
            tap.ok(False, "totals, accounting, completeness and cost are on the page", wanted, text)
            return
    tap.ok(True, "totals, accounting, completeness and cost are on the page")
    notes = browser.run("""return profile.names.filter(([, kind]) => kind === 'i').map(([name]) => name);""")
    tap.ok(notes == ["[no frame pointer]"], "a stack without a known bottom is marked in the graph", notes)


def check_large(browser, tap):
    browser.open("large")
    facts = browser.run("""const t = performance.now(); search('frame_5'); chart.update();
        return [profile.nodes.length / 3, document.querySelectorAll('g.frame').length, performance.now() - t,
            performance.timing.loadEventEnd - performance.timing.navigationStart];""")
    print(f"# {facts[0]:.0f} nodes, {facts[1]} drawn, search and redraw {facts[2]:.0f} ms, load {facts[3]} ms")
    tap.ok(facts[0] > 40000 and 1000 < facts[1] <= 12000, "a profile of 40,000 nodes and 300 frames deep is drawn", facts)
    narrow = browser.run(TEXT, "#narrow")
    tap.ok(narrow.startswith("Frames up to"), "frames too narrow to draw are mentioned", narrow)
    tap.ok(facts[2] < 10000 and facts[3] < 20000, "it is searched and drawn again within seconds", facts)
    deepest = browser.run("let deep = 0; forEachNode(root, (n) => { deep = Math.max(deep, n.depth); }); return deep;")
    tap.ok(deepest == 301, "no frame of a deep stack is missing", deepest)
    tap.ok("1,234 of 10,857 samples were lost" in browser.run(TEXT, "#alerts"), "losses are said above the graph",
           browser.run(TEXT, "#alerts"))
    browser.open("empty")
    tap.ok("No sample was accepted" in browser.run(TEXT, "#alerts"), "a profile without samples says so")


def main():
    browser = Browser(FLAGS)
    tap = Tap(28)
    try:
        check_hostile(browser, tap)
        check_search(browser, tap)
        check_zoom(browser, tap)
        check_numbers(browser, tap)
        check_large(browser, tap)
        console = [entry for entry in browser.logs("browser") if entry["level"] in ("SEVERE", "WARNING")]
        tap.ok(not console, "the console stays empty", console)
        sent = [json.loads(entry["message"])["message"] for entry in browser.logs("performance")]
        urls = [m["params"]["request"]["url"] for m in sent if m["method"] == "Network.requestWillBeSent"
                and m["params"]["documentURL"].startswith("file:")]
        others = [url for url in urls if not url.startswith(f"file://{PAGES}/")]
        tap.ok(len(urls) == 4 and not others, "the page asks for nothing but itself", urls)
    finally:
        browser.call("DELETE", "")
    return tap.failed > 0


if __name__ == "__main__":
    sys.exit(main())
