#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Compares the places of a program's code with those that LLVM finds: dwarf_facts.py OURS FILE AT_LEAST.
The outermost function's name is left out: LLVM takes it from the symbol table, as a profile does."""
import os, re, subprocess, sys


def answers(text):
    found, at = {}, None
    for line in text.splitlines():
        if re.fullmatch(r"0x[0-9a-f]+", line):
            at = int(line, 16)
            found[at] = []
        else:
            found[at].append(line)
    return found


def plain(lines):
    """[(function, file, line)] of the one or more functions; none: []."""
    places = []
    for name, place in zip(lines[::2], lines[1::2]):
        file, line = re.sub(r" \(discriminator \d+\)$", "", place).rsplit(":", 1)
        places.append([name, os.path.normpath(file), line.replace("?", "0")])
    places[-1][0] = ""
    return [] if [place[1:] for place in places] == [["??", "0"]] else places


def main():
    ours, path, at_least = sys.argv[1], sys.argv[2], int(sys.argv[3])
    header = subprocess.run(["objdump", "-h", path], capture_output=True, text=True, check=True).stdout
    size, vaddr = (int(word, 16) for word in re.search(r"\.text +(\w+) +(\w+)", header).groups())
    addrs = "".join(f"{addr:#x}\n" for addr in range(vaddr, vaddr + size, 3))
    texts = [subprocess.run(command, input=addrs, capture_output=True, text=True, check=True).stdout
             for command in ([ours, path], ["llvm-addr2line-14", "-a", "-f", "-i", "-e", path])]
    mine, theirs = map(answers, texts)
    counts = {"same": 0, "none": 0, "inlined": 0, "different": 0}
    for addr, lines in theirs.items():
        want, got = plain(lines), plain(mine[addr])
        if want and want[0][1].endswith(".o") or want and want[0][1].endswith("crtstuff.c"):
            want = []  # a symbol's, of no debug information
        counts["none" if not want and not got else "same" if want == got else "different"] += 1
        counts["inlined"] += len(got) > 1
        if want != got and counts["different"] <= 5:
            print(f"{addr:#x}: {got}\n   LLVM: {want}")
    print(counts)
    return counts["different"] > 0 or counts["same"] < at_least


if __name__ == "__main__":
    sys.exit(main())
