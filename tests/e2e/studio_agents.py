# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The unmodified Python agents as the recordings show them, made of the recorded requests: the one with two slots
and lists of ids, and the one before it with a single slot and last_command_id only. A run is a name in a slot;
who drives them says when it ends. For studio_replay.py."""
import copy
import gzip
import http.client
import json

from replay_engine import recorded


def first_request(name, ending):
    """Headers and body of the first recorded request to such a path."""
    for exchange in recorded(name)["exchanges"]:
        request = exchange.get("request", {})
        if request.get("path", "").partition("?")[0].endswith(ending):
            return request
    raise KeyError(ending)


class Wire:
    """One agent's calls, with the headers that were recorded. Keeps what was answered."""

    def __init__(self, studio, hostname, service):
        self.studio, self.hostname, self.service = studio, hostname, service
        self.gpid, self.answers = "", []

    def call(self, name, ending, change, path=None):
        request = copy.deepcopy(first_request(name, ending))
        headers = {key: value.replace("<key>", self.studio.token).replace("test-token", self.studio.token)
                   for key, value in request["headers"].items() if key not in ("Content-Length", "Accept-Encoding")}
        if "GPROFILER-SERVICE-NAME" in headers:
            headers["GPROFILER-SERVICE-NAME"] = self.service
        data = json.dumps(change(request["body"])).encode() if "body" in request else None
        if headers.get("Content-Encoding") == "gzip":
            data = gzip.compress(data)
        connection = http.client.HTTPConnection("127.0.0.1", self.studio.port, timeout=20)
        connection.request(request["method"], path or request["path"].replace("<key>", self.studio.token), data, headers)
        reply = connection.getresponse()
        answer = json.loads(reply.read())
        connection.close()
        self.answers.append(reply.status)
        return answer

    def health(self):
        return self.call("intel_20_health_and_key", "/api/v1/health_check", None)["message"]

    def heartbeat(self, **fields):
        return self.call("intel_40_agent_adhoc", "/heartbeat", lambda body: {
            **{key: value for key, value in body.items() if not key.endswith("_command_ids") or key in fields},
            "hostname": self.hostname, "service_name": self.service, **fields})

    def complete(self, command, status="completed", error=None):
        return self.call("intel_40_agent_adhoc", "/command_completion", lambda body: {
            **body, "command_id": command, "hostname": self.hostname, "status": status, "error_message": error})["success"]

    def upload(self, lines="0;;app;main;work 7", version="v2", continuous=False):
        def change(body):
            header = json.loads(body["profile"].partition("\n")[0][1:])
            header["metadata"]["hostname"] = self.hostname
            header["metadata"]["run_arguments"].update(service_name=self.service, continuous=continuous,
                                                       profile_api_version="v1" if version == "v1" else None)
            return {**body, "hostname": self.hostname, "gpid": self.gpid, "profile": f"# {json.dumps(header)}\n{lines}"}
        self.gpid = self.call("intel_21_profile_upload", "/profiles", change, f"/api/{version}/profiles")["gpid"]

    def logs(self, *messages):
        return self.call("intel_23_logs", "/logs", lambda body: {
            **body, "metadata": {**body["metadata"], "hostname": self.hostname, "service_name": self.service},
            "logs": [{**body["logs"][0], "text": {**body["logs"][0]["text"], "message": text}} for text in messages]})


PROFILERS = {"perf": "perf", "async_profiler": "java", "pyperf": "python", "pyspy": "python", "phpspy": "php",
             "rbspy": "ruby", "dotnet_trace": "dotnet", "nodejs_perf": "nodejs"}


def types_of(config):
    """What a run profiles: all that is not switched off."""
    off = ("disabled", {"mode": "disabled"})
    chosen = config.get("profiler_configs", {})
    return {kind for name, kind in PROFILERS.items() if chosen.get(name) not in off}


class Agent:
    """Two slots, three queues, at most one command per beat; nothing is remembered across a restart."""

    def __init__(self, studio, hostname, service="agents"):
        self.wire = Wire(studio, hostname, service)
        self.started = []  # what ran, over all its lives
        self.breaks = None  # with what every start fails
        self.restart()

    def restart(self):
        self.received, self.executed, self.last = [], [], None
        self.queues = {"stop": [], "adhoc": [], "continuous": []}
        self.slots = {"adhoc": None, "continuous": None}

    def beat(self):
        """One pass of its loop; the id that was handed out, or None."""
        answer = self.wire.heartbeat(last_command_id=self.last, received_command_ids=self.received,
                                     executed_command_ids=self.executed)
        command = answer["command_id"]
        if command and command not in self.received:
            self.received.append(command)
            self.last = command
            self.queue(command, answer["profiling_command"])
        self.act()
        return command

    def queue(self, command, order):
        config = order["combined_config"]
        name = "stop" if order["command_type"] == "stop" else "continuous" if config.get("continuous") else "adhoc"
        if name == "continuous":
            self.queues[name].clear()
        self.queues[name].append((command, config))

    def act(self):
        name = next((name for name in ("stop", "adhoc", "continuous") if self.queues[name]), None)
        if not name:
            return
        command, config = self.queues[name][0]
        if name == "stop":
            self.slots = {"adhoc": None, "continuous": None}
            for queue in self.queues.values():
                queue.clear()
            self.report(command)
        elif self.slots[name] != command and not (name == "adhoc" and self.slots[name]):
            running = self.queues["continuous"][0][1] if self.queues["continuous"] else {}
            if name == "continuous" or types_of(config) & types_of(running):
                self.slots["continuous"] = None  # its command stays queued, and begins afresh later
            self.run(name, command, config)

    def run(self, name, command, config):
        self.wire.health()
        if self.breaks:  # and it stays queued
            self.wire.complete(command, "failed", self.breaks)
        else:
            self.slots[name] = command
            self.started.append((command, config.get("pids")))
        self.report(command)

    def report(self, command):
        if command not in self.executed:
            self.executed.append(command)
        self.wire.complete(command)

    def window(self, version="v2", **upload):
        """A session ends with its upload; an ad hoc run is over then."""
        name = "adhoc" if self.slots["adhoc"] else "continuous"
        self.wire.upload(version=version, continuous=name == "continuous", **upload)
        if name == "adhoc":
            self.slots[name] = None
            self.queues[name].pop(0)


class SeedAgent(Agent):
    """A start ends what runs, a stop ends it; no lists, no queues."""

    def beat(self):
        answer = self.wire.heartbeat(last_command_id=self.last)
        command, order = answer["command_id"], answer["profiling_command"]
        if command and command not in self.executed:
            self.last = command
            self.slots = {"adhoc": None, "continuous": None}
            if order["command_type"] == "start":
                name = "continuous" if order["combined_config"].get("continuous") else "adhoc"
                self.queues[name] = [(command, order["combined_config"])]
                self.run(name, command, order["combined_config"])
            else:
                self.report(command)
        return command
