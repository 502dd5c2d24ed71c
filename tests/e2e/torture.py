#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Kills the daemon at random instants while a backend hands out commands: torture.py KILLS [SEED]

The backend behaves as the real one: it repeats its newest command in every answer, takes one completion for
each, and now and then fails. A continuous command comes first, then one ad hoc command after another. Says in
JSON what became of each; torture.t judges.
"""
import glob
import gzip
import http.server
import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
import uuid

O = os.environ.get("O", "build")
WORK = os.environ["WORK"]
KILLS = int(sys.argv[1])
SEED = int(sys.argv[2]) if len(sys.argv) > 2 else random.SystemRandom().randrange(1 << 30)
chance = random.Random(SEED)
FAILS = 0.06  # of the uploads and completions, with a 503: seconds of back-off each
SETTLE_S = 40
ADHOC_S, WINDOW_S = 1, 2


class Command:
    def __init__(self, continuous):
        self.id = str(uuid.uuid4())
        self.continuous = continuous
        self.config = {"continuous": continuous, "duration": WINDOW_S if continuous else ADHOC_S, "frequency": 99 if continuous else 199,
                       "profiling_mode": "cpu"}
        self.deliveries = 0
        self.reports = []  # all that came, with the answer's success
        self.uploads = []  # headers of what was taken
        self.states = []  # as pulseprof_runs told them

    def is_settled(self):
        """Reported, and its profile is here or will never come."""
        failed = any(report["status"] == "failed" for report in self.reports)
        ended = any(state[0] == "failed" for state in self.states)
        return bool(self.reports) and (bool(self.uploads) or failed or ended)


class Backend:
    def __init__(self):
        self.lock = threading.Lock()
        self.commands = [Command(True)]
        self.upload_times = []
        self.unknown = []  # what belongs to no command
        self.chance = random.Random(SEED + 1)

    def newest(self):
        """The command to hand out: a new ad hoc one once the last was settled."""
        last = self.commands[-1]
        if last.continuous and last.reports or not last.continuous and last.is_settled():
            self.commands.append(Command(False))
        return self.commands[-1]

    def command(self, command_id):
        for command in self.commands:
            if command.id == command_id:
                return command
        self.unknown.append(command_id)
        return None

    def heartbeat(self, body):
        for run in body.get("pulseprof_runs") or []:
            command = self.command(run["command_id"])
            state = [run["state"], run.get("reason")]
            if command and state not in command.states:
                command.states.append(state)
        command = self.newest()
        command.deliveries += 1
        return {"success": True, "message": "a command", "command_id": command.id,
                "profiling_command": {"command_type": "start", "combined_config": command.config}}

    def completion(self, body):
        command = self.command(body["command_id"])
        first = command is not None and not any(report["success"] for report in command.reports)
        if command:
            command.reports.append({"status": body["status"], "why": body.get("error_message"), "success": first})
        return {"success": first, "message": "noted" if first else "already completed"}

    def upload(self, body):
        header = json.loads(body["profile"].split("\n", 1)[0][1:])
        ours = header["pulseprof"]
        command = self.command(ours["command_id"])
        if command:
            command.uploads.append({"restarted": ours["restarted"], "part": ours.get("piece", 0), "start": body["start_time"]})
        self.upload_times.append(time.monotonic())
        return {"message": "ok", "gpid": "17"}

    def answer(self, path, body):
        kind = path.rsplit("/", 1)[1]
        with self.lock:
            if kind != "heartbeat" and self.chance.random() < FAILS:
                return 503, {"message": "later"}
            if kind == "heartbeat":
                return 200, self.heartbeat(body)
            return 200, self.completion(body) if kind == "command_completion" else self.upload(body)


def handler_of(backend):
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            status, answer = backend.answer(self.path, json.loads(body))
            text = json.dumps(answer).encode()
            try:
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)
            except OSError:
                pass  # killed while it waited

        def log_message(self, *args):
            pass

    return Handler


def start_daemon(url):
    with open(f"{WORK}/daemon.log", "ab") as log:
        return subprocess.Popen([f"{O}/pulseprofd", "--enable-heartbeat-server", "--upload-results", "--service-name",
                                 "torture", "--api-server", url, "--server-host", url, "--heartbeat-interval", "1"],
                                stdout=log, stderr=log, env={**os.environ, "GPROFILER_TOKEN": "s3cret"})


def held_ids():
    """{(kind, id)} of what somebody has open: other daemons of this host are none of ours."""
    held = set()
    for path in glob.glob("/proc/[0-9]*/fdinfo/*"):
        try:
            with open(path) as info:
                held |= {(kind, int(number)) for kind, number in re.findall(r"^(prog|map|link)_id:\s+(\d+)", info.read(), re.M)}
        except OSError:
            pass  # it has ended
    return held


def unheld():
    """What of ours is loaded and nobody's, by the kernel's own list."""
    left = set()
    held = held_ids()
    for kind in ("prog", "map"):
        out = subprocess.run(["bpftool", "-j", kind, "list"], capture_output=True, text=True, check=True).stdout
        left |= {(kind, item["id"], item["name"]) for item in json.loads(out or "[]")
                 if item.get("name", "").startswith("pp_") and item["name"] != "pp_part"  # inside another map
                 and (kind, item["id"]) not in held}
    return left


def left_in_kernel():
    """What stays so: the kernel frees a little later."""
    left = unheld()
    deadline = time.monotonic() + 5
    while left and time.monotonic() < deadline:
        time.sleep(0.1)
        left &= unheld()
    return sorted(left)


def wait_for(what, seconds):
    deadline = time.monotonic() + seconds
    while not what():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def kill_often(url):
    """How many kills left something in the kernel."""
    leaks = 0
    for i in range(KILLS):
        daemon = start_daemon(url)
        time.sleep(chance.choice([0.15, 0.6, 1.2, 2.4]) * (0.5 + chance.random()))
        assert daemon.poll() is None, "the daemon ended by itself"
        daemon.kill()
        daemon.wait()
        leaks += i % 5 == 0 and bool(left_in_kernel())
    return leaks


def starts_by_id():
    starts = {}
    with open(f"{WORK}/daemon.log", errors="replace") as log:
        for line in log:
            found = re.search(r"command '([0-9a-f-]{36})' starts", line)
            if found:
                starts[found[1]] = starts.get(found[1], 0) + 1
    return starts


def main():
    backend = Backend()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler_of(backend))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}"
    leaks = kill_often(url)
    daemon = start_daemon(url)
    begun, killed_cnt = time.monotonic(), len(backend.commands)
    settled = wait_for(lambda: len(backend.commands) > killed_cnt + 2, SETTLE_S)
    time.sleep(1)
    daemon.send_signal(signal.SIGTERM)
    ended = daemon.wait(20)
    starts = starts_by_id()
    adhoc = [command for command in backend.commands if not command.continuous][:-1]
    json.dump({
        "seed": SEED, "kills": KILLS, "settled": settled, "exit": ended, "leaks": leaks, "left": left_in_kernel(),
        "unknown": backend.unknown,
        "spool_left": sum(len(files) for _, _, files in os.walk(os.environ["PULSEPROF_STATE_DIR"] + "/spool")),
        "continuous_uploads": len(backend.commands[0].uploads),
        "continuous_after": sum(when > begun for when in backend.upload_times),
        "adhoc": [{"id": command.id, "starts": starts.get(command.id, 0), "uploads": command.uploads,
                   "reports": command.reports, "states": command.states} for command in adhoc],
    }, sys.stdout, indent=1)
    print()


main()
