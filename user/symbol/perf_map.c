/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Names of code made at run time from the text file that its maker writes for perf: lines "START SIZE NAME",
 * hexadecimal, in the order in which code was made. Where ranges overlap the last one counts: the space was
 * used again. Read once, in chunks, whatever its size; only asked addresses are kept. Lines that are not of the
 * form are passed over, as perf does: some makers write while we read.
 * Source: linux, tools/perf/Documentation/jit-interface.txt.
 */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pp/base/buf.h"
#include "pp/base/cleanup.h"

#define CHUNK_BYTES 65536

/* line is NUL-terminated where its newline was. */
static int take_line(struct jit_lookup *self, const char *line, const char *end)
{
	uint64_t addr, bytes;
	char *behind;

	addr = strtoull(line, &behind, 16);
	if (behind == line || *behind != ' ')
		return 0;
	line = behind + 1;
	bytes = strtoull(line, &behind, 16);
	if (behind == line || *behind != ' ' || behind + 1 >= end)
		return 0;
	return jit_lookup__code(self, addr, bytes, behind + 1, (size_t)(end - behind - 1));
}

static int take_lines(struct jit_lookup *self, char *text, size_t len, size_t *ret_done)
{
	size_t done = 0;
	char *newline;
	int err = 0;

	while (!err && (newline = memchr(text + done, '\n', len - done))) {
		*newline = '\0';
		err = take_line(self, text + done, newline);
		done = (size_t)(newline - text) + 1;
	}
	*ret_done = done;
	return err;
}

int perf_map__read(struct jit_lookup *self, int fd)
{
	_auto_free_ char *chunk = malloc(CHUNK_BYTES);
	size_t kept = 0, done;
	uint64_t off = 0;
	int err = 0;

	if (!chunk)
		return -ENOMEM;
	while (!err && off < JIT_FILE_BYTES_MAX) {
		ssize_t n = pread(fd, chunk + kept, CHUNK_BYTES - kept, (off_t)off);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : 0;
		off += (uint64_t)n;
		kept += (size_t)n;
		err = take_lines(self, chunk, kept, &done);
		if (done == 0 && kept == CHUNK_BYTES) /* an endless line: none of ours */
			return -EBADMSG;
		memmove(chunk, chunk + done, kept - done);
		kept -= done;
	}
	return err ? err : off < JIT_FILE_BYTES_MAX ? 0 : -E2BIG;
}
