#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Judges the names in a pprof profile by binutils: for each sampled place in a file, the symbols that nm has there, in
the file and in its debug file, by c++filt.

    names.py PROFILE        prints: places right wrong unnamed_with_symbol unnamed_without, and what is wrong

A place whose file is another by now (build id) is left out and counted.
"""
import bisect
import collections
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))
from pprof_facts import Profile, one  # noqa: E402


def output(*command, **more):
    return subprocess.run(command, capture_output=True, text=True, errors="replace", **more).stdout


def build_id(path):
    found = re.search(r"Build ID: ([0-9a-f]+)", output("readelf", "-n", path))
    return found[1] if found else ""


class File:
    def __init__(self, path):
        self.loads = [[int(cell, 16) for cell in (cells[1], cells[2], cells[4])]
                      for cells in map(str.split, output("readelf", "-lW", path).splitlines()) if cells[:1] == ["LOAD"]]
        known = build_id(path)
        debug = f"/usr/lib/debug/.build-id/{known[:2]}/{known[2:]}.debug"
        rows = []
        for args in (["-S", path], ["-DS", path], ["-S", debug]):
            for cells in map(str.split, output("nm", *args).splitlines()):
                if len(cells) == 4 and cells[2] in "tTwWiuV":
                    rows.append((int(cells[0], 16), int(cells[1], 16), cells[3].split("@")[0]))
                elif len(cells) == 3 and cells[1] in "tTW":  # hand-written code without sizes
                    rows.append((int(cells[0], 16), 0, cells[2].split("@")[0]))
        plain = output("c++filt", "-p", input="\n".join(name for _, _, name in rows)).splitlines()
        plain = [re.sub(r"\[[0-9a-f]{8,16}\]|::h[0-9a-f]{16}$", "", name) for name in plain]
        self.rows = sorted((low, size, name, nice) for (low, size, name), nice in zip(rows, plain))
        self.starts = [row[0] for row in self.rows]
        self.loose = [row for row in self.rows if row[1] == 0]
        self.loose_starts = [row[0] for row in self.loose]
        self.reach = []  # the furthest end of all symbols up to each one
        for low, size, *_ in self.rows:
            self.reach.append(max(low + size, self.reach[-1] if self.reach else 0))

    def vaddr(self, off):
        return next((off - file_off + vaddr for file_off, vaddr, size in self.loads if 0 <= off - file_off < size), None)

    def names(self, vaddr):
        """Of symbols that cover it, and of the nearest one before it that has no size."""
        found, at = set(), bisect.bisect_right(self.starts, vaddr) - 1
        while at >= 0 and self.reach[at] > vaddr:
            low, size, *both = self.rows[at]
            if vaddr < low + size:
                found.update(both)
            at -= 1
        last = self.loose_starts[bisect.bisect_right(self.loose_starts, vaddr) - 1] if self.loose else None
        begin, end = bisect.bisect_left(self.loose_starts, last or 0), bisect.bisect_right(self.loose_starts, last or 0)
        loose = {text for _, _, *both in self.loose[begin:end] for text in both}
        return found, loose


def main():
    profile, files, counts, wrong = Profile(sys.argv[1]), {}, collections.Counter(), []
    for location in profile.locations.values():
        path = profile.module(location)
        if not path.startswith("/") or not os.path.isfile(path):
            continue
        mapping = profile.mappings[one(location, 2)]
        if build_id(path) != profile.text(mapping, 6):
            counts["other file"] += 1
            continue
        if path not in files:
            files[path] = File(path)
        vaddr = files[path].vaddr(one(location, 3) - one(mapping, 2) + one(mapping, 4))
        covering, loose = files[path].names(vaddr)
        name = profile.name(location)
        if not location[4]:
            counts["unnamed_with_symbol" if covering else "unnamed_without"] += 1
            if covering:
                wrong.append(f"{path} {vaddr:#x}: no name, nm has {sorted(covering)[:2]}")
        elif name in covering or (not covering and name in loose):
            counts["right"] += 1
        else:
            counts["wrong"] += 1
            wrong.append(f"{path} {vaddr:#x}: {name}, nm has {sorted(covering)[:2]}")
    kinds = ("right", "wrong", "unnamed_with_symbol", "unnamed_without")
    print("places", sum(counts[kind] for kind in kinds), *(f"{kind} {counts[kind]}" for kind in kinds),
          f"other_file {counts['other file']} files {len(files)}")
    print(*wrong[:20], sep="\n")


main()
