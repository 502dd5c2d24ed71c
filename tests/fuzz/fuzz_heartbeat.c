/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A server's answers to heartbeats, one after the other (separated by a NUL), and a daemon that samples at
 * once and ends when asked. Also as the body of an error, for its words.
 */
#include <errno.h>
#include <string.h>

#include "../../user/control/internal.h"
#include "pp/base/err.h"
#include "pp/net.h"

struct run {
	char id[UUID_BYTES];
	bool stopping;
};
static struct run runs[2]; /* ad hoc, continuous */

static struct run *find(const char *id)
{
	return !strcmp(runs[0].id, id) ? &runs[0] : !strcmp(runs[1].id, id) ? &runs[1] : NULL;
}

static int on_start(void *arg, const char *id, const struct session_spec *spec, bool is_again,
		    const char **ret_why)
{
	pp_assert(!runs[spec->continuous].id[0] && !is_again);
	memcpy(runs[spec->continuous].id, id, UUID_BYTES);
	return 0;
}

static void on_stop(void *arg, const char *id)
{
	struct run *run = find(id);

	pp_assert(run && !run->stopping);
	run->stopping = true;
}

static int on_change(void *arg, const char *id, const struct session_spec *spec,
		     const char **ret_why)
{
	pp_assert(find(id) && spec->pid_cnt);
	return spec->pid_cnt & 1 ? -ESRCH : 0;
}

static void on_report(void *arg, const char *id, bool completed, const char *why)
{
	char copy[UUID_BYTES];

	pp_assert(uuid__copy(id, copy));
}

static void settle(struct commands *commands)
{
	for (int i = 0; i < 4; i++) {
		struct run *run = &runs[i & 1];
		char id[UUID_BYTES];

		if (!run->id[0])
			continue;
		memcpy(id, run->id, sizeof(id));
		commands__sampling(commands, id);
		if (!run->stopping)
			continue;
		memset(run, 0, sizeof(*run));
		pp_assert(commands__ended(commands, id, &(struct control_end){ 0 }));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct commands_ops ops = {
		.run = { .start = on_start, .stop = on_stop, .change = on_change },
		.report = on_report
	};
	struct session_spec defaults;
	struct commands *commands;
	const char *why, *end;
	char words[64];

	session_spec__init(&defaults);
	memset(runs, 0, sizeof(runs));
	if (commands__new("node-7", &defaults, NULL, &ops, &commands))
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
