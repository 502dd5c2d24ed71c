#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Sampling events: page faults and switches of a known program by their stacks, several events at once, each in a profile
# of its own; what this machine has not is refused with its reason. Hardware events: vm (arm64 guest).
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/tap.sh"
. "$(dirname "$0")/profile_facts.sh"
needs_kernel
needs_command jq
needs_command perf
cd "$WORK" || exit 1
FAULTS=$PROGRAMS/faults

# record_ NAME OPTIONS...: the profile in NAME.col (NAME.EVENT.col of several), the summaries in NAME.json.
record_() {
	local name=$1
	shift
	timeout 60 "$PULSEPROF" -j profile record --format collapsed --output "$name.col" "$@" >"$name.json" 2>"$name.err"
	STATUS=$?
}
weight_of() { awk -v pattern="$2" '$0 ~ pattern { n += $NF } END { print n + 0 }' "$1"; }
between() { [ "$1" -ge "$2" ] && [ "$1" -le "$3" ] || { echo "$1 is not from $2 to $3"; return 1; }; }
summary() { grep '^{' "$1.json" | jq -s "$2"; }

# --- one event

record_ one --event page-faults -- perf stat -x, -o perf.csv -e page-faults "$FAULTS" 20000 0
check_is "page faults are sampled" "$STATUS" 0
want=$(awk -F, '$3 ~ /^page-faults/ { print $1 }' perf.csv)
check "each one is there, as perf stat counts them" between "$(weight_of one.col ';faults;')" $((want * 99 / 100)) $((want * 101 / 100))
check "by the function that made them" between "$(weight_of one.col ';faults;.*main')" 20000 $((want + 1))
check_is "the summary names the event" "$(summary one '.[0] | [.clock, .period, .rate_hz]' | jq -c .)" '["page-faults",1,0]'
check "every sample is accounted for" jq -e '.taken == .samples + .filtered + ([.lost[]] | add // 0) and .expected == .taken + .missed' \
	<(grep '^{' one.json)

# --- two at once, each by itself

record_ two --event page-faults --event context-switches -- "$FAULTS" 5000 300
check_is "two events at once" "$STATUS" 0
check "the first has its own profile" between "$(weight_of two.page-faults.col ';faults;')" 5000 5300
check "and the second its own" between "$(weight_of two.context-switches.col ';faults;')" 300 800
check "switches are where it sleeps" between "$(weight_of two.context-switches.col 'faults;.*(nanosleep|schedule)')" 290 800
check_is "two summaries" "$(summary two 'map(.clock) | join(" ")')" '"page-faults context-switches"'
check_is "nothing is left beside them" "$(ls -d two.*)" "$(printf 'two.context-switches.col\ntwo.err\ntwo.json\ntwo.page-faults.col')"

# --- beside the clock of another run

"$PULSEPROF" profile record --format collapsed --output clock.col --rate 199 --duration 3 >/dev/null &
CLOCK=$!
sleep 0.5
record_ beside --event page-faults -- "$FAULTS" 3000 0
wait $CLOCK
check "beside a profile of time" between "$(weight_of beside.col ';faults;')" 3000 3300

# --- idle CPUs, where they are asked for

record_ idle --idle --rate 199 --duration 2
check_is "a profile with idle CPUs succeeds" "$STATUS" 0
check "they have samples" grep -q '^0;;swapper' idle.col
check "none is filtered as idle" jq -e '.filtered_by.idle // 0 | . == 0' <(grep '^{' idle.json)

# --- other formats

timeout 60 "$PULSEPROF" profile record --event page-faults --output page.html -- "$FAULTS" 1000 0 >text
check "the page says what it shows" grep -q '"clock":"page-faults"' page.html
check_text "so does the summary" 'page-faults, a sample each 1$' text
timeout 60 "$PULSEPROF" profile record --event page-faults --format pprof --output faults.pb.gz -- "$FAULTS" 1000 0 >/dev/null
zcat faults.pb.gz | strings >words.txt
check "pprof has its type" grep -q 'page-faults' words.txt

# --- what cannot be

refused() { # STATUS OPTIONS...
	local status=$1
	shift
	timeout 20 "$PULSEPROF" profile record "$@" >out 2>err
	[ $? = "$status" ]
}
check "an event that is none is refused" refused 1 --duration 1 --event nonsense
check_text "and told" "no such event" err
check "a fifth is too many" refused 2 --duration 1 --event a --event b --event c --event d --event e
check "none twice" refused 2 --duration 1 --event a --event a
check "several are not one output" refused 2 --duration 1 --event page-faults --event cpu-migrations --output -
if [ ! -d /sys/bus/event_source/devices/cpu ]; then
	check "without a PMU instructions are impossible" refused 4 --duration 1 --event instructions
	check_text "for that reason" "no hardware counters" err
	check "also as the second of two" refused 4 --duration 1 --event page-faults --event cycles
fi
check_is "no link stays" "$("$PULSEPROF" -j link list | jq length)" 0
done_testing
