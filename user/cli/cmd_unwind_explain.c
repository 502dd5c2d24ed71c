/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * pulseprof unwind explain: what the sampler would do at one address of a process: where it lies, which row
 * is in force, what that says in words, and, for registers that are given or those of a thread that waits
 * there, which words of the stack it would read and what they hold now. The process is neither stopped nor
 * traced.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "pp/base/cleanup.h"
#include "pp/base/json.h"
#include "pp/collect_loaded.h"
#include "unwind.h"

/* The row in force at an address: from where to where it holds, and what it says. */
struct explained {
	uint64_t addr;
	uint64_t vaddr;
	uint64_t row_vaddr;
	uint64_t row_end_vaddr;
	uint64_t rule;
	bool has_row;
};

static int find_row(struct code_mapping *mapping, struct explained *self)
{
	uint64_t page = self->vaddr >> PP_PAGE_SHIFT;
	_auto_free_ struct unwind_page *rows = NULL;
	uint32_t i = 0;
	int err;

	if (!mapping->file)
		return 0;
	err = unwind_file__page(mapping->file, page, &rows);
	if (err || !rows || !rows->row_cnt)
		return err;
	while (i + 1 < rows->row_cnt && rows->rows[i + 1] >> 16 <= (self->vaddr & 0xffff))
		i++;
	self->has_row = true;
	self->rule = unwind_page__find(rows, self->vaddr);
	self->row_vaddr = page << PP_PAGE_SHIFT | rows->rows[i] >> 16;
	self->row_end_vaddr = i + 1 < rows->row_cnt ?
				      page << PP_PAGE_SHIFT | rows->rows[i + 1] >> 16 :
				      (page + 1) << PP_PAGE_SHIFT;
	return 0;
}

static int add_mapping_facts(struct json_object *json, const struct collect_loaded *loaded,
			     const struct code_mapping *mapping, const struct explained *explained)
{
	struct collect_loaded_page page = { 0 };
	struct pp_range range;
	char text[80];
	int err = unwind__add_hex(json, "address", explained->addr);

	snprintf(text, sizeof(text), "0x%" PRIx64 "-0x%" PRIx64 " +0x%" PRIx64,
		 mapping->map.start_addr, mapping->map.end_addr, mapping->map.off);
	if (!err)
		err = json__add_str(json, "mapping", text);
	if (!err)
		err = json__add_str(json, "file", unwind__path(mapping));
	if (!err)
		err = json__add_str(json, "kind", range_kind_name(mapping->kind));
	if (err || mapping->kind == PP_RANGE_JIT)
		return err;
	if (loaded && !collect_loaded__find(loaded, explained->addr, &range))
		collect_loaded__page(loaded, &range, explained->addr - range.bias, &page);
	err = unwind__add_hex(json, "vaddr", explained->vaddr);
	if (!err)
		err = unwind__add_hex(json, "page", explained->vaddr >> PP_PAGE_SHIFT);
	if (!err)
		err = json__add_bool(json, "page_loaded", page.is_loaded);
	return err ? err : json__add_u64(json, "page_hits", page.hits);
}

static int add_rule(struct json_object *json, const struct explained *explained)
{
	char words[RULE_WORDS_BYTES], text[48];
	int err = 0;

	if (explained->has_row) {
		snprintf(text, sizeof(text), "0x%" PRIx64 "-0x%" PRIx64, explained->row_vaddr,
			 explained->row_end_vaddr);
		err = json__add_str(json, "row", text);
	}
	if (!err)
		err = unwind__add_hex(json, "rule_bits", explained->rule);
	return err ? err : json__add_str(json, "rule", rule__words(explained->rule, words));
}

/* An address of the stack and what stands there now. */
static int add_read(struct json_object *json, struct code *code, const char *where,
		    const char *what, uint64_t addr)
{
	uint64_t word;
	int err = unwind__add_hex(json, where, addr);

	if (err)
		return err;
	if (code__read_word(code, addr, &word))
		return json__add_str(json, what, "unreadable");
	return unwind__add_hex(json, what, word);
}

static int add_reads(struct json_object *json, struct code *code, struct code_mapping *mapping,
		     const struct explained *explained, struct frame_state state)
{
	uint64_t pc = explained->addr, sp;
	struct frame_reads reads;
	uint32_t tid;
	int err = 0;

	if (!state.has_sp && explained->has_row &&
	    !code__find_thread(code, explained->row_vaddr + mapping->bias,
			       explained->row_end_vaddr + mapping->bias, &tid, &pc, &sp)) {
		state.has_sp = true;
		state.sp = sp;
		err = json__add_u64(json, "thread", tid);
		if (!err)
			err = unwind__add_hex(json, "pc", pc);
	}
	if (!err && state.has_sp)
		err = unwind__add_hex(json, "rsp", state.sp);
	if (!err && state.has_fp)
		err = unwind__add_hex(json, "rbp", state.fp);
	rule__follow(explained->rule, pc, &state, code__read_word, code, &reads);
	if (!err && reads.has_cfa)
		err = unwind__add_hex(json, "cfa", reads.cfa);
	if (!err && reads.has_fp_addr)
		err = add_read(json, code, "rbp_at", "callers_rbp", reads.fp_addr);
	if (!err && reads.has_ra_addr)
		err = add_read(json, code, "return_address_at", "return_address", reads.ra_addr);
	return err;
}

static int explain(struct cli *cli, struct code *code, const struct collect_loaded *loaded,
		   uint64_t addr, const struct frame_state *state)
{
	struct code_mapping *mapping = code__find(code, addr);
	struct explained explained = { .addr = addr };
	_auto_json_ struct json_object *json = NULL;
	int err;

	if (!mapping)
		return cli__fail(cli, CLI_FAILED, -ENOENT,
				 "'pulseprof unwind show' lists its executable ranges",
				 "0x%" PRIx64 " lies in no executable mapping of process %u", addr,
				 code->pid);
	(void)code__open_file(code, mapping); /* without a file: by frame pointer */
	explained.vaddr = addr - mapping->bias;
	err = find_row(mapping, &explained);
	if (err == -ENOMEM)
		return cli__fail(cli, CLI_FAILED, err, NULL, "out of memory");
	json = json__new_object();
	err = add_mapping_facts(json, loaded, mapping, &explained);
	if (!err)
		err = add_rule(json, &explained);
	if (!err)
		err = add_reads(json, code, mapping, &explained, *state);
	if (err)
		return cli__fail(cli, CLI_FAILED, err, NULL, "out of memory");
	return view__print_fields(cli, json);
}

int cmd_unwind_explain(struct cli *cli, int argc, char **argv)
{
	struct collect_loaded *loaded = NULL;
	struct unwind_words words;
	struct code code;
	uint64_t addr;
	int exit_code;

	exit_code = unwind__parse(cli, argc, argv, 2, &words);
	if (exit_code >= 0)
		return exit_code;
	if (!unwind__parse_addr(words.words[1], &addr))
		return cli__usage(cli, "'%s' is no address", words.words[1]);
	exit_code = unwind__read_code(cli, words.words[0], &code, &loaded);
	if (!exit_code)
		exit_code = explain(cli, &code, loaded, addr, &words.state);
	collect_loaded__close(loaded);
	code__free(&code);
	return exit_code;
}
