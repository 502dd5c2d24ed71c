/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Names a finished profile: frames are sorted by module and place, each module becomes one job
 * (job.c), kernel frames one pass over kallsyms (kallsyms.c), and the answers go back into the frames.
 * A return address is looked up one byte earlier, inside its call: after a call that never returns it
 * would lie in the next function. Then stacks are cut where a caller that was found by frame pointer cannot
 * be one. Last, a stack whose outermost user frame lies in a known bottom is complete, however its walk
 * ended there. One module's tables are in memory at a time.
 */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pp/base/cleanup.h"
#include "pp/base/clock.h"
#include "pp/base/sysroot.h"
#include "pp/metrics.h"
#include "pp/proc.h"
#include "pp/profile.h"
#include "pp/profile_inlined.h"

/* A frame that asks for a name. */
struct question {
	uint32_t frame;
	uint32_t module; /* KERNEL_MODULE for kernel frames: they sort behind all */
	uint64_t off; /* to be looked up */
};

#define KERNEL_MODULE UINT32_MAX

struct naming {
	struct profile *profile;
	const struct proc_table *table;
	const struct sysroot *root;
	symbol_run_fn run;
	void *run_arg;
	uint64_t boot_real_ns; /* when the machine was started */
	struct question *questions;
	uint32_t cnt;
	uint64_t *offs; /* of one module, distinct */
	uint8_t *bottoms; /* enum symbol_bottom by frame */
	uint8_t *no_returns; /* by frame: guessed to be a return address, and is none */
};

static int compare_questions(const void *a, const void *b)
{
	const struct question *x = a, *y = b;

	if (x->module != y->module)
		return x->module < y->module ? -1 : 1;
	if (x->off != y->off)
		return x->off < y->off ? -1 : 1;
	return x->frame < y->frame ? -1 : x->frame > y->frame;
}

static void ask(struct naming *self)
{
	for (uint32_t i = 0; i < self->profile->frame_cnt; i++) {
		struct profile_frame *frame = &self->profile->frames[i];
		struct question *question = &self->questions[self->cnt];

		if (frame->name != 0)
			continue;
		if (frame->kind == FRAME_KERNEL)
			question->module = KERNEL_MODULE;
		else if (frame->module != 0)
			question->module = frame->module;
		else {
			frame->unnamed = frame->kind == FRAME_ANON ? UNNAMED_NO_MAP :
								     UNNAMED_NOT_MAPPED;
			continue;
		}
		question->frame = i;
		question->off = frame->off - (frame->is_return && frame->off > 0 ? 1 : 0);
		self->cnt++;
	}
	qsort(self->questions, self->cnt, sizeof(*self->questions), compare_questions);
}

/* The questions of one module, [from, to): fills offs with the distinct offsets. */
static uint32_t distinct_offs(struct naming *self, uint32_t from, uint32_t to)
{
	uint32_t cnt = 0;

	for (uint32_t i = from; i < to; i++)
		if (cnt == 0 || self->offs[cnt - 1] != self->questions[i].off)
			self->offs[cnt++] = self->questions[i].off;
	return cnt;
}

static int add_string(struct profile *profile, const char *text, uint32_t *ret_string)
{
	int err = *text ? profile__string(profile, text, ret_string) : 0;

	if (err || !*text)
		*ret_string = 0;
	return err == -ENOMEM ? err : 0; /* a full pool: unknown */
}

/* The line of a frame, and what is inlined there, from the outermost on. Places: the innermost first. */
static int answer_places(struct naming *self, uint32_t frame, const struct symbol_result *result,
			 uint32_t first)
{
	struct profile *profile = self->profile;
	uint32_t last = first, name, file;
	int err;

	while (!result->places[last].is_last)
		last++;
	err = add_string(profile, result->text + result->places[last].file, &file);
	profile->frames[frame].file = file;
	profile->frames[frame].line = result->places[last].line;
	while (!err && last-- > first) {
		const struct symbol_place *place = &result->places[last];

		err = add_string(profile, result->text + place->name, &name);
		if (!err)
			err = add_string(profile, result->text + place->file, &file);
		if (!err && name)
			err = profile__inlined(profile, frame, name, file, place->line, &frame);
	}
	return err == -E2BIG ? 0 : err;
}

