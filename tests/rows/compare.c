/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Every row of a file as elf_cfi makes it, against what binutils says: compare FILE... runs
 * `readelf -wNF` (rows; reads .eh_frame and .debug_frame by its own parser) and, where that prints "exp" or
 * leaves "u" open (undefined, or never mentioned), `readelf -wNf` for the words behind it (words.h).
 * Entries are put together as a runtime would: by begin, each up to the next, .debug_frame in the gaps. One
 * line per file; differences and what is unsupported, with its reason, below it. Exits 1 if something differs.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pp/base/cleanup.h"
#include "pp/base/vec.h"
#include "pp/elf_cfi.h"
#include "words.h"

#define SPANS_MAX	  40000000
#define DIFFERENCES_SHOWN 8

struct span {
	uint64_t begin;
	uint64_t end;
	uint64_t rule;
	uint32_t reason; /* why it is unsupported: an index into reasons, 0: it is not */
};
struct entry {
	uint64_t begin;
	uint64_t end;
	uint32_t first;
	uint32_t cnt;
};
/* What one section says: entries in file order, their rows. */
struct section {
	struct span *spans;
	size_t span_cnt, span_cap;
	struct entry *entries;
	size_t entry_cnt, entry_cap;
};
struct cie {
	uint64_t off;
	struct row row;
	bool is_signal;
};
/* One run over the text of readelf. */
struct reading {
	struct section sections[2]; /* .eh_frame, .debug_frame */
	struct section *section;
	struct cie *cies;
	size_t cie_cnt, cie_cap;
	const struct cie *cie; /* of the entry at hand */
	bool in_cie;
	struct columns columns;
	uint32_t fde_no;
	struct words *words; /* NULL: ambiguous columns mean what they mean nearly always */
	const char *file;
};
struct list {
	struct span *spans;
	size_t cnt, cap;
};

/* Why a rule is PP_CFA_UNSUPPORTED, over all files. */
static struct {
	char text[200];
	uint64_t cnt;
} reasons[256];
static uint32_t reason_cnt = 1;

static uint32_t reason_of(const char *text)
{
	uint32_t i;

	for (i = 1; i < reason_cnt; i++)
		if (strncmp(reasons[i].text, text, sizeof(reasons[i].text) - 1) == 0)
			return i;
	if (reason_cnt == ARRAY_SIZE(reasons))
		return reason_cnt - 1;
	snprintf(reasons[i].text, sizeof(reasons[i].text), "%s", text);
	return reason_cnt++;
}

static void grow(void *array, size_t elem_bytes, size_t cnt, size_t *cap)
{
	if (vec_reserve(array, elem_bytes, cnt + 1, cap, SPANS_MAX))
		abort();
}
#define GROW(array, cnt, cap) grow((void *)&(array), sizeof(*(array)), cnt, &(cap))

static void add_span(struct reading *self, const struct row *row)
{
	struct section *section = self->section;
	struct entry *entry = &section->entries[section->entry_cnt - 1];
	struct span span = { .begin = row->loc, .end = entry->end };
	const struct word_state *words = NULL;
	char why[200] = "";

	if (row__needs_words(row) || self->words) {
		if (!self->words)
			self->words = words__read(self->file);
		words = words__find(self->words, self->fde_no, row->loc);
	}
	span.rule = row__rule(row, words, self->cie && self->cie->is_signal, why, sizeof(why));
	if (span.rule == PP_CFA_UNSUPPORTED)
		span.reason = reason_of(why);
	if (entry->cnt > 0)
		section->spans[section->span_cnt - 1].end = row->loc;
	GROW(section->spans, section->span_cnt, section->span_cap);
	section->spans[section->span_cnt++] = span;
	entry->cnt++;
}

/* An entry whose program is all nops has no rows: its CIE's holds. */
static void end_entry(struct reading *self)
{
	struct section *section = self->section;
	struct entry *entry;

	if (!self->in_cie && self->cie && section && section->entry_cnt > 0) {
		entry = &section->entries[section->entry_cnt - 1];
		if (entry->cnt == 0) {
			struct row row = self->cie->row;

			row.loc = entry->begin;
			add_span(self, &row);
		}
	}
	self->cie = NULL;
	self->in_cie = false;
}

static void begin_cie(struct reading *self, uint64_t off, const char *line)
{
	const char *letters = strchr(line, '"');

	GROW(self->cies, self->cie_cnt, self->cie_cap);
	self->cies[self->cie_cnt++] = (struct cie){
		.off = off,
		.is_signal = letters && strchr(letters, 'S'),
	};
	self->in_cie = true;
}

