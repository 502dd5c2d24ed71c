#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Filters by cgroup, with real ones: in the unified hierarchy, where the kernel tells, and in a v1 hierarchy (a
# hybrid host), where paths do. Who is inside, below, outside, comes later, or is in a cgroup that is made anew.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/tap.sh"
. "$(dirname "$0")/profile_facts.sh"
needs_kernel
needs_command jq
NAME=pulseprof-test-$$

# The first mounted hierarchy of this type where we can make a cgroup.
mount_of() {
	local type=$1 mount
	while read -r mount; do
		mkdir "$mount/$NAME" 2>/dev/null && rmdir "$mount/$NAME" && echo "$mount" && return
	done < <(awk -v type="$type" '$3 == type && $2 ~ "^/sys/fs/cgroup" { print $2 }' /proc/mounts)
}

# start_in DIR PROGRAM ARGS: $STARTED is in the cgroup from its first instruction.
start_in() {
	# shellcheck disable=SC2016
	start sh -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$@"
}
# Processes in it end, then it is removed.
remove() {
	local pid
	while read -r pid; do kill -9 "$pid" 2>/dev/null; done <"$1/cgroup.procs"
	wait_for 10 rmdir "$1"
}

# Has the child of this shell switched its sampling on?
is_sampling() {
	local fds
	fds=$(ls -l "/proc/$(pgrep -P "$1")/fd")
	grep -q perf_event <<<"$fds"
}

# in_hierarchy MOUNT PATH WORD: PATH is how /proc/PID/cgroup names what is MOUNT/$NAME.
in_hierarchy() {
	local dir=$1/$NAME path=/$NAME word=$2 outside run
	mkdir -p "$dir/below/deep"
	start_in "$dir" "$PROGRAMS/fp_deep" 3 300000
	start_in "$dir/below/deep" "$PROGRAMS/threads" 2 300000
	start "$PROGRAMS/random_stacks" 26 300000
	outside=$STARTED

	record "$word" --cgroup "$dir" --rate 199 --duration 2
	check_is "$word: a directory" "$STATUS" 0
	check "$word: with what is in it" share_between "$word" '^[0-9]+;[^;]*;fp_deep;' 15 85
	check "$word: and below it" share_between "$word" '^[0-9]+;[^;]*;worker-' 15 85
	check "$word: and nobody else" share_between "$word" '^[0-9]+;[^;]*;(fp_deep|worker-[0-9]+|threads);' 100 100
	check "$word: the others are counted" holds "$word" '.filtered_by.cgroup > 0 and (.lost | del(.cgroup_unknown)) == {}'
	check "$word: it adds up" adds_up "$word"
	record "$word-path" --cgroup "$path/below" --rate 199 --duration 1
	check "$word: a path as the kernel writes it" share_between "$word-path" '^[0-9]+;[^;]*;(worker-[0-9]+|threads);' 100 100
	record "$word-both" --cgroup "$dir" --pid "$outside" --duration 1
	check "$word: what is given must hold together" holds "$word-both" '.samples == 0 and .filtered > 0'

	record "$word-later" --cgroup "$path" --rate 199 --duration 4 &
	run=$!
	check "$word: a run goes on" wait_for 20 is_sampling "$run"
	if [ "$word" = v2 ]; then
		echo "$outside" >"$dir/below/cgroup.procs"
	else # a path counts as it was at the first sample
		start_in "$dir/below" "$PROGRAMS/random_stacks" 26 300000
	fi
	wait "$run"
	check "$word: who comes in later is in it" share_between "$word-later" '^[0-9]+;[^;]*;random_stacks;' 3 90

	record "$word-anew" --cgroup "$path/below/deep" --rate 199 --duration 6 &
	run=$!
	check "$word: another run goes on" wait_for 20 is_sampling "$run"
	sleep 0.5
	check "$word: a cgroup ends during the run" remove "$dir/below/deep"
	mkdir "$dir/below/deep"
	start_in "$dir/below/deep" "$PROGRAMS/fp_deep" 5 300000
	wait "$run"
	check "$word: and is made anew" share_between "$word-anew" '^[0-9]+;[^;]*;fp_deep;' 15 95
	check "$word: clean-up of the deepest" remove "$dir/below/deep"
	check "$word: clean-up of the inner" remove "$dir/below"
	check "$word: clean-up" remove "$dir"
}

v2=$(mount_of cgroup2)
v1=$(mount_of cgroup)
if [ -n "$v2" ]; then in_hierarchy "$v2" v2; fi
if [ -n "$v1" ]; then in_hierarchy "$v1" v1; fi
[ -n "$v1$v2" ] || skip "filters by cgroup" "no hierarchy where a cgroup can be made"

"$PULSEPROF" profile record --cgroup "/$NAME/none" --duration 1 --output "$WORK/none.html" >"$WORK/none.out" 2>"$WORK/none.err"
check_is "one that is not there is a failure" $? 1
check_text "and told" 'no such cgroup' "$WORK/none.err"
check "with no file left" test ! -e "$WORK/none.html"
"$PULSEPROF" profile record --cgroup ../x --duration 1 >"$WORK/none.out" 2>"$WORK/none.err"
check_is "another text is wrong usage" $? 2

done_testing
