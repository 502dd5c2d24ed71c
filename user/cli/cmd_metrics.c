/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * pulseprof metrics show: the running daemon's counters since its start: heartbeats, commands, runs, uploads, and
 * failures by reason. Names are append-only.
 */
#include "internal.h"
#include "pp/base/cleanup.h"

int cmd_metrics_show(struct cli *cli, int argc, char **argv)
{
	static const struct view_column columns[] = {
		{ "name", false },
		{ "value", false },
		{ "text", false },
	};

	return daemon__show(cli, argc, argv, "metrics.show", "metrics", columns,
			    ARRAY_SIZE(columns));
}
