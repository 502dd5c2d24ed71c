/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Names of code made at run time from a jitdump file: a header, then records with their length. Two kinds
 * matter: code was made, code was moved. The bytes of the code are passed over. Both byte orders exist; only
 * this machine's is taken. A record that is cut is being written: what came before it stands.
 * Source: linux, tools/perf/Documentation/jitdump-specification.txt, version 1.
 */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pp/base/cleanup.h"

#define JITDUMP_MAGIC	0x4a695444u
#define JITDUMP_VERSION 1
#define RECORDS_MAX	4000000

enum jitdump_record { JIT_CODE_LOAD, JIT_CODE_MOVE };

struct jitdump_header {
	uint32_t magic;
	uint32_t version;
	uint32_t header_bytes;
	uint32_t machine;
	uint32_t pad;
	uint32_t pid;
	uint64_t time_ns;
	uint64_t flags;
};

struct jitdump_prefix {
	uint32_t id;
	uint32_t bytes; /* of the whole record */
	uint64_t time_ns;
};

struct jitdump_load {
	uint32_t pid, tid;
	uint64_t vma;
	uint64_t addr;
	uint64_t code_bytes;
	uint64_t index;
}; /* name and NUL, then the code */

struct jitdump_move {
	uint32_t pid, tid;
	uint64_t vma;
	uint64_t old_addr;
	uint64_t addr;
	uint64_t code_bytes;
	uint64_t index;
};

/* Returns how many bytes there were, or -errno. */
static ssize_t read_at(int fd, uint64_t off, void *data, size_t len)
{
	ssize_t n;

	do {
		n = pread(fd, data, len, (off_t)off);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

static int take_load(struct jit_lookup *self, int fd, uint64_t off, uint32_t bytes)
{
	struct jitdump_load load;
	char data[sizeof(load) + ELF_NAME_BYTES];
	ssize_t n = read_at(fd, off, data, min_of((size_t)bytes, sizeof(data)));
	const char *name = data + sizeof(load), *end;

	if (n < (ssize_t)sizeof(load))
		return n < 0 ? (int)n : 0;
	memcpy(&load, data, sizeof(load));
	end = memchr(name, '\0', (size_t)n - sizeof(load));
	if (!end || end == name)
		return 0;
	return jit_lookup__code(self, load.addr, load.code_bytes, name, (size_t)(end - name));
}

/* What it was called at the old place is not kept: unknown. (V8, HotSpot's agent and CPython move no code.) */
static int take_move(struct jit_lookup *self, int fd, uint64_t off, uint32_t bytes)
{
	struct jitdump_move move;
	ssize_t n;

	if (bytes < sizeof(move))
		return 0;
	n = read_at(fd, off, &move, sizeof(move));
	if (n < (ssize_t)sizeof(move))
		return n < 0 ? (int)n : 0;
	return jit_lookup__code(self, move.addr, move.code_bytes, NULL, 0);
}

int jitdump__read(struct jit_lookup *self, int fd)
{
	struct jitdump_header header;
	struct jitdump_prefix prefix;
	uint64_t off;
	ssize_t n;
	int err = 0;

	n = read_at(fd, 0, &header, sizeof(header));
	if (n < (ssize_t)sizeof(header) || header.magic != JITDUMP_MAGIC ||
	    header.version != JITDUMP_VERSION || header.header_bytes < sizeof(header))
		return n < 0 ? (int)n : -EBADMSG;
	off = header.header_bytes;
	for (uint32_t i = 0; i < RECORDS_MAX && !err; i++) {
		n = read_at(fd, off, &prefix, sizeof(prefix));
		if (n < (ssize_t)sizeof(prefix))
			return n < 0 ? (int)n : 0;
		if (prefix.bytes < sizeof(prefix))
			return -EBADMSG;
		if (prefix.id == JIT_CODE_LOAD)
			err = take_load(self, fd, off + sizeof(prefix),
					prefix.bytes - (uint32_t)sizeof(prefix));
		else if (prefix.id == JIT_CODE_MOVE)
			err = take_move(self, fd, off + sizeof(prefix),
					prefix.bytes - (uint32_t)sizeof(prefix));
		off += prefix.bytes;
	}
	return err ? err : -E2BIG;
}
