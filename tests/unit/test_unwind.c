/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Pages of rows: always ascending, not overlapping, gaps explicit; what a search finds in the window that
 * programs read is what a walk through the rows finds. Then what files leave out, byte by byte. CFI is faked.
 */
/* UNIT_LDFLAGS: -Wl,--wrap=elf_cfi__open,--wrap=elf_cfi__each_row,--wrap=elf_cfi__stats,--wrap=elf_cfi__close */
#include "pp/unwind.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "made_program.h"
#include "pp/base/cleanup.h"
#include "pp/elf_cfi.h"

#define CODE_OFF   0x10000
#define CODE_BYTES 0x20000
#define CODE_VADDR (MADE_VADDR + CODE_OFF)

/* Rows of a faked file; rule of rsp + 8 * n. */
#define RULE(n)	 (PP_CFA_REG | 7ull << 4 | (uint64_t)(n) << 43)
#define ROWS_MAX 70000
struct fake_cfi {
	const void *image; /* whose rows; NULL: the real functions */
	const void *other_image; /* a second one, with other_rule all over */
	uint64_t other_rule;
	uint64_t entries;
	struct elf_cfi_row rows[ROWS_MAX];
	size_t cnt;
};
static struct fake_cfi fake;

int __real_elf_cfi__open(const struct elf_image *image, struct elf_cfi **ret_cfi);
int __real_elf_cfi__each_row(struct elf_cfi *self, uint64_t low_vaddr, uint64_t high_vaddr,
			     elf_cfi_row_fn fn, void *arg);
void __real_elf_cfi__stats(const struct elf_cfi *self, struct elf_cfi_stats *ret_stats);
void __real_elf_cfi__close(struct elf_cfi *self);
int __wrap_elf_cfi__open(const struct elf_image *image, struct elf_cfi **ret_cfi);
int __wrap_elf_cfi__each_row(struct elf_cfi *self, uint64_t low_vaddr, uint64_t high_vaddr,
			     elf_cfi_row_fn fn, void *arg);
void __wrap_elf_cfi__stats(const struct elf_cfi *self, struct elf_cfi_stats *ret_stats);
void __wrap_elf_cfi__close(struct elf_cfi *self);

static bool is_fake(const void *cfi)
{
	return cfi == &fake.image || cfi == &fake.other_image;
}

int __wrap_elf_cfi__open(const struct elf_image *image, struct elf_cfi **ret_cfi)
{
	if (fake.cnt == 0 && fake.other_rule == 0)
		return __real_elf_cfi__open(image, ret_cfi);
	*ret_cfi = fake.image ? (void *)&fake.other_image : (void *)&fake.image;
	if (fake.image)
		fake.other_image = image;
	else
		fake.image = image;
	return 0;
}

int __wrap_elf_cfi__each_row(struct elf_cfi *self, uint64_t low_vaddr, uint64_t high_vaddr,
			     elf_cfi_row_fn fn, void *arg)
{
	struct elf_cfi_row row = { low_vaddr, PP_RULE_NONE };
	size_t i = 0;
	int err;

	if (!is_fake(self))
		return __real_elf_cfi__each_row(self, low_vaddr, high_vaddr, fn, arg);
	if ((void *)self == &fake.other_image) {
		row.rule = fake.other_rule;
		return fn(arg, &row);
	}
	for (; i < fake.cnt && fake.rows[i].vaddr <= low_vaddr; i++)
		row.rule = fake.rows[i].rule;
	err = fn(arg, &row);
	for (; i < fake.cnt && fake.rows[i].vaddr < high_vaddr && !err; i++)
		err = fn(arg, &fake.rows[i]);
	return err;
}

void __wrap_elf_cfi__stats(const struct elf_cfi *self, struct elf_cfi_stats *ret_stats)
{
	if (!is_fake(self)) {
		__real_elf_cfi__stats(self, ret_stats);
		return;
	}
	*ret_stats = (struct elf_cfi_stats){ .entries = fake.entries };
}