static void begin_fde(struct reading *self, const char *at)
{
	struct section *section = self->section;
	struct entry entry = { .first = (uint32_t)section->span_cnt };
	uint64_t cie_off;

	if (sscanf(at, "FDE cie=%" SCNx64 " pc=%" SCNx64 "..%" SCNx64, &cie_off, &entry.begin,
		   &entry.end) != 3)
		return;
	for (size_t i = 0; i < self->cie_cnt; i++)
		if (self->cies[i].off == cie_off)
			self->cie = &self->cies[i];
	self->fde_no++;
	GROW(section->entries, section->entry_cnt, section->entry_cap);
	section->entries[section->entry_cnt++] = entry;
}

static void read_line(struct reading *self, const char *line)
{
	struct row row;
	const char *at;

	if (strncmp(line, "Contents of the ", 16) == 0) {
		end_entry(self);
		self->section = strstr(line, "eh_frame") ? &self->sections[0] : &self->sections[1];
		self->cie_cnt = 0;
	} else if (line[0] != ' ' && (at = strstr(line, " CIE ")) && self->section) {
		end_entry(self);
		begin_cie(self, strtoull(line, NULL, 16), at);
	} else if (line[0] != ' ' && (at = strstr(line, "FDE cie=")) && self->section) {
		end_entry(self);
		begin_fde(self, at);
	} else if (strncmp(line, "   LOC ", 7) == 0) {
		columns__read(&self->columns, line);
	} else if (self->section && row__read(&row, &self->columns, line)) {
		if (self->in_cie)
			self->cies[self->cie_cnt - 1].row = row;
		else if (self->cie)
			add_span(self, &row);
	}
}

static int by_begin(const void *left, const void *right)
{
	const struct entry *a = left, *b = right;

	if (a->begin != b->begin)
		return a->begin < b->begin ? -1 : 1;
	return a->first < b->first ? -1 : a->first > b->first;
}

static void list__add(struct list *self, struct span span)
{
	struct span *last = self->cnt ? &self->spans[self->cnt - 1] : NULL;

	if (span.begin >= span.end)
		return;
	if (last && last->rule == span.rule && last->end == span.begin) {
		last->end = span.end;
		return;
	}
	GROW(self->spans, self->cnt, self->cap);
	self->spans[self->cnt++] = span;
}

/* Ascending, without overlaps: an entry ends where the next one begins, of equals the first counts. */
static struct list flatten(struct section *section, bool is_debug)
{
	struct list list = { 0 };
	uint64_t done = 0;

	qsort(section->entries, section->entry_cnt, sizeof(*section->entries), by_begin);
	for (size_t i = 0; i < section->entry_cnt; i++) {
		const struct entry *entry = &section->entries[i];
		uint64_t limit = entry->end;
		size_t next = i + 1;

		if (entry->begin == entry->end || (is_debug && entry->begin == 0) ||
		    (i > 0 && entry->begin < done))
			continue;
		while (next < section->entry_cnt && section->entries[next].begin == entry->begin)
			next++;
		if (next < section->entry_cnt)
			limit = min_of(limit, section->entries[next].begin);
		for (uint32_t row = 0; row < entry->cnt; row++) {
			struct span span = section->spans[entry->first + row];

			span.end = min_of(span.end, limit);
			list__add(&list, span);
		}
		done = entry->begin + 1;
	}
	return list;
}

/* What the second says where the first says nothing. */
static struct list fill(const struct list *first, const struct list *second)
{
	struct list list = { 0 };
	uint64_t at = 0;
	size_t j = 0;

	for (size_t i = 0; i <= first->cnt; i++) {
		uint64_t gap_end = i < first->cnt ? first->spans[i].begin : UINT64_MAX;

		for (; j < second->cnt && second->spans[j].begin < gap_end; j++) {
			struct span span = second->spans[j];

			span.begin = max_of(span.begin, at);
			span.end = min_of(span.end, gap_end);
			list__add(&list, span);
			if (second->spans[j].end > gap_end)
				break;
		}
		if (i < first->cnt) {
			list__add(&list, first->spans[i]);
			at = first->spans[i].end;
		}
	}
	return list;
}

static void reading__free(struct reading *self)
{
	for (int i = 0; i < 2; i++) {
		free(self->sections[i].spans);
		free(self->sections[i].entries);
	}
	free(self->cies);
	words__free(self->words);
}

static struct list read_expected(const char *file, bool is_careful)
{
	struct reading reading = { .file = file };
	struct list eh, debug, all;
	struct readelf readelf;
	char *line;

	if (is_careful)
		reading.words = words__read(file);
	readelf__begin(&readelf, "-wNF", file);
	while ((line = readelf__line(&readelf)))
		read_line(&reading, line);
	end_entry(&reading);
	readelf__end(&readelf);
	eh = flatten(&reading.sections[0], false);
	debug = flatten(&reading.sections[1], true);
	all = fill(&eh, &debug);
	free(eh.spans);
	free(debug.spans);
	reading__free(&reading);
	return all;
}

