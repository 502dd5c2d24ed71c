/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Whether a process is in a cgroup, by the text of /proc/PID/cgroup. Finding cgroups needs real ones: cgroups.t.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pp/base/cleanup.h"
#include "pp/proc_cgroup.h"

static void a_process_is_in_the_cgroups_of_its_text(void **state)
{
	static const char text[] =
		"12:cpu,cpuacct:/docker/a1\n1:name=systemd:/a:b/c\nrubbish\n7:x\n"
		"0::/user.slice/a";
	static const struct {
		const char *path;
		bool has;
	} rows[] = {
		{ "/docker/a1", true },	 { "/docker", true },	   { "/", true },
		{ "/docker/a", false },	 { "/docker/a12", false }, { "/a:b", true },
		{ "/a:b/c", true },	 { "/a:b/c/d", false },	   { "/user.slice/a", true },
		{ "/user.slice", true }, { "/user", false },	   { "rubbish", false },
		{ "/x", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (cgroup_text__has(text, sizeof(text) - 1, rows[i].path) != rows[i].has)
			fail_msg("'%s' is %sfound", rows[i].path, rows[i].has ? "not " : "");
	assert_false(cgroup_text__has("", 0, "/"));
	assert_false(cgroup_text__has("0:", 2, "/"));
	assert_false(cgroup_text__has("0::", 3, "/"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_process_is_in_the_cgroups_of_its_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
