/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_STUDIO_UPLOAD_H
#define PP_STUDIO_UPLOAD_H
/*
 * From an upload's bytes to a profile on the shelf: ingest reads the body, collapsed the lines of stacks, shelf
 * keeps the files.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pp/base/buf.h"

#include "store.h"

struct json_object;
struct profile;

/* ingest.c */
#define UPLOAD_WIRE_MAX_BYTES  (4u << 20)
#define UPLOAD_PLAIN_MAX_BYTES (64u << 20)
#define LINE_MAX_BYTES	       (64u << 10)

struct upload { /* strings are borrowed from json and header */
	struct json_object *json;
	struct json_object *header;
	char gpid[24]; /* "" on the first upload */
	const char *hostname;
	const char *command_id; /* NULL: not said */
	int64_t start_ms, end_ms; /* end_ms 0: not said */
	struct buf lines; /* "index;container;comm;frames count", whatever the agent's form was */
	struct buf html; /* empty: none */
	uint64_t samples, stacks, lines_skipped;
	double complete_pct; /* < 0: no user stacks */
	uint32_t rate_hz; /* 0: not said */
	bool continuous, has_html;
};
/*
 * body: plain JSON. 0; -EINVAL with a 422 detail in ret_detail (given); -EBADMSG: the profile's header
 * line is not as it must be, *ret_why says what; -ENOMEM. Clear self in each case.
 */
int upload__parse(struct upload *self, const char *body, size_t len,
		  struct json_object **ret_detail, const char **ret_why);
void upload__clear(struct upload *self);
/* Only what describes the profile stays. */
void upload__shrink(struct upload *self);
/* hostname is borrowed from the upload. */
struct stored_profile upload__row(const struct upload *self, int64_t id, uint64_t bytes);

/* collapsed.c: one line of the grammar that agents send. */
struct collapsed_form {
	bool has_index, has_container;
};
struct collapsed_line { /* borrowed from the text; not NUL-terminated */
	const char *container, *comm, *frames; /* frames: root first, joined by ';', maybe empty */
	size_t container_len, comm_len, frames_len;
	uint64_t weight;
};
/* -ENODATA: an empty line; -EBADMSG. */
int collapsed_line__parse(const char *text, size_t len, struct collapsed_form form,
			  struct collapsed_line *ret_line);
/* Ends the outermost frame in a place where stacks begin (_start, clone, ...)? Kernel-only: see ret_has_user. */
bool collapsed_line__is_complete(const struct collapsed_line *self, bool *ret_has_user);
/* Our own stored lines back to a profile of named frames; what does not fit is -E2BIG. */
int collapsed__to_profile(const char *text, size_t len, struct profile *profile);

/* shelf.c: profiles/ID.col.gz and ID.html.gz beside the database; a profile is whole or absent. */
#define SHELF_PROFILES_MAX 1000
#define SHELF_BYTES_MAX	   (2ull << 30)
struct shelf {
	int dir_fd;
	struct store *store; /* borrowed */
	int64_t next_id;
	uint64_t profiles_max, bytes_max;
};
/* Removes files that no row knows (left by a crash). */
int shelf__open(struct shelf *self, int state_fd, struct store *store);
void shelf__close(struct shelf *self);
/*
 * A profile comes in three steps: its number and its files (on any thread, by one at a time), its row. A step
 * that fails leaves nothing behind. row's bytes are those of the files.
 */
int64_t shelf__next_id(struct shelf *self);
int shelf__write(const struct shelf *self, int64_t id, const struct upload *upload,
		 uint64_t *ret_bytes);
int shelf__add(struct shelf *self, const struct stored_profile *row);
void shelf__unlink(const struct shelf *self, int64_t id); /* files that get no row */
/* On any thread. -EBADMSG: file damaged or gone. */
int shelf__lines(const struct shelf *self, int64_t id, struct buf *out);
/* The uploaded page, else one made from the lines. */
int shelf__html(const struct shelf *self, const struct stored_profile *profile, struct buf *out);

#endif
