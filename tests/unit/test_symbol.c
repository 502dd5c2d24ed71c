/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Names for offsets of the files in tests/data/elf (truths: plain.nm), and for kernel addresses of a tree
 * made here. Whole profiles: test_symbol_profile.c.
 */
#include "pp/symbol.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "pp/base/cleanup.h"
#include "symbol_tree.h"

#define SPLIT "tests/data/elf/split/"

static struct symbol_result ask(const char *file, const uint64_t *offs, uint32_t cnt)
{
	_auto_close_ int fd = file ? open(file, O_RDONLY | O_CLOEXEC) : -1;
	struct symbol_request request = {
		.fd = fd,
		.vdso = !file,
		.offs = offs,
		.off_cnt = cnt,
	};
	struct symbol_result result;

	assert_true(!file || fd >= 0);
	assert_int_equal(symbol_job__run(&request, &result), 0);
	assert_int_equal(result.name_cnt, cnt);
	return result;
}

static void assert_name(const struct symbol_result *result, uint32_t i, const char *name)
{
	assert_string_equal(result->text + result->names[i], name);
}

static struct symbol_result ask_below(const struct sysroot *host, const char *root,
				      const char *name, const uint64_t *offs, uint32_t cnt)
{
	_auto_close_ int root_fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	char file[64], path[64];
	struct symbol_request request = {
		.offs = offs, .off_cnt = cnt, .host = host, .root_fd = root_fd, .path = path
	};
	_auto_close_ int fd = -1;
	struct symbol_result result;

	snprintf(file, sizeof(file), SPLIT "%s", strrchr(name, '/') + 1);
	snprintf(path, sizeof(path), "%s", name);
	fd = open(file, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0 && root_fd >= 0);
	request.fd = fd;
	assert_int_equal(symbol_job__run(&request, &result), 0);
	return result;
}

