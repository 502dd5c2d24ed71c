/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What files leave out, known by bytes that cannot lie: PLT stubs (lld and static glibc give them no CFI),
 * the entry of a program, rt_sigreturn trampolines and ends of threads (musl and Go have none for them).
 * Nothing here is a guess: an unknown sequence stays a gap.
 */
#include <errno.h>
#include <string.h>

#include "pp/base/cleanup.h"
#include "rows.h"

static int add_segment(void *arg, const struct elf_area *area)
{
	struct unwind_code *code = arg;

	if (!area->is_code)
		return 0;
	if (code->cnt == UNWIND_CODE_MAX)
		return -EBADMSG;
	code->area[code->cnt++] = *area;
	return 0;
}

int unwind_code__init(struct unwind_code *self, const struct elf_image *image)
{
	self->image = image;
	self->cnt = 0;
	return elf_image__each_segment(image, add_segment, self);
}

const struct elf_area *unwind_code__find(const struct unwind_code *self, uint64_t vaddr)
{
	for (uint32_t i = 0; i < self->cnt; i++)
		if (vaddr - self->area[i].vaddr < self->area[i].bytes)
			return &self->area[i];
	return NULL;
}

size_t unwind_code__read(const struct unwind_code *self, uint64_t vaddr, void *code, size_t len)
{
	const struct elf_area *area = unwind_code__find(self, vaddr);
	uint64_t behind;

	if (!area)
		return 0;
	behind = vaddr - area->vaddr;
	len = min_of((uint64_t)len, area->bytes - behind);
	return elf_image__read(self->image, area->off + behind, code, len) ? 0 : len;
}

/* Kept ascending; one that overlaps the last is damaged or not ours to judge. */
static int add_stubs(void *arg, const struct elf_area *area)
{
	struct unwind_special *self = arg;
	uint32_t i = self->stub_cnt;

	if (!area->is_code || self->stub_cnt == UNWIND_STUBS_MAX ||
	    (strncmp(area->name, ".plt", 4) != 0 && strcmp(area->name, ".iplt") != 0))
		return 0;
	for (; i > 0 && self->stubs[i - 1].vaddr > area->vaddr; i--)
		self->stubs[i] = self->stubs[i - 1];
	self->stubs[i] = *area;
	self->stub_cnt++;
	return 0;
}

int unwind_special__init(struct unwind_special *self, const struct unwind_code *code)
{
	uint64_t entry = elf_image__entry_vaddr(code->image);
	const struct elf_area *area = unwind_code__find(code, entry);

	self->code = code;
	self->entry_vaddr = self->entry_end_vaddr = entry;
	if (area && elf_image__is_program(code->image)) {
		uint64_t off = area->off + (entry - area->vaddr);

		self->entry_end_vaddr += elf_image__entry_bytes(code->image, off);
	}
	return elf_image__each_section(code->image, add_stubs, self);
}

/*
 * One slot of a PLT. Lazy binding pushes a number and jumps to the first slot, which pushes one word more:
 *   ff 25 rel32, 68 imm32, e9 rel32		jmp *got; push; jmp first
 *   f3 0f 1e fa, 68 imm32, [f2] e9 rel32	endbr64; push; jmp first (the jmp *got is in .plt.sec)
 *   ff 35 rel32, [f2] ff 25 rel32		first: push; jmp *got
 * All others that begin with the jump, or with endbr64 and the jump, push nothing.
 */
