#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The daemon against a live Studio, by the routes that Intel's, Pinterest's and ours have in common:
# PULSEPROF_STUDIO_URL and PULSEPROF_STUDIO_TOKEN name one; else our own is started.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/tap.sh"
. "$(dirname "$0")/profile_facts.sh"
. "$(dirname "$0")/fleet.sh"
needs_kernel
needs_command jq
needs_command curl

SERVICE=pulseprof-live
if [ -n "${PULSEPROF_STUDIO_URL:-}" ]; then
	URL=${PULSEPROF_STUDIO_URL%/}
	TOKEN_FILE=$WORK/token
	(umask 077 && printf '%s' "${PULSEPROF_STUDIO_TOKEN:-}" >"$TOKEN_FILE")
	printf 'Authorization: Bearer %s\n' "${PULSEPROF_STUDIO_TOKEN:-}" >"$WORK/authorization"
	export PULSEPROF_ALLOW_HTTP=yes
else
	check "the studio starts" start_studio
fi

start "$PROGRAMS/fp_deep" 3 120000
one=$STARTED
start "$PROGRAMS/fp_deep" 4 120000
two=$STARTED

# Both forms of the host list: Intel's is bare.
status_of_host() {
	api "/api/metrics/profiling/host_status?service_name=$SERVICE&exact_match=true" |
		jq -r --arg host "$FLEET_HOST" '(.hosts? // .) | map(select(.hostname == $host)) | .[0].profiling_status // "none"'
}
host_status_is() { [ "$(status_of_host)" = "$1" ]; }
host_is_listed() { [ "$(status_of_host)" != none ]; }
# request MEMBERS [PIDS]
request() {
	api /api/metrics/profile_request -H 'Content-Type: application/json' \
		-d "{\"service_name\": \"$SERVICE\", \"target_hosts\": {\"$FLEET_HOST\": ${2:-null}}, $1}" | jq -e '.success'
}
logged() { [ "$(grep -Ec "$1" "$WORK/daemon.log")" -ge "${2:-1}" ]; }
uploaded() { [ "$(grep -c 'ship: sent' "$WORK/daemon.log")" -ge "$1" ]; }

"$O/pulseprofd" --enable-heartbeat-server --upload-results --service-name "$SERVICE" --api-server "$URL" \
	--server-host "$URL" --heartbeat-interval 1 --token-file "$TOKEN_FILE" --log-level debug \
	>"$WORK/daemon.out" 2>"$WORK/daemon.log" &
DAEMON=$!
TAP_PIDS+=("$DAEMON")

check "the heartbeat makes the host known" wait_for 15 host_is_listed
check "an ad hoc profile is ordered" request '"request_type": "start", "duration": 2, "frequency": 49'
check "it is completed" wait_for 15 host_status_is completed
check "its profile is taken" wait_for 20 uploaded 1
check "an allocation profile is ordered" request '"request_type": "start", "duration": 2, "profiling_mode": "allocation"'
check "it is failed" wait_for 15 host_status_is failed
check "a continuous profile is ordered" request '"request_type": "start", "continuous": true, "duration": 2, "frequency": 49'
check "it is completed" wait_for 15 host_status_is completed
check "window after window is taken" wait_for 25 uploaded 3
check "an ad hoc profile beside it is ordered" request '"request_type": "start", "duration": 1, "frequency": 199'
check "it begins" wait_for 15 logged 'starts: rate_hz=199 .*ad hoc'
check "and is taken" wait_for 15 uploaded 5
check_is "the continuous run was not begun anew" "$(grep -c 'starts: .*continuous' "$WORK/daemon.log")" 1
check "a stop is ordered" request '"request_type": "stop", "stop_level": "host"'
check "the run ends" wait_for 15 logged "ends: stopped"

check "a profile of two processes is ordered" \
	request '"request_type": "start", "continuous": true, "duration": 60, "frequency": 49' "[$one, $two]"
check "it begins" wait_for 15 logged 'starts: rate_hz=49 duration_s=60 pids=2 continuous'
check "a stop of one of them is ordered" request '"request_type": "stop", "stop_level": "process"' "[$one]"
check "the run goes on with the other" wait_for 15 logged 'goes on with fewer processes: pids=1'
check "a stop of that, too" request '"request_type": "stop", "stop_level": "process"' "[$two]"
check "the run ends" wait_for 15 logged ' ends: (stopped|all its processes)' 2
check "no heartbeat failed" lacks 'heartbeat failed|could not look for commands' "$WORK/daemon.log"

done_testing
