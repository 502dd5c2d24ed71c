#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The words of pulseprof: help, usage errors, abbreviations, JSON, the lists, where a profile is written to.
# Needs no kernel ability but for the last part.
# shellcheck source-path=SCRIPTDIR disable=SC2016
. "$(dirname "$0")/tap.sh"
needs_command jq
BUSY='i=0; while [ $i -lt 30000 ]; do i=$((i + 1)); done'
cd "$WORK" || exit 1

# run ARGS...: output in out and err, exit code in STATUS.
run() {
	"$PULSEPROF" "$@" >out 2>err </dev/null
	STATUS=$?
}

# wrong WHAT PATTERN ARGS...: told on stderr with one usage line, exit code 2, nothing on stdout.
wrong() {
	local what=$1 pattern=$2
	shift 2
	run "$@"
	check_is "$what: exit code 2" "$STATUS" 2
	check_text "$what: told" "$pattern" err
	check_is "$what: with one usage line" "$(grep -c '^  usage: pulseprof ' err)" 1
	check "$what: and no more" lines_between 2 2 err
	check_is "$what: nothing on stdout" "$(wc -c <out)" 0
}

# --- help and version

for words in help -h --help; do
	run "$words"
	check_is "$words: exit code 0" "$STATUS" 0
	check_is "$words: nothing on stderr" "$(wc -c <err)" 0
	check_text "$words: names the objects" 'profile record.*COMMAND' out
	check "$words: under 80 columns" lacks '^.{80}' out
done
run help profile
check_is "help of an object succeeds" "$STATUS" 0
check_text "and has its options" '^  --duration S ' out
check "under 80 columns" lacks '^.{80}' out
cp out asked
for words in "profile help" "profile record --help" "profile record -h" "prof rec --rate 5 --help"; do
	# shellcheck disable=SC2086
	run $words
	check "'$words' is the same text" cmp out asked
done
run version
check_text "version" '^pulseprof [0-9]+\.[0-9]+\.[0-9]+$' out
run -j version
check "-j version is an object" jq -e '.version | test("^[0-9.]+$")' out
run -j help
check "-j help is the table of commands" jq -e 'any(.[]; .object == "profile" and .command == "record" and
	any(.options[]; .name == "duration" and .arg == "S"))' out
run -j unwind help
check "-j help of an object has only its commands" jq -e 'length == 3 and all(.[]; .object == "unwind")' out
run -jp version
check "-jp is -j and -p" lines_between 3 3 out

# --- wrong words

wrong "no object" 'object is missing'
wrong "an unknown object" "no object 'frob'" frob
wrong "an ambiguous object" "'p' may mean: profile, prog" p
wrong "no command" 'command is missing' feature
wrong "an unknown command" "no command 'frob'" feature frob
wrong "an unknown global option" "no option '--frob'" --frob
wrong "an unknown short option" "no option '-x'" -x
wrong "one among others" "no option '-Vx'" -Vx
wrong "the program's version is no option of a command" "no option '-V'" profile record -V
wrong "a word too many" "unexpected word 'x'" version x
wrong "a word too many for a list" "unexpected word 'x'" prog list x
wrong "an unknown option" "no option '--frob'" profile record --frob
wrong "an ambiguous option" "'--p' may mean: pid, pod, pretty" profile record --p 1
wrong "an empty name for the output" "'--output' needs a value" profile record --output ''
wrong "a value where none is taken" 'takes no value' profile record --idle=yes
wrong "no value" "needs a value: HZ" profile record --rate
wrong "an empty rate" 'usage' profile record --rate=
wrong "a command without --" "unexpected word 'sleep'" profile record sleep 1
wrong "-- without a command" 'command is missing' profile record --
wrong "--children of nobody" 'needs --pid' profile record --children
wrong "--pid and a command" 'only one of them' profile record --pid 1 -- true
wrong "a name of control characters is made harmless" "no object 'a.x1b\[31mb'" $'a\e[31mb'
run prof rec --rat 0
check_is "words and options may be cut short" "$STATUS" 2
check_text "as far as they are unambiguous" "^pulseprof: '0': " err

run -j frob
check_is "with -j a usage error keeps its exit code" "$STATUS" 2
check "and is an object with code, message and hint" \
	jq -e '.code == "EINVAL" and (.message | test("frob")) and (.hint | test("usage"))' out
check_is "alone" "$(wc -c <err)" 0
run -p frob
check "with -p it is indented" lines_between 4 8 out

# --- outputs that cannot be

: >file
ln -s nowhere link
for path in file/x nowhere/x . file/; do
	run profile record --duration 60 --output "$path"
	check_is "output '$path' is refused before the run: exit code 1" "$STATUS" 1
	check_text "output '$path' is told" "'$path' cannot be written: " err
done
if [ "$(id -u)" = 0 ] && mkdir locked && chattr +i locked 2>/dev/null; then
	run profile record --duration 60 --output locked/x
	check_is "a folder that is locked: exit code 1" "$STATUS" 1
	chattr -i locked
fi
run -j profile record --duration 60 --output nowhere/x
check "with -j it is an object" jq -e '.code == "ENOENT"' out

# --- the kernel

needs_kernel_here() { [ "$(id -u)" = 0 ] && [ -r /sys/kernel/btf/vmlinux ]; }
if ! needs_kernel_here; then
	done_testing
	exit
fi

run feature probe
check_is "feature probe succeeds" "$STATUS" 0
check "under 80 columns" lacks '^.{81}' out
run -j feature probe
check "as JSON: name, available, detail, cost, remedy" jq -e 'length > 5 and all(.[];
	(.name | length > 0) and (.available | type == "boolean") and (.detail | type == "string") and
	(.cost | type == "string") and (.remedy | type == "string"))' out
