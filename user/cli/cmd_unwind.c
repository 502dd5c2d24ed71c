/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * pulseprof unwind show: how the stacks of one process are unwound, range by range. What the files say is
 * converted here and now; what a running daemon or recording has loaded of it, and how often it was used, is
 * read from the kernel. And what its neighbours share: their words, and whose process they mean.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "pp/base/cleanup.h"
#include "pp/base/err.h"
#include "pp/base/json.h"
#include "pp/collect_loaded.h"
#include "unwind.h"

enum { OPTION_RSP = CLI_OPTION_OWN, OPTION_RBP };

const struct cli_option unwind_options[] = {
	{ CLI_OPTION_JSON, "json", NULL, "as JSON (-j)" },
	{ CLI_OPTION_PRETTY, "pretty", NULL, "the same, indented (-p)" },
	{ CLI_OPTION_HELP, "help", NULL, "this text (-h)" },
	{ 0 },
};

const struct cli_option explain_options[] = {
	{ OPTION_RSP, "rsp", "ADDR",
	  "the frame's stack pointer (that of a thread that waits there)" },
	{ OPTION_RBP, "rbp", "ADDR", "the frame's rbp" },
	{ CLI_OPTION_JSON, "json", NULL, "as JSON (-j)" },
	{ CLI_OPTION_PRETTY, "pretty", NULL, "the same, indented (-p)" },
	{ CLI_OPTION_HELP, "help", NULL, "this text (-h)" },
	{ 0 },
};

bool unwind__parse_addr(const char *text, uint64_t *ret_addr)
{
	char *end;

	if (!strncmp(text, "0x", 2))
		text += 2;
	if (!*text || strspn(text, "0123456789abcdefABCDEF") != strlen(text) || strlen(text) > 16)
		return false;
	*ret_addr = strtoull(text, &end, 16);
	return true;
}

bool unwind__parse_pid(const char *text, uint32_t *ret_pid)
{
	unsigned long pid;

	if (!*text || strspn(text, "0123456789") != strlen(text) || strlen(text) > 9)
		return false;
	pid = strtoul(text, NULL, 10);
	*ret_pid = (uint32_t)pid;
	return pid > 0;
}

static int take_register(struct cli *cli, int id, const char *value, struct frame_state *state)
{
	if (!unwind__parse_addr(value, id == OPTION_RSP ? &state->sp : &state->fp))
		return cli__usage(cli, "'%s' is no address", value);
	state->has_sp = state->has_sp || id == OPTION_RSP;
	state->has_fp = state->has_fp || id == OPTION_RBP;
	return CLI_DONE;
}

int unwind__parse(struct cli *cli, int argc, char **argv, int want, struct unwind_words *ret_words)
{
	const char *value = NULL;
	int pos = 0;

	memset(ret_words, 0, sizeof(*ret_words));
	while (pos < argc) {
		int id, code;

		if (argv[pos][0] != '-') {
			if (ret_words->cnt == want)
				return cli__usage(cli, "unexpected word '%s'", argv[pos]);
			ret_words->words[ret_words->cnt++] = argv[pos++];
			continue;
		}
		id = cli__option(cli, argc, argv, &pos, &value);
		if (id == CLI_OPTION_HELP)
			return cli__print_help(cli, cli->command->object);
		code = id < 0		    ? CLI_USAGE :
		       id >= CLI_OPTION_OWN ? take_register(cli, id, value, &ret_words->state) :
					      CLI_DONE;
		if (code)
			return code;
	}
	return ret_words->cnt < want ? cli__usage(cli, "a word is missing") : -1;
}

int unwind__read_code(struct cli *cli, const char *word, struct code *code,
		      struct collect_loaded **ret_loaded)
{
	uint32_t pid;
	int err;

	*ret_loaded = NULL;
	memset(code, 0, sizeof(*code));
	code->mem_fd = -1;
	if (!unwind__parse_pid(word, &pid))
		return cli__usage(cli, "'%s' is no process id", word);
	err = code__read(code, &cli->root, pid);
	if (err == -ESRCH)
		return cli__fail(cli, CLI_FAILED, err, NULL, "no process has the id %u", pid);
	if (err)
		return cli__fail(
			cli, cli__code_of(err), err,
			err == -EACCES || err == -EPERM ? "it needs root, or CAP_SYS_PTRACE" : NULL,
			"the mappings of process %u cannot be read (%s)", pid, errname(err));
	if (!code->map_cnt)
		return cli__fail(
			cli, CLI_FAILED, -ENOENT, NULL,
			"process %u has no executable mappings: a kernel thread, or it ends", pid);
	/* Nobody samples it, or we may not know: then nothing is loaded as far as we see. */
	(void)collect_loaded__open(pid, code->start_ticks, ret_loaded);
	return CLI_DONE;
}

int unwind__add_hex(struct json_object *row, const char *name, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "0x%" PRIx64, value);
	return json__add_str(row, name, text);
}

