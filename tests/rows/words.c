/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reads what readelf writes: rows with their columns (-wF), and where those are too terse, the programs
 * themselves (-wf), followed just far enough to know which expression is in force where. Quirks of binutils
 * 2.40: "u" is printed for a register that is undefined and for one not mentioned yet; a register in another
 * is "r5 (rdi)", two words; a FDE whose program is all nops has no row.
 */
#include "words.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pp/base/cleanup.h"
#include "pp/base/vec.h"

#define RECORDS_MAX    10000000
#define REMEMBERED_MAX 64

void readelf__begin(struct readelf *self, const char *option, const char *file)
{
	int ends[2];

	memset(self, 0, sizeof(*self));
	if (pipe(ends))
		abort();
	self->pid = fork();
	if (self->pid < 0)
		abort();
	if (self->pid == 0) {
		dup2(ends[1], STDOUT_FILENO);
		close(ends[0]);
		close(ends[1]);
		if (!freopen("/dev/null", "w", stderr))
			_exit(126);
		setenv("LC_ALL", "C", 1);
		execlp("readelf", "readelf", option, file, (char *)NULL);
		_exit(127);
	}
	close(ends[1]);
	self->out = fdopen(ends[0], "r");
	if (!self->out)
		abort();
}

char *readelf__line(struct readelf *self)
{
	return getline(&self->line, &self->cap, self->out) < 0 ? NULL : self->line;
}

void readelf__end(struct readelf *self)
{
	int status;

	free(self->line);
	fclose(self->out);
	if (waitpid(self->pid, &status, 0) < 0 || !WIFEXITED(status) || WEXITSTATUS(status) == 127)
		abort();
}

/* The next word of the line, but for those in brackets. False: no more. */
static bool next_word(const char **at, char word[CELL_BYTES])
{
	size_t len;

	do {
		*at += strspn(*at, " \n");
		len = strcspn(*at, " \n");
		if (len == 0)
			return false;
		snprintf(word, CELL_BYTES, "%.*s", (int)len, *at);
		*at += len;
	} while (word[0] == '(');
	return true;
}

void columns__read(struct columns *self, const char *line)
{
	char word[CELL_BYTES];
	uint32_t i = 0;

	memset(self, 0, sizeof(*self));
	for (; next_word(&line, word); i++) {
		if (strcmp(word, "rbp") == 0)
			self->fp = i;
		else if (strcmp(word, "rsp") == 0)
			self->sp = i;
		else if (strcmp(word, "ra") == 0)
			self->ra = i;
	}
}

bool row__read(struct row *ret_row, const struct columns *columns, const char *line)
{
	char word[CELL_BYTES];
	char *end;

	memset(ret_row, 0, sizeof(*ret_row));
	ret_row->loc = strtoull(line, &end, 16);
	if (end != line + 16 || *end != ' ')
		return false;
	line = end;
	for (uint32_t i = 1; next_word(&line, word); i++) {
		char *cell = i == 1	      ? ret_row->cfa :
			     i == columns->fp ? ret_row->fp :
			     i == columns->sp ? ret_row->sp :
			     i == columns->ra ? ret_row->ra :
						NULL;

		if (cell)
			memcpy(cell, word, CELL_BYTES);
	}
	return ret_row->cfa[0] != 0 && strncmp(ret_row->cfa, "CIE", 3) != 0 &&
	       !strstr(line, "cie=");
}

bool row__needs_words(const struct row *self)
{
	return strcmp(self->cfa, "exp") == 0 || strcmp(self->fp, "exp") == 0 ||
	       strcmp(self->ra, "exp") == 0 || strcmp(self->ra, "u") == 0;
}

struct record {
	uint32_t fde_no;
	uint64_t loc;
	struct word_state state;
};
struct cie_words {
	uint64_t off;
	struct word_state state;
};
struct words {
	struct record *records;
	size_t cnt, cap;
	struct cie_words *cies;
	size_t cie_cnt, cie_cap;
	uint32_t fde_no;
	uint64_t loc;
	bool in_cie;
	struct word_state initial;
	struct word_state state;
	struct word_state remembered[REMEMBERED_MAX];
	uint32_t remembered_cnt;
};

static void keep_record(struct words *self)
{
	static const struct word_state nothing;

	if (self->in_cie || self->fde_no == 0 ||
	    memcmp(&self->state, &nothing, sizeof(nothing)) == 0)
		return;
	if (vec_room(self->records, self->cnt + 1, self->cap, RECORDS_MAX))
		abort();
	self->records[self->cnt++] = (struct record){ self->fde_no, self->loc, self->state };
}

static void end_program(struct words *self)
{
	if (self->in_cie)
		self->cies[self->cie_cnt - 1].state = self->state;
	keep_record(self);
	self->in_cie = false;
	self->remembered_cnt = 0;
	memset(&self->state, 0, sizeof(self->state));
}