check "what is missing has a cost and a remedy" jq -e \
	'all(.[] | select(.available | not); (.cost | length > 10) and (.remedy | length > 3))' out
check_is "plain and JSON have the same rows" "$("$PULSEPROF" feature probe | grep -c '^[a-z_]* *\(yes\|no\)')" \
	"$(jq length out)"

start "$PULSEPROF" profile record --duration 30 --output "$WORK/other.html"
other=$STARTED
is_sampling() { readlink "/proc/$1"/fd/* | grep -q perf_event; }
check "while a profile is recorded its perf events are open" wait_for 15 is_sampling "$other"
# Others on this host may have programs of the same names.
ids=$(sed -n 's/^prog_id:[^0-9]*//p' "/proc/$other"/fdinfo/* | sort -un | jq -s .)
run -j prog list
check "our programs are listed under bpftool's names" jq -e \
	--argjson ids "$ids" 'any(.[]; .name == "pp_sample" and (.id | IN($ids[])) and .attached and
	(.runs | type == "number") and .bytes > 0)' out
run -j map list
check "our maps are listed, with their bytes" jq -e 'any(.[]; .name == "pp_ring" and .bytes > 100000)' out
run map list
check "under 80 columns, too" lacks '^.{80}' out
kill -TERM "$other"
wait "$other" 2>/dev/null
check "what it recorded until then is kept" test -s "$WORK/other.html"
# the kernel empties an array of programs by a worker
nothing_left() { "$PULSEPROF" -j prog list | jq -e --argjson ids "$ids" 'all(.[]; .id | IN($ids[]) | not)'; }
check "then nothing of it is left in the kernel" wait_for 5 nothing_left

run profile record --format collapsed --output link --duration 1
check_is "a link to nowhere is not followed: exit code 1" "$STATUS" 1
: >target
ln -sf target link
run profile record --format collapsed --output link --duration 1 -- sh -c "$BUSY"
check_is "a link of ours is" "$STATUS" 0
check "and stays one" test -L link -a -s target
printf 'old\n' >file
run profile record --format collapsed --output file -- sh -c "$BUSY"
check "a file is replaced" grep -q ';sh;' file
check "and nothing else is left in the folder" bash -c "! ls -A | grep tmp | grep -v tap"

mkfifo fifo
cat fifo >from_fifo &
run profile record --format collapsed --output fifo -- sh -c "$BUSY"
wait $!
check "a pipe is written to" grep -q ';sh;' from_fifo
run profile record --format collapsed --output /dev/null -- true
check_is "so is /dev/null" "$STATUS" 0
check "which stays a device" test -c /dev/null
"$PULSEPROF" profile record --format collapsed --output /dev/stdout -- sh -c "echo said; $BUSY" >both 2>err
check_text "/dev/stdout is stdout" ';sh;' both
check "and has nothing but the profile" lacks '^said|samples' both
check_text "what the command says goes to stderr then" '^said' err
run -j profile record --output - -- true
check "with --output - the object is on stderr" jq -e '.samples >= 0 and .output == "-"' err
run profile record --output /dev/full --pid $$ --duration 1
check_is "a full disk is a failure" "$STATUS" 1
kept=$(sed -n "s/.*kept in '\(.*\)'.*/\1/p" err)
check "but the profile is kept elsewhere" grep -q '<html' "$kept"

mkdir names
cd names || exit 1
for _ in 1 2 3 4; do
	"$PULSEPROF" -j profile record -- true | jq -r .output
done >../names.out
check_is "four profiles of the same seconds are four files" "$(find . -name "pulseprof-$(uname -n)-*.html" | wc -l)" 4
check_is "under the names that were told" "$(sort ../names.out)" "$(ls)"
cd ..
echo kept >target
run profile record --format collapsed --output link -- "$WORK/not-there"
check_is "a run that fails leaves the file behind a link as it was" "$(cat target)" kept

run -j profile record --format collapsed --output file -- sh -c 'exit 3'
check "the exit status of a command is told" jq -e '.command_exit_status == 3 and .ended_by == "command"' out
# shellcheck disable=SC2016
run -j profile record --format collapsed --output file -- sh -c 'kill -TERM $$'
check "or the signal that ended it" jq -e '.command_signal == 15' out
run profile record --output file -- true
check_text "a command too short for a sample is told" 'the command used [0-9.]+ ms of CPU time' out
run profile record --comm no-such-thread --output file --duration 1
check_text "a name that no thread has is told" 'no thread of that name ran' out

limit=$(ulimit -Sn)
run profile record --output file -- sh -c 'ulimit -Sn; umask; echo $HOME'
check_is "a command has the limits and environment of its caller" "$(head -3 out | tr '\n' ' ')" "$limit $(umask) $HOME "

sleep 100 &
sleeper=$!
TAP_PIDS+=("$sleeper")
begin=$SECONDS
"$PULSEPROF" -j profile record --pid "$sleeper" --duration 30 --output file >out 2>err &
recorder=$!
wait_for 15 is_sampling "$recorder"
kill "$sleeper"
wait "$recorder"
check "the profile ends when its process has gone" test $((SECONDS - begin)) -lt 20
check "and says so" jq -e '.ended_by == "processes"' out

# shellcheck disable=SC2016 # the inner shell expands
sh -c 'exec "$0" profile record --duration 1 --output - >&-' "$PULSEPROF" 2>err
check_is "a closed standard output is an error of the output" "$?" 1
check_text "and told as one" "cannot be written" err
# shellcheck disable=SC2016
sh -c 'exec "$0" -j profile record --duration 1 --format collapsed --output file 2>&-' "$PULSEPROF" >out
check "a closed standard error does no harm" jq -e '.samples >= 0' out
check "and nothing is printed into the profile" test -z "$(grep -v '^0;' file)"

done_testing
