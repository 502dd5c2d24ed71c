/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Walks the stacks of a running process or of a core dump with the sampler's own code and with libdw, and
 * compares them frame by frame: compare PID [SNAPSHOTS [STEPS]] | compare CORE. A snapshot stops all threads
 * where they are, then follows one for so many instructions. What differs is printed; the last line has counts:
 *
 * equal        the same frames and the same end
 * theirs_ends  the same frames up to where libdw gave up; ours may go on
 * theirs_lost  the same frames up to one from where libdw has no rule and guesses by rbp (ours has a stub's), goes
 *              on into what is no code, or does not see that a signal interrupted (Go's .debug_frame)
 * bottom       the same frames; ours is complete one frame before theirs (Go's mstart, below it clone's child)
 * guessed      the same frames, at least up to one that ours found by frame pointer, and says so (jit: in
 *              anonymous code)
 * cut          ours has PP_USER_FRAMES_MAX frames, the same ones
 * ours_ends    ours gave up where libdw went on: a defect, or a marked end with a reason
 * different    a frame that is not the same: a defect; the exit status is 1
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "pp/base/cleanup.h"
#include "pp/base/err.h"
#include "pp/base/sysroot.h"
#include "reference.h"
#include "walker.h"

#define SHOWN_MAX 6
#define STEPS_MAX 1000

#define VERDICTS(X) \
	X(equal)    \
	X(theirs_ends) X(theirs_lost) X(bottom) X(guessed) X(jit) X(cut) X(ours_ends) X(different)
enum verdict {
#define X(name) verdict_##name,
	VERDICTS(X)
#undef X
		VERDICT_CNT
};
static const char *const verdict_names[] = {
#define X(name) #name,
	VERDICTS(X)
#undef X
};

struct run {
	struct target target;
	struct walker *walker;
	struct reference *reference;
	uint64_t stacks;
	uint64_t frames; /* that were compared and equal */
	uint64_t complete;
	uint64_t verdicts[VERDICT_CNT];
};

static void show_frame(struct run *self, const char *who, uint32_t i, uint64_t frame)
{
	uint64_t vaddr;
	const char *module = reference__module(self->reference, frame & PP_FRAME_ADDR, &vaddr);

	printf("#   %s %3u %#" PRIx64 " %s %#" PRIx64 "%s%s\n", who, i,
	       (uint64_t)(frame & PP_FRAME_ADDR), module, vaddr,
	       frame & PP_FRAME_EXACT ? " exact" : "", frame & PP_FRAME_GUESSED ? " guessed" : "");
}

/* The frames around the first that is not the same. */
static void show(struct run *self, const struct target_thread *thread, enum verdict verdict,
		 uint32_t same, const struct host_sample *ours,
		 const struct reference_stack *theirs)
{
	uint32_t first = same > 3 ? same - 3 : 0;

	if (self->verdicts[verdict] > SHOWN_MAX)
		return;
	printf("# %s: thread %d, %u frames are the same; ours %u, end %u flags %#x; theirs %u, %s\n",
	       verdict_names[verdict], thread->tid, same, ours->depth, ours->end & PP_END_MASK,
	       ours->end & ~PP_END_MASK, theirs->depth,
	       theirs->is_whole ? "whole" :
	       theirs->error	? theirs->error :
				  "cut");
	printf("#   rip %#" PRIx64 " rsp %#" PRIx64 " rbp %#" PRIx64 "\n", thread->regs.ip,
	       thread->regs.regs[7], thread->regs.regs[6]);
	for (uint32_t i = first; i < ours->depth && i < same + 3; i++)
		show_frame(self, "ours  ", i, ours->frames[i]);
	for (uint32_t i = first; i < theirs->depth && i < same + 3; i++)
		show_frame(self, "theirs", i,
			   theirs->frames[i] | (theirs->is_exact[i] && i ? PP_FRAME_EXACT : 0));
}

/* libdw calls a signal's trampoline exact too; the C library's is prepared for either. */
static bool is_same(const struct host_sample *ours, const struct reference_stack *theirs,
		    uint32_t i)
{
	bool is_exact = i == 0 || (ours->frames[i] & PP_FRAME_EXACT);
	bool is_trampoline = i + 1 < ours->depth && (ours->frames[i + 1] & PP_FRAME_EXACT);

	return (ours->frames[i] & PP_FRAME_ADDR) == theirs->frames[i] &&
	       (is_exact == theirs->is_exact[i] || is_trampoline);
}

/* Does code at addr return from a signal handler: mov $15, %eax (or the longer form), syscall? */
static bool is_sigreturn(struct run *self, uint64_t addr)
{
	static const uint8_t forms[2][9] = { { 0x48, 0xc7, 0xc0, 15, 0, 0, 0, 0x0f, 0x05 },
					     { 0xb8, 15, 0, 0, 0, 0x0f, 0x05 } };
	uint8_t code[9];

	return !target__read(&self->target, addr, code, sizeof(code)) &&
	       (!memcmp(code, forms[0], 9) || !memcmp(code, forms[1], 7));
}

static bool is_code(const struct run *self, uint64_t addr)
{
	for (uint32_t i = 0; i < self->target.mapping_cnt; i++)
		if (addr >= self->target.mappings[i].start_addr &&
		    addr < self->target.mappings[i].end_addr)
			return true;
	return false;
}

/* same: > 0, the number of frames up to where they part. */
static bool is_lost(struct run *self, const struct host_sample *ours,
		    const struct reference_stack *theirs, uint32_t same)
{
	uint64_t last = theirs->frames[same - 1];

	if (!reference__has_rule(self->reference, last - !theirs->is_exact[same - 1]))
		return true;
	if (same < ours->depth && (ours->frames[same] & PP_FRAME_EXACT))
		return is_sigreturn(self, last);
	return same == ours->depth && same < theirs->depth &&
	       !is_code(self, theirs->frames[theirs->depth - 1]);
}

/* Once a frame was found by frame pointer, nobody vouches for what follows. */
static enum verdict judge(struct run *self, const struct host_sample *ours,
			  const struct reference_stack *theirs, uint32_t *ret_same)
{
	uint32_t both = min_of(ours->depth, theirs->depth), same = 0;
	uint32_t end = ours->end & PP_END_MASK;
	bool is_guess = false;

	while (same < both && is_same(ours, theirs, same))
		is_guess |= !!(ours->frames[same++] & PP_FRAME_GUESSED);
	*ret_same = same;
	is_guess |= same < ours->depth ? !!(ours->frames[same] & PP_FRAME_GUESSED) :
					 end == PP_END_FP_ZERO || end == PP_END_FP_OUTSIDE;
	if (end == PP_END_COMPLETE && same == ours->depth && same == theirs->depth)
		return verdict_equal; /* where libdw sees no rule it says so by an error */
	if (end == PP_END_FRAMES_MAX && same == ours->depth)
		return verdict_cut;
	if (is_guess)
		return ours->end & PP_WALK_JIT ? verdict_jit : verdict_guessed;
	if (same && is_lost(self, ours, theirs, same))
		return verdict_theirs_lost;
	if (same < both)
		return verdict_different;
	if (ours->depth > theirs->depth)
		return theirs->is_whole ? verdict_different : verdict_theirs_ends;
	if (end != PP_END_COMPLETE)
		return same < theirs->depth || theirs->is_whole ? verdict_ours_ends :
								  verdict_theirs_ends;
	return theirs->depth == ours->depth + 1 && !theirs->error ? verdict_bottom :
								    verdict_different;
}

static void compare(struct run *self, const struct target_thread *thread)
{
	static struct reference_stack theirs;
	static struct host_sample ours;
	enum verdict verdict;
	uint32_t same;

	walker__walk(self->walker, thread, &ours);
	reference__walk(self->reference, thread, &theirs);
	verdict = judge(self, &ours, &theirs, &same);
	self->stacks++;
	self->frames += same;
	self->complete += ours.end == PP_END_COMPLETE;
	self->verdicts[verdict]++;
	if (verdict == verdict_different || verdict == verdict_ours_ends ||
	    getenv("COMPARE_SHOWS_ALL"))
		show(self, thread, verdict, same, &ours, &theirs);
}

/* Threads that have not moved are not compared again. */
static bool has_moved(struct target_thread *thread)
{
	bool moved = thread->last_ip != thread->regs.ip || thread->last_sp != thread->regs.regs[7];

	thread->last_ip = thread->regs.ip;
	thread->last_sp = thread->regs.regs[7];
	return moved;
}

static int refresh(struct run *self)
{
	int changed = walker__refresh(self->walker);

	return changed > 0 ? reference__refresh(self->reference) : changed;
}

static int snapshot(struct run *self, int steps)
{
	struct target_thread *followed = NULL;
	uint32_t moved = 0;
	int err = target__stop(&self->target);

	if (!err)
		err = refresh(self);
	for (size_t i = 0; i < self->target.thread_cnt && !err; i++) {
		struct target_thread *thread = &self->target.threads[i];

		if (!has_moved(thread))
			continue;
		compare(self, thread);
		if (target__can_step(&self->target, thread) && random() % ++moved == 0)
			followed = thread;
	}
	for (int i = 0; i < STEPS_MAX && steps && followed && !err; i++) {
		if (!target__can_step(&self->target, followed) ||
		    target__step(&self->target, followed))
			break;
		if (!has_moved(followed)) /* rep ... */
			continue;
		compare(self, followed);
		steps--;
	}
	target__go(&self->target);
	return err;
}

static int run_live(struct run *self, const struct sysroot *root, pid_t pid, int snapshots,
		    int steps)
{
	int err = target__attach(&self->target, root, pid);

	for (int i = 0; i < snapshots && !err; i++) {
		struct timespec pause = { .tv_nsec = random() % 3000000 };

		if (!i) {
			err = target__stop(&self->target);
			if (!err)
				err = walker__new(&self->target, root, &self->walker);
			if (!err)
				err = reference__new(&self->target, &self->reference);
			target__go(&self->target);
		}
		(void)nanosleep(&pause, NULL);
		if (!err)
			err = snapshot(self, steps);
	}
	return err;
}

static int run_core(struct run *self, const struct sysroot *root, const char *path)
{
	int err = target__open_core(&self->target, path);

	if (!err)
		err = walker__new(&self->target, root, &self->walker);
	if (!err)
		err = reference__new(&self->target, &self->reference);
	if (!err)
		err = refresh(self);
	for (size_t i = 0; i < self->target.thread_cnt && !err; i++)
		compare(self, &self->target.threads[i]);
	return err;
}

static void print_counts(const struct run *self)
{
	printf("stacks %" PRIu64 " frames %" PRIu64 " complete %" PRIu64, self->stacks,
	       self->frames, self->complete);
	for (int i = 0; i < VERDICT_CNT; i++)
		printf(" %s %" PRIu64, verdict_names[i], self->verdicts[i]);
	printf(" pages_asked %" PRIu64 " user_reads %" PRIu64 "\n",
	       walker__pages_asked(self->walker), fake_kernel.reads);
}

int main(int argc, char **argv)
{
	static struct run run;
	struct sysroot root;
	int err;

	if (argc < 2 || sysroot__open_root(&root, "/"))
		return 2;
	srandom(1);
	if (strspn(argv[1], "0123456789") == strlen(argv[1]))
		err = run_live(&run, &root, atoi(argv[1]), argc > 2 ? atoi(argv[2]) : 100,
			       argc > 3 ? atoi(argv[3]) : 20);
	else
		err = run_core(&run, &root, argv[1]);
	if (run.walker)
		print_counts(&run);
	if (err)
		printf("# %s: %s\n", argv[1], errname(err));
	reference__free(run.reference);
	walker__free(run.walker);
	target__close(&run.target);
	sysroot__close(&root);
	return !run.stacks || (err && err != -ESRCH) || run.verdicts[verdict_different];
}
