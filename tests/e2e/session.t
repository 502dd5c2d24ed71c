#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The operator at the host: pulseprof session, metrics and command ask the daemon through its socket. Local runs
# beside the studio's, changed while they go on, to the spool or a file; who may not ask; a daemon that is killed.
# The daemon reaches the studio over IPv6, where the host has it.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/tap.sh"
. "$(dirname "$0")/profile_facts.sh"
. "$(dirname "$0")/fleet.sh"
needs_kernel
needs_command jq
needs_command curl
needs_command setpriv
needs_command python3
READ_PPROF=$(cd "$(dirname "$0")" && pwd)/pprof_facts.py
cd "$WORK" || exit 1

SOCKET=$PULSEPROF_RUN_DIR/pulseprofd.sock

# ends CODE COMMAND...: its exit code; what it says in out and err.
ends() {
	local code=$1
	shift
	timeout 10 "$@" >out 2>err
	is "$?" "$code" || {
		cat out err
		return 1
	}
}
session() { "$PULSEPROF" session "$@"; }
listed() { # ID FILTER: of jq, on the session's row
	session list -j | jq -e --arg id "$1" ".[] | select(.id == \$id) | $2"
}
metric() { "$PULSEPROF" metrics show -j | jq -e --arg name "$1" '.[] | select(.name == $name) | .value'; }

# --- no daemon

check "without a daemon: exit code 3" ends 3 "$PULSEPROF" session list
check_text "and told where none listens" "no daemon listens at '$SOCKET' \(-ENOENT\)" err
check "as JSON, too" ends 3 "$PULSEPROF" -j metrics show
check "with a code" jq -e '.code == "ENOENT" and .hint != ""' out
check "words are checked before" ends 2 "$PULSEPROF" session change local-1
check_text "a target is missing" 'another target is missing' err
check "an id is missing" ends 2 "$PULSEPROF" session stop
check "a rate out of range" ends 2 "$PULSEPROF" session start --rate 20000

# --- a daemon

start "$PROGRAMS/fp_deep" 20 120000
deep=$STARTED
start "$PROGRAMS/fp_deep" 20 120000
other=$STARTED
LISTEN=$(grep -q '^0\{31\}1 ' /proc/net/if_inet6 2>/dev/null && echo '[::1]:0') # else 127.0.0.1
check "the studio starts" start_studio
echo "# $URL"
start_daemon 1
check "the daemon's socket is there" wait_for 10 test -S "$SOCKET"
check_is "for root only" "$(stat -c %a:%u "$SOCKET")" 600:0
check "nothing goes on" ends 0 "$PULSEPROF" session list
check "but columns are shown" lines_between 1 1 out
heartbeat_sent() { [ "$(metric heartbeats_sent)" -gt 0 ]; }
check "heartbeats are counted" wait_for 10 heartbeat_sent
check "every counter has a name, a value and a text" \
	jq -e 'length > 30 and all(.[]; (.name | length > 0) and (.value >= 0) and (.text | length > 0))' \
	<("$PULSEPROF" metrics show -j)

# --- beside the studio's

check "the studio orders a continuous profile" \
	order '"request_type": "start", "continuous": true, "duration": 60, "frequency": 99'
check "it is a session of the studio" wait_for 10 listed "$ORDERED" '.origin == "studio" and .rate_hz == 99'
check "its command is listed" jq -e --arg id "$ORDERED" 'any(.[]; .command_id == $id and .state == "running")' \
	<("$PULSEPROF" command list -j)
check "only the studio changes it" ends 4 "$PULSEPROF" session change "$ORDERED" --pid "$deep"
check_text "and that is said" 'only the studio changes its sessions' err

check "a local one starts beside it" ends 0 "$PULSEPROF" session start --rate 199 --duration 60 --pid "$deep" \
	--output "$WORK/local.col" --format collapsed
