#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# tests/tally counts for everybody, so it is tested itself: what passes, and each way of failing that a
# careless reader of TAP would count as a pass.
set -u
tally=$(cd "$(dirname "$0")/.." && pwd)/tally
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
export TALLY_DIR=$work/tally

n=0
# counts LINE NAME SCRIPT: the last line of the totals of a suite with this one program.
counts() {
	local want=$1 name=$2 got
	printf '#!/bin/bash\n%s\n' "$3" >"$work/program"
	chmod +x "$work/program"
	"$tally" reset
	"$tally" sample -- "$work/program" >"$work/out" 2>&1
	"$tally" total sample ${4:-} >>"$work/out"
	got=$(tail -n 1 "$work/out")
	n=$((n + 1))
	if [ "$got" = "$want" ]; then
		echo "ok $n - $name"
	else
		echo "not ok $n - $name"
		echo "# wanted '$want', got '$got'"
		sed 's/^/# /' "$work/out"
	fi
}

echo 1..13
counts '2 passed, 0 failed, 0 skipped' "two passed" 'printf "1..2\nok 1 - a\nok 2 - b\n"'
counts '1 passed, 1 failed, 0 skipped' "one failed" 'printf "1..2\nok 1 - a\nnot ok 2 - b\n"; exit 1'
counts '1 passed, 0 failed, 1 skipped' "one skipped" 'printf "1..2\nok 1 - a\nok 2 - b # SKIP no root\n"'
counts '0 passed, 0 failed, 1 skipped' "all skipped" 'echo "1..0 # SKIP no BTF"'
counts '1 passed, 1 failed, 0 skipped' "a short plan fails" 'printf "1..2\nok 1 - a\n"'
counts '1 passed, 1 failed, 0 skipped' "no plan fails" 'printf "ok 1 - a\n"'
counts '0 passed, 1 failed, 0 skipped' "no output fails" 'exit 0'
counts '1 passed, 1 failed, 0 skipped' "a bad exit status fails" 'printf "1..1\nok 1 - a\n"; exit 3'
counts '1 passed, 1 failed, 0 skipped' "a crash fails" 'printf "1..1\nok 1 - a\n"; kill -SEGV $$'
TALLY_DEADLINE_S=1 counts '1 passed, 1 failed, 0 skipped' "a deadline that passed fails" \
	'printf "1..1\nok 1 - a\n"; exec sleep 30'
counts '2 passed, 0 failed, 0 skipped' "two plans of one program add up" \
	'printf "1..1\nok 1 - a\n1..1\nok 1 - b\n"'
counts '1 passed, 1 failed, 0 skipped' "a suite that never ran fails" 'printf "1..1\nok 1 - a\n"' other

"$tally" reset
"$tally" empty -- >/dev/null
rc=$?
n=$((n + 1))
[ $rc = 1 ] && [ "$("$tally" total empty | tail -n 1)" = '0 passed, 1 failed, 0 skipped' ] || printf 'not '
echo "ok $n - a suite without tests fails"
