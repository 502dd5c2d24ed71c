/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Any registers, rules and stack: a walk ends, within its memory, and many frames at once are those of single steps. */
/* FUZZ_CFLAGS: -Itests/bpf/fake -Itests/bpf -Ibpf -Wno-unknown-pragmas -Wno-missing-prototypes -Wno-pointer-arith -Wno-ignored-attributes -Wno-unknown-attributes -fno-strict-aliasing */
#include "../bpf/fake_kernel.c"
#include "../bpf/host_sampler.c"
#undef RULE_BY_FP /* of bpf/frames.bpf.h; another in user/unwind */
#include "made_process.h"

#define RULES_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	uint64_t rules[RULES_MAX] = { 0 };
	struct host_sample by_steps;
	size_t head = sizeof(made.regs.regs) + 1 + sizeof(rules);

	if (len < head)
		return 0;
	made__begin();
	memcpy(made.regs.regs, data, sizeof(made.regs.regs));
	memcpy(rules, data + sizeof(made.regs.regs), sizeof(rules));
	made.regs.ip = in_function(data[head - 1]);
	memcpy(made.stack, data + head, len - head < STACK_BYTES ? len - head : STACK_BYTES);
	made__set_rules(rules, RULES_MAX);
	host__sample_by_steps(&made.regs, &by_steps);
	host__sample(&made.regs, &made.sample);
	pp_assert(made.sample.depth && made.sample.depth <= PP_USER_FRAMES_MAX);
	pp_assert(made.sample.depth == by_steps.depth && made.sample.end == by_steps.end);
	pp_assert(!memcmp(made.sample.frames, by_steps.frames, by_steps.depth * 8));
	return 0;
}
