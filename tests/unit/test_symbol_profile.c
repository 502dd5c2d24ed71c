/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Whole profiles named: names, build ids, where stacks are cut and how they end. The process that they are
 * of maps a file of tests/data/elf.
 */
#include <errno.h>

#include "pp/base/cleanup.h"
#include "pp/metrics.h"
#include "pp/proc.h"
#include "pp/profile.h"
#include "pp/symbol.h"
#include "symbol_tree.h"

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
	(void)unlink(path); /* of the one before */
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
	assert_int_equal(symbolize__profile(profile, table, &tree->root, NULL, NULL, &kernel_err),
			 0);
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
		assert_int_equal(symbolize__profile(profile, table, &tree->root, NULL, NULL, NULL),
				 0);
		assert_int_equal(profile->samples[0].end, rows[i].after);
		profile__free(profile);
	}
	proc_table__free(table);
}

static enum profile_unnamed why_unnamed(const struct tree *tree, const char *file,
					struct frame_spec spec)
{
	struct proc_table *table = note_process(tree, file);
	struct profile *profile = new_profile();
	struct profile_totals totals;
	enum profile_unnamed why = UNNAMED_CNT;

	add_stack(profile, &spec, 1, spec.kind == FRAME_KERNEL, STACK_END_NO_FRAME_POINTER);
	assert_int_equal(symbolize__profile(profile, table, &tree->root, NULL, NULL, NULL), 0);
	profile__totals(profile, &totals);
	assert_int_equal(totals.frames, 1);
	for (uint32_t i = 0; i < UNNAMED_CNT; i++)
		if (totals.frames_by[i])
			why = (enum profile_unnamed)i;
	profile__free(profile);
	proc_table__free(table);
	return why;
}

static void a_frame_without_a_name_says_why(void **state)
{
	struct tree *tree = *state;
	const struct frame_spec behind_main = { FRAME_NATIVE, 0xf5, LEAF };

	assert_int_equal(why_unnamed(tree, "plain",
				     (struct frame_spec){ FRAME_NATIVE, 0xe1, LEAF }),
			 UNNAMED_NOT);
	assert_int_equal(why_unnamed(tree, "plain", behind_main), UNNAMED_NO_SYMBOL);
	assert_int_equal(why_unnamed(tree, "stripped", behind_main), UNNAMED_STRIPPED);
	assert_int_equal(why_unnamed(tree, "plain", (struct frame_spec){ FRAME_ANON, 1, LEAF }),
			 UNNAMED_NO_MAP);
	assert_int_equal(why_unnamed(tree, "plain",
				     (struct frame_spec){ FRAME_KERNEL, 0xffffffff81000180, LEAF }),
			 UNNAMED_KERNEL_HIDDEN);
	put(tree, "proc/kallsyms", KALLSYMS);
	assert_int_equal(why_unnamed(tree, "plain",
				     (struct frame_spec){ FRAME_KERNEL, 0x10, LEAF }),
			 UNNAMED_KERNEL_UNKNOWN);
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

		assert_int_equal(symbolize__profile(profile, table, &tree->root, NULL, NULL, NULL),
				 0);
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

	assert_int_equal(symbolize__profile(profile, table, &tree->root, NULL, NULL, NULL), 0);
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
		assert_int_equal(symbolize__profile(profile, table, &tree->root, NULL, NULL, NULL),
				 0);
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
	assert_int_equal(symbolize__profile(profile, table, &tree->root, NULL, NULL, &kernel_err),
			 0);
	assert_int_equal(kernel_err, -ENOENT); /* the tree has no kallsyms */
	for (uint32_t i = 0; i < 3; i++)
		assert_string_equal(frame_name(profile, 0, i), "");
	assert_int_equal(profile->samples[0].end, STACK_END_NO_FRAME_POINTER);
	assert_int_equal(metric__get(METRIC_FRAMES_UNNAMED), unnamed + 2);
	assert_int_equal(metric__get(METRIC_ELF_DAMAGED), damaged + 1);
	profile__free(profile);
	proc_table__free(table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TREE_TEST(a_profile_gets_names_build_ids_and_ends),
		TREE_TEST(a_frame_without_a_name_says_why),
		TREE_TEST(only_a_known_bottom_makes_a_stack_complete),
		TREE_TEST(a_stack_is_cut_at_what_is_no_return_address),
		TREE_TEST(what_a_table_found_needs_no_call_before_it),
		TREE_TEST(a_bottom_does_not_mend_a_walk_with_holes),
		TREE_TEST(what_has_no_name_stays_unknown_and_is_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
