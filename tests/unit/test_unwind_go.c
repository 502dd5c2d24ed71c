/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Go's table of functions, as the four versions of its format have it: each prologue, each way to write rsp,
 * each way to hide the table; then every byte of it damaged. Frames that would be wrong are never made up.
 */
/* UNIT_LDFLAGS: -Wl,--wrap=elf_cfi__open,--wrap=elf_cfi__each_row,--wrap=elf_cfi__close */
#include <linux/types.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "made_go.h"
#include "pp/base/cleanup.h"
#include "pp/elf_cfi.h"
#include "pp/unwind.h"
#include "pp/unwind_go.h"

/* CFI that knows all code, but nothing of saved frame pointers and switches of stacks, as Go's own does. */
#define CFI_RULE (PP_CFA_REG | 7ull << 4 | 8ull << 40)
static bool has_cfi;

int __wrap_elf_cfi__open(const struct elf_image *image, struct elf_cfi **ret_cfi);
int __wrap_elf_cfi__each_row(struct elf_cfi *self, uint64_t low_vaddr, uint64_t high_vaddr,
			     elf_cfi_row_fn fn, void *arg);
void __wrap_elf_cfi__close(struct elf_cfi *self);

int __wrap_elf_cfi__open(const struct elf_image *image, struct elf_cfi **ret_cfi)
{
	if (!has_cfi)
		return -ENOENT;
	*ret_cfi = (void *)&has_cfi;
	return 0;
}

int __wrap_elf_cfi__each_row(struct elf_cfi *self, uint64_t low_vaddr, uint64_t high_vaddr,
			     elf_cfi_row_fn fn, void *arg)
{
	const struct elf_cfi_row row = { low_vaddr, CFI_RULE };

	return fn(arg, &row);
}

void __wrap_elf_cfi__close(struct elf_cfi *self)
{
}

static const int versions[] = { 2, 16, 18, 20 };

static struct unwind_page *convert(const struct made_program *elf)
{
	struct unwind_page *page = NULL;
	struct unwind_file *file;

	assert_int_equal(unwind_file__from_memory(elf->bytes, MADE_BYTES, &file), 0);
	assert_int_equal(unwind_file__page(file, made_go__vaddr(0, 0) >> PP_PAGE_SHIFT, &page), 0);
	unwind_file__close(file);
	return page;
}

#define SAVED true
static void assert_rsp(const struct unwind_page *page, uint32_t func, uint64_t behind,
		       int64_t cfa_bytes, bool saved)
{
	uint64_t rule = unwind_page__find(page, made_go__vaddr(func, behind));

	assert_int_equal(PP_RULE_CFA_FORM(rule), PP_CFA_REG);
	assert_int_equal(PP_RULE_CFA_REG(rule), 7);
	assert_int_equal(PP_RULE_CFA_BYTES(rule), cfa_bytes);
	assert_int_equal(PP_RULE_FP_FORM(rule), saved ? PP_FP_AT_CFA : PP_FP_SAME);
	assert_int_equal(PP_RULE_FP_BYTES(rule), saved ? -16 : 0);
	assert_int_equal(PP_RULE_RA_FORM(rule), PP_RA_AT_CFA);
}

static void assert_rbp(const struct unwind_page *page, uint32_t func, uint64_t behind)
{
	uint64_t rule = unwind_page__find(page, made_go__vaddr(func, behind));

	assert_int_equal(PP_RULE_CFA_FORM(rule), PP_CFA_SWITCH);
	assert_int_equal(PP_RULE_CFA_REG(rule), 6);
	assert_int_equal(PP_RULE_CFA_BYTES(rule), 16);
	assert_int_equal(PP_RULE_FP_FORM(rule), PP_FP_AT_CFA);
	assert_int_equal(PP_RULE_FP_BYTES(rule), -16);
}

static void assert_form(const struct unwind_page *page, uint32_t func, enum pp_cfa_form form)
{
	for (uint64_t behind = 0; behind < GO_FUNC_BYTES; behind++)
		assert_int_equal(unwind_page__find(page, made_go__vaddr(func, behind)), form);
}

