#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Source lines and inlined functions: every place of real programs against LLVM's reader of DWARF, then profiles with
# --inline of a program that has its debug information in itself, in a file of its own, damaged, or not at all.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/tap.sh"
. "$(dirname "$0")/profile_facts.sh"
needs_kernel
needs_command jq
needs_command g++
HERE=$(cd "$(dirname "$0")" && pwd)
SOURCE=$HERE/../programs/inlines.cc

# --- each third byte of the code

g++ -O2 -g -no-pie -o "$WORK/inlines" "$SOURCE"
g++ -O3 -gdwarf-4 -o "$WORK/inlines-4" "$SOURCE"
objcopy --only-keep-debug "$WORK/inlines-4" "$WORK/inlines-4.debug"
same() { # FILE AT_LEAST
	"$HERE/dwarf_facts.py" "$O/e2e/dwarf_places" "$1" "$2"
}
if command -v llvm-addr2line-14 >/dev/null; then
	check "gcc, DWARF 5: the same places" same "$WORK/inlines" 300
	check "gcc, DWARF 4, in a file of its own" same "$WORK/inlines-4.debug" 300
	check "a program of ours" same "$O/pulseprof-studio" 30000
	if command -v clang++ >/dev/null && clang++ -O2 -g -gz -o "$WORK/inlines-clang" "$SOURCE" 2>"$WORK/clang.err"; then
		check "clang, compressed, without a table of ranges" same "$WORK/inlines-clang" 300
	fi
	rust=$O/programs/rust_calls
	if [ -x "$rust" ]; then check "Rust" same "$rust" 1000; fi
else
	skip "places against LLVM's" "no llvm-addr2line-14"
fi

# --- profiles

start "$WORK/inlines" 120000
record with --pid "$STARTED" --inline --rate 199 --duration 2
check "inlined functions are frames" share_between with ';main;work::steps;work::box::step;mix [0-9]+$' 20 98
check "it adds up" adds_up with
check "and stacks are complete" complete_when_loaded with 95
record without --pid "$STARTED" --rate 199 --duration 1
check "only when they are asked for" share_between without ';(mix|work::box::step)[; ]' 0 0
"$PULSEPROF" profile record --pid "$STARTED" --inline --duration 1 --rate 199 --format pprof --output "$WORK/p.pb.gz" >"$WORK/p.out"
check "pprof: functions of one place, with file and line" python3 "$HERE/pprof_facts.py" inlined "$WORK/p.pb.gz" \
	inlines.cc work::steps work::box::step mix
address=$(nm -C "$WORK/inlines" | awk '$3 ~ /^work::steps/ { print $1; exit }')
"$PULSEPROF" symbol explain "$STARTED" "0x$address" >"$WORK/explain.out"
check_text "an address has its line" 'source.*/programs/inlines.cc:[0-9]+' "$WORK/explain.out"
stop "$STARTED"

mkdir "$WORK/.debug"
objcopy --only-keep-debug "$WORK/inlines" "$WORK/.debug/inlines.debug"
objcopy --strip-all --add-gnu-debuglink="$WORK/.debug/inlines.debug" "$WORK/inlines" "$WORK/stripped"
start "$WORK/stripped" 120000
record apart --pid "$STARTED" --inline --rate 199 --duration 1
check "in a file of its own" share_between apart ';main;work::steps;work::box::step;mix [0-9]+$' 20 98
stop "$STARTED"

cp "$WORK/inlines" "$WORK/damaged"
section=$(objdump -h "$WORK/damaged" | awk '$2 == ".debug_info" { print $6, $3 }')
read -r off bytes <<<"$section"
dd if=/dev/urandom of="$WORK/damaged" bs=1 seek=$((16#$off)) count=$((16#$bytes)) conv=notrunc status=none
start "$WORK/damaged" 120000
record damaged --pid "$STARTED" --inline --rate 199 --duration 1
check_is "damaged debug information is no failure" "$STATUS" 0
check "the names stay" share_between damaged ';main;work::(steps|sorted)[; ]' 80 100
stop "$STARTED"

start "$PROGRAMS/fp_deep" 5 120000
record plain --pid "$STARTED" --inline --rate 199 --duration 1
check "programs without C++ too" share_between plain ';descend;bottom' 50 100
stop "$STARTED"
done_testing
