#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Whom pulseprof profile record profiles (--pid, --children, --comm, -- COMMAND), what it says when there is
# nothing, how it ends, and its exit codes.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/tap.sh"
. "$(dirname "$0")/profile_facts.sh"
needs_kernel
needs_command jq
cd "$WORK" || exit 1

# --- a command of our own

begin=$SECONDS
record own --rate 199 -- "$PROGRAMS/forker" 2 1500 200
check_is "a command's profile succeeds" "$STATUS" 0
check "it ends with the command" test $((SECONDS - begin)) -le 6
check "its children are in it" share_between own ';forker;_start;run;child_burn' 30 70
check "and their children" share_between own ';forker;_start;run;grandchild_burn' 30 70
check "and nobody else" share_between own '^[0-9]+;;(forker|pulseprof);' 100 100
check "it adds up" adds_up own

record chain --rate 199 -- "$PROGRAMS/exec_chain" 1000 "$PROGRAMS/fp_deep" 5 1000
check "a program before exec has its names" share_between chain ';exec_chain;_start;run;before_exec' 20 80
check "and the one after exec its own" share_between chain ';fp_deep;_start;run(;descend){6};bottom;leaf_' 20 80

record late --rate 199 -- "$PROGRAMS/late_library" 6000
check "a library loaded during the run has names" share_between late ';crc32[a-z0-9_]*(;[^ ;]*_\[k\])* [0-9]+$' 15 60

record brief --rate 999 -- "$PROGRAMS/short_lived" 100 5
check "processes of 5 ms are counted" holds brief '.processes > 50'
check "their profile adds up" adds_up brief
check "and most of it has names" share_between brief ';brief[; ]' 60 100

"$PULSEPROF" -j profile record --format collapsed --output "$WORK/false.col" -- /bin/false >"$WORK/false.json" 2>"$WORK/false.err"
check_is "a command that fails is still a profile done" $? 0
"$PULSEPROF" profile record --format collapsed --output "$WORK/none.col" -- "$WORK/not-there" >"$WORK/none.out" 2>"$WORK/none.err"
check_is "a command that cannot be run is a failure" $? 1
check_text "which is told with its name" 'not-there' "$WORK/none.err"

# shellcheck disable=SC2016
SUDO_UID=65534 SUDO_GID=65534 SUDO_USER=nobody "$PULSEPROF" profile record --format collapsed \
	--output "$WORK/sudo.col" -- sh -c 'id -u; id -g; id -G; test ! -w /etc/passwd && echo unprivileged' \
	>"$WORK/sudo.out" 2>"$WORK/sudo.err"
check_is "under sudo the command runs as the invoking user" "$(head -4 "$WORK/sudo.out" | tr '\n' ' ')" \
	"65534 65534 65534 unprivileged "
check_is "and the profile belongs to that user" "$(stat -c %u:%g "$WORK/sudo.col")" 65534:65534

# --- processes

start "$PROGRAMS/forker" 2 60000 300
forker=$STARTED
record parent --pid "$forker" --duration 1
check "without --children a sleeping parent gives nothing" holds parent '.samples <= 20'
record children --pid "$forker" --children --rate 199 --duration 2
check "with --children those forked later are in" holds children '.samples > 50 and .processes >= 4'
check "under their own names" share_between children ';(grand)?child_burn' 97 100
stop "$forker"

start "$PROGRAMS/fp_deep" 20 300000
deep=$STARTED
start "$PROGRAMS/threads" 4 60000
threads=$STARTED
record comm --comm worker-1 --rate 199 --duration 2
check "--comm takes the threads of that name" share_between comm '^[0-9]+;;worker-1;clone;work;burn_odd' 97 100
record comms --comm worker-1 --comm worker-2 --rate 199 --duration 2
check "two names are alternatives" share_between comms '^[0-9]+;;worker-[12];' 100 100
check "and both come" share_between comms '^[0-9]+;;worker-2;' 20 80
record both --pid "$threads" --pid "$deep" --comm worker-3 --rate 199 --duration 2
check "a name and pids must both hold" share_between both '^[0-9]+;;worker-3;' 100 100
record neither --pid "$deep" --comm worker-3 --duration 1
check "where they do not, there is nothing" holds neither '.samples == 0 and .filtered > 0'
record pids --pid "$deep" --pid "$threads" --duration 1
check "two pids are alternatives" holds pids '.processes == 2'
stop "$threads"

start "$PROGRAMS/sleeper" 60000
"$PULSEPROF" profile record --pid "$STARTED" --duration 2 --format collapsed --output "$WORK/sleeper.col" \
	>"$WORK/sleeper.out" 2>"$WORK/sleeper.err"
check_is "a process that sleeps is no failure" $? 0
check_text "why there is nothing is told" 'slept (9[0-9]|100)(\.[0-9]+)? ?%' <(cat "$WORK/sleeper.out" "$WORK/sleeper.err")

