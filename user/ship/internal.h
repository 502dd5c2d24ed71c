/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_SHIP_INTERNAL_H
#define PP_SHIP_INTERNAL_H
/*
 * The spool: the files that wait, as the sender sees them. A file is named
 * UNIX_NS-SEQ[-pNUMBER.OF][-xPIECES.SENT][-COMMAND].parcel.gz, the numbers in front zero padded so that names sort by age;
 * .refused or .damaged behind it means "kept for a person, not sent".
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pp/encode.h"

struct buf;
struct http_reply;
struct loop;

#define SPOOL_FILES_MAX	    4096
#define SPOOL_NAME_BYTES    224
#define SPOOL_STEM_BYTES    28 /* UNIX_NS-SEQ, with the NUL */
#define SPOOL_COMMAND_BYTES 128 /* a command's id as it stands in names */
/* What a spooled file may be; packed parcels are about a tenth of plain ones. */
#define SPOOL_PACKED_MAX_BYTES (32u << 20)
#define SPOOL_MEMORY_MAX_BYTES (4u << 20)

enum spool_state { SPOOL_WAITING, SPOOL_REFUSED, SPOOL_DAMAGED };

/* What a name says. */
struct spool_name {
	char stem[SPOOL_STEM_BYTES];
	char command[SPOOL_COMMAND_BYTES]; /* encoded; "": none */
	uint32_t part, parts; /* of the profile; 1 of 1: it is in one file */
	uint32_t pieces, sent; /* the first `sent` of `pieces` need not be sent again */
	enum spool_state state;
};
bool spool_name__parse(const char *text, struct spool_name *ret_name); /* false: not ours */
void spool_name__print(const struct spool_name *self, char text[SPOOL_NAME_BYTES]);
/* A half-written file of ours? */
bool spool_name__is_temporary(const char *text);
/* The same id gives the same text; it is safe in a file's name. */
void spool_name__encode_command(const char *command_id, char text[SPOOL_COMMAND_BYTES]);

struct spool_file {
	struct spool_name name;
	struct spool_name on_disk; /* differs where a rename failed */
	uint32_t tries; /* in a row that the server answered with an error */
	bool is_writing; /* on a worker; only its room is taken */
	bool is_held;
	bool without_page; /* the page was too large for the server */
	uint64_t bytes;
	int64_t born_ns; /* on the monotonic clock */
	void *memory; /* the content, where the disk would not take it; else NULL */
};

struct spool {
	int dir_fd; /* -1: in memory only */
	uint64_t max_bytes, bytes;
	int64_t max_age_ns;
	uint64_t memory_bytes;
	struct spool_file *files; /* ascending by stem: oldest first */
	size_t cnt, cap;
	uint32_t seq;
};

/* Takes over what is there: files of others are left alone, half-written ones of ours are removed. */
int spool__open(struct spool *self, const char *state_dir, uint64_t max_bytes, uint64_t max_age_s);
void spool__close(struct spool *self);
/*
 * Takes room for a file, evicting others (refused and damaged ones first, then the oldest, held ones last,
 * never `pinned`, a stem, which may be NULL) until it fits. The name gets a new stem. -E2BIG larger than the
 * spool, -ENOSPC.
 */
int spool__reserve(struct spool *self, struct spool_name *name, bool is_held, uint64_t bytes,
		   const char *pinned);
/*
 * The write has ended with err. A disk that takes nothing loses no profile as long as the server takes it:
 * SPOOL_MEMORY_MAX_BYTES are kept in memory. Returns 0 or why it is not kept at all.
 */
int spool__written(struct spool *self, const char *stem, int err, const void *data);
/* Drops what is older than the bound. */
void spool__expire(struct spool *self, const char *pinned);
/* The one to send: the oldest of those that the server has refused the least often. NULL: none. */
struct spool_file *spool__next(struct spool *self);
struct spool_file *spool__find(struct spool *self, const char *stem); /* NULL: gone */
void spool__remove(struct spool *self, struct spool_file *file);
/* Notes in the name which pieces are sent. If that fails, only this process knows. */
void spool__mark_sent(struct spool *self, struct spool_file *file, uint32_t pieces, uint32_t sent);
/* Renames it out of the way. If even that fails it is only not sent again by this process; what is only in
 * memory is gone. */
void spool__set_aside(struct spool *self, struct spool_file *file, enum spool_state state);
uint32_t spool__waiting(const struct spool *self);

/*
 * The next upload of a spooled file: the first piece that is not sent yet and not empty, cut finer until it is
 * within the limits. What is known goes in, what it came to comes out. Any thread.
 */
struct ship_body {
	struct encode_piece piece; /* in and out; index == cnt: nothing is left to send */
	bool page_dropped; /* out: it alone was too large */
	size_t wire_max_bytes;
	char gpid[ENCODE_GPID_BYTES];
};
/* Appended to out. -EBADMSG if the file is no gzip of a parcel, -EFBIG if no cut makes it fit, -E2BIG, -ENOMEM. */
int ship_body__prepare(struct ship_body *self, const void *packed, size_t len, struct buf *out);

/* Lines of a request, as net wants them: NULL-terminated. */
#define SHIP_HEADERS_MAX 32
struct ship_headers {
	char *lines[SHIP_HEADERS_MAX + 1]; /* owned */
};
int ship_headers__add(struct ship_headers *self, const char *name, const char *value); /* -E2BIG */
/* gzip of JSON, and then what the operator wants; more may be NULL. */
int ship_headers__add_rest(struct ship_headers *self, const char *const *more);
void ship_headers__clear(struct ship_headers *self);

enum verdict {
	VERDICT_ACCEPTED,
	VERDICT_AGAIN, /* trouble that passes */
	VERDICT_LATER, /* the operator must change something: a wrong token or address */
	VERDICT_SMALLER, /* this body is too large for something on the way */
	VERDICT_REFUSED, /* this body will never be taken */
};
/* words: what the server said. */
enum verdict ship_verdict(const struct http_reply *reply, const char *words);
/* The server's name for this process, if the answer has one that fits; else the text is left as it is. */
void ship_learn_gpid(const struct http_reply *reply, char text[ENCODE_GPID_BYTES]);

#endif
