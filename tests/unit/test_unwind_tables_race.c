/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Programs run while the tables change, and each of them may be slow: between any two of its reads, ranges are
 * replaced, pages evicted, slices and rules given to others. Whatever a program holds, it must find the rule
 * of the file that its process had mapped, or none. A drain waits for programs as collect does: flip, wait for
 * those that began before, and only some time later the tables are told.
 */
/* UNIT_LDFLAGS: -Wl,--wrap=unwind_file__open,--wrap=unwind_file__from_memory,--wrap=unwind_file__close,--wrap=unwind_file__page,--wrap=proc_table__module,--wrap=proc__read_memory,--wrap=work__submit,--wrap=clock_mono_ns,--wrap=loop_timer__new,--wrap=loop_timer__start,--wrap=loop_timer__stop,--wrap=loop_timer__is_active,--wrap=loop_timer__free */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "pp/base/cleanup.h"
#include "tables_rig.h"

#define PROCESSES   6
#define FILES	    40
#define PROGRAMS    5
#define PAGES	    8 /* of a file, at most */
#define MAPPED_MAX  6
#define CACHE_LINES 64 /* few, so that old lines are often met */
#define STEPS	    120000

struct maps {
	uint32_t cnt;
	struct mapping at[MAPPED_MAX];
	struct content contents[MAPPED_MAX];
};
/* A row of the kernel's process table. maps: what was true when the ranges were made. */
struct kernel_row {
	struct proc_id id;
	bool is_there;
	struct pp_proc_info info;
	struct maps maps;
};
struct program {
	uint32_t stage; /* 0: does not run */
	uint64_t began;
	uint32_t generation;
	uint32_t process;
	struct proc_id id;
	struct pp_proc_info info;
	uint64_t addr;
	uint64_t expected;
	uint32_t dir_index;
	uint32_t off;
	uint32_t window;
	uint32_t row;
};

static struct {
	uint64_t random;
	uint64_t now;
	uint64_t flipped_at; /* 0: no drain goes on */
	uint64_t seconds;
	uint32_t content_cnt;
	uint32_t rule_cnt; /* in each page */
	struct content contents[FILES + 1]; /* of the modules */
	struct kernel_row rows[PROCESSES];
	struct program programs[PROGRAMS];
	struct pp_cached_rule cache[CACHE_LINES];
	uint64_t rules_found, cache_hits, absent;
} world;

static uint32_t random_below(uint32_t n)
{
	world.random = world.random * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)((world.random >> 33) % n);
}

/* Another file in the place of a module; some are copies of others, some only claim to be. */
static void replace_file(uint32_t module)
{
	static const char *const ids[] = { NULL, "aaaaaaa", "bbbbbbb" };
	struct made_file file = { .pages = 1 + random_below(PAGES) };
	uint32_t other = 1 + random_below(FILES);

	file.content = (struct content){ .id = ++world.content_cnt & 0x3fffff,
					 .row_cnt = random_below(2) ? 8000 : 130,
					 .rule_cnt = world.rule_cnt };
	file.build_id = ids[random_below(3)];
	if (file.build_id && random_below(2) && world.contents[other].id) {
		file.pages = (uint32_t)(lseek(rig.modules[other].fd, 0, SEEK_END) / PP_PAGE_BYTES);
		file.content = world.contents[other];
	}
	if (rig.modules[module].fd >= 0)
		close(rig.modules[module].fd);
	rig.modules[module] = (struct proc_module){ .fd = made_file__open(&file), .path = "/made" };
	world.contents[module] = file.content;
}

static void choose_maps(struct maps *maps)
{
	uint64_t addr = BASE + random_below(4) * PP_PAGE_BYTES;

	maps->cnt = random_below(MAPPED_MAX + 1);
	for (uint32_t i = 0; i < maps->cnt; i++) {
		uint32_t module = 1 + random_below(FILES);
		uint64_t bytes = (uint64_t)lseek(rig.modules[module].fd, 0, SEEK_END);

		maps->at[i] = file_at(addr, module, 0, bytes);
		maps->contents[i] = world.contents[module];
		addr += bytes + random_below(2) * PP_PAGE_BYTES;
	}
}

