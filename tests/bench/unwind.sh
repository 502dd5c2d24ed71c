# shellcheck shell=bash
# The bars of table unwinding; sourced by run, whose functions and variables it uses. What is not installed
# is skipped by name. ROUNDS runs each, less than RUNS: a round takes longer here.
ROUNDS=${ROUNDS:-3}
: "${work:?}" "${O:?}" "${HZ:?}"

build_unwind() (
	set -e
	bench=$O/bench
	flags=(-std=gnu11 -O2 -g -Wall -Wextra -D_GNU_SOURCE -I"$bench" -Iinclude)
	read -ra libs <<<"$(pkg-config --libs libbpf libelf libcurl json-c libuv zlib libmicrohttpd sqlite3 liblzma) -liberty -lpthread -lm"
	clang -target bpf -O2 -g -mcpu=v2 -D__TARGET_ARCH_x86 -Ibpf -Iinclude "-I/usr/include/$(gcc -print-multiarch)" \
		-c -o "$bench/otel_shape.bpf.o" tests/bench/otel_shape.bpf.c
	bpftool gen skeleton "$bench/otel_shape.bpf.o" >"$bench/otel_shape.skel.h"
	gcc "${flags[@]}" -o "$bench/otel_shape" tests/bench/otel_shape.c "$O/libpulseprof.a" "${libs[@]}"
	gcc "${flags[@]}" -o "$bench/convert_rate" tests/bench/convert_rate.c "$O/libpulseprof.a" "${libs[@]}"
	gcc -O1 -Wall -Wextra -D_GNU_SOURCE -o "$bench/many_files" tests/bench/many_files.c -ldl
	# The programs of known depth, without frame pointers: one recursion, and a new stack each time.
	flags=(-std=gnu11 -O2 -g0 -ffreestanding -fno-stack-protector -fno-pie -fomit-frame-pointer
		-fno-optimize-sibling-calls -nostdlib -static -no-pie)
	gcc "${flags[@]}" -o "$bench/deep" tests/programs/fp_deep.c
	gcc "${flags[@]}" -falign-functions=512 -o "$bench/random" tests/programs/random_stacks.c
)

# --- whole samples of real programs against the bcc-shaped sampler

# About 15 s of clang -O2.
make_large_source() {
	awk 'BEGIN {
		srand(1); print "#include <string.h>\nint sink;"
		for (f = 0; f < 600; f++) {
			printf "int f%d(int a, int *p, char *s) {\n int x = a, y = %d;\n", f, f
			for (k = 0; k < 12; k++) {
				r = int(rand() * 4); c = int(rand() * 90) + 3
				if (r == 0) printf " for (int i = 0; i < a + %d; i++) { x += p[i] * %d; p[i & 63] ^= y >> (i & 7); }\n", c, c
				else if (r == 1) printf " switch (x %% %d) { case 1: y += %d; break; case 2: memcpy(s, p, x & 63); break; default: x ^= y << 3; }\n", c, c
				else if (r == 2) printf " if (strlen(s) > (unsigned)x %% %d) x += s[y & 31]; else y = x * y + %d;\n", c, c
				else if (f) printf " x += f%d(y, p, s + (x & 3));\n", int(rand() * f)
			}
			print " sink += x; return x + y;\n}"
		}
	}' >"$work/large.c"
}

# run_program NAME: one of the distribution's programs, busy on every CPU; false: not installed.
run_program() {
	local i path
	path=$(PATH=/usr/bin:/bin command -v "$1") || return 1
	[ -f "$work/large.c" ] || make_large_source
	for ((i = 0; i < $(nproc); i++)); do
		case $1 in
		clang) keep_busy sh -c "while :; do '$path' -O2 -c -o /dev/null '$work/large.c'; done" ;;
		node) keep_busy "$path" tests/bench/busy.js ;;
		python3) keep_busy "$path" tests/bench/busy.py ;;
		esac
	done
	sleep 1
}

