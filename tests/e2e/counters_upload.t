#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Counters in uploads: a command with enable_perfspect brings the figures of each window with its profile, as JSON and as
# one page that needs nothing else; without it there are none, and no program counts.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/tap.sh"
needs_kernel
needs_command jq
needs_command python3
RIG=$(dirname "$(readlink -f "$0")")/counters_rig.py
cd "$WORK" || exit 1
printf 'token' >token
chmod 600 token

# serve NAME CONFIG: a backend and a daemon; headers in NAME/N.json.
serve() {
	mkdir "$1"
	start python3 "$RIG" "$1.url" "$2" "$1"
	BACKEND=$STARTED
	wait_for 10 test -s "$1.url"
	URL=$(cat "$1.url")
	PULSEPROF_STATE_DIR=$WORK/state.$1 "$O/pulseprofd" --enable-heartbeat-server --upload-results --service-name s \
		--server-host "$URL" --api-server "$URL" --token-file token --heartbeat-interval 1 >"$1.out" 2>"$1.log" &
	DAEMON=$!
	TAP_PIDS+=("$DAEMON")
}
end() {
	stop "$DAEMON"
	stop "$BACKEND"
}

"$PROGRAMS/faults" 100 20000 60000 >/dev/null &
WORKLOAD=$!
TAP_PIDS+=("$WORKLOAD")
serve on '{"continuous": true, "duration": 2, "frequency": 99, "enable_perfspect": true}'
check "windows are uploaded" wait_for 30 test -s on/3.json
programs() { "$PULSEPROF" -j prog list | jq '[.[] | select(.name == "pp_switch")] | length'; }
check_is "the counting program is there while it is asked for" "$(programs)" 1
end
detail() { jq -c ".header.hwmetrics_detail | $1" "on/$2.json"; }
check "each upload describes its own window" jq -e '.header.hwmetrics_detail.window_s | . > 1.8 and . < 2.6' on/2.json
check "a later one, too, and not the same" test "$(detail .scopes[0].on_cpu_ns 2)" != "$(detail .scopes[0].on_cpu_ns 3)"
check "the host's figures are there" jq -e '.header.hwmetrics_detail.scopes[0] | .scope == "system" and
	.metrics.cpu_utilization.value > 10 and .metrics.context_switches.status == "ok"' on/2.json
check "the workload's are" jq -e --arg pid "$WORKLOAD" '.header.hwmetrics_detail.scopes |
	any(.[]; .scope == "process" and .id == $pid and .name == "faults" and .on_cpu_ns > 100000000)' on/2.json
check "what each event is, and whether it counts" jq -e '.header.hwmetrics_detail.events |
	all(.[]; .status == "ok" or (.why | length > 5))' on/2.json
if [ ! -d /sys/bus/event_source/devices/cpu ]; then
	check "without a PMU nothing of hardware is told" jq -e '.header.hwmetrics == null and
		.header.hwmetrics_detail.pmu.status == "none"' on/2.json
	check "no value is invented" jq -e 'all(.header.hwmetrics_detail.scopes[].metrics.ipc; .value == null and .status == "not_supported")' on/2.json
fi
check "CPU and memory averages are there, as always" jq -e '.header.metrics.cpu_avg > 10 and .header.metrics.mem_avg > 0 and .body.cpu_avg > 10' on/2.json
jq -r .header.htmlblob on/2.json | base64 -d | gunzip >report.html
check "the page is HTML" grep -q '^<!DOCTYPE html>' report.html
check "with the host's figures" grep -q 'cpu_utilization' report.html
check "and pictures" grep -q '<svg' report.html
# shellcheck disable=SC2016
check "it needs nothing from elsewhere and runs nothing" bash -c '! grep -qiE "<script|src=|href=|https?://|@import|url\(" report.html'
check "it is small" test "$(stat -c %s report.html)" -lt 100000
check "the program is gone with the run" wait_for 5 bash -c '! bpftool prog 2>/dev/null | grep -q "name pp_switch"'

serve off '{"continuous": true, "duration": 1, "frequency": 99}'
check "without the wish profiles come" wait_for 30 test -s off/2.json
check_is "nobody counts" "$(programs)" 0
end
check "and there are no counters" jq -e '.header | .hwmetrics == null and .htmlblob == null and (has("hwmetrics_detail") | not)' off/2.json
# an event of the command in place of time
serve event '{"continuous": true, "duration": 1, "profiler_configs": {"perf": {"events": ["page-faults"]}}}'
check "profiles of an event come" wait_for 30 test -s event/2.json
end
check_is "and say which" "$(jq -r .header.metadata.run_arguments.perf_events event/2.json)" page-faults

kill "$WORKLOAD"
done_testing