check_is "its id is told" "$(cat out)" local-1
check "it samples" wait_for 10 listed local-1 '.state == "sampling" and .samples > 50 and .origin == "local"'
check "with what was asked for" listed local-1 ".rate_hz == 199 and .target == \"pid $deep\""
check "a third finds no room" ends 4 "$PULSEPROF" session start
check_text "and is told" 'policy_max_runs' err
check "its target changes" ends 0 "$PULSEPROF" session change local-1 --pid "$other"
check "and is shown" listed local-1 ".target == \"pid $other\""
check "not to a process that is none" ends 1 "$PULSEPROF" session change local-1 --pid 4194303
before=$(session list -j | jq '.[] | select(.id == "local-1") | .samples')
more_samples() { listed local-1 ".samples > $before + 50"; }
check "it goes on" wait_for 10 more_samples
check "it is stopped" ends 0 "$PULSEPROF" session stop local-1
check "and ends well" wait_for 10 listed local-1 '.state == "done" and .lost == 0'
check "the studio's goes on" listed "$ORDERED" '.state == "sampling"'
check "the file has both targets" bash -c \
	"[ \$(cut -d';' -f1-3 local.col | sort -u | wc -l) -ge 1 ] && grep -q 'leaf_50' local.col"
check_is "and is complete" "$(awk '{ n += $NF } END { print n }' local.col)" \
	"$(listed local-1 .samples)"
check "it cannot be stopped twice" ends 1 "$PULSEPROF" session stop local-1
check "one in pprof" ends 0 "$PULSEPROF" session start --duration 1 --pid "$deep" \
	--output "$WORK/local.pb.gz" --format pprof
check "is done in its time" wait_for 30 listed local-2 '.state == "done"'
check_is "and complete" "$(python3 "$READ_PPROF" facts local.pb.gz | jq .samples)" "$(listed local-2 .samples)"

# --- to the spool

cnt=$(profiles | wc -l)
more_than() { [ "$(profiles | wc -l)" -gt "$1" ]; }
check "another local one is for the studio" ends 0 "$PULSEPROF" session start --duration 1 --pid "$deep"
check "it arrives there" wait_for 15 more_than "$cnt"
check "the operator may stop the studio's" ends 0 "$PULSEPROF" session stop "$ORDERED"
gone() { ! listed "$ORDERED" .; }
check "it ends" wait_for 10 gone

# --- what is refused

check "a file that exists is not overwritten" ends 1 "$PULSEPROF" session start --output "$WORK/local.col"
check "no such session" ends 1 "$PULSEPROF" session stop nonsense
check "another user is not let in" ends 4 setpriv --reuid 65534 --regid 65534 --clear-groups \
	"$PULSEPROF" session list
chmod 711 "$PULSEPROF_RUN_DIR"
chmod 666 "$SOCKET"
check "nor when the socket were open to all" ends 4 setpriv --reuid 65534 --regid 65534 --clear-groups \
	"$PULSEPROF" session list
check_text "by its credentials" 'only root is heard here' err
check_text "which is logged" "rpc: refuses pid=[0-9]+ uid=65534" daemon.log
chmod 700 "$PULSEPROF_RUN_DIR"

# --- a crash

check "a run goes on" ends 0 "$PULSEPROF" session start --duration 60
crashed=$(cat out)
stop "$DAEMON"
check "a killed daemon leaves its socket" test -S "$SOCKET"
check "at which nobody listens: exit code 3" ends 3 "$PULSEPROF" session list
check_text "told" '-ECONNREFUSED' err
PULSEPROF_POLICY_MAX_FREQUENCY=150 PULSEPROF_POLICY_TARGETS=pids start_daemon 1
check "which is not in the way of the next" wait_for 10 session list
check "what it was at is told as interrupted" listed "$crashed" '.state == "interrupted" and .reason != ""'
check "the host's policy holds for local ones" ends 4 "$PULSEPROF" session start --rate 151 --pid "$deep"
check_text "and the setting is named" 'policy_max_frequency' err
check "also for a change" ends 0 "$PULSEPROF" session start --rate 150 --pid "$deep"
check "of the target" ends 4 "$PULSEPROF" session change "$(cat out)" --comm fp_deep
kill "$DAEMON"
socket_is_gone() { [ ! -e "$SOCKET" ]; }
check "a daemon that ends takes its socket away" wait_for 15 socket_is_gone

done_testing
