/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * pulseprof command list: what the running daemon knows of the studio's commands, as its journal has it, the
 * oldest first.
 */
#include "internal.h"
#include "pp/base/cleanup.h"

int cmd_command_list(struct cli *cli, int argc, char **argv)
{
	static const struct view_column columns[] = {
		{ "command_id", false }, { "type", false },   { "state", false }, { "runs", false },
		{ "reported", false },	 { "unsent", false }, { "reason", true },
	};

	return daemon__show(cli, argc, argv, "command.list", "commands", columns,
			    ARRAY_SIZE(columns));
}
