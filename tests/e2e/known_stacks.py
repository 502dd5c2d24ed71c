#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Judges the stacks of one program in a collapsed profile by what its source says is possible.

    known_stacks.py PROFILE SOURCE COMM [--tags T,T] [--samples N] [--complete PCT] [--file LIBRARY]... [--static PROGRAM]

SOURCE's comments have lines 'STACK TAGS: EXPR', outermost frame first: a b, a|b, (..), x? x* x+ x{n} x{n,m}.
@NAME is any function of library NAME, @ of any, @anon code without a file, MAIN the way to main, THREAD to a thread.
!x: a function x that
was not called, but returned to. A sample may end after any frame of EXPR; behind 'SIGNAL: EXPR' any of them may be interrupted. A stack that
does not begin at its bottom must still be a part of a legal one. Threads whose name ends in '=' must be
complete to --complete percent; before that, tables were still to be loaded, and an incomplete stack by frame
pointers may lack callers, but not show one out of order. Prints one line; 1 if a bound is broken.
"""
import argparse
import fnmatch
import os
import re
import struct
import subprocess
import sys
from collections import Counter
from functools import lru_cache

MACROS = {
    "MAIN": "(_start @libc+ main (@libc? @vdso?)?)",
    "THREAD": "(@libc @libc)",
}
# Before main and after it, and where main loads a library: the dynamic linker and the C library at work, and
# what the compiler puts into every file for them to call.
ALWAYS = [
    "@ld+ (_init|frame_dummy|register_tm_clones|@)?",
    "_start (@ld|@libc)* (main (@ld|@libc)+)? "
    "(__do_global_dtors_aux (@libc|deregister_tm_clones)*|_init|frame_dummy|register_tm_clones|@ (@|@libc)*)?",
]


class Grammar:
    """States by number; EXPR in the words of the head comment becomes edges and empty edges."""

    def __init__(self):
        self.edges, self.empty, self.not_called = [], [], set()
        self.begin = self.state()

    def state(self):
        self.edges.append([])
        self.empty.append([])
        return len(self.edges) - 1

    def add(self, expr, begin=None):
        for name, meaning in MACROS.items():
            expr = re.sub(rf"\b{name}\b", meaning, expr)
        self.tokens = re.findall(r"\{\d+(?:,\d+)?\}|[()|?*+]|[^\s()|?*+{}]+", expr)
        end = self.either(self.begin if begin is None else begin)
        assert not self.tokens, f"left over of {expr}: {self.tokens}"
        return end

    def either(self, at):
        ends = [self.sequence(at)]
        while self.tokens[:1] == ["|"]:
            self.tokens.pop(0)
            ends.append(self.sequence(at))
        join = self.state()
        for end in ends:
            self.empty[end].append(join)
        return join

    def sequence(self, at):
        while self.tokens and self.tokens[0] not in "|)":
            at = self.repeated(at)
        return at

    def repeated(self, at):
        before = list(self.tokens)
        first = self.state()
        self.empty[at].append(first)
        end = self.item(first)
        item = before[: len(before) - len(self.tokens)]
        how = self.tokens.pop(0) if self.tokens and self.tokens[0][0] in "?*+{" else ""
        if how in ("?", "*"):
            self.empty[first].append(end)
        if how in ("*", "+"):
            self.empty[end].append(first)
        if how.startswith("{"):
            low, high = (how[1:-1].split(",") * 2)[:2]
            end = self.copies(end, item, int(low) - 1, int(high) - 1)
        return end

    def copies(self, at, item, low, high):
        rest, ways_out = self.tokens, []
        for i in range(high):
            if i >= low:
                ways_out.append(at)
            self.tokens = list(item)
            at = self.item(at)
        for way in ways_out:
            self.empty[way].append(at)
        self.tokens = rest
        return at

    def item(self, at):
        token = self.tokens.pop(0)
        if token == "(":
            end = self.either(at)
            assert self.tokens.pop(0) == ")"
            return end
        end = self.state()
        if token.startswith("!"):
            token = token[1:]
            self.not_called.add(token)
        self.edges[at].append((token, end))
        return end

    def closure(self, states, skips):
        """All that can be reached without a frame; skips: of frames that are not shown, too."""
        seen, todo = set(states), list(states)
        while todo:
            at = todo.pop()
            for state in self.empty[at] + [to for _, to in self.edges[at] if skips]:
                if state not in seen:
                    seen.add(state)
                    todo.append(state)
        return seen

    def refuses(self, frames, begin, is_a, skips=False):
        """The first frame that cannot stand where it stands, or None."""
        states = self.closure(begin, False)
        for i, frame in enumerate(frames):
            states = {to for at in states for token, to in self.edges[at] if is_a(frame, token)}
            if not states:
                return i
            states = self.closure(states, skips)
        return None


class Names:
    """Which library a frame belongs to, by its nm, not by ours."""

    def __init__(self, args, grammar):
        self.static, self.not_called = args.static, grammar.not_called
        self.stubs = (args.comm + "+0x", args.source.rsplit("/", 1)[-1].split(".")[0] + "+0x")
        self.files = [*map(os.path.realpath, args.file), *([args.static] if args.static else [])]
        self.own = {token for edges in grammar.edges for token, _ in edges}

    @lru_cache(None)
    def symbols(self, path):
        text = ""
        for args in (["-D", path], [path], [debug_file(path)]):
            text += subprocess.run(["nm", *args], capture_output=True, text=True).stdout
        names = [line.split()[-1].split("@")[0] for line in text.splitlines() if line.split()[-2] in "TtWwiu"]
        plain = subprocess.run(["c++filt", "-p"], input="\n".join(names), capture_output=True, text=True).stdout
        return {*names, *(re.sub(r"\[[0-9a-f]{8,16}\]|::h[0-9a-f]{16}$", "", name) for name in plain.splitlines())}

    @lru_cache(None)
    def is_a(self, frame, token):
        if not token.startswith("@"):
            return frame.split(".")[0] == token or fnmatch.fnmatchcase(frame, token)
        if token == "@anon":
            return frame == "[anon]"
        if token == "@vdso":
            return frame.startswith(("[vdso]", "__vdso_", "__kernel_"))
        if frame in self.own:
            return False
        for path in self.files:
            name = path.rsplit("/", 1)[-1]
            if token[1:] in ("", re.split("[.+-]", name)[0]) or path == self.static:
                if frame.startswith(name + "+0x") or frame in self.symbols(path):
                    return True
        return False

    def without_stubs(self, frames):
        """A stub of the linkage table is a leaf, of all the stack or of what a signal interrupted."""
        return tuple(
            frame
            for i, frame in enumerate(frames)
            if not frame.startswith(self.stubs)
            or (i + 1 < len(frames) and not self.not_called.intersection(frames[i + 2 : i + 3]))
        )

    @lru_cache(None)
    def follows_a_call(self, frame, callees):
        """A frame without a name: its address must lie behind a call, unless a callee is marked with '!'."""
        if self.not_called.intersection(callees):  # of a signal's handler: the frame of sigreturn, or what it broke off
            return True
        name, _, vaddr = frame.rpartition("+0x")
        for path in self.files:
            if name and path.endswith("/" + name):
                before = bytes_before(path, int(vaddr, 16))
                return before[-5:-4] == b"\xe8" or any(
                    before[-n] == 0xFF and before[-n + 1] & 0x38 == 0x10 for n in range(2, 8)
                )
        return True


def debug_file(path):
    """Where the distribution puts the symbols of a stripped file."""
    notes = subprocess.run(["readelf", "-n", path], capture_output=True, text=True).stdout
    build_id = re.search(r"Build ID: (..)(\w+)", notes)
    return f"/usr/lib/debug/.build-id/{build_id[1]}/{build_id[2]}.debug" if build_id else ""


def bytes_before(path, vaddr):
    with open(path, "rb") as file:
        elf = file.read()
    offset, size, count = struct.unpack_from("<Q", elf, 32)[0], *struct.unpack_from("<HH", elf, 54)
    for i in range(count):
        kind, _, off, start, _, filesz = struct.unpack_from("<IIQQQQ", elf, offset + i * size)
        if kind == 1 and start <= vaddr - 8 and vaddr <= start + filesz:
            return elf[off + vaddr - start - 8 : off + vaddr - start]
    return b"\0" * 8


def read_grammar(source, tags):
    grammar = Grammar()
    with open(source) as file:
        lines = re.findall(r"/\* (STACK|SIGNAL)([^:\n]*): (.*?) \*/", file.read(), re.S)
    assert lines, f"{source} names no stacks"
    for expr in ALWAYS + [e for kind, when, e in lines if kind == "STACK" and (not when or set(when.split()) & tags)]:
        grammar.add(expr)
    interrupted = range(len(grammar.edges))
    resolver = "@ld+"  # of a function's first call through the linkage table
    for expr in [resolver] + [e for kind, _, e in lines if kind == "SIGNAL"]:
        begin = grammar.state()
        grammar.add(expr, begin)
        for state in interrupted:
            grammar.empty[state].append(begin)
    return grammar


def read_profile(path, comm):
    """(is warm, user frames): count"""
    stacks = Counter()
    with open(path) as file:
        for line in file:
            text, _, count = line.rstrip("\n").rpartition(" ")
            _, _, name, *frames = text.split(";")
            if name.rstrip("=") != comm:
                continue
            frames = tuple(f for f in frames if not f.endswith("_[k]"))
            stacks[name.endswith("="), frames] += int(count)
    return stacks


def main():
    parser = argparse.ArgumentParser()
    for name in ("profile", "source", "comm"):
        parser.add_argument(name)
    parser.add_argument("--tags", default="")
    parser.add_argument("--samples", type=int, default=100)
    parser.add_argument("--complete", type=float, default=99.5)
    parser.add_argument("--early-wrong", type=float, default=0)  # percent
    parser.add_argument("--file", action="append", default=[])
    parser.add_argument("--static")
    args = parser.parse_args()
    grammar = read_grammar(args.source, set(args.tags.split(",")))
    names = Names(args, grammar)
    everywhere, counts, wrong, cut = range(len(grammar.edges)), Counter(), Counter(), Counter()
    for (is_steady, frames), count in read_profile(args.profile, args.comm).items():
        when = "steady" if is_steady else "early"
        if not set(frames) - {"[unknown]"}:
            counts["unknown" if frames else "kernel"] += count
            continue
        counts[when] += count
        frames = names.without_stubs(frames)
        at = grammar.refuses(frames, [grammar.begin], names.is_a)
        if frames and at is None:
            counts[when + " complete"] += count
        elif frames[:1] != ("_start",):
            at = grammar.refuses(frames, everywhere, names.is_a)
            if is_steady:
                cut[" ".join(frames)] += count
        if at is not None and not is_steady:
            at = grammar.refuses(frames, everywhere, names.is_a, skips=True)
            counts["guessed"] += count
        no_call = [i for i in range(len(frames) - 1) if not names.follows_a_call(frames[i], frames[i + 1 : i + 3])]
        at = min(no_call, default=None) if at is None else at
        if at is not None:
            wrong[" ".join([*frames[:at], ">>>" + frames[at], *frames[at + 1 :]])] += count
            counts[when + " wrong"] += count
    whole = "steady" if counts["steady"] else "early"
    pct = 100 * counts[whole + " complete"] / (counts[whole] or 1)
    print(
        f"{args.comm}: {sum(wrong.values())} wrong; {counts[whole]} {whole}, {pct:.2f} % complete; "
        f"early {counts['early']}, complete {counts['early complete']}, guessed {counts['guessed']}; "
        f"unknown {counts['unknown']}, without user part {counts['kernel']}"
    )
    for title, some in (("wrong", wrong), ("not complete", cut if pct < args.complete else {})):
        for stack, count in Counter(some).most_common(8):
            print(f"{title} {count}: {stack}")
    too_wrong = counts["steady wrong"] or counts["early wrong"] > args.early_wrong / 100 * counts["early"]
    return bool(too_wrong) or pct < args.complete or counts[whole] < args.samples


sys.exit(main())