static int take_row(void *arg, const struct elf_cfi_row *row)
{
	struct list *list = arg;

	if (list->cnt > 0)
		list->spans[list->cnt - 1].end = row->vaddr;
	GROW(list->spans, list->cnt, list->cap);
	list->spans[list->cnt++] = (struct span){ row->vaddr, UINT64_MAX, row->rule, 0 };
	return 0;
}

/* Ours. -errno where there is nothing to compare. */
static int read_ours(const char *file, struct list *ret_list, struct elf_cfi_stats *ret_stats)
{
	_auto_close_ int fd = open(file, O_RDONLY | O_CLOEXEC);
	struct elf_image *image = NULL;
	struct elf_cfi *cfi = NULL;
	int err;

	if (fd < 0)
		return -errno;
	err = elf_image__open(fd, &image);
	if (!err)
		err = elf_cfi__open(image, &cfi);
	if (!err)
		err = elf_cfi__each_row(cfi, 0, UINT64_MAX, take_row, ret_list);
	if (!err)
		elf_cfi__stats(cfi, ret_stats);
	elf_cfi__close(cfi);
	elf_image__close(image);
	return err;
}

/* Walks both; prints the first differences if asked to. Counts the rows that differ. */
static uint64_t count_differences(const struct list *ours, const struct list *expected,
				  bool is_loud)
{
	uint64_t differences = 0, at = 0;
	size_t i = 0, j = 0;

	while (i < ours->cnt) {
		const struct span *row = &ours->spans[i], *other = NULL;
		uint64_t end = row->end, rule = PP_RULE_NONE;

		while (j < expected->cnt && expected->spans[j].end <= at)
			j++;
		if (j < expected->cnt) {
			other = &expected->spans[j];
			if (other->begin <= at) {
				rule = other->rule;
				end = min_of(end, other->end);
			} else {
				end = min_of(end, other->begin);
			}
		}
		if (rule != row->rule && differences++ < DIFFERENCES_SHOWN && is_loud)
			printf("  %" PRIx64 "..%" PRIx64 " rule %" PRIx64 ", readelf says %" PRIx64
			       "\n",
			       at, end, row->rule, rule);
		at = end;
		if (at == row->end)
			i++;
	}
	return differences;
}

struct totals {
	uint64_t files, rows, entries, unsupported, damaged, different, without;
};

static void compare_file(const char *file, struct totals *totals)
{
	struct list ours = { 0 }, expected;
	struct elf_cfi_stats stats;
	uint64_t different;
	int err;

	err = read_ours(file, &ours, &stats);
	if (err) {
		expected = read_expected(file, false);
		printf("%s: %s, readelf has %zu rows\n", file, strerror(-err), expected.cnt);
		totals->without++;
		totals->different += expected.cnt;
		free(expected.spans);
		free(ours.spans);
		return;
	}
	expected = read_expected(file, false);
	different = count_differences(&ours, &expected, false);
	if (different) { /* perhaps a "u" that was undefined rather than never mentioned */
		free(expected.spans);
		expected = read_expected(file, true);
		different = count_differences(&ours, &expected, true);
	}
	for (size_t i = 0; i < expected.cnt; i++)
		if (expected.spans[i].rule == PP_CFA_UNSUPPORTED)
			reasons[expected.spans[i].reason].cnt++;
	printf("%s: rows %" PRIu64 " entries %" PRIu64 " unsupported %" PRIu64 " damaged %" PRIu64
	       " different %" PRIu64 "\n",
	       file, stats.rows, stats.entries, stats.unsupported, stats.damaged, different);
	fflush(stdout);
	totals->files++;
	totals->rows += stats.rows;
	totals->entries += stats.entries;
	totals->unsupported += stats.unsupported;
	totals->damaged += stats.damaged;
	totals->different += different;
	free(ours.spans);
	free(expected.spans);
}

int main(int argc, char **argv)
{
	struct totals totals = { 0 };

	for (int i = 1; i < argc; i++)
		compare_file(argv[i], &totals);
	for (uint32_t i = 1; i < reason_cnt; i++)
		if (reasons[i].cnt)
			printf("unsupported %" PRIu64 ": %s\n", reasons[i].cnt, reasons[i].text);
	printf("total: files %" PRIu64 " rows %" PRIu64 " entries %" PRIu64 " unsupported %" PRIu64
	       " damaged %" PRIu64 " different %" PRIu64 " without %" PRIu64 "\n",
	       totals.files, totals.rows, totals.entries, totals.unsupported, totals.damaged,
	       totals.different, totals.without);
	return totals.different > 0 || totals.files == 0;
}
