# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Steps of studio_page.t: what an operator orders, in every scope, and what the page says of it."""
import os
import subprocess

from studio_rig import O, wait_for

ROW = """const row = [...document.querySelectorAll('#targets tr')].find(
    (x) => x.querySelector('.name b').textContent === arguments[0]);"""
STATE = ROW + "return row ? row.querySelector('.badge').textContent : null;"
SHOWS = ROW + "return !!row && row.querySelector('.badge').textContent === arguments[1];"
PICK = ROW + "row.querySelector('.pick input').click(); return true;"
LINE = "const e = document.querySelector('#orders li'); return e ? e.innerText : '';"


def container(name, pod, namespace, *processes):
    return {"container_id": f"{pod}-{name}", "container_name": name, "runtime": "containerd", "namespace": namespace,
            "pod_name": pod, "workload_name": name, "workload_kind": "Deployment",
            "processes": [{"pid": pid, "process_name": comm} for pid, comm in processes]}


FLEET = {"k8s-1": ("shop", [container("cart", "cart-a", "prod", (11, "java"), (12, "sh")),
                            container("proxy", "proxy-x", "system", (13, "envoy"))]),
         "k8s-2": ("shop", [container("cart", "cart-b", "prod", (21, "java"))]),
         "k8s-3": ("pay", [container("pay", "pay-a", "prod", (31, "java"))])}


def beat(studio, host, **more):
    service, containers = FLEET[host]
    return studio.heartbeat(host, service, containers=containers, **more).json


def tab(browser, scope, rows):
    browser.click(f"#tab-{scope}")
    return browser.wait("return document.querySelectorAll('#targets tr').length === arguments[0];", rows)


def pick(browser, *names):
    for name in names:
        browser.wait(ROW + "return !!row;", name)
        browser.run(PICK, name)


def press(browser, button):
    """Opens the dialog for what is selected and waits for what it would do; that text."""
    browser.click(button)
    browser.wait("return document.getElementById('confirm').open && !document.getElementById('confirm-go').disabled;")
    return browser.text("#confirm-state")


def go(browser):
    browser.click("#confirm-go")
    browser.wait("return !document.getElementById('confirm').open;")


def line(browser, *words):
    """The newest order's line says so; the page asks at once, as when its tab is come back to."""
    browser.run("document.dispatchEvent(new Event('visibilitychange'));")
    return browser.wait("const e = document.querySelector('#orders li'); return !!e && arguments[0].every(w => e.innerText.includes(w));",
                        list(words))


def check_order(browser, studio, tap):
    studio.heartbeat()
    studio.heartbeat("node-8", "search")
    tap.ok(browser.wait("return document.querySelectorAll('#targets tr').length === 2;"),
           "hosts appear by themselves after their heartbeat")
    tap.equal(browser.run(STATE, "node-7"), "idle", "a host without a command is idle")
    tap.equal(browser.run("return [document.getElementById('duration').value, document.getElementById('rate').value, "
                          "document.getElementById('start').disabled];"), ["10", "99", True],
              "10 s at 99 Hz are the defaults, and nothing is selected")
    pick(browser, "node-7")
    browser.type("#duration", "0")
    browser.click("#start")
    tap.ok(not browser.run("return document.getElementById('confirm').open;"), "a duration of 0 is not taken")
    browser.type("#duration", "3")
    tap.equal(press(browser, "#start"), "1 host", "before anything happens the page says what it reaches")
    browser.shot("3-confirm")
    tap.equal(studio.heartbeat().json["profiling_command"], None, "asking is no order")
    go(browser)
    tap.ok(browser.wait(SHOWS, "node-7", "waiting"),
           "an order waits for the next heartbeat", browser.text("#banner"))
    tap.ok(line(browser, "node-7", "checkout · 3 s at 99 Hz", "waiting"), "and is listed", browser.run(LINE))
    beat = studio.heartbeat().json
    config = beat["profiling_command"]["combined_config"] if beat["profiling_command"] else {}
    tap.equal([config.get("duration"), config.get("frequency"), config.get("continuous")], [3, 99, False],
              "the agent gets what was chosen")
    command = beat["command_id"]
    tap.ok(line(browser, "sent"), "then it is sent", browser.run(LINE))
    studio.heartbeat(received_command_ids=[command], last_command_id=command)
    tap.ok(line(browser, "received"), "received", browser.run(LINE))
    studio.complete(command)
    tap.ok(line(browser, "sampling", "s left"), "sampled", browser.run(LINE))
    tap.ok(browser.wait("return !document.querySelector('#orders li progress').hidden;"), "with a bar of its progress")
    tap.ok(browser.wait(SHOWS, "node-7", "profiling"), "and the host shows as profiling", browser.run(STATE, "node-7"))
    browser.shot("4-sampling")
    studio.upload()
    tap.ok(line(browser, "done", "Flame graph"), "and done once its profile has come", browser.run(LINE))
    tap.ok(browser.wait("return document.querySelectorAll('#profiles tr').length === 1;"), "the profile is listed")
    row = browser.text("#profiles tr")
    tap.ok(all(word in row for word in ("node-7", "checkout", "10 s", "9")), "with host, length and samples", row)


