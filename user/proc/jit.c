/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Processes that make code at run time: one module for the anonymous executable memory of each, with what is
 * needed to find and to believe the files that such makers write for perf. A jitdump file is known by being
 * mapped executable under its name: its makers do that for perf to see. Not here: reading these files (symbol).
 */
#include "internal.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pp/base/buf.h"
#include "pp/base/cleanup.h"
#include "pp/base/sysroot.h"

#define STATUS_BYTES_MAX 65536

/* The number in a field (0: the first) of the line that begins with key, or the last one before. */
static bool read_number(const char *text, const char *key, unsigned field, uint32_t *ret_number)
{
	const char *line = strstr(text, key), *end;
	char *behind;

	line = line ? line + strlen(key) : "";
	end = strchr(line, '\n');
	if (!end)
		return false;
	for (unsigned i = 0;; i++) {
		unsigned long number = strtoul(line, &behind, 10);

		if (behind == line || behind > end)
			return i > 0;
		*ret_number = (uint32_t)number;
		line = behind;
		if (i == field)
			return true;
	}
}

/* "Uid:" real, effective, saved, fs; "NSpid:" from our namespace inwards: the last is its own. */
static bool read_status(const struct sysroot *root, uint32_t pid, struct proc_jit *jit)
{
	_auto_buf_ struct buf text;

	buf__init(&text, STATUS_BYTES_MAX);
	return !sysroot__read(root, &text, "proc/%u/status", pid) && text.data &&
	       read_number(text.data, "\nUid:", 1, &jit->uid) &&
	       read_number(text.data, "\nNSpid:", UINT32_MAX, &jit->ns_pid);
}

static const char *name_of(const struct mapping *mapping)
{
	const char *slash = strrchr(mapping->path, '/');

	return slash ? slash + 1 : mapping->path;
}

/* "jit-123.dump" */
static bool is_jitdump(const char *name)
{
	if (strncmp(name, "jit-", 4) != 0)
		return false;
	name += 4;
	while (isdigit((unsigned char)*name))
		name++;
	return strcmp(name, ".dump") == 0;
}

static void look_at_files(struct proc_jit *jit, const struct mapping *mappings, size_t cnt)
{
	for (size_t i = 0; i < cnt; i++) {
		const char *name = name_of(&mappings[i]);

		if (mappings[i].kind != MAPPING_FILE)
			continue;
		if (strncmp(name, "libjvm.so", strlen("libjvm.so")) == 0)
			jit->is_java = true;
		else if (is_jitdump(name))
			jit->dump = mappings[i].module;
	}
}

/* The row of the process, set in those of its mappings that are code without a file. */
static void set_module(struct module_set *self, uint32_t row, struct mapping *mappings, size_t cnt)
{
	self->rows[row].jit.dump = 0;
	look_at_files(&self->rows[row].jit, mappings, cnt);
	for (size_t i = 0; i < cnt; i++)
		if (mappings[i].kind == MAPPING_ANON)
			mappings[i].module = row;
}

static bool has_code(const struct mapping *mappings, size_t cnt)
{
	for (size_t i = 0; i < cnt; i++)
		if (mappings[i].kind == MAPPING_ANON)
			return true;
	return false;
}

void module_set__note_jit(struct module_set *self, const struct proc_id *id, uint32_t tid,
			  struct mapping *mappings, size_t cnt)
{
	uint32_t row = has_code(mappings, cnt) ? module_set__of_process(self, id) : 0;
	struct proc_jit *jit;

	if (!row)
		return;
	jit = &self->rows[row].jit;
	if (!jit->start_boottime_ns && read_status(self->root, id->pid, jit)) {
		jit->start_boottime_ns = id->start_boottime_ns;
		self->rows[row].root_fd = root_set__note(&self->roots, id->pid, tid);
	}
	set_module(self, row, mappings, cnt);
}

void module_set__adopt_jit(struct module_set *self, const struct proc_id *id,
			   const struct proc_module *from, struct mapping *mappings, size_t cnt)
{
	uint32_t row = module_set__of_process(self, id);

	if (!row)
		return;
	self->rows[row].jit = from->jit;
	if (self->rows[row].root_fd < 0)
		self->rows[row].root_fd = root_set__adopt(&self->roots, from->root_fd);
	set_module(self, row, mappings, cnt);
}
