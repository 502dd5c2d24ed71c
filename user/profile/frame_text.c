/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A frame's text for people. What has no name says where it lies in its file; an address is never shown,
 * since it means nothing in another run and gives away where the kernel lies.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "pp/base/err.h"
#include "pp/profile.h"

static const char *module_name(const struct profile *self, uint32_t module)
{
	const char *path = intern__str(self->strings, self->modules[module].path);
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

char *profile_frame__text(const struct profile *self, uint32_t frame, char *text, size_t text_bytes)
{
	const struct profile_frame *f;

	pp_assert(frame < self->frame_cnt && text_bytes > 0);
	f = &self->frames[frame];
	if (f->name)
		snprintf(text, text_bytes, "%s", intern__str(self->strings, f->name));
	else if (f->kind == FRAME_ANON)
		snprintf(text, text_bytes, "[anon]");
	else if (f->kind == FRAME_VDSO)
		snprintf(text, text_bytes, "[vdso]+0x%" PRIx64, f->off);
	else if (f->kind == FRAME_NATIVE && f->module)
		snprintf(text, text_bytes, "%s+0x%" PRIx64, module_name(self, f->module), f->off);
	else
		snprintf(text, text_bytes, "[unknown]");
	return text;
}
