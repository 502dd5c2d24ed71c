#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# tools/setup on a machine that has everything, on one without apt, and on one where a single package is
# missing. The package manager is a script that writes down how it was called: nothing is installed here.
cd "$(dirname "$0")/../.." || exit 1
. tests/e2e/tap.sh

[ "$(id -u)" = 0 ] || skip_all "needs root"
tools/setup >/dev/null 2>&1 </dev/null || skip_all "tools/setup has not been run here"

# A folder with every command of this machine but those named, and a package manager that only writes down.
machine_without() {
	local file name
	rm -rf "${WORK:?}/bin" "$WORK/calls"
	mkdir "$WORK/bin"
	touch "$WORK/calls"
	for file in /usr/bin/*; do
		name=${file##*/}
		case " $* apt-get apt apt-cache dpkg dpkg-query aptitude " in
		*" $name "*) ;;
		*) ln -s "$file" "$WORK/bin/$name" ;;
		esac
	done
}
package_managers() {
	local name
	for name in apt-get apt apt-cache dpkg dpkg-query; do
		cat >"$WORK/bin/$name" <<-END
			#!/bin/bash
			echo "$name \$*" >>"$WORK/calls"
			cat "$WORK/out" >"$WORK/said_before" 2>/dev/null
			[ "$name" != apt-cache ] || echo "  Candidate: 1.0"
		END
		chmod +x "$WORK/bin/$name"
	done
}
setup() {
	env -u SUDO_UID PATH="$WORK/bin" tools/setup "$@" >"$WORK/out" 2>"$WORK/err" </dev/null
	status=$?
}

machine_without
package_managers
setup
check_is "nothing missing: it succeeds" "$status" 0
check_is "and calls no package manager" "$(cat "$WORK/calls")" ""

machine_without curl
setup
check_is "no apt: it stops" "$status" 1
check_text "with the libraries that are needed" '^  libbpf-dev$' "$WORK/err"
check_text "and what is missing here" 'missing here: curl$' "$WORK/err"

machine_without curl
package_managers
setup
check_is "one package missing: it succeeds" "$status" 0
check_text "it says what it will install, before it does" 'will install by apt: curl$' "$WORK/said_before"
check_text "it reads the lists anew" '^apt-get .*update' "$WORK/calls"
check_text "and installs that package only" 'install --no-install-recommends curl$' "$WORK/calls"

machine_without curl
package_managers
setpriv --reuid=65534 --regid=65534 --clear-groups env TMPDIR=/tmp PATH="$WORK/bin" tools/setup >"$WORK/out" 2>"$WORK/err" </dev/null
check_is "not root: it stops" "$?" 1
check_text "and says how to call it" 'sudo tools/setup' "$WORK/err"
check_is "without a package manager" "$(cat "$WORK/calls")" ""

setup fast
check_is "a wrong word: usage" "$status" 2

done_testing
