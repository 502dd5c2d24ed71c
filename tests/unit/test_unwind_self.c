/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * This program, walked by its own rows and those of its libraries, next to the unwinder of the C library
 * (which reads the same CFI with other code): the same frames, and the end where the program begins.
 */
#include <linux/types.h>

#include <execinfo.h>
#include <fcntl.h>
#include <link.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <ucontext.h>

#include <cmocka.h>

#include "pp/base/cleanup.h"
#include "pp/unwind.h"

/* This program and its libraries. */
struct loaded {
	uint64_t begin;
	uint64_t end;
	uint64_t bias;
	int fd;
	struct unwind_file *file;
};
static struct loaded loaded[64];
static uint32_t loaded_cnt;

static int add_loaded(struct dl_phdr_info *info, size_t size, void *arg)
{
	for (int i = 0; i < info->dlpi_phnum && loaded_cnt < ARRAY_SIZE(loaded); i++) {
		const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
		struct loaded *self = &loaded[loaded_cnt];

		if (segment->p_type != PT_LOAD || !(segment->p_flags & PF_X))
			continue;
		self->fd = open(info->dlpi_name[0] ? info->dlpi_name : "/proc/self/exe",
				O_RDONLY | O_CLOEXEC);
		if (self->fd < 0 || unwind_file__open(self->fd, -1, &self->file))
			continue;
		self->begin = info->dlpi_addr + segment->p_vaddr;
		self->end = self->begin + segment->p_memsz;
		self->bias = info->dlpi_addr;
		loaded_cnt++;
	}
	return 0;
}

static uint64_t rule_of(uint64_t addr)
{
	for (uint32_t i = 0; i < loaded_cnt; i++) {
		const struct loaded *self = &loaded[i];
		_auto_free_ struct unwind_page *page = NULL;
		uint64_t vaddr = addr - self->bias;

		if (addr < self->begin || addr >= self->end)
			continue;
		assert_int_equal(unwind_file__page(self->file, vaddr >> PP_PAGE_SHIFT, &page), 0);
		assert_non_null(page);
		return unwind_page__find(page, vaddr);
	}
	return PP_RULE_NONE;
}

static uint64_t word_at(uint64_t addr)
{
	return *(const uint64_t *)addr;
}

#define DEPTH	   20
#define FRAMES_MAX 100
struct stacks {
	void *theirs[FRAMES_MAX];
	int their_cnt;
	uint64_t ours[FRAMES_MAX];
	int our_cnt;
	bool complete;
};

static void walk(const ucontext_t *context, struct stacks *stacks)
{
	uint64_t pc = (uint64_t)context->uc_mcontext.gregs[REG_RIP];
	uint64_t rsp = (uint64_t)context->uc_mcontext.gregs[REG_RSP];
	uint64_t rbp = (uint64_t)context->uc_mcontext.gregs[REG_RBP];

	while (stacks->our_cnt < FRAMES_MAX) {
		uint64_t rule = rule_of(pc - (stacks->our_cnt > 0)), cfa;

		stacks->ours[stacks->our_cnt++] = pc;
		stacks->complete = PP_RULE_CFA_FORM(rule) == PP_CFA_END;
		if (PP_RULE_CFA_FORM(rule) != PP_CFA_REG)
			return;
		cfa = (PP_RULE_CFA_REG(rule) == 6 ? rbp : rsp) + (uint64_t)PP_RULE_CFA_BYTES(rule);
		if (PP_RULE_FP_FORM(rule) == PP_FP_AT_CFA)
			rbp = word_at(cfa + (uint64_t)PP_RULE_FP_BYTES(rule));
		pc = word_at(cfa - 8);
		rsp = cfa;
	}
}

static int __attribute__((noinline)) descend(int depth, struct stacks *stacks)
{
	volatile int below;

	if (depth > 0) {
		below = descend(depth - 1, stacks);
	} else {
		ucontext_t context;

		stacks->their_cnt = backtrace(stacks->theirs, FRAMES_MAX);
		assert_int_equal(getcontext(&context), 0);
		walk(&context, stacks);
		below = 0;
	}
	return below + 1;
}

static void this_program_is_walked_as_the_c_library_walks_it(void **state)
{
	struct stacks stacks = { 0 };

	loaded_cnt = 0;
	assert_int_equal(dl_iterate_phdr(add_loaded, NULL), 0);
	assert_true(loaded_cnt >= 2);
	descend(DEPTH, &stacks);
	assert_true(stacks.complete);
	assert_true(stacks.our_cnt > DEPTH + 3);
	/* the sanitizers' backtrace may have a frame of its own, and a shorter memory */
	for (int i = 1; i < stacks.our_cnt; i++) {
		int j = stacks.their_cnt - (stacks.our_cnt - i);

		if (j > 0 && (stacks.their_cnt == stacks.our_cnt || j > 2))
			assert_int_equal(stacks.ours[i], (uint64_t)stacks.theirs[j]);
	}
	for (uint32_t i = 0; i < loaded_cnt; i++) {
		unwind_file__close(loaded[i].file);
		close(loaded[i].fd);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(this_program_is_walked_as_the_c_library_walks_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
