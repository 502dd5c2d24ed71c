#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The studio's page in headless Chromium: token, hosts, an order by clicks, flame graphs, hostile names and a
# hostile uploaded page. The agent is a few HTTP requests; no sampling here. With SHOTS=dir, screenshots stay.
for tool in chromium chromedriver python3; do
	command -v "$tool" >/dev/null || { echo "1..0 # SKIP $tool is not installed"; exit 0; }
done
export O=${O:-build}
exec python3 "$(dirname "$0")/studio_page.py"
