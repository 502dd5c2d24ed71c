# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# What every end-to-end test begins with: TAP lines, a folder of its own, processes that are ended with
# the test, waiting with a deadline. Sourced by bash, not run; knows nothing of what is tested.
# shellcheck shell=bash

O=${O:-build}
O=$(cd "$O" && pwd) || exit 1
PULSEPROF=$O/pulseprof
PROGRAMS=$O/programs
WORK=$(mktemp -d /tmp/pulseprof-e2e.XXXXXX)
chmod 755 "$WORK"
TAP_CNT=0
TAP_FAILED=0
TAP_PIDS=()
export PULSEPROF PROGRAMS WORK
export TMPDIR=$WORK PULSEPROF_CONFIG=$WORK/pulseprofd.conf PULSEPROF_STATE_DIR=$WORK/state PULSEPROF_RUN_DIR=$WORK/run
: >"$PULSEPROF_CONFIG"

tap_cleanup() {
	local status=$? pid
	for pid in "${TAP_PIDS[@]}"; do
		stop "$pid"
	done
	if declare -F cleanup >/dev/null; then
		cleanup
	fi
	rm -rf "$WORK"
	exit "$status"
}
trap tap_cleanup EXIT
trap 'exit 1' INT TERM

skip_all() {
	echo "1..0 # SKIP $1"
	exit 0
}

needs_kernel() {
	[ "$(id -u)" = 0 ] || skip_all "needs root"
	[ -r /sys/kernel/btf/vmlinux ] || skip_all "needs kernel BTF"
}

needs_command() {
	command -v "$1" >/dev/null || skip_all "needs $1"
}

# check WHAT COMMAND...: one test, passed if the command succeeds.
check() {
	local what=$1
	shift
	TAP_CNT=$((TAP_CNT + 1))
	if "$@" >"$WORK/tap.out" 2>&1; then
		echo "ok $TAP_CNT - $what"
	else
		TAP_FAILED=$((TAP_FAILED + 1))
		echo "not ok $TAP_CNT - $what"
		echo "# failed: $*" | head -c 400
		echo
		head -c 4000 "$WORK/tap.out" | sed 's/^/# /'
	fi
}

is() {
	[ "$1" = "$2" ] || {
		echo "got    $1"
		echo "wanted $2"
		return 1
	}
}

# check_is WHAT GOT WANTED
check_is() {
	check "$1" is "$2" "$3"
}

# has PATTERN FILE: a line matches (grep -E); lacks PATTERN FILE: none does.
has() {
	local text
	text=$(cat "$2")
	grep -Eq -- "$1" <<<"$text" || {
		echo "no match for $1 in:"
		head -c 2000 <<<"$text"
		return 1
	}
}

lacks() {
	! grep -Eo -m 5 -- ".{0,80}($1).{0,80}" "$2"
}

# check_text WHAT PATTERN FILE
check_text() {
	check "$1" has "$2" "$3"
}

lines_between() {
	local cnt
	cnt=$(wc -l <"$3")
	if [ "$cnt" -lt "$1" ] || [ "$cnt" -gt "$2" ]; then
		cat "$3"
		return 1
	fi
}

done_testing() {
	echo "1..$TAP_CNT"
	[ "$TAP_FAILED" = 0 ]
}

# start COMMAND...: in the background, killed when the test ends; its pid in $STARTED.
start() {
	"$@" >/dev/null 2>&1 &
	STARTED=$!
	TAP_PIDS+=("$STARTED")
}

# stop PID: for good, without a word from the shell.
stop() {
	{
		kill -KILL "$1"
		wait "$1"
	} 2>/dev/null
	return 0
}

# wait_for SECONDS COMMAND...: until it succeeds.
wait_for() {
	local deadline=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$SECONDS" -lt "$deadline" ] || return 1
		sleep 0.05
	done
}
