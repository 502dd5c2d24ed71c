# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The steps of studio_api.t."""
import base64
import gzip
import itertools
import json
import os
import re
import shutil
import socket
import sqlite3
import ssl
import stat
import subprocess
import tempfile
import urllib.request
import time

from studio_rig import LINES, METADATA, O, Studio, Tap

DATA = os.path.join(os.path.dirname(__file__), "..", "data", "exchanges")
SOURCES = os.path.join(os.path.dirname(__file__), "..", "..", "user")


def routes():
    """(path, is a POST) of every route that is not open to all, from the program's own table."""
    with open(f"{SOURCES}/studio/api.c", encoding="utf-8") as file:
        found = re.findall(r'\{ "(/[^"]*)", (true|false), AUTH_(\w+),', file.read())
    return [(path + "1" if path.endswith("/") else path, post == "true") for path, post, auth in found if auth != "NONE"]


def recorded(name):
    with open(f"{DATA}/{name}.json", encoding="utf-8") as file:
        return json.load(file)


def check_door(studio, tap):
    folder, token = f"{studio.state}/studio", f"{studio.state}/studio/token"
    tap.equal(oct(stat.S_IMODE(os.stat(token).st_mode)), "0o600", "the token's file has mode 0600")
    modes = {stat.S_IMODE(os.stat(f"{folder}/{name}").st_mode) & 0o077 for name in os.listdir(folder)}
    tap.equal(modes, {0}, "no file of the studio is open to others")
    tap.ok(re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_-]{42}", studio.token), "the token is 32 random bytes", studio.token)
    with open(studio.log, encoding="utf-8") as log:
        text = log.read()
    tap.ok(token in text and studio.token not in text, "the log says where the token is, not what it is", text)
    for path in ["/", "/studio.css", "/studio.js", "/viewer", "/api/v1/health_check", "/api/v2/health_check"]:
        tap.equal(studio.get(path, token=None).status, 200, f"{path} needs no token")
    got = {path: (studio.post(path, {}, token=None) if is_post else studio.get(path, token=None)).status
           for path, is_post in [*routes(), ("/api/studio/profiles/1/flamegraph", False)]}
    tap.ok(len(got) > 15 and set(got.values()) == {401}, "every other route needs the token", got)
    texts = [open(f"{SOURCES}/{name}", encoding="utf-8").read() for name in ("studio/API.md", "control/PROTOCOL.md")]
    tap.equal([path for path, _ in routes() if not any(path.removesuffix("/1") in text for text in texts)], [],
              "and is described")
    wrong = [studio.get("/api/studio/hosts", token=t).status for t in ("x", studio.token[:-1], studio.token + "x", "é")]
    tap.equal(wrong, [401] * 4, "no other token opens it")
    in_url = studio.get(f"/api/studio/hosts?token={studio.token}&key={studio.token}", token=None)
    tap.equal(in_url.status, 401, "a token in the address opens nothing")
    tap.equal(studio.get("/api/studio/hosts", token=None, headers={"Cookie": f"token={studio.token}"}).status, 401,
              "nor one in a cookie")
    tap.equal(studio.upload(headers={"GPROFILER-API-KEY": "wrong"}).status, 401, "an upload needs the key")
    tap.ok("Invalid API key" in str(studio.get("/api/v1/health_check", token=None, headers={
        "GPROFILER-API-KEY": "wrong", "GPROFILER-SERVICE-NAME": "x"}).text), "the health check refuses a wrong key")


def check_origin(studio, tap):
    port = studio.port
    good = [f"127.0.0.1:{port}", f"localhost:{port}", "localhost:9999", f"[::1]:{port}", "LOCALHOST"]
    got = [studio.get("/api/studio/hosts", headers={"Host": host}).status for host in good]
    tap.equal(got, [200] * len(good), "our own names are served, through a tunnel too")
    bad = ["evil.example", f"evil.example:{port}", f"127.0.0.1.evil.example:{port}", "10.0.0.1", "", "localhost.",
           f"localhost:{port}@evil", "[::1", "localhost:x"]
    got = [studio.get("/", headers={"Host": host}).status for host in bad]
    tap.ok(set(got) <= {400, 421}, "a foreign Host is refused, even for the page", got)
    got = [studio.post(path, {}, headers={"Host": "evil.example"}).status for path, is_post in routes() if is_post]
    tap.equal(set(got), {421}, "and for every order")
    types = [None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/jsonx",
             "text/plain; application/json"]
    got = [studio.post("/api/metrics/profile_request", {}, headers={"Content-Type": kind}).status for kind in types]
    tap.equal(set(got), {415}, "a Content-Type other than JSON is refused")
    got = studio.post("/api/metrics/profile_request", {}, headers={"Content-Type": "application/json; charset=utf-8"})
    tap.equal(got.status, 422, "JSON with a charset is JSON")
    origins = ["http://evil.example", "null", f"https://127.0.0.1:{port}", "http://localhost:1"]
    got = [studio.post("/api/metrics/heartbeat", {}, headers={"Origin": origin}).status for origin in origins]
    tap.equal(set(got), {403}, "requests from other sites are refused")
    got = studio.post("/api/metrics/heartbeat", {}, headers={"Origin": studio.url}).status
    tap.equal(got, 422, "requests of our own page are not")