static void assert_all(const struct unwind_page *page)
{
	assert_non_null(page);
	assert_rsp(page, MADE_LEAF, 0, 8, !SAVED);
	assert_rsp(page, MADE_LEAF, 63, 8, !SAVED);
	for (int i = 0; i < 2; i++) {
		uint32_t func = i ? MADE_SIGTRAMP : MADE_PUSHES;

		assert_rsp(page, func, 0, 8, !SAVED);
		assert_rsp(page, func, 1, 16, SAVED);
		assert_rsp(page, func, 8, 48, SAVED);
		assert_rsp(page, func, 14, 16, SAVED);
		assert_rsp(page, func, 15, 8, !SAVED);
	}
	assert_rsp(page, MADE_STORES, 3, 8, !SAVED);
	assert_rsp(page, MADE_STORES, 4, 48, !SAVED); /* rbp is not stored yet */
	assert_rsp(page, MADE_STORES, 9, 48, SAVED);
	assert_rsp(page, MADE_STORES, 23, 48, SAVED);
	assert_rsp(page, MADE_STORES, 24, 8, !SAVED);
	/* rsp is written: only rbp can be followed, from where it is the function's own */
	assert_rsp(page, MADE_SYSTEMSTACK, 0, 8, !SAVED);
	assert_rsp(page, MADE_SYSTEMSTACK, 1, 16, SAVED);
	assert_rbp(page, MADE_SYSTEMSTACK, 4);
	assert_rbp(page, MADE_SYSTEMSTACK, 14);
	assert_rsp(page, MADE_SYSTEMSTACK, 15, 8, !SAVED);
	assert_rsp(page, MADE_NANOTIME, 4, 48, !SAVED);
	assert_rsp(page, MADE_NANOTIME, 9, 48, SAVED);
	assert_rbp(page, MADE_NANOTIME, 14);
	assert_rbp(page, MADE_NANOTIME, 19);
	assert_rsp(page, MADE_NANOTIME, 20, 48, !SAVED); /* rbp is the caller's again */
	assert_rsp(page, MADE_NANOTIME, 24, 8, !SAVED);
	assert_form(page, MADE_GOGO, PP_CFA_UNSUPPORTED);
	assert_form(page, MADE_GOEXIT, PP_CFA_END);
	assert_form(page, MADE_MCALL, PP_CFA_END);
	assert_form(page, MADE_NO_TABLE, PP_CFA_NONE);
	assert_form(page, MADE_ASMCGOCALL, PP_CFA_NONE);
	assert_int_equal(unwind_page__find(page, made_go__vaddr(MADE_ODD, 5)), PP_CFA_UNSUPPORTED);
	assert_int_equal(unwind_page__find(page, made_go__vaddr(MADE_ODD, 9)), PP_CFA_UNSUPPORTED);
	assert_form(page, MADE_FUNC_CNT, PP_CFA_NONE); /* behind the last function */
}

static void every_version_of_the_table_gives_the_same_rows(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
		_auto_free_ struct unwind_page *page = NULL;
		struct made_program elf;

		made_go__init(&elf, versions[i]);
		page = convert(&elf);
		made_program__free(&elf);
		assert_all(page);
	}
}

static void a_table_without_a_section_of_its_own_is_found(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
		_auto_free_ struct unwind_page *page = NULL, *bare = NULL;
		struct made_program elf;

		made_go__init(&elf, versions[i]);
		memcpy(elf.bytes + MADE_NAMES_OFF + elf.sections[3].sh_name, ".go.buildinfo", 14);
		page = convert(&elf);
		elf.header->e_shoff = 0;
		if (versions[i] < 18) /* later ones need a section to know where the text begins */
			bare = convert(&elf);
		made_program__free(&elf);
		assert_all(page);
		if (versions[i] < 18)
			assert_all(bare);
	}
}

static void the_text_is_where_the_code_fits_the_table(void **state)
{
	_auto_free_ struct unwind_page *by_module = NULL, *by_section = NULL, *by_rela = NULL;
	_auto_free_ struct unwind_page *none = NULL;
	const uint64_t text = MADE_VADDR + GO_TEXT_OFF;
	const uint64_t rela[] = { 1, 8, 1, MADE_VADDR + GO_TABLE_OFF + 24, 8, text };
	struct made_program elf;
	uint64_t *told;

	made_go__init(&elf, 20);
	told = (uint64_t *)(void *)(elf.bytes + GO_TABLE_OFF + 24);
	*told = 0;
	by_section = convert(&elf);
	assert_all(by_section);
	/* C code in front of Go's */
	elf.sections[2].sh_addr -= 0x800;
	*told = text - 0x40;
	none = convert(&elf);
	assert_null(none);
	made_program__section(&elf, ".rela.dyn", 0x30000, sizeof(rela), 0);
	memcpy(elf.bytes + 0x30000, rela, sizeof(rela));
	by_rela = convert(&elf);
	assert_all(by_rela);
	elf.sections[4].sh_size = 24;
	made_program__section(&elf, ".go.module", GO_TABLE_OFF + 0x1800, 0x200, 0);
	memcpy(elf.bytes + GO_TABLE_OFF + 0x1800 + 22 * 8, &text, sizeof(text));
	by_module = convert(&elf);
	assert_all(by_module);
	made_program__free(&elf);
}