def check_failure(browser, studio, tap):
    studio.order("node-8", "search")
    command = studio.heartbeat("node-8", "search").json["command_id"]
    studio.complete(command, "failed", "node-8", "no permission for <b>perf</b>")
    tap.ok(line(browser, "node-8", "failed", "no permission for <b>perf</b>"),
           "a failed command shows the agent's reason, as text", browser.run(LINE))


def check_continuous(browser, studio, tap):
    pick(browser, "node-7")
    browser.run("document.getElementById('continuous').click();")
    tap.ok(browser.run("return document.getElementById('duration').disabled;"), "a continuous run has no duration to choose")
    press(browser, "#start")
    go(browser)
    command = wait_for(lambda: studio.heartbeat().json["command_id"])
    studio.complete(command)
    tap.ok(browser.wait(SHOWS, "node-7", "continuous"),
           "a continuous run shows as one", browser.run(STATE, "node-7"))
    press(browser, "#orders li .stop")
    go(browser)
    stop = wait_for(lambda: studio.heartbeat(received_command_ids=[command]).json["command_id"])
    studio.complete(stop)
    studio.heartbeat(received_command_ids=[command, stop], last_command_id=stop)
    tap.ok(browser.wait(SHOWS, "node-7", "idle"), "Stop ends it")
    browser.run("document.getElementById('once').click();")


def check_scopes(browser, studio, tap):
    for host in FLEET:
        beat(studio, host)
    counts = {"host": 12, "service": 11, "namespace": 3, "workload": 3, "pod": 4, "container": 4, "process": 5}
    seen = {scope: tab(browser, scope, rows) for scope, rows in counts.items()}
    tap.equal(seen, {scope: True for scope in counts}, "each scope has a tab with its rows")
    shown = browser.run("return [...document.querySelectorAll('#tabs [role=tab]')].map((e) => e.lastChild.textContent);")
    tap.equal(shown, [str(n) for n in counts.values()], "and says how many there are")
    tab(browser, "pod", 4)
    pick(browser, "cart-a", "pay-a")
    tap.equal(press(browser, "#start"), "2 hosts, 3 processes", "pods of two services are ordered together")
    browser.shot("5-pods")
    go(browser)
    pids = [beat(studio, host)["profiling_command"]["combined_config"]["pids"] for host in ("k8s-1", "k8s-3")]
    tap.equal(pids, [[11, 12], [31]], "and their hosts get their processes")
    tab(browser, "process", 5)
    browser.type("#filter", "java host:k8s-2")
    tap.ok(browser.wait("return document.querySelectorAll('#targets tr').length === 1;"), "rows are filtered by name and host")
    pick(browser, "java")
    tap.equal(press(browser, "#start"), "1 host, 1 process", "a process is a target")
    go(browser)
    got = beat(studio, "k8s-2")
    tap.equal(got["profiling_command"]["combined_config"]["pids"], [21], "and nothing else is sampled")
    beat(studio, "k8s-2", received_command_ids=[got["command_id"]])
    pick(browser, "java")
    press(browser, "#stop")
    tap.ok(browser.run("return !document.getElementById('level').hidden;"), "processes can be stopped, or all on their hosts")
    go(browser)
    stop = beat(studio, "k8s-2", received_command_ids=[got["command_id"]])["profiling_command"]
    tap.equal(stop and stop["command_type"], "stop", "and the host is told")
    browser.type("#filter", "cart-b")
    tab(browser, "pod", 1)
    pick(browser, "cart-b")
    studio.heartbeat("k8s-2", "shop")
    browser.click("#start")
    tap.ok(browser.wait("return document.getElementById('confirm-state').textContent.includes('No active targets') && "
                        "document.getElementById('confirm-go').disabled;"), "a pod that is gone meanwhile is said to be gone")
    browser.click("#confirm-cancel")
    browser.click("#clear")
    browser.type("#filter", "no-such-name")
    tap.ok(browser.wait("return document.getElementById('no-rows').innerText.includes('no-such-name');"),
           "a filter that matches nothing says so")
    browser.type("#filter", " ")


