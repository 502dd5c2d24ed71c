#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Counting in the kernel, against perf stat in the same run: per process, per cgroup, of a command with its children, of a
# task that never leaves its CPU. What is not there has a status and a reason. Hardware counters: vm (arm64 guest).
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/tap.sh"
needs_kernel
needs_command jq
needs_command perf
cd "$WORK" || exit 1
FAULTS=$PROGRAMS/faults
GROUP=
clean() {
	[ -z "$GROUP" ] || rmdir "$GROUP" 2>/dev/null
	! grep -q " $WORK/unified " /proc/mounts || umount "$WORK/unified"
}
trap 'clean; tap_cleanup' EXIT

stat_() { timeout 60 "$PULSEPROF" -j counter stat "$@"; }
# of FILE SCOPE ID EVENT: its count in a line of JSON.
of() {
	jq --arg scope "$2" --arg id "$3" --arg event "$4" \
		'[.scopes[] | select(.scope == $scope and .id == $id) | .counts[$event].count] | add' "$1"
}
perf_says() { awk -F, -v event="$2" '$3 ~ "^" event { print $1; exit }' "$1"; }
# near A B PERCENT [SPARE]
near() {
	awk -v a="$1" -v b="$2" -v percent="$3" -v spare="${4:-0}" 'BEGIN {
		d = a > b ? a - b : b - a
		exit !(a != "" && b != "" && a != "null" && d <= b * percent / 100 + spare) }' || {
		echo "$1 is not within $3 % of $2"
		return 1
	}
}

# --- what there is

"$PULSEPROF" -j counter list >list
is_status() { jq -e --arg event "$1" --arg status "$2" '.[] | select(.event == $event) | .status == $status' list; }
check "software events count" is_status page-faults ok
if [ -d /sys/bus/event_source/devices/cpu ]; then
	check "cycles have a status" jq -e '.[] | select(.event == "cycles") | .status' list
else
	check "without a PMU cycles are not supported" is_status cycles not_supported
	check "for that reason" jq -e '.[] | select(.event == "cycles") | .why | test("no PMU")' list
fi
check "each that does not count says why" jq -e 'all(.[]; .status == "ok" or .why != "")' list
check "a table is for people" grep -q '^page-faults *ok' <("$PULSEPROF" counter list)

# --- a command, and perf around the program in it

EVENTS=page-faults,minor-faults,context-switches,cpu-migrations,task-clock
stat_ --per process --events $EVENTS -- perf stat -x, -o perf.csv -e $EVENTS "$FAULTS" 20000 2000 300 >pid 2>one.err
tail -1 pid >one
PID=$(head -1 pid)
check "one line of JSON" jq -e '.interval_s > 0' one
check "page faults as perf counts them" near "$(of one process "$PID" page-faults)" "$(perf_says perf.csv page-faults)" 1
check "minor ones, too" near "$(of one process "$PID" minor-faults)" "$(perf_says perf.csv minor-faults)" 1
check "context switches as perf counts them" \
	near "$(of one process "$PID" context-switches)" "$(perf_says perf.csv context-switches)" 1
check "there were as many as it slept" near "$(of one process "$PID" context-switches)" 2000 5
on_cpu_ms() { jq --arg id "$2" '[.scopes[] | select(.id == $id) | .on_cpu_ns] | add / 1e6' "$1"; }
check "migrations" near "$(of one process "$PID" cpu-migrations)" "$(perf_says perf.csv cpu-migrations)" 1 4
check "nothing was lost" jq -e '.collector.lost == {"map_full": 0, "read_errors": 0, "negative_deltas": 0}' one

# of one that works: at each of 2,000 switches perf's own work for its events is in our time and not in perf's
stat_ --per process --events task-clock -- perf stat -x, -o perf.csv -e task-clock "$FAULTS" 0 20 300 >works 2>/dev/null
PID=$(head -1 works)
tail -1 works >work
check "time on CPU as perf measures it" near "$(on_cpu_ms work "$PID")" "$(perf_says perf.csv task-clock)" 1 3

# --- with its children, that live for a moment

stat_ --per process --events page-faults,context-switches -- perf stat -x, -o perf.csv -e page-faults bash -c \
	"for i in \$(seq 100); do $FAULTS 100 0 >/dev/null; done" >many 2>/dev/null
all=$(jq '[.scopes[] | select(.name != "perf") | .counts["page-faults"].count] | add' many)
check "all children's faults are counted" near "$all" "$(perf_says perf.csv page-faults)" 1
check "each child is a row" test "$(jq '[.scopes[] | select(.name == "faults")] | length' many)" -ge 100
check "nobody else is" jq -e '[.scopes[].name] - ["perf", "bash", "faults", "seq", "pulseprof"] == []' many

stat_ --events page-faults -- "$FAULTS" 5000 10 >sum 2>/dev/null
check "without a scope a command is one row" jq -e '.scopes | length == 1 and .[0].id == "command" and
	.[0].counts["page-faults"].count > 5000 and .[0].counts["page-faults"].count < 5600' <(tail -1 sum)

# --- for Prometheus

timeout 20 "$PULSEPROF" counter stat --prometheus --per cpu --events page-faults,cycles --interval 0.5 --duration 0.5 >prom 2>/dev/null
check_is "each metric has its type once" "$(grep -c '^# TYPE pulseprof_counter_cpu_utilization gauge$' prom)" 1
check "events count up" grep -qE '^pulseprof_counter_events\{scope="cpu",id="0",event="page-faults"\} [0-9]+$' prom
check "metrics have values" grep -qE '^pulseprof_counter_cpu_utilization\{scope="cpu",id="0"\} [0-9.]+$' prom
check "all lines have the form" bash -c '! grep -vE "^(# (HELP|TYPE) pulseprof_counter_[a-z0-9_]+ .+|pulseprof_counter_[a-z0-9_]+\{[a-z]+=\"[^\"]*\"(,[a-z]+=\"[^\"]*\")*\} [0-9.e+-]+)$" prom'
[ -d /sys/bus/event_source/devices/cpu ] || check "what is not there has no line" lacks 'event="cycles"' prom

