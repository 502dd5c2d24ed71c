# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Questions to a collapsed profile and to the summary of `pulseprof -j`, answered with a number or by
# success. Sourced by bash after tap.sh.
# shellcheck shell=bash

# record NAME ARGS...: collapsed lines in $WORK/NAME.col, summary in NAME.json, messages in NAME.err.
record() {
	local name=$1
	shift
	"$PULSEPROF" -j profile record --format collapsed --output "$WORK/$name.col" "$@" \
		>"$WORK/$name.json" 2>"$WORK/$name.err"
	export STATUS=$?
}

# fact NAME FILTER: a value of the summary.
fact() {
	jq -r "$2" "$WORK/$1.json"
}

# holds NAME FILTER: a condition on the summary.
holds() {
	jq -e "$2" "$WORK/$1.json" >/dev/null || {
		echo "not true: $2"
		cat "$WORK/$1.json" "$WORK/$1.err"
		return 1
	}
}

# complete_when_loaded NAME PERCENT: of the user stacks whose unwind tables were there; few came before them.
complete_when_loaded() {
	holds "$1" ".user_stack_ends as \$ends | (.user_stacks - \$ends.table_not_loaded) as \$loaded |
		\$loaded > .user_stacks * 0.75 and 100 * \$ends.complete >= $2 * \$loaded"
}

# weight NAME PATTERN: sum of the counts of the lines that match (grep -E, on the whole line).
weight() {
	grep -E -- "$2" "$WORK/$1.col" | awk '{ n += $NF } END { printf "%d\n", n }'
}

# share_between NAME PATTERN LOW HIGH: percent of all samples.
share_between() {
	local part all
	part=$(weight "$1" "$2")
	all=$(weight "$1" '')
	awk -v part="$part" -v all="$all" -v low="$3" -v high="$4" 'BEGIN {
		pct = all ? 100 * part / all : -1
		printf "%d of %d samples, %.2f %%, wanted %s to %s\n", part, all, pct, low, high
		exit !(pct >= low && pct <= high)
	}' || {
		sort -t' ' -k2 "$WORK/$1.col" | awk '{ print $NF, $0 }' | sort -rn | head -8 | cut -c1-600
		return 1
	}
}

# The equations that always hold: nothing unexplained.
adds_up() {
	[ "$(weight "$1" '')" = "$(fact "$1" .samples)" ] || {
		echo "collapsed $(weight "$1" '') != samples $(fact "$1" .samples)"
		return 1
	}
	holds "$1" '.samples + .filtered + ([.lost[]] | add // 0) == .taken and .taken + .missed == .expected'
}

# Every line is index;container;comm;frames count, in UTF-8, without control characters.
grammar_holds() {
	iconv -f UTF-8 -t UTF-8 "$WORK/$1.col" >/dev/null || return 1
	LC_ALL=C awk '!/^[0-9]+;[^;]*;[^;]+(;[^;]+)* [1-9][0-9]*$/ || /[\001-\010\013-\037\177]/ ||
		/; / || / ;/ || /  [0-9]+$/ { print "bad line: " $0; bad = 1 } END { exit bad }' "$WORK/$1.col"
}

# No frame is a bare address.
no_raw_address() {
	! grep -Ein '(^|;)(0x)?[0-9a-f]{8,16}(_\[k\])?(;| [0-9]+$)' "$WORK/$1.col" | head -5 | grep .
}
