/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef MADE_PROCESS_H
#define MADE_PROCESS_H
/*
 * A process that a test makes: one file of code in which every function of 256 bytes has one rule, and a stack
 * of a few pages, each of which may be absent. Addresses beyond are faults. One of it.
 */
#include <stdlib.h>
#include <string.h>

#include "../../user/unwind/rows.h"
#include "host_sampler.h"

#define CODE_ADDR      0x7f1234500000ull
#define CODE_VADDR     0x10000ull
#define DIR_FIRST      5u /* of vaddr 0 */
#define FUNCTION_BYTES 256u
#define FUNCTIONS_MAX  256u
#define STACK_ADDR     0x7ffd00000000ull
#define STACK_PAGES    8u
#define STACK_BYTES    (STACK_PAGES * 4096u)

static struct {
	uint64_t stack[STACK_BYTES / 8];
	bool page_is_absent[STACK_PAGES];
	uint32_t part[PP_PART_WORDS];
	struct host_regs regs;
	struct host_sample sample;
} made;

static inline int made__read(void *arg, uint64_t addr, void *data, size_t bytes)
{
	uint64_t at = addr - STACK_ADDR;

	if (at >= 64ull << 20 && at < 128ull << 20)
		at -= 64ull << 20; /* the same once more: far away, but readable */
	if (addr < STACK_ADDR || at >= STACK_BYTES || bytes > STACK_BYTES - at)
		return -1;
	for (uint64_t page = at / 4096; page <= (at + bytes - 1) / 4096; page++)
		if (made.page_is_absent[page])
			return -1;
	memcpy(data, (const uint8_t *)made.stack + at, bytes);
	return 0;
}

/* Somewhere in the middle of function i: where it was interrupted, or the address that a call in it pushed. */
static inline uint64_t in_function(uint32_t i)
{
	return CODE_ADDR + i * FUNCTION_BYTES + 0x40;
}
static inline uint64_t stack_at(uint64_t off)
{
	return STACK_ADDR + off;
}
static inline void put_word(uint64_t addr, uint64_t word)
{
	made.stack[(addr - STACK_ADDR) / 8] = word;
}

/* rules: of functions 0, 1, ...; those that follow have none. */
static inline void made__set_rules(const uint64_t *rules, uint32_t cnt)
{
	struct host_tables host = host__tables();
	uint16_t ids[FUNCTIONS_MAX];
	struct unwind_page *page = unwind_page__new(FUNCTIONS_MAX, FUNCTIONS_MAX);

	for (uint32_t i = 0; i < FUNCTIONS_MAX; i++) {
		page->rules[i] = i < cnt ? rules[i] : PP_RULE_NONE;
		page->rows[i] = PP_ROW(i * FUNCTION_BYTES, i);
		ids[i] = (uint16_t)(i + 1);
		host.rules[i + 1] = page->rules[i];
	}
	unwind_page__write(page, ids, made.part + 3 * PP_UNIT_WORDS);
	free(page);
	host__set_part(2, made.part);
	host.dir[DIR_FIRST + (CODE_VADDR >> PP_PAGE_SHIFT)].window = PP_WINDOW_AT | 2u << 13 | 3;
	host.tables->generation++;
}

/* One range of one page; all else is zero. */
static inline void made__begin(void)
{
	struct pp_range range = { .start_addr = CODE_ADDR,
				  .end_addr = CODE_ADDR + PP_PAGE_BYTES,
				  .bias = CODE_ADDR - CODE_VADDR,
				  .dir_first = DIR_FIRST,
				  .kind = PP_RANGE_TABLE };
	struct pp_proc_info info = { .epoch = 9, .range_first = 4, .range_cnt = 1 };

	host__reset();
	memset(&made, 0, sizeof(made));
	fake_kernel = (struct fake_kernel){ .read_user = made__read };
	host__tables().ranges[4] = range;
	host__set_process(&info);
	made__set_rules(NULL, 0);
}

/* Samples at function i. */
static inline void made__sample(uint32_t function, uint64_t sp, uint64_t fp)
{
	made.regs.ip = in_function(function);
	made.regs.regs[REG_RSP] = sp;
	made.regs.regs[REG_RBP] = fp;
	host__sample(&made.regs, &made.sample);
}

static inline uint32_t made__end(void)
{
	return made.sample.end & PP_END_MASK;
}

#endif