measure_unwind_sample() {
	local kind name i ours theirs
	for kind in clang node python; do
		name=${kind/python/python3}
		if ! run_program "$name"; then
			say "unwind/sample_$kind skipped: no $name"
			continue
		fi
		for ((i = 0; i < ROUNDS; i++)); do
			ours=$(cost_of pp_sample "$O/pulseprof" -j profile record --rate $HZ --duration 5 \
				--format collapsed --output /dev/null)
			say "$kind: ours (ns, runs) $ours, complete $(jq -c '[.user_stacks_complete_pct,.user_stacks_jit,.user_stack_ends.table_not_loaded]' "$work/sampler.out")"
			theirs=$(cost_of bcc_shape "$O/bench/bcc_shape" $HZ 5000)
			say "$kind: bcc-shaped $theirs ($(cat "$work/sampler.out"))"
			[ -n "$ours" ] && [ -n "$theirs" ] &&
				awk -v a="${ours% *}" -v b="${theirs% *}" 'BEGIN { print a / b }' >>"$work/sample.$kind"
		done
		be_idle
		ratio "unwind/sample_$kind" 1.30 <"$work/sample.$kind"
	done
}

# --- one frame by tables against the shape of OpenTelemetry's profiler

# The slope between two depths: what a sample costs besides its frames is no part of it. Runs that sampled
# something else cost next to nothing in both samplers; the cost is put down to the share that did not.
measure_unwind_frame() {
	local kind depth i
	for kind in deep random; do
		for ((i = 0; i < ROUNDS; i++)); do
			for depth in 6 56; do
				keep_busy "$O/bench/$kind" $depth 600000
				keep_busy "$O/bench/$kind" $depth 600000
				one_frame_cost "$kind" $depth
				be_idle
			done
			awk '{ cost[$1, $2] = $3; frames[$1, $2] = $4 } END {
				ours = (cost["ours", 56] - cost["ours", 6]) / (frames["ours", 56] - frames["ours", 6])
				otel = (cost["otel", 56] - cost["otel", 6]) / (frames["otel", 56] - frames["otel", 6])
				printf "%.1f %.1f\n", ours, otel
			}' "$work/frame" >"$work/slope"
			say "$kind: ns a frame: ours, OTel-shaped $(cat "$work/slope")"
			awk '$1 > 0 && $2 > 0 { print $1 / $2 }' "$work/slope" >>"$work/frame.$kind"
		done
		ratio "unwind/table_frame_vs_otel_$kind" 0.35 <"$work/frame.$kind"
	done
}

# Appends "SAMPLER DEPTH ns frames" of both samplers to $work/frame; both must have found the same frames.
one_frame_cost() {
	local ours theirs pids=("${busy[@]}")
	ours=$(DURATION_MS=2000 cost_of pp_sample "$O/pulseprof" -j profile record --rate $HZ --duration 3 --pid "${pids[0]}" \
		--pid "${pids[1]}" --format collapsed --output "$work/collapsed")
	awk -v depth="$2" -v ns="${ours% *}" -v facts="$(jq -r '[.samples,.taken,.user_stacks_complete_pct]|@tsv' "$work/sampler.out")" \
		'{ cnt += $NF; n = gsub(/;/, ";"); sum += $NF * (n - 1) } END {
			split(facts, fact, "\t")
			print "ours", depth, ns * fact[2] / fact[1], sum / cnt, fact[3] "%" }' "$work/collapsed" >>"$work/frame"
	theirs=$(DURATION_MS=2000 cost_of otel_shape "$O/bench/otel_shape" $HZ 3000 "${pids[@]}")
	tr ' =' '\n\n' <"$work/sampler.out" | paste - - | awk -v depth="$2" -v ns="${theirs% *}" '{ fact[$1] = $2 } END {
		print "otel", depth, ns * fact["runs"] / fact["samples"], fact["frames"] / fact["samples"],
			100 * fact["complete"] / fact["samples"] "%" }' >>"$work/frame"
	say "$1 $2: sampler, depth, ns a sample, frames, complete: $(tail -2 "$work/frame" | paste -sd'|')"
}

