/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef FAKE_UNWIND_FILE_H
#define FAKE_UNWIND_FILE_H
/*
 * Stands in for the conversion of files: pages of rows as made_elf.h's files ask for, whose rules say which
 * file and page they were made for. Included after cmocka.h. Link with --wrap of the functions below.
 */
#include <errno.h>
#include <stdlib.h>

#include "made_elf.h"
#include "pp/unwind.h"

static struct {
	uint32_t opened, converted;
} fake_files;

struct unwind_file {
	struct content content;
};

/* Rules are never followed here: any bits will do. */
static inline uint64_t made_rule(uint32_t content, uint64_t page, uint32_t k)
{
	return 1 | (uint64_t)content << 40 | (page & 0xffff) << 24 | (uint64_t)k << 4;
}

int __wrap_unwind_file__open(int fd, int debuglink_fd, struct unwind_file **ret_file);
int __wrap_unwind_file__from_memory(const void *data, size_t len, struct unwind_file **ret_file);
void __wrap_unwind_file__close(struct unwind_file *self);
int __wrap_unwind_file__page(struct unwind_file *self, uint64_t page,
			     struct unwind_page **ret_page);
int __wrap_unwind_file__open(int fd, int debuglink_fd, struct unwind_file **ret_file)
{
	struct unwind_file *file = calloc(1, sizeof(*file));

	assert_int_equal(pread(fd, &file->content, sizeof(file->content), CONTENT_OFF),
			 sizeof(file->content));
	fake_files.opened++;
	*ret_file = file;
	return 0;
}

int __wrap_unwind_file__from_memory(const void *data, size_t len, struct unwind_file **ret_file)
{
	*ret_file = calloc(1, sizeof(**ret_file));
	(*ret_file)->content = (struct content){ 0xfd50, 10, 2 };
	return 0;
}

void __wrap_unwind_file__close(struct unwind_file *self)
{
	free(self);
}

int __wrap_unwind_file__page(struct unwind_file *self, uint64_t page, struct unwind_page **ret_page)
{
	const struct content *content = &self->content;
	struct unwind_page *made = NULL;

	if (content->row_cnt == BROKEN)
		return -EBADMSG;
	if (content->row_cnt != NO_ROWS) {
		made = malloc(sizeof(*made) + content->row_cnt * 4 + 8 + content->rule_cnt * 8);
		made->row_cnt = content->row_cnt;
		made->rule_cnt = content->rule_cnt;
		made->callers_by_fp = false;
		made->rules = (uint64_t *)(((uintptr_t)&made->rows[content->row_cnt] + 7) & ~7ull);
		for (uint32_t i = 0; i < content->rule_cnt; i++)
			made->rules[i] = made_rule(content->id, page, i);
		for (uint32_t i = 0; i < content->row_cnt; i++)
			made->rows[i] = PP_ROW(i * (PP_PAGE_BYTES / content->row_cnt),
					       i % content->rule_cnt);
	}
	fake_files.converted++;
	*ret_page = made;
	return 0;
}

#endif