def check_headers(studio, tap):
    for path in ["/", "/studio.js", "/api/v1/health_check", "/nothing"]:
        reply = studio.get(path)
        tap.ok(reply.headers.get("x-content-type-options") == "nosniff" and "default-src 'none'" in
               reply.headers.get("content-security-policy", ""), f"{path} carries its policy", reply.headers)
    policy = studio.get("/viewer").headers["content-security-policy"]
    tap.ok("sandbox allow-scripts;" in policy, "the viewer is sandboxed", policy)
    tap.ok(studio.token.encode() not in b"".join(studio.get(path).text for path in ("/", "/studio.js", "/viewer")),
           "no page holds the token")
    tap.equal([studio.call(method, "/").status for method in ("PUT", "DELETE", "PATCH", "OPTIONS")], [405] * 4,
              "other methods are 405")
    tap.equal([studio.get("/api/metrics/heartbeat").status, studio.post("/", {}).status], [405, 405],
              "and so is the wrong one for a route")
    tap.equal([studio.get(path).status for path in ("/x", "/api/v3/profiles", "/../etc/passwd", "/%2e%2e/studio.db")],
              [404] * 4, "no other place is served")
    head = studio.call("HEAD", "/")
    tap.ok(head.status == 200 and head.text == b"", "HEAD has no body")


def raw(studio, data, half_close=False):
    with socket.create_connection(("127.0.0.1", studio.port), timeout=10) as sock:
        sock.settimeout(10)
        try:
            sock.sendall(data)
            if half_close:
                sock.shutdown(socket.SHUT_WR)
            return sock.recv(65536).decode(errors="replace")
        except OSError as error:
            return str(error)


def check_limits(studio, tap):
    big = b"x" * (4 * 1024 * 1024 + 1)
    reply = studio.post("/api/v2/profiles", big)
    tap.ok(reply.status == 413 and isinstance(reply.json, dict), "a body over 4 MiB is 413 with an object", reply.text)
    bomb = gzip.compress(b" " * (65 * 1024 * 1024), 9)
    reply = studio.post("/api/v2/profiles", bomb, headers={"Content-Encoding": "gzip", "GPROFILER-SERVICE-NAME": "x"})
    tap.ok(reply.status == 413, "a zip bomb is 413", reply.status, len(bomb))
    reply = raw(studio, b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"a" * 100000 + b"\r\n\r\n")
    tap.ok(" 4" in reply[:16] or "reset" in reply.lower(), "a header of 100 kB is refused", reply[:100])
    raw(studio, b"nonsense\r\n\r\n")
    raw(studio, b"POST /api/metrics/heartbeat HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\n{", True)
    tap.equal(studio.get("/api/v1/health_check").status, 200, "nonsense and half a request do not end the studio")
    depth = b"[" * 100000
    tap.equal(studio.post("/api/metrics/heartbeat", depth).status, 422, "deep JSON is refused")
    got = studio.post("/api/metrics/heartbeat", b'{"hostname": "a\\u0000b", "service_name": "s", "ip_address": "::1"}')
    tap.equal(got.status, 422, "a NUL in a name is refused")
    got = studio.heartbeat("h" * 5000)
    tap.equal(got.status, 422, "so is a name of 5,000 bytes")


# Where the real web app keeps silent about a value or forgets the host, ours says 422 (protocol 9.2); the
# last four are decided before the body: token, coding, Content-Type, trailing slash.
HEARTBEATS_DIFFER = {"status=bogus": 422, "last_command_id is not a UUID": 422, "hostname empty string": 422,
                     "received_command_ids holds a non-UUID": 422, "ip_address not an address": 422,
                     "ip_address empty": 422, "gzip-encoded heartbeat body": 415, "trailing slash": 404}
REQUESTS_DIFFER = {"no target_hosts (service wide start)": 422, "empty target_hosts": 422, "continuous null": 200,
                   "host stop without hosts": 422, "service_name empty": 422, "profiling_mode null": 200,
                   "frequency 100000": 422, "additional_args overrides duration and continuous silently": 422}


def check_crowd(studio, tap):
    """More connections than the limit, none of which ever finishes its first line's headers."""
    crowd = []
    for _ in range(300):
        sock = socket.create_connection(("127.0.0.1", studio.port), timeout=10)
        crowd.append(sock)
        try:
            sock.sendall(b"POST /x HTTP/1.1\r\nX: ")
        except OSError:  # closed at once: past the limit
            pass
    for sock in crowd:
        sock.close()
    deadline = time.monotonic() + 10
    status = 0
    while status != 200 and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{studio.port}/api/v1/health_check", timeout=2) as answer:
                status = answer.status
        except OSError:
            pass
    tap.equal(status, 200, "after a crowd of idle connections has gone it answers again")


