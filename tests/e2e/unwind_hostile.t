#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# What no unwinder likes: stack pointers that point anywhere, memory that goes while it is read, files that are
# replaced or overwritten under a running program, thousands of processes. Nothing crashes, everything adds up.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/tap.sh"
. "$(dirname "$0")/profile_facts.sh"
needs_kernel
needs_command jq

# is_sound NAME: what holds for every profile.
is_sound() {
	[ "$STATUS" = 0 ] && adds_up "$1" && grammar_holds "$1" && holds "$1" '.rss_peak_bytes < 100e6'
}

record wild --children --rate 2000 -- "$PROGRAMS/wild_stacks" 2500
check "stack pointers that point anywhere harm nothing" is_sound wild
check "such samples are counted, and say why their stacks end" holds wild \
	'.samples > 2000 and .user_stack_ends.complete < 0.6 * .user_stacks and
	 ([.user_stack_ends[]] | add) == .samples and .user_stack_ends.unreadable > 100'
check "what was interrupted is known in spite of it" share_between wild '[;](burn_on|main|unmap|make_frames|_start)' 50 100

cp "$PROGRAMS/nofp_deep" "$WORK/replaced"
start "$WORK/replaced" 20 20000
cp "$PROGRAMS/random_stacks" "$WORK/other"
mv "$WORK/other" "$WORK/replaced"
record replaced --pid "$STARTED" --rate 999 --duration 2
check "of a program whose file was replaced, the one that runs is unwound" share_between replaced \
	'^[0-9]+;;replaced;_start;run(;descend){21};bottom[; ]' 90 100
check "and its stacks are complete" complete_when_loaded replaced 99
check "replaced: it adds up" is_sound replaced
stop "$STARTED"

cp "$PROGRAMS/nofp_deep" "$WORK/deleted"
start "$WORK/deleted" 20 20000
rm "$WORK/deleted"
record deleted --pid "$STARTED" --rate 999 --duration 1
check "of a program without a file, too" complete_when_loaded deleted 99
stop "$STARTED"

# A library overwritten in place keeps its inode: its code in memory changes with it.
mkdir "$WORK/turn"
cp "$PROGRAMS"/swaps "$PROGRAMS"/swap_{one,two} "$WORK/turn"
start bash -c "while :; do cat '$PROGRAMS/swap_two' >'$WORK/turn/swap_one'; cat '$PROGRAMS/swap_one' >'$WORK/turn/swap_one'; done"
record overwritten --children --rate 999 --duration 2 -- "$WORK/turn/swaps" 3000 dlopen
check "libraries overwritten while they are read harm nothing" is_sound overwritten
stop "$STARTED"

at_least_members() {
	[ "$(pgrep -c -x crowd)" -ge "$1" ]
}
set -m # a group, ended as one
"$PROGRAMS/crowd" 5000 60000 &
crowd=$!
set +m
cleanup() {
	kill -KILL "-$crowd"
	wait
} 2>/dev/null
check "5,000 processes run" wait_for 60 at_least_members 5000
record crowd --rate 2999 --duration 4
check "a profile of them is sound" is_sound crowd
check "most of them were seen" holds crowd '.processes > 1500'
check "what is lost has a name, and is little" holds crowd '([.lost[]] | add // 0) < 0.15 * .taken'
check "tables stay within their budget" holds crowd '.unwind_tables.kernel_bytes <= 16777216'
echo "# $(fact crowd '"\(.processes) processes, \(.user_stacks_complete_pct) % complete, \(.rss_peak_bytes / 1e6) MB, \(.user_cpu_ms) ms"')"

done_testing