/* Writes the answers into the frames of [from, to). */
static int answer(struct naming *self, uint32_t from, uint32_t to,
		  const struct symbol_result *result)
{
	uint32_t off_i = 0, last = 0, string = 0;

	for (uint32_t i = from; i < to; i++) {
		uint32_t frame = self->questions[i].frame, name;

		while (self->offs[off_i] != self->questions[i].off)
			off_i++;
		name = result->names[off_i];
		if (result->bottoms)
			self->bottoms[frame] = result->bottoms[off_i];
		if (result->no_returns)
			self->no_returns[frame] = self->profile->frames[frame].is_guessed &&
						  result->no_returns[off_i];
		if (result->places_of && result->places_of[off_i]) {
			int err = answer_places(self, frame, result, result->places_of[off_i] - 1);

			if (err)
				return err;
		}
		if (name == 0)
			continue;
		if (name != last) {
			int err = profile__string(self->profile, result->text + name, &string);

			if (err == -ENOMEM)
				return err;
			if (err) /* the profile's pool is full: this name stays unknown */
				string = 0;
			last = name;
		}
		self->profile->frames[frame].name = string;
	}
	return 0;
}

static int set_build_id(struct profile *profile, uint32_t module, const struct elf_build_id *id)
{
	static const char digits[] = "0123456789abcdef";
	char text[2 * ELF_BUILD_ID_BYTES + 1];
	int err;

	if (id->len == 0)
		return 0;
	for (uint32_t i = 0; i < id->len; i++) {
		text[2 * i] = digits[id->bytes[i] >> 4];
		text[2 * i + 1] = digits[id->bytes[i] & 15];
	}
	text[2 * id->len] = '\0';
	err = profile__string(profile, text, &profile->modules[module].build_id);
	return err == -ENOMEM ? err : 0;
}

/* What to ask about a module; false: nothing can be known of it. */
static bool fill_request(const struct naming *self, uint32_t module, struct symbol_request *request,
			 struct symbol_jit *jit)
{
	const struct proc_module *file = proc_table__module(self->table, module);

	*request = (struct symbol_request){
		.fd = file->fd,
		.vdso = file->kind == MAPPING_VDSO,
		.offs = self->offs,
		.host = self->root,
		.root_fd = file->root_fd,
		.path = file->path,
		.wants_places = self->profile->meta.wants_lines,
	};
	if (file->kind == MAPPING_ANON) {
		*jit = (struct symbol_jit){
			.ns_pid = file->jit.ns_pid,
			.uid = file->jit.uid,
			.start_real_ns = self->boot_real_ns + file->jit.start_boottime_ns,
			.is_java = file->jit.is_java,
		};
		request->jit = jit;
		request->fd = proc_table__module(self->table, file->jit.dump)->fd;
		return file->jit.start_boottime_ns != 0;
	}
	return module < self->profile->module_cnt && (file->fd >= 0 || request->vdso);
}

static enum profile_unnamed why_jit(const struct symbol_result *result)
{
	switch (result->err) {
	case 0: return UNNAMED_NOT_IN_MAP;
	case -ENOENT: return UNNAMED_NO_MAP;
	case -EPERM:
	case -ESTALE: return UNNAMED_MAP_REFUSED;
	default: return UNNAMED_UNREADABLE;
	}
}

static enum profile_unnamed why_file(const struct symbol_result *result)
{
	if (result->err)
		return UNNAMED_UNREADABLE;
	return result->has_symtab ? UNNAMED_NO_SYMBOL : UNNAMED_STRIPPED;
}

