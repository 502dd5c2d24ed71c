#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Programs whose stacks are known, of every shape that a compiler or an assembler makes: no frame in a
# profile is one that cannot be there, and nearly all stacks are whole once their tables are loaded.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/tap.sh"
. "$(dirname "$0")/profile_facts.sh"
needs_kernel
needs_command jq
needs_command python3
needs_command nm
here=$(cd "$(dirname "$0")" && pwd)
sources=$(cd "$here/../programs" && pwd)

libraries=()
for path in $({
	ldd "$PROGRAMS/throws"
	ldconfig -p | grep -m1 'libcrypto\.so\.3 '
} | grep -Eo '/[^ ]+' | sort -u); do
	libraries+=(--file "$path")
done

# profile_of NAME COMMAND...: all commands at once, each a string, profiled from their begin to their end.
profile_of() {
	local name=$1
	shift
	printf '%s &\n' "$@" >"$WORK/$name.sh"
	echo wait >>"$WORK/$name.sh"
	record "$name" --children --rate 999 -- bash "$WORK/$name.sh"
}

# known PROFILE SOURCE COMM ARGS...: says what it found, right or wrong.
known() {
	local profile=$1 source=$2 comm=$3
	shift 3
	python3 "$here/known_stacks.py" "$WORK/$profile.col" "$sources/$source" "$comm" "${libraries[@]}" "$@"
}

# stacks_are_true WHAT PROFILE SOURCE COMM ARGS...
stacks_are_true() {
	local what=$1
	shift
	check "$what" known "$@"
	grep -h ' wrong; ' "$WORK/tap.out" | sed 's/^/# /'
}

