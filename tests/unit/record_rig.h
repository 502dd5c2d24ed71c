/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef RECORD_RIG_H
#define RECORD_RIG_H
/*
 * A window, and process 42 whose mappings a test changes: a directory made anew for each test. Not a test.
 */
#include <errno.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../user/record/internal.h"
#include "pp/base/cleanup.h"
#include "pp/base/sysroot.h"

#define PATH_BYTES   256
#define EPOCH	     5u

#define APP_LINE     "00400000-00401000 r-xp 00000000 08:01 77 /usr/bin/app\n"
#define LIB_A_LINE   "7f0000000000-7f0000001000 r-xp 00000000 08:01 78 /usr/lib/a.so\n"
#define LIB_B_LINE   "7f0000000000-7f0000001000 r-xp 00000000 08:01 79 /usr/lib/b.so\n"
#define LIB_A_2_LINE "7f0000000000-7f0000001000 r-xp 00002000 08:01 78 /usr/lib/a.so\n"
#define JIT_LINE     "7f1000000000-7f1000001000 rwxp 00000000 00:00 0 \n"

#define EPOCH	     5u

static const struct proc_id process = { .pid = 42, .start_boottime_ns = 1000 * PP_NSEC_PER_TICK };

struct rig {
	char dir[64];
	struct sysroot root;
	struct window window;
};

static inline void put(const struct rig *rig, const char *name, const char *text)
{
	char path[PATH_BYTES];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", rig->dir, name);
	file = fopen(path, "we");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static inline void put_dir(const struct rig *rig, const char *name)
{
	char path[PATH_BYTES];

	snprintf(path, sizeof(path), "%s/%s", rig->dir, name);
	assert_int_equal(mkdir(path, 0755), 0);
}

static inline int rig__open(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	assert_non_null(rig);
	strncpy(rig->dir, "/tmp/test_record_XXXXXX", sizeof(rig->dir) - 1);
	assert_non_null(mkdtemp(rig->dir));
	put_dir(rig, "proc");
	put_dir(rig, "proc/42");
	put(rig, "proc/42/stat",
	    "42 (app) R 1 42 42 0 -1 4194560 1 0 0 0 30 12 0 0 20 0 1 0 1000 1 1\n");
	put(rig, "proc/42/maps", APP_LINE LIB_A_LINE JIT_LINE);
	assert_int_equal(sysroot__open_root(&rig->root, rig->dir), 0);
	assert_int_equal(window__begin(&rig->window, &rig->root, NULL), 0);
	assert_int_equal(proc_table__note(rig->window.table, &process, 42), 0);
	proc_table__set_epoch(rig->window.table, &process, EPOCH);
	*state = rig;
	return 0;
}

static inline int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static inline int rig__close(void **state)
{
	struct rig *rig = *state;

	window__clear(&rig->window);
	sysroot__close(&rig->root);
	assert_int_equal(nftw(rig->dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS), 0);
	free(rig);
	return 0;
}

#define RIG_TEST(fn) cmocka_unit_test_setup_teardown(fn, rig__open, rig__close)

#endif
