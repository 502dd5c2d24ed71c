#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Where no runtime's socket is, the kubelet names containers: over TLS that the cluster's CA vouches for, with the pod's own
# service account token, which nobody else gets. The cgroups are real, the kubelet is not.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/tap.sh"
. "$(dirname "$0")/profile_facts.sh"
needs_kernel
needs_command jq
needs_command openssl
needs_command python3
RIG=$(dirname "$(readlink -f "$0")")/kubelet_rig.py
ACCOUNT=/var/run/secrets/kubernetes.io/serviceaccount
ID=$(printf '%064d' 7)
UID_=11111111-2222-3333-4444-555555555555
for socket in /run/containerd/containerd.sock /run/crio/crio.sock $ACCOUNT; do
	[ ! -e $socket ] || skip_all "$socket is here"
done
! (: </dev/tcp/127.0.0.1/10250) 2>/dev/null || skip_all "a kubelet is at work here"
made=
for mount in $(awk '$3 ~ "^cgroup2?$" && $2 ~ "^/sys/fs/cgroup" { print $2 }' /proc/mounts | sort -r); do
	[ -n "$made" ] || ! mkdir -p "$mount/pulseprof-pods/pod$UID_/$ID" 2>/dev/null || made=$mount/pulseprof-pods
done
[ -n "$made" ] || skip_all "no cgroup can be made"
first_of() { while [ ! -d "$1" ]; do set -- "$(dirname "$1")"; done; echo "$1"; }
before=$(first_of $ACCOUNT)
cleanup() {
	local dir=$ACCOUNT
	rm -rf $ACCOUNT
	while dir=$(dirname "$dir") && [ "$dir" != "$before" ]; do rmdir "$dir" 2>/dev/null || break; done
	wait_for 10 rmdir "$made/pod$UID_/$ID" && rmdir "$made/pod$UID_" "$made"
}

certificate() { # NAME CA
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" -keyout "$WORK/$1.key" -out "$WORK/$1.csr" 2>/dev/null
	openssl x509 -req -in "$WORK/$1.csr" -CA "$WORK/$2.pem" -CAkey "$WORK/$2.key" -CAcreateserial -days 2 \
		-extfile <(echo "subjectAltName=IP:127.0.0.1") -out "$WORK/$1.pem" 2>/dev/null
}
for ca in cluster other; do
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$ca" -days 2 \
		-addext basicConstraints=critical,CA:TRUE -keyout "$WORK/$ca.key" -out "$WORK/$ca.pem" 2>/dev/null
done
certificate node cluster
certificate stranger other
mkdir -p $ACCOUNT
cp "$WORK/cluster.pem" $ACCOUNT/ca.crt
(umask 077 && echo "the-token" >$ACCOUNT/token)

# shellcheck disable=SC2016
start sh -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$made/pod$UID_/$ID" "$PROGRAMS/fp_deep" 3 300000
kubelet() { # CERTIFICATE ANSWER
	: >"$WORK/port"
	start "$RIG" "$WORK/$1.pem" "$WORK/$1.key" "$2" "$ID" "$UID_" "$WORK/port" "$WORK/asked"
	KUBELET=$STARTED
	wait_for 10 test -s "$WORK/port"
}
names() { cut -d';' -f2,3 "$WORK/$1.col" | grep ';fp_deep$' | cut -d';' -f1 | sort -u; }

check "the kubelet is there" kubelet node pods
record named --rate 99 --duration 2
check_is "a container has its pod's name" "$(names named)" "k8s_web_cart-7f8d9c6b5-abcde_shop_${UID_}_3"
check_text "asked with the token" 'GET /pods Bearer the-token' "$WORK/asked"
record pod --pod shop/cart-7f8d9c6b5-abcde --rate 99 --duration 1
check_is "and can be a target by it" "$(cut -d';' -f3 "$WORK/pod.col" | sort -u)" fp_deep
stop "$KUBELET"

rm "$WORK/asked"
check "somebody else is in its place" kubelet stranger pods
record stranger --rate 99 --duration 2
check_is "whom the cluster's CA does not know: no names" "$(names stranger)" "${ID:0:12}"
check "and no token for him" test ! -s "$WORK/asked"
stop "$KUBELET"

for answer in denied garbage hang; do
	check "$answer" kubelet node $answer
	record $answer --rate 99 --duration 1
	check_is "$answer: the profile is made without" "$STATUS $(names $answer)" "0 ${ID:0:12}"
	stop "$KUBELET"
done
done_testing
