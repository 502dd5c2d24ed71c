/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which files are known, and which part of the kernel's directory belongs to whom. A file is what fstat says
 * of it (device, inode, size, times), so one that is written anew is another file. Files with the same build
 * id share an executable only after a worker has compared what their rows are made from: a container may
 * carry a forged build id. Until then the newcomer has a slice of its own.
 */
#include "executable.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pp/base/cleanup.h"
#include "pp/base/vec.h"
#include "pp/proc_memory.h"
#include "tables.h"

#define CLOSE_AFTER_NS 60000000000ull /* nobody maps it: its file system may be unmounted */
#define FILE_TICKS     3
#define FILE_JOBS      1 /* 50 KB a file; a job has many */
#define DIR_RESERVE    (PP_DIR_MAX / 4)
#define NS_PER_SEC     1000000000ull

/* All but the build id, which is read later. */
static bool is_same_identity(const void *arg, uint32_t id, const void *key)
{
	const struct executables *self = arg;
	const struct unwind_identity *a = &self->known[id].identity, *b = key;

	return a->dev == b->dev && a->inode == b->inode && a->size_bytes == b->size_bytes &&
	       a->mtime_ns == b->mtime_ns && a->ctime_ns == b->ctime_ns;
}

static uint64_t hash_identity(const struct unwind_identity *identity)
{
	return hash_u64(identity->inode,
			hash_u64(identity->dev ^ identity->ctime_ns, identity->mtime_ns));
}

int executables__init(struct executables *self)
{
	*self = (struct executables){ 0 };
	hash_index__init(&self->by_identity, is_same_identity, self);
	self->owners = calloc(PP_DIR_MAX, sizeof(*self->owners));
	if (!self->owners)
		return -ENOMEM;
	return extents__init(&self->dir, 1, PP_DIR_MAX - 1); /* 0: never asked for */
}

void executables__clear(struct executables *self)
{
	for (uint32_t i = 1; i <= EXECUTABLES_MAX; i++)
		executable__free(self->at[i]);
	extents__clear(&self->dir);
	hash_index__clear(&self->by_identity);
	free(self->known);
	free(self->owners);
	*self = (struct executables){ 0 };
}

static int read_identity(int fd, struct unwind_identity *ret_identity)
{
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	*ret_identity = (struct unwind_identity){
		.dev = st.st_dev,
		.inode = st.st_ino,
		.size_bytes = (uint64_t)st.st_size,
		.mtime_ns = (uint64_t)st.st_mtim.tv_sec * NS_PER_SEC + (uint64_t)st.st_mtim.tv_nsec,
		.ctime_ns = (uint64_t)st.st_ctim.tv_sec * NS_PER_SEC + (uint64_t)st.st_ctim.tv_nsec,
	};
	return 0;
}

bool source__is_unchanged(const struct source *self)
{
	struct executables one = { .known = &(struct known_file){ .identity = self->identity } };
	struct unwind_identity now;

	return self->fd < 0 || (!read_identity(self->fd, &now) && is_same_identity(&one, 0, &now));
}

static int source__open(int fd, const struct unwind_identity *identity, struct source **ret_source)
{
	struct source *source = calloc(1, sizeof(*source));

	if (!source)
		return -ENOMEM;
	source->ref_cnt = 1;
	source->identity = *identity;
	source->debug_fd = -1;
	source->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (source->fd < 0) {
		int err = -errno;

		free(source);
		return err;
	}
	*ret_source = source;
	return 0;
}

static int source__from_vdso(struct source **ret_source)
{
	struct source *source = calloc(1, sizeof(*source));
	int err;

	if (!source)
		return -ENOMEM;
	source->ref_cnt = 1;
	source->fd = source->debug_fd = -1;
	err = vdso__copy(&source->memory, &source->memory_bytes);
	if (err) {
		free(source);
		return err;
	}
	*ret_source = source;
	return 0;
}

/* Its pages become absent; its slice and its windows rest in quarantine. */
static void drop(struct unwind_tables *tables, struct executable *self)
{
	struct executables *executables = &tables->executables;

	for (uint32_t i = 0; i < self->page_cnt; i++) {
		windows__unload(tables, self->dir_at + i);
		executables->owners[self->dir_at + i] = 0;
	}
	extents__give(&executables->dir, self->dir_at, self->page_cnt);
	executables->at[self->id] = NULL;
	executables->cnt--;
	executable__free(self);
}

static void forget_known(struct executables *self, uint32_t row)
{
	uint32_t last = (uint32_t)self->known_cnt - 1;
	const struct unwind_identity *identity = &self->known[row].identity;

	(void)hash_index__del(&self->by_identity, hash_identity(identity), identity);
	if (row != last) {
		identity = &self->known[last].identity;
		(void)hash_index__del(&self->by_identity, hash_identity(identity), identity);
		self->known[row] = self->known[last];
		/* cannot fail: the index has just lost two */
		(void)hash_index__add(&self->by_identity, hash_identity(identity), row);
	}
	self->known_cnt--;
}

