/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the operator adds to each request to one base address: a user and password, header lines. They come
 * from files that only we and root can read, and stand in no setting, log or command line. Read at start.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "internal.h"
#include "pp/base/buf.h"
#include "pp/base/cleanup.h"
#include "pp/base/err.h"
#include "pp/base/file.h"

#define FILE_MAX_BYTES 16384
#define LINE_MAX_BYTES 4096

int daemon__read_secret(const char *what, const char *path, struct buf *text, struct buf *why)
{
	int err = file__read_trusted(AT_FDCWD, path, text);
	struct stat st;

	if (err == -EPERM)
		buf__printf(why, "%s '%s': others than root or us may write it", what, path);
	else if (err)
		buf__printf(why, "%s '%s': %s", what, path, errname(err));
	else if (!stat(path, &st) && (st.st_mode & S_IROTH)) {
		buf__printf(why, "%s '%s' can be read by every user, 'chmod 600' it", what, path);
		err = -EPERM;
	}
	return err;
}

static int add(struct daemon_headers *self, char *line)
{
	if (self->cnt == DAEMON_HEADERS_MAX) {
		free(line);
		return -E2BIG;
	}
	self->lines[self->cnt++] = line;
	return 0;
}

static int add_basic_auth(struct daemon_headers *self, const char *path, struct buf *why)
{
	_auto_buf_ struct buf text = { .max_bytes = FILE_MAX_BYTES };
	int err = daemon__read_secret("basic auth file", path, &text, why);
	_auto_buf_ struct buf code = { .max_bytes = 2 * FILE_MAX_BYTES };
	size_t len;
	char *line;

	if (err)
		return err;
	len = text.data ? strcspn(text.data, "\r\n") : 0;
	if (!len || !memchr(text.data, ':', len)) {
		buf__printf(why, "basic auth file '%s': the first line is not user:password", path);
		return -EINVAL;
	}
	err = buf__base64(&code, text.data, len);
	explicit_bzero(text.data, text.len);
	if (err || asprintf(&line, "Authorization: Basic %s", code.data) < 0)
		return -ENOMEM;
	return add(self, line);
}

/* What the request itself says, and what could make two requests of one. */
static bool is_ours(const char *line, size_t name_len)
{
	static const char *const names[] = { "Host",
					     "Content-Length",
					     "Content-Type",
					     "Content-Encoding",
					     "Transfer-Encoding",
					     "Connection",
					     "Expect" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (strlen(names[i]) == name_len && !strncasecmp(line, names[i], name_len))
			return true;
	}
	return false;
}

static bool is_header(const char *line, size_t len)
{
	size_t name_len = strspn(line, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				       "0123456789-_");

	if (!name_len || line[name_len] != ':' || len > LINE_MAX_BYTES || is_ours(line, name_len))
		return false;
	for (size_t i = 0; i < len; i++) {
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			return false;
	}
	return true;
}

static int add_lines(struct daemon_headers *self, const char *path, struct buf *why)
{
	_auto_buf_ struct buf text = { .max_bytes = FILE_MAX_BYTES };
	int err = daemon__read_secret("headers file", path, &text, why);
	const char *line = text.data ? text.data : "";

	for (unsigned int number = 1; !err && *line; number++) {
		size_t len = strcspn(line, "\n");
		size_t used = len && line[len - 1] == '\r' ? len - 1 : len;

		if (used && *line != '#') {
			err = is_header(line, used) ? add(self, strndup(line, used)) : -EINVAL;
			if (err)
				buf__printf(why, "headers file '%s', line %u: %s", path, number,
					    err == -E2BIG ? "more than 8 headers" :
							    "not a 'Name: value' that may be set");
		}
		line += len + (line[len] == '\n');
	}
	if (text.data)
		explicit_bzero(text.data, text.len);
	return err;
}

int daemon_headers__load(struct daemon_headers *self, const char *basic_auth_path,
			 const char *headers_path, struct buf *why)
{
	int err = 0;

	if (*basic_auth_path)
		err = add_basic_auth(self, basic_auth_path, why);
	if (!err && *headers_path)
		err = add_lines(self, headers_path, why);
	return err;
}

void daemon_headers__clear(struct daemon_headers *self)
{
	for (uint32_t i = 0; i < self->cnt; i++) {
		if (self->lines[i])
			explicit_bzero(self->lines[i], strlen(self->lines[i]));
		free(take_ptr(self->lines[i]));
	}
	self->cnt = 0;
}
