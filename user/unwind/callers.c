/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Can every caller in a page be left by its frame pointer, without a look at its rows? Yes, where each return
 * address stands in a row that says just that: no call ends inside any other row, nor in a gap. So it is in
 * code built with frame pointers, outside of prologues and epilogues, and then a program needs no row for a
 * frame but the innermost. Sound, not complete: in doubt, no.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pp/base/cleanup.h"
#include "pp/elf.h"
#include "rows.h"

#define CALL_BYTES_MAX 7 /* "call *disp32(base,index,8)" */
#define CHECKS_MAX     1024 /* looks at the file; each is a system call */

/* A page's code and what stands before it; zeros where a segment has none. */
struct page_code {
	uint64_t low_vaddr; /* of bytes[CALL_BYTES_MAX] */
	uint8_t bytes[CALL_BYTES_MAX + PP_PAGE_BYTES];
};

static int page_code__read(struct page_code *self, const struct unwind_code *code)
{
	uint64_t low = self->low_vaddr - CALL_BYTES_MAX, high = self->low_vaddr + PP_PAGE_BYTES;

	memset(self->bytes, 0, sizeof(self->bytes));
	for (uint32_t i = 0; i < code->cnt; i++) {
		const struct elf_area *area = &code->area[i];
		uint64_t begin = max_of(low, area->vaddr);
		uint64_t end = min_of(high, area->vaddr + area->bytes);

		if (begin < end && unwind_code__read(code, begin, self->bytes + (begin - low),
						     end - begin) != end - begin)
			return -EBADMSG;
	}
	return 0;
}

/* Does what may be a call end before vaddr? Cheap and generous: elf looks closely. */
static bool may_end_call(const struct page_code *self, uint64_t vaddr)
{
	const uint8_t *code = self->bytes + CALL_BYTES_MAX + (vaddr - self->low_vaddr);

	if (code[-5] == 0xe8)
		return true;
	for (int i = 2; i <= CALL_BYTES_MAX; i++)
		if (code[-i] == 0xff)
			return true;
	return false;
}

/* Is there a return address that is looked up in [low, high), as the byte before it? */
static bool may_be_returned_to(const struct page_code *self, const struct unwind_code *code,
			       uint64_t low, uint64_t high)
{
	uint32_t checks = 0;

	for (uint64_t vaddr = low + 1; vaddr <= high; vaddr++) {
		const struct elf_area *area;

		if (!may_end_call(self, vaddr))
			continue;
		area = unwind_code__find(code, vaddr - 1);
		if (!area || ++checks > CHECKS_MAX ||
		    elf_image__returns_to(code->image, area->off + (vaddr - area->vaddr)))
			return true;
	}
	return false;
}

/* Nothing that is returned to without a call (a signal's trampoline, the bottom of a thread). */
static bool is_ordinary(uint64_t rule)
{
	return PP_RULE_CFA_FORM(rule) == PP_CFA_REG || PP_RULE_CFA_FORM(rule) == PP_CFA_NONE;
}

bool rows__callers_by_fp(const struct rows *self, const struct unwind_code *code,
			 uint64_t low_vaddr)
{
	const uint64_t by_fp = rule_make(PP_CFA_REG, REG_RBP, 16, PP_FP_AT_CFA, -16, 0);
	_auto_free_ struct page_code *bytes = malloc(sizeof(*bytes));
	uint32_t found = 0;

	if (!bytes)
		return false;
	bytes->low_vaddr = low_vaddr;
	if (page_code__read(bytes, code))
		return false;
	for (size_t i = 0; i < self->cnt; i++) {
		uint64_t end = i + 1 < self->cnt ? self->at[i + 1].vaddr :
						   low_vaddr + PP_PAGE_BYTES;

		if (self->at[i].rule == by_fp)
			found++;
		else if (!is_ordinary(self->at[i].rule) ||
			 may_be_returned_to(bytes, code, self->at[i].vaddr, end))
			return false;
	}
	return found > 0;
}
