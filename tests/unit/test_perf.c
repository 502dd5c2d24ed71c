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

	snprintf(self->dir, sizeof(self->dir), "/tmp/test_perf.		assert_int_equal(online(bad[i], &cpus, &cnt), -EBADMSG);
		assert_null(cpus);
		assert_int_equal(cnt, 77);
}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranges_and_single_cpus_are_all_found),
		cmocka_unit_test(one_cpu_is_a_list),
		cmocka_unit_test(damaged_lists_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