static void forget_executable(struct unwind_tables *tables, struct executable *self)
{
	struct executables *executables = &tables->executables;

	for (uint32_t i = (uint32_t)executables->known_cnt; i-- > 0;)
		if (executables->known[i].executable == self->id)
			forget_known(executables, i);
	if (executables->vdso == self->id)
		executables->vdso = 0;
	drop(tables, self);
}

void executables__reset(struct unwind_tables *tables)
{
	struct executables *self = &tables->executables;

	for (uint32_t i = 1; i <= EXECUTABLES_MAX; i++)
		if (self->at[i])
			drop(tables, self->at[i]);
	extents__reset(&self->dir, 1, PP_DIR_MAX - 1);
	hash_index__clear(&self->by_identity);
	free(self->known);
	self->known = NULL;
	self->known_cnt = self->known_cap = 0;
	self->vdso = 0;
	self->has_no_vdso = false;
}

/* The one that nobody maps and that was mapped longest ago. */
static bool drop_oldest(struct unwind_tables *tables)
{
	struct executables *self = &tables->executables;
	struct executable *oldest = NULL;

	for (uint32_t i = 1; i <= EXECUTABLES_MAX; i++) {
		struct executable *executable = self->at[i];

		if (executable && executable->ref_cnt == 0 && self->use != executable->used &&
		    (!oldest || executable->used < oldest->used))
			oldest = executable;
	}
	if (!oldest)
		return false;
	forget_executable(tables, oldest);
	return true;
}

static int remember(struct executables *self, const struct unwind_identity *identity, uint16_t id)
{
	uint32_t row;
	int err;

	if (self->known_cnt == KNOWN_FILES_MAX) {
		uint32_t oldest = 0;

		for (uint32_t i = 1; i < self->known_cnt; i++)
			if (self->known[i].used < self->known[oldest].used)
				oldest = i;
		forget_known(self, oldest);
	}
	err = vec_room(self->known, self->known_cnt + 1, self->known_cap, KNOWN_FILES_MAX);
	if (err)
		return err;
	row = (uint32_t)self->known_cnt;
	err = hash_index__add(&self->by_identity, hash_identity(identity), row);
	if (err)
		return err;
	self->known[row] = (struct known_file){ *identity, id, self->use };
	self->known_cnt++;
	return 0;
}

/* Another one that claims to be the same file. */
static uint16_t find_twin(const struct executables *self, const struct executable *executable)
{
	for (uint16_t i = 1; i <= EXECUTABLES_MAX && executable->build_id.len > 0; i++) {
		const struct executable *other = self->at[i];

		if (other && other != executable && other->source &&
		    other->build_id.len == executable->build_id.len &&
		    memcmp(other->build_id.bytes, executable->build_id.bytes,
			   executable->build_id.len) == 0 &&
		    other->source->identity.size_bytes == executable->source->identity.size_bytes &&
		    other->segment_cnt == executable->segment_cnt &&
		    memcmp(other->segments, executable->segments,
			   executable->segment_cnt * sizeof(executable->segments[0])) == 0)
			return i;
	}
	return 0;
}

static int give_slice(struct unwind_tables *tables, struct executable *executable)
{
	struct executables *self = &tables->executables;
	uint32_t at, id = 1;

	while (id <= EXECUTABLES_MAX && self->at[id])
		id++;
	if (id > EXECUTABLES_MAX || extents__take(&self->dir, executable->page_cnt, &at))
		return -ENOSPC;
	for (uint32_t i = at; i < at + executable->page_cnt; i++) {
		struct pp_dir_entry *entry = &tables->memory.dir[i];

		self->owners[i] = (uint16_t)id;
		tables->pages[i] = (struct page){ 0 };
		__atomic_store_n(&entry->window, PP_WINDOW_ABSENT, __ATOMIC_RELEASE);
		entry->used = tables->memory.tables->generation;
		entry->asked = entry->used - 1;
		entry->hits = 0;
	}
	executable->serial = ++self->made;
	executable->dir_at = at;
	executable->id = (uint16_t)id;
	self->at[id] = executable;
	self->cnt++;
	return 0;
}

/* source: borrowed. -ENOSPC: there may be room after some drains. */
static int make(struct unwind_tables *tables, struct source *source, const char *path,
		struct executable **ret_executable)
{
	struct executables *self = &tables->executables;
	struct executable *executable;
	int err;