static int add_slot(struct rows *rows, uint64_t vaddr, const uint8_t *slot)
{
	static const uint8_t endbr64[] = { 0xf3, 0x0f, 0x1e, 0xfa };
	bool marked = memcmp(slot, endbr64, sizeof(endbr64)) == 0;
	const uint8_t *jump = marked ? slot + sizeof(endbr64) : slot;
	int err;

	if (slot[0] == 0xff && slot[1] == 0x35) {
		err = rows__add(rows, vaddr, RULE_RSP(16));
		return err ? err : rows__add(rows, vaddr + 6, RULE_RSP(24));
	}
	if (marked && jump[0] == 0x68) {
		err = rows__add(rows, vaddr, RULE_RSP(8));
		return err ? err : rows__add(rows, vaddr + 9, RULE_RSP(16));
	}
	if (jump[0] == 0xf2) /* bnd */
		jump++;
	if (jump[0] != 0xff || jump[1] != 0x25)
		return rows__add(rows, vaddr, PP_RULE_NONE);
	if (slot[0] == 0xff && slot[6] == 0x68) {
		if (vaddr % 16 == 0)
			return rows__add(rows, vaddr, RULE_PLT(11));
		err = rows__add(rows, vaddr, RULE_RSP(8));
		return err ? err : rows__add(rows, vaddr + 11, RULE_RSP(16));
	}
	return rows__add(rows, vaddr, RULE_RSP(8));
}

#define SLOT_BYTES 16
static int add_stub_rows(const struct unwind_special *self, const struct elf_area *stubs,
			 uint64_t low, uint64_t high, struct rows *rows)
{
	uint64_t first = max_of(low, stubs->vaddr), end = min_of(high, stubs->vaddr + stubs->bytes);
	/* the begin of the slot that holds the first byte; slots of 8 bytes (.plt.got) go by two */
	uint64_t at = first - (first - stubs->vaddr) % SLOT_BYTES;
	int err = 0;

	for (; at < end && !err; at += SLOT_BYTES) {
		uint8_t slot[SLOT_BYTES] = { 0 };

		if (unwind_code__read(self->code, at, slot, sizeof(slot)) < 6)
			break;
		if (at >= first)
			err = add_slot(rows, at, slot);
	}
	while (rows->cnt > 0 && rows->at[rows->cnt - 1].vaddr >= end) /* of a slot that is cut */
		rows->cnt--;
	return err || end == high ? err : rows__add(rows, end, PP_RULE_NONE);
}

/* An interval of code with one rule. */
struct spot {
	uint64_t vaddr;
	uint64_t end_vaddr;
	uint64_t rule;
};

#define SPOTS_MAX 64 /* in a page; libc has two */
struct spots {
	uint64_t low;
	uint64_t high;
	uint32_t cnt;
	struct spot at[SPOTS_MAX];
};

/* Cut to the page; ascending, the first of two that overlap stays. */
static void spots__add(struct spots *self, uint64_t vaddr, uint64_t end_vaddr, uint64_t rule)
{
	uint32_t i = self->cnt;

	vaddr = max_of(vaddr, self->low);
	end_vaddr = min_of(end_vaddr, self->high);
	for (; i > 0 && self->at[i - 1].vaddr > vaddr; i--)
		;
	if (vaddr >= end_vaddr || self->cnt == SPOTS_MAX ||
	    (i > 0 && self->at[i - 1].end_vaddr > vaddr) ||
	    (i < self->cnt && self->at[i].vaddr < end_vaddr))
		return;
	memmove(self->at + i + 1, self->at + i, (self->cnt - i) * sizeof(self->at[0]));
	self->at[i] = (struct spot){ vaddr, end_vaddr, rule };
	self->cnt++;
}

static int spots__rows(const struct spots *self, struct rows *rows)
{
	int err = rows__add(rows, self->low, PP_RULE_NONE);

	for (uint32_t i = 0; i < self->cnt && !err; i++) {
		err = rows__add(rows, self->at[i].vaddr, self->at[i].rule);
		if (!err && self->at[i].end_vaddr < self->high)
			err = rows__add(rows, self->at[i].end_vaddr, PP_RULE_NONE);
	}
	return err;
}

#define SYSCALL_BYTES	 2
#define SEQUENCE_BYTES	 16 /* none of ours is longer, syscall and all */
#define SCAN_CHUNK_BYTES 8192
struct scan {
	const struct elf_image *image;
	struct spots *signals;
	struct spots *ends;
};

