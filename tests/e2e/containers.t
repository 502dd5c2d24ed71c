#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Containers have the names that their runtimes give them: a real containerd asked through its CRI socket, a pod
# with two containers, containers that live for a moment, podman; without a runtime they go by their ids.
# CHURN=1000 makes it a long test.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/tap.sh"
. "$(dirname "$0")/profile_facts.sh"
. "$(dirname "$0")/fleet.sh"
needs_kernel
needs_command jq
needs_command containerd
needs_command runc
needs_command busybox
needs_command curl
RIG=$(dirname "$(readlink -f "$0")")/container_rig.py
CRI=/run/containerd/containerd.sock
PODMAN_SOCKET=/run/podman/podman.sock
[ ! -S $CRI ] || skip_all "a containerd is at work here"
curl --version | grep -q HTTP2 || skip_all "curl speaks no HTTP/2"
cd "$WORK" || exit 1
CHURN=${CHURN:-15}
SHOP=11111111-2222-3333-4444-555555555555
BATCH=66666666-7777-8888-9999-000000000000
PODS=()

podman_() {
	timeout 60 podman --root "$WORK/podman" --runroot "$WORK/podman-run" --storage-driver vfs --runtime runc \
		--cgroup-manager cgroupfs "$@"
}
clean() {
	local spare
	[ ${#PODS[@]} = 0 ] || timeout 60 "$RIG" rm $CRI "${PODS[@]}" >/dev/null 2>&1
	[ -z "${SPINNER:-}" ] || podman_ rm -f spinner >/dev/null 2>&1
	[ -z "${SERVICE:-}" ] || { stop "$SERVICE"; rm -f $PODMAN_SOCKET; }
	stop "$CONTAINERD"
	rm -f $CRI $CRI.ttrpc
	for spare in /sys/fs/cgroup{,/*}/{kubepods,libpod_parent}; do
		[ ! -d "$spare" ] || find "$spare" -depth -type d -exec rmdir {} \; 2>/dev/null
	done
	grep " $WORK/" /proc/mounts | cut -d' ' -f2 | sort -r | xargs -r umount -l
}

# --- images: a program without libraries under many names, so that its name says in which container it is

mkdir -p rootfs/bin
cp "$(command -v busybox)" rootfs/bin/busybox
cp "$PROGRAMS/fp_deep" rootfs/bin/web
for name in side late $(seq -f 'c%g' "$CHURN"); do ln rootfs/bin/web "rootfs/bin/$name"; done
"$RIG" image pause.tar localhost/pause:1 rootfs /bin/busybox sleep 600
"$RIG" image spin.tar localhost/spin:1 rootfs /bin/web 20 600000
cat >config.toml <<END
version = 2
root = "$WORK/containerd"
state = "$WORK/containerd-run"
[grpc]
  address = "$CRI"
[plugins."io.containerd.grpc.v1.cri"]
  restrict_oom_score_adj = true
  disable_apparmor = true
  sandbox_image = "localhost/pause:1"
END
start containerd -c config.toml
CONTAINERD=$STARTED
trap 'clean; tap_cleanup' EXIT
check "containerd is there" wait_for 30 ctr version
ctr -n k8s.io images import pause.tar >/dev/null
check "an image is made" ctr -n k8s.io images import spin.tar

# pod NAMESPACE POD UID LABELS CONTAINER...: its ids in ids.
pod() {
	timeout $((120 + CHURN / 2)) "$RIG" pod $CRI "$@" >ids || return
	PODS+=("$(head -1 ids)")
}
# containers_of NAME COMM: the containers in which a profile has that program.
containers_of() {
	awk -F';' -v comm="$2" '$3 == comm { print $2 }' "$1.col" | sort -u
}
raw() { # CONTAINER POD NAMESPACE UID
	echo "k8s_$1_$2_$3_$4_0"
}

check "a pod with two containers starts" pod shop checkout-7f8d9c6b5-abcde $SHOP app=checkout \
	web=localhost/spin:1 "side=localhost/spin:1=/bin/side 20 60000"
sed -n 2p ids >web.id
record shop --duration 2
check_is "the host is profiled" "$STATUS" 0
check_is "the first container has its name" "$(containers_of shop web)" "$(raw web checkout-7f8d9c6b5-abcde shop $SHOP)"
check_is "and the second its own" "$(containers_of shop side)" "$(raw side checkout-7f8d9c6b5-abcde shop $SHOP)"
check "lines have the grammar" grammar_holds shop
check "it adds up" adds_up shop

# --- targets by these names

record pod --pod shop/checkout-7f8d9c6b5-abcde --rate 199 --duration 4 &
RUN=$!
sleep 1
check "a process enters a container while its pod is profiled" \
	ctr -n k8s.io task exec --detach --exec-id late "$(cat web.id)" /bin/late 20 60000
wait $RUN
check_is "a pod is profiled with who came later, and with nobody else" \
	"$(cut -d';' -f2,3 pod.col | sort -u | sed '/runc/d; s/_checkout.*;/;/')" $'k8s_side;side\nk8s_web;late\nk8s_web;web'
check "all others are counted" holds pod '.filtered_by.cgroup > 0 and (.lost | del(.cgroup_unknown)) == {}'
record one --container checkout-7f8d9c6b5-abcde/side --duration 1
check_is "a container of a pod" "$(cut -d';' -f3 one.col | sort -u)" side
record two --container "$(cut -c1-12 web.id)" --container shop/checkout-7f8d9c6b5-abcde/side --duration 1
check_is "two of them, one by its id" "$(cut -d';' -f3 two.col | sort -u | tr '\n' ' ')" "late side web "
record workload --workload checkout --duration 1
check_is "a workload" "$(cut -d';' -f3 workload.col | sort -u | tr '\n' ' ')" "late side web "
record namespace --namespace shop --duration 1
check_is "a namespace" "$(cut -d';' -f3 namespace.col | sort -u | tr '\n' ' ')" "late side web "
record nobody --pod other/checkout-7f8d9c6b5-abcde --duration 10
check_is "a pod that is not there is a failure" "$STATUS" 1
check_text "which is told" 'no container here is of that name' nobody.json

# --- the backend learns of them, and an operator asks for the pod by its name

check "the studio starts" start_studio
start_daemon 1
# pod_row FILTER: of the row that the studio has of the container.
pod_row() {
	api '/api/metrics/profiling/workload_status?scope=container&container_name=side' | jq -e ".rows[0] | $1"
}
check "heartbeats tell containers" wait_for 60 pod_row .
check "with their pod and workload" pod_row \
	'.podName == "checkout-7f8d9c6b5-abcde" and .namespace == "shop" and .workloadName == "checkout"'
no_pause() {
	api '/api/metrics/profiling/workload_status?scope=container' >rows && grep -q '"side"' rows && ! grep -q '"POD"' rows
}
check "no pause container is told" no_pause
api /api/metrics/profile_request -H 'Content-Type: application/json' -d '{"service_name": "e2e",
	"request_type": "start", "duration": 2, "frequency": 199, "target_scope": "container", "target_entities": [{
	"container_name": "side", "pod_name": "checkout-7f8d9c6b5-abcde", "namespace": "shop"}]}' >order.json
check "an order names the container" jq -e '.command_ids | length == 1' order.json
check "its profile arrives" wait_for 60 profiles_at_least 1
fetch ordered "$(profiles | head -1)"
check_is "with nothing else in it" "$(cut -d';' -f2,3 ordered.col | sort -u)" \
	"$(raw side checkout-7f8d9c6b5-abcde shop $SHOP);side"
stop "$DAEMON"
stop "$STUDIO"

# --- containers that live for a moment

short=()
for i in $(seq "$CHURN"); do short+=("c$i=localhost/spin:1=/bin/c$i 20 150"); done
start "$PULSEPROF" profile record --format collapsed --output churn.col --rate 499 --duration 600
RECORDER=$STARTED
sleep 0.3
check "containers come and go" pod batch job-x2x4z $BATCH "" "${short[@]}"
sleep 1
kill -TERM "$RECORDER"
wait_for 60 test -s churn.col
wait "$RECORDER"
churn_is_right() {
	local i name seen=0 wrong=0
	for i in $(seq "$CHURN"); do
		name=$(containers_of churn "c$i")
		[ -n "$name" ] || continue
		seen=$((seen + 1))
		[ "$name" = "$(raw "c$i" job-x2x4z batch $BATCH)" ] || {
			echo "c$i is said to be in '$name'"
			wrong=$((wrong + 1))
		}
	done
	echo "# $seen of $CHURN were sampled"
	[ "$wrong" = 0 ] && [ "$seen" -ge $((CHURN * 9 / 10)) ]
}
check "each has its own name, also when it has gone" churn_is_right

# --- labels without end: the runtime's answer has most of a megabyte

LABELS=$(for i in $(seq 30); do printf 'l%s=%s,' "$i" "$(printf '%03900d' "$i")"; done)
BULKY=77777777-8888-9999-0000-111111111111
check "a pod with large labels starts" pod bulk bulky $BULKY "${LABELS%,}" \
	{b1,b2,b3,b4,b5,b6}="localhost/spin:1=/bin/late 20 60000"
record bulk --duration 2
check_is "its containers have their names" "$(containers_of bulk late | grep -c "^$(raw b bulky bulk $BULKY | cut -d_ -f1,2)")" 6

# --- podman

if command -v podman >/dev/null; then
	[ -S $PODMAN_SOCKET ] || {
		mkdir -p "$(dirname $PODMAN_SOCKET)"
		start podman --root "$WORK/podman" --runroot "$WORK/podman-run" --storage-driver vfs --runtime runc \
			--cgroup-manager cgroupfs system service --time=0 unix://$PODMAN_SOCKET
		SERVICE=$STARTED
	}
	podman_ load -i spin.tar >/dev/null 2>&1
	SPINNER=yes
	check "podman runs a container" podman_ run -d --name spinner --network host \
		--ulimit nofile=1024:1024 --ulimit nproc=1024:1024 localhost/spin:1 /bin/c1 20 60000
	wait_for 30 test -S $PODMAN_SOCKET
	record podman --duration 2
	check_is "which has its name" "$(containers_of podman c1)" spinner
fi

# --- and when nobody tells

kill -STOP "$CONTAINERD"
record mute --duration 1
check_is "a runtime that is silent holds nothing up: the id's beginning" "$(containers_of mute web)" \
	"$(cut -c1-12 web.id)"
kill -CONT "$CONTAINERD"
done_testing
