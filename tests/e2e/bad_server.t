#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# The controller against servers that misbehave, over real HTTP: it survives each, and a good answer
# afterwards still starts a command and gets its report. All faults run side by side; the silent ones last
# as long as the deadline of a heartbeat (30 s).
set -u
O=${O:-build}
here=$(dirname "$0")
probe=$O/e2e/control_probe
faults="html string types nested utf8 e503 e500 huge length headers reset hangup nohttp silence drip redirect"
tmp=$(mktemp -d)
pids=()
trap 'kill "${pids[@]}" 2>/dev/null; wait 2>/dev/null; umount "$tmp/full" 2>/dev/null; rm -rf "$tmp"' EXIT

n=0
ok() { # STATUS NAME
	n=$((n + 1))
	if [ "$1" = 0 ]; then echo "ok $n - $2"; else echo "not ok $n - $2"; fi
}
wait_for() { # SECONDS COMMAND...
	local end=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.05
	done
}
serve() { # NAME [CERT KEY]: sets port
	local name=$1
	shift
	python3 "$here/bad_server.py" "$tmp/$name.port" "$tmp/$name.log" "$@" 2>"$tmp/$name.err" &
	pids+=($!)
	wait_for 10 test -s "$tmp/$name.port" || { echo "Bail out! no server: $(cat "$tmp/$name.err")"; exit 1; }
	port=$(cat "$tmp/$name.port")
}

