/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef FAKE_TABLES_H
#define FAKE_TABLES_H
/*
 * The kernel's memory as plain arrays, small ELF files made by the test, and pages of rows whose rules say
 * which file and page they were made for: a reader that gets another one's rule is caught. Included after
 * cmocka.h. Link with --wrap of the functions below and of fake_loop.h's.
 */
#include <errno.h>
#include <string.h>

#include "../../user/unwind/tables.h"
#include "fake_loop.h"
#include "fake_unwind_file.h"
#include "pp/base/sysroot.h"

#define FILES_MAX 600
static struct {
	struct pp_dir_entry dir[PP_DIR_MAX];
	uint64_t rules[PP_RULES_MAX];
	struct pp_range ranges[PP_RANGES_MAX];
	struct pp_tables tables;
	uint32_t *parts[PP_PARTS_MAX];
	uint32_t part_cnt;
	struct proc_module modules[FILES_MAX]; /* 0: none */
	uint32_t module_cnt;
	const uint64_t *stack; /* what proc__read_memory finds */
	size_t stack_bytes;
	struct unwind_tables *self;
} rig;

const struct proc_module *__wrap_proc_table__module(const struct proc_table *self, uint32_t module);
int __wrap_proc__read_memory(const struct sysroot *root, uint32_t tid, uint64_t addr, void *data,
			     size_t bytes, size_t *ret_bytes);

const struct proc_module *__wrap_proc_table__module(const struct proc_table *self, uint32_t module)
{
	assert_in_range(module, 0, rig.module_cnt - 1);
	return &rig.modules[module];
}

int __wrap_proc__read_memory(const struct sysroot *root, uint32_t tid, uint64_t addr, void *data,
			     size_t bytes, size_t *ret_bytes)
{
	if (!rig.stack)
		return -ESRCH;
	assert_in_range(rig.stack_bytes, 0, bytes);
	memcpy(data, rig.stack, rig.stack_bytes);
	*ret_bytes = rig.stack_bytes;
	return 0;
}

static int make_part(void *arg, uint32_t part, uint32_t **ret_words)
{
	assert_null(rig.parts[part]);
	rig.parts[part] = calloc(PP_PART_WORDS, 4);
	rig.part_cnt++;
	*ret_words = rig.parts[part];
	return 0;
}

static void drop_part(void *arg, uint32_t part)
{
	free(rig.parts[part]);
	rig.parts[part] = NULL;
	rig.part_cnt--;
}

static void rig_open(uint64_t bytes_max)
{
	static const struct sysroot root = { .fd = -1 };
	const struct unwind_memory memory = { rig.dir,	 rig.rules, rig.ranges, &rig.tables,
					      make_part, drop_part, NULL };
	const struct unwind_options options = { .bytes_max = bytes_max };

	memset(&rig, 0, sizeof(rig));
	fake_files.opened = fake_files.converted = 0;
	rig.tables.generation = UINT32_MAX - 2; /* it may wrap */
	rig.modules[0] = (struct proc_module){ .fd = -1, .err = -ENOENT, .path = "" };
	rig.module_cnt = 1;
	assert_int_equal(unwind_tables__new(NULL, &root, &memory, &options, &rig.self), 0);
}

static void rig_close(void)
{
	unwind_tables__free(rig.self);
	rig.self = NULL;
	(void)wire_work_off(); /* a job that outlived them */
	assert_int_equal(rig.part_cnt, 0);
	for (uint32_t i = 0; i < rig.module_cnt; i++)
		if (rig.modules[i].fd >= 0)
			close(rig.modules[i].fd);
	rig.module_cnt = 0;
}

static inline uint32_t add_file(const struct made_file *file)
{
	assert_in_range(rig.module_cnt, 1, FILES_MAX - 1);
	rig.modules[rig.module_cnt] =
		(struct proc_module){ .fd = made_file__open(file), .path = "/made" };
	return rig.module_cnt++;
}

/* The rule that a program finds, as in bpf/. PP_RULE_NONE; RULE_ABSENT: the page is not loaded. */
#define RULE_ABSENT 15ull
static inline uint64_t read_window(uint32_t window, uint32_t off)
{
	const uint32_t *words = rig.parts[window >> 13 & (PP_PARTS_MAX - 1)] +
				(window & (PP_PART_UNITS - 1)) * PP_UNIT_WORDS;
	const uint16_t *index = (const uint16_t *)words;
	uint32_t row = index[off >> 10], last = index[(off >> 10) + 1];

	words += PP_INDEX_WORDS;
	while (row < last && words[row + 1] >> 16 <= off)
		row++;
	return rig.rules[words[row] & 0xffff];
}

#endif