def check_recorded(studio, tap, name, differ, path):
    wrong, count = [], 0
    for exchange in recorded(name)["exchanges"]:
        request, step = exchange.get("request"), exchange.get("step")
        if not request or request["path"] != path or not isinstance(request.get("body"), dict):
            continue
        count += 1
        got = studio.post(path, request["body"]).status
        wanted = differ.get(step, exchange["response"]["status"])
        if got != wanted:
            wrong.append((step, got, wanted))
    tap.ok(count > 5 and not wrong, f"{count} recorded bodies of {name} get the answers of the real web app", wrong)


def check_wire(studio, tap):
    check_recorded(studio, tap, "pinterest_01_heartbeat_plain", HEARTBEATS_DIFFER, "/api/metrics/heartbeat")
    check_recorded(studio, tap, "intel_07_request_validation", REQUESTS_DIFFER, "/api/metrics/profile_request")
    check_recorded(studio, tap, "intel_08_completion_validation", {"command_id not a UUID": 422, "command_id empty": 422},
                   "/api/metrics/command_completion")
    wrong = []
    for case in recorded("intel_22_profile_metadata_fields")["cases"]:
        kind, _, key = case["case"].partition(" ")
        if kind in ("without", "null") and key in METADATA:
            reply = studio.upload(metadata={key: None})
            if reply.status != case["status"] or reply.json != case["body"]:
                wrong.append((case["case"], reply.status, reply.text))
    tap.equal(wrong, [], "each required metadata key is missed as the real web app does")
    good = [{"mac_address": "02-42-ac-11-00-02"}, {"cloud_provider": "AWS"}, {"agent_version": "1.2.3-rc1"}, {"pid": 0}]
    bad = [{"mac_address": "unknown"}, {"cloud_provider": "oracle"}, {"agent_version": "v1.2.3"}, {"processors": 0},
           {"agent_version": "1.2"}, {"spawn_time": "2026-11-22T10:00:00Z"}, {"run_mode": "vm"}, {"cloud_info": None},
           {"run_arguments": "none"}, {"big_data": None}, {"hostname": ""}]
    got = [studio.upload(metadata=m).status for m in good + bad]
    tap.equal(got, [200] * len(good) + [400] * len(bad), "metadata values are judged as there")


def check_life(studio, tap):
    order = studio.order("life").json
    tap.ok(order["success"] and len(order["command_ids"]) == 1 and order["request_id"] and
           re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", order["estimated_completion_time"]),
           "an order is answered in the Studio's form", order)
    command = order["command_ids"][0]
    early = studio.complete(command, hostname="life").json
    tap.ok(not early["success"] and "not found for host life" in early["message"], "a completion before delivery is refused")
    tap.equal(studio.heartbeat("life", "other").json["command_id"], None, "another service of the host gets nothing")
    beat = studio.heartbeat("life").json
    tap.equal([beat["command_id"], beat["profiling_command"]["command_type"], beat["message"]],
              [command, "start", "Heartbeat received. New profiling command available."], "the heartbeat brings it")
    tap.equal(beat["profiling_command"]["combined_config"],
              {"command_type": "start", "continuous": False, "duration": 10, "frequency": 99, "profiling_mode": "cpu"},
              "with the configuration that was ordered")
    tap.equal(studio.heartbeat("life").json["command_id"], command, "it comes again until the agent has it")
    beat = studio.heartbeat("life", received_command_ids=[command.upper()]).json
    tap.equal([beat["command_id"], beat["profiling_command"]], [None, None], "and then no more")
    tap.equal(studio.heartbeat("life").json["command_id"], None, "also when a later heartbeat forgets to say so")
    tap.ok(studio.complete(command, hostname="life").json["success"], "its completion is recorded")
    again = studio.complete(command, "failed", "life").json
    tap.ok(not again["success"] and "in status 'completed'" in again["message"], "once", again)
    seed = studio.order("seed").json["command_ids"][0]
    tap.equal(studio.heartbeat("seed").json["command_id"], seed, "an agent without id lists gets its command")
    tap.equal(studio.heartbeat("seed", last_command_id=seed).json["command_id"], None, "until last_command_id names it")


