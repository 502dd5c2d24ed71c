#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Files of other processes are hostile: what stands at a path is not what is mapped, ELF files lie, and a
# container's root is not ours. Names are right or absent, never those of another file, and nothing hangs.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/tap.sh"
. "$(dirname "$0")/profile_facts.sh"
needs_kernel
needs_command jq

# judged WHAT NAME RIGHT WRONG: profiles $STARTED and asks for names that are right or absent.
judged() {
	local what=$1 name=$2 right=$3 wrong=$4 begin=$SECONDS
	record "$name" --pid "$STARTED" --rate 199 --duration 1
	stop "$STARTED"
	check_is "$what: the profile succeeds" "$STATUS" 0
	check "$what: in time" test $((SECONDS - begin)) -le 8
	check "$what: names are right or absent" share_between "$name" "$right" 97 100
	[ -z "$wrong" ] || check "$what: none is another file's" share_between "$name" "$wrong" 0 0
	check "$what: it adds up" adds_up "$name"
}

# --- the path holds something else by now

DEEP=';victim;(_start;run(;descend){4};bottom;leaf_(50|30|20)|(victim\+0x[0-9a-f]+;){7}victim\+0x[0-9a-f]+)(;[^ ;]*_\[k\])* [0-9]+$'
victim() {
	rm -f "$WORK/victim"
	cp "$PROGRAMS/fp_deep" "$WORK/victim"
	start "$WORK/victim" 3 30000
	wait_for 5 grep -q victim "/proc/$STARTED/maps"
	rm "$WORK/victim"
}

victim
mkfifo "$WORK/victim"
judged "a FIFO at the path" fifo "$DEEP" ''

victim
mknod "$WORK/victim" c 1 5
judged "a device at the path" device "$DEEP" ''

victim
truncate -s 1T "$WORK/victim"
judged "a sparse file of 1 TB at the path" sparse "$DEEP" ''

victim
ln -s "$PROGRAMS/threads" "$WORK/victim"
judged "a symbolic link at the path" symlink "$DEEP" 'burn_|work|clone'

victim
cp "$PROGRAMS/threads" "$WORK/victim"
judged "another program at the path" other "$DEEP" 'burn_|work|clone'

# Without a leader there is no map_files, and the path is all there is.
leaderless() {
	rm -f "$WORK/leaves"
	cp "$PROGRAMS/threads" "$WORK/leaves"
	start "$WORK/leaves" 2 30000 leave
	wait_for 5 grep -q Z "/proc/$STARTED/stat"
	rm "$WORK/leaves"
}
THREADS=';worker-[01];(clone;work;burn_(even|odd)|(leaves\+0x[0-9a-f]+;){2}leaves\+0x[0-9a-f]+)(;[^ ;]*_\[k\])* [0-9]+$'

leaderless
mkfifo "$WORK/leaves"
judged "a FIFO at the path, and no leader" leaderless_fifo "$THREADS" ''

leaderless
cp "$PROGRAMS/fp_deep" "$WORK/leaves"
judged "another program at the path, and no leader" leaderless_other "$THREADS" 'descend|leaf_|bottom'

leaderless
ln -s /proc/self/exe "$WORK/leaves"
judged "a link into proc at the path, and no leader" leaderless_link "$THREADS" 'main'

# --- the mapped file itself lies; its code is on the second page

lie() {
	head -c 4096 "$WORK/head" >"$WORK/liar"
	truncate -s 4096 "$WORK/liar"
	"$PROGRAMS/run_file" --code >>"$WORK/liar"
	truncate -s "$1" "$WORK/liar"
	start "$PROGRAMS/run_file" "$WORK/liar" 30000
	wait_for 5 grep -q liar "/proc/$STARTED/maps"
}
LIAR=';run_file;_start;run;call_mapped;[^; ]+(;[^ ;]*_\[k\])* [0-9]+$'

printf 'just text\n' >"$WORK/head"
lie 8192
judged "a mapped file that is no ELF file" text ';_start;run;call_mapped;liar\+0x100[0-9a-f]' ''

head -c 4096 "$PROGRAMS/fp_deep" >"$WORK/head"
lie 8192
judged "a truncated ELF file" truncated "$LIAR" ''
stop "$STARTED"

head -c 64 "$PROGRAMS/fp_deep" >"$WORK/head"
lie 1T
judged "an ELF header and 1 TB of nothing" hole "$LIAR" ''

# e_shoff (byte 40) past the end, e_shnum (60) and e_phnum (56) at their maximum.
head -c 4096 "$PROGRAMS/fp_deep" >"$WORK/head"
printf '\377\377\377\377\377\377\377\177' | dd of="$WORK/head" bs=1 seek=40 conv=notrunc status=none
printf '\377\377' | dd of="$WORK/head" bs=1 seek=60 conv=notrunc status=none
printf '\377\377' | dd of="$WORK/head" bs=1 seek=56 conv=notrunc status=none
lie 8192
judged "section and program headers past the end" headers "$LIAR" ''

# A file cut short while it is mapped and profiled: SIGBUS would await whoever maps it.
cat "$PROGRAMS/random_stacks" >"$WORK/shrinks"
truncate -s 4096 "$WORK/head"
{ head -c 4096 "$PROGRAMS/random_stacks" && "$PROGRAMS/run_file" --code; } >"$WORK/liar"
tail -c +8193 "$PROGRAMS/random_stacks" >"$WORK/rest"
truncate -s 8192 "$WORK/liar"
cat "$WORK/rest" >>"$WORK/liar"
start "$PROGRAMS/run_file" "$WORK/liar" 30000
wait_for 5 grep -q liar "/proc/$STARTED/maps"
(sleep 1.0 && truncate -s 8192 "$WORK/liar") &
# Its rows were made for other code than it has: stacks may end early, and say so.
judged "a file that shrinks meanwhile" shrinks "${LIAR/;_start;run;call_mapped/(;_start;run;call_mapped)?}" ''

# --- a container's own root

contain() {
	# shellcheck disable=SC2016
	start unshare -m sh -c 'mount --bind "$1" "$1" && cd "$1" && pivot_root . old &&
		exec /busybox sh -c "/busybox umount -l /old; exec /usr/bin/perl 3 30000"' sh "$WORK/jail"
	wait_for 10 grep -q '/usr/bin/perl$' "/proc/$STARTED/maps"
}

if command -v busybox >/dev/null; then
	mkdir -p "$WORK/jail/usr/bin" "$WORK/jail/old" "$WORK/jail/proc"
	cp "$(command -v busybox)" "$WORK/jail/busybox"
	cp "$PROGRAMS/fp_deep" "$WORK/jail/usr/bin/perl"
	contain
	judged "a program in a container, at the path of another one here" container \
		';perl;_start;run(;descend){4};bottom;leaf_' 'perl\+0x|Perl_'

	# The container's library is a link that means another file outside than inside.
	contain
	rm "$WORK/jail/usr/bin/perl"
	ln -s "../../../../../../../../../../../$PROGRAMS/threads" "$WORK/jail/usr/bin/perl"
	judged "a link that leads out of the container" escape \
		';perl;(_start;run(;descend){4};bottom;leaf_|(perl\+0x[0-9a-f]+;){7}perl\+0x)' 'burn_|work|clone'
fi

done_testing
