/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * From a parcel to upload bodies. A body has limits on its way (load balancer, web app, indexer), so a
 * parcel may have to go in pieces: each is a whole profile file with the header and times of all, and the
 * samples of all pieces add up to the parcel's. Where the cuts are depends on the stacks only, not on how
 * many cuts there are. The wire knows no pids: a process is what has one container and thread name.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "pp/base/buf.h"
#include "pp/base/cleanup.h"
#include "pp/base/err.h"
#include "pp/base/json.h"
#include "pp/encode.h"

/* So far behind its place a cut looks for the end of a process. */
#define LOOK_AHEAD_BYTES 65536

/* A parcel's text taken apart; all borrowed but the two objects. */
struct parcel {
	struct json_object *json; /* owned; body and header live in it */
	struct json_object *body, *header;
	const char *page; /* as JSON, also null */
	size_t page_len;
	const char *stacks;
	size_t stacks_len;
};

static void parcel__clear(struct parcel *self)
{
	json__put(self->json);
}

/* The page was quoted by us; what is looked at here is only that it cannot end the header's line early. */
static bool is_page(const char *text, size_t len)
{
	if (len == 4 && !memcmp(text, "null", 4))
		return true;
	return len >= 2 && text[0] == '"' && text[len - 1] == '"' && !memchr(text, '\0', len);
}

static int parcel__open(struct parcel *self, const char *text, size_t len)
{
	const char *end = text + len;
	const char *page = memchr(text, '\n', len);
	const char *stacks = page ? memchr(page + 1, '\n', (size_t)(end - page - 1)) : NULL;
	int err;

	if (!stacks)
		return -EBADMSG;
	err = json__parse(text, (size_t)(page - text), &self->json);
	if (err)
		return err;
	self->page = page + 1;
	self->page_len = (size_t)(stacks - self->page);
	self->stacks = stacks + 1;
	self->stacks_len = (size_t)(end - self->stacks);
	if (json__get_object(self->json, PARCEL_BODY, &self->body) ||
	    json__get_object(self->json, PARCEL_HEADER, &self->header) || !json__len(self->body) ||
	    !is_page(self->page, self->page_len))
		return -EBADMSG;
	return 0;
}

/* Index, container and thread name of a line: up to its third semicolon, or all of it. */
static size_t process_len(const char *line, const char *end)
{
	const char *stop = memchr(line, '\n', (size_t)(end - line));
	const char *at = line;

	if (!stop)
		stop = end;
	for (int i = 0; i < 3; i++) {
		at = memchr(at, ';', (size_t)(stop - at));
		if (!at)
			return (size_t)(stop - line);
		at++;
	}
	return (size_t)(at - line);
}

static bool is_same_process(const char *a, const char *b, const char *end)
{
	size_t len = process_len(a, end);

	return len == process_len(b, end) && !memcmp(a, b, len);
}

/* The first beginning of a line at off or behind it; the end if there is none. */
static size_t next_line(const struct parcel *self, size_t off)
{
	const char *found;

	if (!off || off >= self->stacks_len)
		return off ? self->stacks_len : 0;
	found = memchr(self->stacks + off - 1, '\n', self->stacks_len - off + 1);
	return found ? (size_t)(found + 1 - self->stacks) : self->stacks_len;
}

/* Where a cut at off really goes: before the next process if that is near, else before the next line. */
static size_t cut_at(const struct parcel *self, size_t off)
{
	const char *end = self->stacks + self->stacks_len;
	size_t first = next_line(self, off), at = first;

	while (at < self->stacks_len && at - first < LOOK_AHEAD_BYTES) {
		const char *newline = at ? self->stacks + at - 1 : NULL;
		const char *before = newline ? memrchr(self->stacks, '\n', at - 1) : NULL;

		if (!newline)
			return at;
		before = before ? before + 1 : self->stacks;
		if (!is_same_process(before, self->stacks + at, end))
			return at;
		at = next_line(self, at + 1);
	}
	return first;
}

static size_t piece_off(const struct parcel *self, uint32_t i, uint32_t cnt)
{
	/* 2i of 2cnt is i of cnt, to the byte. */
	return i < cnt ? cut_at(self, (uint64_t)self->stacks_len * i / cnt) : self->stacks_len;
}

