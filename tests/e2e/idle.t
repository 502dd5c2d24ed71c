#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Idle means idle: a daemon that has profiled has no link attached and no perf event open, its programs do not
# run (our counters and the kernel's agree on that), and it does not wake up but for its heartbeat.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/tap.sh"
. "$(dirname "$0")/fleet.sh"
needs_kernel
needs_command jq
needs_command curl
PATH=$PATH:/usr/sbin:/usr/local/sbin
needs_command bpftool

# The test, not the product, turns the kernel's own statistics on.
STATS=/proc/sys/kernel/bpf_stats_enabled
stats_before=$(cat $STATS)
cleanup() {
	echo "$stats_before" >$STATS
}
echo 1 >$STATS

held() { # held PATTERN: how many of the daemon's descriptors are such
	find "/proc/$DAEMON/fd" -lname "*$1*" 2>/dev/null | wc -l
}

program_ids() {
	cat "/proc/$DAEMON"/fdinfo/* 2>/dev/null | awk '/^prog_id:/ { print $2 }' | sort -un
}

kernel_runs() {
	local id
	for id in $PROGRAM_IDS; do
		bpftool -j prog show id "$id" | jq -r '"\(.name) \(.run_cnt)"'
	done | sort
}

links_of_ours() {
	local id
	for id in $PROGRAM_IDS; do
		bpftool -j link show | jq -r --argjson id "$id" '.[] | select(.prog_id == $id) | .id'
	done | wc -l
}

own_runs() { # of this daemon's programs: others on the host may have theirs
	# shellcheck disable=SC2086
	"$PULSEPROF" -j prog list | jq -cS --argjson ids "$(jq -n '$ARGS.positional' --jsonargs $PROGRAM_IDS)" \
		'(if type == "array" then . else .programs // .rows end) | map(select(.id | IN($ids[])) | {id, name, runs, attached})'
}

wakeups() {
	cat "/proc/$DAEMON"/task/*/status | awk '/^voluntary_ctxt_switches/ { n += $2 } END { print n }'
}

start "$PROGRAMS/fp_deep" 20 60000
check "the studio starts" start_studio
check "a profile is ordered before the daemon's first heartbeat" \
	order '"request_type": "start", "duration": 3, "frequency": 199'
start_daemon 60
events_are_open() { [ "$(held perf_event)" -gt 0 ]; }
check "while it profiles, perf events are open" wait_for 20 events_are_open
PROGRAM_IDS=$(program_ids)
check "and its programs are known by id" test "$(wc -w <<<"$PROGRAM_IDS")" -ge 1
runs_during=$(kernel_runs)
sleep 0.5
check "and run" test "$runs_during" != "$(kernel_runs)"
check "and links are attached, or perf events where the kernel has no such links" \
	test "$(($(links_of_ours) + $(held perf_event)))" -gt 0
check "the profile arrives" wait_for 30 profiles_at_least 1

# What follows an upload (its answer, the spool) may take a moment.
quiet() {
	local before
	before=$(wakeups)
	sleep 0.5
	[ "$before" = "$(wakeups)" ]
}
check "then the daemon falls silent" wait_for 10 quiet
check_is "no perf event is open" "$(held perf_event)" 0
check_is "no link is held" "$(held bpf_link)" 0
check_is "no link of its programs exists" "$(links_of_ours)" 0
check "the command line shows no program attached" \
	jq -e 'length == 8 and (map(.attached) | any | not)' <(own_runs)
check "the programs stay loaded" test "$(program_ids)" = "$PROGRAM_IDS"

kernel_before=$(kernel_runs)
own_before=$(own_runs)
wakeups_before=$(wakeups)
sleep 4
check_is "by the kernel's count no program runs" "$(kernel_runs)" "$kernel_before"
check_is "by their own count no program runs" "$(own_runs)" "$own_before"
check_is "and the daemon does not wake up" "$(wakeups)" "$wakeups_before"
check "the programs did run before" test -n "$(awk '$2 > 100' <<<"$kernel_before")"
check_is "the product leaves the sysctl alone" "$(cat $STATS)" 1

done_testing
