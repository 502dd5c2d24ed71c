/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef SYMBOL_TREE_H
#define SYMBOL_TREE_H
/*
 * A directory that plays the root of a host for the tests of symbol: kernel symbols and one process, made
 * anew for each test. Not a test.
 */
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "pp/base/sysroot.h"

#define PATH_BYTES 512

struct tree {
	char dir[64];
	struct sysroot root;
};

static inline void put(const struct tree *tree, const char *name, const char *text)
{
	char path[PATH_BYTES];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", tree->dir, name);
	file = fopen(path, "we");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static inline int set_up(void **state)
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

static inline int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static inline int tear_down(void **state)
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

#define TREE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