void __wrap_elf_cfi__close(struct elf_cfi *self)
{
	if (!is_fake(self))
		__real_elf_cfi__close(self);
}

static int setup(void **state)
{
	static struct made_program elf;

	memset(&fake, 0, sizeof(fake));
	made_program__init(&elf);
	made_program__segment(&elf, CODE_OFF, CODE_BYTES, PF_R | PF_X);
	*state = &elf;
	return 0;
}

static int teardown(void **state)
{
	made_program__free(*state);
	memset(&fake, 0, sizeof(fake));
	return 0;
}

static struct unwind_file *open_made(const struct made_program *elf)
{
	struct unwind_file *file = NULL;

	fake.image = fake.other_image = NULL;
	assert_int_equal(unwind_file__from_memory(elf->bytes, MADE_BYTES, &file), 0);
	return file;
}

/* As a program searches. */
static uint32_t search_window(const uint32_t *words, uint32_t off)
{
	const uint16_t *index = (const uint16_t *)words;
	const uint32_t *rows = words + PP_INDEX_WORDS;
	uint32_t low = index[off >> 10], high = index[(off >> 10) + 1];

	for (uint32_t i = high;; i--)
		if (rows[i] <= (off << 16 | 0xffff))
			return rows[i] & 0xffff;
		else
			assert_true(i > low);
}

static void check_page(struct unwind_file *file, uint64_t page_number)
{
	_auto_free_ struct unwind_page *page = NULL;
	_auto_free_ uint32_t *words = NULL;
	_auto_free_ uint16_t *ids = NULL;
	uint64_t low = page_number << PP_PAGE_SHIFT, truth = PP_RULE_NONE;
	size_t next = 0;

	assert_int_equal(unwind_file__page(file, page_number, &page), 0);
	assert_non_null(page);
	assert_int_equal(page->rows[0] >> 16, 0);
	words = malloc(unwind_page__words(page) * sizeof(*words));
	ids = malloc(page->rule_cnt * sizeof(*ids));
	assert_non_null(words);
	assert_non_null(ids);
	for (uint32_t i = 0; i < page->rule_cnt; i++)
		ids[i] = (uint16_t)(1000 + i);
	unwind_page__write(page, ids, words);
	for (uint32_t off = 0; off < PP_PAGE_BYTES; off++) {
		for (; next < fake.cnt && fake.rows[next].vaddr <= low + off; next++)
			truth = fake.rows[next].rule;
		assert_int_equal(unwind_page__find(page, low + off), truth);
		assert_int_equal(page->rules[search_window(words, off) - 1000], truth);
	}
	for (uint32_t i = 1; i < page->row_cnt; i++) {
		assert_true(page->rows[i] >> 16 > page->rows[i - 1] >> 16);
		assert_true((page->rows[i] & 0xffff) != (page->rows[i - 1] & 0xffff));
	}
	for (uint32_t i = 0; i < page->rule_cnt; i++)
		for (uint32_t j = 0; j < i; j++)
			assert_true(page->rules[i] != page->rules[j]);
}

static void a_search_finds_what_a_walk_through_the_rows_finds(void **state)
{
	static const uint32_t steps[] = { 1, 3, 16, 100, 1024, 5000, 70000 };
	uint64_t seed = 1;

	for (size_t s = 0; s < ARRAY_SIZE(steps); s++) {
		uint64_t vaddr = CODE_VADDR - 100;
		struct unwind_file *file;

		memset(&fake, 0, sizeof(fake));
		while (vaddr < CODE_VADDR + CODE_BYTES && fake.cnt < PP_PAGE_ROWS_MAX) {
			seed = seed * 6364136223846793005ull + 1442695040888963407ull;
			fake.rows[fake.cnt].vaddr = vaddr;
			/* one in five a gap, neighbours often equal */
			fake.rows[fake.cnt++].rule = (seed >> 33) % 5 ? RULE((seed >> 40) % 20) :
									PP_RULE_NONE;
			vaddr += 1 + (seed >> 45) % steps[s];
		}
		file = open_made(*state);
		check_page(file, CODE_VADDR >> PP_PAGE_SHIFT);
		unwind_file__close(file);
	}
}

