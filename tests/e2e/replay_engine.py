# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Plays recorded exchanges against a studio and says where its answers differ, for studio_replay.py.

Ids are the studio's own: where a recorded answer gives an id, ours takes its place in all that follows. Words
for ids in differences: #1 is the first id that its file shows, "new" one that has no counterpart there."""
import gzip
import http.client
import json
import os
import re

from studio_rig import METADATA

DATA = os.path.join(os.path.dirname(__file__), "..", "data", "exchanges")
UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?")
# Recorded cases say what was changed in a good header's metadata; those that its list does not spell out.
CHANGES = {"baseline": {}, "run_mode local_python": {"run_mode": "local_python"}, "hostname empty": {"hostname": ""},
           "agent_version 1.57.1-test": {"agent_version": "1.57.1-test"}, "cloud_provider AZURE": {"cloud_provider": "AZURE"},
           "memory_capacity_mb text": {"memory_capacity_mb": "32000"}, "spawn_uptime_ms float": {"spawn_uptime_ms": 1.5},
           "spawn_time and current_time with Z": {"spawn_time": "2026-11-22T10:00:00Z", "current_time": "2026-11-22T10:05:00Z"},
           "cloud_info with instance_type": {"cloud_info": {"instance_type": "m5.large"}}, "run_arguments empty":
           {"run_arguments": {}}, "hostname with slash": {"hostname": "a/b"}}
# What says when, or numbers rows: only its form is compared.
FORM_ONLY = ("id", "heartbeat_timestamp", "heartbeatTimestamp", "estimated_completion_time")
# What one status of the recorded database may be in ours, which knows more of them.
STATES = {"pending": {"pending"}, "sent": {"sent", "received"}, "assigned": {"sent", "received"},
          "completed": {"sampling", "done", "stopped"}, "failed": {"failed"}}


def recorded(name):
    with open(f"{DATA}/{name}.json", encoding="utf-8") as file:
        return json.load(file)


def short(value):
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) < 90 else text[:87] + "..."


def sort_key(item):
    if isinstance(item, dict):
        name = item.get("id") if isinstance(item.get("id"), str) else ""
        return name, str(item.get("hostname", "")), str(item.get("index", ""))
    return str(item)


