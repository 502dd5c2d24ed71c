# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Runs collect_stress and asks its result. Sourced by bash after tap.sh.
# shellcheck shell=bash

# stress NAME WORDS...: the result in $WORK/NAME.txt.
stress() {
	local name=$1
	shift
	timeout 60 "$O/e2e/collect_stress" "$@" >"$WORK/$name.txt" 2>"$WORK/$name.err"
}

value() {
	sed -n "s/^$2=//p" "$WORK/$1.txt"
}

# equation NAME EXPRESSION: an arithmetic condition over the names in the result; an unknown name fails.
equation() (
	set -u
	while IFS='=' read -r name number; do
		declare "$name=$number"
	done <"$WORK/$1.txt"
	(($2)) || {
		echo "not true: $2"
		cat "$WORK/$1.txt" "$WORK/$1.err"
		exit 1
	}
)