def check_queue(studio, tap):
    ids = [studio.order("q", continuous=c, pids=[i + 1]).json["command_ids"][0]
           for i, c in enumerate((False, True, False, True))]
    tap.equal(studio.order("q", pids=[3], duration=11).json["command_ids"], [ids[2]], "an equal order that waits is the same one")
    got, have = [], []
    for _ in range(4):
        command = studio.heartbeat("q", received_command_ids=have).json["command_id"]
        got.append(command)
        have.append(command) if command else None
    tap.equal(got, [ids[0], ids[2], ids[3], None], "ad hoc orders come in order, of continuous ones the last")
    late = [studio.order("q").json["command_ids"][0] for _ in range(2)]
    stop = studio.order("q", kind="stop", stop_level="host").json
    tap.equal(stop["estimated_completion_time"], None, "a stop has no time of completion")
    beat = studio.heartbeat("q", received_command_ids=have).json
    tap.equal([beat["command_id"], beat["profiling_command"]["combined_config"]],
              [stop["command_ids"][0], {"stop_level": "host"}], "a stop overtakes what was not fetched yet")
    tap.ok(late[0] not in str(studio.heartbeat("q", received_command_ids=have + stop["command_ids"]).json),
           "and cancels it")
    pids = studio.order("q", kind="stop", pids=[12, "13"], stop_level="process").json["command_ids"][0]
    beat = studio.heartbeat("q", received_command_ids=have + stop["command_ids"]).json
    tap.equal([beat["command_id"], beat["profiling_command"]["combined_config"]],
              [pids, {"stop_level": "process", "pids": [12, 13]}], "a stop of processes names them")
    args = studio.order("args", pids=[7], additional_args={"max_processes": 5, "profiler_configs": {"perf": "disabled"}})
    config = studio.heartbeat("args").json["profiling_command"]["combined_config"]
    tap.ok(args.status == 200 and config["pids"] == [7] and config["max_processes"] == 5 and
           config["profiler_configs"] == {"perf": "disabled"}, "pids and additional_args reach the agent", config)
    many = [studio.order("full", pids=[i + 1]).status for i in range(65)]
    tap.equal([many.count(200), many[-1]], [64, 422], "a host that never fetches has a bounded queue")


def check_ranges(studio, tap):
    bad = [{"duration": 0}, {"duration": -1}, {"duration": 86401}, {"duration": "soon"}, {"frequency": 0},
           {"frequency": 10001}, {"frequency": []}, {"request_type": "restart"}, {"profiling_mode": "wall"},
           {"stop_level": "pod"}, {"target_hosts": {}}, {"target_hosts": ["a"]}, {"target_hosts": {"a": [0]}},
           {"target_hosts": {"a": ["x"]}}, {"target_hosts": {"": None}}, {"continuous": "maybe"}, {"service_name": None},
           {"additional_args": {"command_type": "stop"}}, {"additional_args": "x"}, {"target_scope": "cluster"}]
    wrong = []
    for more in bad:
        reply = studio.order("range", **more)
        name = next(iter(more))
        if reply.status != 422 or reply.json["detail"][0]["loc"] != ["body", name] or not reply.json["detail"][0]["msg"]:
            wrong.append((more, reply.status, reply.text))
    tap.equal(wrong, [], "an order that no agent can obey is 422 and says which field")
    tap.equal(studio.heartbeat("range").json["command_id"], None, "and leaves no command")
    bulk = [[[]], [1], [None], ["x"], [{}], {}, [], [{"service_name": 7}], [{}] * 101,
            [{"service_name": "s", "request_type": "start", "target_hosts": {"a": None}}, []]]
    wrong = [(body, reply.status) for body in bulk
             if (reply := studio.post("/api/metrics/profile_request/bulk", {"requests": body})).status != 422]
    tap.equal(wrong, [], "one bad body is a bad bulk")
    tap.equal(studio.order("range", duration=None, frequency="99").status, 200, "null is the default, a number may be text")