class Replay:
    """One file. differences is a list of (step, what)."""

    def __init__(self, studio, name):
        self.studio, self.file = studio, recorded(name)
        self.is_intel = name.startswith("intel")
        self.ids, self.labels, self.differences, self.played, self.previous = {}, {}, [], 0, None
        for text in UUID.findall(json.dumps(self.file)):
            self.labels.setdefault(text, f"#{len(self.labels) + 1}")

    # ---- ids ----

    def bind(self, theirs, ours):
        return self.ids.setdefault(theirs, ours) == ours

    def label(self, text):
        """Text of ours with the file's words for ids."""
        names = {ours: self.labels[theirs] for theirs, ours in reversed(self.ids.items())}
        return UUID.sub(lambda found: names.get(found.group(), "new"), text)

    def word(self, text):
        return UUID.sub(lambda found: self.labels[found.group()], text)

    def ours(self, text):
        return UUID.sub(lambda found: self.ids.get(found.group(), found.group()), text)

    # ---- the answer ----

    def say(self, step, what):
        self.differences.append((step, what))

    def compare_text(self, want, got):
        if UUID.fullmatch(want) and UUID.fullmatch(got):
            return self.bind(want, got)
        if TIME.fullmatch(want):
            return bool(TIME.fullmatch(got))
        return self.ours(want) == got

    def compare(self, step, want, got, at=""):
        """Every place where got is not as want."""
        if isinstance(want, dict) and isinstance(got, dict):
            for key in list(want) + [key for key in got if key not in want]:
                where = f"{at}.{key}" if at else key
                if key not in got:
                    self.say(step, f"{where}: {self.word(short(want[key]))} -> missing")
                elif key not in want:
                    self.say(step, f"{where}: missing -> {self.label(short(got[key]))}")
                elif key not in FORM_ONLY or isinstance(want[key], str) and not TIME.fullmatch(want[key]):
                    self.compare(step, want[key], got[key], where)
                elif (want[key] is None) != (got[key] is None):
                    self.say(step, f"{where}: {short(want[key])} -> {short(got[key])}")
        elif isinstance(want, list) and isinstance(got, list) and len(want) == len(got):
            if at == "command_ids" and len(want) > 1:
                return  # in no order: known when they are delivered
            for one, other in zip(sorted(want, key=sort_key), sorted(got, key=sort_key)):
                self.compare(step, one, other, f"{at}[]")
        elif isinstance(want, list) and isinstance(got, list):
            self.say(step, f"{at}: {len(want)} -> {len(got)}")
        elif not (self.compare_text(want, got) if isinstance(want, str) and isinstance(got, str) else want == got):
            self.say(step, f"{at}: {self.word(short(want))} -> {self.label(short(got))}")

    def command(self, answer, as_word):
        kind = (answer["profiling_command"] or {}).get("command_type")
        return f"{kind} {as_word(answer['command_id'])}" if kind else "nothing"

    def compare_heartbeat(self, step, want, got):
        """The command first: of another one nothing else is compared."""
        if want["command_id"] and got["command_id"]:
            self.bind(want["command_id"], got["command_id"])
        theirs, ours = self.command(want, self.word), self.command(got, self.label)
        same = self.ids.get(want["command_id"]) == got["command_id"] if want["command_id"] else not got["command_id"]
        if not same or theirs.split()[0] != ours.split()[0]:
            self.say(step, f"command: {theirs} -> {ours}")
        else:
            self.compare(step, want, got)

    def compare_refusal(self, step, want, got):
        """The wording is the libraries' own; which fields are named is not."""
        if isinstance(want, dict) and isinstance(want.get("detail"), list):
            fields = [{item["loc"][1] for item in body.get("detail", []) if len(item["loc"]) > 1} for body in (want, got)]
            named = {field for field in fields[0] if isinstance(field, str) and field != "__root__"}
            if not fields[1] or not named <= fields[1]:
                self.say(step, f"fields: {', '.join(sorted(named))} -> {', '.join(sorted(fields[1]))}")
        elif isinstance(want, str) or "_text" in want:
            if not isinstance(got, str) and not (isinstance(got, dict) and (got.get("message") or got.get("detail"))):
                self.say(step, f"refused with {short(got)}")
        else:
            self.compare(step, want, got)

    def compare_answer(self, step, want, status, got):
        body = want.get("body")
        if status != want["status"]:
            self.say(step, f"status: {want['status']} -> {status}")
        elif status >= 400:
            self.compare_refusal(step, body, got)
        elif isinstance(body, dict) and "profiling_command" in body:
            self.compare_heartbeat(step, body, got)
        elif isinstance(body, list) and isinstance(got, dict) and "hosts" in got:
            self.say(step, "list -> object with hosts")
            self.compare(step, body, got["hosts"], "hosts")
        else:
            self.compare(step, body, got)

    # ---- the request ----

    def body_of(self, request):
        body = request.get("body", request.get("body_text"))
        if isinstance(body, str) and body.startswith("<omitted>"):
            return os.urandom(request["content_length"])
        if isinstance(body, str) and body.startswith("<"):
            body = self.previous  # packed by mistake
        if body is None:
            return None
        text = body if isinstance(body, str) else json.dumps(body)
        self.previous = text
        data = self.ours(text).encode()
        return gzip.compress(data) if request["headers"].get("Content-Encoding") == "gzip" else data

    def headers_of(self, step, request):
        headers = {name: value.replace("<key>", self.studio.token) for name, value in request["headers"].items()
                   if name not in ("Content-Length", "Accept-Encoding")}
        has_key = "/profiles" in request["path"] or "/logs" in request["path"] or "/health" in request["path"]
        if not has_key and "Authorization" not in headers and not (step or "").startswith("no Authorization"):
            headers["Authorization"] = "Bearer test-token"
        if "test-token" in headers.get("Authorization", ""):
            headers["Authorization"] = f"Bearer {self.studio.token}"
        return headers

    def send(self, step, request):
        connection = http.client.HTTPConnection("127.0.0.1", self.studio.port, timeout=20)
        headers, data = self.headers_of(step, request), self.body_of(request)
        path = self.ours(request["path"]).replace("<key>", self.studio.token)
        if "/host_status?" in path and self.is_intel:
            path += "&variant=intel"  # its clients expect a bare list; those of both ask at the same path
        chunked = headers.get("Transfer-Encoding") == "chunked"
        connection.request(request["method"], path, iter([data]) if chunked else data, headers, encode_chunked=chunked)
        reply = connection.getresponse()
        text = reply.read()
        connection.close()
        try:
            return reply.status, json.loads(text)
        except ValueError:
            return reply.status, text.decode(errors="replace")

    # ---- what it has stored ----

    def commands(self, **query):
        return self.studio.get("/api/studio/commands?" + "&".join(f"{key}={value}" for key, value in query.items())).json.get(
            "commands", [])

    def compare_command(self, step, want, rows, status):
        theirs = want["command_id"]
        if theirs not in self.ids and rows:
            self.ids[theirs] = rows[0]["id"]
        row = next((row for row in rows if row["id"] == self.ids.get(theirs)), None)
        if row is None:
            self.say(step, f"{self.labels[theirs]}: {status} -> none")
            return
        if row["state"] not in STATES[status]:
            self.say(step, f"{self.labels[theirs]}: {status} -> {row['state']}")
        if "error_message" in want and status == "failed":
            self.compare(step, want["error_message"], row["reason"], "reason")
        config = want.get("combined_config")
        if config is not None:
            self.compare(step, [want["command_type"], config.get("pids", [])], [row["type"], row["pids"] or []],
                         self.labels[theirs])

    def compare_request(self, step, want):
        rows = self.commands(request_id=self.ids.get(want["request_id"], want["request_id"]))
        states = sorted({row["state"] for row in rows})
        allowed = STATES[want["status"]] | ({"sent", "received"} if want["status"] == "pending" else set())
        if not rows or not set(states) <= allowed:
            self.say(step, f"request {self.labels[want['request_id']]}: {want['status']} -> {', '.join(states) or 'none'}")

    def compare_host(self, step, want):
        host = self.studio.hosts().get(want["hostname"], {})
        self.compare(step, [want["ip_address"].partition("/")[0], want["service_name"], want["seen_as_recent"]],
                     [host.get("address"), host.get("service"), host.get("state") not in (None, "offline")], "host")

    def compare_stored(self, step, what, rows):
        """False: has no counterpart."""
        kind, _, name = what.rpartition(" ")
        if kind.startswith(("command row(s)", "execution rows")):
            for row in rows:
                service = {"service": row["service_name"]} if "service_name" in row else {}
                self.compare_command(step, row, self.commands(hostname=name, **service), row["status"])
        elif kind.startswith("request rows"):
            for row in rows:
                self.compare_request(step, row)
        elif what == "heartbeat row":
            for row in rows:
                self.compare_host(step, row)
        else:
            return False
        return True

    # ---- all of it ----

    def play(self):
        """Yields the stored states that have no counterpart."""
        step = ""
        for at, exchange in enumerate(self.file["exchanges"]):
            if "request" in exchange:
                what = exchange["request"]["path"].rpartition("/")[2].partition("?")[0]
                step = exchange.get("step") or f"{at}: the agent's {what}"
                status, body = self.send(exchange.get("step"), exchange["request"])
                self.compare_answer(step, exchange["response"], status, body)
                self.played += 1
            elif "stored_state" in exchange:
                if not self.compare_stored(f"{step}, stored", exchange["stored_state"], exchange["rows"]):
                    yield exchange["stored_state"]