const char *unwind__path(const struct code_mapping *mapping)
{
	return *mapping->map.path ? mapping->map.path : "[anon]";
}

/* The pages of a mapping's code: what its file says of them, and what is loaded. */
struct page_sums {
	uint64_t pages;
	uint64_t loaded;
	uint64_t rows;
	uint64_t bytes;
	uint64_t hits;
	bool has_rows;
};

static void sum_page(struct code_mapping *mapping, uint64_t page, struct page_sums *sums)
{
	struct unwind_page *rows = NULL;

	if (unwind_file__page(mapping->file, page, &rows) || !rows)
		return;
	sums->has_rows = true;
	sums->rows += rows->row_cnt;
	sums->bytes += page__window_bytes(rows);
	free(rows);
}

static void sum_loaded(const struct collect_loaded *loaded, const struct code_mapping *mapping,
		       uint64_t page, struct page_sums *sums)
{
	uint64_t addr = max_of(mapping->map.start_addr, (page << PP_PAGE_SHIFT) + mapping->bias);
	struct collect_loaded_page in_kernel;
	struct pp_range range;

	if (!loaded || collect_loaded__find(loaded, addr, &range))
		return;
	collect_loaded__page(loaded, &range, addr - range.bias, &in_kernel);
	sums->loaded += in_kernel.is_loaded;
	sums->hits += in_kernel.hits;
}

static void sum_pages(const struct collect_loaded *loaded, struct code_mapping *mapping,
		      struct page_sums *ret_sums)
{
	uint64_t first, low = mapping->map.start_addr - mapping->bias;
	uint64_t high = mapping->map.end_addr - 1 - mapping->bias;
	uint32_t cnt;

	memset(ret_sums, 0, sizeof(*ret_sums));
	if (!mapping->file)
		return;
	unwind_file__pages(mapping->file, &first, &cnt);
	low = max_of(low >> PP_PAGE_SHIFT, first);
	high = min_of(high >> PP_PAGE_SHIFT, first + cnt - 1);
	for (uint64_t page = low; cnt && page <= high && ret_sums->pages < PP_DIR_MAX; page++) {
		ret_sums->pages++;
		sum_page(mapping, page, ret_sums);
		sum_loaded(loaded, mapping, page, ret_sums);
	}
}

static int add_range(struct json_object *rows, const struct collect_loaded *loaded,
		     struct code_mapping *mapping)
{
	struct json_object *row = json__new_object();
	struct page_sums sums;
	int err;

	sum_pages(loaded, mapping, &sums);
	if (mapping->kind == PP_RANGE_TABLE && !sums.has_rows)
		mapping->kind = PP_RANGE_FP;
	err = unwind__add_hex(row, "start", mapping->map.start_addr);
	if (!err)
		err = unwind__add_hex(row, "end", mapping->map.end_addr);
	if (!err)
		err = json__add_str(row, "kind", range_kind_name(mapping->kind));
	if (!err)
		err = json__add_u64(row, "pages", sums.pages);
	if (!err)
		err = json__add_u64(row, "loaded", sums.loaded);
	if (!err)
		err = json__add_u64(row, "rows", sums.rows);
	if (!err)
		err = json__add_u64(row, "bytes", sums.bytes);
	if (!err)
		err = json__add_u64(row, "hits", sums.hits);
	if (!err)
		err = json__add_str(row, "file", unwind__path(mapping));
	if (!err)
		return json__add(rows, NULL, row);
	json__put(row);
	return err;
}

int cmd_unwind_show(struct cli *cli, int argc, char **argv)
{
	static const struct view_column columns[] = {
		{ "start", false }, { "kind", false },	{ "pages", false }, { "loaded", false },
		{ "rows", false },  { "bytes", false }, { "hits", false },  { "file", false },
	};
	_auto_json_ struct json_object *rows = NULL;
	struct collect_loaded *loaded = NULL;
	struct unwind_words words;
	struct code code;
	int exit_code, err = 0;

	exit_code = unwind__parse(cli, argc, argv, 1, &words);
	if (exit_code >= 0)
		return exit_code;
	exit_code = unwind__read_code(cli, words.words[0], &code, &loaded);
	rows = json__new_array();
	for (size_t i = 0; !exit_code && !err && i < code.map_cnt; i++) {
		/* A file that cannot be opened is one without rows, here as for the sampler. */
		(void)code__open_file(&code, &code.maps[i]);
		err = add_range(rows, loaded, &code.maps[i]);
		code__close_file(&code.maps[i]);
	}
	if (!exit_code && (err || !rows))
		exit_code = cli__fail(cli, CLI_FAILED, -ENOMEM, NULL, "out of memory");
	if (!exit_code)
		exit_code = view__print_rows(cli, rows, columns, ARRAY_SIZE(columns));
	collect_loaded__close(loaded);
	code__free(&code);
	return exit_code;
}
