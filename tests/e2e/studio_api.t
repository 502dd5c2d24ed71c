#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# The studio's HTTP interface: who may come in, the wire format against recorded exchanges, the life of
# commands, uploads good and bad, a locked database, a full disk, restart. The agent is a few HTTP requests.
command -v python3 >/dev/null || { echo "1..0 # SKIP python3 is not installed"; exit 0; }
export O=${O:-build}
exec python3 "$(dirname "$0")/studio_api.py"