	err = executable__new(source, &executable);
	if (err)
		return err;
	executable->path = strdup(path);
	err = executable->path ? give_slice(tables, executable) : -ENOMEM;
	if (err) {
		if (err == -ENOSPC)
			(void)drop_oldest(tables); /* for the next time */
		executable__free(executable);
		return err;
	}
	executable->used = self->use;
	executable->twin = find_twin(self, executable);
	*ret_executable = executable;
	return 0;
}

/* A file that was not seen before. 0 with NULL: it has no code, and that is remembered. */
static int learn(struct unwind_tables *tables, int fd, struct unwind_identity *identity,
		 const char *path, struct executable **ret_executable)
{
	struct executable *executable = NULL;
	struct source *source;
	int err;

	err = source__open(fd, identity, &source);
	if (err)
		return err;
	err = make(tables, source, path, &executable);
	*identity = source->identity; /* with its build id */
	source__unref(source);
	if (err && err != -EBADMSG && err != -EOPNOTSUPP && err != -ENOENT && err != -E2BIG)
		return err;
	if (err != -E2BIG)
		err = 0;
	if (remember(&tables->executables, identity, executable ? executable->id : 0)) {
		if (executable)
			drop(tables, executable);
		return -ENOMEM;
	}
	*ret_executable = executable;
	return err;
}

static struct executable *find_vdso(struct unwind_tables *tables)
{
	struct executables *self = &tables->executables;
	struct executable *executable;
	struct source *source;

	if (self->vdso || self->has_no_vdso)
		return self->at[self->vdso];
	self->has_no_vdso = true;
	if (source__from_vdso(&source))
		return NULL;
	if (!make(tables, source, "[vdso]", &executable)) {
		self->vdso = executable->id;
		self->has_no_vdso = false;
	}
	source__unref(source);
	return self->at[self->vdso];
}

struct executable *executables__find(struct unwind_tables *tables, const struct mapping *mapping,
				     const struct proc_module *module, bool *ret_refused)
{
	struct executables *self = &tables->executables;
	struct executable *executable = NULL;
	struct unwind_identity identity;
	uint32_t row;
	int err = 0;

	*ret_refused = false;
	if (mapping->kind == MAPPING_VDSO) {
		executable = find_vdso(tables);
	} else if (module->fd < 0 || read_identity(module->fd, &identity)) {
		return NULL;
	} else if (hash_index__find(&self->by_identity, hash_identity(&identity), &identity,
				    &row)) {
		err = learn(tables, module->fd, &identity, module->path, &executable);
	} else {
		self->known[row].used = self->use;
		executable = self->at[self->known[row].executable];
		if (executable && !executable->source)
			err = source__open(module->fd, &self->known[row].identity,
					   &executable->source);
	}
	*ret_refused = err != 0;
	if (!executable || err)
		return NULL;
	executable->used = self->use;
	return executable;
}

void executables__merge(struct unwind_tables *tables, struct executable *self,
			struct executable *into)
{
	struct executables *executables = &tables->executables;

	for (size_t i = 0; i < executables->known_cnt; i++)
		if (executables->known[i].executable == self->id)
			executables->known[i].executable = into->id;
	processes__redirect(tables, self, into);
	drop(tables, self);
}

void executables__close_files(struct unwind_tables *tables, uint32_t ticks, uint32_t jobs)
{
	struct executables *self = &tables->executables;

	for (uint32_t i = 1; i <= EXECUTABLES_MAX && !tables->job; i++) {
		struct source *source = self->at[i] ? self->at[i]->source : NULL;

		if (!source || !source->file)
			continue;
		source->idle_ticks += ticks;
		source->idle_jobs += jobs;
		if (source->idle_ticks <= FILE_TICKS && source->idle_jobs <= FILE_JOBS)
			continue;
		unwind_file__close(source->file);
		source->file = NULL;
	}
}

void executables__tick(struct unwind_tables *tables, uint64_t passed_ns)
{
	struct executables *self = &tables->executables;

	executables__close_files(tables, 1, 0);
	for (uint32_t i = 1; i <= EXECUTABLES_MAX; i++) {
		struct executable *executable = self->at[i];

		if (!executable || i == self->vdso || !executable->source)
			continue;
		executable->idle_ns = executable->ref_cnt ? 0 : executable->idle_ns + passed_ns;
		if (executable->idle_ns < CLOSE_AFTER_NS)
			continue;
		source__unref(executable->source);
		executable->source = NULL;
		executable->idle_ns = 0;
	}
	self->use++; /* drop_oldest spares what a set_process of now is about to use */
	while ((extents__free_cnt(&self->dir) + extents__resting_cnt(&self->dir) < DIR_RESERVE ||
		self->cnt > EXECUTABLES_MAX - EXECUTABLES_MAX / 16) &&
	       drop_oldest(tables))
		;
}