/* Every line has a count; that of a damaged file may not. */
static int add_up(const char *text, size_t len, uint64_t *ret_samples)
{
	const char *end = text + len;
	uint64_t samples = 0;

	while (text < end) {
		const char *stop = memchr(text, '\n', (size_t)(end - text));
		const char *blank;
		uint64_t cnt = 0;

		if (!stop)
			stop = end;
		blank = memrchr(text, ' ', (size_t)(stop - text));
		if (!blank || blank + 1 == stop || stop - blank > 11)
			return -EBADMSG;
		for (const char *digit = blank + 1; digit < stop; digit++) {
			if (*digit < '0' || *digit > '9')
				return -EBADMSG;
			cnt = cnt * 10 + (uint64_t)(*digit - '0');
		}
		samples += cnt;
		text = stop + 1;
	}
	*ret_samples = samples;
	return 0;
}

static int tell_piece(const struct parcel *self, const struct encode_piece *piece, uint64_t samples)
{
	struct json_object *own, *part;
	int err = json__get_object(self->header, PARCEL_OWN, &own);

	if (err == -ENOENT) {
		own = json__new_object();
		err = own ? json__add(self->header, PARCEL_OWN, own) : -ENOMEM;
	}
	if (!err)
		err = json__add_u64(own, "samples", samples);
	if (err || piece->cnt == 1)
		return err;
	part = json__new_object();
	err = part ? json__add(own, "part", part) : -ENOMEM;
	if (!err)
		err = json__add_u64(part, "number", piece->index + 1);
	if (!err)
		err = json__add_u64(part, "of", piece->cnt);
	return err;
}

/* The profile file as a JSON string, written straight into the body. */
static int append_file(const struct parcel *self, const char *stacks, size_t stacks_len,
		       bool has_page, struct buf *out, struct encode_body_facts *facts)
{
	_auto_buf_ struct buf header;
	int err;

	buf__init(&header, ENCODE_SCRATCH_BYTES);
	buf__puts(&header, "# ");
	err = json__print(self->header, false, &header);
	if (err)
		return err;
	pp_assert(header.data[header.len - 1] == '}');
	header.len--;
	err = buf__puts(&header, ",\"flamegraph_html\":");
	if (err)
		return err;
	facts->page_bytes = has_page && self->page[0] == '"' ? self->page_len : 0;
	facts->stack_bytes = stacks_len;
	facts->file_bytes = header.len + (has_page ? self->page_len : 4) + 2 + stacks_len;
	buf__putc(out, '"');
	json_escape__append(out, header.data, header.len);
	json_escape__append(out, has_page ? self->page : "null", has_page ? self->page_len : 4);
	json_escape__append(out, "}\n", 2);
	/* The newline between two pieces belongs to none: a file does not end with one. */
	json_escape__append(out, stacks, stacks_len);
	return buf__putc(out, '"');
}

int encode__parcel_body(const char *parcel, size_t len, const struct encode_piece *piece,
			const char *gpid, struct buf *out, struct encode_body_facts *ret_facts)
{
	__cleanup(parcel__clear) struct parcel self = { 0 };
	struct encode_body_facts facts = { 0 };
	size_t off, end;
	bool has_page;
	int err;

	pp_assert(piece->cnt && piece->index < piece->cnt);
	err = parcel__open(&self, parcel, len);
	if (err)
		return err;
	off = piece_off(&self, piece->index, piece->cnt);
	end = piece_off(&self, piece->index + 1, piece->cnt);
	if (end > off && self.stacks[end - 1] == '\n')
		end--;
	has_page = !piece->index && !piece->without_page;
	err = add_up(self.stacks + off, end - off, &facts.samples);
	if (!err)
		err = tell_piece(&self, piece, facts.samples);
	if (!err)
		err = json__print(self.body, false, out);
	if (err)
		return err;
	pp_assert(out->data[out->len - 1] == '}');
	out->len--;
	buf__puts(out, ",\"profile\":");
	err = append_file(&self, self.stacks + off, end - off, has_page, out, &facts);
	if (err)
		return err;
	buf__puts(out, ",\"gpid\":");
	json_quote__append(out, gpid, strlen(gpid));
	err = buf__putc(out, '}');
	if (err)
		return err;
	*ret_facts = facts;
	return 0;
}
