#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The arithmetic of samples under stress: at 20,000 Hz, with maps made far too small, while all drains go on,
# every sample taken is accepted, filtered or lost by name, and everything accepted comes out.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/tap.sh"
. "$(dirname "$0")/stress_facts.sh"
needs_kernel

start "$PROGRAMS/random_stacks" 26 120000
start "$PROGRAMS/fp_deep" 120 120000
start "$PROGRAMS/syscall_heavy" 120000

balanced() {
	check "$2: the run ends well" is "$(value "$1" err)" 0
	check "$2: taken = accepted + filtered + lost" equation "$1" 'taken == accepted + filtered + lost'
	check "$2: what comes out is what was accepted" equation "$1" 'drained == accepted'
	check "$2: not more is taken than expected" equation "$1" 'taken <= expected + expected / 1000 + 2'
	check "$2: no count refers to a stack that was not stored" equation "$1" 'dangling == 0 && shapeless == 0'
}

stress full seconds=3
balanced full "99 Hz"
check "99 Hz: nothing is lost" equation full 'lost == 0 && counter_overflowed == 0'

stress fast rate_hz=20000 seconds=4
balanced fast "20,000 Hz"
check "20,000 Hz: there were that many" equation fast 'taken > 50000'

stress tiny rate_hz=20000 seconds=4 count_entries=32 stack_entries=32
balanced tiny "maps of 32 entries"
check "maps of 32 entries: the ring took what did not fit" equation tiny 'counter_overflowed > 1000'

stress none rate_hz=20000 seconds=4 count_entries=32 stack_entries=32 ring_bytes=4096 drain_ms=2000
balanced none "no room at all"
check "no room at all: the loss has its counter" equation none 'lost > 1000 && lost == counter_maps_full + counter_no_scratch'

stress stacks rate_hz=20000 seconds=4 stack_entries=16
balanced stacks "stack maps smaller than the counts"

stress counts rate_hz=20000 seconds=4 count_entries=16
balanced counts "count maps smaller than the stacks"

stress often rate_hz=20000 seconds=4 drain_ms=1
balanced often "a drain each millisecond"
check "a drain each millisecond: there were many" equation often 'drains > 200'

# A run beside another that begins and ends all the time, in the middle of drains, over maps too small for both.
stress beside rate_hz=5000 seconds=3 restarts=40 beside=997 drain_ms=3 count_entries=64 stack_entries=64
balanced beside "41 runs"
check "the run beside them: taken = accepted + filtered + lost" \
	equation beside 'beside_taken == beside_accepted + beside_idle + beside_lost'
check "the run beside them: what comes out is what was accepted" equation beside 'beside_drained == beside_accepted'
check "the run beside them: expected is its rate by its time, as if it were alone" \
	equation beside 'd = beside_expected - beside_enabled_us * 997 / 1000000, d > -100 && d < 100 && beside_expected > 2500'
check "both were sampled" equation beside 'taken > 5000 && beside_taken > 1000'

done_testing
