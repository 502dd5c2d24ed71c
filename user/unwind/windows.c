/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The rows that are loaded: windows of whole units inside parts of 2 MiB, never more parts than the budget
 * allows. A page that finds no room waits until what was evicted for it may be used. Least recently used
 * goes first: programs stamp a page with the generation in which they last read it, and the generation
 * advances every 10 s. Evicting costs tokens, so that a working set beyond the budget does not make us
 * convert the same pages over and over: what cannot be loaded is counted and walked by frame pointer.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pp/base/cleanup.h"
#include "pp/base/err.h"
#include "pp/metrics.h"
#include "tables.h"

#define NS_PER_SEC	1000000000ull
#define PAGE_RULES_MAX	2048 /* in one page; measured: at most some hundreds */
#define OWNER_RULES_MAX 4096 /* that one executable may bring: 742 in librustc_driver */
#define AGES		64
#define AGE_UNMAPPED	(AGES - 1) /* no process maps it any more */
#define AHEAD_AGE	6 /* generations of 10 s: old enough to go before room is needed */
#define TURNOVER_S	60 /* tokens for the whole budget come in this time */

static uint32_t budget_units(const struct windows *self)
{
	return self->part_max * PP_PART_UNITS;
}

void windows__init(struct unwind_tables *tables)
{
	struct windows *self = &tables->windows;

	*self = (struct windows){ 0 };
	self->part_max = (uint32_t)min_of(tables->bytes_max / (PP_PART_WORDS * 4), PP_PARTS_MAX);
	self->tokens = budget_units(self) / 2;
}

void windows__clear(struct unwind_tables *tables)
{
	struct windows *self = &tables->windows;

	for (uint32_t i = 0; i < self->waiting_cnt; i++)
		free(self->waiting[i].page);
	for (uint32_t i = 0; i < self->part_cnt; i++) {
		extents__clear(&self->parts[i].units);
		tables->memory.drop_part(tables->memory.arg, i);
	}
	windows__init(tables);
}

static int take_units(struct unwind_tables *tables, uint32_t units, uint32_t *ret_window)
{
	struct windows *self = &tables->windows;
	uint32_t unit;
	int err;

	for (uint32_t i = 0; i < self->part_cnt; i++) {
		if (extents__take(&self->parts[i].units, units, &unit))
			continue;
		*ret_window = PP_WINDOW_AT | i << 13 | unit;
		return 0;
	}
	if (self->part_cnt == self->part_max || self->cannot_grow)
		return -ENOSPC;
	err = extents__init(&self->parts[self->part_cnt].units, 0, PP_PART_UNITS);
	if (!err)
		err = tables->memory.make_part(tables->memory.arg, self->part_cnt,
					       &self->parts[self->part_cnt].words);
	if (err) {
		extents__clear(&self->parts[self->part_cnt].units);
		self->cannot_grow = true;
		return -ENOSPC;
	}
	self->part_cnt++;
	return take_units(tables, units, ret_window);
}

static struct part *part_of(struct windows *self, uint32_t window)
{
	return &self->parts[window >> 13 & (PP_PARTS_MAX - 1)];
}

static uint32_t *words_of(struct windows *self, uint32_t window)
{
	return &part_of(self, window)->words[(window & (PP_PART_UNITS - 1)) * PP_UNIT_WORDS];
}

static void give_units(struct windows *self, uint32_t window, uint32_t units)
{
	extents__give(&part_of(self, window)->units, window & (PP_PART_UNITS - 1), units);
}

static void show(struct unwind_tables *tables, uint32_t dir_index, uint32_t window)
{
	__atomic_store_n(&tables->memory.dir[dir_index].window, window, __ATOMIC_RELEASE);
}

static void set_no_rows(struct unwind_tables *tables, uint32_t dir_index)
{
	tables->pages[dir_index].state = PAGE_NO_ROWS;
	show(tables, dir_index, PP_WINDOW_NO_ROWS);
}

/* 0, -ENOSPC (all rules, for now), -E2BIG (this page or executable has too many), -ENOMEM. */
static int intern_rules(struct unwind_tables *tables, struct executable *owner,
			const struct unwind_page *page, uint16_t ids[PAGE_RULES_MAX])
{
	bool is_new;
	int err = 0;

	if (page->rule_cnt > PAGE_RULES_MAX)
		return -E2BIG;
	for (uint32_t i = 0; i < page->rule_cnt && !err; i++) {
		err = rules__intern(&tables->rules, page->rules[i], &ids[i], &is_new);
		if (!err && is_new && ++owner->rule_cnt > OWNER_RULES_MAX)
			err = -E2BIG;
	}
	return err;
}