# --- by cgroup

UNIFIED=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
if [ -z "$UNIFIED" ]; then
	UNIFIED=$WORK/unified
	mkdir "$UNIFIED" && mount -t cgroup2 none "$UNIFIED"
fi
GROUP=$UNIFIED/pulseprof_counting
check "a cgroup is made" mkdir "$GROUP"
stat_ --per cgroup --events page-faults,context-switches --interval 4 --duration 4 >group &
COUNTING=$!
perf stat -a -x, -o perf.csv -e page-faults,context-switches --for-each-cgroup pulseprof_counting sleep 4 &
PERF=$!
sleep 1.5
bash -c "echo \$\$ >$GROUP/cgroup.procs; exec $FAULTS 30000 500" >/dev/null
wait $PERF $COUNTING
check "a cgroup's faults as perf counts them" \
	near "$(of group cgroup /pulseprof_counting page-faults)" "$(perf_says perf.csv page-faults)" 1
check "and its switches" \
	near "$(of group cgroup /pulseprof_counting context-switches)" "$(perf_says perf.csv context-switches)" 1 2
check "those below the root are in the root's" test "$(of group cgroup / page-faults)" -ge 30000

# --- who never leaves its CPU

chrt -f 50 taskset -c 1 "$FAULTS" 0 0 5000 >/dev/null &
SPINNER=$!
sleep 0.3
ran() { cut -d' ' -f1 "/proc/$SPINNER/schedstat"; }
begin=$(date +%s%N) before=$(ran)
stat_ --per process --events page-faults --interval 0.5 --duration 0.5 >pinned
after=$(ran) end=$(date +%s%N)
kill $SPINNER
wait $SPINNER 2>/dev/null
# but for what the scheduler kept it off, which it does to keep others alive
has_its_time() {
	awk -v got="$(on_cpu_ms pinned $SPINNER)" -v wall="$(jq '.interval_s * 1000' pinned)" \
		-v off=$(((end - begin - (after - before)) / 1000000)) 'BEGIN {
		print got " ms of " wall ", off for " off; exit !(got >= 0.99 * (wall - off) && got <= 1.01 * wall && off < wall / 2) }'
}
check "a task that never switches has its time" has_its_time

# --- the sums of all scopes agree

stat_ --per cpu --events page-faults --interval 1 --duration 1 >cpus &
CPUS=$!
sleep 0.4
"$FAULTS" 5000 100 200 >/dev/null
wait $CPUS
stat_ --per socket --events page-faults --interval 1 --duration 1 >sockets
check_is "so have sockets" "$(jq '.scopes | length' sockets)" \
	"$(cat /sys/devices/system/cpu/cpu*/topology/physical_package_id | sort -u | wc -l)"
check "with at most all of their time" jq -e 'all(.scopes[].metrics.cpu_utilization.value; . >= 0 and . <= 101)' sockets
check "CPUs have rows" test "$(jq '.scopes | length' cpus)" = "$(nproc)"
check "their faults are told" test "$(jq '[.scopes[].counts["page-faults"].count] | add' cpus)" -gt 4900

# --- what it costs is limited

"$FAULTS" 0 40000 0 >/dev/null &
SLEEPER=$!
stat_ --per process --events page-faults --interval 0.5 --duration 1.4 --cost-max 0.001 >limited 2>err
check "the first interval is by process" jq -e -s '.[0] | .collector.mode == "sched_switch" and (.scopes | length) > 0' limited
check "above the limit processes are counted no more, and it is said" \
	jq -e -s '.[1] | .collector.mode == "interval" and .status == "disabled" and .scopes == []' limited
check_text "with the cost" 'cost [0-9.]+ % of the CPUs' err
stat_ --per system --events page-faults --interval 0.5 --duration 1.4 --cost-max 0.001 >limited 2>err
check "the host is still counted" jq -e -s '.[1].scopes[0].counts["page-faults"].count >= 0' limited
kill $SLEEPER
wait $SLEEPER 2>/dev/null

# --- names of events

refused() {
	timeout 20 "$PULSEPROF" counter stat --duration 0.2 --events "$1" >out 2>err
	[ $? = 2 ]
}
check "a name that is none is refused" refused page-faults,nonsense
check_text "and told" "'nonsense' is no event" err
check "so are too many" refused "$(seq -s, -f 'raw:0x%g' 20)"
stat_ --events cycles,raw:0x3c,tracepoint:sched:sched_switch,nosuch/event=1/,page-faults --interval 0.3 --duration 0.3 >odd 2>err
check "what cannot be counted has a status and no number" \
	jq -e '.scopes[0].counts["nosuch/event=1/"] | .count == null and .status == "not_supported"' odd
check "the others are counted beside it" jq -e '.scopes[0].counts["page-faults"].count >= 0' odd
check "no metric is invented" jq -e 'all(.scopes[].metrics[]; .status == "ok" or .status == "multiplexed" or .value == null)' odd

# --- and nothing stays

check_is "no program stays loaded" "$("$PULSEPROF" -j prog list | jq '[.[] | select(.name | startswith("pp_switch"))] | length')" 0
done_testing
