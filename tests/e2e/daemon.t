#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# pulseprofd as a program: what it refuses to start with, one per host, that it is still while idle, how
# it ends. What it does with commands is another test.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/tap.sh"
needs_kernel
needs_command jq
cd "$WORK" || exit 1
DAEMON=$O/pulseprofd
unset GPROFILER_TOKEN

# A port where nobody listens: heartbeats fail, the daemon goes on.
URL=http://127.0.0.1:9
FLAGS=(--enable-heartbeat-server --upload-results --service-name test --api-server "$URL" --server-host "$URL"
	--heartbeat-interval 1)
export GPROFILER_TOKEN=secret-of-the-test

# refused WHAT CODE PATTERN COMMAND...: one line on stderr, within 5 s.
refused() {
	local what=$1 code=$2 pattern=$3
	shift 3
	timeout 5 "$@" >out 2>err
	check_is "$what: exit code $code" $? "$code"
	check_text "$what: told" "$pattern" err
	check "$what: in one line" lines_between 1 1 err
	check_is "$what: nothing on stdout" "$(wc -c <out)" 0
}

"$DAEMON" --help >out 2>err
check_is "--help succeeds" $? 0
check_text "--help names the settings" '--heartbeat-interval' out
"$DAEMON" --version >out
check_text "--version" '^pulseprofd [0-9.]+$' out

# --- settings

refused "no settings" 2 'without --enable-heartbeat-server, --upload-results, --service-name, --api-server' \
	env -u GPROFILER_TOKEN "$DAEMON"
refused "no token" 2 'without --token-file' env -u GPROFILER_TOKEN "$DAEMON" "${FLAGS[@]}"
refused "an unknown flag" 2 'frob' "$DAEMON" "${FLAGS[@]}" --frob
refused "a rate out of range" 2 'profiling-frequency' "$DAEMON" "${FLAGS[@]}" --profiling-frequency 10001
refused "an address that is none" 2 'api-server' "$DAEMON" "${FLAGS[@]}" --api-server ftp://x
refused "a token that is empty" 2 'is not a token' "$DAEMON" "${FLAGS[@]}" --token=
refused "http to another host" 2 'clear text, use https or --allow-http' \
	"$DAEMON" "${FLAGS[@]}" --server-host http://studio.example.org
refused "a password in an address" 2 'must not hold a user or password' \
	"$DAEMON" "${FLAGS[@]}" --api-server https://u:p@studio.example.org
refused "no checks of certificates where they are required" 2 'no-verify is refused' \
	env PULSEPROF_TLS_VERIFY=required "$DAEMON" "${FLAGS[@]}" --no-verify
refused "a tls_verify of another kind" 2 'required or default' "$DAEMON" "${FLAGS[@]}" --tls-verify no
refused "a certificate without its key" 2 'belong together' "$DAEMON" "${FLAGS[@]}" --tls-client-cert /dev/null
refused "a CA bundle that is not there" 2 "'/absent' for TLS: -ENOENT" "$DAEMON" "${FLAGS[@]}" --tls-ca-bundle /absent
refused "quiet hours that are none" 2 "'policy_quiet_hours' must be two times" \
	"$DAEMON" "${FLAGS[@]}" --policy-quiet-hours 25:00-26:00
refused "a policy for unknown targets" 2 "'policy_targets' must be host, pids or both" \
	"$DAEMON" "${FLAGS[@]}" --policy-targets moon
echo 'user' >basic
chmod 600 basic
refused "a user without a password" 2 'not user:password' "$DAEMON" "${FLAGS[@]}" --api-basic-auth-file basic
echo 'X-Team: a' >headers
chmod 644 headers
refused "headers that everyone can read" 2 "'headers' can be read by every user" \
	"$DAEMON" "${FLAGS[@]}" --server-headers-file headers
chmod 600 headers
echo 'Content-Length: 3' >>headers
refused "a header that is the request's own" 2 "'headers', line 2" "$DAEMON" "${FLAGS[@]}" --api-headers-file headers
echo secret >token
chmod 644 token
refused "a token that everyone can read" 2 "'token' can be read by every user" \
	env -u GPROFILER_TOKEN "$DAEMON" "${FLAGS[@]}" --token-file token
chmod 622 token
refused "a token that others can write" 2 'token' env -u GPROFILER_TOKEN "$DAEMON" "${FLAGS[@]}" --token-file token
mkfifo pipe
refused "a token from a pipe" 2 'pipe' env -u GPROFILER_TOKEN "$DAEMON" "${FLAGS[@]}" --token-file pipe
echo 'frob = 1' >bad.conf
refused "a damaged configuration" 2 'bad.conf:1' env PULSEPROF_CONFIG="$WORK/bad.conf" "$DAEMON" "${FLAGS[@]}"

# --- places

