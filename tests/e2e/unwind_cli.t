#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# pulseprof unwind dump, explain and show: rows as readelf reads them, the stack of a real process followed
# frame by frame by hand, files that are none, and what a running profile has loaded.
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/tap.sh"
needs_command jq
needs_command readelf
needs_command python3
cd "$WORK" || exit 1

# run ARGS...: output in out and err, exit code in STATUS.
run() {
	timeout 20 "$PULSEPROF" unwind "$@" >out 2>err </dev/null
	STATUS=$?
}

# Compares the rows of functions, found by their symbols, with those of readelf: same_rows FILE SYMBOL...
cat >same_rows <<'EOF'
import re, subprocess, sys
path, symbols = sys.argv[1], sys.argv[2:]
def lines(*command):
    return subprocess.run(command, capture_output=True, text=True).stdout.splitlines()
def words(row):
    cfa = re.fullmatch(r"r[sb]p[+-]\d+", row["CFA"])
    if not cfa or row["ra"][0] != "c":
        return None # an expression, or nothing known: not compared
    rbp = row.get("rbp", "u")
    return f"CFA = {cfa[0]}" + (f", rbp at CFA{rbp[1:]}" if rbp[0] == "c" else "") + \
        f", return address at CFA{row['ra'][1:]}"
starts = {}
for line in lines("readelf", "-W", "-s", "--dyn-syms", path):
    cells = line.split()
    if len(cells) > 7 and cells[3] == "FUNC" and cells[7].split("@")[0] in symbols:
        starts[int(cells[1], 16)] = cells[7].split("@")[0]
ours = [(int(c[0], 16), int(c[1], 16), c[2]) for c in
        (re.split(r"  +", line, maxsplit=2) for line in lines("./dump", path)) if c[0].startswith("0x")]
wanted, low, columns = {}, None, []
for line in lines("readelf", "--debug-dump=frames-interp", path):
    cells = line.split()
    if " FDE " in line:
        low = int(line.split("pc=")[1].split(".")[0], 16)
        if low in starts: # without rows of its own it has that of its CIE
            wanted[starts[low]] = [(low, "CFA = rsp+8, return address at CFA-8")]
    elif low in starts and cells and cells[0] == "LOC":
        columns, wanted[starts[low]] = cells[1:], []
    elif low in starts and cells:
        wanted[starts[low]].append((int(cells[0], 16), words(dict(zip(columns, cells[1:])))))
    elif not cells and low is not None and wanted.get(starts.get(low)):
        low = None
if set(symbols) - set(wanted):
    sys.exit(f"readelf knows nothing of {set(symbols) - set(wanted)}")
for symbol, rows in wanted.items():
    for vaddr, rule in rows:
        got = [r for v, e, r in ours if v <= vaddr < e]
        if rule and got != [rule]:
            sys.exit(f"{symbol} {vaddr:#x}: readelf {rule}, ours {got}")
    print(f"{symbol}: {len(rows)} rows")
if sum(len(rows) for rows in wanted.values()) < 2 * len(symbols):
    sys.exit("too few rows to tell")
EOF
# shellcheck disable=SC2016
printf '#!/bin/sh\nexec "$PULSEPROF" unwind dump "$1"\n' >dump
chmod +x dump

# --- dump

libc=$(realpath "$(ldd "$(command -v bash)" | awk '/libc\.so/ { print $3 }')")
check "functions of libc have the rows that readelf shows" \
	python3 same_rows "$libc" printf fopen qsort getaddrinfo malloc