static void step_program(struct program *program);

static void run_some(void)
{
	for (uint32_t i = random_below(4); i > 0; i--)
		step_program(&world.programs[random_below(PROGRAMS)]);
}

static void set_maps(struct kernel_row *row)
{
	struct pp_proc_info info = { 0 };
	struct maps maps = row->maps;
	bool is_as_before = random_below(4) == 0;

	for (uint32_t i = 0; i < maps.cnt; i++) /* its files were not replaced */
		is_as_before &= maps.contents[i].id == world.contents[maps.at[i].module].id;
	if (!is_as_before)
		choose_maps(&maps);
	if (unwind_tables__set_process(rig.self, &row->id, maps.at, maps.cnt, NULL, &info))
		info.epoch = 0;
	if (row->is_there && info.epoch == row->info.epoch && info.epoch)
		assert_memory_equal(&info, &row->info, sizeof(info));
	run_some();
	row->maps = maps;
	row->info = info;
	row->is_there = info.epoch > 0;
}

static void drop_process(struct kernel_row *row)
{
	row->is_there = false;
	run_some();
	unwind_tables__drop_process(rig.self, &row->id);
	row->id.exec_id++;
}

/* What a program must find at an address of one of the mappings. */
static bool choose_addr(struct program *program, const struct maps *maps)
{
	const struct content *content;
	const struct mapping *mapping;
	uint32_t i, page, row;

	if (maps->cnt == 0)
		return false;
	i = random_below(maps->cnt);
	mapping = &maps->at[i];
	content = &maps->contents[i];
	page = random_below((uint32_t)((mapping->end_addr - mapping->start_addr) >> PP_PAGE_SHIFT));
	program->off = random_below(4) * 0x3456;
	program->addr = mapping->start_addr + page * PP_PAGE_BYTES + program->off;
	row = min_of(program->off / (PP_PAGE_BYTES / content->row_cnt), content->row_cnt - 1);
	program->expected = made_rule(content->id, page, row % content->rule_cnt);
	return true;
}

static void find_range(struct program *program)
{
	for (uint32_t i = 0; i < program->info.range_cnt; i++) {
		const struct pp_range *range = &rig.ranges[program->info.range_first + i];

		if (program->addr < range->start_addr || program->addr >= range->end_addr)
			continue;
		assert_int_equal(range->kind, PP_RANGE_TABLE);
		program->dir_index = (range->dir_first +
				      (uint32_t)((program->addr - range->bias) >> PP_PAGE_SHIFT)) &
				     (PP_DIR_MAX - 1);
		return;
	}
	fail_msg("an address of the process in none of its ranges");
}

static struct pp_cached_rule *cache_line(const struct program *program, uint64_t *ret_key)
{
	*ret_key = (uint64_t)program->generation << 32 | program->dir_index << PP_PAGE_SHIFT |
		   program->off;
	return &world.cache[hash_u64(*ret_key, 0) % CACHE_LINES];
}

static void read_window_of(struct program *program)
{
	program->window = rig.dir[program->dir_index].window;
	if (program->window & PP_WINDOW_AT) {
		rig.dir[program->dir_index].used = program->generation;
		return;
	}
	program->stage = 0;
	world.absent++;
	if (program->window != PP_WINDOW_ABSENT ||
	    rig.dir[program->dir_index].asked == program->generation)
		return;
	rig.dir[program->dir_index].asked = program->generation;
	unwind_tables__want_page(rig.self, program->dir_index, &program->id, 1, 0x1000);
}

static void read_rule(struct program *program)
{
	uint64_t rule = rig.rules[program->row & 0xffff], key;
	struct pp_cached_rule *line = cache_line(program, &key);

	assert_int_equal(rule, program->expected);
	*line = (struct pp_cached_rule){ key ^ rule, rule };
	world.rules_found++;
	program->stage = 0;
}

static void look_into_cache(struct program *program)
{
	uint64_t key;
	const struct pp_cached_rule *line = cache_line(program, &key);

	if ((line->key_xor_rule ^ line->rule) != key)
		return;
	assert_int_equal(line->rule, program->expected);
	world.cache_hits++;
	program->stage = 0;
}

