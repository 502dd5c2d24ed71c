/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The wish as words of a command line, both ways. What is printed can be pasted into a shell and
 * gives the same wish again, whatever bytes a thread's name holds.
 */
#include "pp/spec.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "internal.h"
#include "pp/base/buf.h"

int spec_parse_digits(const char *text, size_t len, int64_t *ret_number)
{
	int64_t number = 0;

	if (len == 0 || len > 12)
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return -EINVAL;
		number = number * 10 + (text[i] - '0');
	}
	*ret_number = number;
	return 0;
}

int session_spec__set_rate(struct session_spec *self, const char *text, const char **ret_why)
{
	int64_t rate_hz;

	if (spec_parse_digits(text, strlen(text), &rate_hz))
		rate_hz = -1;
	return spec_set_rate_num(self, rate_hz, ret_why);
}

int session_spec__set_duration(struct session_spec *self, const char *text, const char **ret_why)
{
	size_t len = strlen(text);
	int64_t unit_s = 1, number;

	switch (len ? text[len - 1] : '\0') {
	case 's': len--; break;
	case 'm': unit_s = 60, len--; break;
	case 'h': unit_s = 3600, len--; break;
	default: break;
	}
	if (spec_parse_digits(text, len, &number))
		return spec_refuse(
			-EINVAL,
			"a duration is a whole number, of seconds or with s, m or h behind",
			ret_why);
	return spec_set_duration_num(self, number * unit_s, ret_why);
}

int session_spec__add_pid(struct session_spec *self, const char *text, const char **ret_why)
{
	int64_t pid;

	if (spec_parse_digits(text, strlen(text), &pid))
		pid = -1;
	return session_spec__add_pid_num(self, pid, ret_why);
}

static bool is_plain(const char *text)
{
	return text[0] != '-' &&
	       !text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				  "0123456789_./:@%+=-")];
}

/* Bytes that neither a terminal nor a log should see raw get bash's $'\xHH'. */
static void print_word(const char *text, struct buf *out)
{
	const unsigned char *s = (const unsigned char *)text;

	if (is_plain(text)) {
		buf__puts(out, text);
		return;
	}
	buf__puts(out, "$'");
	for (; *s; s++) {
		if (*s == '\'' || *s == '\\')
			buf__printf(out, "\\%c", *s);
		else if (*s < 0x20 || *s >= 0x7f)
			buf__printf(out, "\\x%02x", *s);
		else
			buf__putc(out, (char)*s);
	}
	buf__putc(out, '\'');
}

int session_spec__print_words(const struct session_spec *self, struct buf *out)
{
	buf__printf(out, "--rate %u", self->rate_hz);
	if (self->duration_s)
		buf__printf(out, " --duration %u", self->duration_s);
	if (self->continuous)
		buf__puts(out, " --continuous");
	if (self->idle)
		buf__puts(out, " --idle");
	if (self->children)
		buf__puts(out, " --children");
	if (self->inlined)
		buf__puts(out, " --inline");
	if (self->counters)
		buf__puts(out, " --counters");
	if (self->event[0])
		buf__printf(out, " --event %s", self->event);
	for (uint32_t i = 0; i < self->pid_cnt; i++)
		buf__printf(out, " --pid %u", self->pids[i]);
	for (uint32_t i = 0; i < self->comm_cnt; i++) {
		/* With '=' a name that begins with a minus stays a name. */
		buf__puts(out, self->comms[i][0] == '-' ? " --comm=" : " --comm ");
		print_word(self->comms[i], out);
	}
	for (uint32_t i = 0; i < self->cgroup_cnt; i++) {
		buf__puts(out, " --cgroup ");
		print_word(self->cgroups[i], out);
	}
	for (uint32_t i = 0; i < self->group_cnt; i++) {
		size_t len = strcspn(self->groups[i], ":");

		buf__printf(out, " --%.*s%s", (int)len, self->groups[i],
			    self->groups[i][len + 1] == '-' ? "=" : " ");
		print_word(self->groups[i] + len + 1, out);
	}
	return out->err;
}