def check_uploads(studio, tap):
    reply = studio.upload(service="_up load/1")
    tap.ok(reply.status == 200 and reply.json["message"] == "ok" and reply.json["gpid"].isdigit(),
           "an upload is answered with a gpid", reply.text)
    gpid = reply.json["gpid"]
    profile = studio.profiles()[0]
    tap.equal([profile["service"], profile["hostname"], profile["samples"], profile["stacks"], profile["rate_hz"],
               profile["end_ms"] - profile["start_ms"]], ["upload1", "node-7", 9, 2, 99, 10000], "and is listed")
    tap.ok(abs(profile["complete_pct"] - 700 / 9) < 0.01, "with the share of stacks that reach their bottom", profile)
    text = studio.get(f"/api/studio/profiles/{profile['id']}")
    tap.equal(text.text.decode(), LINES, "its lines come back as they were")
    graph = studio.get(f"/api/studio/profiles/{profile['id']}/flamegraph")
    tap.ok(b"ksys_read" in graph.text and "sandbox allow-scripts; default-src 'none'" in
           graph.headers["content-security-policy"], "its flame graph is served sandboxed", graph.headers)
    tap.equal([studio.upload(gpid=g).status for g in (gpid, int(gpid), "abc", 999999, None, ...)],
              [200, 200, 400, 400, 422, 422], "gpids are accepted as given, others not")
    tap.equal(studio.upload(packed=False).status, 200, "plain JSON is taken")
    tap.equal(studio.upload(api="v1").status, 200, "and the old path")
    tap.equal([studio.upload(start_time=t).status for t in ("2026-11-22T14:29:32Z", "yesterday", None)], [200, 422, 422],
              "times are checked")
    tap.equal([studio.upload(profile=p).status for p in ("", "0;;a;b 1", "# {bad\n0;;a;b 1", "# []\n", None)],
              [400, 400, 400, 400, 422], "a profile without its header line is refused")
    tap.equal(studio.upload(headers={"GPROFILER-SERVICE-NAME": "///"}).status, 422, "and one without a service")
    data = {"GPROFILER-API-KEY": studio.token, "GPROFILER-SERVICE-NAME": "x", "Content-Encoding": "gzip"}
    tap.equal(studio.post("/api/v2/profiles", b"\x1f\x8bnonsense", headers=data).status, 400, "damaged gzip is refused")
    page = "<!doctype html><title>mine</title><script>1</script>"
    studio.upload(html=page)
    newest = studio.profiles()[0]["id"]
    tap.equal(studio.get(f"/api/studio/profiles/{newest}/flamegraph").text.decode(), page, "an uploaded page is served")
    studio.upload(html=base64.b64encode(page.encode()).decode())
    tap.equal(studio.get(f"/api/studio/profiles/{newest + 1}/flamegraph").text.decode(), page, "also one in base64")
    tap.equal([studio.get(f"/api/studio/profiles/{i}").status for i in (0, 99999, "x", "1x", "-1", "1/other", "9" * 30)],
              [404] * 7, "no other profile is served")


def check_profile_list(studio, tap):
    studio.upload(service="listed", metadata={"hostname": "Page-1_%"})
    studio.upload(service="LISTED-2", metadata={"hostname": "other"})
    wanted = studio.get("/api/studio/profiles?filter=listed").json
    tap.equal([wanted["total"], [p["service"] for p in wanted["profiles"]]], [2, ["LISTED-2", "listed"]],
              "profiles are filtered by a part of a name, in any case, the newest first")
    second = studio.get("/api/studio/profiles?filter=listed&limit=1&offset=1").json
    tap.equal([second["total"], [p["hostname"] for p in second["profiles"]]], [2, ["Page-1_%"]], "and cut into pages")
    found = [studio.get(f"/api/studio/profiles?filter={f}").json["total"] for f in ("page-1_%25", "e%251", "%27")]
    tap.equal(found, [1, 0, 0], "a filter is a text, not a pattern")
    queries = ("limit=201", "limit=-1", "offset=x", "offset=9223372036854775808", "filter=" + "a" * 257)
    tap.equal([studio.get(f"/api/studio/profiles?{q}").status for q in queries], [422] * 5, "bounds are kept")


def check_bad_lines(studio, tap):
    lines = "\n".join(["0;;ok;_start;main 3", "", "0;;no-count;a", "noindex 1", "0;;zero;a 0", "0;;neg;a -1",
                       "0;;big;a 99999999999", "# {\"metadata\":{}}", "x;;a;b 1", "0;;" + "a" * 70000 + ";b 1",
                       "0;;alone 2", "0;c;trim;a;;b  4 ", ";;", " ", ""])
    tap.equal(studio.upload(lines=lines).status, 200, "a profile with bad lines is kept")
    profile = studio.profiles()[0]
    tap.equal([profile["samples"], profile["stacks"], profile["lines_skipped"]], [9, 3, 9], "bad lines are left out and counted")
    tap.equal(studio.get(f"/api/studio/profiles/{profile['id']}/flamegraph").status, 200, "the rest makes a flame graph")
    for arguments, enabled, line in (({"profile_api_version": "v1"}, True, "comm;main 5"), ({}, False, "box;comm;main 5")):
        header = {"metadata": {**METADATA, "run_arguments": arguments}, "application_metadata_enabled": enabled}
        studio.upload(profile=f"# {json.dumps(header)}\n{line}")
        tap.equal(studio.profiles()[0]["samples"], 5, f"lines of the form '{line}' are read")
    tap.equal(studio.upload(lines="").status, 200, "a profile without samples is kept")
    empty = studio.profiles()[0]["id"]
    tap.equal(studio.get(f"/api/studio/profiles/{empty}/flamegraph").status, 200, "and has a page too")
    deep = "0;;deep;" + ";".join(f"f{i}" for i in range(3000)) + " 1"
    studio.upload(lines=deep)
    tap.equal(studio.get(f"/api/studio/profiles/{empty + 1}/flamegraph").status, 200, "a stack of 3,000 frames is drawn")


