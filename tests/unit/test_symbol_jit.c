/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Names of code made at run time: perf maps and jitdump files, whose they are and what stands in them.
 */
#include "pp/symbol.h"

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

#define MAP "tmp/perf-7.map"

static const uint64_t addrs[] = { 0x1000, 0x100f, 0x1010, 0x2000, 0x3004 };

static struct symbol_jit jit_of_us(void)
{
	return (struct symbol_jit){ .ns_pid = 7, .uid = getuid() };
}

static int ask(const struct tree *tree, const struct symbol_jit *jit, int dump_fd,
	       struct symbol_result *ret_result)
{
	const struct symbol_request request = {
		.fd = dump_fd,
		.jit = jit,
		.offs = addrs,
		.off_cnt = ARRAY_SIZE(addrs),
		.host = &tree->root,
		.root_fd = tree->root.fd,
	};

	assert_int_equal(symbol_job__run(&request, ret_result), 0);
	return ret_result->err;
}

static void assert_names(struct symbol_result *result, const char *const names[])
{
	for (size_t i = 0; i < ARRAY_SIZE(addrs); i++)
		assert_string_equal(result->text + result->names[i], names[i]);
	symbol_result__clear(result);
}

static void set_up_map(const struct tree *tree, const char *text)
{
	char path[PATH_BYTES];

	snprintf(path, sizeof(path), "%s/tmp", tree->dir);
	(void)mkdir(path, 0755);
	put(tree, MAP, text);
}

static void a_name_covers_its_range_and_the_last_one_counts(void **state)
{
	static const char *const names[] = { "LazyCompile:*f a.js:1", "LazyCompile:*f a.js:1",
					     "fib (/x/fib.py)_[p]", "", "new" };
	struct symbol_jit jit = jit_of_us();
	struct symbol_result result;

	set_up_map(*state, "1000 10 JS:*f a.js:1\n1010 1 py::fib:/x/fib.py\nnonsense\n\n2000 x y\n"
			   "3000 10 old\n3004 1 new\n2000 10 cut");
	assert_int_equal(ask(*state, &jit, -1, &result), 0);
	assert_names(&result, names);
}

static void methods_of_java_are_marked(void **state)
{
	static const char *const names[] = { "int A.b(int)_[j]", "int A.b(int)_[j]", "", "", "" };
	struct symbol_jit jit = jit_of_us();
	struct symbol_result result;

	jit.is_java = true;
	set_up_map(*state, "0x1000 0x10 int A.b(int)\n");
	assert_int_equal(ask(*state, &jit, -1, &result), 0);
	assert_names(&result, names);
}

static void a_map_of_somebody_else_or_of_before_is_not_believed(void **state)
{
	static const char *const none[] = { "", "", "", "", "" };
	struct symbol_jit jit = jit_of_us();
	struct symbol_result result;

	assert_int_equal(ask(*state, &jit, -1, &result), -ENOENT);
	assert_names(&result, none);
	set_up_map(*state, "1000 10 f\n");
	jit.uid++;
	assert_int_equal(ask(*state, &jit, -1, &result), -EPERM);
	assert_names(&result, none);
	jit.uid--;
	jit.start_real_ns = 10000000000ull * 1000000000ull;
	assert_int_equal(ask(*state, &jit, -1, &result), -ESTALE);
	assert_names(&result, none);
}

static void an_endless_line_is_damage(void **state)
{
	struct symbol_jit jit = jit_of_us();
	_auto_free_ char *text = malloc(70001);
	struct symbol_result result;

	assert_non_null(text);
	memset(text, '1', 70000);
	text[70000] = '\0';
	set_up_map(*state, text);
	assert_int_equal(ask(*state, &jit, -1, &result), -EBADMSG);
	symbol_result__clear(&result);
}

