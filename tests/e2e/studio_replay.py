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

INTENDED = []

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
        tap.ok(replay.played and not missing and not others,
               f"{VARIANTS[letter]} {name}: {replay.played} requests, {len(replay.differences)} intended differences",
               *missing, *others)


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
