/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Names of earlier windows, so that a run that goes on does not read its files anew: by file (device, inode, size and
 * times: what was changed is another file) and offset. Only what has a name is kept: a debug file that comes later must be
 * found. Bounded; the file that was not asked for longest goes first. A symbol_run_fn in front of another. How it stands
 * on disk: cache_file.c.
 */
#include "pp/symbol_cache.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cache.h"
#include "pp/base/buf.h"
#include "pp/base/cleanup.h"
#include "pp/base/file.h"
#include "pp/base/intern.h"
#include "pp/base/vec.h"
#include "pp/metrics.h"

#define TEXT_BYTES_MAX (64u << 20)

struct symbol_cache {
	symbol_run_fn run;
	void *run_arg;
	size_t bytes_max;
	int dir_fd; /* -1: not on disk */
	uint64_t turn;
	struct cached_file files[CACHED_FILES_MAX];
};

int symbol_cache__new(symbol_run_fn run, void *run_arg, size_t bytes_max,
		      struct symbol_cache **ret_cache)
{
	struct symbol_cache *self = calloc(1, sizeof(*self));

	if (!self)
		return -ENOMEM;
	self->run = run;
	self->run_arg = run_arg;
	self->bytes_max = bytes_max;
	self->dir_fd = -1;
	*ret_cache = self;
	return 0;
}

int symbol_cache__use_dir(struct symbol_cache *self, const char *dir)
{
	int err;

	if (!dir)
		return 0;
	err = dir__open_private(dir, &self->dir_fd);
	if (!err)
		err = cached_files__load(self->files, self->dir_fd);
	if (err && err != -ENOENT && err != -ENOMEM)
		metric__add(METRIC_SYMBOL_CACHE_DAMAGED, 1);
	return err == -ENOMEM ? err : 0;
}

void cached_file__clear(struct cached_file *self)
{
	intern__free(self->names);
	free(self->places);
	*self = (struct cached_file){ 0 };
}

void symbol_cache__free(struct symbol_cache *self)
{
	if (!self)
		return;
	if (self->dir_fd >= 0 && cached_files__save(self->files, self->dir_fd))
		metric__add(METRIC_SYMBOL_CACHE_UNWRITTEN, 1);
	if (self->dir_fd >= 0)
		close(self->dir_fd);
	for (uint32_t i = 0; i < CACHED_FILES_MAX; i++)
		cached_file__clear(&self->files[i]);
	free(self);
}

static size_t cached_file__bytes(const struct cached_file *self)
{
	return self->names ? self->cap * sizeof(*self->places) + intern__bytes(self->names) : 0;
}

/* Room within the budget; the file at hand is the newest and stays. */
static void evict(struct symbol_cache *self)
{
	for (;;) {
		struct cached_file *oldest = NULL;
		size_t bytes = 0;

		for (uint32_t i = 0; i < CACHED_FILES_MAX; i++) {
			struct cached_file *file = &self->files[i];

			bytes += cached_file__bytes(file);
			if (file->names && file->used != self->turn &&
			    (!oldest || file->used < oldest->used))
				oldest = file;
		}
		if (bytes <= self->bytes_max || !oldest)
			return;
		cached_file__clear(oldest);
		metric__add(METRIC_SYMBOL_CACHE_EVICTED, 1);
	}
}

static uint64_t timespec_ns(const struct timespec *time)
{
	return (uint64_t)time->tv_sec * 1000000000 + (uint64_t)time->tv_nsec;
}

static bool identify(int fd, struct cached_identity *ret_identity)
{
	struct stat st;

	memset(ret_identity, 0, sizeof(*ret_identity)); /* compared whole */
	if (fd < 0 || fstat(fd, &st))
		return false;
	ret_identity->dev = st.st_dev;
	ret_identity->inode = st.st_ino;
	ret_identity->size_bytes = (uint64_t)st.st_size;
	ret_identity->mtime_ns = timespec_ns(&st.st_mtim);
	ret_identity->ctime_ns = timespec_ns(&st.st_ctim);
	return true;
}

/* The file's slot, or one for it; NULL: no memory. */
static struct cached_file *find_file(struct symbol_cache *self,
				     const struct cached_identity *identity)
{
	struct cached_file *slot = &self->files[0];

	for (uint32_t i = 0; i < CACHED_FILES_MAX; i++) {
		struct cached_file *file = &self->files[i];

		if (file->names && !memcmp(&file->identity, identity, sizeof(*identity)))
			return file;
		if (slot->names && (!file->names || file->used < slot->used))
			slot = file;
	}
	if (slot->names)
		metric__add(METRIC_SYMBOL_CACHE_EVICTED, 1);
	cached_file__clear(slot);
	slot->identity = *identity;
	return intern__new(&slot->names, CACHED_TEXT_MAX) ? NULL : slot;
}

static const struct cached_place *find_place(const struct cached_file *file, uint64_t off)
{
	size_t low = 0, high = file->cnt;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (file->places[mid].off < off)
			low = mid + 1;
		else
			high = mid;
	}
	return low < file->cnt && file->places[low].off == off ? &file->places[low] : NULL;
}

