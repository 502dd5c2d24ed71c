/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One file's code: where its segments lie, which pages of 64 KiB they touch, and how it is read. The headers
 * are read here, on the loop, since a range cannot be told without them: a few preads, once for each file.
 * Everything else (sections, CFI) is the worker's.
 */
#include "executable.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "pp/base/cleanup.h"
#include "pp/elf_area.h"

#define SEGMENTS_MAX 64

struct code {
	uint32_t cnt;
	struct code_segment segments[SEGMENTS_MAX];
};

void source__unref(struct source *self)
{
	if (!self || --self->ref_cnt > 0)
		return;
	unwind_file__close(self->file);
	if (self->fd >= 0)
		close(self->fd);
	if (self->debug_fd >= 0)
		close(self->debug_fd);
	free(self->memory);
	free(self);
}

static int add_segment(void *arg, const struct elf_area *area)
{
	struct code *code = arg;
	uint32_t at = code->cnt;

	if (!area->is_code)
		return 0;
	/* no loader could map what is not congruent, and our bounds rest on it */
	if (code->cnt == SEGMENTS_MAX || (area->vaddr ^ area->off) & (CODE_PAGE_BYTES - 1))
		return -EBADMSG;
	for (; at > 0 && code->segments[at - 1].off > area->off; at--)
		code->segments[at] = code->segments[at - 1];
	code->segments[at] = (struct code_segment){ area->off, area->bytes, area->vaddr };
	code->cnt++;
	return 0;
}

/* Pages that a mapping of whole file pages can touch. */
static int find_pages(const struct code *code, uint64_t *ret_first, uint32_t *ret_cnt)
{
	uint64_t first = UINT64_MAX, last = 0;

	for (uint32_t i = 0; i < code->cnt; i++) {
		const struct code_segment *segment = &code->segments[i];
		uint64_t begin = segment->vaddr & ~(CODE_PAGE_BYTES - 1);
		uint64_t end = (segment->vaddr + segment->bytes - 1) | (CODE_PAGE_BYTES - 1);

		first = min_of(first, begin >> PP_PAGE_SHIFT);
		last = max_of(last, end >> PP_PAGE_SHIFT);
	}
	if (code->cnt == 0)
		return -ENOENT;
	if (last - first >= EXECUTABLE_PAGES_MAX)
		return -E2BIG;
	*ret_first = first;
	*ret_cnt = (uint32_t)(last - first) + 1;
	return 0;
}

static int read_code(const struct source *source, struct code *ret_code,
		     struct elf_build_id *ret_build_id)
{
	struct elf_image *image;
	int err;

	err = source->memory ?
		      elf_image__from_memory(source->memory, source->memory_bytes, &image) :
		      elf_image__open(source->fd, &image);
	if (err)
		return err;
	err = elf_image__is_x86_64(image) ? elf_image__each_segment(image, add_segment, ret_code) :
					    -EOPNOTSUPP;
	elf_image__build_id(image, ret_build_id);
	elf_image__close(image);
	return err;
}

int executable__new(struct source *source, struct executable **ret_executable)
{
	struct code code = { 0 };
	struct executable *executable;
	uint64_t first_page;
	uint32_t page_cnt;
	int err;

	err = read_code(source, &code, &source->identity.build_id);
	if (!err)
		err = find_pages(&code, &first_page, &page_cnt);
	if (err)
		return err;
	executable = calloc(1, sizeof(*executable) + code.cnt * sizeof(code.segments[0]));
	if (!executable)
		return -ENOMEM;
	executable->first_page = first_page;
	executable->page_cnt = page_cnt;
	executable->build_id = source->identity.build_id;
	executable->segment_cnt = code.cnt;
	for (uint32_t i = 0; i < code.cnt; i++)
		executable->segments[i] = code.segments[i];
	source->ref_cnt++;
	executable->source = source;
	*ret_executable = executable;
	return 0;
}

void executable__free(struct executable *self)
{
	if (!self)
		return;
	source__unref(self->source);
	free(self->path);
	free(self);
}
