#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Every frame has the name that nm knows, or says module+offset, [anon] or [unknown]_[k]: never a guess, never
# a bare address; and names from outside are harmless text.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/tap.sh"
. "$(dirname "$0")/profile_facts.sh"
needs_kernel
needs_command jq
needs_command nm
cd "$WORK" || exit 1

# names NAME: the distinct user frames that claim to be a function.
names() {
	cut -d';' -f4- "$1.col" | sed 's/ [0-9]*$//' | tr ';' '\n' | sort -u |
		grep -Ev '_\[k\]$|^\[anon\]$|\+0x[0-9a-f]+$|^\[vdso\]|^$'
}

# known_to_nm FILES...: every symbol of them and of their debug files, without versions.
known_to_nm() {
	local file id
	for file; do
		nm "$file" 2>/dev/null
		nm -D "$file" 2>/dev/null
		id=$(readelf -n "$file" 2>/dev/null | sed -n 's/.*Build ID: //p')
		nm "/usr/lib/debug/.build-id/${id:0:2}/${id:2}.debug" 2>/dev/null
	done | awk '{ print $NF }' | sed 's/@.*//' | sort -u
}

# names_are_from NAME FILES...
names_are_from() {
	local name=$1 unknown
	shift
	known_to_nm "$@" >known
	unknown=$(names "$name" | comm -23 - known | grep -Ev '^__(vdso|kernel)_')
	[ -z "$unknown" ] || {
		echo "not in nm of $*:"
		head -20 <<<"$unknown"
		return 1
	}
}

at_least_names() {
	local cnt
	cnt=$(names "$1" | wc -l)
	[ "$cnt" -ge "$2" ] || {
		echo "$cnt names"
		names "$1" | head -20
		return 1
	}
}

MAPS=()
# perf_map_has PID NAME: HotSpot writes one when it is asked, of what it has compiled by then.
perf_map_has() {
	jcmd "$1" Compiler.perfmap >/dev/null 2>&1 && grep -qF "$2" "/tmp/perf-$1.map"
}

# mapped PID: the files of its executable mappings.
mapped() {
	awk '$2 ~ /x/ && $6 ~ /^\// { print $6 }' "/proc/$1/maps" | sort -u
}

start "$PROGRAMS/random_stacks" 26 30000
record random --pid "$STARTED" --rate 999 --duration 2
check "thousands of functions: the names are nm's" names_are_from random "$PROGRAMS/random_stacks"
check "and most of them were seen" at_least_names random 3000
stop "$STARTED"

# real WHAT PATTERN COMMAND...: a program of the distribution.
real() {
	local what=$1 pattern=$2 files
	shift 2
	command -v "$1" >/dev/null || return
	start "$@"
	sleep 0.5
	mapfile -t files < <(mapped "$STARTED")
	record "$what" --pid "$STARTED" --rate 199 --duration 2
	check_is "$what: the profile succeeds" "$STATUS" 0
	check "$what: there are samples" holds "$what" '.samples > 30'
	check "$what: names are nm's" names_are_from "$what" "${files[@]}"
	check "$what: no bare address" no_raw_address "$what"
	check "$what: lines have the grammar" grammar_holds "$what"
	check "$what: it adds up" adds_up "$what"
	[ -z "$pattern" ] || check "$what: a known function is there" share_between "$what" "$pattern" 1 100
	stop "$STARTED"
}
# shellcheck disable=SC2016
real bash ';(execute_command_internal|expand_word|execute_[a-z_]*|[a-z_]*word[a-z_]*)[; ]' \
	bash -c 'while :; do x=$((x + 1)); y=${x//1/2}; done'
# shellcheck disable=SC2016
real perl ';Perl_(pp_|sv_|runops_)[a-z_]*[; ]' perl -e 'while (1) { $x .= "a"; $x = "" if length $x > 1000; $y{$x} = 1; %y = () }'
real python3 '_PyEval_EvalFrameDefault|Py[A-Z][A-Za-z]*_' \
	"$(python3 -c 'import sys; print(sys.executable)' 2>/dev/null || echo python3)" -c 'while True: sum(i * i for i in range(1000))'

if command -v gcc >/dev/null; then
	{
		echo 'int f(int);'
		for i in $(seq 2000); do echo "int f$i(int x) { for (int i = 0; i < x; i++) x += f(i * $i); return x * f(x); }"; done
	} >big.c
	record gcc --rate 199 -- gcc -O2 -c -o big.o big.c
	check_is "gcc: the profile of a compiler run succeeds" "$STATUS" 0
	check "gcc: the compiler proper is in it" share_between gcc '^[0-9]+;;cc1;' 50 100
	check "gcc: no bare address" no_raw_address gcc
	check "gcc: lines have the grammar" grammar_holds gcc
	check "gcc: it adds up" adds_up gcc
fi