# --- from the sample to readable stacks, against perf's way

# cpu_ms COMMAND...: CPU time, user and kernel, of the command and all that it starts, also of what outlives it:
# perf does not wait for its addr2line (PR_SET_CHILD_SUBREAPER, 36).
cpu_ms() {
	perl -e 'open(my $out, ">&", \*STDOUT); open(STDOUT, ">", $ENV{OUT} // "/dev/null"); syscall(157, 36, 1, 0, 0, 0);
		system(@ARGV); 1 while wait() > 0; my @t = times; printf $out "%.0f\n", 1000 * ($t[2] + $t[3])' "$@"
}

# perf_cost SECONDS SCRIPT_OPTION...: "CPU ms, samples" of perf record and script over so many seconds.
perf_cost() {
	cpu_ms perf record -q -F $HZ -e cpu-clock --call-graph dwarf -a -o "$work/perf.data" -- sleep "$1" 2>/dev/null
	shift
	OUT=$work/script.txt cpu_ms timeout 100 perf script "$@" -i "$work/perf.data" 2>/dev/null
	grep -c 'cpu-clock' "$work/script.txt"
}

# The difference of a short and a long run is what a sample costs, without the start of the programs. Ours: CPU
# time of the command up to the flame graph, and the kernel's time in pp_sample. perf's: CPU time of record and
# script; what its samples cost inside the kernel, 8 KiB copied each, is not in it. The bar is against the plain
# commands; perf script then asks addr2line for inlined functions, at a price, so the detail tells what it is
# without (--no-inline).
measure_unwind_perf() {
	local i ours theirs plain
	command -v perf >/dev/null || { say "unwind/cpu_vs_perf_dwarf skipped: no perf"; return; }
	run_program clang || { say "unwind/cpu_vs_perf_dwarf skipped: no clang"; return; }
	plain=$(perf_cost 0.3 | paste -sd' ' | awk '{ print ($1 + $2) / $3 * 1000 }')
	for ((i = 0; i < ROUNDS; i++)); do
		ours=$(for s in 1 6; do
			OUT=$work/record.json cpu_ms "$O/pulseprof" -j profile record --rate $HZ --duration $s \
				--format html --output "$work/flame.html" 2>/dev/null
			jq -r '.samples, .samples * .kernel_ns_per_sample / 1e6' "$work/record.json"
		done | paste -sd' ' | awk '{ print ($4 - $1 + $6 - $3) / ($5 - $2) * 1000 }')
		theirs=$({ perf_cost 1 --no-inline; perf_cost 3 --no-inline; } | paste -sd' ' |
			awk '{ print ($4 - $1 + $5 - $2) / ($6 - $3) * 1000 }')
		say "us CPU a sample: ours $ours, perf $plain, without inlined functions $theirs:" \
			"$(awk -v a="$ours" -v b="$theirs" 'BEGIN { print a / b }')"
		awk -v a="$ours" -v b="$plain" 'BEGIN { print a / b }' >>"$work/perf_dwarf"
	done
	be_idle
	rm -f "$work/perf.data" "$work/script.txt"
	ratio unwind/cpu_vs_perf_dwarf 0.03 <"$work/perf_dwarf"
}

# --- a binary of 100 MB that was never seen

