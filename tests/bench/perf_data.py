#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A recording of given places, for perf script: perf_data.py PLACES >perf.data

PLACES has "OFFSET PATH" lines; each path becomes a process with that file mapped, each line a sample. The pipe form of
perf.data (tools/perf/Documentation/perf.data-file-format.txt).
"""
import os
import struct
import sys

BASE = 0x400000000000


def event(kind, misc, body):
    body += b"\0" * (-len(body) % 8)
    return struct.pack("<IHH", kind, misc, 8 + len(body)) + body


def main():
    files = {}
    for line in open(sys.argv[1]):
        off, path = line.rstrip("\n").split(" ", 1)
        files.setdefault(path, []).append(int(off))
    out = sys.stdout.buffer
    out.write(b"PERFILE2" + struct.pack("<Q", 16))
    # PERF_TYPE_SOFTWARE cpu-clock; IP, TID and TIME in samples
    attr = struct.pack("<IIQQQQ", 1, 128, 0, 1000000, 1 | 2 | 4, 0).ljust(128, b"\0")
    out.write(event(64, 0, attr + struct.pack("<Q", 1)))
    now = 1
    for pid, (path, offs) in enumerate(files.items(), 1000):
        start = offs[0] & ~0xFFF
        info = os.stat(path)
        out.write(event(3, 0, struct.pack("<II", pid, pid) + b"bench\0"))
        out.write(
            event(
                10,
                2,
                struct.pack("<IIQQQIIQQII", pid, pid, BASE, os.path.getsize(path), start, os.major(info.st_dev),
                            os.minor(info.st_dev), info.st_ino, 0, 5, 2)
                + path.encode() + b"\0",
            )
        )
        for off in offs:
            out.write(event(9, 2, struct.pack("<QIIQ", BASE + off - start, pid, pid, now)))
            now += 1000


main()