static void a_row_at_every_byte_of_a_kib_is_found(void **state)
{
	struct unwind_file *file;

	for (uint32_t i = 0; i < 3000; i++)
		fake.rows[fake.cnt++] =
			(struct elf_cfi_row){ CODE_VADDR + 2000 + i, RULE(1 + i % 2000) };
	file = open_made(*state);
	check_page(file, CODE_VADDR >> PP_PAGE_SHIFT);
	unwind_file__close(file);
}

static void more_rows_than_a_page_may_have_are_refused(void **state)
{
	struct unwind_page *page = NULL;
	struct unwind_file *file;

	for (uint32_t i = 0; i < PP_PAGE_ROWS_MAX; i++)
		fake.rows[fake.cnt++] = (struct elf_cfi_row){ CODE_VADDR + i, RULE(1 + i % 2) };
	file = open_made(*state);
	assert_int_equal(unwind_file__page(file, CODE_VADDR >> PP_PAGE_SHIFT, &page), 0);
	assert_int_equal(page->row_cnt, PP_PAGE_ROWS_MAX);
	free(page);
	unwind_file__close(file);
	fake.rows[fake.cnt++] = (struct elf_cfi_row){ CODE_VADDR + PP_PAGE_ROWS_MAX,
						      RULE(1 + PP_PAGE_ROWS_MAX % 2) };
	file = open_made(*state);
	assert_int_equal(unwind_file__page(file, CODE_VADDR >> PP_PAGE_SHIFT, &page), -E2BIG);
	unwind_file__close(file);
}

static void pages_are_those_of_the_code(void **state)
{
	struct unwind_file *file = open_made(*state);
	struct unwind_page *page = (void *)&fake;
	uint64_t first;
	uint32_t cnt;

	unwind_file__pages(file, &first, &cnt);
	assert_int_equal(first, CODE_VADDR >> PP_PAGE_SHIFT);
	assert_int_equal(cnt, CODE_BYTES >> PP_PAGE_SHIFT);
	assert_int_equal(unwind_file__page(file, first, &page), 0);
	assert_null(page); /* no CFI, nothing to be known */
	assert_int_equal(unwind_file__page(file, first + cnt, &page), 0);
	assert_int_equal(unwind_file__page(file, UINT64_MAX, &page), 0);
	assert_null(page);
	unwind_file__close(file);
}

static void a_mapping_shows_whole_pages_of_a_segment_that_begins_anywhere(void **state)
{
	struct made_program *elf = *state;
	struct unwind_file *file;
	uint64_t vaddr = 0;

	/* as lld lays segments out: two in one page of the file, each one page further in memory */
	elf->segments[0] = (Elf64_Phdr){ PT_LOAD, PF_X, 0x1e20, 0x2e20, 0, 0x300, 0x300, 0x1000 };
	elf->segments[1] = (Elf64_Phdr){ PT_LOAD, PF_X, 0x2120, 0x4120, 0, 0x900, 0x900, 0x1000 };
	elf->header->e_phnum = 2;
	file = open_made(elf);
	assert_int_equal(unwind_file__map_vaddr(file, 0x1000, &vaddr), 0);
	assert_int_equal(vaddr, 0x2000);
	assert_int_equal(unwind_file__map_vaddr(file, 0x2000, &vaddr), 0);
	assert_int_equal(vaddr, 0x4000);
	assert_int_equal(unwind_file__map_vaddr(file, 0x3000, &vaddr), -ENOENT);
	assert_int_equal(unwind_file__map_vaddr(file, 0, &vaddr), -ENOENT);
	unwind_file__close(file);
}

