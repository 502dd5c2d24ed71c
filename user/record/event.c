/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a run samples in place of the clock. Counted for a moment first: an event that opens and does not count would
 * give an empty profile without a word.
 */
#include <errno.h>

#include "internal.h"

int run_event__find(struct run_event *self, const struct sysroot *root, const char *name,
		    const char **ret_why)
{
	struct counter_cpu cpu;
	int err = counter_cpu__read(root, &cpu);

	if (!err)
		err = counter_event__find(root, &cpu, name, &self->event);
	if (err == -EINVAL)
		*ret_why = "there is no such event; 'pulseprof counter list' has them";
	if (err)
		return err;
	counter_event__probe(&self->event);
	if (self->event.status != COUNTER_OK) {
		*ret_why = self->event.why;
		return self->event.status == COUNTER_NOT_PERMITTED ? -EPERM : -EOPNOTSUPP;
	}
	self->clock = (struct perf_clock){
		.type = self->event.code.type,
		.config = self->event.code.config,
		.config1 = self->event.code.config1,
		.config2 = self->event.code.config2,
		.period = self->event.period,
		.name = self->event.name,
		.is_event = true,
	};
	return 0;
}
