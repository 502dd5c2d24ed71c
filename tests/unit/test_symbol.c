/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Names for offsets of the files in tests/data/elf (truths: plain.nm), for kernel addresses of
 * a tree made here, and for whole profiles.
 */
#include "pp/symbol.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "pp/base/cleanup.h"
#include "pp/base/sysroot.h"
#include "pp/metrics.h"
#include "pp/proc.h"
#include "pp/profile.h"

#define PATH_BYTES 512

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

struct tree {
	char dir[64];
	struct sysroot root;
};

static void put(const struct tree *tree, const char *name, const char *text)
{
	char path[PATH_BYTES];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", tree->dir, name);
	file = fopen(path, "we");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static int set_up(void **state)
{
	static const char *const dirs[] = { "proc", "proc/77", "proc/77/map_files" };
	struct tree *tree = calloc(1, sizeof(*tree));
	char path[PATH_BYTES];

	assert_non_null(tree);
	strncpy(tree->dir, "/tmp/test_symbol_XXXXXX", sizeof(tree->dir) - 1);
	assert_non_null(mkdtemp(tree->dir));
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		snprintf(path, sizeof(path), "%s/%s", tree->dir, dirs[i]);
		assert_int_equal(mkdir(path, 0755), 0);
	}
	snprintf(path, sizeof(path), "%s/proc/self", tree->dir);
	assert_int_equal(symlink("/proc/self", path), 0);
	assert_int_equal(sysroot__open_root(&tree->root, tree->dir), 0);
	*state = tree;
	return 0;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static int tear_down(void **state)
{
	struct tree *tree = *state;

	sysroot__close(&tree->root);
	assert_int_equal(nftw(tree->dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS), 0);
	free(tree);
	return 0;
}

#define KALLSYMS                                  \
	"0000000000001000 A fixed_percpu_data\n"  \
	"ffffffff81000000 T _stext\n"             \
	"ffffffff81000000 t __first_alias\n"      \
	"ffffffff81000100 T do_work\n"            \
	"ffffffff81000100 W __weak_alias\n"       \
	"ffffffff81002000 t __x\n"                \
	"ffffffff81002000 t tail_of_the_kernel\n" \
	"ffffffff81009000 T _etext\n"             \
	"ffffffff82000000 D some_data\n"          \
	"ffffffffc0105000 t last_of_b\t[b]\n"     \
	"ffffffffc0100000 t first_of_b\t[b]\n"    \
	"ffffffffc0003000 t first_of_a\t[a]\n"    \
	"ffffffffc0003800 t last_of_a\t[a]\n"     \
	"ffffffffc0200000 t bpf_prog_1_x\t[bpf]\n"

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

/* Maps a copy of tests/data/elf/NAME into process 77 and notes it. */
static struct proc_table *note_process(const struct tree *tree, const char *name)
{
	struct proc_id id = { .pid = 77, .start_boottime_ns = 50000000 };
	char path[PATH_BYTES], target[PATH_BYTES], text[PATH_BYTES];
	struct proc_table *table;
	struct stat st;

	assert_non_null(getcwd(text, sizeof(text)));
	snprintf(target, sizeof(target), "%.256s/tests/data/elf/%.64s", text, name);
	snprintf(path, sizeof(path), "%s/proc/77/map_files/400000-401000", tree->dir);
	assert_int_equal(symlink(target, path), 0);
	assert_int_equal(stat(target, &st), 0);
	snprintf(text, sizeof(text),
		 "400000-401000 r-xp 00000000 00:00 %lu /app\n"
		 "7ffd10000000-7ffd10002000 r-xp 00000000 00:00 0 [vdso]\n",
		 (unsigned long)st.st_ino);
	put(tree, "proc/77/maps", text);
	put(tree, "proc/77/stat", "77 (app) R 1 1 1 0 -1 0 1 0 0 0 30 12 0 0 20 0 1 0 5 1 1\n");
	assert_int_equal(proc_table__new(&tree->root, &table), 0);
	assert_int_equal(proc_table__note(table, &id, 77), 0);
	return table;
}

#define LEAF	0
#define RETURN	PROFILE_FRAME_RETURN
#define GUESSED (PROFILE_FRAME_RETURN | PROFILE_FRAME_GUESSED)

struct frame_spec {
	enum profile_frame_kind kind;
	uint64_t off;
	uint32_t flags; /* PROFILE_FRAME_* */
};

static void add_stack(struct profile *profile, const struct frame_spec *specs, uint32_t depth,
		      uint32_t kernel_depth, enum profile_stack_end end)
{
	uint32_t frames[8], process, stack;

	for (uint32_t i = 0; i < depth; i++)
		assert_int_equal(profile__frame(profile, specs[i].kind,
						specs[i].kind == FRAME_NATIVE ? 1 : 0, specs[i].off,
						specs[i].flags, &frames[i]),
				 0);
	assert_int_equal(profile__process(profile, 77, 0, 50000000, "app", &process), 0);
	assert_int_equal(profile__stack(profile, frames, depth, kernel_depth, &stack), 0);
	assert_int_equal(profile__add(profile, process, "app", 1, stack, end, 1), 0);
}

static struct profile *new_profile(void)
{
	struct profile *profile;
	uint32_t module;

	assert_int_equal(profile__new(&profile), 0);
	assert_int_equal(profile__module(profile, "/app", "", &module), 0);
	assert_int_equal(module, 1);
	return profile;
}

static const char *frame_name(const struct profile *profile, uint32_t stack, uint32_t i)
{
	uint32_t frame = profile->stack_frames[profile->stacks[stack].first + i];

	return intern__str(profile->strings, profile->frames[frame].name);
}

static void a_profile_gets_names_build_ids_and_ends(void **state)
{
	static const struct frame_spec specs[] = {
		{ FRAME_KERNEL, 0xffffffff81000180, LEAF },
		{ FRAME_NATIVE, 0xf1, LEAF },
		{ FRAME_NATIVE, 0xe6, RETURN },
		{ FRAME_NATIVE, 0xd7, RETURN }, /* behind the call: still _start by its last byte */
	};
	struct tree *tree = *state;
	struct proc_table *table = note_process(tree, "plain");
	struct profile *profile = new_profile();
	int kernel_err = -1;

	put(tree, "proc/kallsyms", KALLSYMS);
	add_stack(profile, specs, 4, 1, STACK_END_NO_FRAME_POINTER);
	assert_int_equal(symbolize__profile(profile, table, &tree->root, &kernel_err), 0);
	assert_int_equal(kernel_err, 0);
	assert_string_equal(frame_name(profile, 0, 0), "do_work");
	assert_string_equal(frame_name(profile, 0, 1), "helper");
	assert_string_equal(frame_name(profile, 0, 2), "main");
	assert_string_equal(frame_name(profile, 0, 3), "_start");
	assert_int_equal(profile->samples[0].end, STACK_END_COMPLETE);
	assert_string_equal(intern__str(profile->strings, profile->modules[1].build_id),
			    "0123456789abcdef");
	profile__free(profile);
	proc_table__free(table);
}

static void only_a_known_bottom_makes_a_stack_complete(void **state)
{
	static const struct {
		struct frame_spec spec;
		enum profile_stack_end end, after;
	} rows[] = {
		{ { FRAME_NATIVE, 0xe6, RETURN },
		  STACK_END_NO_FRAME_POINTER,
		  STACK_END_NO_FRAME_POINTER },
		{ { FRAME_NATIVE, 0xd0, LEAF }, STACK_END_NO_FRAME_POINTER, STACK_END_COMPLETE },
		{ { FRAME_NATIVE, 0x152, RETURN }, STACK_END_UNREADABLE, STACK_END_COMPLETE },
		/* the code behind the call, but as a leaf */
		{ { FRAME_NATIVE, 0x151, LEAF }, STACK_END_UNREADABLE, STACK_END_UNREADABLE },
		{ { FRAME_NATIVE, 0x161, LEAF }, STACK_END_BAD_RETURN, STACK_END_BAD_RETURN },
		{ { FRAME_NATIVE, 0x162, RETURN }, STACK_END_BAD_RETURN, STACK_END_COMPLETE },
		{ { FRAME_ANON, 0xd0, LEAF },
		  STACK_END_NO_FRAME_POINTER,
		  STACK_END_NO_FRAME_POINTER },
	};
	struct tree *tree = *state;
	struct proc_table *table = note_process(tree, "plain");

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct profile *profile = new_profile();

		add_stack(profile, &rows[i].spec, 1, 0, rows[i].end);
		assert_int_equal(symbolize__profile(profile, table, &tree->root, NULL), 0);
		assert_int_equal(profile->samples[0].end, rows[i].after);
		profile__free(profile);
	}
	proc_table__free(table);
}

