/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The comments of a pprof profile: what the summary says, since the format has no place for it. Not its encoding.
 */
#include <inttypes.h>

#include "internal.h"
#include "pp/base/buf.h"
#include "pp/encode.h"
#include "pp/profile.h"

static void add_reasons(struct buf *out, const char *title, const struct profile_reason *reasons,
			uint32_t cnt)
{
	buf__puts(out, title);
	for (uint32_t i = 0; i < cnt; i++) {
		if (reasons[i].cnt)
			buf__printf(out, " %s %" PRIu64, reasons[i].name, reasons[i].cnt);
	}
	buf__putc(out, '\n');
}

/* What the summary says of where samples and names went. */
static void add_account(struct buf *out, const struct profile *profile)
{
	const struct profile_account *account = &profile->account;
	struct profile_reason ends[STACK_END_CNT], why[UNNAMED_CNT];
	struct profile_totals totals;

	profile__totals(profile, &totals);
	for (uint32_t i = 0; i < UNNAMED_CNT; i++)
		why[i] = (struct profile_reason){ profile_unnamed__name(i), totals.frames_by[i] };
	for (uint32_t i = 0; i < STACK_END_CNT; i++)
		ends[i] = (struct profile_reason){ profile_stack_end__name(i), totals.by_end[i] };
	buf__printf(out,
		    "samples: expected %" PRIu64 " missed %" PRIu64 " missed_idle %" PRIu64
		    " taken %" PRIu64 " accepted %" PRIu64 " filtered %" PRIu64 " lost %" PRIu64
		    "\n",
		    account->expected, account->missed, account->missed_idle, account->taken,
		    account->accepted, account->filtered, account->lost);
	add_reasons(out, "filtered_by:", account->filtered_by, account->filtered_by_cnt);
	add_reasons(out, "lost_by:", account->lost_by, account->lost_by_cnt);
	add_reasons(out, "user_stack_ends:", ends, STACK_END_CNT);
	buf__printf(out, "frames: distinct %u unnamed %" PRIu64 "\n", profile->frame_cnt,
		    totals.frames_unnamed);
	add_reasons(out, "frames_by_name:", why, UNNAMED_CNT);
}

int pprof_comments__append(const struct profile *profile, struct buf *out)
{
	const struct profile_meta *meta = &profile->meta;
	const struct intern *strings = profile->strings;

	buf__puts(out, "pulseprof " PP_VERSION " on ");
	encode__safe_text(intern__str(strings, meta->hostname),
			  intern__len(strings, meta->hostname), out);
	buf__printf(out, ": cpus %u rate_hz %u clock ", meta->cpu_cnt, meta->rate_hz);
	encode__safe_text(intern__str(strings, meta->clock), intern__len(strings, meta->clock),
			  out);
	buf__putc(out, '\n');
	add_account(out, profile);
	return out->err;
}
