/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef CLI_COUNTER_H
#define CLI_COUNTER_H
/*
 * What the files of `counter stat` share: how a window is shown.
 */
#include "pp/counter_window.h"

struct cli;

/* One window as a table for people, or as a line of JSON, or as Prometheus takes it (exposition format 0.0.4). */
int counter_view__print(struct cli *cli, bool for_prometheus, const struct counter_set *set,
			const struct counter_window *window, enum counter_scope_kind per);

#endif
