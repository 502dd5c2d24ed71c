/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The elf room against the small files of tests/data/elf (their recipe stands beside them), whole, cut at
 * every byte, and with every header field damaged. The invariant: no byte outside the file is read.
 */
#include "pp/elf.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "pp/base/cleanup.h"

#define FILE_BYTES_MAX 8192

struct seen {
	const struct elf_image *image;
	uint32_t cnt;
	struct elf_symbol main;
};

static size_t load(const char *name, uint8_t data[FILE_BYTES_MAX])
{
	_auto_close_ int fd = open(name, O_RDONLY | O_CLOEXEC);
	ssize_t len;

	assert_true(fd >= 0);
	len = read(fd, data, FILE_BYTES_MAX);
	assert_in_range(len, 64, FILE_BYTES_MAX - 1);
	return (size_t)len;
}

static int see(void *arg, const struct elf_symbol *symbol)
{
	struct seen *seen = arg;
	char name[ELF_NAME_BYTES];

	seen->cnt++;
	if (!elf_image__symbol_name(seen->image, symbol, name) && strcmp(name, "main") == 0)
		seen->main = *symbol;
	return 0;
}

static struct elf_image *open_file(const char *name)
{
	struct elf_image *image = NULL;
	int fd = open(name,
		      O_RDONLY | O_CLOEXEC); /* lives as long as the image: until the test's end */

	assert_true(fd >= 0);
	assert_int_equal(elf_image__open(fd, &image), 0);
	return image;
}

static void a_program_tells_its_facts(void **state)
{
	static const uint8_t id[] = { 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef };
	struct elf_image *image = open_file("tests/data/elf/plain");
	struct seen seen = { .image = image };
	struct elf_build_id build_id;
	uint64_t vaddr = 0;

	elf_image__build_id(image, &build_id);
	assert_int_equal(build_id.len, sizeof(id));
	assert_memory_equal(build_id.bytes, id, sizeof(id));
	assert_int_equal(elf_image__entry_vaddr(image), 0x4000d0);
	assert_true(elf_image__is_program(image));
	assert_int_equal(elf_image__off_to_vaddr(image, 0xe0, &vaddr), 0);
	assert_int_equal(vaddr, 0x4000e0);
	assert_int_equal(elf_image__off_to_vaddr(image, 0x164, &vaddr), -ENOENT);
	assert_int_equal(elf_image__off_to_vaddr(image, UINT64_MAX, &vaddr), -ENOENT);
	assert_int_equal(elf_image__each_symbol(image, see, &seen), 0);
	assert_int_equal(seen.cnt, 15); /* plain.nm: T, t, W; not local_label, end_of_text, data */
	assert_int_equal(seen.main.vaddr, 0x4000e0);
	assert_int_equal(seen.main.size, 8);
	assert_int_equal(seen.main.reach_vaddr, 0x400163);
	elf_image__close(image);
}

static void a_library_has_its_dynamic_symbols(void **state)
{
	struct elf_image *image = open_file("tests/data/elf/library.so");
	struct seen seen = { .image = image };

	assert_false(elf_image__is_program(image));
	assert_int_equal(elf_image__each_symbol(image, see, &seen), 0);
	assert_int_equal(seen.cnt, 14); /* helper is local */
	/* between dynamic symbols may lie functions that nobody exports */
	assert_int_equal(seen.main.reach_vaddr, seen.main.vaddr);
	elf_image__close(image);
}

static void a_stripped_file_has_a_build_id_and_no_symbols(void **state)
{
	struct elf_image *image = open_file("tests/data/elf/stripped");
	struct seen seen = { .image = image };
	struct elf_build_id build_id;

	elf_image__build_id(image, &build_id);
	assert_int_equal(build_id.len, 8);
	assert_int_equal(elf_image__each_symbol(image, see, &seen), 0);
	assert_int_equal(seen.cnt, 0);
	assert_true(elf_image__enters_at(image, 0xd0));
	assert_int_equal(elf_image__entry_bytes(image, 0xd0), 8);
	assert_false(elf_image__enters_at(image, 0xe0));
	assert_true(elf_image__exits_at(image, 0x152));
	assert_false(elf_image__exits_at(image, 0x151));
	elf_image__close(image);
}

