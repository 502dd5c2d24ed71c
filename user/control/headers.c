/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The header lines of each request to the server: kept as a list, so that a secret is copied once. An
 * Authorization of the operator's takes the place of the token's.
 */
#include "internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool is_authorization(const char *line)
{
	return !strncasecmp(line, "Authorization:", strlen("Authorization:"));
}

char **headers__new(const char *token, const char *const *extra)
{
	bool wants_token = token && *token;
	size_t i, cnt = 0, k = 0;
	char **self;

	while (extra && extra[cnt]) {
		wants_token = wants_token && !is_authorization(extra[cnt]);
		cnt++;
	}
	self = calloc(cnt + 3, sizeof(*self));
	if (!self)
		return NULL;
	self[k++] = strdup("Content-Type: application/json");
	if (wants_token && asprintf(&self[k++], "Authorization: Bearer %s", token) < 0)
		self[k - 1] = NULL;
	for (i = 0; i < cnt; i++)
		self[k++] = strdup(extra[i]);
	for (i = 0; i < k && self[i];)
		i++;
	if (i == k)
		return self;
	for (i = 0; i < k; i++)
		free(self[i]);
	free(self);
	return NULL;
}

void headers__free(char **headers)
{
	char **at;

	for (at = headers; at && *at; at++) {
		explicit_bzero(*at, strlen(*at));
		free(*at);
	}
	free(headers);
}