if command -v node >/dev/null; then
	start node -e 'function f(n) { return n < 2 ? n : f(n - 1) + f(n - 2) } for (;;) f(25)'
	sleep 0.5
	record node --pid "$STARTED" --rate 199 --duration 2
	check "node: generated code is [anon]" share_between node ';\[anon\]' 50 100
	check "node: no bare address" no_raw_address node
	check "node: lines have the grammar" grammar_holds node
	stop "$STARTED"
	start node --perf-basic-prof -e 'function f(n) { return n < 2 ? n : f(n - 1) + f(n - 2) } for (;;) f(25)'
	MAPS+=("/tmp/perf-$STARTED.map")
	wait_for 30 grep -q 'JS:\*f ' "/tmp/perf-$STARTED.map"
	record node --pid "$STARTED" --rate 199 --duration 2
	check "node: with a perf map its functions have names" share_between node ';LazyCompile:\*f \[eval\]' 50 100
	check "node: with a perf map lines have the grammar" grammar_holds node
	stop "$STARTED"
fi

if command -v javac >/dev/null && command -v jcmd >/dev/null; then
	echo 'public class Fib { static int fib(int n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }
		public static void main(String[] a) { for (;;) fib(25); } }' >Fib.java
	javac Fib.java
	start java -XX:+PreserveFramePointer -XX:-UsePerfData -cp . Fib
	MAPS+=("/tmp/perf-$STARTED.map")
	wait_for 60 perf_map_has "$STARTED" 'Fib.fib(int)'
	record java --pid "$STARTED" --rate 199 --duration 2
	check "java: with a perf map its methods have names" share_between java ';int Fib\.fib\(int\)_\[j\]' 50 100
	check "java: lines have the grammar" grammar_holds java
	stop "$STARTED"
fi

PYTHON=
for python in python3 python3.12 python3.13 python3.14; do
	"$python" -X perf -c 'import sys; sys.exit(sys.version_info < (3, 12))' 2>/dev/null && PYTHON=$python
done
if [ -n "$PYTHON" ]; then
	printf 'def fib(n):\n    return n if n < 2 else fib(n - 1) + fib(n - 2)\nwhile True:\n    fib(20)\n' >fib.py
	start "$PYTHON" -X perf fib.py
	MAPS+=("/tmp/perf-$STARTED.map")
	wait_for 30 grep -q 'py::fib:' "/tmp/perf-$STARTED.map"
	record python --pid "$STARTED" --rate 199 --duration 2
	check "python: with a perf map its functions have names" share_between python ';fib \([^ ;]*fib\.py\)_\[p\];' 20 100
	check "python: lines have the grammar" grammar_holds python
	stop "$STARTED"
fi
rm -f "${MAPS[@]}"

# --- one address

start "$PROGRAMS/fp_deep" 20 60000
explained() { # ADDR: what is shown there, and why not
	"$PULSEPROF" -j symbol explain "$STARTED" "$1" | jq -r '"\(.shown_as) \(.unnamed)"'
}
functions_are_explained() {
	local addr name type cnt=0
	while read -r addr type name; do
		[[ $type = [Tt] && $name != _* ]] || continue
		[ "$(explained "$addr")" = "$name null" ] || { echo "$addr $name: $(explained "$addr")"; return 1; }
		cnt=$((cnt + 1))
	done < <(nm "$PROGRAMS/fp_deep")
	[ $cnt -ge 3 ]
}
check "symbol explain: each function of a program" functions_are_explained
check_is "symbol explain: where nothing is mapped" "$(explained 0x10)" "[unknown] not_mapped"
"$PULSEPROF" symbol explain 999999999 10 >out 2>err
check_is "symbol explain: of no process" "$?" 1
check_text "that is said" "no such process '999999999'" err
stop "$STARTED"

start "$PROGRAMS/syscall_heavy" 30000
record kernel --pid "$STARTED" --rate 199 --duration 1
check "the kernel's functions have names" share_between kernel ';(ksys_read|vfs_read|read_zero)_\[k\]' 40 100
check "kernel names are the kernel's own" \
	sh -c "cut -d';' -f4- kernel.col | sed 's/ [0-9]*$//' | tr ';' '\n' | sed -n 's/_\[k\]$//p' | sort -u | grep -v '^\[unknown\]$' >k.seen
		awk '{ print \$3 }' /proc/kallsyms | sort -u >k.known; comm -23 k.seen k.known | (! grep .)"
stop "$STARTED"

start "$PROGRAMS/comm_hostile" 30000 9
record hostile -- "$PROGRAMS/comm_hostile" 5200
check "hostile thread names: lines have the grammar" grammar_holds hostile
check "hostile thread names: nothing is dropped or added" adds_up hostile
check "hostile thread names: the stack stays whole" share_between hostile ';_start;run;wear_name(;[^ ;]*_\[k\])* [0-9]+$' 97 100
check "hostile thread names: thirteen stay thirteen" \
	sh -c "test \$(cut -d';' -f3 hostile.col | sort -u | wc -l) -ge 12"
check "hostile thread names: no line begins with #" lacks '^#' hostile.col
"$PULSEPROF" profile record --output hostile.html -- "$PROGRAMS/comm_hostile" 2600 >/dev/null 2>hostile.err
check_is "hostile thread names: a page is made" $? 0
check "hostile thread names: no tag of theirs in the page" lacks '<img onerror' hostile.html
check "hostile thread names: the page is UTF-8" iconv -f UTF-8 -t UTF-8 -o /dev/null hostile.html
check "hostile thread names: no bidi control and no line separator raw in the page" \
	sh -c "! LC_ALL=C grep -q \$(printf '\342\200\256') hostile.html && ! LC_ALL=C grep -q \$(printf '\342\200\250') hostile.html"

done_testing
