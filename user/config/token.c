/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where the token comes from: a flag (for switching over; overwritten at once, since everybody can read a
 * command line), the environment, a file, systemd's credentials. Nothing here repeats it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "internal.h"
#include "pp/base/cleanup.h"
#include "pp/base/err.h"
#include "pp/base/file.h"

#define TOKEN_FILE_MAX_BYTES 4096
#define TOKEN_FLAG	     "--token"

/* The last one counts. A value that is no token is overwritten, too, and refused when the flags are read. */
void config__take_token_flag(struct config *self, int argc, char *const *argv, struct buf *why)
{
	size_t len = strlen(TOKEN_FLAG);

	for (int i = 1; i < argc; i++) {
		char *value = NULL;

		if (!strncmp(argv[i], TOKEN_FLAG "=", len + 1))
			value = argv[i] + len + 1;
		else if (!strcmp(argv[i], TOKEN_FLAG) && i + 1 < argc)
			value = argv[++i];
		if (!value)
			continue;
		if (config__set(self, CONFIG_TOKEN, value, strlen(value), CONFIG_FLAG, TOKEN_FLAG,
				why))
			self->values[CONFIG_TOKEN][0] = '\0';
		memset(value, '*', strlen(value));
	}
}

static int read_token(struct config *self, const char *path, enum config_origin origin,
		      struct buf *why)
{
	_auto_buf_ struct buf text = { .max_bytes = TOKEN_FILE_MAX_BYTES };
	int err = file__read_trusted(AT_FDCWD, path, &text);
	struct span token;

	if (err)
		return explain_file(err, "token file", path, why);
	token = trim((struct span){ text.data ? text.data : "", text.len });
	token.len = strcspn(token.s, "\n") < token.len ? strcspn(token.s, "\n") : token.len;
	token = trim(token);
	if (!token.len) {
		buf__printf(why, "token file '%s': the first line is empty", path);
		err = -EINVAL;
	} else {
		err = config__set(self, CONFIG_TOKEN, token.s, token.len, origin, path, why);
	}
	if (text.data)
		explicit_bzero(text.data, text.len);
	return err;
}

int config__load_token(struct config *self, const char *const *environ_list, struct buf *why)
{
	const char *directory = find_env(environ_list, "CREDENTIALS_DIRECTORY");
	const char *path = self->values[CONFIG_TOKEN_FILE];
	_auto_free_ char *credential = NULL;
	int err;

	if (self->values[CONFIG_TOKEN][0])
		return 0;
	if (path[0])
		return read_token(self, path, self->origins[CONFIG_TOKEN_FILE], why);
	if (!directory)
		return 0;
	if (asprintf(&credential, "%s/token", directory) < 0)
		return -ENOMEM;
	err = read_token(self, credential, CONFIG_ENVIRONMENT, why);
	if (err != -ENOENT)
		return err;
	buf__reset(why); /* a service may have credentials without this one */
	return 0;
}