static void other_machines_and_absurd_addresses_are_refused(void **state)
{
	struct made_program *elf = *state;
	struct unwind_file *file;

	elf->header->e_machine = EM_AARCH64;
	assert_int_equal(unwind_file__from_memory(elf->bytes, MADE_BYTES, &file), -EOPNOTSUPP);
	elf->header->e_machine = EM_X86_64;
	elf->segments[0].p_vaddr = 1ull << 60;
	assert_int_equal(unwind_file__from_memory(elf->bytes, MADE_BYTES, &file), -EBADMSG);
	elf->segments[0].p_vaddr = UINT64_MAX - 10;
	assert_int_equal(unwind_file__from_memory(elf->bytes, MADE_BYTES, &file), -EBADMSG);
}

static void a_debug_file_fills_gaps_of_a_file_with_too_little(void **state)
{
	const struct made_program *elf = *state;
	struct unwind_page *page = NULL;
	struct unwind_file *file;
	_auto_close_ int fd = memfd_create("made", MFD_CLOEXEC);

	assert_int_equal(write(fd, elf->bytes, MADE_BYTES), MADE_BYTES);
	for (uint64_t entries = 7; entries <= 8; entries++) {
		memset(&fake, 0, sizeof(fake));
		fake.entries = entries;
		fake.other_rule = RULE(9);
		fake.rows[fake.cnt++] = (struct elf_cfi_row){ CODE_VADDR + 0x100, RULE(1) };
		fake.rows[fake.cnt++] = (struct elf_cfi_row){ CODE_VADDR + 0x200, PP_RULE_NONE };
		assert_int_equal(unwind_file__open(fd, fd, &file), 0);
		assert_int_equal(unwind_file__page(file, CODE_VADDR >> PP_PAGE_SHIFT, &page), 0);
		assert_int_equal(unwind_page__find(page, CODE_VADDR + 0x100), RULE(1));
		assert_int_equal(unwind_page__find(page, CODE_VADDR + 0x200),
				 entries < 8 ? RULE(9) : PP_RULE_NONE);
		free(page);
		unwind_file__close(file);
	}
}

/* The rule at off of the first code page. */
static uint64_t rule_at(const struct made_program *elf, uint64_t off)
{
	_auto_free_ struct unwind_page *page = NULL;
	struct unwind_file *file = open_made(elf);
	int err = unwind_file__page(file, (MADE_VADDR + off) >> PP_PAGE_SHIFT, &page);

	unwind_file__close(file);
	assert_int_equal(err, 0);
	return page ? unwind_page__find(page, MADE_VADDR + off) : PP_RULE_NONE;
}

static void assert_rsp(const struct made_program *elf, uint64_t off, int64_t cfa_bytes)
{
	uint64_t rule = rule_at(elf, off);

	assert_int_equal(PP_RULE_CFA_FORM(rule), PP_CFA_REG);
	assert_int_equal(PP_RULE_CFA_REG(rule), 7);
	assert_int_equal(PP_RULE_CFA_BYTES(rule), cfa_bytes);
	assert_int_equal(PP_RULE_FP_FORM(rule), PP_FP_SAME);
	assert_int_equal(PP_RULE_RA_FORM(rule), PP_RA_AT_CFA);
}

