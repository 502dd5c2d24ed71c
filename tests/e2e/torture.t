#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The daemon is killed at random instants, KILLS times (default 20), while a backend hands out commands: no
# command runs a third time or again after its profile was kept, none is lost, nothing stays in the kernel.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/tap.sh"
needs_kernel
needs_command jq
needs_command python3
needs_command bpftool
here=$(cd "$(dirname "$0")" && pwd)

start "$PROGRAMS/fp_deep" 20 600000
python3 "$here/torture.py" "${KILLS:-20}" ${SEED:+"$SEED"} >"$WORK/found.json" 2>"$WORK/python.err"

found() {
	[ -s "$WORK/found.json" ] && jq -e "$1" "$WORK/found.json" >/dev/null || {
		jq -c '{seed, kills, settled, exit, left, unknown, spool_left}, .adhoc[]' "$WORK/found.json"
		tail -40 "$WORK/daemon.log"
		cat "$WORK/python.err"
		return 1
	}
}

echo "# $(jq -c '{seed, kills, commands: (.adhoc | length), twice: ([.adhoc[] | select(.starts == 2)] | length), continuous_uploads}' \
	"$WORK/found.json")"
check "after the kills commands go on and end" found '.settled and .exit == 0'
check "enough was at stake" found '(.adhoc | length) >= .kills / 4'
check "nothing runs a third time" found '[.adhoc[].starts] | max <= 2'
check "no profile comes twice" found '[.adhoc[].uploads | map(.part) | length - (unique | length)] | max == 0'
check "what ran once more says so, what did not does not" \
	found 'all(.adhoc[]; all(.uploads[]; .restarted) or (all(.uploads[]; .restarted | not)))
		and all(.adhoc[] | select(.starts == 1); all(.uploads[]; .restarted | not))'
check "a command without a profile was killed twice and reported as failed" \
	found 'all(.adhoc[] | select(.uploads == []); .starts == 2 and any(.states[]; .[0] == "failed"))'
check "each command was reported" found 'all(.adhoc[]; any(.reports[]; .success))'
check "what was never sampled is no success" \
	found 'all(.adhoc[] | select(.starts == 0); .reports[0].status == "failed")'
check "the continuous run resumes after each restart" found '.continuous_uploads > 1 and .continuous_after > 1'
check "nothing belongs to no command" found '.unknown == []'
check "nothing stays in the kernel" found '.leaks == 0 and .left == []'
check "only the newest may wait in the spool" found '.spool_left <= 4'

done_testing
