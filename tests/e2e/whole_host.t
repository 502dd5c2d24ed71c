#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# A whole host at work, with the programs of the distribution as they are: nearly all stacks are complete,
# those through generated code counted apart. Programs that are not installed are named and left out.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/tap.sh"
. "$(dirname "$0")/profile_facts.sh"
needs_kernel
needs_command jq
sources=$(cd "$(dirname "$0")/../programs" && pwd)
cd "$WORK" || exit 1

# Each runs until it is stopped.
at_work() {
	local what=$1
	shift
	if command -v "$1" >/dev/null; then
		start "$@"
		seen+=("$what")
	else
		echo "# not installed: $1"
	fi
}
seen=()
groups=() # of processes that are ended together

# shellcheck disable=SC2016
at_work bash bash -c 'while :; do for i in {1..2000}; do x=${x:0:50}$i; done; done'
at_work python3 python3 -c '
import hashlib, json, re
while True:
    numbers = {str(i): [i] * 5 for i in range(500)}
    json.loads(json.dumps(numbers))
    re.sub("a(b|c)*d", "x", "abcbcd" * 500)
    hashlib.sha256(b"x" * 100000).digest()
    sorted(numbers, key=lambda k: k[::-1])'
# shellcheck disable=SC2016
at_work perl perl -e 'while (1) { my %h; $h{$_ % 1000} .= $_ for 1 .. 20000;
	my $s = join ",", sort keys %h; $s =~ s/(\d+)/$1+1/ge }'
# shellcheck disable=SC2016
at_work cc1 gcc -c -xc /dev/null -o /dev/null
set -m # a group of its own, but not a session: the scheduler would give that one more
bash -c "while :; do gcc -O2 -D_GNU_SOURCE -c -o frames.o '$sources/frames.c'; done" &
groups+=("$!")
set +m
at_work node node -e 'for (;;) JSON.parse(JSON.stringify([...Array(1000)].map((_, i) =>
	({ i, s: "x".repeat(i % 50) })))).sort((a, b) => (a.s < b.s ? 1 : -1))'
cat >Busy.java <<'EOF'
import java.util.*;
public class Busy {
	public static void main(String[] args) {
		for (;;) {
			Map<String, Integer> counts = new HashMap<>();
			for (int i = 0; i < 50000; i++)
				counts.merge("k" + i % 1000, 1, Integer::sum);
			Collections.sort(new ArrayList<>(counts.keySet()));
		}
	}
}
EOF
at_work java java Busy.java

cleanup() {
	kill -KILL "${groups[@]/#/-}"
	[ -z "${server:-}" ] || kill -QUIT "$server"
	wait
} 2>/dev/null

# The server will not run as root.
postgres=$(compgen -G '/usr/lib/postgresql/*/bin' | sort -V | tail -n 1)
if [ -n "$postgres" ] && id postgres >/dev/null 2>&1; then
	as_postgres=(setpriv --reuid=postgres --regid=postgres --clear-groups --)
	mkdir pg && chown postgres pg
	"${as_postgres[@]}" "$postgres/initdb" -D pg -U postgres -A trust --no-sync >initdb.out 2>&1
	"${as_postgres[@]}" "$postgres/postgres" -D pg -k "$WORK/pg" -c listen_addresses= -c fsync=off >postgres.out 2>&1 &
	server=$!
	wait_for 20 "${as_postgres[@]}" "$postgres/psql" -h "$WORK/pg" -U postgres -c 'select 1'
	start "${as_postgres[@]}" "$postgres/psql" -h "$WORK/pg" -U postgres \
		-c "select count(*), max(md5(i::text)) from generate_series(1, 100000000) i group by i % 1000"
	seen+=(postgres)
else
	echo "# not installed: postgres"
fi
sleep 1

record host --rate 499 --duration 8
check_is "a profile of a host at work succeeds" "$STATUS" 0
check "it adds up" adds_up host
check "nothing is lost" holds host '[.lost[]] | add // 0 | . == 0'
native='(.user_stacks - .user_stacks_jit)'
# A process that has just called exec or mapped a library is told as stale until it was read again: with a machine
# crowded by short ones more than with a quiet one.
loaded="($native - .user_stack_ends.table_not_loaded - .user_stack_ends.stale_mapping)"
check "98 % of the stacks of native code are complete, once their tables are there and their mappings known" holds host \
	".user_stack_ends.complete >= 0.98 * $loaded and $loaded > 500"
check "few were taken before that" holds host "$loaded >= 0.85 * $native"
echo "# $(fact host "\"complete \(.user_stack_ends.complete) of \($native) native stacks, \" +
	\"\(.user_stacks_jit) through generated code; ends: \(.user_stack_ends | map_values(select(. > 0)) | tojson); \" +
	\"tables: \(.unwind_tables | tojson)\"")"
is_part() {
	echo "$1 of $2 samples"
	[ "$1" -gt 10 ] && [ $((100 * $1)) -ge $(($3 * $2)) ]
}
for program in "${seen[@]}"; do
	case $program in
	java | node) pattern="^[0-9]+;[^;]*;($program|GC |G1 |VM |C[12] |Sweeper)" low=1 ;;
	postgres) pattern=";postgres;_start;" low=1 ;;
	*) pattern=";$program;_start;" low=70 ;;
	esac
	what="$program was seen"
	[ $low = 1 ] || what="$program: $low % of its samples reach _start"
	total=$(weight host ";$program;")
	check "$what" is_part "$(weight host "$pattern")" "$total" $low
done
done_testing
