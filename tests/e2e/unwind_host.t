#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The sampler's walk, compiled for user space with sanitizers, over stacks of real programs that are stopped at
# random and then followed instruction by instruction, and over core dumps: each frame is the one that libdw of
# elfutils finds. What the words of a line of counts mean: tests/bpf/compare.c.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/tap.sh"
compare=$O/bpf_host/compare
[ -x "$compare" ] || skip_all "needs libdw (libdw-dev)"
[ "$(id -u)" = 0 ] || skip_all "needs root"
cd "$WORK" || exit 1
SNAPSHOTS=40 STEPS=50

total() { # WORD: of the line of counts
	awk -v word="$1" '/^stacks / { for (i = 1; i < NF; i += 2) if ($i == word) print $(i + 1) }' counts
}
# same MOST STACKS ARGUMENTS...: at least STACKS were compared; nothing differs, none of ours ends early (of a hundred,
# at most MAY_END), and at most MOST in a hundred were left undecided (libdw had no rule there, or ours said that it
# had none).
MAY_END=0
same() {
	local most=$1 stacks=$2 undecided
	shift 2
	timeout -k 5 100 "$compare" "$@" >counts 2>&1 || {
		tail -n 60 counts
		return 1
	}
	undecided=$(($(total theirs_ends) + $(total theirs_lost) + $(total guessed) + $(total jit)))
	tail -n 1 counts | tee -a all
	[ "$(total stacks)" -ge "$stacks" ] && [ $((undecided * 100)) -le $((most * $(total stacks))) ] &&
		[ $(($(total ours_ends) * 100)) -le $((MAY_END * $(total stacks))) ] || {
		head -n 60 counts
		return 1
	}
}
is_busy() { # PID: has used CPU for 50 ms
	local stat
	stat=$(cut -d ')' -f 2 "/proc/$1/stat" 2>/dev/null) || return 1
	# shellcheck disable=SC2086 # words
	set -- $stat
	[ $((${12:-0} + ${13:-0})) -ge 5 ]
}
# live WHAT MOST STACKS COMMAND...
live() {
	local what=$1 most=$2 stacks=$3
	shift 3
	command -v "$1" >/dev/null || return 0
	start "$@"
	wait_for 20 is_busy "$STARTED"
	check "$what" same "$most" "$stacks" "$STARTED" $SNAPSHOTS $STEPS
	stop "$STARTED"
}

cat >deep.sh <<'END'
f() { local i; for i in 1 2 3; do [ "$1" -gt 0 ] && f $(($1 - 1)); x=${x:-a}$i; x=${x: -5}; done; }
trap 'y=${x/a/b}' USR1
while :; do f 6; kill -USR1 $$; done
END
# bash leaves a trap's function by longjmp, whose last instructions have their caller's pc, sp and bp in registers that
# no rule of ours has a place for: such a stack ends there, and says so. A snapshot in there gives up to nine of them.
MAY_END=2
live "bash: each frame is libdw's" 1 500 bash deep.sh
MAY_END=0

cat >busy.py <<'END'
import json, re, signal, threading
def f(n): return 1 if n < 2 else f(n - 1) + f(n - 2)
def work():
    while True:
        f(12); json.loads(json.dumps(list(range(200)))); re.sub("a+", "b", "caaaat" * 50)
        sorted([3, 1, 2] * 100, key=lambda x: -x); "%.17g" % 1.1
signal.signal(signal.SIGALRM, lambda number, frame: f(5))
signal.setitimer(signal.ITIMER_REAL, .001, .001)
for i in range(3): threading.Thread(target=work, daemon=True).start()
work()
END
python=$(python3 -c 'import sys; print(sys.executable)' 2>/dev/null)
live "python3 with threads and signals: each frame is libdw's" 1 500 "${python:-python3}" busy.py

cat >busy.js <<'END'
const zlib = require('zlib'), crypto = require('crypto');
function f(n) { return n < 2 ? 1 : f(n - 1) + f(n - 2); }
function once() {
	for (let i = 0; i < 20; i++) {
		f(16);
		JSON.parse(JSON.stringify([...Array(300).keys()]));
		crypto.createHash('sha256').update('x'.repeat(5000)).digest('hex');
		'abcabc'.replace(/(a|b)+/g, 'x');
	}
	zlib.gzip(Buffer.alloc(100000, 'ab'), () => {});
	setImmediate(once);
}
once();
END
live "node: each frame is libdw's, JIT frames where it finds them" 50 500 node busy.js

