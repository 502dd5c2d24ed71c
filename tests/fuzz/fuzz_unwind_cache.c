/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A file of the unwind cache as a broken disk may give it: as it is; and with all checks made right, which
 * the fuzzer could not. What comes out is a page that can be searched, and the file can be written again.
 */
#include <linux/types.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../../user/unwind/cache.h"
#include "pp/base/cleanup.h"
#include "pp/base/err.h"
#include "pp/base/file.h"

#define FILE_BYTES_MAX 4096

static char dir[64];

static void remove_dir(void)
{
	rmdir(dir);
}

static const char *make_dir(void)
{
	if (!dir[0]) {
		memcpy(dir, "/tmp/fuzz_unwind_cache.XXXXXX", 30);
		pp_assert(mkdtemp(dir));
		atexit(remove_dir);
	}
	return dir;
}

/* header, then records whose heads and bodies come from the data */
static size_t seal(const struct cache_header *header, uint8_t *file, size_t size)
{
	size_t at = sizeof(*header);

	if (size < at)
		return size;
	memcpy(file, header, sizeof(*header));
	while (size - at >= sizeof(struct cache_record)) {
		struct cache_record record;
		uint64_t body;

		memcpy(&record, file + at, sizeof(record));
		record.row_cnt %= 64;
		record.rule_cnt %= 32;
		record.head_check = cache_record__head_check(&record, header->check);
		body = min_of(cache_record__body_bytes(&record), size - at - sizeof(record));
		record.body_check = hash_bytes(file + at + sizeof(record), body, record.head_check);
		memcpy(file + at, &record, sizeof(record));
		at += sizeof(record) + body;
	}
	return size;
}

static void try_file(const char *path, const struct unwind_identity *identity, const char *name,
		     const uint8_t *file, size_t size)
{
	struct unwind_page *page = NULL;
	struct unwind_cache *cache;
	int dir_fd = open(path, O_RDONLY | O_DIRECTORY), fd;

	(void)unlinkat(dir_fd, name, 0);
	fd = openat(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL, 0600);
	pp_assert(fd >= 0 && file__write_all(fd, file, size) == 0);
	close(fd);
	pp_assert(unwind_cache__open(path, 1 << 20, &cache) == 0);
	for (uint64_t number = 0; number <= 3; number++) {
		if (unwind_cache__get(cache, identity, number, &page) == 0 && page) {
			for (uint32_t off = 0; off < PP_PAGE_BYTES; off += 997)
				(void)unwind_page__find(page, off);
			free(page);
		}
	}
	pp_assert(unwind_cache__put(cache, identity, 3, NULL) == 0);
	pp_assert(unwind_cache__get(cache, identity, 3, &page) == 0);
	free(page); /* the file may have had one already */
	unwind_cache__close(cache);
	(void)unlinkat(dir_fd, name, 0);
	close(dir_fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct unwind_identity identity = { .dev = 1, .inode = 2, .size_bytes = 3 };
	struct cache_header header;
	uint8_t file[FILE_BYTES_MAX];
	char name[CACHE_NAME_BYTES];

	size = min_of(size, sizeof(file));
	memcpy(file, data, size);
	cache_header__make(&header, &identity);
	cache_header__name(&header, name);
	try_file(make_dir(), &identity, name, file, size);
	try_file(make_dir(), &identity, name, file, seal(&header, file, size));
	return 0;
}
