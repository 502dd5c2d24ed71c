/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The server's answer to a heartbeat, taken apart and judged. Outside data: a key that is missing, null or
 * of the wrong type must not be mistaken for a command, and no text of it is trusted. Decides nothing.
 */
#include "internal.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "pp/base/cleanup.h"
#include "pp/base/json.h"

bool uuid__copy(const char *text, char uuid[UUID_BYTES])
{
	char copy[UUID_BYTES];
	size_t i;

	for (i = 0; i < UUID_BYTES - 1; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? text[i] != '-' : !isxdigit((unsigned char)text[i]))
			return false;
		copy[i] = (char)tolower((unsigned char)text[i]);
	}
	if (text[i])
		return false;
	copy[i] = '\0';
	memcpy(uuid, copy, sizeof(copy));
	return true;
}

static int bad(const char **ret_why, const char *why)
{
	*ret_why = why;
	return -EBADMSG;
}

static int answer__read_command(struct answer *self, const char **ret_why)
{
	struct json_object *command;
	const char *id;
	int err;

	err = json__get_object(self->json, "profiling_command", &command);
	if (err == -ENOENT)
		return 0;
	if (err)
		return bad(ret_why, "profiling_command is no object");
	if (json__get_str(self->json, "command_id", &id) || !uuid__copy(id, self->command_id))
		return bad(ret_why, "command_id is no UUID");
	if (json__get_str(command, "command_type", &self->command_type))
		return bad(ret_why, "command_type is no text");
	err = json__get_object(command, "combined_config", &self->config);
	if (err && err != -ENOENT)
		return bad(ret_why, "combined_config is no object");
	return 0;
}

int answer__parse(const char *text, size_t len, struct answer *ret_answer, const char **ret_why)
{
	struct answer answer = { .message = "", .command_type = "" };
	bool success = true;
	int err;

	err = json__parse(text, len, &answer.json);
	if (err)
		return err == -ENOMEM ? err : bad(ret_why, "not JSON");
	if (!json__is_object(answer.json))
		err = bad(ret_why, "not a JSON object");
	else if (json__get_bool(answer.json, "success", &success) == -EBADMSG)
		err = bad(ret_why, "success is neither true nor false");
	else if (!success)
		err = bad(ret_why, "the server says that it failed");
	else if (json__get_str(answer.json, "message", &answer.message) == -EBADMSG)
		err = bad(ret_why, "message is no text");
	else
		err = answer__read_command(&answer, ret_why);
	if (err) {
		answer__clear(&answer);
		return err;
	}
	*ret_answer = answer;
	return 0;
}

void answer__clear(struct answer *self)
{
	json__put(self->json);
	*self = (struct answer){ 0 };
}