/* A stack of four whose third frame is behind no call, found by frame pointer or by a table. */
static struct profile *doubtful_stack(uint32_t flags, enum profile_stack_end end)
{
	const struct frame_spec specs[] = {
		{ FRAME_NATIVE, 0xf1, LEAF }, /* in helper */
		{ FRAME_NATIVE, 0xe6, flags }, /* behind the call in main */
		{ FRAME_NATIVE, 0x143, flags }, /* behind a nop */
		{ FRAME_NATIVE, 0xd7, flags }, /* behind the call in _start: never reached */
	};
	struct profile *profile = new_profile();

	add_stack(profile, specs, ARRAY_SIZE(specs), 0, end);
	return profile;
}

static void a_stack_is_cut_at_what_is_no_return_address(void **state)
{
	static const struct {
		enum profile_stack_end end, after;
	} rows[] = {
		{ STACK_END_NO_FRAME_POINTER, STACK_END_BAD_RETURN },
		{ STACK_END_COMPLETE, STACK_END_BAD_RETURN },
		{ STACK_END_JIT, STACK_END_JIT_CUT },
		{ STACK_END_NOT_LOADED, STACK_END_NOT_LOADED },
	};
	struct tree *tree = *state;
	struct proc_table *table = note_process(tree, "plain");

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct profile *profile = doubtful_stack(GUESSED, rows[i].end);

		assert_int_equal(symbolize__profile(profile, table, &tree->root, NULL), 0);
		assert_int_equal(profile->stacks[0].depth, 2);
		assert_int_equal(profile->samples[0].end, rows[i].after);
		profile__free(profile);
	}
	proc_table__free(table);
}