def check_result(studio, tap):
    studio.order("res", service="svc")
    command = studio.heartbeat("res", "svc").json["command_id"]
    tap.equal(studio.hosts()["res"]["state"], "waiting", "an order that was not confirmed waits")
    studio.heartbeat("res", "svc", received_command_ids=[command])
    tap.equal(studio.hosts()["res"]["state"], "profiling", "a confirmed one profiles")
    studio.upload(service="svc", metadata={"hostname": "res", "continuous": True})
    tap.equal(studio.hosts()["res"]["command"]["profile"], 0, "a window of a continuous run is not its result")
    studio.upload(service="svc", metadata={"hostname": "res"})
    host = studio.hosts()["res"]
    tap.equal([host["state"], host["command"]["profile"]], ["idle", studio.profiles()[0]["id"]], "its upload is")
    rows = studio.get("/api/metrics/profiling/host_status?service_name=svc&exact_match=true").json
    tap.ok(rows["total_count"] == 1 and rows["hosts"][0]["hostname"] == "res" and
           set(rows["hosts"][0]) == {"id", "service_name", "hostname", "ip_address", "pids", "command_type",
                                     "profiling_status", "heartbeat_timestamp", "state"}, "host_status has the Studio's form", rows)


def check_locked(studio, tap):
    other = sqlite3.connect(f"{studio.state}/studio/studio.db", isolation_level=None, timeout=5)
    before = len(os.listdir(f"{studio.state}/studio/profiles"))
    other.execute("BEGIN IMMEDIATE")
    replies = [studio.heartbeat(), studio.order(), studio.upload()]
    tap.equal([r.status for r in replies], [503] * 3, "a locked database is 503")
    tap.ok(all("locked" in r.json["message"] for r in replies), "and says so", [r.text for r in replies])
    tap.equal(studio.get("/api/studio/hosts").status, 200, "reading goes on")
    tap.equal(len(os.listdir(f"{studio.state}/studio/profiles")), before, "nothing is half-written")
    other.execute("ROLLBACK")
    other.close()
    tap.equal([studio.heartbeat().status, studio.upload().status], [200, 200], "and all goes on when it is free")


def check_restart(studio, tap):
    token, count = studio.token, len(studio.profiles())
    pending = studio.order("later").json["command_ids"][0]
    second = subprocess.run([f"{O}/pulseprof-studio", "--listen", "127.0.0.1:0", "--state-dir", studio.state],
                            capture_output=True, text=True, check=False, timeout=20)
    tap.ok(second.returncode == 1 and f"pid {studio.process.pid}" in second.stderr, "a second studio is refused", second)
    left = f"{studio.state}/studio/profiles"
    tap.equal(studio.stop(), 0, "SIGTERM ends the studio with 0")
    for name in ("987654.col.gz", "1.col.gz.tmp-1234"):
        with open(f"{left}/{name}", "wb") as file:
            file.write(b"half")
    studio.start()
    tap.equal([studio.token == token, len(studio.profiles()), studio.heartbeat("later").json["command_id"]],
              [True, count, pending], "a restart keeps token, profiles and commands")
    tap.ok(not [n for n in os.listdir(left) if n.startswith("987654") or "tmp" in n], "what a crash left is removed")
    studio.stop()
    with sqlite3.connect(f"{studio.state}/studio/studio.db") as base:
        base.execute("PRAGMA user_version = 99")
    base.close()
    newer = subprocess.run([f"{O}/pulseprof-studio", "--listen", "127.0.0.1:0", "--state-dir", studio.state],
                           capture_output=True, text=True, check=False, timeout=20)
    tap.ok(newer.returncode == 1 and "newer version" in newer.stderr, "a database of a newer version is refused", newer)


def run_studio(*args, **env):
    return subprocess.run([f"{O}/pulseprof-studio", *args], capture_output=True, text=True, check=False, timeout=20,
                          env={**os.environ, **env})


def check_start(folder, tap):
    open_dir = f"{folder}/open"
    os.mkdir(open_dir)
    os.chmod(open_dir, 0o777)
    cases = [
        (["--listen", "0.0.0.0:0"], 2, "refusing to listen"), (["--listen", "[::]:0"], 2, "refusing to listen"),
        (["--listen", "10.0.0.1:0", "--tls-cert", "x"], 2, "belong together"), (["--listen", "example.com:80"], 2, "bad address"),
        (["--listen", "127.0.0.1:70000"], 2, "bad address"), (["--bogus"], 2, "--help"), (["word"], 2, "unexpected"),
        (["--listen", "127.0.0.1:0", "--state-dir", open_dir], 1, "writable by others"),
        (["--listen", "127.0.0.1:0", "--state-dir", "/dev/null/x"], 1, "cannot open the state directory"),
        (["--listen", "0.0.0.0:0", "--state-dir", f"{folder}/tls", "--tls-cert", "/nowhere", "--tls-key", "/nowhere"], 1,
         "cannot read '/nowhere'"),
        (["--help"], 0, ""), (["--version"], 0, "")]
    for args, code, text in cases:
        got = run_studio(*args)
        tap.ok(got.returncode == code and text in got.stderr, f"{' '.join(args).replace(folder, 'DIR')}: exit {code}", got)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        got = run_studio("--listen", f"127.0.0.1:{taken.getsockname()[1]}", PULSEPROF_STATE_DIR=f"{folder}/taken")
        tap.ok(got.returncode == 1 and "-EADDRINUSE" in got.stderr, "a port that is taken is said to be", got)
    os.makedirs(f"{folder}/token/studio", 0o700)
    with open(f"{folder}/token/studio/token", "w", encoding="ascii") as file:
        file.write("short\n")
    got = run_studio("--listen", "127.0.0.1:0", PULSEPROF_STATE_DIR=f"{folder}/token")
    tap.ok(got.returncode == 1 and "no token" in got.stderr, "a damaged token file is refused", got)