# ---- cases: uploads that differ in one thing ----

def play_metadata_cases(studio):
    """Differences as of Replay, and how many were played."""
    listed = recorded("metadata_fields")
    good = listed["header"]["metadata"]
    changes = {case["case"]: case for case in listed["cases"]}
    cases, differences = recorded("intel_22_profile_metadata_fields")["cases"], []
    for case in cases:
        name = case["case"]
        metadata = {**good, **CHANGES.get(name, {})}
        if name in changes:
            metadata.pop(changes[name]["key"], None)
            if "value" in changes[name]:
                metadata[changes[name]["key"]] = changes[name]["value"]
        reply = studio.upload(profile=f"# {json.dumps({**listed['header'], 'metadata': metadata})}\n0;;a;b 1")
        if reply.status != case["status"]:
            differences.append((name, f"status: {case['status']} -> {reply.status}"))
        elif reply.json["message"] != case["body"]["message"]:
            differences.append((name, reply.json["message"]))
    return differences, len(cases)


def records(lines):
    """What the indexer counts: samples by container, frames from the root, frame."""
    sums = {}
    for line in lines:
        text, _, count = line.rpartition(" ")
        _, container, *frames = text.split(";")
        for depth in range(len(frames)):
            key = container, tuple(frames[:depth + 1])
            sums[key] = sums.get(key, 0) + int(count)
    return sorted([container, frames[-1], count] for (container, frames), count in sums.items())


def play_indexer_cases(studio):
    """Small files: what the real indexer makes of them, and ours. The web app's required metadata are put in."""
    cases, differences = recorded("intel_30_indexer_cases")["cases"], []
    for case in cases:
        header, lines = case["header"], case["lines"]
        if not isinstance(lines, list):
            lines = ["0;;a;b 1", "", "", ""]
        if isinstance(header, dict):
            header = {**header, "metadata": {**METADATA, **header["metadata"]}}
        text = header if isinstance(header, str) and header != "<long>" else json.dumps(header)
        start = "" if case["case"].startswith("no header") else f"# {text}\n"
        before = len(studio.profiles())
        reply = studio.upload(profile=start + "\n".join(lines))
        want = sorted([found[0], json.loads(f'"{found[2]}"'), int(found[1])] for found in re.findall(
            r'cont="(.*?)" env.* n=(-?\d+) root=\w+ name="(.*)"', "\n".join(case["stdout"])))
        if reply.status != 200 or len(studio.profiles()) == before:
            differences.append((case["case"], f"kept: {len(want)} -> refused with {reply.status}"))
            continue
        stored = studio.get(f"/api/studio/profiles/{studio.profiles()[0]['id']}").text.decode()
        got = records(stored.split("\n") if stored else [])
        if case["exit"]:
            differences.append((case["case"], f"crash -> {len(got)} kept"))
        elif got != want:
            differences.append((case["case"], short(f"{[item for item in want if item not in got]} -> "
                                                    f"{[item for item in got if item not in want]}")))
    return differences, len(cases)