/* Everything that can be asked of an image; the sanitizers watch. data is exactly len bytes. */
static int ask_all(const uint8_t *data, size_t len)
{
	struct seen seen = { 0 };
	struct elf_image *image;
	uint64_t vaddr;
	int err;

	err = elf_image__from_memory(data, len, &image);
	if (err)
		return err;
	seen.image = image;
	for (uint64_t off = 0; off < len + 16; off += 8) {
		(void)elf_image__off_to_vaddr(image, off, &vaddr);
		(void)elf_image__exits_at(image, off);
		(void)elf_image__entry_bytes(image, off);
	}
	err = elf_image__each_symbol(image, see, &seen);
	elf_image__close(image);
	return err;
}

static void a_file_cut_anywhere_is_damaged(void **state)
{
	uint8_t data[FILE_BYTES_MAX];
	size_t len = load("tests/data/elf/plain", data);

	assert_int_equal(ask_all(data, len), 0);
	for (size_t cut = 0; cut < len; cut++) {
		uint8_t *copy = malloc(cut + 1);

		assert_non_null(copy);
		memcpy(copy, data, cut);
		assert_int_equal(ask_all(copy, cut), -EBADMSG);
		free(copy);
	}
}

static void damaged_headers_never_lead_outside(void **state)
{
	static const uint8_t values[] = { 0x00, 0x7f, 0x80, 0xff };
	uint8_t data[FILE_BYTES_MAX];
	size_t len = load("tests/data/elf/library.so", data), refused = 0;
	uint8_t *copy = malloc(len);

	assert_non_null(copy);
	for (size_t pos = 0; pos < len; pos++) {
		if (pos == 0x300 && len > 0x1000) /* text and data: nothing is parsed there */
			pos = 0x1000;
		for (size_t i = 0; i < sizeof(values); i++) {
			memcpy(copy, data, len);
			copy[pos] = values[i];
			refused += ask_all(copy, len) != 0;
		}
	}
	free(copy);
	assert_in_range(refused, 100, SIZE_MAX);
}

static void foreign_classes_are_not_supported(void **state)
{
	uint8_t data[FILE_BYTES_MAX];
	size_t len = load("tests/data/elf/plain", data);

	data[EI_CLASS] = ELFCLASS32;
	assert_int_equal(ask_all(data, len), -EOPNOTSUPP);
	data[EI_CLASS] = ELFCLASS64;
	data[EI_DATA] ^= 3;
	assert_int_equal(ask_all(data, len), -EOPNOTSUPP);
}

static void what_is_no_regular_elf_file_is_damaged(void **state)
{
	struct elf_image *image;
	int pipes[2];

	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(elf_image__open(pipes[0], &image), -EBADMSG);
	close(pipes[0]);
	close(pipes[1]);
	assert_int_equal(ask_all((const uint8_t *)"#!/bin/sh\n", 10), -EBADMSG);
}

/* A terabyte of holes behind headers that claim all of it. */
static void a_sparse_terabyte_costs_nothing(void **state)
{
	const uint64_t terabyte = 1ull << 40;
	Elf64_Shdr sections[3] = { 0 };
	Elf64_Ehdr header = {
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, 1 },
		.e_shoff = sizeof(header),
		.e_shentsize = sizeof(sections[0]),
		.e_shnum = ARRAY_SIZE(sections),
	};
	_auto_close_ int fd = memfd_create("sparse", MFD_CLOEXEC);
	struct elf_image *image;
	struct seen seen = { 0 };

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)terabyte), 0);
	assert_int_equal(elf_image__open(fd, &image), -EBADMSG);
	sections[1] = (Elf64_Shdr){ .sh_type = SHT_SYMTAB,
				    .sh_size = terabyte / 2,
				    .sh_entsize = sizeof(Elf64_Sym),
				    .sh_link = 2 };
	sections[2] = (Elf64_Shdr){ .sh_type = SHT_STRTAB, .sh_size = terabyte };
	assert_int_equal(pwrite(fd, &header, sizeof(header), 0), sizeof(header));
	assert_int_equal(pwrite(fd, sections, sizeof(sections), sizeof(header)), sizeof(sections));
	assert_int_equal(elf_image__open(fd, &image), 0);
	seen.image = image;
	assert_int_equal(elf_image__each_symbol(image, see, &seen), -EBADMSG);
	elf_image__close(image);
	/* section count by extended numbering: more than we take, though all of it is in the file */
	header.e_shnum = 0;
	sections[0].sh_size = 65537;
	assert_int_equal(pwrite(fd, &header, sizeof(header), 0), sizeof(header));
	assert_int_equal(pwrite(fd, sections, sizeof(sections), sizeof(header)), sizeof(sections));
	assert_int_equal(elf_image__open(fd, &image), -EBADMSG);
}