check "functions of a test program have them" python3 same_rows "$PROGRAMS/nofp_deep" descend bottom misuse misused run
run dump "$libc"
check_is "dump succeeds" "$STATUS" 0
check_text "the vfork of libc leaves its return address in a register" 'return address in rdi$' out
check_text "its signal trampoline is known" 'signal frame: ' out
check_text "and the bottom of threads" '  outermost frame$' out
check_text "the sums are at the end" '^# rows [0-9]{4,}, rules [0-9]+, pages [0-9]+, bytes [0-9]+, unsupported [0-9]+, failed_pages 0$' out
check "each row begins where the last one ends" awk '/^0x/ { if (end && $1 != end) exit 1; end = $2; n++ } END { exit n < 1000 }' out
mv out plain
run dump -j "$libc"
check_is "with -j too" "$STATUS" 0
check_is "with the same rows" "$(jq '.rows | length' out)" "$(grep -c ^0x plain)"
check "and the same sums" jq -e '.summary.rows > 1000 and .summary.bytes > .summary.rows * 4 and .summary.failed_pages == 0' out
run dump "$(command -v bash)"
check "a program's entry is the outermost frame" has \
	"^0x$(readelf -h "$(command -v bash)" | sed -n 's/.*Entry point.*0x//p') .*outermost frame\$" out

# --- files that are none

: >empty
head -c 1000 "$libc" >short
head -c 3000 /dev/urandom >noise
mkfifo fifo
mkdir folder
for file in empty noise fifo folder /dev/zero not-there /proc/self/mem; do
	run dump "$file"
	check_is "dump $file: exit code 1" "$STATUS" 1
	check "dump $file: told in a line" lines_between 1 1 err
done
run dump short
check "dump of a file that is cut short ends by itself" test "$STATUS" -le 1
run dump -j empty
check "an error is an object with -j" jq -e '.code == "EBADMSG"' out
python3 - "$libc" <<'EOF'
import random, sys
data = bytearray(open(sys.argv[1], "rb").read())
random.seed(7)
for _ in range(20000):
    data[random.randrange(64, len(data))] ^= 1 << random.randrange(8)
open("damaged", "wb").write(data)
EOF
run dump damaged
check "dump of a damaged library ends by itself" test "$STATUS" -le 1

# --- wrong words

for words in "" show dump explain "show x" "show 1 2" "show 0" "explain 1" "explain 1 zz" "explain 1 0x1 --rsp=y" "dump a b" "show --rsp 1"; do
	# shellcheck disable=SC2086
	run $words
	check_is "'unwind $words' is wrong usage" "$STATUS" 2
done
run show 999999999
check_is "a process that is not there: exit code 1" "$STATUS" 1
check_text "told" 'no process has the id 999999999' err

# --- a process, followed by hand

start sleep 1000
sleeper=$STARTED
is_asleep() { [ "$(wc -w <"/proc/$1/syscall")" -gt 3 ] && grep -q sleep "/proc/$1/wchan"; }
if ! wait_for 10 is_asleep "$sleeper"; then
	done_testing
	exit
fi
# Each frame's caller, with the registers that the one before has left.
walk() { # PID
	local addr rsp='' rbp='' args
	addr=$(awk '{ print $NF }' "/proc/$1/syscall")
	for _ in $(seq 20); do
		args=()
		[ -z "$rsp" ] || args+=(--rsp "$rsp")
		[ -z "$rbp" ] || args+=(--rbp "$rbp")
		run explain "$1" "$addr" -j "${args[@]}"
		jq -r '"\(.file) \(.vaddr) \(.rule)"' out
		addr=$(jq -r '.return_address // ""' out)
		rsp=$(jq -r '.cfa // ""' out)
		rbp=$(jq -r ".callers_rbp // \"$rbp\"" out)
		[ -n "$addr" ] || return
	done
}
walk "$sleeper" >stack
check "the stack of a sleeping process leads from libc" has "^$libc 0x" <(head -n 1 stack)
check "through its main" has "/sleep 0x" stack
check "to the outermost frame of its program" has '/sleep 0x[0-9a-f]* outermost frame$' <(tail -n 1 stack)
check "in more than four steps" lines_between 5 19 stack
if command -v gdb >/dev/null; then
	gdb -q -batch -p "$sleeper" -ex bt 2>/dev/null | grep -c '^#' >gdb.frames
	check_is "as many as gdb finds" "$(wc -l <stack)" "$(cat gdb.frames)"
