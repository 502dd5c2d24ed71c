# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The steps of studio_replay.t, and the list of all differences between our studio and the real web apps.

An entry is (files, step, what the real one answered -> what ours does). A file is its number in
tests/data/exchanges, with i or p before it where only Intel's or only Pinterest's web app is meant; a "*" at the
end of the rest stands for any text. Words for ids: #1 is the first id that the file shows, "new" one that it does not know.
A difference that is not listed fails the test, and so does an entry that nothing needs any more."""
import shutil
import sys
import tempfile

from replay_engine import Replay, play_indexer_cases, play_metadata_cases
from studio_lives import LIVES
from studio_rig import Studio, Tap

INTENDED = [
    ("no route but the health check answers without the token", [
        ("01", "no Authorization header at all", "status: 200 -> 401"),
        ("01", "nonsense Authorization header", "status: 200 -> 401"),
        ("21", "no headers", "status: 422 -> 401"),
        ("21", "wrong key", "status: 400 -> 401"),
        ("23", "wrong X-Token is accepted (not looked at when metadata is present)", "status: 201 -> 401"),
        ("23", "old form with a wrong key: server error too", "status: 500 -> 401"),
    ]),
    ("the token stands in a file of the studio; no route gives it away", [
        ("20", "operator gets the API key (created on the first call)", "status: 200 -> 404"),
    ]),
    ("a value that the real one swallows, so that the agent gets no commands ever, is 422", [
        ("01", "status=bogus", "status: 200 -> 422"),
        ("01", "last_command_id is not a UUID", "status: 200 -> 422"),
        ("01", "received_command_ids holds a non-UUID", "status: 200 -> 422"),
        ("01", "ip_address not an address", "status: 200 -> 422"),
        ("01", "ip_address empty", "status: 200 -> 422"),
        ("01", "hostname empty string", "status: 200 -> 422"),
        ("22", "hostname empty", "status: 200 -> 400"),
    ]),
    ("a host is there when it speaks: its age is told by the studio's clock, not by the agent's", [
        ("01", "timestamp as Unix seconds (number), stored", "host[]: false -> true"),
        ("01", "timestamp naive, 5 h behind UTC (agent in another zone), stored", "host[]: false -> true"),
    ]),
    ("JSON only, and by its type: a page of another place cannot send it without asking", [
        ("01", "gzip-encoded heartbeat body", "status: 400 -> 415"),
        ("01", "JSON body without Content-Type", "status: 200 -> 415"),
        ("01", "trailing slash", "status: 307 -> 404"),
    ]),
    ("a request that is wrong is 422, not 500", [
        ("08", "command_id not a UUID", "status: 500 -> 422"),
        ("08", "command_id empty", "status: 500 -> 422"),
        ("23", "record without timestamp", "status: 500 -> 422"),
        ("23", "not JSON", "status: 500 -> 422"),
    ]),
    ("a command that the agent has, or that has ended, is not handed out again; only a continuous one after a restart", [
        ("02", "next heartbeat, agent has it: backend hands out the same command again", "command: start #2 -> nothing"),
        ("02", "heartbeat after completion: the finished command is still handed out", "command: start #2 -> nothing"),
        ("02", "restarted agent (all id lists empty) is handed the finished ad hoc command again", "command: start #2 -> nothing"),
        ("03", "heartbeat afterwards (still handed out)", "command: start #2 -> nothing"),
        ("04", "heartbeat after stop completed: stop is handed out again", "command: stop #4 -> nothing"),
        ("40", "9: the agent's heartbeat", "command: start #4 -> nothing"),
        ("40", "12: the agent's heartbeat", "command: start #4 -> nothing"),
        ("40", "18: the agent's heartbeat", "command: stop #6 -> nothing"),
        ("40", "20: the agent's heartbeat", "command: stop #6 -> nothing"),
        ("41", "8: the agent's heartbeat", "command: start #4 -> nothing"),
        ("41", "15: the agent's heartbeat", "command: start #6 -> nothing"),
        ("41", "21: the agent's heartbeat", "command: start #8 -> nothing"),
        ("41", "28: the agent's heartbeat", "command: start #10 -> nothing"),
        ("42", "5: the agent's heartbeat", "command: start #2 -> nothing"),
        ("42", "9: the agent's heartbeat", "command: start #2 -> nothing"),
        ("42", "16: the agent's heartbeat", "command: start #4 -> nothing"),
    ]),
    ("an order that no agent can obey is refused, not taken or 500", [
        ("i07", "no target_hosts (service wide start)", "status: 500 -> 422"),
        ("i07", "empty target_hosts", "status: 500 -> 422"),
        ("i07", "host stop without hosts", "status: 500 -> 422"),
        ("07", "frequency 100000", "status: 200 -> 422"),
        ("07", "service_name empty", "status: 200 -> 422"),
        ("i14", "target_entities ignored: start without hosts fails", "status: 500 -> 422"),
    ]),
    ("additional_args cannot say differently what the order itself says, least of all turn a start into a stop", [
        ("07", "additional_args overrides duration and continuous silently", "status: 200 -> 422"),
        ("07", "additional_args overrides duration and continuous silently, stored", "#16: pending -> none"),
        ("07", "what the agent then gets", "command: start #18 -> start #2"),
    ]),
    ("a command holds what its agent reads: PIDs, not how an operator chose them, and no word of a stop in a start", [
        ("p02 p03 p04 p05 p06 p08 p09 p10 p11 p12 p13", "*", "profiling_command.combined_config.target_scope: *"),
        ("12 13", "*", "profiling_command.combined_config.target_entities: *"),
        ("05", "heartbeat: a START with the remaining PIDs under a new command id",
         "profiling_command.combined_config.stop_level: process -> missing"),
        ("42", "30: the agent's heartbeat", "profiling_command.combined_config.stop_level: process -> missing"),
    ]),
    ("each command has its own state, and a start that was reported as completed is sampling", [
        ("04", "completion of the superseded start arrives late", "message: Command #2 for host h-stop is in status 'completed', *"),
        ("06", "completion of B, now superseded but assigned, stored", "request #3: pending -> sampling"),
        ("09", "complete A, stored", "request #1: pending -> sampling"),
        ("11", "b fails, stored", "request #1: failed -> pending"),
    ]),
    ("a process stop goes to the agent, too, if what it has is not known", [
        ("12", "stop by container, process level, stored", "#18[]: *"),
    ]),
    ("more is told: true states of commands, whom an order would reach", [
        ("i10", "*", "[].state: missing -> *"),
        ("p10", "*", "hosts[].state: missing -> *"),
        ("12", "dry run", "hosts: missing -> *"),
        ("p14", "*", "results[].response.hosts: missing -> *"),
        ("p14", "single request route checks neither events nor capacity", "hosts: missing -> *"),
    ]),
    ("Intel's clients get what Pinterest's web app offers, too", [
        ("i14", "bulk", "status: 404 -> 200"),
        ("i14", "workload_status", "status: 404 -> 200"),
    ]),
    ("workloads are a scope as the others", [
        ("12", "*", "tabCounts.workload: missing -> 2"),
        ("12", "workload_status scope=workload is refused", "status: 500 -> 200"),
    ]),
    ("a host without a name was refused, and is not counted", [
        ("p10", "command type filter", "total_count: 19 -> 18"),
    ]),
    ("what a web app of the real Studio dies of", [
        ("p14", "perf config as a plain string crashes the bulk check", "status: 500 -> 200"),
    ]),
    ("null is the default", [
        ("07", "profiling_mode null", "status: 422 -> 200"),
        ("07", "continuous null", "status: 500 -> 200"),
    ]),
    ("old agents are served: uploads on the old path, logs in the old form, by one program for all of it", [
        ("21", "v1 path", "status: 404 -> 200"),
        ("23", "old form: a bare list of records with the profile headers: server error", "status: 500 -> 201"),
        ("23", "health", "status: ok -> missing"),
        ("23", "health", "message: missing -> ok"),
    ]),
    ("an agent's number is for it and its service", [
        ("21", "service name with odd characters is stripped to [A-Za-z0-9_.-]", "gpid: 1 -> *"),
    ]),
    ("a bad line is left out and counted, where the indexer dies or gives up the file", [
        ("30", "blank line between stacks", "crash -> 3 kept"),
        ("30", "line without any semicolon", "crash -> 2 kept"),
        ("30", "line with only the index field", "crash -> 0 kept"),
        ("30", "two trailing newlines", "crash -> 2 kept"),
        ("30", "count missing", "crash -> 2 kept"),
        ("30", "stack line that starts with #", "[] -> [['', 'f', 1], ['', 'g', 1], ['', 'ok', 2]]"),
        ("30", "later # line with JSON replaces the header",
         "[['', 'a', 1], ['0', 'a', 1], ['0', 'c', 1]] -> [['', 'a', 2], ['', 'c', 1]]"),
        ("30", "count zero, negative, float, huge", "[['', 'a', 99999999996], ['', 'huge', 99999999999], ['', 'neg', -3]] -> []"),
    ]),
    ("a header that the web app refuses does not reach the indexer", [
        ("30", "no header at all: fields read as container;comm;...", "kept: 2 -> refused with 400"),
        ("30", "NaN in the header: whole file refused", "kept: 0 -> refused with 400"),
        ("30", "cloud_info null, run_arguments null: accepted", "kept: 2 -> refused with 400"),
        ("30", "header line of more than 25 MiB: nothing stored, no error returned", "kept: 0 -> refused with 400"),
    ]),
    ("a field that the studio does not read may be anything: the profile is kept", [
        ("30", "metrics as text: whole file refused", "[] -> [['', 'a', 1], ['', 'b', 1]]"),
        ("30", "perf_events as a list: whole file refused", "[] -> [['', 'a', 1], ['', 'b', 1]]"),
        ("30", "profile_api_version a number: refused", "[] -> [['', 'a', 1], ['', 'b', 1]]"),
        ("30", "continuous as text: refused", "[] -> [['', 'a', 1], ['', 'b', 1]]"),
    ]),
    ("frames and containers are kept as the agent named them, the idle task too", [
        ("30", "normal v2 file with application metadata", "[] -> [['', 'do_idle_[k]', 500], ['', 'swapper/0', 500]]"),
        ("30", "swapper only by prefix of the first frame", "[] -> [['', 'main', 3], ['', 'swapper-myapp', 3]]"),
        ("30", "container names k8s and ecs", "[['coredns_coredns_kube-system', 'coredns', 5], *"),
        ("30", "frame replacement rules", "[['', 'com/foo/Bar$$Lambda$[m]/[m].run_[j]', 2], *"),
    ]),
    ("a frame is its text: the indexer mixes up 'a:b;c' and 'a;b:c'", [
        ("30", "colon in a frame can collide", "[['', 'b:c', 3]] -> [['', 'b:c', 2], ['', 'c', 1]]"),
    ]),
]

# Recorded twice with the same bodies and answers, and kept once: 20, 21, 22. Only one web app has 12, 13 (scopes
# and subscriptions), 23 (logs), and was asked by the real agents: 40 to 42.
FILES = [("ip", "01_heartbeat_plain"), ("ip", "02_start_lifecycle"), ("ip", "03_failed_command"), ("ip", "04_stop_host"),
         ("ip", "05_process_level"), ("ip", "06_two_starts_merge"), ("ip", "07_request_validation"),
         ("ip", "08_completion_validation"), ("ip", "09_two_services_one_host"), ("ip", "10_host_status"),
         ("ip", "11_request_status_leak"), ("p", "12_workload_inventory"), ("p", "13_service_subscription"),
         ("ip", "14_bulk"), ("i", "20_health_and_key"), ("i", "21_profile_upload"), ("i", "23_logs"),
         ("i", "40_agent_adhoc"), ("i", "41_agent_continuous_and_adhoc"), ("i", "42_agent_faults")]
VARIANTS = {"i": "intel", "p": "pinterest"}
# Rows of the recorded database that ours has not, and why.
NO_COUNTERPART = {
    "status of all request rows in the database": "a status belongs to its command",
    "queue messages written for the indexer (first three)": "there is no queue: an upload is indexed before its answer",
    "object keys written (first three)": "profiles have numbers, not names in an object store",
    "service rows": "services are what profiles and hosts say, without a table of their own",
    "agent process row": "an agent's process is its number alone", "boot time derived by the backend": "nobody asks for it"}


def matches(pattern, text):
    return text.startswith(pattern[:-1]) if pattern.endswith("*") else text == pattern


def letters_of(file):
    """Which web apps a file of the list means."""
    if len(file) > 2:
        return file[0]
    return next((letters for letters, name in FILES if name.startswith(file)), "i")


class Intended:
    """The list, and which of its entries were needed, for which of the web apps."""

    def __init__(self):
        self.needs = {(letter, file[-2:], step, what): False for _, entries in INTENDED for files, step, what in entries
                      for file in files.split() for letter in letters_of(file)}

    def covers(self, letter, number, step, what):
        for need in self.needs:
            if need[:2] == (letter, number) and matches(need[2], step) and matches(need[3], what):
                self.needs[need] = True
                return True
        return False

    def unused(self):
        return [need for need, seen in self.needs.items() if not seen]


def play_files(studio, letter, intended, tap):
    for letters, name in FILES:
        if letter not in letters:
            continue
        replay = Replay(studio, f"{VARIANTS[letter]}_{name}")
        missing = set(replay.play()) - set(NO_COUNTERPART)
        others = [found for found in replay.differences if not intended.covers(letter, name[:2], *found)]
        count = len(replay.differences) - len(others)
        tap.ok(replay.played and not missing and not others,
               f"{VARIANTS[letter]} {name}: {replay.played} requests, {count} intended differences", *missing, *others)


def play_cases(studio, name, play, intended, tap):
    differences, played = play(studio)
    others = [found for found in differences if not intended.covers("i", name[:2], *found)]
    tap.ok(played > 30 and not others, f"{name}: {played} uploads, {len(differences)} intended differences", *others)


def main():
    folder = tempfile.mkdtemp(prefix="pulseprof-replay.")
    tap, intended = Tap(), Intended()
    try:
        for letter, variant in VARIANTS.items():  # each on a database of its own, in the order of the recording
            studio = Studio(f"{folder}/{variant}")
            play_files(studio, letter, intended, tap)
            if letter == "i":
                play_cases(studio, "22_profile_metadata_fields", play_metadata_cases, intended, tap)
                play_cases(studio, "30_indexer_cases", play_indexer_cases, intended, tap)
            studio.stop()
        tap.equal(intended.unused(), [], "every entry of the list is needed")
        studio = Studio(f"{folder}/lives")
        for life in LIVES:
            life(studio, tap)
        tap.equal(studio.stop(), 0, "the studio ends well")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    tap.end()


if __name__ == "__main__":
    sys.exit(main())