# shellcheck disable=SC2086
set -- $faults
echo 1..$(($# * 2 + 24))

serve plain
declare -A pid_of
for fault; do
	"$probe" heartbeat "http://127.0.0.1:$port/$fault" >"$tmp/$fault.out" 2>"$tmp/$fault.err" &
	pid_of[$fault]=$!
	pids+=($!)
done
# Nobody listens on port 1.
"$probe" heartbeat http://127.0.0.1:1/refused >"$tmp/refused.out" 2>"$tmp/refused.err" &
refused=$!
pids+=($!)

mkdir -m 0700 "$tmp/state" "$tmp/state2"
"$probe" upload "http://127.0.0.1:$port/e503" "$tmp/state" 3 >"$tmp/upload.out" 2>"$tmp/upload.err" &
upload=$!
pids+=($!)
"$probe" upload http://127.0.0.1:1/refused "$tmp/state2" 2 >"$tmp/kept.out" 2>"$tmp/kept.err" &
kept=$!
pids+=($!)

declare -A sender_of
for fault in reset hangup nohttp e500 e429 length huge redirect limit; do
	mkdir -m 0700 "$tmp/state-$fault"
	"$probe" upload "http://127.0.0.1:$port/$fault" "$tmp/state-$fault" 1 >"$tmp/up-$fault.out" 2>"$tmp/up-$fault.err" &
	sender_of[$fault]=$!
	pids+=($!)
done

mkdir -m 0700 "$tmp/full"
mount -t tmpfs -o size=32k,mode=0700 tmpfs "$tmp/full"
"$probe" upload "http://127.0.0.1:$port/good" "$tmp/full" 3 >"$tmp/full.out" 2>"$tmp/full.err" &
pids+=($!)

for fault; do
	wait_for 50 grep -q "^completed $fault completed True" "$tmp/plain.log"
	ok $? "a good answer after '$fault' starts a command and its report arrives"
	rss=$(awk '/^VmHWM/ {print $2}' "/proc/${pid_of[$fault]}/status" 2>/dev/null)
	[ "${rss:-999999}" -lt 30000 ]
	ok $? "the controller lives after '$fault' and stayed small (${rss:-dead} kB)"
done

! grep -q stolen "$tmp/plain.log"
ok $? "a redirect is not followed"
[ "$(grep -c '^completed huge' "$tmp/plain.log")" = 1 ] && [ "$(grep -c ^start "$tmp/huge.out")" = 1 ]
ok $? "a command repeated in each answer is begun and reported once"
kill -0 $refused && grep -q -e -ECONNREFUSED "$tmp/refused.err"
ok $? "a refused connection is logged and survived"
! grep -q s3cret "$tmp"/*.err
ok $? "no token in the log"

wait_for 30 grep -q "^waiting 0" "$tmp/upload.out"
ok $? "profiles are uploaded after a 503"
grep -Eq 'next try in (8|9) s: status=503' "$tmp/upload.err" && grep -Eq 'next try in 1[0-4] s: status=429' "$tmp/up-e429.err"
ok $? "not before the server asked for it, in seconds or by the clock"
kill -TERM $upload
wait $upload
ok $? "the sender ends well when told to"
[ "$(grep '^upload e503' "$tmp/plain.log")" = "upload e503 0 '' s3cret svc gzip 1000
upload e503 1 '17' s3cret svc gzip 1000
upload e503 2 '17' s3cret svc gzip 1000" ]
ok $? "uploads come oldest first, whole, with the gpid that the server gave"
for fault in reset hangup nohttp e500 e429; do
	wait_for 30 grep -q "^upload $fault 0 '' s3cret svc gzip 1000" "$tmp/plain.log"
	ok $? "an upload arrives after '$fault'"
done
for fault in huge length redirect; do
	kill -0 "${sender_of[$fault]}" && ! grep -q "^upload $fault" "$tmp/plain.log" &&
		[ "$(find "$tmp/state-$fault/spool" -name '*.parcel.gz' | wc -l)" = 1 ] &&
		[ "$(grep -c 'upload failed' "$tmp/up-$fault.err")" -le 3 ]
	ok $? "an upload is kept and not hurried after '$fault'"
done
wait_for 10 grep -q "^waiting 0" "$tmp/up-limit.out"
[ "$(awk '/^upload limit/ { n += $NF; cnt++ } END { print n, (cnt > 1) }' "$tmp/plain.log")" = "1000 1" ]
ok $? "a server that takes less gets the same samples in pieces"
! grep -q ^LEAK "$tmp/plain.log"
ok $? "no token in an address"
kill -TERM $kept
wait $kept
[ "$(find "$tmp/state2/spool" -name '*.parcel.gz' -perm 0600 | wc -l)" = 2 ] &&
	[ "$(find "$tmp/state2/spool" -type f | wc -l)" = 2 ]
ok $? "what could not be sent stays in the spool, whole and private"

wait_for 10 grep -q "^waiting 0" "$tmp/full.out" && [ "$(grep -c '^upload good' "$tmp/plain.log")" = 3 ]
ok $? "profiles that a full disk will not take are sent from memory"
grep -q -e "-ENOSPC.*kept in memory" "$tmp/full.err" && [ "$(find "$tmp/full/spool" -type f | wc -l)" = 0 ]
ok $? "the full disk is logged, and nothing half written stays on it"

openssl req -x509 -newkey rsa:2048 -nodes -keyout "$tmp/key" -out "$tmp/cert" -days 2 -subj /CN=localhost \
	-addext subjectAltName=DNS:localhost,IP:127.0.0.1 2>/dev/null
serve tls "$tmp/cert" "$tmp/key"
"$probe" heartbeat "https://localhost:$port/good" >"$tmp/untrusted.out" 2>"$tmp/untrusted.err" &
pids+=($!)
"$probe" heartbeat "https://localhost:$port/good" "$tmp/cert" >"$tmp/tls.out" 2>"$tmp/tls.err" &
pids+=($!)
wait_for 20 grep -q -e "-EPROTO.*certificate" "$tmp/untrusted.err"
ok $? "a certificate that nobody vouches for is refused"
wait_for 20 grep -q ^start "$tmp/tls.out"
ok $? "a certificate of the given CA bundle is accepted"
[ ! -s "$tmp/untrusted.out" ]
ok $? "nothing is begun on an untrusted server's word"
