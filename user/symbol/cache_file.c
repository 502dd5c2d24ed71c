/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Names of earlier windows on disk, for the daemon that comes after: written whole when the daemon ends, believed only
 * if every check holds. A damaged file is thrown away as one; it costs time, not truth.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cache.h"
#include "pp/base/buf.h"
#include "pp/base/cleanup.h"
#include "pp/base/file.h"
#include "pp/base/hash.h"
#include "pp/base/intern.h"

#define FILE_NAME      "symbols"
#define MAGIC	       "ppsyms01" /* another layout, or another way to name places: another number */
#define FILE_BYTES_MAX (64u << 20)

struct file_header {
	char magic[8];
	uint64_t body_bytes;
	uint64_t check; /* of the body */
};

/* Of one binary; behind it its places, then its text: names with their NULs, the first one empty. */
struct file_part {
	struct cached_identity identity;
	uint32_t place_cnt;
	uint32_t text_bytes;
	uint8_t build_id_len;
	uint8_t build_id[ELF_BUILD_ID_BYTES];
	uint8_t has_symtab;
	uint8_t pad[8 - (2 + ELF_BUILD_ID_BYTES) % 8];
};
_Static_assert(sizeof(struct file_part) % 8 == 0, "");
_Static_assert(sizeof(struct cached_place) == 16, "");

static int append_part(struct buf *out, const struct cached_file *file)
{
	struct file_part part = {
		.identity = file->identity,
		.place_cnt = (uint32_t)file->cnt,
		.build_id_len = (uint8_t)file->build_id.len,
		.has_symtab = file->has_symtab,
	};
	uint32_t name_cnt = intern__cnt(file->names);
	_auto_free_ uint32_t *text_offs = calloc(name_cnt, sizeof(*text_offs));

	if (!text_offs)
		return -ENOMEM;
	memcpy(part.build_id, file->build_id.bytes, part.build_id_len);
	for (uint32_t i = 0; i < name_cnt; i++) {
		text_offs[i] = part.text_bytes;
		part.text_bytes += intern__len(file->names, i) + 1;
	}
	buf__append(out, &part, sizeof(part));
	for (size_t i = 0; i < file->cnt; i++) {
		struct cached_place place = file->places[i];

		place.name = text_offs[place.name];
		buf__append(out, &place, sizeof(place));
	}
	for (uint32_t i = 0; i < name_cnt; i++)
		buf__append(out, intern__str(file->names, i), intern__len(file->names, i) + 1);
	return out->err;
}

int cached_files__save(const struct cached_file files[CACHED_FILES_MAX], int dir_fd)
{
	struct file_header header = { .magic = MAGIC };
	_auto_buf_ struct buf out;

	buf__init(&out, FILE_BYTES_MAX);
	buf__append(&out, &header, sizeof(header));
	for (uint32_t i = 0; i < CACHED_FILES_MAX; i++) {
		int err = files[i].cnt ? append_part(&out, &files[i]) : 0;

		if (err)
			return err;
	}
	if (out.err)
		return out.err;
	header.body_bytes = out.len - sizeof(header);
	header.check = hash_bytes(out.data + sizeof(header), header.body_bytes, sizeof(header));
	memcpy(out.data, &header, sizeof(header));
	return file__write_atomic(dir_fd, FILE_NAME, out.data, out.len, 0600);
}

/* The names as the file's own; places point to them afterwards. */
static int take_names(struct cached_file *file, const char *text, uint32_t text_bytes)
{
	for (size_t i = 0; i < file->cnt; i++) {
		struct cached_place *place = &file->places[i];
		const char *name = text + place->name;
		int err;

		if (place->name == 0 || place->name >= text_bytes || *name == '\0' ||
		    place->bottom > SYMBOL_BOTTOM_THREAD || place->no_return > 1 ||
		    (i > 0 && place->off <= place[-1].off))
			return -EBADMSG;
		err = intern__add(file->names, name, strlen(name), &place->name);
		if (err)
			return err == -E2BIG ? -EBADMSG : err;
	}
	return 0;
}

/* 0 with *ret_end behind the part. */
static int take_part(struct cached_file *file, const char *at, const char *end,
		     const char **ret_end)
{
	struct file_part part;
	size_t left = (size_t)(end - at), places_bytes;
	const char *text;
	int err;

	if (left < sizeof(part))
		return -EBADMSG;
	memcpy(&part, at, sizeof(part));
	left -= sizeof(part);
	places_bytes = (size_t)part.place_cnt * sizeof(struct cached_place);
	if (part.place_cnt == 0 || part.place_cnt > CACHED_PLACES_MAX || places_bytes > left ||
	    part.text_bytes == 0 || part.text_bytes > left - places_bytes ||
	    part.build_id_len > ELF_BUILD_ID_BYTES || part.has_symtab > 1)
		return -EBADMSG;
	text = at + sizeof(part) + places_bytes;
	if (text[part.text_bytes - 1] != '\0')
		return -EBADMSG;
	err = intern__new(&file->names, CACHED_TEXT_MAX);
	if (err)
		return err;
	file->places = malloc(places_bytes);
	if (!file->places)
		return -ENOMEM;
	memcpy(file->places, at + sizeof(part), places_bytes);
	file->identity = part.identity;
	file->build_id.len = part.build_id_len;
	memcpy(file->build_id.bytes, part.build_id, part.build_id_len);
	file->has_symtab = part.has_symtab;
	file->cnt = file->cap = part.place_cnt;
	*ret_end = text + part.text_bytes;
	return take_names(file, text, part.text_bytes);
}

int cached_files__load(struct cached_file files[CACHED_FILES_MAX], int dir_fd)
{
	struct file_header header;
	_auto_buf_ struct buf in;
	const char *at, *end;
	uint32_t cnt = 0;
	int err;

	buf__init(&in, FILE_BYTES_MAX);
	err = file__read_trusted(dir_fd, FILE_NAME, &in);
	if (err)
		return err;
	if (in.len < sizeof(header))
		return -EBADMSG;
	memcpy(&header, in.data, sizeof(header));
	at = in.data + sizeof(header);
	end = in.data + in.len;
	if (memcmp(header.magic, MAGIC, sizeof(header.magic)) ||
	    header.body_bytes != (uint64_t)(end - at) ||
	    header.check != hash_bytes(at, header.body_bytes, sizeof(header)))
		return -EBADMSG;
	while (!err && at < end)
		err = cnt < CACHED_FILES_MAX ? take_part(&files[cnt++], at, end, &at) : -EBADMSG;
	for (uint32_t i = 0; err && i < cnt; i++)
		cached_file__clear(&files[i]);
	return err;
}