# Every compiler, level and kind of frame; an eighth of the stacks is behind a signal's handler, or two.
shapes=()
commands=()
for program in "$PROGRAMS"/frames.by/*-*fp; do
	shapes+=("$(basename "$program")")
	commands+=("$program 600")
done
check "there are sixteen builds of the same shapes" is "${#shapes[@]}" 16
profile_of shapes "${commands[@]}"
for shape in "${shapes[@]}"; do
	level=${shape#*-}
	stacks_are_true "$shape: all shapes of frames" shapes frames.c "$shape" --tags "${level%-*}" --samples 350
done
check "handlers were seen at work" share_between shapes ';on_signal;' 3 30
check "also one that interrupted another" share_between shapes ';on_signal;.*;on_signal' 0.05 10
check "stacks of 200 frames are among them" share_between shapes '(;deep_down){200}' 2 15
check "what counts as complete has its bottom" \
	holds shapes ".user_stack_ends.complete <= $(weight shapes ';_start[; ]') and .user_stack_ends.complete > 5000"
check "little came before its table" holds shapes '.user_stack_ends.table_not_loaded < 0.05 * .user_stacks'
check "they add up" adds_up shapes

# The judge must be able to say no: each of these differs from the profile above by one thing.
spoilt() {
	local why=$1 edit=$2
	sed -E "$edit" "$WORK/shapes.col" >"$WORK/spoilt.col"
	check "a profile is refused $why" refused
}
refused() {
	! cmp -s "$WORK/shapes.col" "$WORK/spoilt.col" && ! known spoilt frames.c gcc-O2-nofp --tags O2 --samples 350
}
spoilt "that lacks one of many equal frames" 's/;plain_down;burn/;burn/'
spoilt "that has one too many" 's/;dynamic_down;burn/;dynamic_down;dynamic_down;burn/'
spoilt "with two frames in the wrong order" 's/;even_odd;even/;even;even_odd/'
spoilt "with a frame of another function" 's/;last_call;never/;rarely;never/'
spoilt "with an address behind no call" 's/;__libc_start_main;[^;]*;main/;__libc_start_main;libc.so.6+0x29007;main/'
spoilt "with one stack in many cut" 's/;_start;__libc_start_main;([^;]*;main;sorting)/;\1/'
spoilt "without stacks" '/;gcc-O2-nofp=;/d'

# What makes stacks otherwise than by calls of compiled functions; and code that others made.
plt=(plt_lazy plt_now plt_branch plt_static plt_static_pie)
others=(throws clocks coroutines pthreads jit_calls vforks "${plt[@]}")
commands=()
for program in "${others[@]}" assembly spawns forks; do
	commands+=("$PROGRAMS/$program 600")
done
# what other processors would run of it
for older in OPENSSL_ia32cap=0 OPENSSL_ia32cap=~0x200000200000000:0 \
	GLIBC_TUNABLES=glibc.cpu.hwcaps=-AVX512VL,-AVX2,-ERMS,-FSRM,-SSE4_2; do
	commands+=("env '$older' $PROGRAMS/assembly 600")
done
profile_of others "${commands[@]}" "$PROGRAMS/exec_ping 24"
for program in "${others[@]}"; do
	source=$(basename "$(ls "$sources/$program".c*)")
	args=(--samples 350)
	# libgcc rewrites the registers that a frame has saved just before it returns into the landing pad
	[ "$program" != throws ] || args+=(--complete 96)
	[ "${program#plt_static}" = "$program" ] || args+=(--static "$PROGRAMS/$program")
	stacks_are_true "$program: only stacks that it has" others "$source" "$program" "${args[@]}"
done
# AES-GCM finds its frame by rax while it calls
stacks_are_true "hand-written assembly of libc and libcrypto" others assembly.c assembly
stacks_are_true "children that borrow their parent's memory" others spawns.c spawns --complete 50
stacks_are_true "forks of forks that live for milliseconds" others forks.c forks --complete 50
for program in exec_ping exec_pong; do
	stacks_are_true "$program: one image's functions never in the other's" others $program.c $program \
		--samples 20 --complete 20
done
check "generated code is counted apart" holds others '.user_stack_ends.jit_code > 300'
check "stacks of generated code go on below it" share_between others \
	';main;outside(;outside_down){3};\[anon\];inside' 1 20
check "that adds up" adds_up others

profile_of swaps "$PROGRAMS/swaps 1200 "{dlopen,fixed,mremap}
profile_of slow_swaps "$PROGRAMS/swaps 1500 "{dlopen,fixed,mremap}" 2000"
for mode in dlopen fixed mremap; do
	stacks_are_true "$mode: each 2 ms another library at the same address" swaps swaps.c swap_$mode \
		--samples 600 --complete 0
	stacks_are_true "$mode: each 50 ms" slow_swaps swaps.c swap_$mode --samples 900 --complete 50
done
check "what was doubted is counted" holds swaps '.user_stack_ends.stale_mapping > 100'
check "swaps add up" adds_up swaps

record deepest --children --rate 499 --duration 1 -- "$PROGRAMS/nofp_deep" 300 1500
check "256 frames of a deeper stack without frame pointers" share_between deepest \
	'^[0-9]+;;nofp_deep(;descend){250,255}(;bottom)?(;misuse|;misused|;leaf_[0-9]+)*(;[^ ;]*_\[k\])* [0-9]+$' 80 100
check "such a stack is not complete, and says why" \
	holds deepest '.user_stack_ends.truncated > 0.8 * .user_stacks and .user_stack_ends.complete == 0'
check "warm-up is over within 100 ms" holds deepest '.user_stack_ends.table_not_loaded <= 50'

# Other toolchains, where they are installed.
if command -v musl-gcc >/dev/null; then
	musl-gcc -std=gnu11 -D_GNU_SOURCE -O2 -static -g -o "$WORK/musl_frames" "$sources/frames.c"
	profile_of musl "$WORK/musl_frames 800"
	# its C library has neither frame pointers nor unwind information: where the stacks end is where main was called,
	# and before the tables are there a guess may go through an address that was left behind on the stack
	stacks_are_true "musl, static: all shapes of frames, signals among them" musl frames.c musl_frames \
		--tags O2 --samples 350 --static "$WORK/musl_frames" --complete 0 --early-wrong 1
fi

PATH=$PATH:/root/.cargo/bin
if command -v rustc >/dev/null; then
	rustc -O -C opt-level=2 -o "$WORK/rust_calls" "$sources/rust_calls.rs" 2>"$WORK/rustc.err"
	profile_of rust "$WORK/rust_calls 600"
	stacks_are_true "Rust: traits, closures, panics that are caught" rust rust_calls.rs rust_calls --samples 350 \
		--static "$WORK/rust_calls" --complete 98
fi

# Descriptors are short: the tables' maps do not find any, the rest does. Which limit that is depends on the
# kernel's CPUs and on libbpf.
with_limit() { # with_limit COMMAND: raises the limit until it succeeds
	local limit
	for limit in {20..60}; do
		(ulimit -n "$limit" && "$@") && return
	done
}
probe_without() {
	"$PULSEPROF" -j feature probe 2>/dev/null | grep -q 'frame pointers: -EMFILE'
}
record_without() {
	record few --rate 499 --duration 1
	[ "$STATUS" = 0 ] && [ "$(fact few .unwind_tables_off)" = -EMFILE ]
}
check "a refusal that is not the verifier's leaves frame pointers, and feature probe says so" \
	with_limit probe_without
start sh -c 'while :; do :; done'
check "a run then gives a profile all the same, and its summary says why" with_limit record_without
check "it has samples" holds few '.samples > 0 and .unwind_tables == null'
done_testing