static void stubs_without_rows_get_them_from_their_bytes(void **state)
{
	struct made_program *elf = *state;
	static const uint8_t lazy[] =
		"\xff\x35\0\0\0\0\xff\x25\0\0\0\0\x0f\x1f\x40\0"
		"\xff\x25\0\0\0\0\x68\0\0\0\0\xe9\0\0\0\0"
		"\xf3\x0f\x1e\xfa\x68\0\0\0\0\xf2\xe9\0\0\0\0\x90"
		"\xcc\xcc\xcc\xcc\xcc\xcc\xcc\xcc\xcc\xcc\xcc\xcc\xcc\xcc\xcc\xcc";
	static const uint8_t direct[] = "\xff\x25\0\0\0\0\x66\x90\xff\x25\0\0\0\0\x66\x90"
					"\xf3\x0f\x1e\xfa\xf2\xff\x25\0\0\0\0\x0f\x1f\x44\0\0";

	made_program__section(elf, ".plt", CODE_OFF + 0x100, 64, SHF_EXECINSTR);
	made_program__section(elf, ".plt.sec", CODE_OFF + 0x80, 32, SHF_EXECINSTR);
	made_program__section(elf, ".pltx", 0x200, 32, 0); /* no code */
	made_program__put(elf, CODE_OFF + 0x100, lazy, 64);
	made_program__put(elf, CODE_OFF + 0x80, direct, 32);
	assert_rsp(elf, CODE_OFF + 0x100, 16);
	assert_rsp(elf, CODE_OFF + 0x105, 16);
	assert_rsp(elf, CODE_OFF + 0x106, 24);
	assert_int_equal(PP_RULE_CFA_FORM(rule_at(elf, CODE_OFF + 0x110)), PP_CFA_PLT);
	assert_int_equal(PP_RULE_PARAM(rule_at(elf, CODE_OFF + 0x11f)), 11);
	assert_rsp(elf, CODE_OFF + 0x128, 8);
	assert_rsp(elf, CODE_OFF + 0x129, 16);
	assert_int_equal(rule_at(elf, CODE_OFF + 0x130), PP_RULE_NONE); /* unknown bytes */
	assert_int_equal(rule_at(elf, CODE_OFF + 0x140), PP_RULE_NONE);
	assert_rsp(elf, CODE_OFF + 0x80, 8);
	assert_rsp(elf, CODE_OFF + 0x88, 8);
	assert_rsp(elf, CODE_OFF + 0x9f, 8);
	assert_int_equal(rule_at(elf, CODE_OFF + 0xa0), PP_RULE_NONE);
	/* the file's own rows count first */
	fake.rows[fake.cnt++] = (struct elf_cfi_row){ CODE_VADDR, RULE(7) };
	assert_int_equal(rule_at(elf, CODE_OFF + 0x110), RULE(7));
}

static void stubs_anywhere_and_of_any_length_are_survived(void **state)
{
	struct made_program *elf = *state;
	uint32_t seed = 1;

	memset(elf->bytes + CODE_OFF, 0xff, 0x1000);
	for (uint32_t i = 0; i < 6; i++)
		made_program__section(elf, ".plt", CODE_OFF, 16, SHF_EXECINSTR);
	for (uint32_t round = 0; round < 2000; round++) {
		for (uint32_t i = 0; i < 6; i++) {
			seed = seed * 1103515245 + 12345;
			elf->sections[2 + i].sh_addr =
				CODE_VADDR - 0x20 + (seed >> 8) % (seed & 1 ? 0x60 : 0x20030);
			elf->sections[2 + i].sh_size = 1 + (seed >> 12) % 70;
			elf->bytes[CODE_OFF + (seed >> 16) % 0x100] = seed & 2 ? 0x35 : 0x25;
		}
		(void)rule_at(elf, CODE_OFF);
		(void)rule_at(elf, CODE_OFF + PP_PAGE_BYTES);
	}
}

