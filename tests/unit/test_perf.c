/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The perf room without a kernel: which CPUs are online, from the kernel's list format. Opening events is
 * tested where there is a kernel (tests/e2e).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pp/base/cleanup.h"
#include "pp/base/sysroot.h"
#include "pp/perf.h"

/* A sysroot whose CPU list is the given text. */
struct fake {
	char dir[64];
	struct sysroot root;
};

static void make_dirs(const char *dir, const char *const *names)
{
	char path[256];

	snprintf(path, sizeof(path), "%s", dir);
	for (; *names; names++) {
		strncat(path, "/", sizeof(path) - strlen(path) - 1);
		strncat(path, *names, sizeof(path) - strlen(path) - 1);
		assert_int_equal(mkdir(path, 0755), 0);
	}
}

static void fake__make(struct fake *self, const char *online)
{
	static const char *const dirs[] = { "sys", "devices", "system", "cpu", NULL };
	char path[128];
	int fd;

	snprintf(self->dir, sizeof(self->dir), "%s", "/tmp/test_perf.XXXXXX");
	assert_non_null(mkdtemp(self->dir));
	make_dirs(self->dir, dirs);
	snprintf(path, sizeof(path), "%s/sys/devices/system/cpu/online", self->dir);
	fd = open(path, O_WRONLY | O_CREAT, 0644);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, online, strlen(online)), strlen(online));
	close(fd);
	assert_int_equal(sysroot__open_root(&self->root, self->dir), 0);
}

static void fake__remove(struct fake *self)
{
	static const char *const paths[] = { "sys/devices/system/cpu/online",
					     "sys/devices/system/cpu", "sys/devices/system",
					     "sys/devices", "sys" };

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		unlinkat(self->root.fd, paths[i], i ? AT_REMOVEDIR : 0);
	sysroot__close(&self->root);
	rmdir(self->dir);
}

static int online(const char *text, int **ret_cpus, uint32_t *ret_cnt)
{
	struct fake fake;
	int err;

	fake__make(&fake, text);
	err = perf_cpus__online(&fake.root, ret_cpus, ret_cnt);
	fake__remove(&fake);
	return err;
}

static void ranges_and_single_cpus_are_all_found(void **state)
{
	static const int want[] = { 0, 1, 2, 3, 8, 10, 11 };
	_auto_free_ int *cpus = NULL;
	uint32_t cnt = 0;

	assert_int_equal(online("0-3,8,10-11\n", &cpus, &cnt), 0);
	assert_int_equal(cnt, ARRAY_SIZE(want));
	assert_memory_equal(cpus, want, sizeof(want));
}

static void one_cpu_is_a_list(void **state)
{
	_auto_free_ int *cpus = NULL;
	uint32_t cnt = 0;

	assert_int_equal(online("0\n", &cpus, &cnt), 0);
	assert_int_equal(cnt, 1);
	assert_int_equal(cpus[0], 0);
}

static void damaged_lists_are_refused(void **state)
{
	static const char *const bad[] = { "",	    "\n",   "a",    "0-",
					   "0-3x",  "-1",   "4096", "0-9999",
					   "1,,2x", "3-1,", "0 1",  "99999999999999999999" };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_auto_free_ int *cpus = NULL;
		uint32_t cnt = 77;

		assert_int_equal(online(bad[i], &cpus, &cnt), -EBADMSG);
		assert_null(cpus);
		assert_int_equal(cnt, 77);
	}
}

static void supported_events_are_names_that_the_studio_knows(void **state)
{
	static const char known[] =
		" cycles instructions cache-misses cache-references branch-misses "
		"branch-instructions stalled-cycles-frontend stalled-cycles-backend ";
	const char *names[PERF_SUPPORTED_MAX];
	char word[64];
	size_t i;

	memset(names, 0x55, sizeof(names));
	perf_events__supported(names);
	for (i = 0; names[i]; i++) {
		assert_true(i + 1 < PERF_SUPPORTED_MAX);
		snprintf(word, sizeof(word), " %s ", names[i]);
		assert_non_null(strstr(known, word));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranges_and_single_cpus_are_all_found),
		cmocka_unit_test(one_cpu_is_a_list),
		cmocka_unit_test(supported_events_are_names_that_the_studio_knows),
		cmocka_unit_test(damaged_lists_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
