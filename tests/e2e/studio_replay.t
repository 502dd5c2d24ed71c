#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Every recorded exchange of the real web apps and of the real agents, played as a client against the studio:
# each answer is the same, or stands in the list of studio_replay.py with a reason. Then whole lives of the
# unmodified Python agents, with their two slots and with one.
command -v python3 >/dev/null || { echo "1..0 # SKIP python3 is not installed"; exit 0; }
export O=${O:-build}
exec python3 "$(dirname "$0")/studio_replay.py"