def check_tls(folder, tap):
    if not shutil.which("openssl"):
        tap.ok(True, "TLS on another address # SKIP openssl is not installed")
        return
    pem = [f"{folder}/{name}.pem" for name in ("cert", "key")]
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-subj", "/CN=studio.test", "-addext", "subjectAltName=DNS:studio.test", "-out", pem[0],
                    "-keyout", pem[1]], check=True, capture_output=True)
    with subprocess.Popen([f"{O}/pulseprof-studio", "--listen", "0.0.0.0:0", "--state-dir", f"{folder}/tls", "--tls-cert",
                           pem[0], "--tls-key", pem[1], "--server-name", "studio.test"], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True) as studio:
        line = studio.stdout.readline()
        port = int(line.rsplit(":", 1)[1])
        context = ssl.create_default_context(cafile=pem[0])
        got = []
        for host in ("studio.test", "10.1.2.3", "evil.example"):
            with context.wrap_socket(socket.create_connection(("127.0.0.1", port), timeout=10),
                                     server_hostname="studio.test") as sock:
                sock.sendall(f"GET /api/studio/hosts HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
                got.append(sock.recv(4096).split()[1].decode())
        tap.ok(line.startswith("listening on https://0.0.0.0:"), "with a certificate it listens on other addresses", line)
        tap.equal(got, ["401", "401", "421"], "and serves its name and its addresses to who has the token, no other name")
        studio.terminate()


def check_full(folder, tap):
    """A file system of 3 MiB; needs root and mount, else says so."""
    mount = f"{folder}/small"
    os.mkdir(mount, 0o700)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m,mode=0700", "tmpfs", mount], capture_output=True,
                      check=False).returncode:
        tap.ok(True, "a full disk # SKIP cannot mount a tmpfs")
        return
    studio = Studio(mount)
    try:
        studio.upload()
        filler = f"{mount}/filler"
        with open(filler, "wb", buffering=0) as file:
            try:
                while True:
                    file.write(b"x" * 4096)
            except OSError:
                pass
        lines = "\n".join(f"0;;app{i};{os.urandom(30).hex()} 1" for i in range(3000))
        names = sorted(os.listdir(f"{mount}/studio/profiles"))
        replies = [studio.upload(lines=lines) for _ in range(3)]
        tap.equal([r.status for r in replies], [503] * 3, "a full disk is 503")
        tap.ok("full" in replies[0].json["message"], "and says so", replies[0].text)
        tap.equal(sorted(os.listdir(f"{mount}/studio/profiles")), names, "nothing is half-written")
        tap.equal([len(studio.profiles()), studio.get("/api/studio/profiles/1").text.decode()], [1, LINES], "what was stored stays")
        os.remove(filler)
        tap.equal([studio.upload(lines=lines).status, len(studio.profiles())], [200, 2], "with room again the same upload is kept")
    finally:
        studio.stop()
        subprocess.run(["umount", mount], check=False)


