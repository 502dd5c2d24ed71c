#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Reads a pprof profile by the description of its format and by nothing of ours; anything in it that does not
hold together is an error.

    pprof_facts.py lines FILE          its stacks as collapsed lines, without offsets
    pprof_facts.py facts FILE          a JSON object: totals, mappings, comments ...
    pprof_facts.py inlined FILE SOURCE FUNCTION...  a place has these, from the outermost on, with lines in SOURCE
    pprof_facts.py names FILE PATH...  each place in the files PATH against their own symbols (readelf and nm)
"""
import collections, gzip, json, os, subprocess, sys


def varint(data, at):
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
        if data[at - 1] < 0x80:
            return value, at


def fields(data):
    """{number: [value, ...]}; bytes where it is a string, a message or packed."""
    found, at = collections.defaultdict(list), 0
    while at < len(data):
        tag, at = varint(data, at)
        value, at = varint(data, at)
        if tag & 7 == 2:
            assert at + value <= len(data), "cut short"
            value, at = data[at:at + value], at + value
        else:
            assert tag & 7 == 0, f"wire type {tag & 7}"
        found[tag >> 3].append(value)
    return found


def one(message, number, default=0):
    assert len(message[number]) < 2
    return message[number][0] if message[number] else default


def packed(data):
    at, values = 0, []
    while at < len(data):
        value, at = varint(data, at)
        values.append(value)
    return values


class Profile:
    def __init__(self, path):
        with gzip.open(path) as file:
            self.top = fields(file.read())
        self.strings = [text.decode() for text in self.top[6]]
        assert self.strings[0] == ""
        self.mappings, self.locations, self.functions = (self.by_id(number) for number in (3, 4, 5))
        self.types = [(self.text(kind, 1), self.text(kind, 2)) for kind in map(fields, self.top[1])]
        self.samples = [self.sample(fields(data)) for data in self.top[2]]

    def by_id(self, number):
        messages = [fields(data) for data in self.top[number]]
        found = {one(message, 1): message for message in messages}
        assert len(found) == len(messages) and 0 not in found, "an id twice or 0"
        return found

    def text(self, message, number):
        return self.strings[one(message, number)]

    def sample(self, message):
        labels = {}
        for label in map(fields, message[3]):
            assert not (label[2] and label[3])
            labels[self.text(label, 1)] = self.text(label, 2) if label[2] else one(label, 3)
        values = packed(one(message, 2))
        assert len(values) == len(self.types)
        return [self.locations[i] for i in packed(one(message, 1))], values, labels

    def module(self, location):
        return self.text(self.mappings[one(location, 2)], 5) if location[2] else ""

    def name(self, location):
        """As a collapsed line has it, but for the offset."""
        module = self.module(location)
        lines = [fields(data) for data in location[4]]
        if not lines:
            return os.path.basename(module) + "+"
        return self.text(self.functions[one(lines[0], 1)], 2) + ("_[k]" if module == "[kernel.kallsyms]" else "")

    def functions_at(self, location):
        """[(name, file, line)], the innermost first."""
        lines = [fields(data) for data in location[4]]
        functions = [self.functions[one(line, 1)] for line in lines]
        return [(self.text(function, 2), self.text(function, 4), one(line, 2)) for function, line in zip(functions, lines)]

    def lines(self):
        sums = collections.Counter()
        for stack, values, labels in self.samples:
            frames = []
            for location in reversed(stack):
                inlined = [name for name, _, _ in self.functions_at(location)[:-1]]
                outer = self.functions_at(location)[-1:]
                frames += [outer[0][0] if inlined else self.name(location)] + inlined[::-1]
            sums[";".join(["0", labels.get("container", ""), labels["thread"]] + frames)] += values[0]
        return sorted(f"{line} {cnt}" for line, cnt in sums.items())

    def facts(self):
        return {
            "types": self.types, "default": self.strings[one(self.top, 14)],
            "samples": sum(values[0] for _, values, _ in self.samples),
            "cpu_ns": sum(values[1] for _, values, _ in self.samples),
            "period": one(self.top, 12), "time_ns": one(self.top, 9), "duration_ns": one(self.top, 10),
            "pids": sorted({labels.get("pid", 0) for _, _, labels in self.samples}),
            "processes": sorted({labels.get("process", "") for _, _, labels in self.samples}),
            "comments": [self.strings[i] for i in self.top[13]],
            "build_ids": {self.text(mapping, 5): self.text(mapping, 6) for mapping in self.mappings.values()},
            "kernel_addresses": sum(one(location, 3) != 0 for location in self.locations.values()
                                    if self.module(location) == "[kernel.kallsyms]"),
        }


def output(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def check_names(profile, path):
    """A place is a file offset: by the program headers it is an address, and there nm must have the name."""
    loads = [[int(cell, 16) for cell in (cells[1], cells[2], cells[4])]
             for cells in map(str.split, output("readelf", "-lW", path)) if cells[:1] == ["LOAD"]]
    symbols = [(int(cells[0], 16), int(cells[1], 16), cells[3]) for option in ("-S", "-DS")
               for cells in map(str.split, output("nm", option, path)) if len(cells) == 4 and cells[2] in "tTwWi"]
    checked = 0
    for location in profile.locations.values():
        if profile.module(location) != path or not location[4]:
            continue
        mapping = profile.mappings[one(location, 2)]
        address, start, limit = one(location, 3), one(mapping, 2), one(mapping, 3)
        assert start <= address < limit, "outside its mapping"
        off = address - start + one(mapping, 4)
        addr = next(off - file_off + vaddr for file_off, vaddr, size in loads if 0 <= off - file_off < size)
        names = {name.split("@")[0] for low, size, name in symbols if low <= addr < low + max(size, 1)}
        assert profile.name(location) in names, f"{profile.name(location)} at {addr:#x}, nm has {names}"
        checked += 1
    assert checked, f"no place in {path}"
    print(f"{checked} places in {path}")


def check_inlined(profile, file, functions):
    """A place has these functions, the last one innermost, each with a line of the file."""
    mappings = [mapping for mapping in profile.mappings.values() if one(mapping, 10)]
    chains = {tuple(name for name, _, _ in profile.functions_at(location)[::-1]) for location in profile.locations.values()}
    assert tuple(functions) in chains, f"no place with these functions: {sorted(chains)[:20]}"
    for location in profile.locations.values():
        at = profile.functions_at(location)
        if [name for name, _, _ in at[::-1]] == functions:
            assert all(path.startswith("/") and path.endswith("/" + file) and line > 0 for _, path, line in at), at
    print(len(mappings), "mappings with inlined functions")


def main():
    what, profile = sys.argv[1], Profile(sys.argv[2])
    if what == "inlined":
        check_inlined(profile, sys.argv[3], sys.argv[4:])
        return
    if what == "lines":
        print("\n".join(profile.lines()))
    elif what == "facts":
        print(json.dumps(profile.facts(), indent=1))
    else:
        for path in sys.argv[3:]:
            check_names(profile, path)


if __name__ == "__main__":
    main()
