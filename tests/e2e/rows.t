#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Every row that is made of a file's call frame information says what binutils says: 40 libraries and programs
# of the distribution, one with endbr64 in its PLT, one static, one with a compressed .debug_frame. (`make rows` takes
# all of /usr.)
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/tap.sh"
needs_command readelf
cd "$WORK" || exit 1
compare=$O/rows/compare
WANTED=40

# Those that nearly every machine has, then those of development packages; the first 40 that are there count.
libraries="libc.so.6 libm.so.6 libcrypto.so.3 libssl.so.3 libstdc++.so.6 libgcc_s.so.1 libpthread.so.0 libz.so.1
libzstd.so.1 liblzma.so.5 libbz2.so.1.0 libelf.so.1 libdw.so.1 libbpf.so.1 libcurl.so.4 libuv.so.1 libjson-c.so.5
libsqlite3.so.0 libmicrohttpd.so.12 libgnutls.so.30 libnettle.so.8 libgmp.so.10 libp11-kit.so.0 libunistring.so.2
libnghttp2.so.14 libkrb5.so.3 libgssapi_krb5.so.2 libpcre2-8.so.0 libselinux.so.1 libsystemd.so.0 libudev.so.1
libtinfo.so.6 libreadline.so.8 libffi.so.8 libexpat.so.1 libperl.so.5.36 libpython3.11.so.1.0 libdb-5.3.so
libglib-2.0.so.0 libapt-pkg.so.6.0 libgcrypt.so.20 libxml2.so.2 libncursesw.so.6 libopcodes-2.40-system.so
libbfd-2.40-system.so libclang-14.so.1 libjvm.so libasan.so.8"
programs="bash python3 perl node git make gcc as ld gdb qemu-system-x86_64 curl ssh tar openssl"

find_files() {
	local name path
	ls /lib64/ld-linux-x86-64.so.2 2>/dev/null
	for name in $programs; do
		path=$(command -v "$name") && readlink -f "$path"
	done
	for name in $libraries; do
		find -L /lib /usr/lib -name "$name" -exec readlink -f {} \; -quit 2>/dev/null
	done
}

# One line of totals; differences above it.
compare_files() {
	"$compare" "$@" >rows.out
	local rc=$?
	grep -v ' different 0$' rows.out
	return $rc
}
total() { # WORD
	sed -n "s/^total: .*\<$1 \([0-9]*\).*/\1/p" rows.out
}

mapfile -t files < <(find_files | awk '!seen[$0]++' | head -n $WANTED)
check "$WANTED libraries and programs are here" test ${#files[@]} = $WANTED
check "every row of them is what readelf says" compare_files "${files[@]}"
grep -E '^(total|unsupported)' rows.out | sed 's/^/# /'
check "they have rows, and none is damaged" \
	test "$(total rows)" -gt 500000 -a "$(total damaged)" = 0 -a "$(total files)" -ge $((WANTED - 2))
check "less than one row in ten thousand is unsupported" \
	test $(($(total unsupported) * 10000)) -lt "$(total rows)"

cat >made.c <<'END'
#include <math.h>
#include <stdio.h>
int main(int argc, char **argv) { printf("%f %s\n", sin(argc), argv[0]); return puts("x"); }
END
built() { # NAME FLAGS...: made.c with these flags, compared
	local name=$1
	shift
	gcc -O2 -o "$name" made.c "$@" -lm && compare_files "$name"
}
check "every row of a program with endbr64 in its PLT" built ibt -fcf-protection=full -Wl,-z,ibtplt
check "every row of a program with lazy binding" built lazy -Wl,-z,lazy
check "every row of a static program" built static -static
check "every row of a program without PIE" built fixed -no-pie -fno-pie
check "every row of a program with a compressed .debug_frame" built debug -g -gz -fno-asynchronous-unwind-tables
done_testing
