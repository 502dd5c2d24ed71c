/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Quiet hours that begin while something runs: the policy keeps new runs from beginning, this ends those that
 * go on. What they collected is kept; continuous ones go on afterwards. Looks at the clock at each full minute, as clocks are set; without
 * quiet hours there is no timer.
 */
#include <time.h>

#include "internal.h"
#include "pp/base/err.h"
#include "pp/base/log.h"
#include "pp/base/loop.h"
#include "pp/control.h"

static void read_clock(uint32_t *ret_minute_of_day, uint32_t *ret_second)
{
	time_t now = time(NULL);
	struct tm local;

	if (!localtime_r(&now, &local)) /* only for years that do not fit into an int */
		local = (struct tm){ 0 };
	*ret_minute_of_day = (uint32_t)(local.tm_hour * 60 + local.tm_min);
	*ret_second = (uint32_t)local.tm_sec;
}

static void on_minute(void *arg)
{
	struct daemon *self = arg;
	uint32_t minute, second;
	bool is_quiet;

	read_clock(&minute, &second);
	is_quiet = spec_policy__is_quiet(&self->policy, minute);
	if (self->runs && !self->is_stopping && is_quiet) {
		log_info("daemon: quiet hours, ends its runs");
		daemon__stop_runs(self);
	} else if (self->control && !is_quiet) {
		control__poke(self->control); /* a continuous run goes on after them */
	}
	/* a little behind the full minute, so that it has begun */
	(void)loop_timer__start(self->quiet_timer, (second < 60 ? 60 - second : 1) * 1000ull + 50,
				0);
}

int daemon__watch_quiet_hours(struct daemon *self)
{
	int err;

	/* without a server the policy has nobody to hold back */
	if (self->policy.quiet_from == self->policy.quiet_to || !self->control)
		return DAEMON_DONE;
	err = loop_timer__new(self->loop, on_minute, self, &self->quiet_timer);
	if (!err)
		err = loop_timer__start(self->quiet_timer, 0, 0);
	if (!err)
		return DAEMON_DONE;
	log_error("daemon: no timer for quiet hours: %s", errname(err));
	return DAEMON_FAILED;
}
