#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Agents whose heartbeats wait at the studio for a command: how fast it reaches them, clients that leave, calls
# that are replaced, a server that stops, and 5,000 of them at the same time.
command -v python3 >/dev/null || { echo "1..0 # SKIP python3 is not installed"; exit 0; }
export O=${O:-build}
exec python3 "$(dirname "$0")/studio_wait.py"
