/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Header lines of requests, made once. They hold the secrets, so they are wiped when they go.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

int ship_headers__add(struct ship_headers *self, const char *name, const char *value)
{
	size_t i = 0;

	while (self->lines[i])
		i++;
	if (i == SHIP_HEADERS_MAX)
		return -E2BIG;
	if (asprintf(&self->lines[i], "%s%s", name, value) < 0) {
		self->lines[i] = NULL;
		return -ENOMEM;
	}
	return 0;
}

int ship_headers__add_rest(struct ship_headers *self, const char *const *more)
{
	int err = ship_headers__add(self, "Content-Encoding: ", "gzip");

	if (!err)
		err = ship_headers__add(self, "Content-Type: ", "application/json");
	for (; more && *more && !err; more++)
		err = ship_headers__add(self, "", *more);
	return err;
}

void ship_headers__clear(struct ship_headers *self)
{
	for (size_t i = 0; self->lines[i]; i++) {
		explicit_bzero(self->lines[i], strlen(self->lines[i]));
		free(self->lines[i]);
		self->lines[i] = NULL;
	}
}