cat >Busy.java <<'END'
import java.util.zip.*;
public class Busy {
	static int f(int n) { return n < 2 ? 1 : f(n - 1) + f(n - 2); }
	static void work() {
		byte[] out = new byte[100000];
		while (true) {
			f(20);
			StringBuilder s = new StringBuilder();
			for (int i = 0; i < 2000; i++) s.append(i);
			new CRC32().update(s.toString().getBytes());
			Deflater d = new Deflater();
			d.setInput(new byte[200000]); d.finish(); d.deflate(out); d.end();
			for (int i = 0; i < 10000; i++) { Object o = new int[10]; }
		}
	}
	public static void main(String[] a) {
		for (int t = 0; t < 3; t++) new Thread(Busy::work).start();
	}
}
END
live "java: each frame is libdw's, JIT frames where it finds them" 50 500 java Busy.java

for ((i = 0; i < 4000; i++)); do
	echo "int f$i(int a, int b) { int s = 0; for (int i = 0; i < a; i++) { s += b * i % $((i + 3)); if (s > 1000) s -= a;
		switch (s & 7) { case 1: s += 2; break; case 3: s *= 3; break; case 5: s ^= b; } } return s; }"
done >large.c
live "gcc's cc1: each frame is libdw's" 1 500 "$(gcc -print-prog-name=cc1)" -quiet -O2 large.c -o /dev/null

if rustc=$(HOME=${HOME:-/root} rustc --print sysroot 2>/dev/null)/bin/rustc && [ -x "$rustc" ]; then
	for ((i = 0; i < 450; i++)); do
		echo "#[derive(Debug, Clone, PartialEq, Default)] pub struct S$i { a: u32, b: String, c: std::collections::HashMap<String, Vec<u64>> }"
	done >large.rs
	live "rustc with libLLVM: each frame is libdw's" 2 500 "$rustc" -O --crate-type lib -o large.rlib large.rs
fi

go=$(command -v go || ls /usr/lib/go-*/bin/go /usr/local/go/bin/go 2>/dev/null | tail -n 1)
if [ -n "$go" ]; then
	cat >busy.go <<'END'
package main

import ("crypto/sha256"; "fmt"; "sort"; "strings")

func f(n int) int { if n < 2 { return 1 }; return f(n-1) + f(n-2) }
func work() {
	for {
		f(20)
		s := fmt.Sprintf("%v", strings.Split(strings.Repeat("a,", 500), ","))
		sha256.Sum256([]byte(s))
		x := make([]int, 5000)
		for i := range x { x[i] = (i * 7919) % 5000 }
		sort.Ints(x)
	}
}
func main() { for t := 0; t < 3; t++ { go work() }; work() }
END
	GOCACHE=$WORK/gocache GOFLAGS=-mod=mod GO111MODULE=off "$go" build -o busygo busy.go >go.log 2>&1
	# its .debug_frame knows neither signals nor switches of stacks, which libdw then walks into the void; a walk
	# ends, marked, in what makes stacks larger
	MAY_END=3
	live "Go: each frame is libdw's, up to where stacks are switched" 60 200 env GODEBUG=asyncpreemptoff=1 GOGC=400 ./busygo
	MAY_END=0
fi

postgres=$(ls /usr/lib/postgresql/*/bin/postgres 2>/dev/null | tail -n 1)
if [ -n "$postgres" ] && getent passwd nobody >/dev/null; then
	mkdir data && chown nobody data
	as_nobody=(setpriv --reuid=nobody --clear-groups)
	"${as_nobody[@]}" "${postgres%/*}/initdb" -N -A trust -D "$WORK/data" >initdb.log 2>&1
	echo "select count(*) from generate_series(1, 100000000) a where md5(a::text) like 'a%' and a % 7 = 3" >query
	live "postgres: each frame is libdw's" 1 500 "${as_nobody[@]}" bash -c "exec '$postgres' --single -D '$WORK/data' postgres <query"
fi

if command -v gcore >/dev/null; then
	start "${python:-python3}" busy.py
	wait_for 20 is_busy "$STARTED"
	gcore -o core "$STARTED" >gcore.log 2>&1
	check "a core dump of python3 with threads: each frame is libdw's" same 0 4 "core.$STARTED"
	stop "$STARTED"
	start node busy.js
	wait_for 20 is_busy "$STARTED"
	gcore -o core "$STARTED" >gcore.log 2>&1
	check "a core dump of node: each frame is libdw's" same 50 5 "core.$STARTED"
	stop "$STARTED"
fi
sed 's/^/# /' all
check "a hundred thousand frames were the same" \
	test "$(awk '{ n += $4 } END { print n }' all)" -ge 100000
done_testing