static void set_why(struct naming *self, uint32_t from, uint32_t to, enum profile_unnamed why)
{
	for (uint32_t i = from; i < to; i++)
		self->profile->frames[self->questions[i].frame].unnamed = (uint8_t)why;
}

static enum profile_unnamed why_not_asked(const struct proc_module *file)
{
	if (file->kind == MAPPING_ANON)
		return UNNAMED_NO_MAP;
	return file->err == -EACCES || file->err == -EBADMSG || file->err == -EMFILE ?
		       UNNAMED_UNREADABLE :
		       UNNAMED_FILE_GONE;
}

static int name_module(struct naming *self, uint32_t from, uint32_t to)
{
	uint32_t module = self->questions[from].module;
	struct symbol_request request;
	struct symbol_result result = { 0 };
	struct symbol_jit jit;
	int err;

	if (!fill_request(self, module, &request, &jit)) {
		set_why(self, from, to, why_not_asked(proc_table__module(self->table, module)));
		return 0;
	}
	request.off_cnt = distinct_offs(self, from, to);
	if (self->run && !request.vdso) /* ours is as good as anybody's */
		err = self->run(self->run_arg, &request, &result);
	else
		err = symbol_job__run(&request, &result);
	if (err)
		return err;
	set_why(self, from, to, request.jit ? why_jit(&result) : why_file(&result));
	if (result.err == -EBADMSG && !request.jit)
		metric__add(METRIC_ELF_DAMAGED, 1);
	if (result.places_err && result.places_err != -ENOENT)
		metric__add(METRIC_LINES_MISSING, 1);
	err = set_build_id(self->profile, module, &result.build_id);
	if (!err)
		err = answer(self, from, to, &result);
	symbol_result__clear(&result);
	return err;
}

static int name_kernel(struct naming *self, uint32_t from, uint32_t to, int *ret_kernel_err)
{
	struct symbol_result result = { 0 };
	int err;

	err = kallsyms__resolve(self->root, self->offs, distinct_offs(self, from, to), &result);
	if (err == -ENOMEM)
		return err;
	set_why(self, from, to, err ? UNNAMED_KERNEL_HIDDEN : UNNAMED_KERNEL_UNKNOWN);
	if (err) {
		*ret_kernel_err = err;
		return 0;
	}
	err = answer(self, from, to, &result);
	symbol_result__clear(&result);
	return err;
}

static int name_frames(struct naming *self, int *ret_kernel_err)
{
	uint32_t from = 0, to;
	int err = 0;

	for (; from < self->cnt && !err; from = to) {
		for (to = from + 1; to < self->cnt; to++)
			if (self->questions[to].module != self->questions[from].module)
				break;
		err = self->questions[from].module == KERNEL_MODULE ?
			      name_kernel(self, from, to, ret_kernel_err) :
			      name_module(self, from, to);
	}
	return err;
}

/*
 * A frame pointer walk through code that uses the register for something else finds numbers. Most are no
 * code; one that is code, but behind no call, is no return address either: there the stack is cut. The
 * inner frames were right, the outer ones never were.
 */
static bool cut_at_no_return(const struct naming *self, struct profile_stack *stack)
{
	for (uint32_t i = stack->kernel_depth + 1u; i < stack->depth; i++) {
		if (!self->no_returns[self->profile->stack_frames[stack->first + i]])
			continue;
		stack->depth = i;
		return true;
	}
	return false;
}

/* That code was made at run time, or that its table was still to come, says more than where it ended. */
static enum profile_stack_end end_when_cut(enum profile_stack_end end)
{
	switch (end) {
	case STACK_END_JIT:
	case STACK_END_JIT_CUT: return STACK_END_JIT_CUT;
	case STACK_END_NOT_LOADED: return STACK_END_NOT_LOADED;
	default: return STACK_END_BAD_RETURN;
	}
}

