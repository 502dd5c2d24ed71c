#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Code that is replaced at one address while it is sampled: no frame is ever named, and no stack walked, by
# what stood there before or after.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/tap.sh"
. "$(dirname "$0")/profile_facts.sh"
needs_kernel
needs_command jq

# Pairs that were never on one stack.
WRONG=';when_alpha;beta|;when_beta;alpha|;(alpha|alpha_inner);beta|;(beta|beta_inner);alpha|;alpha_inner;.*(alpha|beta)'

# Kernels 6.1 to 6.3 have no field that tells one page of code from another of the same size.
sees_replacement() {
	case $(uname -r) in
	6.1.* | 6.2.* | 6.3.*) return 1 ;;
	esac
}

for way in fixed unmap remap; do
	for hold_us in 100000 3000; do
		start "$PROGRAMS/swap_code" "$way" 60000 "$hold_us"
		record "$way" --pid "$STARTED" --rate 999 --duration 1
		stop "$STARTED"
		what="$way, each page for $hold_us us"
		alpha=$(weight "$way" ';when_alpha;')
		beta=$(weight "$way" ';when_beta;')
		if [ "$hold_us" = 3000 ]; then # most of these are cut as stale
			check "$what: there are samples" test $((alpha + beta)) -gt 0
		else
			check "$what: there are samples of both" test "$alpha" -gt 10 -a "$beta" -gt 10
		fi
		if sees_replacement; then
			check "$what: no stack mixes them" share_between "$way" "$WRONG" 0 0
		else
			echo "ok $((++TAP_CNT)) - $what: no stack mixes them # SKIP not visible on this kernel"
		fi
		check "$what: that profile adds up" adds_up "$way"
		echo "# $(fact "$way" '.user_stack_ends | tostring')"
		[ "$hold_us" = 3000 ] && continue
		check "$what: between replacements stacks are whole" \
			share_between "$way" ';_start;.*;main;swap;(when_alpha;alpha|when_beta;beta)' 50 100
	done
done

done_testing
