#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Names of a stripped program from a debuginfod server: fetched in the background, in the next profile; a file that is
# another's is never used; off unless servers are named. The server is a plain HTTP one.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/tap.sh"
. "$(dirname "$0")/profile_facts.sh"
. "$(dirname "$0")/fleet.sh"
needs_kernel
needs_command jq
needs_command curl
needs_command python3
needs_command objcopy

# stripped PROGRAM: a copy without symbols, its debug file at the server.
stripped() {
	BUILD_ID=$(readelf -n "$PROGRAMS/$1" | sed -n 's/.*Build ID: //p')
	mkdir -p "$WORK/www/buildid/$BUILD_ID"
	objcopy --only-keep-debug "$PROGRAMS/$1" "$WORK/www/buildid/$BUILD_ID/debuginfo"
	objcopy --strip-all "$PROGRAMS/$1" "$WORK/$1"
}
mkdir -p "$WORK/www"
stripped threads
GOOD=$BUILD_ID
python3 -u -m http.server --bind 127.0.0.1 --directory "$WORK/www" 0 >"$WORK/http.out" 2>"$WORK/http.log" &
TAP_PIDS+=("$!")
has_port() { PORT=$(sed -n 's/.*port \([0-9]*\).*/\1/p' "$WORK/http.out") && [ -n "$PORT" ]; }
check "the server of debug files is there" wait_for 10 has_port
check "the studio starts" start_studio
start_daemon 1
counted() { "$PULSEPROF" -j metrics show | jq -e "$1"; }
check "without servers a daemon runs" wait_for 20 counted 'any(.. | objects; .name == "debug_files_fetched")'
start "$WORK/threads" 2 300000
PID=$STARTED

# session NAME: a profile of a second by the daemon.
session() {
	"$PULSEPROF" session start --pid "$PID" --duration 1 --rate 199 --format collapsed --output "$WORK/$1.col" >"$WORK/$1.id"
	wait_for 30 test -s "$WORK/$1.col"
}
has_names() { grep -Eq ';(work;burn_|descend)' "$WORK/$1.col"; }
lacks_names() { test -s "$WORK/$1.col" && ! has_names "$1"; }
named_soon() {
	rm -f "$WORK/again.col"
	session again && has_names again
}
check "a session ends" session off
check "off: no names" lacks_names off
check "off: nobody was asked" test ! -s "$WORK/http.log"
stop "$DAEMON"

export PULSEPROF_DEBUGINFOD_URLS="http://127.0.0.1:1 http://127.0.0.1:$PORT/"
start_daemon 1
check "with servers, too" wait_for 20 counted 'any(.. | objects; .name == "debug_files_fetched")'
check "a first session" session first
check "is not kept waiting by a fetch" lacks_names first
check "a later one has the names" wait_for 30 named_soon
check "fetched once, from the second server" test "$(grep -c "GET /buildid/$GOOD/debuginfo .* 200" "$WORK/http.log")" = 1
check "kept for the owner only" test "$(stat -c %a "$PULSEPROF_STATE_DIR/debug/$GOOD.debug")" = 600
check "and counted" counted 'any(.. | objects; .name == "debug_files_fetched" and .value >= 1)'
unset PULSEPROF_DEBUGINFOD_URLS
record cli --pid "$PID" --rate 199 --duration 1
check "the command line uses what was fetched" share_between cli ';work;burn_' 50 100
stop "$PID"

# --- what is no debug file of it

stripped fp_deep
cp "$WORK/www/buildid/$GOOD/debuginfo" "$WORK/www/buildid/$BUILD_ID/debuginfo"
start "$WORK/fp_deep" 3 300000
PID=$STARTED
check "a program whose debug file is another's" session wrong
check "the server is asked" wait_for 30 grep -q "GET /buildid/$BUILD_ID" "$WORK/http.log"
check "and what it gave is refused" wait_for 30 counted 'any(.. | objects; .name == "debug_files_failed" and .value >= 1)'
check "nothing of it stays" test ! -e "$PULSEPROF_STATE_DIR/debug/$BUILD_ID.debug" -a ! -e "$PULSEPROF_STATE_DIR/debug/fetching"
rm -f "$WORK/again.col"
check "profiles are made without it" session again
check "and without its names" lacks_names again
check "nor is it asked for again" test "$(grep -c "GET /buildid/$BUILD_ID" "$WORK/http.log")" = 1
stop "$DAEMON"
done_testing