static void nothing_but_a_regular_file_below_the_root_is_read(void **state)
{
	const struct tree *tree = *state;
	struct symbol_jit jit = jit_of_us();
	struct symbol_result result;
	char path[PATH_BYTES];

	set_up_map(tree, "");
	snprintf(path, sizeof(path), "%s/" MAP, tree->dir);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0); /* opened by a reader it would wait */
	assert_int_equal(ask(tree, &jit, -1, &result), -EBADMSG);
	symbol_result__clear(&result);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("/etc/passwd", path), 0); /* which this root has not */
	assert_int_equal(ask(tree, &jit, -1, &result), -ENOENT);
	symbol_result__clear(&result);
	assert_int_equal(unlink(path), 0);
	put(tree, MAP, "1000 10 f\n");
	assert_int_equal(truncate(path, 1ll << 40), 0); /* sparse, of a terabyte */
	assert_int_equal(ask(tree, &jit, -1, &result), -EBADMSG);
	symbol_result__clear(&result);
}

static void append(int fd, const void *data, size_t len)
{
	assert_int_equal(write(fd, data, len), len);
}

static void add_record(int fd, uint32_t id, const uint64_t words[], uint32_t word_cnt,
		       const char *name)
{
	const uint32_t name_bytes = name ? (uint32_t)strlen(name) + 1 : 0;
	const uint32_t prefix[] = { id, 16 + 8 * word_cnt + name_bytes, 1, 0 };

	append(fd, prefix, sizeof(prefix));
	append(fd, words, 8 * word_cnt);
	if (name)
		append(fd, name, name_bytes);
}

static void a_jitdump_says_what_was_made_and_what_moved(void **state)
{
	static const char *const names[] = { "f", "f", "", "", "g" };
	static const uint32_t header[] = { 0x4a695444, 1, 40, 62, 0, 7, 0, 0, 0, 0 };
	/* pid and tid, vma, address, size, index */
	static const uint64_t f[] = { 7, 0, 0x1000, 0x10, 1 }, g[] = { 7, 0, 0x3000, 8, 2 },
			      h[] = { 7, 0, 0x2000, 8, 3 },
			      /* pid and tid, vma, old, new, size, index */
		moved[] = { 7, 0, 0x9000, 0x2000, 8, 3 };
	_auto_close_ int fd = memfd_create("jitdump", MFD_CLOEXEC);
	struct symbol_jit jit = jit_of_us();
	struct symbol_result result;

	append(fd, header, sizeof(header));
	add_record(fd, 0, f, ARRAY_SIZE(f), "f");
	add_record(fd, 0, g, ARRAY_SIZE(g), "g");
	add_record(fd, 0, h, ARRAY_SIZE(h), "h");
	add_record(fd, 1, moved, ARRAY_SIZE(moved), NULL);
	add_record(fd, 9, f, ARRAY_SIZE(f), NULL);
	append(fd, "\0\0\0\0\xff", 5); /* being written */
	assert_int_equal(ask(*state, &jit, fd, &result), 0);
	assert_names(&result, names);
}

static void what_is_no_jitdump_gives_no_names(void **state)
{
	static const char *const none[] = { "", "", "", "", "" };
	_auto_close_ int fd = memfd_create("jitdump", MFD_CLOEXEC);
	struct symbol_jit jit = jit_of_us();
	struct symbol_result result;

	append(fd, "1000 10 f\n", 10);
	assert_int_equal(ask(*state, &jit, fd, &result), -ENOENT);
	assert_names(&result, none);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TREE_TEST(a_name_covers_its_range_and_the_last_one_counts),
		TREE_TEST(methods_of_java_are_marked),
		TREE_TEST(a_map_of_somebody_else_or_of_before_is_not_believed),
		TREE_TEST(an_endless_line_is_damage),
		TREE_TEST(nothing_but_a_regular_file_below_the_root_is_read),
		TREE_TEST(a_jitdump_says_what_was_made_and_what_moved),
		TREE_TEST(what_is_no_jitdump_gives_no_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
