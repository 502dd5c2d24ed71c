/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * pulseprof unwind dump: every row that a file's code gives, in words, printed as it is converted (a large
 * library has a million of them), then the sums. Rows that a page's border cuts are shown as one.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "internal.h"
#include "pp/base/cleanup.h"
#include "pp/base/err.h"
#include "pp/base/hash.h"
#include "pp/base/json.h"
#include "pp/base/vec.h"
#include "unwind.h"

#define RULES_KEPT_MAX (1u << 20)

struct dump {
	struct cli *cli;
	struct hash_index by_rule; /* distinct rules */
	uint64_t *rules;
	size_t rule_cnt, rule_cap;
	bool has_row; /* the one below is still to be printed */
	uint64_t row_vaddr;
	uint64_t row_rule;
	uint64_t printed;
	uint64_t rows; /* as the kernel gets them */
	uint64_t pages; /* that have rows */
	uint64_t bytes;
	uint64_t unsupported;
	uint64_t failed; /* pages that could not be converted */
};

static bool is_rule(const void *arg, uint32_t id, const void *key)
{
	const struct dump *self = arg;
	uint64_t rule;

	memcpy(&rule, key, sizeof(rule));
	return self->rules[id] == rule;
}

static int note_rule(struct dump *self, uint64_t rule)
{
	uint64_t hash = hash_u64(rule, 0);
	uint32_t id;
	int err;

	if (!hash_index__find(&self->by_rule, hash, &rule, &id))
		return 0;
	err = vec_room(self->rules, self->rule_cnt + 1, self->rule_cap, RULES_KEPT_MAX);
	if (!err)
		err = hash_index__add(&self->by_rule, hash, (uint32_t)self->rule_cnt);
	if (!err)
		self->rules[self->rule_cnt++] = rule;
	return err;
}

static void print_row(struct dump *self, uint64_t end_vaddr)
{
	char words[RULE_WORDS_BYTES];

	rule__words(self->row_rule, words);
	if (self->cli->json) /* words and numbers of ours: nothing to be escaped */
		fprintf(stdout,
			"%s{\"vaddr\":\"0x%" PRIx64 "\",\"end\":\"0x%" PRIx64 "\",\"rule\":\"%s\"}",
			self->printed ? ",\n" : "", self->row_vaddr, end_vaddr, words);
	else
		fprintf(stdout, "0x%-14" PRIx64 "  0x%-14" PRIx64 "  %s\n", self->row_vaddr,
			end_vaddr, words);
	self->printed++;
}

static void take_row(struct dump *self, uint64_t vaddr, uint64_t rule)
{
	if (self->has_row && self->row_rule == rule)
		return;
	if (self->has_row)
		print_row(self, vaddr);
	self->has_row = true;
	self->row_vaddr = vaddr;
	self->row_rule = rule;
}

/* Code without rows in between: what was in force ends where the page begins. */
static void end_row(struct dump *self, uint64_t end_vaddr)
{
	if (self->has_row)
		print_row(self, end_vaddr);
	self->has_row = false;
}

static int dump_page(struct dump *self, struct unwind_file *file, uint64_t page)
{
	_auto_free_ struct unwind_page *rows = NULL;
	uint64_t base = page << PP_PAGE_SHIFT;
	int err;

	err = unwind_file__page(file, page, &rows);
	if (err && err != -ENOMEM) {
		self->failed++;
		err = 0;
	}
	if (err)
		return err;
	if (!rows) {
		end_row(self, base);
		return 0;
	}
	self->pages++;
	self->rows += rows->row_cnt;
	self->bytes += page__window_bytes(rows);
	for (uint32_t i = 0; i < rows->rule_cnt && !err; i++)
		err = note_rule(self, rows->rules[i]);
	for (uint32_t i = 0; i < rows->row_cnt && !err; i++) {
		uint64_t rule = rows->rules[rows->rows[i] & 0xffff];

		self->unsupported += PP_RULE_CFA_FORM(rule) == PP_CFA_UNSUPPORTED;
		take_row(self, base | rows->rows[i] >> 16, rule);
	}
	return err == -E2BIG ? 0 : err;
}

static int dump_rows(struct dump *self, struct unwind_file *file)
{
	uint64_t first;
	uint32_t cnt;
	int err = 0;

	unwind_file__pages(file, &first, &cnt);
	/* The kernel's directory has no room for more either. */
	if (cnt > PP_DIR_MAX) {
		self->failed += cnt - PP_DIR_MAX;
		cnt = PP_DIR_MAX;
	}
	for (uint32_t i = 0; i < cnt && !err && !ferror(stdout); i++)
		err = dump_page(self, file, first + i);
	end_row(self, (first + cnt) << PP_PAGE_SHIFT);
	return err;
}

static void print_summary(const struct dump *self)
{
	const struct {
		const char *name;
		uint64_t value;
	} sums[] = {
		{ "rows", self->rows },
		{ "rules", self->rule_cnt },
		{ "pages", self->pages },
		{ "bytes", self->bytes },
		{ "unsupported", self->unsupported },
		{ "failed_pages", self->failed },
	};

	fprintf(stdout, self->cli->json ? "],\n\"summary\":{" : "#");
	for (size_t i = 0; i < ARRAY_SIZE(sums); i++)
		fprintf(stdout, self->cli->json ? "%s\"%s\":%" PRIu64 : "%s %s %" PRIu64,
			i ? "," : "", sums[i].name, sums[i].value);
	fprintf(stdout, self->cli->json ? "}}\n" : "\n");
}

static int dump(struct cli *cli, struct unwind_file *file)
{
	struct dump self = { .cli = cli };
	int err;

	hash_index__init(&self.by_rule, is_rule, &self);
	fprintf(stdout, cli->json ? "{\"rows\":[" : "vaddr             end               rule\n");
	err = dump_rows(&self, file);
	print_summary(&self);
	hash_index__clear(&self.by_rule);
	free(self.rules);
	if (err)
		return cli__fail(cli, CLI_FAILED, err, NULL, "out of memory");
	return CLI_DONE;
}

/* A descriptor, or -errno. Nothing else than a file is waited for or changed by opening it. */
static int open_regular(const char *path)
{
	_auto_close_ int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	return S_ISREG(st.st_mode) ? take_fd(fd) : -EBADMSG;
}

int cmd_unwind_dump(struct cli *cli, int argc, char **argv)
{
	struct unwind_file *file = NULL;
	struct unwind_words words;
	_auto_close_ int fd = -1, debug_fd = -1;
	int exit_code, err;

	exit_code = unwind__parse(cli, argc, argv, 1, &words);
	if (exit_code >= 0)
		return exit_code;
	fd = open_regular(words.words[0]);
	err = fd < 0 ? fd : code__open_elf(&cli->root, fd, &debug_fd, &file);
	if (err == -EBADMSG || err == -EOPNOTSUPP)
		return cli__fail(cli, CLI_FAILED, err, NULL, "'%s' is no ELF file for x86-64 (%s)",
				 words.words[0], errname(err));
	if (err)
		return cli__fail(cli, CLI_FAILED, err, NULL, "'%s' cannot be read: %s",
				 words.words[0], strerror(-err));
	exit_code = dump(cli, file);
	unwind_file__close(file);
	return exit_code;
}
