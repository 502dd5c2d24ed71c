# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Whole lives of the unmodified Python agents against a studio, and what it then knows. For studio_replay.py."""
import gzip
import json
import os

from studio_agents import Agent, SeedAgent

SERVICE = "agents"


class Life:
    """An agent on its own host, and the operator who orders from it."""

    def __init__(self, studio, hostname, kind=Agent):
        self.studio, self.hostname = studio, hostname
        self.agent = kind(studio, hostname, SERVICE)

    def order(self, **fields):
        return self.studio.order(self.hostname, SERVICE, **fields).json["command_ids"][0]

    def stop(self, **fields):
        return self.order(kind="stop", **fields)

    def beats(self, count):
        return [self.agent.beat() for _ in range(count)]

    def command(self, command):
        rows = self.studio.get(f"/api/studio/commands?hostname={self.hostname}&service={SERVICE}").json["commands"]
        return next((row for row in rows if row["id"] == command), {"state": "unknown"})

    def state(self, *commands):
        return [self.command(command)["state"] for command in commands]

    @property
    def runs(self):
        return [command for command, _ in self.agent.started]


def adhoc(studio, tap):
    life = Life(studio, "life-adhoc")
    first = life.beats(1)
    one, two = life.order(), life.order(additional_args={"profiler_configs": {"perf": "enabled_smart"}})
    tap.equal([first, life.state(one, two)], [[None], ["pending"] * 2], "agent: two ad hoc orders wait for a heartbeat")
    tap.equal([life.beats(1), life.state(one)], [[one], ["sampling"]], "agent: the first one runs at the next heartbeat")
    tap.equal([life.beats(2), life.runs, life.state(two)], [[two, None], [one], ["received"]],
              "agent: the second one waits in the agent, and is handed out once")
    life.agent.window()
    done = life.command(one)
    tap.equal([done["state"], done["profile"]], ["done", studio.profiles()[0]["id"]], "agent: its upload is its result")
    life.beats(1)
    life.agent.window(version="v1", lines="app;main;work 7")
    tap.equal([life.runs, life.state(one, two), studio.profiles()[0]["samples"], life.command(two)["profile"]],
              [[one, two], ["done", "done"], 7, studio.profiles()[0]["id"]],
              "agent: then the second one runs; an upload of the old form is its result")
    life.agent.restart()
    tap.equal([life.beats(2), life.runs], [[None, None], [one, two]], "agent: restarted without memory, it repeats neither")
    tap.equal(set(life.agent.wire.answers), {200}, "agent: every call of its life was answered with 200")


def continuous(studio, tap):
    life = Life(studio, "life-continuous")
    always = life.order(continuous=True)
    life.beats(2)
    life.agent.window()
    tap.equal([life.runs, life.state(always), life.command(always)["continuous"]], [[always], ["sampling"], True],
              "agent: a continuous run goes on after its first window")
    once = life.order()
    tap.equal([life.beats(2), life.runs[1:], life.state(always, once)], [[once, None], [once], ["sampling", "sampling"]],
              "agent: an ad hoc order beside it is handed out once")
    life.agent.window()
    tap.equal([life.beats(1), life.runs[2:], life.state(always, once)], [[None], [always], ["sampling", "done"]],
              "agent: after it the continuous run goes on, reported a second time to no effect")
    java = {"profiler_configs": {name: "disabled" for name in ("perf", "pyperf", "pyspy", "phpspy", "rbspy", "dotnet_trace",
                                                               "nodejs_perf")}}
    other = life.order(continuous=True, frequency=49, additional_args={"profiler_configs": {"async_profiler": "disabled"}})
    tap.equal([life.beats(1), life.state(always, other)], [[other], ["stopped", "sampling"]],
              "agent: another continuous order ends the first")
    beside = life.order(additional_args=java)
    life.beats(1)
    tap.equal([life.agent.slots, life.state(other, beside)], [{"adhoc": beside, "continuous": other}, ["sampling"] * 2],
              "agent: what does not overlap runs beside it")
    life.agent.window()
    life.agent.restart()
    tap.equal([life.beats(1), life.agent.slots["continuous"], life.state(other, beside)], [[other], other, ["sampling", "done"]],
              "agent: restarted without memory, it gets the continuous order again, and that alone")
    halt = life.stop(stop_level="host")
    tap.equal([life.beats(2), life.agent.slots, life.state(other, halt)],
              [[halt, None], {"adhoc": None, "continuous": None}, ["stopped", "done"]], "agent: a stop of the host ends it")
    life.agent.restart()
    tap.equal(life.beats(2), [None, None], "agent: restarted after the stop, it stays stopped")


def processes(studio, tap):
    life = Life(studio, "life-pids")
    life.order(continuous=True, pids=[1, 2, 3])
    life.stop(pids=[3], stop_level="process")
    life.beats(1)
    tap.equal(life.agent.started[-1][1], [1, 2], "agent: a process stopped before delivery is not in the start")
    life.stop(pids=[1], stop_level="process")
    life.beats(1)
    rest = life.agent.started[-1]
    tap.equal([rest[1], life.state(rest[0])], [[2], ["sampling"]], "agent: one stopped later: a new start with the rest")
    life.agent.restart()
    life.beats(1)
    tap.equal(life.agent.started[-1], rest, "agent: restarted, it profiles the rest again")
    halt = life.stop(pids=[2], stop_level="process")
    life.beats(2)
    tap.equal([life.agent.slots["continuous"], life.state(rest[0], halt)], [None, ["stopped", "done"]],
              "agent: the last one stopped: all is stopped")


