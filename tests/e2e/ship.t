#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Uploads against the odds: a backend that is down while a continuous profile goes on, a daemon that is killed
# then, a state directory that is full or read-only. Each profile reaches the studio, and once.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/tap.sh"
. "$(dirname "$0")/fleet.sh"
needs_kernel
needs_command jq
needs_command curl

STATE=$PULSEPROF_STATE_DIR
export PULSEPROF_SPOOL_MAX_BYTES=2000000
cleanup() { umount "$WORK/disk" 2>/dev/null; }
host_is_known() { api /api/studio/hosts | jq -e --arg host "$FLEET_HOST" '.hosts | any(.hostname == $host)'; }
spooled() { find "$STATE/spool" -name '*.parcel.gz' 2>/dev/null; }
spooled_at_least() { [ "$(spooled | wc -l)" -ge "$1" ]; }
# The start of each profile, in ms, as the studio has it.
starts() { api /api/studio/profiles | jq '.profiles[].start_ms' | sort; }
all_arrived() { comm -23 "$WORK/spooled" <(starts) >"$WORK/missing" && [ ! -s "$WORK/missing" ]; }

start "$PROGRAMS/fp_deep" 20 120000
check "the studio starts" start_studio
start_daemon 1
check "the host is known" wait_for 10 host_is_known
check "a continuous profile is ordered" \
	order '"request_type": "start", "continuous": true, "duration": 1, "frequency": 199'
check "it arrives" wait_for 15 profiles_at_least 1

# --- nobody listens

port=${URL##*:}
kill -TERM "$STUDIO"
wait "$STUDIO" 2>/dev/null
check "profiles wait while the backend is down" wait_for 15 spooled_at_least 4
stop "$DAEMON"
for file in $(spooled); do
	echo "$(($(date -u +%s -d "$(gzip -dc "$file" | head -1 | jq -r .body.start_time)Z") * 1000))"
done | sort >"$WORK/spooled"
check "each is whole after a kill" test "$(wc -l <"$WORK/spooled")" -ge 4
check "the spool keeps its bound" test "$(du -sb "$STATE/spool" | cut -f1)" -le 2000000
"$O/pulseprof-studio" --listen "127.0.0.1:$port" --state-dir "$WORK/studio-state" >"$WORK/studio.out" 2>>"$WORK/studio.log" &
STUDIO=$!
TAP_PIDS+=("$STUDIO")
check "the backend comes back" wait_for 10 has_url
start_daemon 1
check "all that waited arrive" wait_for 20 all_arrived
check_is "each of them once" "$(starts | uniq -d | comm -12 - "$WORK/spooled" | wc -l)" 0
check "nothing of it stays in the spool" wait_for 10 eval '! spooled_at_least 3'
check "the profile is stopped" order '"request_type": "stop", "stop_level": "host"'
check "that is reported" wait_for 10 command_is completed
kill -TERM "$DAEMON"
wait "$DAEMON" 2>/dev/null

# --- a disk that takes nothing

mkdir -m 0700 "$WORK/disk"
mount -t tmpfs -o size=1m,mode=0700 tmpfs "$WORK/disk" || exit 1
export PULSEPROF_STATE_DIR=$WORK/disk/state
mkdir -m 0700 "$PULSEPROF_STATE_DIR"
sampled() {
	local cnt
	cnt=$(profiles | wc -l)
	order '"request_type": "start", "duration": 1, "frequency": 199' && wait_for 15 profiles_at_least $((cnt + 1))
}

mount -o remount,ro "$WORK/disk"
start_daemon 1
check "with a read-only state directory a profile arrives" sampled
check_text "which is said" 'EROFS.*memory|memory.*EROFS' "$WORK/daemon.log"
sleep 1
ticks=$(cut -d' ' -f14 "/proc/$DAEMON/stat")
sleep 1
check "and the daemon rests" test $(($(cut -d' ' -f14 "/proc/$DAEMON/stat") - ticks)) -le 20
kill -TERM "$DAEMON"
wait "$DAEMON"
check_is "it ends well" $? 0

mount -o remount,rw "$WORK/disk"
cat /dev/zero >"$WORK/disk/filler" 2>/dev/null
start_daemon 1
check "with a full disk a profile arrives" sampled
check_text "which is said" 'ENOSPC.*memory' "$WORK/daemon.log"
kill -TERM "$DAEMON"
wait "$DAEMON"
check_is "it ends well" $? 0
check_is "and nothing half-written is left" "$(find "$WORK/disk" -name '*.tmp*' | wc -l)" 0

done_testing