start "$PROGRAMS/fp_deep" 3 2500
record leaves --pid "$STARTED" --rate 199 --duration 6
check "a process that ends meanwhile keeps its samples" holds leaves '.samples > 10'
check "with names" share_between leaves ';leaf_(50|30|20)' 90 100

cp "$PROGRAMS/fp_deep" "$WORK/gone"
start "$WORK/gone" 3 60000
wait_for 5 grep -q gone "/proc/$STARTED/maps"
rm "$WORK/gone"
record deleted --pid "$STARTED" --duration 1
check "a deleted program keeps its names" share_between deleted ';gone;_start;run(;descend){4};bottom;leaf_' 97 100
stop "$STARTED"

start "$PROGRAMS/many_maps" 60000 20000
maps_cnt() { [ "$(wc -l <"/proc/$STARTED/maps")" -ge 20000 ]; }
wait_for 20 maps_cnt
record maps --pid "$STARTED" --duration 2
check "names hold in a process with 20,000 mappings" share_between maps ';many_maps;_start;run;copied' 95 100
stop "$STARTED"

# --- ends

# A script's background jobs ignore SIGINT, and what is ignored at the start stays so.
env --default-signal=INT "$PULSEPROF" profile record --pid "$deep" --format collapsed --output "$WORK/interrupted.col" \
	>"$WORK/interrupted.out" 2>"$WORK/interrupted.err" &
recorder=$!
TAP_PIDS+=("$recorder")
sleep 1.5
kill -INT "$recorder"
wait "$recorder"
check_is "Ctrl-C ends a profile well" $? 0
check "and keeps what there is" share_between interrupted ';leaf_(50|30|20)' 90 100

refused() {
	local what=$1 code=$2
	shift 2
	"$PULSEPROF" profile record "$@" >"$WORK/refused.out" 2>"$WORK/refused.err" </dev/null
	check_is "$what: exit code $code" $? "$code"
	check "$what: said in a line or two" lines_between 1 3 "$WORK/refused.err"
	check_is "$what: nothing on stdout" "$(wc -c <"$WORK/refused.out")" 0
}
start true
wait "$STARTED" 2>/dev/null
refused "a dead pid" 1 --pid "$STARTED" --duration 1
refused "a pid of 0" 2 --pid 0
refused "a negative pid" 2 --pid -5
refused "a pid that is no number" 2 --pid 12x
refused "a rate of 0" 2 --rate 0
refused "a rate above 10,000" 2 --rate 10001
refused "a rate that is no number" 2 --rate fast
refused "a negative duration" 2 --duration -1
refused "a duration of years" 2 --duration 100000000
refused "an unknown format" 2 --format svg --duration 1
refused "an unknown option" 2 --frobnicate
refused "an option without its value" 2 --rate
refused "a folder that is not there" 1 --duration 30 --output "$WORK/nowhere/x.html"
refused "an output that is a folder" 1 --duration 30 --output "$WORK"
refused "a full disk" 1 --pid "$deep" --duration 1 --output /dev/full

"$PULSEPROF" -j profile record --pid "$STARTED" --duration 1 >"$WORK/error.json" 2>"$WORK/error.err"
cat "$WORK/error.err" >>"$WORK/error.json"
check "an error with -j is an object with code, message and hint" \
	holds error '(.code | type) == "string" and (.message | type) == "string" and has("hint")'

chmod 1777 "$WORK"
cp "$PULSEPROF" "$WORK/pulseprof-nobody"
chmod 755 "$WORK/pulseprof-nobody"
setpriv --reuid 65534 --regid 65534 --clear-groups --bounding-set -all "$WORK/pulseprof-nobody" profile record \
	--duration 1 --output "$WORK/nobody.html" >"$WORK/nobody.out" 2>"$WORK/nobody.err"
check_is "without privileges it is not possible here: exit code 4" $? 4
check "in one sentence" lines_between 1 2 "$WORK/nobody.err"
check "and no file is left" test ! -e "$WORK/nobody.html"

strict_says() {
	holds "$1" "(if ([.lost[]] | add // 0) > 0 or .missed - .missed_idle > 0.005 * .expected + 2 then 5 else 0 end) == $STATUS"
}
record strict --pid "$deep" --rate 199 --duration 1 --strict
check "--strict at 199 Hz: exit code 5 with losses, 0 without" strict_says strict
start "$PROGRAMS/random_stacks" 100 60000
start "$PROGRAMS/random_stacks" 200 60000
record hard --rate 10000 --duration 2 --strict
check "--strict at 10,000 Hz: exit code 5 with losses, 0 without" strict_says hard
check "what was lost at 10,000 Hz has its reasons" adds_up hard

done_testing
