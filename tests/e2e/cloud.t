#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Cloud metadata: in a network of our own, where we can be at the services' own address, the daemon finds the instance type
# of each cloud and tells it in uploads; it asks only when told to, and nothing waits for one that is silent.
# shellcheck source-path=SCRIPTDIR
if [ -z "${IN_OWN_NETWORK:-}" ] && unshare -n true 2>/dev/null; then
	IN_OWN_NETWORK=1 exec unshare -n "$0"
fi
. "$(dirname "$0")/tap.sh"
needs_kernel
needs_command jq
needs_command ip
needs_command python3
[ -n "${IN_OWN_NETWORK:-}" ] || skip_all "no network namespaces"
RIG=$(dirname "$(readlink -f "$0")")/cloud_rig.py
ip link set lo up && ip addr add 169.254.169.254/32 dev lo || skip_all "no address can be added"
printf 'token' >"$WORK/token"
chmod 600 "$WORK/token"

# cloud KIND [SETTING]: the metadata of an upload in KIND.json, what the service was asked in KIND.asked.
cloud() {
	local kind=$1 setting=${2:-on} daemon rig
	start python3 "$RIG" "$kind" "$WORK/$kind.asked" "$WORK/$kind.json"
	rig=$STARTED
	check "$kind: the service is there" wait_for 10 test -e "$WORK/$kind.asked"
	PULSEPROF_CLOUD_METADATA=$setting https_proxy=http://127.0.0.1:1 http_proxy=http://127.0.0.1:1 "$O/pulseprofd" \
		--upload-results --service-name s --server-host http://127.0.0.1:8080 --api-server http://127.0.0.1:8080 \
		--token-file "$WORK/token" --continuous --profiling-duration 1 >"$WORK/$kind.out" 2>"$WORK/$kind.log" &
	daemon=$!
	TAP_PIDS+=("$daemon")
	if [ "$setting" = on ] && [[ $kind != @(hang|garbage|huge) ]]; then
		check "$kind: it is found" wait_for 20 grep -q "cloud '" "$WORK/$kind.log"
	fi
	check "$kind: profiles are uploaded" wait_for 30 test -s "$WORK/$kind.json"
	: >"$WORK/$kind.json.again"
	check "$kind: and more of them" wait_for 30 test -s "$WORK/$kind.json.again"
	stop "$daemon"
	stop "$rig"
	wait_for 10 free_port
}
free_port() { ! (: </dev/tcp/127.0.0.1/8080) 2>/dev/null; }
told() { jq -c '[.metadata.cloud_provider, .metadata.cloud_info]' "$WORK/$1.json.again"; }

cloud aws
check_is "aws: its provider and instance" "$(told aws)" \
	'["aws",{"instance_type":"m5.large","instance_id":"i-0abc","region":"eu-west-1","zone":"eu-west-1b"}]'
check_text "aws: with a token" 'PUT /latest/api/token' "$WORK/aws.asked"
cloud aws-v1
check_is "aws without tokens" "$(told aws-v1)" '["aws",{"instance_type":"m5.large","instance_id":"i-0abc","region":"eu-west-1","zone":"eu-west-1b"}]'
cloud gcp
check_is "gcp: its provider and instance" "$(told gcp)" \
	'["gcp",{"instance_type":"n2-standard-4","instance_id":"4520031799277581759","region":"us-central1","zone":"us-central1-a"}]'
cloud azure
check_is "azure: its provider and instance" "$(told azure)" \
	'["azure",{"instance_type":"Standard_D4s_v5","instance_id":"02aab8a4","region":"westeurope","zone":"2"}]'
for kind in hang garbage huge; do
	cloud $kind
	check_is "$kind: no cloud" "$(told $kind)" '["unknown",null]'
done
cloud off off
check_is "off: no cloud" "$(told off)" '["unknown",null]'
check_is "off: and nobody was asked" "$(cat "$WORK/off.asked")" ''
done_testing