static void what_a_table_found_needs_no_call_before_it(void **state)
{
	struct tree *tree = *state;
	struct proc_table *table = note_process(tree, "plain");
	struct profile *profile = doubtful_stack(RETURN, STACK_END_COMPLETE);

	assert_int_equal(symbolize__profile(profile, table, &tree->root, NULL), 0);
	assert_int_equal(profile->stacks[0].depth, 4);
	assert_int_equal(profile->samples[0].end, STACK_END_COMPLETE);
	profile__free(profile);
	proc_table__free(table);
}

static void a_bottom_does_not_mend_a_walk_with_holes(void **state)
{
	static const struct {
		enum profile_stack_end end, after;
	} rows[] = {
		{ STACK_END_NO_MAPPING, STACK_END_COMPLETE },
		{ STACK_END_JIT_CUT, STACK_END_JIT },
		{ STACK_END_NOT_LOADED, STACK_END_NOT_LOADED },
		{ STACK_END_STALE, STACK_END_STALE },
	};
	const struct frame_spec start = { FRAME_NATIVE, 0xd7, RETURN };
	struct tree *tree = *state;
	struct proc_table *table = note_process(tree, "plain");

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct profile *profile = new_profile();

		add_stack(profile, &start, 1, 0, rows[i].end);
		assert_int_equal(symbolize__profile(profile, table, &tree->root, NULL), 0);
		assert_int_equal(profile->samples[0].end, rows[i].after);
		profile__free(profile);
	}
	proc_table__free(table);
}

static void what_has_no_name_stays_unknown_and_is_counted(void **state)
{
	static const struct frame_spec specs[] = {
		{ FRAME_KERNEL, 0xffffffff81000180, LEAF },
		{ FRAME_NATIVE, 0xe6, RETURN },
		{ FRAME_ANON, 0x1234, RETURN },
	};
	struct tree *tree = *state;
	struct proc_table *table = note_process(tree, "recipe"); /* no ELF file */
	struct profile *profile = new_profile();
	uint64_t unnamed = metric__get(METRIC_FRAMES_UNNAMED);
	uint64_t damaged = metric__get(METRIC_ELF_DAMAGED);
	int kernel_err = 0;

	add_stack(profile, specs, 3, 1, STACK_END_NO_FRAME_POINTER);
	assert_int_equal(symbolize__profile(profile, table, &tree->root, &kernel_err), 0);
	assert_int_equal(kernel_err, -ENOENT); /* the tree has no kallsyms */
	for (uint32_t i = 0; i < 3; i++)
		assert_string_equal(frame_name(profile, 0, i), "");
	assert_int_equal(profile->samples[0].end, STACK_END_NO_FRAME_POINTER);
	assert_int_equal(metric__get(METRIC_FRAMES_UNNAMED), unnamed + 2);
	assert_int_equal(metric__get(METRIC_ELF_DAMAGED), damaged + 1);
	profile__free(profile);
	proc_table__free(table);
}

#define TREE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(symbols_cover_their_size_and_aliases_have_one_winner),
		cmocka_unit_test(dynamic_symbols_without_size_do_not_reach_further),
		cmocka_unit_test(bottoms_are_known_with_and_without_symbols),
		cmocka_unit_test(the_entry_of_a_library_counts_only_if_it_is_one),
		cmocka_unit_test(a_million_nested_symbols_are_damage),
		cmocka_unit_test(a_damaged_file_is_a_result_not_a_failure),
		cmocka_unit_test(the_vdso_has_a_build_id),
		cmocka_unit_test(our_own_program_is_read_right),
		TREE_TEST(kernel_names_end_where_their_owner_ends),
		TREE_TEST(hidden_kernel_addresses_are_no_permission),
		TREE_TEST(a_kallsyms_of_one_endless_line_is_damaged),
		TREE_TEST(a_profile_gets_names_build_ids_and_ends),
		TREE_TEST(only_a_known_bottom_makes_a_stack_complete),
		TREE_TEST(a_stack_is_cut_at_what_is_no_return_address),
		TREE_TEST(what_a_table_found_needs_no_call_before_it),
		TREE_TEST(a_bottom_does_not_mend_a_walk_with_holes),
		TREE_TEST(what_has_no_name_stays_unknown_and_is_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
