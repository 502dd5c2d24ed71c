/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The counters of the user side, one atomic each. Names come from the X-list in the door, are only
 * ever appended, and a counter never goes down. Not the kernel's counters (abi.h) and no text
 * format.
 */
#include "pp/metrics.h"

#include <stdatomic.h>

#include "pp/base/err.h"

static _Atomic uint64_t values[METRIC_CNT];

static const struct {
	const char *name;
	const char *text;
} metrics[METRIC_CNT] = {
#define X(id, name, text) [METRIC_##id] = { name, text },
	PP_METRICS(X)
#undef X
};

void metric__add(enum metric_id id, uint64_t n)
{
	pp_assert(id < METRIC_CNT);
	atomic_fetch_add_explicit(&values[id], n, memory_order_relaxed);
}

uint64_t metric__get(enum metric_id id)
{
	pp_assert(id < METRIC_CNT);
	return atomic_load_explicit(&values[id], memory_order_relaxed);
}

const char *metric__name(enum metric_id id)
{
	pp_assert(id < METRIC_CNT);
	return metrics[id].name;
}

const char *metric__text(enum metric_id id)
{
	pp_assert(id < METRIC_CNT);
	return metrics[id].text;
}