for place in state run; do
	mkdir -m 777 "open-$place"
	chmod 777 "open-$place"
	refused "a $place directory that others may write" 1 "'open-$place' belongs to another user or others" \
		"$DAEMON" "${FLAGS[@]}" --$place-dir "open-$place"
	mkdir -m 700 "nobody-$place"
	chown 65534 "nobody-$place"
	refused "a $place directory of another user" 1 "'nobody-$place' belongs to another user" \
		"$DAEMON" "${FLAGS[@]}" --$place-dir "nobody-$place"
	ln -sfn /tmp "link-$place"
	refused "a $place directory that is a link" 1 "link-$place" "$DAEMON" "${FLAGS[@]}" --$place-dir "link-$place"
done
cp "$DAEMON" pulseprofd-nobody
chmod 755 pulseprofd-nobody
chmod 1777 "$WORK"
refused "without privileges" 4 'permission' setpriv --reuid 65534 --regid 65534 --clear-groups --bounding-set -all \
	"$WORK/pulseprofd-nobody" "${FLAGS[@]}" --state-dir "$WORK/n1" --run-dir "$WORK/n2"
chmod 755 "$WORK"

# --- one daemon

# start_daemon: its pid in $daemon, its words in log.
start_daemon() {
	: >log # the words of the one before would look like this one's
	"$DAEMON" "${FLAGS[@]}" "$@" >daemon.out 2>log &
	daemon=$!
	TAP_PIDS+=("$daemon")
	wait_for 15 grep -q 'daemon: started' log
}
ended() { ! kill -0 "$1"; }
ends_with() { # SECONDS CODE
	wait_for "$1" ended "$daemon" || return 1
	wait "$daemon"
	is $? "$2"
}

check "it starts" start_daemon
check_is "the state directory is private" "$(stat -c %a "$PULSEPROF_STATE_DIR")" 700
check_is "so is the run directory" "$(stat -c %a "$PULSEPROF_RUN_DIR")" 700
check "so is every file there" test -z "$(find "$PULSEPROF_STATE_DIR" "$PULSEPROF_RUN_DIR" -type f ! -perm 600)"
refused "a second daemon" 1 "another pulseprofd runs on this host, pid=$daemon\$" "$DAEMON" "${FLAGS[@]}"
check "the first one is not disturbed" kill -0 "$daemon"
check "the token is not in its environment" bash -c "! tr '\0' '\n' <'/proc/$daemon/environ' | grep -q secret"
check "nor in its words" lacks secret log
check "a server that is not there is told once" wait_for 10 grep -q 'heartbeat failed, going on' log
kill -HUP "$daemon"
check "SIGHUP is told and survived" wait_for 5 grep -q 'ignoring signal=1' log

# The token where it must not be seen. Dumping is off as a whole: no page of it can be left out of a core.
dumps_core() { # COMMAND...: ended by SIGSEGV, does the kernel write a core?
	perl -e 'my $pid = fork; if (!$pid) { open(STDERR, ">", "core.err"); exec @ARGV; exit 1; }
		$SIG{ALRM} = sub { kill "SEGV", $pid }; alarm 1; waitpid $pid, 0 while kill 0, $pid;
		print "ended ", $? & 127, "\n"; exit !($? & 128)' "$@"
}
kill -TERM "$daemon"
wait_for 5 ended "$daemon"
check "it starts with a token on the command line" start_daemon --token s3cret-word
check_text "which is warned about" 'everyone could read the token on the command line' log
check "the command line shows none" bash -c "! tr '\0' ' ' <'/proc/$daemon/cmdline' | grep -q s3cret-word"
check_text "but the rest of it" '--token \*+ $' <(tr '\0' ' ' <"/proc/$daemon/cmdline")
check "nor do its words" lacks 's3cret|secret-of' log
check "nor its files" bash -c "! grep -rlE 's3cret-word|secret-of' '$PULSEPROF_STATE_DIR' '$PULSEPROF_RUN_DIR'"
check "it has no children to inherit one" test -z "$(cat "/proc/$daemon/task/$daemon/children")"
kill -TERM "$daemon"
wait_for 5 ended "$daemon"
if (ulimit -c unlimited && mkdir cores && cd cores && dumps_core sleep 10 >/dev/null); then
	check "a crash leaves no core" bash -c "$(declare -f dumps_core); ulimit -c unlimited; cd cores
		! dumps_core '$DAEMON' ${FLAGS[*]} >ended && grep -qx 'ended 11' ended"
	rm -rf cores
else
	echo "# cores are not written here at all"
fi
check "options of the agent are taken" start_daemon -c -v --perf-mode=smart --java-safemode --no-python --pids 1
check_text "those that mean nothing are named, once" \
	'ignored, there is nothing here for them to do: --perf-mode, --java-safemode, --no-python, --pids$' log