static void cut_stacks(const struct naming *self, uint8_t *is_cut)
{
	struct profile *profile = self->profile;

	for (uint32_t i = 0; i < profile->stack_cnt; i++)
		is_cut[i] = cut_at_no_return(self, &profile->stacks[i]);
	for (uint32_t i = 0; i < profile->sample_cnt; i++)
		if (is_cut[profile->samples[i].stack])
			profile->samples[i].end = end_when_cut(profile->samples[i].end);
}

static bool is_at_bottom(const struct naming *self, const struct profile_stack *stack)
{
	const struct profile *profile = self->profile;
	uint32_t frame;

	if (stack->depth <= stack->kernel_depth)
		return false;
	frame = profile->stack_frames[stack->first + stack->depth - 1];
	/* clone itself also runs in the parent: only what it called shows that this is the child */
	return self->bottoms[frame] == SYMBOL_BOTTOM_ENTRY ||
	       (self->bottoms[frame] == SYMBOL_BOTTOM_THREAD && profile->frames[frame].is_return);
}

/* A table that was missing, or mappings that changed: frames may be missing in between. */
static enum profile_stack_end end_at_bottom(enum profile_stack_end end)
{
	switch (end) {
	case STACK_END_NONE:
	case STACK_END_NOT_STORED:
	case STACK_END_NOT_LOADED:
	case STACK_END_STALE: return end;
	case STACK_END_JIT:
	case STACK_END_JIT_CUT: return STACK_END_JIT;
	default: return STACK_END_COMPLETE;
	}
}

static void mark_complete(const struct naming *self)
{
	struct profile *profile = self->profile;

	for (uint32_t i = 0; i < profile->sample_cnt; i++) {
		struct profile_sample *sample = &profile->samples[i];

		if (is_at_bottom(self, &profile->stacks[sample->stack]))
			sample->end = end_at_bottom(sample->end);
	}
}

static void count_unnamed(const struct naming *self)
{
	uint64_t unnamed = 0;

	for (uint32_t i = 0; i < self->cnt; i++)
		if (self->profile->frames[self->questions[i].frame].name == 0)
			unnamed++;
	metric__add(METRIC_FRAMES_UNNAMED, unnamed);
}

int symbolize__profile(struct profile *profile, const struct proc_table *table,
		       const struct sysroot *root, symbol_run_fn run, void *run_arg,
		       int *ret_kernel_err)
{
	size_t cnt = max_of(profile->frame_cnt, 1u);
	_auto_free_ struct question *questions = calloc(cnt, sizeof(*questions));
	_auto_free_ uint64_t *offs = calloc(cnt, sizeof(*offs));
	_auto_free_ uint8_t *bottoms = calloc(cnt, sizeof(*bottoms));
	_auto_free_ uint8_t *no_returns = calloc(cnt, sizeof(*no_returns));
	_auto_free_ uint8_t *is_cut = calloc(max_of(profile->stack_cnt, 1u), sizeof(*is_cut));
	struct naming naming = {
		.profile = profile,
		.table = table,
		.root = root,
		.run = run,
		.run_arg = run_arg,
		.boot_real_ns = clock_real_ns() - clock_boot_ns(),
		.questions = questions,
		.offs = offs,
		.bottoms = bottoms,
		.no_returns = no_returns,
	};
	int err, kernel_err = 0;

	if (!questions || !offs || !bottoms || !no_returns || !is_cut)
		return -ENOMEM;
	ask(&naming);
	err = name_frames(&naming, &kernel_err);
	if (err)
		return err;
	cut_stacks(&naming, is_cut);
	mark_complete(&naming);
	count_unnamed(&naming);
	err = profile->meta.wants_lines ? profile__expand_inlined(profile) : 0;
	if (err == -ENOMEM)
		return err;
	if (ret_kernel_err)
		*ret_kernel_err = kernel_err;
	return 0;
}
