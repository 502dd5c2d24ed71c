#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Two runs from one sampler: a continuous one of the whole host, and beside it ad hoc ones that begin, change
# their processes and end. Neither loses anything, each account adds up by itself, and the continuous run has
# no gap: what was expected is rate, time and CPUs, as if it were alone, on the same links throughout.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/tap.sh"
. "$(dirname "$0")/stress_facts.sh"
needs_kernel

start "$PROGRAMS/fp_deep" 20 60000
first=$STARTED
start "$PROGRAMS/nofp_deep" 20 60000
second=$STARTED
# no CPU idles: an idle one may deliver no samples
[ "$(nproc)" -le 2 ] || start "$PROGRAMS/threads" $(($(nproc) - 2)) 30000
start true
dead=$STARTED
wait "$dead" 2>/dev/null
start "$PROGRAMS/forker" 2 60000 150
forker=$STARTED
start "$PROGRAMS/threads" 2 60000
timeout 60 "$O/e2e/two_filters" "$forker" "$STARTED" >"$WORK/filters.txt" 2>"$WORK/filters.err" &
filters=$!
timeout 60 "$O/e2e/two_runs" "$first" "$second" "$dead" >"$WORK/two.txt" 2>"$WORK/two.err"
check_is "three runs come to their ends" $? 0
echo "cpus=$(nproc)" >>"$WORK/two.txt"
holds() { equation two "$1"; }

for run in a b c; do
	check "run $run: each window's account adds up" holds "${run}_unbalanced == 0 && ${run}_taken == ${run}_accepted + ${run}_filtered + ${run}_lost"
	check "run $run: nothing is lost" holds "${run}_lost == 0"
	check "run $run: with all CPUs busy few are missed" holds "${run}_missed * 100 < ${run}_expected * 5"
	check "run $run says once that it samples" holds "${run}_sampling == 1"
done

check "the continuous run expects rate x time x CPUs to a part in 100" holds \
	'd = a_expected - 99 * a_duration_us * cpus / 1000000, (d < 0 ? -d : d) * 100 <= a_expected'
check "its windows follow each other without a gap" holds 'a_gap_us_max < 100000 && a_span_us - a_duration_us < 200000'
check "each is a second, and the last one says how long it was" holds \
	'a_windows >= 9 && a_interrupted == 1 && a_last_duration_us < 950000'
check "it stays on its links while others begin, change and end" holds 'links == cpus && links_gone == 0'
check "with the last run the last link goes" holds 'links_after == 0'
check "the ad hoc run expects its own rate, for its own time" holds \
	'd = b_expected - 999 * b_duration_us * cpus / 1000000, (d < 0 ? -d : d) * 50 <= b_expected'
check "one of a second beside it ends by itself" holds \
	'c_windows == 1 && c_interrupted == 0 && c_duration_us >= 998000 && c_duration_us < 3000000' # timers count in ms

# What a run saw of a process against the CPU time that the kernel says it used (in hundredths of a second): within
# four standard deviations of a draw of that many, and 3 %.
near() { holds "n = $2 * $3 / 100, d = $1 - n, d * d <= 16 * n + n * n * 9 / 10000 && n > 20"; }
check "the continuous run saw the first process all the time" near a_pid1 a_ticks1 99
check "and the second" near a_pid2 a_ticks2 99
check "the ad hoc run saw the first until it was taken away" near b_pid1 b_ticks1 999
check "and the second from when it was added to the end, without a gap as the first goes" near b_pid2 b_ticks2 999
check "and nobody else" holds 'b_accepted == b_pid1 + b_pid2'

check "stacks of both runs are whole by tables" holds \
	'a_whole1 * 100 >= a_user1 * 97 && a_whole2 * 100 >= a_user2 * 97 && b_whole1 * 100 >= b_user1 * 97 && b_whole2 * 100 >= b_user2 * 97'
check "those of the continuous run in each window, whatever begins and ends" holds 'a_whole_pct_min >= 97'
check "another rate and dead processes are refused" holds \
	'refused_rate == 1 && refused_dead == 1'

# --- filters that overlap and change (samples by thread name in each phase)

wait "$filters"
check_is "two runs with filters come to their ends" $? 0
saw() { equation filters "$1"; }
check "a run follows what a process forks" saw 'a_alone_forker > 20 && a_alone_worker0 == 0 && a_alone_worker1 == 0'
check "one beside it has the same processes and more, of two thread names" \
	saw 'b_both_forker > 20 && b_both_worker0 > 20 && b_both_worker1 == 0 && b_both_other == 0'
check "live it loses a process with all that came from it, and takes another name" \
	saw 'b_worker > 0 && b_worker_forker == 0 && b_worker_worker0 == 0 && b_worker_worker1 > 20 && b_worker_other == 0'
check "the first has what it had meanwhile" saw 'a_beside > 0 && a_beside_forker > 20 && a_beside_worker0 == 0'
check "and after the other has ended" saw 'a_after > 0 && a_after_forker > 20 && a_after_worker1 == 0'
check "a process is added live" saw 'a_wider_forker > 20 && a_wider_worker0 > 10 && a_wider_worker1 > 10'
check "processes give way to a thread name" \
	saw 'a_names_forker == 0 && a_names_worker0 == 0 && a_names_worker1 > 10 && a_names_other == 0'
check "nothing is lost by filters" saw 'lost == 0'

done_testing
