#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# `make run` without a terminal: the whole way from an operator's order to a flame graph, in less than a
# minute, and nothing is left running.
cd "$(dirname "$0")/../.." || exit 1
. tests/e2e/tap.sh
needs_kernel
needs_command curl

started=$SECONDS
SUDO_UID=65534 SUDO_GID=65534 tools/run >"$WORK/out" 2>"$WORK/err" </dev/null
check_is "it succeeds" "$?" 0
check "in less than a minute" test $((SECONDS - started)) -lt 60
check_is "without a complaint" "$(cat "$WORK/err")" ""
check_is "ten functions are shown" "$(grep -c '^ *[0-9.]* % *[0-9]*  [^ ]' "$WORK/out")" 10
check_text "the load that it started is among them" '%.* leaf_50$' "$WORK/out"
page=$(sed -n 's/^flame graph: //p' "$WORK/out")
check_text "the flame graph knows that load too" 'leaf_50' "${page:-/dev/null}"
check_text "the address of the page is shown" '^page: *http://127\.0\.0\.1:[0-9]*/$' "$WORK/out"
url=$(sed -n 's/^page: *//p' "$WORK/out")
check_is "the studio is gone" "$(curl -s -o "$WORK/page" -w '%{http_code}' "$url")" 000
check_is "its files belong to who called sudo" "$(find "$O/run" ! -user 65534 | head -n 1)" ""
check "the token is readable by them only" test "$(stat -c %a "$O/run/state/studio/token")" = 600

done_testing