static void only_padding_between_functions_takes_the_rule_before_it(void **state)
{
	/* int3; nop; a nop of 4, 9, 10 and 15 bytes; then a ret, a nop that is cut off */
	static const uint8_t padding[] = "\xcc\x90\x0f\x1f\x40\x00\x66\x0f\x1f\x84\0\0\0\0\0"
					 "\x66\x2e\x0f\x1f\x84\0\0\0\0\0"
					 "\x66\x66\x66\x66\x66\x66\x2e\x0f\x1f\x84\0\0\0\0\0";
	struct made_program *elf = *state;

	made_program__put(elf, CODE_OFF + 0x100, padding, 40);
	made_program__put(elf, CODE_OFF + 0x200, "\x90\xc3\x90", 3);
	made_program__put(elf, CODE_OFF + 0x300, "\x0f\x1f\x40\x00", 4);
	for (uint32_t i = 1; i <= 3; i++) {
		fake.rows[fake.cnt++] =
			(struct elf_cfi_row){ CODE_VADDR + i * 0x100 - 0x10, RULE(i) };
		fake.rows[fake.cnt++] =
			(struct elf_cfi_row){ CODE_VADDR + i * 0x100, PP_RULE_NONE };
		fake.rows[fake.cnt++] =
			(struct elf_cfi_row){ CODE_VADDR + i * 0x100 + (i == 1 ? 40 : 3), RULE(i) };
		fake.rows[fake.cnt++] =
			(struct elf_cfi_row){ CODE_VADDR + i * 0x100 + 0x50, PP_RULE_NONE };
	}
	assert_int_equal(rule_at(elf, CODE_OFF + 0x100), RULE(1));
	assert_int_equal(rule_at(elf, CODE_OFF + 0x127), RULE(1));
	assert_int_equal(rule_at(elf, CODE_OFF + 0x150), PP_RULE_NONE);
	assert_int_equal(rule_at(elf, CODE_OFF + 0x200), PP_RULE_NONE);
	assert_int_equal(rule_at(elf, CODE_OFF + 0x300), PP_RULE_NONE);
}

#define RULE_FP                                                                              \
	(PP_CFA_REG | 6ull << 4 | (uint64_t)PP_FP_AT_CFA << 8 | (-16 / 8 & 0xfffull) << 16 | \
	 16ull << 40)

static bool callers_by_fp(const struct made_program *elf)
{
	_auto_free_ struct unwind_page *page = NULL;
	struct unwind_file *file = open_made(elf);
	int err = unwind_file__page(file, CODE_VADDR >> PP_PAGE_SHIFT, &page);

	unwind_file__close(file);
	assert_int_equal(err, 0);
	return page && page->callers_by_fp;
}

/* At 0x100, push and mov take four bytes; the frame pointer's row goes on to 0x180. */
static void put_function(void)
{
	fake.cnt = 0;
	fake.rows[fake.cnt++] = (struct elf_cfi_row){ CODE_VADDR + 0x100, RULE(1) };
	fake.rows[fake.cnt++] = (struct elf_cfi_row){ CODE_VADDR + 0x104, RULE_FP };
	fake.rows[fake.cnt++] = (struct elf_cfi_row){ CODE_VADDR + 0x180, PP_RULE_NONE };
}

static void a_page_is_left_by_frame_pointer_if_each_return_address_is(void **state)
{
	static const struct {
		const char *code;
		uint8_t bytes;
	} calls[] = {
		{ "\xe8\0\0\0\0", 5 },
		{ "\xff\xd0", 2 }, /* call *%rax */
		{ "\x41\xff\x14\xc4", 4 }, /* call *(%r12,%rax,8) */
		{ "\xff\x94\xc3\0\1\0\0", 7 }, /* call *256(%rbx,%rax,8) */
	};
	struct made_program *elf = *state;

	put_function();
	assert_true(callers_by_fp(elf));
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		uint8_t len = calls[i].bytes;

		for (uint64_t end = len; end <= 0x200; end++) {
			memset(elf->bytes + CODE_OFF, 0, 0x400);
			made_program__put(elf, CODE_OFF + end - len, calls[i].code, len);
			assert_int_equal(callers_by_fp(elf), end > 0x104 && end <= 0x180);
		}
	}
	memset(elf->bytes + CODE_OFF, 0, 0x400);
	made_program__put(elf, CODE_OFF + 0x110, "\xff\xe0", 2); /* jmp *%rax */
	made_program__put(elf, CODE_OFF + 0x102, "\xff\xe0", 2);
	assert_true(callers_by_fp(elf));
}