/* 0: the page is loaded, or never will be. -ENOSPC: no room for its rows. */
static int publish(struct unwind_tables *tables, uint32_t dir_index, const struct unwind_page *page)
{
	struct executable *owner = executables__owner(&tables->executables, dir_index);
	struct page *state = &tables->pages[dir_index];
	uint32_t units = rows_to_units(page->row_cnt), window;
	uint16_t ids[PAGE_RULES_MAX];
	int err;

	pp_assert(owner && page->row_cnt <= PP_PAGE_ROWS_MAX);
	err = take_units(tables, units, &window);
	if (err)
		return err;
	err = intern_rules(tables, owner, page, ids);
	if (err) {
		give_units(&tables->windows, window, units);
		tables->stats.rules_refused++;
		metric__add(METRIC_UNWIND_RULES_REFUSED, 1);
		state->state = PAGE_ABSENT; /* asked for again in the next generation */
		if (err == -E2BIG)
			set_no_rows(tables, dir_index);
		return 0;
	}
	unwind_page__write(page, ids, words_of(&tables->windows, window));
	*state = (struct page){ window, (uint16_t)page->row_cnt, PAGE_LOADED };
	tables->memory.dir[dir_index].used = tables->memory.tables->generation;
	show(tables, dir_index, page->callers_by_fp ? window | PP_WINDOW_BY_FP : window);
	tables->stats.pages_loaded++;
	tables->stats.rows += page->row_cnt;
	tables->stats.bytes += (uint64_t)units * PP_UNIT_WORDS * 4;
	return 0;
}

static void unload_window(struct unwind_tables *tables, uint32_t dir_index)
{
	struct page *page = &tables->pages[dir_index];
	uint32_t units = rows_to_units(page->row_cnt);

	show(tables, dir_index, PP_WINDOW_ABSENT);
	give_units(&tables->windows, page->window, units);
	tables->stats.pages_loaded--;
	tables->stats.rows -= page->row_cnt;
	tables->stats.bytes -= (uint64_t)units * PP_UNIT_WORDS * 4;
	*page = (struct page){ 0 };
}

static void forget_waiting(struct windows *self, uint32_t i)
{
	self->waiting_units -= rows_to_units(self->waiting[i].page->row_cnt);
	free(self->waiting[i].page);
	self->waiting[i] = self->waiting[--self->waiting_cnt];
}

void windows__unload(struct unwind_tables *tables, uint32_t dir_index)
{
	struct windows *self = &tables->windows;
	struct page *page = &tables->pages[dir_index];

	if (page->state == PAGE_LOADED)
		unload_window(tables, dir_index);
	for (uint32_t i = self->waiting_cnt; page->state == PAGE_WAITING && i-- > 0;)
		if (self->waiting[i].dir_index == dir_index)
			forget_waiting(self, i);
	*page = (struct page){ 0 };
	show(tables, dir_index, PP_WINDOW_ABSENT);
}

/* In generations since a program last read it. */
static uint32_t age_of(const struct unwind_tables *tables, uint32_t dir_index)
{
	const struct executable *owner = executables__owner(&tables->executables, dir_index);
	uint32_t age = tables->memory.tables->generation - tables->memory.dir[dir_index].used;

	/* stamped by a program that began before the generation was advanced: age wraps below 0 */
	if (age > UINT32_MAX / 2)
		age = 0;
	return owner->ref_cnt == 0 ? AGE_UNMAPPED : (uint32_t)min_of(age, AGE_UNMAPPED - 1u);
}

static void evict_page(struct unwind_tables *tables, uint32_t dir_index)
{
	unload_window(tables, dir_index);
	tables->stats.pages_evicted++;
	metric__add(METRIC_UNWIND_PAGES_EVICTED, 1);
}

/* Evicts the oldest pages until so many units rest in quarantine, but none younger than min_age. */
static void evict(struct unwind_tables *tables, uint64_t units, uint32_t min_age)
{
	uint64_t by_age[AGES] = { 0 }, evicted = 0;
	uint32_t age = AGES;

	for (uint32_t i = 1; i < PP_DIR_MAX; i++)
		if (tables->pages[i].state == PAGE_LOADED)
			by_age[age_of(tables, i)] += rows_to_units(tables->pages[i].row_cnt);
	for (uint64_t sum = 0; age > min_age && sum < units;)
		sum += by_age[--age];
	for (uint32_t step = AGES; step-- > age;) /* the oldest first */
		for (uint32_t i = 1; i < PP_DIR_MAX && by_age[step] && evicted < units; i++) {
			if (tables->pages[i].state != PAGE_LOADED || age_of(tables, i) != step)
				continue;
			evicted += rows_to_units(tables->pages[i].row_cnt);
			evict_page(tables, i);
		}
	tables->windows.tokens -= min_of(tables->windows.tokens, evicted);
	if (evicted)
		tables__advance_generation(tables);
}

