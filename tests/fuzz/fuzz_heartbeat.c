/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A server's answers to heartbeats, one after the other (separated by a NUL), and a daemon that samples at
 * once and ends when asked. Also as the body of an error, for its words.
 */
#include <string.h>

#include "../../user/control/internal.h"
#include "pp/base/err.h"
#include "pp/net.h"

static char running[UUID_BYTES];
static bool stopping;

static int on_start(void *arg, const char *id, const struct session_spec *spec,
		    const char **ret_why)
{
	pp_assert(!running[0]);
	memcpy(running, id, UUID_BYTES);
	return 0;
}

static void on_stop(void *arg, const char *id)
{
	pp_assert(!strcmp(running, id) && !stopping);
	stopping = true;
}

static void on_report(void *arg, const char *id, bool completed, const char *why)
{
	char copy[UUID_BYTES];

	pp_assert(uuid__copy(id, copy));
}

static void settle(struct commands *commands)
{
	char id[UUID_BYTES];

	if (running[0])
		commands__sampling(commands, running);
	if (!stopping)
		return;
	memcpy(id, running, sizeof(id));
	running[0] = '\0';
	stopping = false;
	pp_assert(commands__ended(commands, id, NULL));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct commands_ops ops = { .run = { .start = on_start, .stop = on_stop },
				    .report = on_report };
	struct session_spec defaults;
	struct commands *commands;
	const char *why, *end;
	char words[64];

	session_spec__init(&defaults);
	running[0] = '\0';
	stopping = false;
	if (commands__new("node-7", &defaults, &ops, &commands))
		return 0;
	for (const char *text = (const char *)data; size; text = end + 1, size--) {
		struct answer answer;
		size_t len = strnlen(text, size);
		struct http_reply reply = { .status = 500, .body = text, .body_len = len };

		end = text + len;
		size -= len;
		http_reply__words(&reply, words, sizeof(words));
		if (!answer__parse(text, len, &answer, &why)) {
			commands__handle(commands, &answer);
			answer__clear(&answer);
			settle(commands);
		}
		if (!size)
			break;
	}
	commands__free(commands);
	return 0;
}
