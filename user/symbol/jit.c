/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Code that a process made at run time: which of the two files that makers write for perf may be believed, and
 * how the names in them are spelt. A perf map must belong to the user that the process runs as, and must have
 * been written to since the process began: /tmp is everybody's, and pids come again.
 *
 * Spelling, by which backends tell languages apart: HotSpot's methods end with _[j]; V8 renamed its tag
 * LazyCompile to JS (11.x), which older readers do not know; CPython's trampolines (3.12 on, -X perf) are
 * "py::FUNCTION:FILE" and become "FUNCTION (FILE)_[p]".
 */
#include "internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pp/base/buf.h"
#include "pp/base/cleanup.h"
#include "pp/proc_file.h"

#define NS_PER_SEC    1000000000ull
#define CODE_PER_ADDR 1024 /* how often the place of an asked address may have been used */
#define CODE_MIN      (1u << 20)
#define V8_TAG	      "JS:"
#define PYTHON_TAG    "py::"

static bool begins_with(const char *name, size_t len, const char *tag)
{
	return len > strlen(tag) && memcmp(name, tag, strlen(tag)) == 0;
}

/* Appends the name as people shall read it; returns where it stands, or 0: no room. */
static uint32_t add_text(const struct jit_lookup *self, const char *name, size_t len)
{
	struct buf *text = self->text;
	uint32_t pos = (uint32_t)text->len;
	const char *colon;

	len = min_of(len, (size_t)ELF_NAME_BYTES - 32);
	if (self->is_java) {
		buf__append(text, name, len);
		buf__puts(text, "_[j]");
	} else if (begins_with(name, len, V8_TAG)) {
		buf__puts(text, "LazyCompile:");
		buf__append(text, name + strlen(V8_TAG), len - strlen(V8_TAG));
	} else if (begins_with(name, len, PYTHON_TAG) &&
		   (colon = memchr(name + strlen(PYTHON_TAG), ':', len - strlen(PYTHON_TAG)))) {
		buf__append(text, name + strlen(PYTHON_TAG),
			    (size_t)(colon - name) - strlen(PYTHON_TAG));
		buf__puts(text, " (");
		buf__append(text, colon + 1, (size_t)(name + len - colon - 1));
		buf__puts(text, ")_[p]");
	} else {
		buf__append(text, name, len);
	}
	return buf__putc(text, '\0') ? 0 : pos;
}

int jit_lookup__code(struct jit_lookup *self, uint64_t addr, uint64_t bytes, const char *name,
		     size_t name_len)
{
	uint32_t i = addrs__not_below(self->addrs, self->cnt, addr), pos = 0;

	for (; i < self->cnt && self->addrs[i] - addr < bytes; i++) {
		if (self->budget-- == 0)
			return -EBADMSG;
		if (!pos && name)
			pos = add_text(self, name, name_len);
		self->names[i] = pos;
	}
	return 0;
}

static int open_perf_map(const struct symbol_request *request)
{
	const struct symbol_jit *jit = request->jit;
	char path[64];
	struct stat st;
	_auto_close_ int fd = -1;

	if (!request->host || request->root_fd < 0)
		return -ENOENT;
	snprintf(path, sizeof(path), "tmp/perf-%u.map", jit->ns_pid);
	fd = proc__open_below(request->host, request->root_fd, path);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st))
		return -errno;
	if (st.st_uid != jit->uid)
		return -EPERM;
	if ((uint64_t)st.st_mtim.tv_sec < jit->start_real_ns / NS_PER_SEC)
		return -ESTALE;
	return take_fd(fd);
}

int jit__read_names(const struct symbol_request *request, struct buf *text,
		    struct symbol_result *result)
{
	struct jit_lookup lookup = {
		.addrs = request->offs,
		.cnt = request->off_cnt,
		.names = result->names,
		.text = text,
		.is_java = request->jit->is_java,
		.budget = (uint64_t)request->off_cnt * CODE_PER_ADDR + CODE_MIN,
	};
	_auto_close_ int map = open_perf_map(request);
	int err = map, dump_err = -ENOENT;

	if (map >= 0)
		err = perf_map__read(&lookup, map);
	if (err != -ENOMEM && request->fd >= 0)
		dump_err = jitdump__read(&lookup, request->fd);
	return dump_err == 0 || dump_err == -ENOMEM ? dump_err : err;
}