def check_subscription(browser, studio, tap):
    tab(browser, "service", 11)
    pick(browser, "shop")
    browser.run("document.getElementById('continuous').click();")
    press(browser, "#start")
    tap.ok("New hosts of shop are enrolled" in browser.text("#confirm-notes"), "a continuous start of a service enrols new hosts")
    go(browser)
    tap.ok(browser.wait("return document.getElementById('subscriptions').innerText.includes('shop');"), "which is shown as such")
    browser.shot("6-subscription")
    tap.ok(studio.heartbeat("k8s-new", "shop").json["profiling_command"], "a new host's first heartbeat brings the start")
    press(browser, "#subscriptions button")
    go(browser)
    tap.ok(browser.wait("return document.getElementById('subscriptions').hidden;"), "it can be ended")
    tap.equal(studio.heartbeat("k8s-newer", "shop").json["profiling_command"], None, "and enrols nobody any more")
    browser.run("document.getElementById('once').click();")


def check_many(browser, studio, tap):
    for i in range(40):
        studio.heartbeat(f"many-{i:02}", "crowd")
    browser.click("#tab-host")
    browser.type("#filter", "many")
    tap.ok(browser.wait("return document.querySelectorAll('#targets tr').length === 15 && "
                        "document.getElementById('targets-pager').innerText.includes('1–15 of 40');"),
           "a long list comes page by page", browser.text("#targets-pager"))
    pick(browser, "many-00")
    browser.run("document.querySelector('#targets tr').mine = true;")
    browser.click("#targets-pager button:last-child")
    tap.ok(browser.wait("return document.querySelector('#targets .name b')?.textContent === 'many-15';"), "the next page follows")
    pick(browser, "many-15")
    tap.ok("2 hosts selected, 1 not on this page" in browser.text("#chosen"), "a selection stays over pages", browser.text("#chosen"))
    before = browser.run("window.row = document.querySelector('#targets tr'); return performance.getEntriesByType('resource').length;")
    browser.wait("return performance.getEntriesByType('resource').length > arguments[0] + 3;", before)
    tap.ok(browser.run("return row.isConnected && row.querySelector('input').checked;"), "a refresh keeps rows and selection")
    tap.equal(press(browser, "#start"), "2 hosts", "all that is selected is ordered")
    browser.key("\ue00c")
    tap.ok(browser.wait("return !document.getElementById('confirm').open;"), "Escape leaves the question")
    browser.click("#clear")


