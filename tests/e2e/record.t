#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# pulseprof profile record on processes whose stacks are known by construction: that stack, its share
# within a bound, every sample accounted for.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/tap.sh"
. "$(dirname "$0")/profile_facts.sh"
needs_kernel
needs_command jq

# A sample between a call and the callee's first two instructions misses one caller: 1 % is plenty.
DEEP=';fp_deep;_start;run(;descend){21};bottom'

start "$PROGRAMS/fp_deep" 20 60000
deep=$STARTED
start "$PROGRAMS/threads" "$(nproc)" 30000 # no CPU idles: an idle one may deliver no samples
others=$STARTED
record deep --pid "$deep" --rate 999 --duration 3
check_is "a profile of a busy process succeeds" "$STATUS" 0
stop "$others"
check "the stack is the one that was built, all 24 frames of it" \
	share_between deep "$DEEP(;leaf_(50|30|20))?(;[^ ;]*_\[k\])* [0-9]+\$" 98.5 100
check "leaf_50 has its half" share_between deep ';leaf_50[; ]' 43 57
check "leaf_30 has its share" share_between deep ';leaf_30[; ]' 23 37
check "leaf_20 has its share" share_between deep ';leaf_20[; ]' 13 27
check "user stacks are complete" complete_when_loaded deep 98.5
check "the counts add up to the samples, and those to what was expected" adds_up deep
check "nothing is lost" holds deep '[.lost[]] | add // 0 | . == 0'
check "as many were expected as rate, time and CPUs make" \
	holds deep "(.expected / (999 * .duration_s * $(nproc)) | . > 0.95 and . < 1.02) and .samples > 200"
check "with all CPUs busy few are missed" holds deep '.missed < 0.05 * .expected'
check "one process was seen" holds deep '.processes == 1'
check "the summary names clock, rate, duration and own cost" holds deep \
	'(.clock | length > 0) and .rate_hz == 999 and .duration_s >= 2.9 and .duration_s < 4 and
	 .kernel_ns_per_sample > 0 and .user_cpu_ms >= 0 and .rss_peak_bytes > 100000 and .user_stacks > 0'
check "lines have the grammar" grammar_holds deep

(cd "$WORK" && exec "$PULSEPROF" profile record --pid "$deep" --duration 1) >"$WORK/html.out" 2>"$WORK/html.err"
check_is "the default format succeeds" $? 0
html=$(echo "$WORK"/pulseprof-"$(uname -n)"-*.html)
check "the default is a page named after host and time" test -s "$html"
check_text "the page knows the functions" 'leaf_50' "$html"
check "the page loads nothing from elsewhere" lacks "(src|href)=.?https?://" "$html"
check_text "the summary on the terminal counts samples" '[1-9][0-9]* samples|samples.*[1-9]' \
	<(cat "$WORK/html.out" "$WORK/html.err")

"$PULSEPROF" profile record --pid "$deep" --duration 1 --format collapsed --output - >"$WORK/stdout.col" 2>"$WORK/stdout.err"
check_is "output to stdout succeeds" $? 0
check "stdout holds the profile and nothing else" grammar_holds stdout
check "stdout holds the stack" share_between stdout "$DEEP" 97 100
check_text "the summary went to stderr" 'samples' "$WORK/stdout.err"
stop "$deep"

start "$PROGRAMS/nofp_deep" 20 30000
record nofp --pid "$STARTED" --rate 499 --duration 2
if holds nofp '.unwind_tables' >/dev/null; then
	check "without frame pointers tables find the stack" share_between nofp \
		'^[0-9]+;;nofp_deep;_start;run(;descend){21};bottom(;misuse(;misused)?|;leaf_(50|30|20))?(;[^ ;]*_\[k\])* [0-9]+$' 75 100
	check "and it is complete" complete_when_loaded nofp 98.5
else
	check "without frame pointers nothing of a stack is found" share_between nofp ';_start' 0 1
	check "and it is not complete" holds nofp '.samples > 100 and .user_stacks_complete_pct < 1'
fi
check "and no frame is shown that is not there" share_between nofp \
	'^[0-9]+;;nofp_deep(;_start|;run|;descend|;bottom|;misuse|;misused|;leaf_(50|30|20))+(;[^ ;]*_\[k\])* [0-9]+$' 100 100
check "that profile adds up" adds_up nofp
stop "$STARTED"

start "$PROGRAMS/fp_deep" 300 30000
record cut --pid "$STARTED" --duration 1
check "256 frames are kept of a deeper stack" share_between cut \
	'^[0-9]+;;fp_deep(;descend){250,255}(;bottom)?(;leaf_[0-9]+)?(;[^ ;]*_\[k\])* [0-9]+$' 97 100
check "a stack cut at the limit is not complete" holds cut '.user_stacks_complete_pct < 3'
stop "$STARTED"

start "$PROGRAMS/threads" 4 30000
record threads --pid "$STARTED" --rate 199 --duration 2
for i in 0 1 2 3; do
	leaf=burn_even
	[ $((i % 2)) = 0 ] || leaf=burn_odd
	check "--pid includes thread $i under its own name" \
		share_between threads ";worker-$i;clone;work;$leaf(;[^ ;]*_\[k\])* [0-9]+\$" 15 35
done
check "a stack down to clone is complete" complete_when_loaded threads 97
stop "$STARTED"

start "$PROGRAMS/threads" 2 30000 leave
leaderless=$STARTED
record leaderless --pid "$leaderless" --duration 2
check "a process whose leader has gone has names" \
	share_between leaderless ';worker-[01];clone;work;burn_(even|odd)' 97 100
stop "$leaderless"

start "$PROGRAMS/syscall_heavy" 30000
record syscall --pid "$STARTED" --rate 499 --duration 2
check "most time is inside the kernel" share_between syscall '_\[k\] [0-9]+$' 60 100
check "samples in the kernel have the right user stack" \
	share_between syscall ';syscall_heavy;_start;run(;read_zeros)?(;[^ ;]*_\[k\])* [0-9]+$' 99 100
check "and it is complete" complete_when_loaded syscall 98
stop "$STARTED"

start "$PROGRAMS/jit" 30000
record jit --pid "$STARTED" --duration 2
check "stacks through it are counted apart" holds jit '.user_stacks_jit >= 0.9 * .user_stacks'
check "code without a file is [anon]" share_between jit ';_start;run;call_generated;\[anon\](;[^ ;]*_\[k\])* ' 97 100
stop "$STARTED"

start "$PROGRAMS/random_stacks" 26 30000
record random --pid "$STARTED" --rate 999 --duration 2
check "thousands of different stacks are each whole" \
	share_between random '^[0-9]+;;random_stacks;_start;run(;f_[0-9a-f]{3})*(;leaf)?(;[^ ;]*_\[k\])* [0-9]+$' 98.5 100
check "they add up" adds_up random
check "none is lost" holds random '[.lost[]] | add // 0 | . == 0'
stop "$STARTED"

start "$PROGRAMS/fp_deep" 20 30000
start "$PROGRAMS/fp_deep" 20 30000
record host --rate 199 --duration 2
check "a profile of the whole host adds up" adds_up host
check "nothing of it is lost" holds host '[.lost[]] | add // 0 | . == 0'
check "it has the known stack" share_between host "$DEEP" 5 100
check "idle CPUs are not in it" share_between host ';swapper/' 0 0

done_testing
