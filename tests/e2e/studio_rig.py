# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A studio of its own and an agent made of a few lines of HTTP, for studio_api.py and studio_page.py."""
import gzip
import http.client
import json
import os
import re
import subprocess
import sys
import time

O = os.environ.get("O", "build")
METADATA = {
    "cloud_provider": "unknown", "agent_version": "1.57.1", "spawn_time": "2026-11-22T10:00:00",
    "current_time": "2026-11-22T10:05:00", "spawn_uptime_ms": 86400000, "python_version": "none",
    "run_mode": "standalone_executable", "deployment_type": "instances", "kernel_release": "6.1.0-28-amd64",
    "kernel_version": "#1 SMP Debian", "system_name": "Linux", "processors": 8, "memory_capacity_mb": 32000,
    "hostname": "node-7", "os_name": "Debian GNU/Linux", "os_release": "12", "libc_type": "glibc",
    "libc_version": "2.36", "hardware_type": "x86_64", "pid": 4242, "mac_address": "02:42:AC:11:00:02",
    "private_ip": "10.0.0.5", "continuous": False,
    "run_arguments": {"service_name": "checkout", "profile_api_version": None, "perf_mode": "fp",
                      "perf_events": "cycles", "frequency": 99}}
LINES = "0;;myapp;_start;main;work;do_syscall_64_[k];ksys_read_[k] 7\n0;web;nginx;[unknown];ngx_worker 2"


def wait_for(what, seconds=30):
    """The first true answer of what(), or its last."""
    deadline = time.monotonic() + seconds
    while True:
        got = what()
        if got or time.monotonic() > deadline:
            return got
        time.sleep(0.02)


class Reply:
    def __init__(self, response):
        self.status, self.text = response.status, response.read()
        self.headers = {name.lower(): value for name, value in response.getheaders()}

    @property
    def json(self):
        return json.loads(self.text)


class Studio:
    """The program under test; what it says on stderr is in LOG."""

    def __init__(self, state, *args, port=0):
        self.state, self.args = state, args
        self.log = state + ".log"
        self.start(port)

    def start(self, port=0):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [f"{O}/pulseprof-studio", "--listen", f"127.0.0.1:{port}", "--state-dir", self.state, *self.args],
                stdout=subprocess.PIPE, stderr=log, text=True)
        line = self.process.stdout.readline()
        found = re.fullmatch(r"listening on (http://127\.0\.0\.1:(\d+))\n", line)
        if not found:
            sys.exit(f"Bail out! the studio did not start: {line!r} {open(self.log).read()}")
        self.url, self.port = found.group(1), int(found.group(2))
        with open(f"{self.state}/studio/token", encoding="ascii") as token:
            self.token = token.read().strip()

    def stop(self):
        self.process.terminate()
        return self.process.wait(timeout=10)

    def call(self, method, path, body=None, headers=None, token=True):
        """body: bytes as they are, else JSON. headers: a value of None leaves that header out."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        sent = {"Content-Type": "application/json"} if method == "POST" else {}
        if token:
            sent["Authorization"] = f"Bearer {self.token if token is True else token}"
        sent.update(headers or {})
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        connection.putrequest(method, path, skip_host="Host" in sent, skip_accept_encoding=True)
        if data is not None:
            connection.putheader("Content-Length", str(len(data)))
        for name, value in sent.items():
            if value is not None:
                connection.putheader(name, value)
        connection.endheaders()
        if data:
            connection.send(data)
        reply = Reply(connection.getresponse())
        connection.close()
        return reply

    def get(self, path, **how):
        return self.call("GET", path, **how)

    def post(self, path, body, **how):
        return self.call("POST", path, body, **how)

    def heartbeat(self, hostname="node-7", service="checkout", **more):
        body = {"ip_address": "10.0.0.5", "hostname": hostname, "service_name": service, "status": "active",
                "last_command_id": None, "received_command_ids": [], "executed_command_ids": [],
                "agent_version": "1.57.1"}
        body.update(more)
        return self.post("/api/metrics/heartbeat", body)

    def order(self, hostname="node-7", service="checkout", kind="start", pids=None, **more):
        body = {"service_name": service, "request_type": kind, "duration": 10, "frequency": 99,
                "target_hosts": {hostname: pids}}
        body.update(more)
        return self.post("/api/metrics/profile_request", body)

    def complete(self, command, status="completed", hostname="node-7", error=None):
        return self.post("/api/metrics/command_completion", {
            "command_id": command, "hostname": hostname, "status": status, "execution_time": 0,
            "error_message": error, "results_path": None})

    def upload(self, lines=LINES, html=None, packed=True, service="checkout", headers=None, metadata=None, gpid="",
               api="v2", **body):
        header = {"containers": ["web"], "metadata": {**METADATA, **(metadata or {})},
                  "application_metadata_enabled": True, "flamegraph_html": html}
        whole = {"start_time": "2026-11-22T10:05:00", "end_time": "2026-11-22T10:05:10", "gpid": gpid,
                 "profile": f"# {json.dumps(header)}\n{lines}", **body}
        data = json.dumps({key: value for key, value in whole.items() if value is not ...}).encode()
        sent = {"GPROFILER-API-KEY": self.token, "GPROFILER-SERVICE-NAME": service}
        if packed:
            data = gzip.compress(data)
            sent["Content-Encoding"] = "gzip"
        return self.post(f"/api/{api}/profiles", data, headers={**sent, **(headers or {})}, token=None)

    def hosts(self):
        return {host["hostname"]: host for host in self.get("/api/studio/hosts").json["hosts"]}

    def profiles(self):
        return self.get("/api/studio/profiles").json["profiles"]


class Tap:
    def __init__(self):
        self.done = self.failed = 0

    def ok(self, good, what, *facts):
        self.done += 1
        self.failed += not good
        print(f"{'ok' if good else 'not ok'} {self.done} - {what}", flush=True)
        for fact in [] if good else facts:
            print(f"# {str(fact)[:1500]!r}", flush=True)

    def equal(self, got, wanted, what):
        self.ok(got == wanted, what, got, wanted)

    def end(self):
        print(f"1..{self.done}")
        sys.exit(1 if self.failed else 0)