static int compare_places(const void *a, const void *b)
{
	const struct cached_place *x = a, *y = b;

	return (x->off > y->off) - (x->off < y->off);
}

/* Keeps what has a name; without room the rest is asked again the next time. */
static void keep(struct cached_file *file, const uint64_t *offs, const struct symbol_result *result)
{
	size_t before = file->cnt;

	file->build_id = result->build_id;
	file->has_symtab = result->has_symtab;
	for (uint32_t i = 0; i < result->name_cnt; i++) {
		const char *name = result->text + result->names[i];
		struct cached_place place = { .off = offs[i],
					      .bottom = result->bottoms[i],
					      .no_return = result->no_returns[i] };

		if (!result->names[i])
			continue;
		if (intern__add(file->names, name, strlen(name), &place.name) ||
		    vec_room(file->places, file->cnt + 1, file->cap, CACHED_PLACES_MAX))
			break;
		file->places[file->cnt++] = place;
	}
	if (file->cnt > before)
		qsort(file->places, file->cnt, sizeof(*file->places), compare_places);
}

/* The answer to the whole request: from what is kept, else as it was just told of `asked`. */
static int answer(const struct cached_file *file, const struct symbol_request *request,
		  const struct symbol_result *told, const uint32_t *asked, uint32_t asked_cnt,
		  struct symbol_result *ret_result)
{
	size_t cnt = max_of(request->off_cnt, 1u);
	struct symbol_result result = { .err = told->err,
					.build_id = file->build_id,
					.has_symtab = file->has_symtab,
					.name_cnt = request->off_cnt };
	_auto_free_ uint32_t *texts = calloc(intern__cnt(file->names), sizeof(*texts));
	_auto_buf_ struct buf text;
	uint32_t next = 0;

	buf__init(&text, TEXT_BYTES_MAX);
	result.names = calloc(cnt, sizeof(*result.names));
	result.bottoms = calloc(cnt, sizeof(*result.bottoms));
	result.no_returns = calloc(cnt, sizeof(*result.no_returns));
	buf__putc(&text, '\0');
	for (uint32_t i = 0;
	     texts && result.names && result.bottoms && result.no_returns && i < request->off_cnt;
	     i++) {
		const struct cached_place *place = find_place(file, request->offs[i]);
		bool was_asked = next < asked_cnt && asked[next] == i;

		if (was_asked && !place) {
			result.bottoms[i] = told->bottoms[next];
			result.no_returns[i] = told->no_returns[next];
		}
		next += was_asked;
		if (!place)
			continue;
		if (!texts[place->name]) {
			const char *name = intern__str(file->names, place->name);

			texts[place->name] = (uint32_t)text.len;
			buf__append(&text, name, strlen(name) + 1);
		}
		result.names[i] = texts[place->name];
		result.bottoms[i] = place->bottom;
		result.no_returns[i] = place->no_return;
	}
	if (!texts || !result.names || !result.bottoms || !result.no_returns || text.err) {
		symbol_result__clear(&result);
		return -ENOMEM;
	}
	result.text = buf__take(&text, &result.text_bytes);
	*ret_result = result;
	return 0;
}

static int ask_rest(struct symbol_cache *self, struct cached_file *file,
		    const struct symbol_request *request, struct symbol_result *ret_result)
{
	_auto_free_ uint32_t *asked = calloc(max_of(request->off_cnt, 1u), sizeof(*asked));
	_auto_free_ uint64_t *offs = calloc(max_of(request->off_cnt, 1u), sizeof(*offs));
	struct symbol_request less = *request;
	struct symbol_result told = { 0 };
	uint32_t cnt = 0;
	int err = asked && offs ? 0 : -ENOMEM;

	for (uint32_t i = 0; !err && i < request->off_cnt; i++)
		if (!find_place(file, request->offs[i])) {
			asked[cnt] = i;
			offs[cnt++] = request->offs[i];
		}
	metric__add(METRIC_SYMBOL_CACHE_HITS, request->off_cnt - cnt);
	less.offs = offs;
	less.off_cnt = cnt;
	if (!err && cnt)
		err = self->run(self->run_arg, &less, &told);
	if (!err && cnt && !told.err)
		keep(file, offs, &told);
	if (!err)
		err = answer(file, request, &told, asked, cnt, ret_result);
	symbol_result__clear(&told);
	return err;
}

int symbol_cache__run(void *arg, const struct symbol_request *request,
		      struct symbol_result *ret_result)
{
	struct symbol_cache *self = arg;
	struct cached_identity identity;
	struct cached_file *file;
	int err;

	if (request->jit || request->vdso || request->wants_places ||
	    !identify(request->fd, &identity))
		return self->run(self->run_arg, request, ret_result);
	self->turn++;
	file = find_file(self, &identity);
	if (!file)
		return self->run(self->run_arg, request, ret_result);
	file->used = self->turn;
	err = ask_rest(self, file, request, ret_result);
	evict(self);
	return err;
}