/* What stands between the outer brackets at the line's end. */
static void copy_expr(char expr[EXPR_BYTES], const char *line, bool behind_register)
{
	const char *begin = strchr(line, '('), *end = strrchr(line, ')');

	memset(expr, 0, EXPR_BYTES);
	if (begin && behind_register)
		begin = strchr(begin + 1, '(');
	if (begin && end && end > begin)
		snprintf(expr, EXPR_BYTES, "%.*s", (int)(end - begin - 1), begin + 1);
}

/* A rule for rbp, rsp or the return address. */
static void read_register_op(struct words *self, const char *op, unsigned reg)
{
	struct word_state *state = &self->state;
	bool is_undefined = strncmp(op, "undefined", 9) == 0,
	     is_restore = strncmp(op, "restore", 7) == 0;
	char *expr = reg == 6 ? state->fp : reg == 16 ? state->ra : NULL;
	const char *initial = reg == 6 ? self->initial.fp : self->initial.ra;

	if (reg == 6)
		state->is_fp_undefined = is_restore ? self->initial.is_fp_undefined : is_undefined;
	if (reg == 6)
		state->is_fp_restored = is_restore &&
					(self->in_cie || self->initial.is_fp_restored);
	if (reg == 7)
		state->is_sp_undefined = is_restore ? self->initial.is_sp_undefined : is_undefined;
	if (reg == 16)
		state->is_ra_undefined = is_restore ? self->initial.is_ra_undefined : is_undefined;
	if (!expr)
		return;
	if (strncmp(op, "expression", 10) == 0)
		copy_expr(expr, op, true);
	else if (is_restore)
		memcpy(expr, initial, EXPR_BYTES);
	else
		memset(expr, 0, EXPR_BYTES);
}

static void read_op(struct words *self, const char *op)
{
	const char *to, *colon = strchr(op, ':');
	unsigned reg;

	if (strncmp(op, "advance_loc", 11) == 0 || strncmp(op, "set_loc", 7) == 0) {
		to = strstr(op, " to ");
		if (!to)
			to = colon;
		keep_record(self);
		self->loc = to ? strtoull(to + (*to == ':' ? 1 : 4), NULL, 16) : self->loc;
	} else if (strncmp(op, "remember_state", 14) == 0) {
		if (self->remembered_cnt < REMEMBERED_MAX)
			self->remembered[self->remembered_cnt++] = self->state;
	} else if (strncmp(op, "restore_state", 13) == 0) {
		if (self->remembered_cnt > 0)
			self->state = self->remembered[--self->remembered_cnt];
	} else if (strncmp(op, "def_cfa_expression", 18) == 0) {
		copy_expr(self->state.cfa, op, false);
	} else if (strncmp(op, "def_cfa_offset", 14) == 0) {
		return;
	} else if (strncmp(op, "def_cfa", 7) == 0) {
		memset(self->state.cfa, 0, EXPR_BYTES);
	} else if (colon && sscanf(colon, ": r%u", &reg) == 1) {
		read_register_op(self, op, reg);
	}
}

static void begin_entry(struct words *self, uint64_t off, const char *fde)
{
	uint64_t cie_off;

	end_program(self);
	memset(&self->initial, 0, sizeof(self->initial));
	if (!fde) {
		if (vec_room(self->cies, self->cie_cnt + 1, self->cie_cap, RECORDS_MAX))
			abort();
		self->cies[self->cie_cnt++].off = off;
		self->in_cie = true;
		return;
	}
	if (sscanf(fde, "FDE cie=%" SCNx64 " pc=%" SCNx64, &cie_off, &self->loc) != 2)
		return;
	self->fde_no++;
	for (size_t i = 0; i < self->cie_cnt; i++)
		if (self->cies[i].off == cie_off)
			self->initial = self->cies[i].state;
	self->state = self->initial;
}

struct words *words__read(const char *file)
{
	struct words *self = calloc(1, sizeof(*self));
	struct readelf readelf;
	const char *line, *at;

	if (!self)
		abort();
	readelf__begin(&readelf, "-wNf", file);
	while ((line = readelf__line(&readelf))) {
		if (strncmp(line, "Contents of the ", 16) == 0) {
			end_program(self);
			self->cie_cnt = 0;
		} else if (strncmp(line, "  DW_CFA_", 9) == 0) {
			read_op(self, line + 9);
		} else if (line[0] != ' ' && strstr(line, " CIE")) {
			begin_entry(self, strtoull(line, NULL, 16), NULL);
		} else if (line[0] != ' ' && (at = strstr(line, "FDE cie="))) {
			begin_entry(self, 0, at);
		}
	}
	end_program(self);
	readelf__end(&readelf);
	return self;
}

void words__free(struct words *self)
{
	if (!self)
		return;
	free(self->records);
	free(self->cies);
	free(self);
}

const struct word_state *words__find(const struct words *self, uint32_t fde_no, uint64_t loc)
{
	const struct word_state *found = NULL;
	size_t low = 0, high = self->cnt;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (self->records[mid].fde_no < fde_no)
			low = mid + 1;
		else
			high = mid;
	}
	/* the last one at a location counts: an advance by 0 comes before it */
	for (; low < self->cnt && self->records[low].fde_no == fde_no; low++)
		if (self->records[low].loc == loc)
			found = &self->records[low].state;
	return found;
}
