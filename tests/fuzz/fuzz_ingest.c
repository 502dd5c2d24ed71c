/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A profile as an agent uploads it: whatever is accepted makes a profile whose arithmetic holds, and its
 * stored lines are read back without a bad one.
 */
#include "../../user/studio/check.c"
#include "../../user/studio/collapsed.c"
#include "../../user/studio/ingest.c"
#include "pp/base/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct json_object *detail = NULL;
	struct profile *profile = NULL;
	struct upload upload;
	const char *why = "";
	int err;

	if (!upload__parse(&upload, (const char *)data, len, &detail, &why) &&
	    !profile__new(&profile)) {
		err = collapsed__to_profile(upload.lines.data ? upload.lines.data : "",
					    upload.lines.len, profile);
		pp_assert(!err || err == -E2BIG);
		pp_assert(err || (!profile__check(profile) &&
				  profile->account.accepted == upload.samples));
	}
	profile__free(profile);
	json__put(detail);
	upload__clear(&upload);
	return 0;
}
