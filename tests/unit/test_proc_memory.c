/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Memory of a process, copied: this test's own. What is not in memory is not brought in, whatever lies there.
 */
#include "pp/proc_memory.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "pp/base/sysroot.h"

#define PAGE_BYTES 4096

static struct sysroot root;
static char *area; /* three pages; only the first two were ever touched */

static int set_up(void **state)
{
	area = mmap(NULL, 3 * PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		    0);
	if (area == MAP_FAILED)
		return -1;
	memset(area, 'a', PAGE_BYTES);
	memset(area + PAGE_BYTES, 'b', PAGE_BYTES);
	return sysroot__open_root(&root, "/");
}

static int tear_down(void **state)
{
	sysroot__close(&root);
	return munmap(area, 3 * PAGE_BYTES);
}

static int read_at(uint64_t addr, char *data, size_t bytes, size_t *ret_bytes)
{
	return proc__read_memory(&root, (uint32_t)gettid(), addr, data, bytes, ret_bytes);
}

static void what_is_in_memory_is_copied(void **state)
{
	char data[64] = "";
	size_t bytes = 0;

	assert_int_equal(read_at((uintptr_t)area + PAGE_BYTES - 32, data, 64, &bytes), 0);
	assert_int_equal(bytes, 64);
	assert_memory_equal(data, area + PAGE_BYTES - 32, 64);
}

static void reading_ends_where_nothing_is_in_memory(void **state)
{
	char data[2 * PAGE_BYTES];
	unsigned char is_resident = 1;
	size_t bytes = 0;

	assert_int_equal(read_at((uintptr_t)area + 2 * PAGE_BYTES - 10, data, 1000, &bytes), 0);
	assert_int_equal(bytes, 10);
	assert_int_equal(read_at((uintptr_t)area + 2 * PAGE_BYTES, data, 1000, &bytes), -EFAULT);
	assert_int_equal(mincore(area + 2 * PAGE_BYTES, 1, &is_resident), 0);
	assert_int_equal(is_resident & 1, 0); /* nor is it afterwards */
}

static void hostile_addresses_are_refused(void **state)
{
	char data[16];
	size_t bytes = 7;

	assert_int_equal(read_at(0, data, 16, &bytes), -EFAULT);
	assert_int_equal(read_at(UINT64_MAX - 3, data, 16, &bytes), -EFAULT);
	assert_true(read_at(1ull << 63, data, 16, &bytes) < 0);
	assert_true(read_at(0xffffffff81000000, data, 16, &bytes) < 0);
	assert_int_equal(read_at((uintptr_t)area, data, 0, &bytes), -EFAULT);
	assert_int_equal(proc__read_memory(&root, 0x7fffffff, (uintptr_t)area, data, 16, &bytes),
			 -ESRCH);
	assert_int_equal(bytes, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_in_memory_is_copied),
		cmocka_unit_test(reading_ends_where_nothing_is_in_memory),
		cmocka_unit_test(hostile_addresses_are_refused),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