static void a_call_across_the_edge_of_a_page_counts_where_it_returns_to(void **state)
{
	struct made_program *elf = *state;

	put_function();
	fake.rows[2].vaddr = CODE_VADDR + PP_PAGE_BYTES - 2; /* then a gap */
	made_program__put(elf, CODE_OFF + PP_PAGE_BYTES - 7, "\xe8",
			  1); /* returns into the last row */
	assert_true(callers_by_fp(elf));
	made_program__put(elf, CODE_OFF + PP_PAGE_BYTES - 7, "\0\xe8", 2);
	assert_false(callers_by_fp(elf));
	made_program__put(elf, CODE_OFF + PP_PAGE_BYTES - 6, "\0\xe8",
			  2); /* to the next page's begin: the gap */
	assert_false(callers_by_fp(elf));
	made_program__put(elf, CODE_OFF + PP_PAGE_BYTES - 5, "\0\xe8",
			  2); /* into the next page: its own matter */
	assert_true(callers_by_fp(elf));
}

static void what_is_returned_to_without_a_call_needs_its_row(void **state)
{
	struct made_program *elf = *state;
	const uint64_t rules[] = { PP_CFA_SIGNAL, PP_CFA_END, PP_CFA_UNSUPPORTED, PP_CFA_SWITCH };

	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		put_function();
		fake.rows[fake.cnt++] = (struct elf_cfi_row){ CODE_VADDR + 0x300, rules[i] };
		assert_false(callers_by_fp(elf));
	}
	put_function();
	fake.rows[1].rule = RULE(3); /* no frame pointer anywhere: nothing is promised */
	assert_false(callers_by_fp(elf));
	fake.rows[1].rule = RULE_FP + (8ull << 40); /* rbp + 24 */
	assert_false(callers_by_fp(elf));
}

static void the_entry_of_a_program_ends_the_stack(void **state)
{
	/* endbr64; xor %ebp,%ebp; nop; call; hlt */
	static const uint8_t entry[] = "\xf3\x0f\x1e\xfa\x31\xed\x90\xe8\0\0\0\0\xf4";
	struct made_program *elf = *state;

	made_program__put(elf, CODE_OFF + 0x300, entry, 13);
	elf->header->e_entry = CODE_VADDR + 0x300;
	/* CFI that does not know of it */
	fake.rows[fake.cnt++] = (struct elf_cfi_row){ CODE_VADDR, RULE(1) };
	assert_int_equal(rule_at(elf, CODE_OFF + 0x2ff), RULE(1));
	assert_int_equal(rule_at(elf, CODE_OFF + 0x300), PP_CFA_END);
	assert_int_equal(rule_at(elf, CODE_OFF + 0x30b), PP_CFA_END);
	assert_int_equal(rule_at(elf, CODE_OFF + 0x30d), RULE(1));
	/* xor %rbp,%rbp; mov %rsp,%rdi; lea; and $-16,%rsp; call; then another function */
	made_program__put(
		elf, CODE_OFF + 0x300,
		"\x48\x31\xed\x48\x89\xe7\x48\x8d\x35\0\0\0\0\x48\x83\xe4\xf0\xe8\0\0\0\0\xf4", 23);
	assert_int_equal(rule_at(elf, CODE_OFF + 0x315), PP_CFA_END);
	assert_int_equal(rule_at(elf, CODE_OFF + 0x316), RULE(1));
	elf->header->e_type = ET_DYN; /* a library */
	assert_int_equal(rule_at(elf, CODE_OFF + 0x300), RULE(1));
}