/* A syscall instruction at code[i], which stands at vaddr and off. */
static void look_at_syscall(const struct scan *self, const uint8_t *code, size_t i, uint64_t vaddr,
			    uint64_t off)
{
	static const uint8_t sigreturn[] = { 0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0 }; /* mov $15,%rax */

	/* the kernel pushes its address: what is looked up is the byte before */
	if (i >= sizeof(sigreturn) &&
	    memcmp(code + i - sizeof(sigreturn), sigreturn, sizeof(sigreturn)) == 0)
		spots__add(self->signals, vaddr - sizeof(sigreturn) - 1, vaddr + SYSCALL_BYTES,
			   RULE_SIGNAL);
	for (uint32_t behind = 6; behind <= 8 && behind < i; behind++)
		if ((code[i - 1] == 60 || code[i - 4] == 60) &&
		    elf_image__exits_at(self->image, off - behind) &&
		    elf_image__returns_to(self->image, off - behind))
			spots__add(self->ends, vaddr - behind - 1, vaddr + SYSCALL_BYTES, RULE_END);
}

static void scan_segment(const struct scan *self, const struct elf_area *area, uint64_t low,
			 uint64_t high)
{
	uint8_t code[SCAN_CHUNK_BYTES];

	for (uint64_t at = low; at < high; at += sizeof(code) - SEQUENCE_BYTES) {
		size_t len = min_of(high - at, (uint64_t)sizeof(code));
		uint64_t off = area->off + (at - area->vaddr);
		const uint8_t *hit = code;

		if (elf_image__read(self->image, off, code, len))
			return;
		/* 0f 05; its second byte is the rarer one */
		while ((hit = memchr(hit, 0x05, len - (size_t)(hit - code)))) {
			size_t i = (size_t)(hit - code) - 1;

			if (hit > code && code[i] == 0x0f)
				look_at_syscall(self, code, i, at + i, off + i);
			hit++;
		}
	}
}

static void scan_page(const struct unwind_special *self, uint64_t low, uint64_t high,
		      struct spots *signals, struct spots *ends)
{
	const struct scan scan = { self->code->image, signals, ends };

	/* a sequence may begin before the page, and reach one byte back into it */
	low -= min_of(low, (uint64_t)SEQUENCE_BYTES);
	high += SEQUENCE_BYTES;
	for (uint32_t i = 0; i < self->code->cnt; i++) {
		const struct elf_area *area = &self->code->area[i];
		uint64_t first = max_of(low, area->vaddr);
		uint64_t end = min_of(high, area->vaddr + area->bytes);

		if (first < end)
			scan_segment(&scan, area, first, end);
	}
}

static int add_all_stub_rows(const struct unwind_special *self, uint64_t low, uint64_t high,
			     struct rows *rows)
{
	int err = 0;

	for (uint32_t i = 0; i < self->stub_cnt && !err; i++) {
		const struct elf_area *stubs = &self->stubs[i];
		uint64_t first = max_of(low, stubs->vaddr);

		if (first < high && first - stubs->vaddr < stubs->bytes &&
		    (rows->cnt == 0 || rows->at[rows->cnt - 1].vaddr <= first))
			err = add_stub_rows(self, stubs, low, high, rows);
	}
	return err;
}

int unwind_special__rows(const struct unwind_special *self, uint64_t low_vaddr, uint64_t high_vaddr,
			 struct rows *over, struct rows *under)
{
	struct spots surely = { .low = low_vaddr, .high = high_vaddr }, ends = surely;
	__cleanup(rows__clear) struct rows end_rows = { 0 };
	__cleanup(rows__clear) struct rows stub_rows = { 0 };
	int err;

	over->cnt = under->cnt = 0;
	spots__add(&surely, self->entry_vaddr, self->entry_end_vaddr, RULE_END);
	scan_page(self, low_vaddr, high_vaddr, &surely, &ends);
	err = spots__rows(&surely, over);
	err = err ? err : add_all_stub_rows(self, low_vaddr, high_vaddr, &stub_rows);
	err = err ? err : spots__rows(&ends, &end_rows);
	return err ? err : rows__lay(under, &end_rows, &stub_rows);
}