static void a_note_that_reaches_out_of_its_segment_is_no_build_id(void **state)
{
	uint8_t data[FILE_BYTES_MAX];
	size_t len = load("tests/data/elf/plain", data);
	struct elf_build_id build_id;
	struct elf_image *image;

	assert_int_equal(data[0xb4], 8); /* n_descsz of the only note, at 0xb0 (readelf -l) */
	data[0xb4] = 9;
	assert_int_equal(elf_image__from_memory(data, len, &image), 0);
	elf_image__build_id(image, &build_id);
	assert_int_equal(build_id.len, 0);
	elf_image__close(image);
}

static void a_file_that_shrinks_is_damaged_not_fatal(void **state)
{
	uint8_t data[FILE_BYTES_MAX];
	size_t len = load("tests/data/elf/plain", data);
	_auto_close_ int fd = memfd_create("shrinks", MFD_CLOEXEC);
	struct elf_image *image;
	struct seen seen = { 0 };

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, data, len, 0), len);
	assert_int_equal(elf_image__open(fd, &image), 0);
	assert_int_equal(ftruncate(fd, 256), 0);
	seen.image = image;
	assert_int_equal(elf_image__each_symbol(image, see, &seen), -EBADMSG);
	elf_image__close(image);
}

static void only_what_follows_a_call_can_be_a_return_address(void **state)
{
	static const uint64_t yes[] = { 0xd7, 0xe6, 0x152 },
			      no[] = { 0xd2, 0xd8, 0xf1, 0x101, 0x143 };
	static const struct {
		uint8_t len, at; /* where in the bytes the address points */
		bool is_return;
		uint8_t bytes[16];
	} rows[] = {
		{ 5, 5, true, { 0x41, 0xff, 0x54, 0x24, 0x08 } }, /* call *8(%r12) */
		{ 6, 6, true, { 0xff, 0x15, 1, 2, 3, 4 } }, /* call *rel(%rip) */
		{ 7, 7, true, { 0xff, 0x94, 0x24, 1, 2, 3, 4 } }, /* call *disp32(%rsp) */
		{ 7, 7, true, { 0xff, 0x14, 0xc5, 1, 2, 3, 4 } }, /* call *disp32(,%rax,8) */
		{ 2, 2, true, { 0xff, 0x10 } }, /* call *(%rax) */
		{ 2, 2, false, { 0xff, 0xe0 } }, /* jmp *%rax */
		{ 3, 3, false, { 0xff, 0xd0, 0x90 } }, /* a call, and one byte more */
		{ 9, 0, true, { 0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05 } }, /* __restore_rt */
		{ 6, 1, true, { 0x90, 0xe8, 1, 2, 3, 4 } }, /* runtime.goexit + 1 */
	};
	struct elf_image *image = open_file("tests/data/elf/plain");
	uint8_t file[4096] = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(yes); i++)
		assert_true(elf_image__returns_to(image, yes[i]));
	for (size_t i = 0; i < ARRAY_SIZE(no); i++)
		assert_false(elf_image__returns_to(image, no[i]));
	assert_true(elf_image__returns_to(image, 3)); /* cannot be told */
	assert_int_equal(elf_image__read(image, 0, file, 0x200), 0);
	elf_image__close(image);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		memset(file + 0x130, 0x90, 64);
		memcpy(file + 0x140, rows[i].bytes, rows[i].len);
		assert_int_equal(elf_image__from_memory(file, sizeof(file), &image), 0);
		assert_int_equal(elf_image__returns_to(image, 0x140 + rows[i].at),
				 rows[i].is_return);
		elf_image__close(image);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_program_tells_its_facts),
		cmocka_unit_test(a_library_has_its_dynamic_symbols),
		cmocka_unit_test(a_stripped_file_has_a_build_id_and_no_symbols),
		cmocka_unit_test(a_file_cut_anywhere_is_damaged),
		cmocka_unit_test(damaged_headers_never_lead_outside),
		cmocka_unit_test(foreign_classes_are_not_supported),
		cmocka_unit_test(what_is_no_regular_elf_file_is_damaged),
		cmocka_unit_test(a_sparse_terabyte_costs_nothing),
		cmocka_unit_test(a_note_that_reaches_out_of_its_segment_is_no_build_id),
		cmocka_unit_test(a_file_that_shrinks_is_damaged_not_fatal),
		cmocka_unit_test(only_what_follows_a_call_can_be_a_return_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
