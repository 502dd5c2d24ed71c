#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# pulseprofd over TLS: whom it believes, who it says it is, certificates replaced while it runs, proxies, and
# what the operator adds to requests. The real studio stands behind a TLS front.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/tap.sh"
needs_kernel
for command in openssl python3 jq; do
	needs_command $command
done
here=$(cd "$(dirname "$0")" && pwd)
cd "$WORK" || exit 1
unset GPROFILER_TOKEN http_proxy https_proxy HTTPS_PROXY no_proxy NO_PROXY all_proxy ALL_PROXY

# make_ca NAME; make_cert NAME CA SUBJECT SAN
make_ca() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj "/CN=$1" \
		-keyout "$1.key" -out "$1.pem" 2>/dev/null
}
make_cert() {
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$3" -keyout "$1.key" -out "$1.csr" 2>/dev/null
	openssl x509 -req -in "$1.csr" -CA "$2.pem" -CAkey "$2.key" -days 2 -out "$1.pem" \
		-extfile <(echo "subjectAltName=$4") 2>/dev/null
}
make_ca ca
make_ca other
make_cert server ca server DNS:localhost,DNS:studio.test
make_cert client-1 ca client-1 DNS:client
make_cert client-2 ca client-2 DNS:client

"$O/pulseprof-studio" --listen 127.0.0.1:0 --state-dir "$WORK/studio" >studio.out 2>studio.log &
TAP_PIDS+=($!)
wait_for 10 grep -q '^listening on ' studio.out
PLAIN=$(sed -n 's/^listening on //p' studio.out)
token_file=$(find "$WORK/studio" -name token)
token=$(cat "$token_file")
printf 'Authorization: Bearer %s\n' "$token" >authorization

# rig NAME ARGUMENT...: its port in $PORT, what it says in NAME.out
rig() {
	python3 "$here/tls_rig.py" "${@:2}" >"$1.out" 2>"$1.err" &
	TAP_PIDS+=($!)
	wait_for 10 grep -q '^port ' "$1.out"
	PORT=$(sed -n 's/^port //p' "$1.out")
}
rig front front "${PLAIN##*:}" server.pem server.key wire
FRONT=$PORT
rig strict front "${PLAIN##*:}" server.pem server.key wire-strict ca.pem
STRICT=$PORT
rig proxy proxy "$FRONT"
PROXY=$PORT

hosts() { curl -sS -f -m 10 -H "@authorization" "${PLAIN%/}/api/studio/hosts"; }
knows() { hosts | grep -q "\"$1\""; }

# start_daemon NAME PORT FLAG...: as host NAME, its pid in $daemon, its words in NAME.log
start_daemon() {
	PULSEPROF_LONG_POLL=no "$O/pulseprofd" --enable-heartbeat-server --upload-results --service-name test --token-file "$token_file" \
		--heartbeat-interval 1 --hostname "$1" --api-server "https://localhost:$2" \
		--server-host "https://localhost:$2" "${@:3}" >"$1.out" 2>"$1.log" &
	daemon=$!
	TAP_PIDS+=("$daemon")
	wait_for 15 grep -q 'daemon: started' "$1.log"
}
end_daemon() {
	kill -TERM "$daemon"
	wait "$daemon"
}

# --- whom it believes

start_daemon believes "$FRONT" --tls-ca-bundle ca.pem --tls-verify required
check "a server of the named CA is believed" wait_for 10 knows believes
check "nothing is warned about" lacks 'clear text|not checked|ignored' believes.log
check_text "the key is in a header" "^Authorization: Bearer $token" wire
curl -sS -f -m 10 -H @authorization "${PLAIN%/}/api/metrics/profile_request" -H 'Content-Type: application/json' -d '{
	"service_name": "test", "request_type": "start", "continuous": false, "duration": 1, "frequency": 99,
	"profiling_mode": "cpu", "target_hosts": {"believes": null}}' >/dev/null
profile() { curl -sS -f -m 10 -H @authorization "${PLAIN%/}/api/studio/profiles$1"; }
has_profile() { profile "" | jq -e '.profiles | length >= 1'; }
check "a profile goes up" wait_for 15 has_profile
check_text "its key is in a header, too" "^GPROFILER-API-KEY: $token" wire
check "and in no request line" lacks "^(GET|POST)[^ ]* [^ ]*$token" wire
profile "/$(profile "" | jq -r '.profiles[0].id')" >profile.raw
check "it holds stacks" test "$(wc -l <profile.raw)" -gt 5
check "but no token" lacks "$token" profile.raw
find "$PULSEPROF_STATE_DIR" "$PULSEPROF_RUN_DIR" -type f -exec zcat -f {} + >daemon.files
check "the daemon's own files hold something" test -s daemon.files
check "but no token either" lacks "$token" daemon.files
check_is "it shows no certificate of its own" "$(sed -n 's/^peer //p' front.out | sort -u)" nobody
end_daemon

