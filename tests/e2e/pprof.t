#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The pprof format as others read it: the same stacks and numbers as the collapsed lines of that profile, places
# that are the file's own symbols, nothing of where the kernel lies, and a file that is whole or absent.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/tap.sh"
. "$(dirname "$0")/profile_facts.sh"
needs_kernel
needs_command jq
needs_command python3
needs_command nm
READ=$(cd "$(dirname "$0")" && pwd)/pprof_facts.py
cd "$WORK" || exit 1

# pprof NAME ARGS...: as record, but in pprof; its stacks as lines in NAME.col, what else it says in NAME.facts.
pprof() {
	local name=$1
	shift
	"$PULSEPROF" -j profile record --format pprof --output "$name.pb.gz" "$@" >"$name.json" 2>"$name.err"
	STATUS=$?
	python3 "$READ" lines "$name.pb.gz" >"$name.col"
	python3 "$READ" facts "$name.pb.gz" >"$name.facts"
}

# says NAME FILTER: a condition on what the reader found.
says() {
	jq -e "$2" "$1.facts" >/dev/null || {
		echo "not true: $2"
		cat "$1.facts"
		return 1
	}
}

# The offsets of frames without a name left out, equal lines added up.
without_offsets() {
	sed -E ':again; s/\+0x[0-9a-f]+(;| [0-9]+$)/+\1/; t again' |
		awk '{ n = $NF; sub(/ [0-9]+$/, ""); sum[$0] += n } END { for (line in sum) print line, sum[line] }'
}

same_lines() {
	"$O/e2e/make_page" "$1" collapsed | without_offsets | LC_ALL=C sort >"$1.wanted"
	"$O/e2e/make_page" "$1" pprof >"$1.pb.gz"
	python3 "$READ" lines "$1.pb.gz" | LC_ALL=C sort >"$1.got"
	[ -s "$1.got" ] && diff "$1.wanted" "$1.got"
}

for kind in rich hostile large; do
	check "a $kind profile has the stacks of the collapsed one, each with its samples" same_lines "$kind"
done

start "$PROGRAMS/fp_deep" 20 60000
deep=$STARTED
pprof deep --pid "$deep" --rate 999 --duration 2
check_is "a profile of a busy process succeeds" "$STATUS" 0
check "it has the samples of the summary" says deep ".samples == $(fact deep .samples) and .samples > 100"
check "and their time" says deep '.cpu_ns == .samples * .period and .period == 1001001 and .default == "cpu"'
check "as many as the account in its comments has" \
	says deep '.samples as $n | any(.comments[]; startswith("samples: ") and contains("accepted \($n) "))'
check "the stack is the one that was built" share_between deep \
	';fp_deep;_start;run(;descend){21};bottom(;leaf_(50|30|20))?(;[^ ;]*_\[k\])* [0-9]+$' 97 100
check "leaf_50 has its half" share_between deep ';leaf_50[; ]' 40 60
check "one process was seen, under its name" says deep ".pids == [$deep] and .processes == [\"fp_deep\"]"
check "begun and ended when it was" says deep \
	"(.time_ns / 1e9 - $(date +%s) | . < 1 and . > -300) and (.duration_ns / 1e9 - $(fact deep .duration_s) | fabs < 0.1)"
check "each place is that function's in the file" python3 "$READ" names deep.pb.gz "$PROGRAMS/fp_deep"
"$PULSEPROF" profile record --pid "$deep" --duration 1 --format pprof --output - >stdout.pb.gz 2>/dev/null
check "stdout holds the profile and nothing else" python3 "$READ" lines stdout.pb.gz
(mkdir own && cd own && exec "$PULSEPROF" profile record --pid "$deep" --duration 1 --format pprof) >/dev/null
check "its own name ends in .pb.gz" bash -c 'gzip -t own/pulseprof-*Z.pb.gz'
stop "$deep"

start "$PROGRAMS/random_stacks" 26 30000
pprof random --pid "$STARTED" --rate 999 --duration 2
stop "$STARTED"
build_id=$(readelf -n "$PROGRAMS/random_stacks" | sed -n 's/.*Build ID: *//p')
check "the file's build id is told" says random ".build_ids[\"$PROGRAMS/random_stacks\"] == \"$build_id\""
check "thousands of places: each is that function's in the file" \
	python3 "$READ" names random.pb.gz "$PROGRAMS/random_stacks"

start "$PROGRAMS/syscall_heavy" 30000
pprof kernel --pid "$STARTED" --rate 199 --duration 1
stop "$STARTED"
check "the kernel's functions have names" share_between kernel ';(ksys_read|vfs_read|read_zero)_\[k\]' 40 100
check "and no address" says kernel '.kernel_addresses == 0'

printf 'something that is much longer than nothing\n%.0s' {1..10000} >target
ln -s target link
"$PULSEPROF" profile record --format pprof --output link -- true >/dev/null
check "a longer file behind a link is cut" python3 "$READ" lines link
"$PULSEPROF" profile record --format pprof --output /dev/full --pid $$ --duration 1 >/dev/null 2>full.err
check_is "a full disk is a failure" $? 1
check "but the profile is kept elsewhere" gzip -t "$(sed -n "s/.*kept in '\(.*\)'.*/\1/p" full.err)"

# Go's reader, where there is one, takes names and lines from the files by the same places.
go_pprof=$(compgen -G "$(command -v go >/dev/null && go env GOTOOLDIR)/pprof" || compgen -G '/usr/lib/go-*/pkg/tool/*/pprof' | tail -1)
# go_names HOW: place and name.
go_names() {
	"$go_pprof" -raw -symbolize="$1" random.pb.gz 2>/dev/null |
		sed -n '/^Locations/,/^Mappings/{ s/ *[0-9]*: \(0x4[0-9a-f]*\) M=[0-9]* \([^ ]*\) .*/\1 \2/p }' | sort
}
same_names() {
	go_names none >ours
	go_names local >its
	[ "$(wc -l <ours)" -gt 100 ] && diff ours its
}
if [ -n "$go_pprof" ]; then
	check "go tool pprof finds the same names by itself" same_names
	check_is "and adds up to as many samples" \
		"$("$go_pprof" -symbolize=none -sample_index=samples -top random.pb.gz 2>/dev/null |
			sed -n 's/.* of \([0-9]*\) total.*/\1/p')" "$(fact random .samples)"
fi
done_testing