# Idle: programs are loaded, nothing is attached, no perf event is open, the programs' own counters stand still.
# Only its own are asked for: others on this host may have programs of the same names.
ids=$(sed -n 's/^prog_id:[^0-9]*//p' "/proc/$daemon"/fdinfo/* | sort -un | jq -s .)
own_progs() { "$PULSEPROF" -j prog list | jq --argjson ids "$ids" 'map(select(.id | IN($ids[])))'; }
own_links() { "$PULSEPROF" -j link list | jq --argjson ids "$ids" 'map(select(.prog_id | IN($ids[])))'; }
empty() { "$@" | jq -e 'length == 0'; }
own_progs >progs
check "its programs are loaded" jq -e 'any(.[]; .name == "pp_sample")' progs
check "none is attached" jq -e 'all(.[]; .attached | not)' progs
check "there is no link" empty own_links
check "nor in its descriptors" bash -c "! grep -q link_id /proc/$daemon/fdinfo/*"
check "no perf event is open" bash -c "! readlink /proc/$daemon/fd/* | grep -q perf_event"
sleep 2
own_progs >progs.later
check "no program has run meanwhile" cmp progs progs.later
check "private memory is below 5 MB" \
	bash -c "awk '/^RssAnon:/ { print; exit !(\$2 < 5000) }' /proc/$daemon/status"

kill -TERM "$daemon"
check "SIGTERM ends it well" ends_with 5 0
check_text "and it says so" 'daemon: stopped' log
check "its programs are gone" wait_for 5 empty own_progs
check "the next one starts in its place" start_daemon
kill -KILL "$daemon"
wait "$daemon" 2>/dev/null
check "also when the one before was killed" start_daemon
kill -INT "$daemon"
check "SIGINT ends it well" ends_with 5 0

# --- a run that goes on as it ends

"$O/pulseprof-studio" --listen 127.0.0.1:0 --state-dir "$WORK/studio" >studio.out 2>studio.log &
TAP_PIDS+=($!)
wait_for 10 grep -q '^listening on ' studio.out
URL=$(sed -n 's/^listening on //p' studio.out)
token_file=$(find "$WORK/studio" -name token)
printf 'Authorization: Bearer %s\n' "$(cat "$token_file")" >authorization
unset GPROFILER_TOKEN
FLAGS=(--enable-heartbeat-server --upload-results --service-name test --api-server "$URL" --server-host "$URL"
	--heartbeat-interval 1 --token-file "$token_file")
api() { curl -sS -f -m 10 -H "@authorization" "$URL$1" "${@:2}"; }
order() {
	api /api/metrics/profile_request -H 'Content-Type: application/json' -d "{\"service_name\": \"test\",
		\"request_type\": \"start\", \"continuous\": false, \"duration\": $1, \"frequency\": 99,
		\"profiling_mode\": \"cpu\", \"target_hosts\": {\"$(uname -n)\": null}}"
}
knows_host() { api /api/studio/hosts | grep -q "$(uname -n)"; }
profiles() { api /api/studio/profiles | jq '[.. | objects | select(has("id") and has("samples"))] | length'; }
has_profiles() { [ "$(profiles)" = "$1" ]; }
is_sampling() { readlink "/proc/$daemon"/fd/* | grep -q perf_event; }

start "$PROGRAMS/fp_deep" 10 120000
check "it starts with a token from a file" start_daemon
check "the studio hears of the host" wait_for 10 knows_host
order 60 >order.json
check "a command switches sampling on" wait_for 10 is_sampling
sleep 1.5
kill -TERM "$daemon"
check "SIGTERM ends it in the middle of a run" ends_with 10 0
check "the studio has nothing yet" has_profiles 0
spooled=$(find "$PULSEPROF_STATE_DIR" -name '*.gz')
check "what was sampled is whole in the spool" bash -c "gzip -dc '$spooled' | grep -q leaf_50"
check "readable by nobody else" is "$(stat -c %a "$spooled")" 600
check "the next daemon starts" start_daemon
check "and sends it" wait_for 15 has_profiles 1
check "nothing stays in the spool" wait_for 5 test ! -e "$spooled"

wait_for 10 knows_host
order 60 >order.json
wait_for 10 is_sampling
kill -TERM "$daemon"
kill -INT "$daemon"
wait "$daemon"
check "a second signal ends it at once, or it had ended" test $? -le 1
check "and no perf event of it is left" ended "$daemon"

# --- a local policy

why_failed() { api /api/studio/hosts | jq -r '.hosts[].command.error // empty'; }
is_refused() { why_failed | grep -q "$1"; }
check "it starts with a policy" start_daemon --policy-max-frequency 98 --policy-max-duration=60
wait_for 10 knows_host
order 60 >order.json
check "a command beyond the policy fails with the name of the setting" wait_for 10 is_refused policy_max_frequency
check "and nothing runs" bash -c "! readlink /proc/$daemon/fd/* | grep -q perf_event"
kill -TERM "$daemon"
wait "$daemon"

# --- without heartbeats, as the agent with -cu

FLAGS=(-cu -f 49 -d 1 --service-name alone --server-host "$URL" --token-file "$token_file")
check "it starts without heartbeats" start_daemon
check "it profiles and sends window after window" \
	wait_for 20 bash -c "curl -sf -m 5 -H @authorization $URL/api/studio/profiles |
	jq -e '[.profiles[] | select(.service == \"alone\")] | length >= 2'"
kill -TERM "$daemon"
check "and ends well" ends_with 10 0

done_testing
