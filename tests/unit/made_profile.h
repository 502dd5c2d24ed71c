/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef MADE_PROFILE_H
#define MADE_PROFILE_H
/*
 * Profiles made by hand for the encoders' tests: frames by name, stacks leaf first, and one small profile
 * with a sample of everything that a format must cope with. Not a test.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "pp/profile.h"

/* Modules are never merged by the profile; here a path is one file. */
static inline uint32_t made_module(struct profile *profile, const char *path)
{
	uint32_t module;

	for (module = 0; module < profile->module_cnt; module++) {
		if (!strcmp(intern__str(profile->strings, profile->modules[module].path), path))
			return module;
	}
	assert_int_equal(profile__module(profile, path, "", &module), 0);
	return module;
}

static inline uint32_t made_frame(struct profile *profile, enum profile_frame_kind kind,
				  const char *module_path, uint64_t off, const char *name)
{
	uint32_t frame, module = module_path ? made_module(profile, module_path) : 0;

	assert_int_equal(profile__frame(profile, kind, module, off, true, &frame), 0);
	if (name)
		assert_int_equal(profile__string(profile, name, &profile->frames[frame].name), 0);
	return frame;
}

static inline void made_sample(struct profile *profile, uint32_t pid, const char *comm,
			       const uint32_t *leaf_first, uint32_t depth, uint32_t kernel_depth,
			       enum profile_stack_end end, uint64_t weight)
{
	uint32_t process, stack;

	assert_int_equal(profile__process(profile, pid, 0, pid * 1000, comm, &process), 0);
	assert_int_equal(profile__stack(profile, leaf_first, depth, kernel_depth, &stack), 0);
	assert_int_equal(profile__add(profile, process, comm, 0, stack, end, weight), 0);
	profile->account.accepted += weight;
}

static inline void made_account(struct profile *profile, uint64_t idle, uint64_t full,
				uint64_t missed)
{
	struct profile_account *account = &profile->account;

	profile_account__filtered(account, "idle", idle);
	profile_account__lost(account, "maps_full", full);
	account->missed = missed;
	account->taken = account->accepted + account->filtered + account->lost;
	account->expected = account->taken + missed;
}

static inline void made_meta(struct profile *profile)
{
	struct profile_meta *meta = &profile->meta;

	assert_int_equal(profile__string(profile, "cpu-clock", &meta->event), 0);
	assert_int_equal(profile__string(profile, "cpu-clock (software)", &meta->clock), 0);
	assert_int_equal(profile__string(profile, "node-7", &meta->hostname), 0);
	meta->start_real_ns = 1795357586000000000ull; /* 2026-11-22T14:26:26 */
	meta->end_real_ns = 1795357596000000000ull;
	meta->duration_ns = 10000000000ull;
	meta->rate_hz = 99;
	meta->cpu_cnt = 2;
	meta->kernel_ns_per_sample = 1500;
	meta->user_cpu_ns = 25000000;
	meta->rss_peak_bytes = 9 << 20;
	meta->busy_pct = 12.5;
	meta->mem_pct = 41;
	meta->tables = (struct profile_tables){
		.on = 1,
		.files = 3,
		.pages = 17,
		.rows = 12345,
		.bytes = 50176,
		.kernel_bytes = 2 << 20,
		.pages_converted = 5,
		.pages_from_cache = 12,
		.pages_refused = 4,
		.rules_refused = 2,
		.convert_ns = 1234567,
	};
}

/* Kernel, native, unnamed, anonymous and vdso frames; broken, missing and unstored stacks. */
static inline struct profile *made_small(void)
{
	struct profile *profile = NULL;
	uint32_t start, main_at_10, main_at_20, work, sys, ksys, unnamed, anon, vdso,
		kernel_unknown;

	assert_int_equal(profile__new(&profile), 0);
	start = made_frame(profile, FRAME_NATIVE, "/usr/bin/myapp", 1, "_start");
	main_at_10 = made_frame(profile, FRAME_NATIVE, "/usr/bin/myapp", 0x10, "main");
	main_at_20 = made_frame(profile, FRAME_NATIVE, "/usr/bin/myapp", 0x20, "main");
	work = made_frame(profile, FRAME_NATIVE, "/usr/bin/myapp", 0x30, "work");
	unnamed = made_frame(profile, FRAME_NATIVE, "/usr/lib/libfoo.so.1", 0xabc, NULL);
	anon = made_frame(profile, FRAME_ANON, NULL, 0x7f0000001000, NULL);
	vdso = made_frame(profile, FRAME_VDSO, "[vdso]", 0x5d0, "__vdso_clock_gettime");
	sys = made_frame(profile, FRAME_KERNEL, NULL, 0xffffffff81000000, "do_syscall_64");
	ksys = made_frame(profile, FRAME_KERNEL, NULL, 0xffffffff81000100, "ksys_read");
	kernel_unknown = made_frame(profile, FRAME_KERNEL, NULL, 0xffffffffc0000000, NULL);

	made_sample(profile, 10, "myapp", (uint32_t[]){ ksys, sys, work, main_at_10, start }, 5, 2,
		    STACK_END_COMPLETE, 7);
	made_sample(profile, 10, "myapp", (uint32_t[]){ work, main_at_10, start }, 3, 0,
		    STACK_END_COMPLETE, 3);
	made_sample(profile, 11, "myapp", (uint32_t[]){ work, main_at_20, start }, 3, 0,
		    STACK_END_COMPLETE, 4);
	made_sample(profile, 12, "nginx", (uint32_t[]){ unnamed }, 1, 0, STACK_END_NO_FRAME_POINTER,
		    2);
	assert_int_equal(profile__string(profile, "web", &profile->processes[2].container), 0);
	made_sample(profile, 13, "jit", (uint32_t[]){ anon, vdso }, 2, 0, STACK_END_TRUNCATED, 1);
	made_sample(profile, 2, "kthreadd", (uint32_t[]){ kernel_unknown }, 1, 1, STACK_END_NONE,
		    5);
	made_sample(profile, 14, "gone", NULL, 0, 0, STACK_END_NONE, 1);
	made_sample(profile, 15, "full", NULL, 0, 0, STACK_END_NOT_STORED, 6);
	made_sample(profile, 16, "</script>;#\n\xff", (uint32_t[]){ main_at_10 }, 1, 0,
		    STACK_END_COMPLETE, 8);
	made_account(profile, 100, 3, 2);
	made_meta(profile);
	assert_int_equal(profile__check(profile), 0);
	return profile;
}

#endif
