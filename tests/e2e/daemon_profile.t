#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The golden thread: an operator orders a profile at the studio, the daemon's next heartbeat brings the
# command, and the known program's stack and flame graph come back. Partial, continuous and failing orders too.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/tap.sh"
. "$(dirname "$0")/profile_facts.sh"
. "$(dirname "$0")/fleet.sh"
needs_kernel
needs_command jq
needs_command curl

start "$PROGRAMS/fp_deep" 20 120000
deep=$STARTED
STACK=';fp_deep;_start;run(;descend){21};bottom;leaf_(50|30|20)(;[^ ;]*_\[k\])* [0-9]+$'
newest() { profiles | sort -n | tail -1; }
more_than() { [ "$(profiles | wc -l)" -gt "$1" ]; }

check "the studio starts" start_studio
start_daemon 1
host_is_known() { api /api/studio/hosts | jq -e --arg host "$FLEET_HOST" '.hosts | any(.hostname == $host)'; }
check "the daemon's heartbeat makes the host known" wait_for 10 host_is_known

# --- ad hoc

check "a profile is ordered" order '"request_type": "start", "duration": 3, "frequency": 199'
check "the command is reported as completed" wait_for 10 command_is completed
check "its profile arrives" wait_for 20 more_than 0
check "and can be fetched" fetch adhoc "$(newest)"
check "it has the known stack" share_between adhoc "$STACK" 20 100
check "its lines have the grammar" grammar_holds adhoc
check_text "its flame graph is a page with that function" 'leaf_50' "$WORK/adhoc.html"
check_text "served in a sandbox" '^[Cc]ontent-[Ss]ecurity-[Pp]olicy:.*sandbox' "$WORK/adhoc.head"

# --- some processes only

cnt=$(profiles | wc -l)
check "a profile of one process is ordered" \
	order '"request_type": "start", "duration": 2, "frequency": 199' "[$deep]"
check "it arrives" wait_for 20 more_than "$cnt"
fetch process "$(newest)"
check "and has that process only" share_between process "$STACK" 97 100

# --- stopped early

cnt=$(profiles | wc -l)
check "a long profile is ordered" order '"request_type": "start", "duration": 600, "frequency": 199'
check "it begins" wait_for 10 command_is completed
sleep 2
check "a stop is ordered" order '"request_type": "stop", "stop_level": "host"'
check "the partial profile arrives" wait_for 10 more_than "$cnt"
fetch partial "$(newest)"
check "with the samples until then" share_between partial "$STACK" 20 100
check "the stop is reported as completed" wait_for 10 command_is completed

# --- continuous

cnt=$(profiles | wc -l)
check "a continuous profile is ordered" \
	order '"request_type": "start", "continuous": true, "duration": 2, "frequency": 99'
check "window after window arrives" wait_for 25 more_than $((cnt + 2))
fetch window "$(newest)"
check "each with the known stack" share_between window "$STACK" 20 100
check "it is stopped" order '"request_type": "stop", "stop_level": "host"'
check "the stop is reported" wait_for 10 command_is completed
sleep 3
cnt=$(profiles | wc -l)
sleep 4
check_is "and nothing comes any more" "$(profiles | wc -l)" "$cnt"

# --- what cannot be done

start true
wait "$STARTED" 2>/dev/null
check "a profile of a dead process is ordered" order '"request_type": "start", "duration": 2' "[$STARTED]"
check "it is reported as failed" wait_for 10 command_is failed
check_text "with a reason" '[a-z]{3}' <(command_error | grep -v '^null$')
check "an allocation profile is ordered" order '"request_type": "start", "duration": 2, "profiling_mode": "allocation"'
check "it is reported as failed" wait_for 10 command_is failed
check_text "with a reason" 'allocation' <(command_error)
check_is "neither left a profile" "$(profiles | wc -l)" "$cnt"
check "the daemon still works" order '"request_type": "start", "duration": 1'
check "and delivers" wait_for 15 more_than "$cnt"

# --- one daemon on a host

timeout 10 "$O/pulseprofd" --enable-heartbeat-server --upload-results --service-name e2e --api-server "$URL" \
	--server-host "$URL" --token-file "$TOKEN_FILE" >"$WORK/second.out" 2>"$WORK/second.err"
check "a second daemon refuses to start" test $? = 1
check_text "and says that one runs" 'run|lock|already|other' "$WORK/second.err"

kill "$DAEMON"
daemon_gone() { ! kill -0 "$DAEMON"; }
check "the daemon ends when asked" wait_for 5 daemon_gone

# --- and started again

check "it leaves the names that it read" test -s "$WORK/state/names/symbols"
start_daemon 1
cnt=$(profiles | wc -l)
check "after a restart, too, profiles are made" wait_for 20 order '"request_type": "start", "duration": 1, "frequency": 199'
check "and arrive" wait_for 20 more_than "$cnt"
fetch again "$(newest)"
check "with the known stack" share_between again "$STACK" 20 100
hits() { "$PULSEPROF" metrics show -j | jq '.[] | select(.name == "symbol_cache_hits") | .value'; }
check "whose names were known" test "$(hits)" -gt 5
kill "$DAEMON"
wait_for 5 daemon_gone
check "no secret is in its log" lacks "$(cat "$TOKEN_FILE")" "$WORK/daemon.log"

done_testing
