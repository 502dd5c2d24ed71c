#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The race of flip and drain, forced: programs are held for long between reading the generation and writing
# to its maps. A drain that does not wait for them loses samples or the stacks they refer to; one that waits
# loses nothing.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/tap.sh"
. "$(dirname "$0")/stress_facts.sh"
needs_kernel

start "$PROGRAMS/random_stacks" 26 120000
start "$PROGRAMS/random_stacks" 26 120000

# A clock read of some 30 ns each: 20,000 rounds are most of a millisecond.
HELD=(rate_hz=999 hold_rounds=20000 drain_ms=2 seconds=4)

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