static uint32_t resting_units(const struct windows *self)
{
	uint32_t sum = 0;

	for (uint32_t i = 0; i < self->part_cnt; i++)
		sum += extents__resting_cnt(&self->parts[i].units);
	return sum;
}

static void refuse(struct unwind_tables *tables, uint32_t dir_index)
{
	tables->pages[dir_index].state = PAGE_ABSENT;
	tables->stats.pages_refused++;
	metric__add(METRIC_UNWIND_PAGES_REFUSED, 1);
}

/* Begins to make room for what waits. False: it may not be made now. */
static bool make_room(struct unwind_tables *tables, uint32_t units)
{
	struct windows *self = &tables->windows;
	uint64_t wanted = (uint64_t)self->waiting_units + units;
	uint32_t resting = resting_units(self);

	if (resting >= wanted)
		return true;
	if (self->tokens < wanted - resting)
		return false;
	/* a batch: each costs a walk over the directory, and the rule cache */
	evict(tables, min_of(max_of(wanted - resting, budget_units(self) / 32u), self->tokens), 0);
	return resting_units(self) >= wanted;
}

void windows__load(struct unwind_tables *tables, uint32_t dir_index, struct unwind_page *page)
{
	struct windows *self = &tables->windows;
	_auto_free_ struct unwind_page *given = page;
	uint32_t units;

	if (!page) {
		set_no_rows(tables, dir_index);
		return;
	}
	if (!publish(tables, dir_index, page))
		return;
	units = rows_to_units(page->row_cnt);
	if (self->waiting_cnt == WAITING_MAX || self->waiting_units + units > WAITING_UNITS_MAX ||
	    !make_room(tables, units)) {
		refuse(tables, dir_index);
		return;
	}
	tables->pages[dir_index].state = PAGE_WAITING;
	self->waiting[self->waiting_cnt++] = (struct waiting_page){ dir_index, take_ptr(given) };
	self->waiting_units += units;
}

/* What is kept only because it may be mapped again keeps no rules. */
static void sweep_rules(struct unwind_tables *tables)
{
	uint64_t used[PP_RULES_MAX / 64] = { 0 };

	for (uint32_t i = 1; i < PP_DIR_MAX; i++) {
		const struct page *page = &tables->pages[i];
		const uint32_t *rows;

		if (page->state != PAGE_LOADED)
			continue;
		if (age_of(tables, i) == AGE_UNMAPPED) {
			evict_page(tables, i);
			continue;
		}
		rows = words_of(&tables->windows, page->window) + PP_INDEX_WORDS;
		for (uint32_t k = 0; k < page->row_cnt; k++) {
			uint32_t id = rows[k] & (PP_RULES_MAX - 1);

			used[id / 64] |= 1ull << (id % 64);
		}
	}
	rules__sweep(&tables->rules, used);
}

void windows__settled(struct unwind_tables *tables)
{
	struct windows *self = &tables->windows;
	uint32_t kept = 0;

	for (uint32_t i = 0; i < self->part_cnt; i++)
		(void)extents__settled(&self->parts[i].units);
	for (uint32_t i = 0; i < self->waiting_cnt; i++) {
		struct waiting_page *waiting = &self->waiting[i];

		if (publish(tables, waiting->dir_index, waiting->page)) {
			self->waiting[kept++] = *waiting;
			continue;
		}
		self->waiting_units -= rows_to_units(waiting->page->row_cnt);
		free(waiting->page);
	}
	self->waiting_cnt = kept;
	/* room enough, but in pieces that are too small */
	while (self->waiting_cnt > 0 && !make_room(tables, 0)) {
		refuse(tables, self->waiting[self->waiting_cnt - 1].dir_index);
		forget_waiting(self, self->waiting_cnt - 1);
	}
}

void windows__tick(struct unwind_tables *tables, uint64_t passed_ns)
{
	struct windows *self = &tables->windows;
	uint64_t max = budget_units(self) / 2, reserve = budget_units(self) / 16;
	uint64_t room = resting_units(self);

	self->cannot_grow = false;
	passed_ns = min_of(passed_ns, TURNOVER_S * NS_PER_SEC);
	self->tokens += budget_units(self) * passed_ns / (TURNOVER_S * NS_PER_SEC);
	self->tokens = min_of(self->tokens, max);
	for (uint32_t i = 0; i < self->part_cnt; i++)
		room += extents__free_cnt(&self->parts[i].units);
	if (self->part_cnt == self->part_max && room < reserve)
		evict(tables, reserve - room, AHEAD_AGE);
	if (tables->rules.is_full)
		sweep_rules(tables);
}
