#!/bin/bash
# The flame graph page in a real browser: hostile names are text, search and zoom work, nothing is fetched,
# large profiles stay usable. Drives headless Chromium through chromedriver's HTTP interface. Profiles are
# made up by make_page; no sampling here. With SHOTS=dir, screenshots are left there.
O=${O:-build}
for tool in chromium chromedriver python3; do
	command -v "$tool" >/dev/null || { echo "1..0 # SKIP $tool is not installed"; exit 0; }
done
dir=$(mktemp -d) || exit 1
driver=
clean_up() {
	[ -n "$driver" ] && kill "$driver" 2>/dev/null && wait "$driver" 2>/dev/null
	rm -rf "$dir"
}
trap clean_up EXIT
for kind in hostile rich large empty; do
	"$O/e2e/make_page" "$kind" html >"$dir/$kind.html" || exit 1
done
HOME=$dir chromedriver --port=0 --log-path="$dir/driver.log" >"$dir/driver.out" 2>&1 &
driver=$!
PAGES=$dir DRIVER_OUT=$dir/driver.out python3 "$(dirname "$0")/flamegraph_page.py"