static void symbols_cover_their_size_and_aliases_have_one_winner(void **state)
{
	static const struct {
		uint64_t off;
		const char *name;
	} rows[] = {
		{ 0x10, "" }, /* headers */
		{ 0xd0, "_start" },
		{ 0xd7, "_start" },
		{ 0xd8, "" }, /* behind its end */
		{ 0xe0, "main" },
		{ 0xe7, "main" },
		{ 0xf1, "helper" },
		{ 0xf2, "" },
		{ 0x100, "__write" }, /* of __libc_write and weak write: global, then shorter */
		{ 0x110, "" },
		{ 0x120, "no_size" }, /* reaches to the next symbol */
		{ 0x12f, "no_size" },
		{ 0x130, "untyped" },
		{ 0x13f, "untyped" },
		{ 0x140, "outer" },
		{ 0x141, "inner" },
		/* not _in, though shorter */ { 0x142, "outer" }, /* behind the nested one */
		{ 0x144, "" },
		{ 0x160, "clone" },
		{ 0x163, "" }, /* data */
		{ 0x100000, "" },
	};
	uint64_t offs[ARRAY_SIZE(rows)];
	struct symbol_result result;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		offs[i] = rows[i].off;
	result = ask("tests/data/elf/plain", offs, ARRAY_SIZE(offs));
	assert_int_equal(result.err, 0);
	assert_int_equal(result.build_id.len, 8);
	for (uint32_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_name(&result, i, rows[i].name);
	symbol_result__clear(&result);
	/* each one alone gives the same: no answer depends on what else was asked */
	for (uint32_t i = 0; i < ARRAY_SIZE(rows); i++) {
		result = ask("tests/data/elf/plain", &offs[i], 1);
		assert_name(&result, 0, rows[i].name);
		symbol_result__clear(&result);
	}
}

static void dynamic_symbols_without_size_do_not_reach_further(void **state)
{
	static const uint64_t offs[] = { 0x470, 0x481, 0x490, 0x4c0, 0x4d0, 0x4e1, 0x4e2 };
	static const char *const names[] = { "_start", "main", "", "", "", "inner", "outer" };
	struct symbol_result result = ask("tests/data/elf/library.so", offs, ARRAY_SIZE(offs));

	assert_int_equal(result.err, 0);
	for (uint32_t i = 0; i < ARRAY_SIZE(offs); i++)
		assert_name(&result, i, names[i]);
	symbol_result__clear(&result);
}

/* In the order of source.s; what is exported is found in any case. */
static const char *const split_names[] = { "exported", "hidden", "cpp::class<int>::method",
					   "crate::module::call" };
static void assert_split(const struct tree *tree, const char *root, const char *path, bool is_found)
{
	static const uint64_t with_id[] = { 0x20a, 0x210, 0x216, 0x21c };
	static const uint64_t without_id[] = { 0x1ba, 0x1c0, 0x1c6, 0x1cc };
	struct symbol_result result =
		ask_below(&tree->root, root, path, strstr(path, "by-id") ? with_id : without_id, 4);

	assert_int_equal(result.err, 0);
	for (uint32_t i = 0; i < 4; i++)
		assert_name(&result, i, i == 0 || is_found ? split_names[i] : "");
	symbol_result__clear(&result);
}

static void symbols_that_were_put_away_are_found(void **state)
{
	assert_split(*state, SPLIT "root", "/anywhere/by-id.so", true);
	assert_split(*state, SPLIT "root", "/lib/linked.so", true);
	assert_split(*state, "/", "/anywhere/mini.so", true);
	assert_split(*state, "/", "/anywhere/by-id.so", false);
	assert_split(*state, SPLIT "root", "/usr/linked.so", false);
}

static void symbols_of_another_build_are_not_taken(void **state)
{
	assert_split(*state, SPLIT "root", "/other/linked.so", false);
}

static void bottoms_are_known_with_and_without_symbols(void **state)
{
	static const char *const files[] = { "tests/data/elf/plain", "tests/data/elf/stripped" };
	static const struct {
		uint64_t off;
		uint8_t bottoms[2]; /* plain, stripped */
	} rows[] = {
		{ 0xd0, { SYMBOL_BOTTOM_ENTRY, SYMBOL_BOTTOM_ENTRY } },
		{ 0xd6, { SYMBOL_BOTTOM_ENTRY, SYMBOL_BOTTOM_ENTRY } },
		{ 0xd8, { SYMBOL_BOTTOM_NONE, SYMBOL_BOTTOM_NONE } }, /* behind the hlt */
		{ 0xe5, { SYMBOL_BOTTOM_NONE, SYMBOL_BOTTOM_NONE } },
		{ 0x150, { SYMBOL_BOTTOM_NONE, SYMBOL_BOTTOM_NONE } },
		{ 0x151, { SYMBOL_BOTTOM_THREAD, SYMBOL_BOTTOM_THREAD } }, /* then exit(result) */
		{ 0x161, { SYMBOL_BOTTOM_THREAD, SYMBOL_BOTTOM_NONE } }, /* by its name */
	};
	uint64_t offs[ARRAY_SIZE(rows)];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		offs[i] = rows[i].off;
	for (size_t file = 0; file < 2; file++) {
		struct symbol_result result = ask(files[file], offs, ARRAY_SIZE(offs));

		assert_int_equal(result.err, 0);
		for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
			assert_int_equal(result.bottoms[i], rows[i].bottoms[file]);
		symbol_result__clear(&result);
	}
}

/* A copy of a file in memory, with the entry moved to vaddr. */
static int copy_with_entry(const char *file, uint64_t vaddr)
{
	_auto_close_ int from = open(file, O_RDONLY | O_CLOEXEC);
	int fd = memfd_create("copy", MFD_CLOEXEC);
	char data[8192];
	ssize_t len = read(from, data, sizeof(data));

	assert_true(from >= 0 && fd >= 0 && len > 64);
	memcpy(data + 24, &vaddr, sizeof(vaddr)); /* e_entry */
	assert_int_equal(write(fd, data, (size_t)len), len);
	return fd;
}

static void the_entry_of_a_library_counts_only_if_it_is_one(void **state)
{
	static const struct {
		const char *file;
		uint64_t entry, off;
		uint8_t bottom;
	} rows[] = {
		{ "tests/data/elf/library.so", 0x470, 0x476, SYMBOL_BOTTOM_ENTRY }, /* as ld.so */
		{ "tests/data/elf/library.so", 0x480, 0x486, SYMBOL_BOTTOM_NONE }, /* filling */
		{ "tests/data/elf/plain", 0x4000e0, 0xe6, SYMBOL_BOTTOM_ENTRY }, /* ld -e main */
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_auto_close_ int fd = copy_with_entry(rows[i].file, rows[i].entry);
		struct symbol_request request = { .fd = fd, .offs = &rows[i].off, .off_cnt = 1 };
		struct symbol_result result;

		assert_int_equal(symbol_job__run(&request, &result), 0);
		assert_int_equal(result.bottoms[0], rows[i].bottom);
		symbol_result__clear(&result);
	}
}

/* As plain, with a table of so many functions that all begin at 0xe0 and cover everything behind. */
static int make_nested(uint32_t cnt)
{
	int fd = copy_with_entry("tests/data/elf/plain", 0x4000d0);
	Elf64_Ehdr header;
	Elf64_Shdr sections[16];
	Elf64_Sym chunk[1024];

	assert_int_equal(pread(fd, &header, sizeof(header), 0), sizeof(header));
	assert_in_range(header.e_shnum, 1, 16);
	assert_true(pread(fd, sections, sizeof(sections), (off_t)header.e_shoff) > 0);
	for (size_t i = 0; i < ARRAY_SIZE(chunk); i++)
		chunk[i] = (Elf64_Sym){ .st_name = 1,
					.st_info = STT_FUNC,
					.st_shndx = 2,
					.st_value = 0x4000e0,
					.st_size = 4096 };
	for (uint32_t i = 0; i < header.e_shnum; i++) {
		if (sections[i].sh_type != SHT_SYMTAB)
			continue;
		sections[i].sh_offset = 8192;
		sections[i].sh_size = cnt * sizeof(chunk[0]);
	}
	for (uint32_t i = 0; i < cnt; i += ARRAY_SIZE(chunk))
		assert_int_equal(pwrite(fd, chunk, sizeof(chunk),
					8192 + i * (off_t)sizeof(chunk[0])),
				 sizeof(chunk));
	assert_true(pwrite(fd, sections, header.e_shnum * sizeof(sections[0]),
			   (off_t)header.e_shoff) > 0);
	return fd;
}

static void a_million_nested_symbols_are_damage(void **state)
{
	static const uint64_t off = 0xe5;
	static const uint32_t cnts[] = { 1u << 10, 1100u << 10 };
	static const int errs[] = { 0, -EBADMSG };

	for (size_t i = 0; i < ARRAY_SIZE(cnts); i++) {
		_auto_close_ int fd = make_nested(cnts[i]);
		struct symbol_request request = { .fd = fd, .offs = &off, .off_cnt = 1 };
		struct symbol_result result;

		assert_int_equal(symbol_job__run(&request, &result), 0);
		assert_int_equal(result.err, errs[i]);
		symbol_result__clear(&result);
	}
}

static void a_damaged_file_is_a_result_not_a_failure(void **state)
{
	static const uint64_t offs[] = { 1, 2 };
	struct symbol_result result = ask("tests/data/elf/recipe", offs, 2);

	assert_int_equal(result.err, -EBADMSG);
	assert_name(&result, 0, "");
	assert_name(&result, 1, "");
	symbol_result__clear(&result);
	assert_null(result.names);
}

static void the_vdso_has_a_build_id(void **state)
{
	static const uint64_t offs[] = { 0x100 };
	struct symbol_result result = ask(NULL, offs, 1);

	assert_int_equal(result.err, 0);
	assert_in_range(result.build_id.len, 8, ELF_BUILD_ID_BYTES);
	symbol_result__clear(&result);
}

__attribute__((noinline, used)) static void *return_address(void)
{
	return __builtin_return_address(0);
}

static void our_own_program_is_read_right(void **state)
{
	_auto_fclose_ FILE *maps = fopen("/proc/self/maps", "re");
	uint64_t addr = (uint64_t)return_address(), start, end, map_off, off = 0;
	struct symbol_result result;
	char line[PATH_BYTES];

	assert_non_null(maps);
	while (off == 0 && fgets(line, sizeof(line), maps))
		if (sscanf(line, "%lx-%lx r-xp %lx", &start, &end, &map_off) == 3 &&
		    addr >= start && addr < end)
			off = addr - start + map_off - 1;
	result = ask("/proc/self/exe", &off, 1);
	assert_name(&result, 0, "our_own_program_is_read_right");
	symbol_result__clear(&result);
}

static void kernel_names_end_where_their_owner_ends(void **state)
{
	static const struct {
		uint64_t addr;
		const char *name;
	} rows[] = {
		{ 0xfff, "" },
		{ 0x2000, "" }, /* no code */
		{ 0xffffffff81000000, "_stext" }, /* T before t */
		{ 0xffffffff810000ff, "_stext" },
		{ 0xffffffff81000100, "do_work" },
		{ 0xffffffff81001fff, "do_work" },
		{ 0xffffffff81008fff, "tail_of_the_kernel" },
		{ 0xffffffff81009001, "" }, /* behind _etext */
		{ 0xffffffff82000001, "" },
		{ 0xffffffffc0003001, "first_of_a" },
		{ 0xffffffffc0003fff, "last_of_a" }, /* its page */
		{ 0xffffffffc0004000, "" }, /* perhaps code that nobody lists */
		{ 0xffffffffc0104fff, "first_of_b" },
		{ 0xffffffffc0105010, "last_of_b" },
		{ 0xffffffffc0106000, "" },
		{ 0xffffffffc0200010, "bpf_prog_1_x" },
		{ 0xffffffffc0201000, "" },
	};
	struct tree *tree = *state;
	uint64_t addrs[ARRAY_SIZE(rows)];
	struct symbol_result result;

	put(tree, "proc/kallsyms", KALLSYMS);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		addrs[i] = rows[i].addr;
	assert_int_equal(kallsyms__resolve(&tree->root, addrs, ARRAY_SIZE(addrs), &result), 0);
	for (uint32_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_name(&result, i, rows[i].name);
	symbol_result__clear(&result);
	for (uint32_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_int_equal(kallsyms__resolve(&tree->root, &addrs[i], 1, &result), 0);
		assert_name(&result, 0, rows[i].name);
		symbol_result__clear(&result);
	}
}

static void hidden_kernel_addresses_are_no_permission(void **state)
{
	struct tree *tree = *state;
	uint64_t addr = 0xffffffff81000000;
	struct symbol_result result;

	assert_int_equal(kallsyms__resolve(&tree->root, &addr, 1, &result), -ENOENT);
	put(tree, "proc/kallsyms", "0000000000000000 T _stext\n0000000000000000 t x\t[m]\n");
	assert_int_equal(kallsyms__resolve(&tree->root, &addr, 1, &result), -EPERM);
	put(tree, "proc/kallsyms", "garbage\n\n \nffff T\nffff T \nzz T x\nffffffff81000000 T cut");
	assert_int_equal(kallsyms__resolve(&tree->root, &addr, 1, &result), -EPERM);
}

static void a_kallsyms_of_one_endless_line_is_damaged(void **state)
{
	struct tree *tree = *state;
	_auto_free_ char *text = malloc(70001);
	uint64_t addr = 1;
	struct symbol_result result;

	assert_non_null(text);
	memset(text, 'f', 70000);
	text[70000] = '\0';
	put(tree, "proc/kallsyms", text);
	assert_int_equal(kallsyms__resolve(&tree->root, &addr, 1, &result), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(symbols_cover_their_size_and_aliases_have_one_winner),
		cmocka_unit_test(dynamic_symbols_without_size_do_not_reach_further),
		TREE_TEST(symbols_that_were_put_away_are_found),
		TREE_TEST(symbols_of_another_build_are_not_taken),
		cmocka_unit_test(bottoms_are_known_with_and_without_symbols),
		cmocka_unit_test(the_entry_of_a_library_counts_only_if_it_is_one),
		cmocka_unit_test(a_million_nested_symbols_are_damage),
		cmocka_unit_test(a_damaged_file_is_a_result_not_a_failure),
		cmocka_unit_test(the_vdso_has_a_build_id),
		cmocka_unit_test(our_own_program_is_read_right),
		TREE_TEST(kernel_names_end_where_their_owner_ends),
		TREE_TEST(hidden_kernel_addresses_are_no_permission),
		TREE_TEST(a_kallsyms_of_one_endless_line_is_damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
