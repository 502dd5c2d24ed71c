# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# A studio and a daemon on loopback, and an operator who calls the studio's API. Sourced by bash after tap.sh.
# shellcheck shell=bash

FLEET_HOST=$(uname -n)

has_url() {
	URL=$(sed -n 's/^listening on //p' "$WORK/studio.out") && [ -n "$URL" ]
}

start_studio() {
	"$O/pulseprof-studio" --listen "${LISTEN:-127.0.0.1:0}" --state-dir "$WORK/studio-state" >"$WORK/studio.out" 2>"$WORK/studio.log" &
	STUDIO=$!
	TAP_PIDS+=("$STUDIO")
	wait_for 10 has_url || return 1
	TOKEN_FILE=$WORK/studio-state/studio/token
	printf 'Authorization: Bearer %s\n' "$(cat "$TOKEN_FILE")" >"$WORK/authorization"
}

# start_daemon SECONDS: its heartbeat interval.
start_daemon() {
	"$O/pulseprofd" --enable-heartbeat-server --upload-results --service-name e2e --api-server "$URL" \
		--server-host "$URL" --heartbeat-interval "$1" --token-file "$TOKEN_FILE" \
		>"$WORK/daemon.out" 2>>"$WORK/daemon.log" &
	DAEMON=$!
	TAP_PIDS+=("$DAEMON")
}

api() {
	local path=$1
	shift
	curl -sS -f -m 20 -H "@$WORK/authorization" "$URL$path" "$@"
}

# order MEMBERS [PIDS]: a profile request; its command id in $ORDERED.
order() {
	local hosts="{\"$FLEET_HOST\": ${2:-null}}"
	ORDERED=$(api /api/metrics/profile_request -H 'Content-Type: application/json' \
		-d "{\"service_name\": \"e2e\", \"target_hosts\": $hosts, $1}" | jq -r '.command_ids[0]')
	[ -n "$ORDERED" ] && [ "$ORDERED" != null ]
}

# command_is STATUS: of the host's newest command.
command_is() {
	local command
	command=$(api /api/studio/hosts | jq -c ".hosts[] | select(.hostname == \"$FLEET_HOST\") | .command")
	jq -e --arg id "$ORDERED" --arg status "$1" '.id == $id and .status == $status' >/dev/null <<<"$command" || {
		echo "$command"
		return 1
	}
}

command_error() {
	api /api/studio/hosts | jq -r ".hosts[] | select(.hostname == \"$FLEET_HOST\") | .command.error"
}

profiles() {
	api /api/studio/profiles | jq -r '.profiles[].id'
}

profiles_at_least() {
	[ "$(profiles | wc -l)" -ge "$1" ]
}

# fetch NAME ID: collapsed lines in $WORK/NAME.col, header in NAME.header, page in NAME.html.
fetch() {
	api "/api/studio/profiles/$2" >"$WORK/$1.raw" || return 1
	grep '^#' "$WORK/$1.raw" | head -1 | cut -c3- >"$WORK/$1.header"
	grep -v '^#' "$WORK/$1.raw" >"$WORK/$1.col"
	api "/api/studio/profiles/$2/flamegraph" -D "$WORK/$1.head" >"$WORK/$1.html"
}
