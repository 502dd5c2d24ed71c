#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The race of flip and drain, forced: programs are held for long between reading the generation and writing
# to its maps. A drain that does not wait for them loses samples or the stacks they refer to; one that waits
# loses nothing.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/tap.sh"
. "$(dirname "$0")/stress_facts.sh"
needs_kernel
[ "$(nproc)" -ge 2 ] || skip_all "needs two CPUs"

# One CPU has new stacks all the time and is held for some 2 ms in each; the drains go on on another, where
# nothing is held: samples come in step on all CPUs, and so would the holding.
cpus=$(taskset -cp $$ | sed 's/.*: *//')
first=${cpus%%[,-]*}
last=${cpus##*[,-]}
start taskset -c "$last" "$PROGRAMS/random_stacks" 26 120000
taskset -cp "$first" $$ >/dev/null

HELD=(rate_hz=249 hold_rounds=60000 drain_ms=2 seconds=4 pid="$STARTED")

stress waited "${HELD[@]}"
check_is "with the wait: the run ends well" "$(value waited err)" 0
check "with the wait: drains met samples" equation waited 'drains > 50 && taken > 500'
check "with the wait: what comes out is what was accepted" equation waited 'drained == accepted'
check "with the wait: taken = accepted + filtered + lost" equation waited 'taken == accepted + filtered + lost'
check "with the wait: no count refers to a stack that was not stored" equation waited 'dangling == 0'

stress unwaited "${HELD[@]}" skip_wait=1
check_is "without the wait: the run ends" "$(value unwaited err)" 0
check "without the wait: drains met samples" equation unwaited 'drains > 50 && taken > 500'
check "without the wait: the loss shows, so this test can see it" \
	equation unwaited 'drained != accepted || dangling > 0'

done_testing