static void trampolines_and_ends_of_threads_are_known_by_their_bytes(void **state)
{
	static const uint8_t sigreturn[] = "\x48\xc7\xc0\x0f\0\0\0\x0f\x05";
	/* call *%r9; mov %eax,%edi; xor %eax,%eax; mov $60,%al; syscall */
	static const uint8_t end[] = "\x41\xff\xd1\x89\xc7\x31\xc0\xb0\x3c\x0f\x05\xf4";
	static const uint64_t at[] = { 0x400, 0x1ff0, 0x2000, 0x3ff8 };
	struct made_program *elf = *state;

	for (size_t i = 0; i < ARRAY_SIZE(at); i++)
		made_program__put(elf, CODE_OFF + at[i], sigreturn, 9);
	made_program__put(elf, CODE_OFF + 0x600, end, 12);
	/* over the border of two pages: what is looked up is the byte before it */
	made_program__put(elf, CODE_OFF + 0x10000, sigreturn, 9);
	made_program__put(elf, CODE_OFF + 0x1fffe - 3, end, 2); /* cut by the end of the code */
	for (size_t i = 0; i < ARRAY_SIZE(at); i++) {
		assert_int_equal(rule_at(elf, CODE_OFF + at[i] - 2), PP_RULE_NONE);
		assert_int_equal(rule_at(elf, CODE_OFF + at[i] - 1), PP_CFA_SIGNAL);
		assert_int_equal(rule_at(elf, CODE_OFF + at[i] + 8), PP_CFA_SIGNAL);
		assert_int_equal(rule_at(elf, CODE_OFF + at[i] + 9), PP_RULE_NONE);
	}
	assert_int_equal(rule_at(elf, CODE_OFF + 0xffff), PP_CFA_SIGNAL);
	assert_int_equal(rule_at(elf, CODE_OFF + 0x10000), PP_CFA_SIGNAL);
	assert_int_equal(rule_at(elf, CODE_OFF + 0x602), PP_CFA_END);
	assert_int_equal(rule_at(elf, CODE_OFF + 0x60b), PP_RULE_NONE);
	fake.rows[fake.cnt++] = (struct elf_cfi_row){ CODE_VADDR, RULE(1) };
	assert_int_equal(rule_at(elf, CODE_OFF + 0x400), PP_CFA_SIGNAL);
	assert_int_equal(rule_at(elf, CODE_OFF + 0x602), RULE(1)); /* the file knows better */
}

static void a_file_cut_anywhere_is_survived(void **state)
{
	struct made_program *elf = *state;

	made_program__section(elf, ".plt", CODE_OFF, 0x1000, SHF_EXECINSTR);
	memset(elf->bytes + CODE_OFF, 0x0f, 0x800);
	for (size_t len = 0; len < MADE_BYTES; len += len < 0x1000 ? 1 : 0xfff) {
		_auto_free_ uint8_t *bytes = malloc(len + 1);
		struct unwind_page *page = NULL;
		struct unwind_file *file;

		memcpy(bytes, elf->bytes, len);
		if (unwind_file__from_memory(bytes, len, &file))
			continue;
		if (!unwind_file__page(file, CODE_VADDR >> PP_PAGE_SHIFT, &page))
			free(page);
		unwind_file__close(file);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_search_finds_what_a_walk_through_the_rows_finds),
		TEST(a_row_at_every_byte_of_a_kib_is_found),
		TEST(more_rows_than_a_page_may_have_are_refused),
		TEST(pages_are_those_of_the_code),
		TEST(a_mapping_shows_whole_pages_of_a_segment_that_begins_anywhere),
		TEST(other_machines_and_absurd_addresses_are_refused),
		TEST(a_debug_file_fills_gaps_of_a_file_with_too_little),
		TEST(stubs_without_rows_get_them_from_their_bytes),
		TEST(stubs_anywhere_and_of_any_length_are_survived),
		TEST(only_padding_between_functions_takes_the_rule_before_it),
		TEST(a_page_is_left_by_frame_pointer_if_each_return_address_is),
		TEST(a_call_across_the_edge_of_a_page_counts_where_it_returns_to),
		TEST(what_is_returned_to_without_a_call_needs_its_row),
		TEST(the_entry_of_a_program_ends_the_stack),
		TEST(trampolines_and_ends_of_threads_are_known_by_their_bytes),
		TEST(a_file_cut_anywhere_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