static void cfi_speaks_only_where_the_table_does_not(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
		_auto_free_ struct unwind_page *page = NULL;
		struct made_program elf;

		made_go__init(&elf, versions[i]);
		has_cfi = true;
		page = convert(&elf);
		has_cfi = false;
		made_program__free(&elf);
		assert_rbp(page, MADE_SYSTEMSTACK, 4);
		assert_rsp(page, MADE_PUSHES, 8, 48, SAVED);
		assert_form(page, MADE_GOGO, PP_CFA_UNSUPPORTED);
		assert_form(page, MADE_ASMCGOCALL, PP_CFA_NONE); /* it switches stacks: by rbp */
		assert_rsp(page, MADE_NO_TABLE, 0, 8, !SAVED);
		assert_rsp(page, MADE_FUNC_CNT, 0, 8, !SAVED);
	}
}

static void the_entry_point_ends_the_stack(void **state)
{
	_auto_free_ struct unwind_page *page = NULL;
	struct made_program elf;

	made_go__init(&elf, 20);
	elf.header->e_entry = made_go__vaddr(MADE_LEAF, 0);
	page = convert(&elf);
	assert_form(page, MADE_LEAF, PP_CFA_END);
	made_program__free(&elf);
}

static void every_version_of_the_table_gives_the_names(void **state)
{
	for (size_t v = 0; v < ARRAY_SIZE(versions); v++) {
		struct made_program elf;
		struct elf_image *image;
		struct go_names *names;
		char name[GO_NAMES_BYTES];

		made_go__init(&elf, versions[v]);
		assert_int_equal(elf_image__from_memory(elf.bytes, MADE_BYTES, &image), 0);
		assert_int_equal(go_names__open(image, &names), 0);
		for (uint32_t i = 0; i < MADE_FUNC_CNT; i++) {
			for (uint64_t behind = 0; behind < GO_FUNC_BYTES; behind += 63) {
				assert_int_equal(
					go_names__find(names, made_go__vaddr(i, behind), name), 0);
				assert_string_equal(name, made_funcs[i].name);
			}
		}
		assert_int_equal(go_names__find(names, made_go__vaddr(0, 0) - 1, name), -ENOENT);
		assert_int_equal(go_names__find(names, made_go__vaddr(MADE_FUNC_CNT, 0), name),
				 -ENOENT);
		go_names__close(names);
		elf_image__close(image);
		made_program__free(&elf);
	}
}

static void check_sound(const struct made_program *elf)
{
	_auto_free_ struct unwind_page *page = convert(elf);
	char name[GO_NAMES_BYTES];
	struct elf_image *image;
	struct go_names *names;

	assert_int_equal(elf_image__from_memory(elf->bytes, MADE_BYTES, &image), 0);
	if (!go_names__open(image, &names)) {
		if (!go_names__find(names, made_go__vaddr(3, 5), name))
			assert_true(name[0]);
		go_names__close(names);
	}
	elf_image__close(image);
	for (uint32_t i = 1; page && i < page->row_cnt; i++) {
		assert_true(page->rows[i] >> 16 > page->rows[i - 1] >> 16);
		assert_true((page->rows[i] & 0xffff) < page->rule_cnt);
	}
}

static void any_byte_of_the_table_damaged_is_survived(void **state)
{
	static const uint8_t flips[] = { 0x01, 0x80, 0xff };

	for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
		struct made_program elf;

		made_go__init(&elf, versions[i]);
		for (uint64_t at = GO_TABLE_OFF; at < GO_TABLE_OFF + 0xb00; at++)
			for (size_t j = 0; j < ARRAY_SIZE(flips); j++) {
				elf.bytes[at] ^= flips[j];
				check_sound(&elf);
				elf.bytes[at] ^= flips[j];
			}
		for (uint64_t bytes = 0; bytes < 0xb00; bytes += 3) {
			elf.sections[3].sh_size = elf.segments[1].p_filesz = bytes;
			check_sound(&elf);
		}
		made_program__free(&elf);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_version_of_the_table_gives_the_same_rows),
		cmocka_unit_test(a_table_without_a_section_of_its_own_is_found),
		cmocka_unit_test(the_text_is_where_the_code_fits_the_table),
		cmocka_unit_test(cfi_speaks_only_where_the_table_does_not),
		cmocka_unit_test(the_entry_point_ends_the_stack),
		cmocka_unit_test(every_version_of_the_table_gives_the_names),
		cmocka_unit_test(any_byte_of_the_table_damaged_is_survived),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
