#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#
# A check that cannot fail is no check: each rule of tools/layers and tools/limits is given a small tree
# that breaks it (and only it), and must name the file; a tree that breaks nothing must pass.
set -u
tools=$(cd "$(dirname "$0")/../../tools" && pwd)
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
spdx='/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */'

n=0
# verdict OK? NAME OUTPUT
verdict() {
	n=$((n + 1))
	if [ "$1" = 0 ]; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2"
		printf '%s\n' "$3" | sed 's/^/# /'
	fi
}

# given FILE LINE...: a tree with this one file (SPDX line first) and the doors that samples include.
given() {
	rm -rf "$work/tree"
	mkdir -p "$work/tree/include/pp/base" "$work/tree/user/base" "$work/tree/user/elf" "$work/tree/user/proc"
	printf '%s\n' "$spdx" >"$work/tree/include/pp/elf.h"
	mkdir -p "$work/tree/$(dirname "$1")"
	file=$1
	shift
	printf '%s\n' "$spdx" "$@" >"$work/tree/$file"
}

refused() { # TOOL NAME
	local out rc
	out=$("$tools/$1" "$work/tree" 2>&1)
	rc=$?
	[ $rc = 1 ] && [ "${out#"$file":}" != "$out" ] && [ "$(printf '%s\n' "$out" | wc -l)" = 1 ]
	verdict $? "refused: $2" "status $rc: $out"
}

accepted() { # TOOL NAME
	local out
	out=$("$tools/$1" "$work/tree" 2>&1)
	verdict $? "accepted: $2" "$out"
}

function_of() { # LINES between the braces
	printf 'void f(void)\n{\n'
	yes '	g();' | head -n "$1"
	printf '}\n'
}

echo 1..28

given user/proc/maps.c '#include "pp/elf.h"' '#include <stdio.h>' '/* printf("x") "/proc/1" */'
accepted layers "a room that includes a lower door, and words in a comment"
given user/elf/image.c '#include "pp/proc.h"'
refused layers "a room that includes a higher door"
given user/base/buf.c '#include "pp/nowhere.h"'
refused layers "the door of no room"
given user/proc/maps.c '#include "pp/perf.h"'
refused layers "a room that includes another of its level"
given user/attic/box.c '#include <stdio.h>'
refused layers "a room that is not in the table"
given include/pp/elf.h '#include "pp/symbol.h"'
refused layers "a door that includes a higher door"
given user/proc/maps.c '#include "../elf/internal.h"'
refused layers "another room's private header"
given user/proc/maps.c '#include <bpf/libbpf.h>'
refused layers "libbpf outside collect"
given user/proc/maps.c '#include <gelf.h>'
refused layers "libelf outside elf"
given user/control/heartbeat.c '#include <curl/curl.h>'
refused layers "libcurl outside net"
given user/base/buf.c '#include <json-c/json.h>'
refused layers "json-c outside base/json.c"
given user/base/work_queue.c '#include <uv.h>'
refused layers "libuv outside base/loop.c and base/work.c"
given user/studio/api.c '#include <sqlite3.h>'
refused layers "sqlite outside studio/store.c"
given user/studio/api.c '#include <microhttpd.h>'
refused layers "libmicrohttpd outside httpd"
given bpf/sample.bpf.c '#include "pp/profile.h"'
refused layers "a user header in bpf/"
given bpf/sample.bpf.c '#include <linux/bpf.h>' '#include <bpf/bpf_helpers.h>' '#include "pp/abi.h"' '#include "maps.bpf.h"'
accepted layers "abi.h, kernel and own headers in bpf/"
given user/proc/maps.c 'int fd = open("/proc/self/maps", 0);'
refused layers "an absolute path of procfs"
given user/proc/maps.c '	fprintf(stderr, "oops");'
refused layers "output below the programs"
given user/cli/main.c '	fprintf(stderr, "oops");'
accepted layers "output in a program"

given user/proc/maps.c "$(function_of 58)"
accepted limits "a function of 60 lines"
given user/proc/maps.c "$(function_of 59)"
refused limits "a function of 61 lines"
given user/proc/maps.c "$(yes '/* x */' | head -n 600)"
refused limits "a file of 601 lines"
given include/pp/elf.h "$(yes '/* x */' | head -n 150)"
refused limits "a header of 151 lines"
given user/proc/utils.c '/* x */'
refused limits "a file named after nothing"
given user/proc/maps.c '	strcpy(a, b);'
refused limits "strcpy"
given user/proc/maps.c '	log("strcpy(a, b) sprintf(c)"); /* gets(x) */' '	self->system(a);'
accepted limits "a banned name in a string, a comment or a member"

mkdir -p "$work/tree/tests"
printf '#!/bin/bash\ncd $1\n[ $x = "a" ]\nfor i in `ls`; do echo; done\nlocal y=1\n' >"$work/tree/tests/run"
given user/proc/maps.c 'int   a ;'
mkdir -p "$work/tree/tests" && printf '#!/bin/bash\nlocal y=1\n' >"$work/tree/tests/run"
out=$("$tools/lint" "$work/tree")
if command -v clang-format-14 >/dev/null || clang-format --version 2>/dev/null | grep -q 'version 14\.'; then
	[ "$(printf '%s\n' "$out" | grep -c '^not ok 1 - sources are formatted')" = 1 ]
	verdict $? "refused: a source that is not formatted" "$out"
else
	n=$((n + 1)) && echo "ok $n - refused: a source that is not formatted # SKIP clang-format 14 is not installed"
fi
if command -v shellcheck >/dev/null; then
	[ "$(printf '%s\n' "$out" | grep -c '^not ok 4 - shell scripts pass shellcheck')" = 1 ]
	verdict $? "refused: a wrong shell script" "$out"
else
	n=$((n + 1)) && echo "ok $n - refused: a wrong shell script # SKIP shellcheck is not installed"
fi