fi
run explain "$sleeper" 0x10
check_is "an address in no mapping: exit code 1" "$STATUS" 1
run explain "$sleeper" "$(awk '/\[vdso\]/ { sub(/-.*/, "", $1); print $1 }' "/proc/$sleeper/maps")"
check_text "the vdso has rows" '^kind +table$' out

# --- ranges

run show -j "$sleeper"
check_is "show succeeds" "$STATUS" 0
check "and has each executable file with its rows" jq -e --arg libc "$libc" \
	'any(.[]; .file == $libc and .kind == "table" and .pages > 5 and .rows > 1000 and .bytes > .rows * 4)' out
check_is "as many ranges as there are executable mappings" "$(jq length out)" "$(grep -c ' [r-][w-]x[ps] ' "/proc/$sleeper/maps")"
check "what the kernel emulates was not made at run time" jq -e 'all(.[] | select(.file == "[vsyscall]"); .kind == "fp")' out
start "$PROGRAMS/jit" 30000
has_generated() { grep -q 'rwxp 00000000 00:00 0 *$' "/proc/$1/maps"; }
wait_for 10 has_generated "$STARTED"
run show "$STARTED"
check_text "code without a file is of kind jit" '^0x[0-9a-f]+ +jit .*\[anon\]$' out
stop "$STARTED"

# A program whose rows all stand in its debug file, where distributions put it.
if [ "$(id -u)" = 0 ]; then
	echo 'int main(int c, char **v) { return !!v[c]; } int next(int i) { return i + 1; }' >bare.c
	gcc -O1 -g -nostdlib -Wl,-e,main -fno-asynchronous-unwind-tables -Wl,--build-id=sha1 -o bare bare.c
	objcopy --only-keep-debug bare bare.debug
	strip bare
	id=$(readelf -n bare | sed -n 's/.*Build ID: //p')
	folder=/usr/lib/debug/.build-id/${id:0:2}
	run dump bare
	mv out without
	mkdir -p "$folder" && cp bare.debug "$folder/${id:2}.debug"
	run dump bare
	rm -f "$folder/${id:2}.debug"
	rmdir -p --ignore-fail-on-non-empty "$folder"
	check_text "a debug file has the rows that its program lacks" 'CFA = rsp\+8' out
	check "which it does lack" bash -c '! grep -q "CFA = rsp+8" without'
fi

needs_kernel_here() { [ "$(id -u)" = 0 ] && [ -r /sys/kernel/btf/vmlinux ]; }
if needs_kernel_here; then
	start "$PROGRAMS/nofp_deep" 20 60000
	deep=$STARTED
	start "$PULSEPROF" profile record --pid "$deep" --rate 499 --duration 60 --output "$WORK/deep.html"
	recorder=$STARTED
	is_loaded() { "$PULSEPROF" -j unwind show "$deep" | jq -e 'any(.[]; .loaded > 0)'; }
	check "while it is profiled its page is loaded" wait_for 20 is_loaded
	run show -j "$deep"
	check "and used" jq -e 'any(.[]; (.file | endswith("nofp_deep")) and .loaded == 1 and .hits > 0)' out
	kill -TERM "$recorder"
	wait "$recorder" 2>/dev/null
	if "$PULSEPROF" -j prog list | jq -e 'any(.[]; .name == "pp_sample")' >/dev/null; then
		echo "ok $((++TAP_CNT)) - afterwards nothing is # SKIP somebody else profiles this host"
	else
		run show -j "$deep"
		check "afterwards nothing is" jq -e 'all(.[]; .loaded == 0 and .hits == 0)' out
	fi

	sed 's/^limit others .*/limit others 10000/' "$OLDPWD/tests/vm/bpfsize.baseline" >strict
	check "every program is below its limit" "$OLDPWD/tests/vm/bpfsize" "$O/e2e/bpf_size" "$OLDPWD/tests/vm/bpfsize.baseline"
	check "a lower limit fails" bash -c "! '$OLDPWD/tests/vm/bpfsize' '$O/e2e/bpf_size' strict >/dev/null"
fi

done_testing