static void look_at_process(struct program *program)
{
	const struct kernel_row *row = &world.rows[program->process];

	program->id = row->id;
	program->info = row->info;
	if (!row->is_there || !choose_addr(program, &row->maps))
		program->stage = 0;
}

/* One read of memory that may change hands. */
static void step_program(struct program *program)
{
	const uint32_t *words;

	switch (program->stage++) {
	case 0:
		program->began = ++world.now;
		program->process = random_below(PROCESSES);
		program->generation = rig.tables.generation;
		break;
	case 1: look_at_process(program); break;
	case 2: find_range(program); break;
	case 3: look_into_cache(program); break;
	case 4: read_window_of(program); break;
	case 5:
		words = rig.parts[program->window >> 13 & (PP_PARTS_MAX - 1)] +
			(program->window & (PP_PART_UNITS - 1)) * PP_UNIT_WORDS;
		program->row = ((const uint16_t *)words)[program->off >> 10];
		while (program->row < ((const uint16_t *)words)[(program->off >> 10) + 1] &&
		       words[PP_INDEX_WORDS + program->row + 1] >> 16 <= program->off)
			program->row++;
		program->row = words[PP_INDEX_WORDS + program->row];
		break;
	default: read_rule(program); break;
	}
}

static void end_programs(uint64_t began_before)
{
	for (uint32_t i = 0; i < PROGRAMS; i++)
		while (world.programs[i].stage && world.programs[i].began < began_before)
			step_program(&world.programs[i]);
}

/* The two halves of a drain. */
static void drain(void)
{
	if (!world.flipped_at) {
		world.flipped_at = ++world.now;
		return;
	}
	end_programs(world.flipped_at);
	world.flipped_at = 0;
	unwind_tables__settled(rig.self);
}

static void step_world(void)
{
	uint32_t dice = random_below(1000);
	struct kernel_row *row = &world.rows[random_below(PROCESSES)];

	if (dice < 800) {
		step_program(&world.programs[random_below(PROGRAMS)]);
	} else if (dice < 860) {
		(void)wire_work_off();
	} else if (dice < 900) {
		drain();
	} else if (dice < 940) {
		set_maps(row);
	} else if (dice < 950) {
		drop_process(row);
	} else if (dice < 970) {
		replace_file(1 + random_below(FILES));
	} else if (dice < 999) {
		unwind_tables__tick(rig.self, ++world.seconds * 1000000000ull);
	} else if (random_below(20) == 0) {
		for (uint32_t i = 0; i < PROCESSES; i++) /* only when nothing is attached */
			world.rows[i].is_there = false;
		end_programs(UINT64_MAX);
		unwind_tables__drop_all(rig.self);
		assert_int_equal(rig.part_cnt, 0);
	}
}

static void a_slow_program_never_finds_anothers_rule(void **state)
{
	struct unwind_stats stats;
	uint64_t evicted = 0, refused = 0;

	for (uint32_t seed = 1; seed <= 4; seed++) {
		memset(&world, 0, sizeof(world));
		world.random = seed;
		world.rule_cnt = seed % 2 ? 4 : 128; /* memory is full, or rules are */
		rig_open(2 * MIB);
		rig.module_cnt = FILES + 1;
		for (uint32_t i = 1; i <= FILES; i++)
			rig.modules[i].fd = -1;
		for (uint32_t i = 1; i <= FILES; i++)
			replace_file(i);
		for (uint32_t i = 0; i < PROCESSES; i++)
			world.rows[i].id = process_id(i);
		for (uint32_t i = 0; i < STEPS; i++) {
			step_world();
			assert_in_range(rig.part_cnt, 0, 1);
		}
		stats = stats_now();
		/* it was no idle world */
		assert_true(world.rules_found > STEPS / 50);
		assert_true(world.cache_hits > 10);
		assert_true(stats.pages_converted > 500);
		evicted += stats.pages_evicted;
		refused += stats.rules_refused;
		end_programs(UINT64_MAX);
		rig_close();
	}
	assert_true(evicted > 1000 && refused > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_slow_program_never_finds_anothers_rule),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
