/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_PROFILE_ACCOUNT_H
#define PP_PROFILE_ACCOUNT_H
/*
 * What is said about a whole run: where its samples went, and how, when and at what cost it was made.
 * Part of the door of profile (profile.h includes it). Always true of a finished profile:
 * expected = taken + missed, taken = accepted + filtered + lost, and the reasons add up.
 */
#include <stdint.h>

#define PROFILE_REASONS_MAX 16
struct profile_reason {
	const char *name; /* static: a counter's name, "idle" ... */
	uint64_t cnt;
};

struct profile_account {
	uint64_t expected;
	uint64_t missed; /* what the kernel did not deliver */
	uint64_t missed_idle; /* of these, on idle CPUs, by the kernel's idle time: nothing is lost there */
	uint64_t taken;
	uint64_t accepted;
	uint64_t filtered;
	uint64_t lost;
	struct profile_reason filtered_by[PROFILE_REASONS_MAX];
	struct profile_reason lost_by[PROFILE_REASONS_MAX];
	uint32_t filtered_by_cnt;
	uint32_t lost_by_cnt;
};

/* The unwind tables in the kernel, at the end of the run; the second part: in it. */
struct profile_tables {
	uint8_t on; /* 0: frame pointers only */
	uint8_t pad[3];
	uint32_t files;
	uint32_t pages; /* of 64 KiB of code, with rows */
	int32_t off_err; /* why it is not on: -errno, 0 if it is */
	uint64_t rows;
	uint64_t bytes; /* of rows */
	uint64_t kernel_bytes; /* taken for rows */
	uint64_t pages_converted;
	uint64_t pages_from_cache;
	uint64_t pages_evicted;
	uint64_t pages_failed;
	uint64_t pages_refused; /* no room beside what is in use: frame pointers there */
	uint64_t ranges_refused; /* no room for them: frame pointers only */
	uint64_t rules_refused; /* no room for one more kind of row: its page is not loaded */
	uint64_t convert_ns;
};

/* Said about the whole run. Strings are owned by the profile (intern ids). */
struct profile_meta {
	uint64_t start_real_ns;
	uint64_t end_real_ns;
	uint64_t duration_ns; /* monotonic */
	uint32_t rate_hz;
	uint32_t event; /* intern id: "cpu-clock", "cycles" */
	uint32_t clock; /* intern id: which clock made the samples, e.g. "cpu-clock (software)" */
	uint32_t hostname; /* intern id */
	uint32_t cpu_cnt;
	uint32_t kernel_ns_per_sample; /* measured by the sampler on itself; 0: none measured */
	uint32_t pad;
	uint64_t period; /* of an event that was asked for: a sample stands for so many; 0: samples of a clock */
	uint64_t user_cpu_ns; /* our own CPU time for this run */
	uint64_t rss_peak_bytes;
	double busy_pct; /* CPU time used on the host in the window, of all CPUs; < 0 unknown */
	double mem_pct; /* in use on the host, mean of a reading a second; < 0 unknown */
	struct profile_tables tables;
	uint8_t continuous;
	uint8_t interrupted; /* stopped before its planned end */
	uint8_t wants_lines; /* source lines and inlined functions were asked for */
	uint8_t pad2[5];
};

/* Sets one reason and adds to filtered or lost. */
void profile_account__filtered(struct profile_account *self, const char *name, uint64_t cnt);
void profile_account__lost(struct profile_account *self, const char *name, uint64_t cnt);

#endif