def check_crowd(browser, studio, tap):
    """After check_many: its hosts are one service."""
    browser.type("#filter", "crowd")
    tab(browser, "service", 1)
    pick(browser, "crowd")
    tap.equal(press(browser, "#start"), "40 hosts", "a service is ordered as a whole")
    go(browser)
    tap.ok(line(browser, "40 hosts", "crowd", "40 waiting"), "which is one order", browser.run(LINE))
    command = studio.heartbeat("many-00", "crowd").json["command_id"]
    studio.complete(command, "failed", "many-00", "no permission")
    studio.heartbeat("many-07", "crowd")
    tap.ok(line(browser, "38 waiting", "1 sent", "1 failed"), "that tells how many are how far", browser.run(LINE))
    browser.click("#orders li .more")
    tap.ok(browser.wait("return document.querySelectorAll('#orders .hosts li').length === 40;"), "and shows them on request")
    first = "return ['b', '.badge', '.sub'].map((css) => document.querySelector('#orders .hosts li').querySelector(css).textContent);"
    tap.equal(browser.run(first), ["many-00", "failed", "no permission"], "those that need a look first")
    browser.shot("7-crowd")
    tap.equal(press(browser, "#orders li .stop"), "39 hosts", "all that is not over is stopped together")
    go(browser)
    tap.ok(line(browser, "39 hosts", "crowd · stop"), "as one order", browser.run(LINE))


def check_keys(browser, tap):
    browser.run("document.getElementById('tab-host').focus();")
    browser.key("\ue014")
    tap.ok(browser.wait("return document.activeElement.id === 'tab-service' && document.activeElement.ariaSelected === 'true';"),
           "tabs are walked with the arrow keys")
    browser.key("\ue011")
    tap.equal(browser.run("return document.activeElement.id;"), "tab-host", "Home leads to the first")
    nameless = browser.run("""return [...document.querySelectorAll('button, input, select, a')].filter((e) => e.offsetParent &&
        !(e.ariaLabel || e.textContent.trim() || e.labels?.length)).map((e) => e.outerHTML);""")
    tap.equal(nameless, [], "every control has a name")


def check_parts(browser, studio, tap):
    times = {"start_time": "2026-11-22T11:00:00", "end_time": "2026-11-22T11:00:10"}
    for _ in range(2):
        studio.upload(metadata={"hostname": "parted"}, **times)
    browser.type("#find-profiles", "PARTED")
    tap.ok(browser.wait("return document.querySelectorAll('#profiles tr').length === 1 && "
                        "document.querySelectorAll('#profiles tr .open').length === 2;"), "the parts of one run are one line")
    tap.ok("18" in browser.text("#profiles tr"), "with their sum", browser.text("#profiles tr"))
    browser.click("#profiles .open:last-child")
    tap.ok(browser.wait("return document.querySelectorAll('#viewer-parts a').length === 2 && "
                        "document.querySelector('#viewer-parts [aria-current]').textContent === 'Part 2';"),
           "and each can be opened")
    browser.click("#viewer-back")
    browser.type("#find-profiles", " ")


def check_daemon(browser, studio, folder, tap):
    """The real agent, if there is a kernel to sample and somebody who may."""
    if os.geteuid() or not os.access("/sys/kernel/btf/vmlinux", os.R_OK):
        return
    name = os.uname().nodename
    with open(f"{folder}/daemon.log", "wb") as log:
        daemon = subprocess.Popen(
            [f"{O}/pulseprofd", "--enable-heartbeat-server", "--upload-results", "--service-name", "real", "--api-server",
             studio.url, "--server-host", studio.url, "--heartbeat-interval", "1", "--token-file",
             f"{studio.state}/studio/token", "--state-dir", f"{folder}/daemon", "--run-dir", f"{folder}/run"],
            stdout=log, stderr=log)
    try:
        browser.type("#filter", name)
        browser.type("#duration", "1")
        pick(browser, name)
        press(browser, "#start")
        go(browser)
        tap.ok(line(browser, name, "done", "samples", "Flame graph"), "a real agent's run ends with its samples",
               browser.run(LINE), open(f"{folder}/daemon.log", encoding="utf-8").read()[-800:])
        browser.click("#orders li .result")
        browser.wait("return !!document.querySelector('#viewer iframe');")
        browser.frame("#viewer iframe")
        tap.ok(browser.wait("return document.querySelectorAll('g.frame').length > 1;"), "and with its flame graph")
        browser.frame()
        browser.click("#viewer-back")
    finally:
        daemon.terminate()
        daemon.wait(timeout=10)
        browser.type("#filter", " ")