# A copy of node, since the cache on disk knows the original. Counted is every sample without a whole stack in
# the first two seconds: the time from the first sample to whole stacks is at most that.
measure_unwind_first() {
	local i
	[ -f /usr/bin/node ] || { say "unwind/first_100mb skipped: no node"; return; }
	for ((i = 0; i < RUNS; i++)); do
		cp /usr/bin/node "$work/node.$i"
		keep_busy "$work/node.$i" -e 'const a = []; for (let i = 0; i < 3000; i++) a.push({ i, s: "x" + i }); for (;;) JSON.stringify(a)'
		sleep 1
		"$O/pulseprof" -j profile record --rate $HZ --duration 2 --pid "${busy[0]}" --format collapsed --output /dev/null \
			>"$work/first.json" 2>/dev/null
		be_idle
		rm "$work/node.$i"
		say "first: $(jq -c '{samples,user_stacks_complete_pct,user_stacks_jit,user_stack_ends,unwind_tables}' "$work/first.json")"
		jq -r '(.user_stacks - .user_stack_ends.complete - .user_stack_ends.jit_code) / .rate_hz * 1000 / 100' \
			"$work/first.json" >>"$work/first"
	done
	ratio unwind/first_100mb_per_100ms 1.00 <"$work/first"
}

# --- memory with 200 processes and 300 binaries

list_libraries() {
	find /usr/lib -xdev -name '*.so.*' -type f -size +12k 2>/dev/null |
		grep -vE 'san\.so|libc\.so|ld-linux|jemalloc|tcmalloc|fakeroot|SegFault|memusage|pcprofile|/perl|/debug/' | sort | head -n 420
}

mapped_files() { pgrep -g "${busy[0]}" | sed 's|.*|/proc/&/maps|' | xargs cat 2>/dev/null | awk '$2 ~ /x/ && $6 ~ /^\// { print $6 }' | sort -u | wc -l; }

measure_unwind_memory() {
	local i files rss maps backend daemon=
	readarray -t libraries < <(list_libraries)
	keep_busy "$O/bench/many_files" 200 6 "${libraries[@]}"
	for ((i = 0; i < 100; i++)); do
		[ "$(pgrep -c -g "${busy[0]}")" -gt 200 ] && break
		sleep 0.2
	done
	sleep 1
	files=$(mapped_files)
	say "memory: $(pgrep -c -g "${busy[0]}") processes, $files files mapped"
	[ "$files" -ge 300 ] || say "memory: fewer than 300 files here"
	for ((i = 0; i < 2; i++)); do
		"$O/bench/backend" 1 8000 $HZ >"$work/times" &
		backend=$!
		until grep -q '^port' "$work/times"; do sleep 0.05; done
		start_daemon "$(sed -n 's/^port //p' "$work/times")"
		: >"$work/peaks"
		until grep -q '^done' "$work/times" || ! kill -0 "$daemon" 2>/dev/null || [ "$(wc -l <"$work/peaks")" -gt 100 ]; do
			echo "$(rss_anon_mb "$daemon") $(map_mb "$daemon")" >>"$work/peaks"
			sleep 0.3
		done
		kill "$daemon" "$backend"
		wait "$daemon" "$backend" 2>/dev/null
		rss=$(awk '$1 > m { m = $1 } END { print m }' "$work/peaks")
		maps=$(awk '$2 > m { m = $2 } END { print m }' "$work/peaks")
		say "memory: daemon private $rss MB, kernel maps $maps MB"
		awk -v mb="$rss" 'BEGIN { print mb / 32 }' >>"$work/memory_private"
		awk -v mb="$maps" 'BEGIN { print mb / 24 }' >>"$work/memory_maps"
	done
	be_idle
	ratio unwind/memory_private_per_32mb 1.00 <"$work/memory_private"
	ratio unwind/memory_maps_per_24mb 1.00 <"$work/memory_maps"
}

# --- rows converted

measure_unwind_convert() {
	local file line
	for file in /usr/lib/*/libLLVM-*.so.1 /usr/bin/node /usr/lib/*/libc.so.6 "$HOME"/.rustup/toolchains/*/lib/librustc_driver-*.so; do
		[ -f "$file" ] || continue
		line=$("$O/bench/convert_rate" "$file" 3) || continue
		say "convert: ${file##*/}: $line"
		awk -v rate="${line%% *}" 'BEGIN { print 8e6 / rate }' >>"$work/convert"
	done
	ratio unwind/convert_8_million_rows_per_rate 1.00 <"$work/convert"
}