cp other.pem bundle.pem
start_daemon doubts "$FRONT" --tls-ca-bundle bundle.pem
check "a server of an unknown CA is not" wait_for 10 grep -q 'heartbeat failed.*certificate' doubts.log
check "it gets nothing" lacks '"doubts"' wire
cp ca.pem bundle.next
mv bundle.next bundle.pem
check "until the CA's file is replaced" wait_for 15 knows doubts
end_daemon

start_daemon wrong-name "$FRONT" --tls-ca-bundle ca.pem --api-server "https://127.0.0.1:$FRONT"
check "a certificate for another name is refused" wait_for 10 grep -q 'heartbeat failed' wrong-name.log
check "it gets nothing either" lacks '"wrong-name"' wire
end_daemon

start_daemon careless "$FRONT" --tls-ca-bundle other.pem --no-verify
check "with --no-verify anyone is believed" wait_for 10 knows careless
check_text "which is said at start" 'certificates of servers are not checked' careless.log
end_daemon

# --- who it is

start_daemon nobody "$STRICT" --tls-ca-bundle ca.pem
check "a server that wants a certificate refuses who has none" wait_for 10 grep -q 'heartbeat failed' nobody.log
end_daemon

cp client-1.pem cert.pem
cp client-1.key key.pem
chmod 600 key.pem
start_daemon somebody "$STRICT" --tls-ca-bundle ca.pem --tls-client-cert cert.pem --tls-client-key key.pem
check "it shows its certificate" wait_for 10 grep -q '^peer client-1$' strict.out
check "and is heard" wait_for 10 knows somebody
cp client-2.key key.next
mv key.next key.pem # first the key: a moment in which the two do not match
cp client-2.pem cert.next
mv cert.next cert.pem
check "a new certificate is shown without a restart" wait_for 20 grep -q '^peer client-2$' strict.out
check "the old one not any more" is "$(sed -n 's/^peer //p' strict.out | tail -n 1)" client-2
rm key.pem
check "a file that is gone is told" wait_for 10 grep -q "cannot read 'key.pem', going on with what it held" somebody.log
check "and survived" kill -0 "$daemon"
end_daemon

# --- proxies

via_proxy() { # NAME FLAG...
	start_daemon "$1" "$FRONT" --tls-ca-bundle ca.pem --api-server https://studio.test:7 \
		--server-host https://studio.test:7 "${@:2}"
}
via_proxy by-setting --proxy "http://127.0.0.1:$PROXY"
check "a proxy by its setting" wait_for 10 grep -aq "\"by-setting\"" wire
check_text "is asked for the server's name" '^asked CONNECT studio.test:7 ' proxy.out
check "and hears no secret" lacks "$token|Authorization" proxy.out
end_daemon
https_proxy=http://127.0.0.1:$PROXY via_proxy by-environment
check "a proxy by the environment" wait_for 10 grep -aq "\"by-environment\"" wire
end_daemon
https_proxy=http://127.0.0.1:$PROXY via_proxy directly --proxy none
check "none by the setting" wait_for 10 grep -q 'heartbeat failed.*-EHOSTUNREACH' directly.log
end_daemon
https_proxy=http://127.0.0.1:$PROXY no_proxy=studio.test via_proxy excepted
check "none by no_proxy" wait_for 10 grep -q 'heartbeat failed.*-EHOSTUNREACH' excepted.log
end_daemon

# --- what the operator adds

: >wire
printf 'user:pass:word\n' >basic
printf '# for the gateway\nX-Team: perf\n' >headers
chmod 600 basic headers
start_daemon adds "$FRONT" --tls-ca-bundle ca.pem --api-headers-file headers --api-basic-auth-file basic
check "header lines are added" wait_for 10 grep -aq '^X-Team: perf' wire
check_text "a user and password take the place of the token" "^Authorization: Basic $(printf 'user:pass:word' | base64)" wire
check "the token is not sent as well" lacks "Bearer" wire
check "the password is not in its words" lacks 'pass:word|dXNlcj' adds.log
end_daemon

done_testing
