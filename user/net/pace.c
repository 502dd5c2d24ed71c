/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How long to wait before asking a server again. Thousands of hosts share one server: the pauses grow and
 * are spread by chance. Only arithmetic; the timers are the callers'.
 */
#include "pp/net.h"

#include <sys/random.h>

#include "pp/base/cleanup.h"

#define BACKOFF_JITTER_PERCENT 20
#define DOUBLINGS_MAX	       20

uint64_t net_jitter_ms(uint64_t ms, uint32_t percent)
{
	uint64_t spread = ms / 100 * percent + ms % 100 * percent / 100;
	uint32_t chance;

	if (getrandom(&chance, sizeof(chance), GRND_NONBLOCK) != sizeof(chance))
		return ms; /* early boot: the pool is not ready, and waiting would be worse */
	return ms - spread + chance % (2 * spread + 1);
}

uint64_t http_reply__pause_ms(const struct http_reply *reply, uint64_t pause_ms)
{
	/* never sooner than asked */
	uint64_t asked_ms = reply->retry_after_s * UINT64_C(1100);

	return asked_ms ? max_of(pause_ms, net_jitter_ms(asked_ms, 9)) : pause_ms;
}

uint64_t net_backoff_ms(uint32_t failures, uint64_t first_ms, uint64_t max_ms)
{
	uint32_t doublings = failures ? min_of(failures - 1, (uint32_t)DOUBLINGS_MAX) : 0;

	return net_jitter_ms(min_of(first_ms << doublings, max_ms), BACKOFF_JITTER_PERCENT);
}
