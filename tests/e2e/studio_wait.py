# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The steps of studio_wait.t."""
import json
import os
import random
import re
import resource
import select
import shutil
import socket
import sqlite3
import tempfile
import threading
import time

from studio_rig import Studio, Tap, wait_for

MANY = 5000


class Agent:
    """One agent on one kept connection."""

    def __init__(self, studio, hostname, source=None):
        self.studio, self.hostname, self.last = studio, hostname, None
        self.sock = socket.create_connection(("127.0.0.1", studio.port), timeout=20,
                                             source_address=source and (source, 0))

    def beat(self, wait_s, **more):
        body = json.dumps({"ip_address": "10.0.0.5", "hostname": self.hostname, "service_name": "checkout",
                           "status": "active", "last_command_id": self.last, "received_command_ids":
                           [self.last] if self.last else [], "wait_s": wait_s, **more})
        self.sock.sendall((f"POST /api/metrics/heartbeat HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                           f"Authorization: Bearer {self.studio.token}\r\nContent-Length: {len(body)}\r\n\r\n{body}").encode())

    def answer(self, seconds=20.0):
        """The status and the body; None: nothing came in time; "": the server closed."""
        self.sock.settimeout(seconds)
        got = b""
        try:
            while b"\r\n\r\n" not in got:
                part = self.sock.recv(65536)
                if not part:
                    return ""
                got += part
            head, _, body = got.partition(b"\r\n\r\n")
            length = int(re.search(rb"content-length: (\d+)", head.lower()).group(1))
            while len(body) < length:
                body += self.sock.recv(65536)
        except ConnectionResetError:
            return ""
        except socket.timeout:
            return None
        reply = json.loads(body)
        self.last = reply.get("command_id") or self.last
        return reply

    def close(self):
        self.sock.close()


def idle(agent):
    """Nothing has come."""
    poll = select.poll()
    poll.register(agent.sock, select.POLLIN)
    return not poll.poll(0)


def check_one(studio, tap):
    agent = Agent(studio, "one")
    times = []
    for number in range(20):
        agent.beat(30)
        time.sleep(0.02)
        begun = time.monotonic()
        order = studio.order("one", pids=[number + 1]).json
        reply = agent.answer()
        times.append(time.monotonic() - begun)
        if not reply or reply["command_id"] not in order["command_ids"]:
            tap.ok(False, "a waiting agent gets the order", reply, order)
            return
    tap.ok(max(times) < 0.1, "an order reaches a waiting agent in less than 100 ms, request and all", times)
    begun = time.monotonic()
    agent.beat(1)
    reply = agent.answer()
    took = time.monotonic() - begun
    tap.ok(reply and reply["success"] and reply["command_id"] is None and 0.7 < took < 2.5,
           "without an order it is answered when the time is up", reply, took)
    for wait_s in (0, None):
        begun = time.monotonic()
        agent.beat(wait_s)
        reply = agent.answer()
        tap.ok(reply and reply["command_id"] is None and time.monotonic() - begun < 0.5,
               f"wait_s {wait_s} does not wait", reply)
    for wait_s in (-1, "soon", [1], 1 << 40):
        agent.beat(wait_s)
        tap.ok("detail" in (agent.answer() or {}), f"wait_s {wait_s} is refused")
    order = studio.order("one").json
    begun = time.monotonic()
    agent.beat(30)
    reply = agent.answer()
    tap.ok(reply["command_id"] in order["command_ids"] and time.monotonic() - begun < 0.5,
           "an order that is there already is not waited for", reply)
    agent.beat(50)
    studio.order("another")
    studio.order("one", service="another")
    time.sleep(0.1)
    tap.ok(idle(agent), "orders for others wake nobody")
    agent.close()


def check_replaced(studio, tap):
    old, new, other = Agent(studio, "twice"), Agent(studio, "twice"), Agent(studio, "twice")
    old.beat(50)
    time.sleep(0.05)
    new.beat(50)
    reply = old.answer(2)
    tap.ok(reply and reply["command_id"] is None, "a newer call of the same agent ends the older one", reply)
    other.beat(50, ip_address="10.0.0.6")
    time.sleep(0.05)
    tap.ok(idle(new), "one of another agent of that host does not")
    order = studio.order("twice").json
    got = [agent.answer(2) for agent in (new, other)]
    tap.ok(all(reply and reply["command_id"] in order["command_ids"] for reply in got),
           "a command that nobody has acknowledged goes to both", got)
    for agent in (old, new, other):
        agent.close()


def descriptors(studio):
    return len(os.listdir(f"/proc/{studio.process.pid}/fd"))


def check_vanishing(studio, tap):
    before = descriptors(studio)
    agents = [Agent(studio, f"gone-{i}") for i in range(100)]
    for agent in agents:
        agent.beat(50)
    for i, agent in enumerate(agents):
        if i % 3 == 1:
            agent.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        if i % 3 == 2:
            agent.sock.shutdown(socket.SHUT_WR)
        else:
            agent.close()
    tap.ok(wait_for(lambda: descriptors(studio) <= before, 3), "clients that leave give their place back at once",
           before, descriptors(studio))
    for agent in agents:
        agent.close()
    orders = [studio.order(f"gone-{i}").json["command_ids"][0] for i in range(3)]
    got = []
    for i in range(3):
        agent = Agent(studio, f"gone-{i}")
        agent.beat(30)
        got.append(agent.answer(2)["command_id"])
        agent.close()
    tap.equal(got, orders, "and an order for one of them waits for its next call")


def check_many(studio, tap):
    begun = time.monotonic()
    agents = {}
    for i in range(MANY):
        agent = Agent(studio, f"many-{i}", f"127.1.{i // 250}.{i % 250 + 1}")
        agent.beat(50)
        agents[f"many-{i}"] = agent
    tap.ok(wait_for(lambda: studio.get("/api/studio/hosts?limit=1").status == 200 and descriptors(studio) > MANY),
           f"{MANY} agents wait", time.monotonic() - begun)
    random.seed(7)
    times = []
    for name in random.sample(sorted(agents), 50):
        begun = time.monotonic()
        order = studio.order(name).json
        reply = agents[name].answer()
        times.append(time.monotonic() - begun)
        if not reply or reply["command_id"] not in order["command_ids"]:
            tap.ok(False, "an order reaches one of them", reply, order)
            return
        agents.pop(name).close()
    tap.ok(sorted(times)[49] < 0.1, "an order reaches one of them in less than 100 ms", times)
    tap.ok(all(idle(agents[name]) for name in random.sample(sorted(agents), 50)), "and nobody else")
    names = random.sample(sorted(agents), 1000)
    begun = time.monotonic()
    reply = studio.post("/api/metrics/profile_request", {"service_name": "checkout", "request_type": "start",
                        "duration": 10, "frequency": 99, "target_hosts": {name: None for name in names}}).json
    ids = {(agents[name].answer() or {}).get("command_id") for name in names}
    took = time.monotonic() - begun
    tap.equal(ids, set(reply["command_ids"]), "an order for 1,000 of them reaches each")
    tap.ok(took < 3, "in less than 3 s", took)
    print(f"# one: {max(times) * 1000:.1f} ms at most; 1,000: {took * 1000:.0f} ms", flush=True)
    return agents


def big_lines():
    """Some 20 MB that take a while to read and to draw."""
    return "\n".join(f"0;web;app;_start;main;handler_{i % 977};step_{i};{'f' * 40} {i % 7 + 1}" for i in range(200000))


def check_slow(studio, tap):
    lines = big_lines()
    begun = time.monotonic()
    tap.equal(studio.upload(lines).status, 200, "a large profile is taken")
    alone = time.monotonic() - begun
    replies, times = [], []
    threads = [threading.Thread(target=lambda: replies.append(studio.upload(lines).status)) for _ in range(3)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        begun = time.monotonic()
        studio.heartbeat("quick")
        times.append(time.monotonic() - begun)
        time.sleep(0.01)
    tap.equal(replies, [200] * 3, "and three at the same time")
    times.sort()
    tap.ok(times[len(times) // 2] < 0.05, "half of the heartbeats meanwhile take less than 50 ms",
           times[len(times) // 2], times[-1], len(times))
    ids = [profile["id"] for profile in studio.profiles()]
    socks = [Agent(studio, "reader") for _ in range(300)]
    for agent in socks:
        agent.sock.sendall(f"GET /api/studio/profiles/{ids[0]}/flamegraph HTTP/1.1\r\nHost: localhost\r\n"
                           f"Authorization: Bearer {studio.token}\r\n\r\n".encode())
    refused = wait_for(lambda: [agent for agent in socks if not idle(agent)], 5)
    head = refused[0].sock.recv(4096).decode()
    tap.ok("503" in head[:16] and "\r\nretry-after: 5\r\n" in head.lower(), "who asks for too much is told when to ask again",
           head[:300])
    for agent in socks:
        agent.close()
    begun = time.monotonic()
    tap.equal(studio.get(f"/api/studio/profiles/{ids[0]}/flamegraph").status, 200, "a page is drawn")
    took = time.monotonic() - begun
    print(f"# upload {alone * 1000:.0f} ms, heartbeats meanwhile {times[len(times) // 2] * 1000:.1f} ms, at most "
          f"{times[-1] * 1000:.1f} ms; page {took * 1000:.0f} ms", flush=True)
    with sqlite3.connect(f"{studio.state}/studio/studio.db") as db:
        count = db.execute("SELECT n FROM counters WHERE name='reads_put_off'").fetchone()
    tap.ok(count and count[0] > 0, "and it is counted", count)


def check_stop(studio, tap, agents):
    begun = time.monotonic()
    status = studio.stop()
    tap.ok(status == 0 and time.monotonic() - begun < 3, "the server stops cleanly while thousands wait", status)
    some = list(agents.values())[::100]
    tap.ok(all(agent.answer(2) in ("", None) or agent.last for agent in some), "their connections end")
    with open(studio.log, encoding="utf-8") as log:
        bad = [line for line in log if re.search(r"error|runtime|ERROR: |leak", line)]
    tap.equal(bad, [], "and nothing went wrong")


def main():
    tap, folder = Tap(), tempfile.mkdtemp(prefix="pulseprof-wait.")
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (MANY + 500, max(limit[1], MANY + 500)))
    studio = Studio(f"{folder}/state")
    try:
        check_one(studio, tap)
        check_replaced(studio, tap)
        check_vanishing(studio, tap)
        check_slow(studio, tap)
        agents = check_many(studio, tap)
        check_stop(studio, tap, agents or {})
    finally:
        if studio.process.poll() is None:
            studio.process.kill()
        shutil.rmtree(folder, ignore_errors=True)
    tap.end()


main()