def failures(studio, tap):
    life = Life(studio, "life-fails")
    life.agent.breaks = "no perf"
    order = life.order()
    tap.equal([life.beats(3), life.runs, life.command(order)["state"], life.command(order)["reason"]],
              [[order, None, None], [], "failed", "no perf"],
              "agent: a start that fails at each beat is failed, whatever the agent says afterwards")
    life.agent.breaks = None
    life.agent.restart()
    tap.equal([life.beats(2), life.runs], [[None, None], []], "agent: restarted, it does not get it again: no crash loop")
    life.agent.wire.complete("11111111-2222-3333-4444-555555555555", "failed", "Unknown command type: x")
    tap.equal(life.beats(1), [None], "agent: a report on a command that nobody gave changes nothing")


def seed(studio, tap):
    life = Life(studio, "life-seed", SeedAgent)
    one = life.order()
    tap.equal([life.beats(3), life.runs, life.state(one)], [[one, None, None], [one], ["sampling"]],
              "old agent: an order is handed out once, though it sends no list of ids")
    life.agent.window()
    always = life.order(continuous=True)
    tap.equal([life.beats(2), life.state(one, always)], [[always, None], ["done", "sampling"]],
              "old agent: a continuous order follows")
    life.agent.restart()
    tap.equal([life.beats(2), life.agent.slots["continuous"]], [[always, None], always],
              "old agent: restarted without memory, it gets the continuous order again")
    halt = life.stop(stop_level="host")
    tap.equal([life.beats(2), life.agent.slots, life.state(always, halt)],
              [[halt, None], {"adhoc": None, "continuous": None}, ["stopped", "done"]], "old agent: a stop ends it")
    life.agent.restart()
    tap.equal(life.beats(2), [None, None], "old agent: restarted after the stop, it stays stopped")
    tap.equal(set(life.agent.wire.answers), {200}, "old agent: every call of its life was answered with 200")


def log_lines(studio):
    with open(f"{studio.state}/studio/logs/agents.log", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def logs(studio, tap):
    agent = Agent(studio, "life-logs", SERVICE)
    tap.equal([agent.wire.logs("one", "two\nlines"), agent.wire.answers], [{"status": "ok"}, [201]], "agent: its logs are taken")
    lines = log_lines(studio)
    tap.ok([line["text"]["message"] for line in lines] == ["one", "two\nlines"] and all(
        line["metadata"]["hostname"] == "life-logs" and line["timestamp_agent"] and "timestamp" not in line for line in lines),
           "and written as a line per record, with the agent's name", lines)
    path = f"{studio.state}/studio/logs/agents.log"
    tap.equal(oct(os.stat(path).st_mode & 0o7777), "0o600", "in a file for nobody else")
    record = {"severity": 3, "timestamp": 1.5, "text": {"message": "ä" * 40000, "extra": {"x": "y" * 70000}}}

    def send(body, **how):
        return studio.post("/api/v1/logs", body, **how).status
    tap.equal(send({"logs": [record], "lost_logs_count": 3}), 201, "a record of 150 kB is taken")
    cut, lost = log_lines(studio)[-2:]
    tap.ok(cut["text"] == {"message": "ä" * 8192, "truncated": True} and lost["lost_logs_count"] == 3,
           "and cut; what the agent has lost is written too", cut, lost)
    bad = [{"logs": [{**record, "timestamp": None}]}, {"logs": [record, 1]}, {"logs": {}}, {}, [{}], b"{", b"1", b""]
    before = os.path.getsize(path)
    tap.equal([send(body) for body in bad] + [os.path.getsize(path)], [422] * len(bad) + [before],
              "a batch with a bad record is refused, and none of it written")
    big = json.dumps({"logs": [{**record, "text": {"message": "x" * 60000}}] * 120}).encode()
    bomb = gzip.compress(b" " * (9 << 20))
    tap.equal([send(big), send(bomb, headers={"Content-Encoding": "gzip"}), send(b"x", headers={"Content-Encoding": "gzip"})],
              [413, 413, 400], "so is one over 4 MiB, or over 8 MiB when unpacked")
    half = json.dumps({"logs": [{**record, "text": {"message": "x" * 60000}}] * 60}).encode()
    tap.equal([send(half) for _ in range(6)], [201] * 6, "many batches are taken")
    sizes = [os.path.getsize(path + end) for end in ("", ".1")]
    tap.ok(max(sizes) <= 16 << 20 and sizes[0] < sizes[1], "the file is bounded: the full one is put aside", sizes)
    tap.equal([send({"logs": []}, token=None), send({"logs": []}, token=None, headers={"X-Token": studio.token})], [401, 201],
              "nothing is taken without the token")


LIVES = [adhoc, continuous, processes, failures, seed, logs]