def check_fleet(folder, tap):
    """Limits of orders, a dry run, and what the tabs then show."""
    studio = Studio(f"{folder}/fleet", "--max-request-hosts", "3", "--max-profiling-percent", "50")
    try:
        for n in range(4):
            studio.heartbeat(f"h{n}", "s", containers=[{"container_name": "app", "pod_name": f"app-{n}", "processes": [
                {"pid": 10 + n, "process_name": "java"}, {"pid": 20 + n, "process_name": "sh"}]}])

        def order(hosts, **more):
            return {"service_name": "s", "request_type": "start", "target_hosts": {f"h{n}": pids for n, pids in hosts.items()},
                    **more}

        def bulk(*hosts):
            return studio.post("/api/metrics/profile_request/bulk", {"requests": [order({n: None}) for n in hosts]})

        whole = {"target_hosts": None, "target_scope": "service", "continuous": True}
        replies = [studio.post("/api/metrics/profile_request", order({n: None for n in range(4)})),
                   studio.post("/api/metrics/profile_request", order({}, **whole)), bulk(0, 1, 2, 3)]
        tap.equal([(r.status, "at most 3 hosts" in r.text.decode()) for r in replies], [(422, True)] * 3,
                  "an order reaches no more hosts than it may")
        java = {"target_hosts": None, "target_scope": "process", "target_entities": [{"processName": "java", "hostname": "h3"}]}
        reply = studio.post("/api/metrics/profile_request", order({}, dry_run=True, **java)).json
        tap.equal([reply["hosts"], reply["command_ids"], studio.get("/api/studio/commands").json["commands"]],
                  [[{"hostname": "h3", "pids": [13]}], [], []], "a dry run says whom it would reach, and does nothing")
        replies = [bulk(0, 1, 2), bulk(0), bulk(1), bulk(1, 2), bulk(0, 1)]
        tap.equal([r.status for r in replies], [422, 200, 200, 422, 200], "half of the hosts may sample at once, those that do again")
        studio.post("/api/metrics/profile_request", order({}, **java))
        rows = studio.get("/api/metrics/profiling/workload_status?scope=process&process_name=java").json
        tap.equal([rows["totalCount"], [row["profilingStatus"] for row in rows["rows"]], rows["tabCounts"]["host"]],
                  [4, ["active", "active", "stopped", "active"], 4], "a process is active on an order for it or for its host")
        pages = [studio.get(f"/api/metrics/profiling/workload_status?scope=process&limit=3&offset={n}").json for n in (0, 6, 90)]
        tap.equal([(len(page["rows"]), page["totalCount"]) for page in pages], [(3, 8), (2, 8), (0, 8)], "rows come in pages")
        studio.heartbeat("crowded", "s", containers=[{"container_name": f"c{n}"} for n in range(1002)])
        rows = studio.get("/api/metrics/profiling/workload_status?scope=container&limit=1").json
        tap.equal([rows["tabCounts"]["container"], rows["leftOut"]], [1004, 2], "what is too much for the inventory is counted")
    finally:
        studio.stop()


def check_groups(folder, tap):
    """Orders by namespace, workload, pod and container: PIDs for all agents, names for ours."""
    studio = Studio(f"{folder}/groups")
    count = itertools.count()
    try:
        def beat(n, service):
            return studio.heartbeat(f"h{n}", service, containers=[
                {"container_name": "app", "pod_name": f"app-{n}", "namespace": "shop", "workload_name": "app",
                 "processes": [{"pid": 10 + n, "process_name": "java"}]},
                {"container_name": "db", "processes": [{"pid": 20 + n, "process_name": "postgres"}]}]).json

        def config(host, scope, *entities):
            service = f"s{next(count)}"
            beat(0, service)
            beat(1, service)
            reply = studio.post("/api/metrics/profile_request", {
                "service_name": service, "request_type": "start", "target_scope": scope, "target_entities": entities})
            command = beat(host, service)["profiling_command"]["combined_config"]
            return [reply.status, command.get("pids"), command.get("groups")]

        pod = {"namespace": "shop", "pod_name": "app-1"}
        tap.equal(config(1, "pod", pod), [200, [11], ["pod:shop/app-1"]], "a pod is its processes, and its name")
        tap.equal(config(0, "namespace", {"namespace": "shop"}), [200, [10], ["namespace:shop"]], "so is a namespace")
        tap.equal(config(0, "workload", {"workload_name": "app"}), [200, [10], ["workload:app"]], "a workload")
        tap.equal(config(1, "container", {"container_name": "app", **pod}), [200, [11], ["container:shop/app-1/app"]],
                  "a container of a pod")
        rows = [{"container_name": "db", "hostname": f"h{n}"} for n in range(2)]
        tap.equal(config(0, "container", *rows), [200, [20], ["container:db"]], "a container of this host")
        tap.equal(config(1, "pod", {**pod, "process_name": "java"}), [200, [11], None],
                  "with a condition more it is its processes only")
        tap.equal(config(1, "process", {"process_name": "java"}), [200, [11], None], "processes are processes")
        reply = studio.post("/api/metrics/profile_request", {
            "service_name": "s", "request_type": "start", "target_hosts": {"h0": [1]}, "additional_args": {"groups": []}})
        tap.equal(reply.status, 422, "nobody names groups beside")
    finally:
        studio.stop()


def main():
    folder = tempfile.mkdtemp(prefix="pulseprof-api.")
    tap = Tap()
    studio = Studio(folder + "/state")
    try:
        for step in (check_door, check_origin, check_headers, check_limits, check_crowd, check_wire, check_life, check_queue,
                     check_ranges, check_uploads, check_profile_list, check_bad_lines, check_result, check_locked,
                     check_restart):
            step(studio, tap)
        check_start(folder, tap)
        check_tls(folder, tap)
        check_fleet(folder, tap)
        check_groups(folder, tap)
        check_full(folder, tap)
    finally:
        studio.process.kill()
        studio.process.wait()
        shutil.rmtree(folder, ignore_errors=True)
    tap.end()


main()
