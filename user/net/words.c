/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a server said when it refused, made fit for one log line. The Studio answers errors with an object
 * (message), a list below "detail", or a bare JSON string; a proxy answers HTML. All are outside data.
 */
#include "pp/net.h"

#include <stdio.h>
#include <string.h>

#include "pp/base/json.h"

#define WORDS_LOOK_BYTES 65536 /* longer bodies are not parsed for one line of words */

static char *plain(const char *words, size_t len, char *text, size_t text_bytes)
{
	size_t i;

	for (i = 0; i < len && i + 1 < text_bytes && words[i]; i++)
		text[i] = words[i] >= 0x20 && words[i] < 0x7f ? words[i] : '?';
	text[i] = '\0';
	return text;
}

/* The validator of the Studio's framework: {"detail": [{"loc": [...], "msg": "field required"}]}. */
static const char *words_of_object(const struct json_object *json)
{
	static const char *const names[] = { "message", "detail", "error" };
	struct json_object *list;
	const char *words;
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!json__get_str(json, names[i], &words))
			return words;
	if (!json__get_array(json, "detail", &list) && json__len(list) &&
	    json__is_object(json__at(list, 0)) && !json__get_str(json__at(list, 0), "msg", &words))
		return words;
	return NULL;
}

char *http_reply__words(const struct http_reply *reply, char *text, size_t text_bytes)
{
	_auto_json_ struct json_object *json = NULL;
	const char *words = NULL;

	if (reply->err)
		return plain(reply->why, strlen(reply->why), text, text_bytes);
	if (reply->body_len <= WORDS_LOOK_BYTES &&
	    !json__parse(reply->body, reply->body_len, &json)) {
		if (json__is_str(json))
			words = json__str(json);
		else if (json__is_object(json))
			words = words_of_object(json);
	}
	if (words)
		return plain(words, strlen(words), text, text_bytes);
	return plain(reply->body, reply->body_len, text, text_bytes);
}
