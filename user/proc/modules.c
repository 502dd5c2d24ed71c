/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The files that were mapped executable somewhere, by device and inode. A file is opened when the first
 * process that maps it is seen, so that a process may exit and still get its names. A file rewritten in
 * place keeps its inode and is taken for the old one. Descriptors are bounded; a file that found none
 * left, or whose process was too quick, gets its chance with the next process that maps it.
 */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "pp/base/vec.h"
#include "pp/metrics.h"
#include "pp/proc_file.h"

static bool is_same_file(const void *arg, uint32_t id, const void *key)
{
	const struct module_set *self = arg;
	const struct proc_module *row = &self->rows[id];
	const struct mapping *mapping = key;

	return row->inode == mapping->inode && row->dev_major == mapping->dev_major &&
	       row->dev_minor == mapping->dev_minor && row->kind == mapping->kind;
}

static uint64_t hash_file(const struct mapping *mapping)
{
	uint64_t dev = (uint64_t)mapping->dev_major << 32 | mapping->dev_minor;

	return hash_u64(mapping->inode, hash_u64(dev, mapping->kind));
}

void module_set__init(struct module_set *self, const struct sysroot *root)
{
	*self = (struct module_set){ .root = root, .roots = { .root = root } };
	hash_index__init(&self->by_file, is_same_file, self);
}

void module_set__clear(struct module_set *self)
{
	for (size_t i = 0; i < self->cnt; i++)
		if (self->rows[i].fd >= 0)
			close(self->rows[i].fd);
	free(self->rows);
	root_set__clear(&self->roots);
	hash_index__clear(&self->by_file);
	module_set__init(self, self->root);
}

/* Row 0 is made together with the first real row. */
static int add_row(struct module_set *self, const struct mapping *mapping, uint32_t *ret_row)
{
	uint32_t row = self->cnt == 0 ? 1 : (uint32_t)self->cnt;
	int err;

	err = vec_room(self->rows, (size_t)row + 1, self->cap, MODULES_MAX);
	if (!err)
		err = hash_index__add(&self->by_file, hash_file(mapping), row);
	if (err)
		return err;
	self->rows[0] = (struct proc_module){ .fd = -1, .root_fd = -1, .err = -ENOENT, .path = "" };
	self->rows[row] = (struct proc_module){
		.inode = mapping->inode,
		.dev_major = mapping->dev_major,
		.dev_minor = mapping->dev_minor,
		.kind = mapping->kind,
		.fd = -1,
		.root_fd = -1,
		.path = mapping->path,
	};
	self->cnt = (size_t)row + 1;
	*ret_row = row;
	return 0;
}

static void open_row(struct module_set *self, struct proc_module *row,
		     const struct mapping *mapping, uint32_t pid, uint32_t tid)
{
	bool is_first_try = row->err == 0;
	int fd = -EMFILE;

	if (self->open_cnt < MODULE_FDS_MAX)
		fd = mapping__open(self->root, pid, tid, mapping);
	if (fd >= 0) {
		row->fd = fd;
		row->root_fd = root_set__note(&self->roots, pid, tid);
		row->err = 0;
		self->open_cnt++;
		return;
	}
	row->err = fd;
	if (is_first_try)
		metric__add(METRIC_FILES_REFUSED, 1);
}

uint32_t module_set__adopt(struct module_set *self, const struct mapping *mapping,
			   const struct proc_module *from)
{
	struct proc_module *module;
	uint32_t row;

	if (hash_index__find(&self->by_file, hash_file(mapping), mapping, &row) &&
	    add_row(self, mapping, &row))
		return 0;
	module = &self->rows[row];
	if (module->fd >= 0 || self->open_cnt >= MODULE_FDS_MAX)
		return row;
	module->err = from->err;
	if (from->fd >= 0)
		module->fd = fcntl(from->fd, F_DUPFD_CLOEXEC, 0);
	if (module->fd >= 0)
		module->root_fd = root_set__adopt(&self->roots, from->root_fd);
	if (module->fd >= 0)
		self->open_cnt++;
	else if (from->fd >= 0)
		module->err = -errno;
	return row;
}

uint32_t module_set__of_process(struct module_set *self, const struct proc_id *id)
{
	const struct mapping key = { .inode = id->start_boottime_ns,
				     .dev_major = id->pid,
				     .dev_minor = id->exec_id,
				     .kind = MAPPING_ANON,
				     .path = "" };
	uint32_t row;

	if (hash_index__find(&self->by_file, hash_file(&key), &key, &row) &&
	    add_row(self, &key, &row))
		return 0;
	return row;
}

uint32_t module_set__note(struct module_set *self, const struct mapping *mapping, uint32_t pid,
			  uint32_t tid)
{
	uint32_t row;

	if (hash_index__find(&self->by_file, hash_file(mapping), mapping, &row) &&
	    add_row(self, mapping, &row))
		return 0;
	if (mapping->kind == MAPPING_FILE && self->rows[row].fd < 0 &&
	    self->rows[row].err != -EBADMSG)
		open_row(self, &self->rows[row], mapping, pid, tid);
	return row;
}
