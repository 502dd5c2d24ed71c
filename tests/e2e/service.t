#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# pulseprofd as a service: what its manager hears, its credential, and that the unit file is right: systemd
# understands it, and with no more capabilities than it leaves a profile is still made.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/tap.sh"
needs_kernel
needs_command python3
needs_command jq
unit=$(cd "$(dirname "$0")/../.." && pwd)/tools/systemd/pulseprofd.service
cd "$WORK" || exit 1
unset GPROFILER_TOKEN

# manager ADDRESS FILE: each message becomes lines of FILE.
manager() {
	python3 - "$1" "$2" <<-'PYTHON' &
		import socket, sys
		address = sys.argv[1].replace("@", "\0", 1)
		listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
		listener.bind(address)
		with open(sys.argv[2], "wb", buffering=0) as out:
		    while True:
		        out.write(listener.recv(4096) + b"\n")
	PYTHON
	TAP_PIDS+=($!)
	wait_for 10 test -e "$2"
}

"$O/pulseprof-studio" --listen 127.0.0.1:0 --state-dir "$WORK/studio" >studio.out 2>studio.log &
TAP_PIDS+=($!)
wait_for 10 grep -q '^listening on ' studio.out
URL=$(sed -n 's/^listening on //p' studio.out)
mkdir -m 700 credentials
cp "$(find "$WORK/studio" -name token)" credentials/token
chmod 400 credentials/token
printf 'Authorization: Bearer %s\n' "$(cat credentials/token)" >authorization
api() { curl -sS -f -m 10 -H "@authorization" "${URL%/}$1" "${@:2}"; }
FLAGS=(--enable-heartbeat-server --upload-results --service-name test --api-server "$URL" --server-host "$URL"
	--heartbeat-interval 1)

# start_daemon COMMAND...: its pid in $daemon, its words in log.
start_daemon() {
	: >log
	"$@" "$O/pulseprofd" "${FLAGS[@]}" >out 2>log &
	daemon=$!
	TAP_PIDS+=("$daemon")
	wait_for 15 grep -q 'daemon: started' log
}
end_daemon() {
	kill -TERM "$daemon"
	wait "$daemon"
}
has_lines() { [ "$(grep -c "$1" "$3")" -ge "$2" ]; }

# --- what its manager hears

manager "$WORK/notify" heard
start_daemon env NOTIFY_SOCKET="$WORK/notify" WATCHDOG_USEC=400000 CREDENTIALS_DIRECTORY="$WORK/credentials"
check "a credential is the token: the studio hears of the host" wait_for 10 bash -c "curl -sf -m 5 -H @authorization \
	${URL%/}/api/studio/hosts | grep -q '$(uname -n)'"
check_is "the first word is that it is ready" "$(head -n 1 heard)" READY=1
check "the watchdog hears from it, twice as often as it must" wait_for 5 has_lines '^WATCHDOG=1$' 4 heard
check_text "with a line for people" '^STATUS=runs: 0, profiles to send: 0$' heard
check "it does not stop yet" lacks STOPPING heard
kill -STOP "$daemon"
sleep 0.3
before=$(grep -c WATCHDOG heard)
sleep 1
check_is "it is silent while it hangs" "$(grep -c WATCHDOG heard)" "$before"
kill -CONT "$daemon"
check "and is heard again" wait_for 5 has_lines '^WATCHDOG=1$' $((before + 1)) heard
end_daemon
check_text "stopping is the last that it says" STOPPING=1 <(tail -n 1 heard)

manager "@pulseprof-$$" heard-abstract
start_daemon env NOTIFY_SOCKET="@pulseprof-$$" CREDENTIALS_DIRECTORY="$WORK/credentials"
check "an address without a file" wait_for 5 has_lines '^READY=1$' 1 heard-abstract
check "no watchdog is fed that nobody asked for" lacks WATCHDOG heard-abstract
end_daemon
start_daemon env NOTIFY_SOCKET="$WORK/nobody" WATCHDOG_USEC=x CREDENTIALS_DIRECTORY="$WORK/credentials"
check_text "a manager that is not there is told" "no service manager at '$WORK/nobody', going on" log
end_daemon

# --- the unit file

if command -v systemd-analyze >/dev/null; then
	sed "s,^ExecStart=[^ ]*,ExecStart=$O/pulseprofd," "$unit" >pulseprofd.service
	check "systemd understands the unit file" systemd-analyze verify ./pulseprofd.service
	check "and has no word of it to ignore" is "$(systemd-analyze verify ./pulseprofd.service 2>&1)" ""
else
	echo "# no systemd-analyze here: the unit file is not verified"
fi
capabilities=$(sed -n 's/^CapabilityBoundingSet=//p' "$unit" | tr 'A-Z ' 'a-z,' | sed 's/cap_/+/g')
start "$PROGRAMS/fp_deep" 10 120000
busy=$STARTED
start_daemon env CREDENTIALS_DIRECTORY="$WORK/credentials" setpriv --no-new-privs --bounding-set "-all,$capabilities" \
	--inh-caps=-all --
check "it starts with the capabilities of the unit" kill -0 "$daemon"
check_is "and has no others" "$(sed -n 's/^CapPrm:\t//p' "/proc/$daemon/status")" \
	"$(sed -n 's/^CapBnd:\t//p' "/proc/$daemon/status")"
wait_for 10 bash -c "curl -sf -m 5 -H @authorization ${URL%/}/api/studio/hosts | grep -q '$(uname -n)'"
api /api/metrics/profile_request -H 'Content-Type: application/json' -d "{\"service_name\": \"test\",
	\"request_type\": \"start\", \"continuous\": false, \"duration\": 1, \"frequency\": 99,
	\"profiling_mode\": \"cpu\", \"target_hosts\": {\"$(uname -n)\": [$busy]}}" >/dev/null
profiles() { api /api/studio/profiles | jq '[.. | objects | select(has("id") and has("samples"))] | length'; }
has_profiles() { [ "$(profiles)" -ge 1 ]; }
check "a command is carried out with them" wait_for 20 has_profiles
check "and nothing is missed" lacks 'error|warn|cannot|-EPERM|-EACCES' log
end_daemon

# --- quiet hours, which begin in a moment: a time zone of whole seconds makes it so

order() {
	api /api/metrics/profile_request -H 'Content-Type: application/json' -d "{\"service_name\": \"test\",
		\"request_type\": \"start\", \"continuous\": false, \"duration\": 60, \"frequency\": 99,
		\"profiling_mode\": \"cpu\", \"target_hosts\": {\"$(uname -n)\": null}}" >/dev/null
}
is_sampling() { readlink "/proc/$daemon"/fd/* | grep -q perf_event; }
is_quiet() { ! is_sampling; }
now=$(date -u +%s)
ahead=$((((72000 - 6 - now) % 86400 + 86400) % 86400)) # it is 19:59:54 there
TZ=HERE-$((ahead / 3600)):$((ahead / 60 % 60)):$((ahead % 60)) start_daemon env \
	CREDENTIALS_DIRECTORY="$WORK/credentials" PULSEPROF_POLICY_QUIET_HOURS=20:00-20:30
order
check "a run may begin before quiet hours" wait_for 4 is_sampling
check "and is ended when they begin" wait_for 10 is_quiet
check_text "which is said" 'quiet hours, ends its runs' log
check "what it collected is sent" wait_for 10 bash -c "[ \"\$(curl -sf -m 5 -H @authorization ${URL%/}/api/studio/profiles |
	jq '[.. | objects | select(has(\"id\") and has(\"samples\"))] | length')\" = 2 ]"
end_daemon

done_testing
