/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Heartbeats with "wait_s", an addition of ours to the wire: answered when there is a command, or when the time
 * is up. Ties the waiting ones to the store and to the wire format; knows neither itself.
 */
#include "internal.h"
#include "waiting.h"

#include "pp/base/clock.h"
#include "pp/base/err.h"
#include "pp/base/log.h"

#include <errno.h>
#include <stdio.h>

static int on_deliver(void *arg, const struct waiter_id *id, struct command *ret_command)
{
	static struct log_rate rate;
	struct api *self = arg;
	int err;

	err = store__deliver(self->store, id->hostname, id->service, now_ms(), ret_command);
	if (err && err != -ENOENT)
		log_every(&rate, 1000, LOG_LVL_ERROR, "studio: cannot deliver a command: %s",
			  errname(err));
	return err;
}

static void on_answer(void *arg, struct httpd_call *call, const struct command *command)
{
	answer_heartbeat(&(struct httpd_request){ .call = call }, command);
}

int api__start_waiting(struct api *self, struct loop *loop, uint32_t waiters_max)
{
	return waiting__new(loop, &(struct waiting_ops){ on_deliver, on_answer, self }, waiters_max,
			    &self->waiting);
}

bool api__wait(struct api *self, const struct httpd_request *request, const struct heartbeat *beat,
	       uint32_t wait_s)
{
	char agent[256];
	const struct waiter_id id = { beat->hostname, beat->service, agent, 0 };

	/* Two agents that look the same in all of this get their answers in turn, which costs them nothing. */
	snprintf(agent, sizeof(agent), "%s %s %s", beat->address ? beat->address : "",
		 beat->run_mode ? beat->run_mode : "",
		 beat->agent_version ? beat->agent_version : "");
	return !waiting__add(self->waiting, &id, request->call, wait_s);
}

void api__commands_made(struct api *self, const char *hostname, const char *service)
{
	waiting__wake(self->waiting, hostname, service);
}
