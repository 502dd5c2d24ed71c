/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_SHIP_INTERNAL_H
#define PP_SHIP_INTERNAL_H
/*
 * The spool: the files that wait, as the sender sees them. A file is named UNIX_NS-SEQ.json.gz, both zero
 * padded, so that names sort by age; .refused or .damaged behind it means "kept for a person, not sent".
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct buf;

#define SPOOL_FILES_MAX	 4096
#define SPOOL_NAME_BYTES 64
/* What a spooled body may be when unpacked; the daemon's bodies are far below. */
#define SPOOL_BODY_MAX_BYTES   (64u << 20)

#define SPOOL_MEMORY_MAX_BYTES (4u << 20)

enum spool_state { SPOOL_WAITING, SPOOL_REFUSED, SPOOL_DAMAGED };

struct spool_file {
	char name[SPOOL_NAME_BYTES];
	enum spool_state state;
	uint32_t tries; /* in a row that the server answered with an error */
	uint64_t bytes;
	void *memory; /* the content, where the disk would not take it; else NULL */
};

struct spool {
	int dir_fd;
	uint64_t max_bytes, bytes;
	uint64_t memory_bytes;
	struct spool_file *files; /* ascending by name: oldest first */
	size_t cnt, cap;
	uint32_t seq;
};

/* Takes over what is there: files of others are left alone, half-written ones of ours are removed. */
int spool__open(struct spool *self, const char *state_dir, uint64_t max_bytes);
void spool__close(struct spool *self);
/*
 * Writes a file, evicting others (refused and damaged ones first, then the oldest, never `pinned`, which
 * may be NULL) until it fits. A disk that takes nothing loses no profile as long as the server takes it:
 * SPOOL_MEMORY_MAX_BYTES are kept in memory. 0, -E2BIG larger than the spool, -ENOSPC and the like.
 */
int spool__put(struct spool *self, const void *data, size_t len, const char *pinned);
/* The one to send: the oldest of those that the server has refused the least often. NULL: none. */
struct spool_file *spool__next(struct spool *self);
struct spool_file *spool__find(struct spool *self, const char *name); /* NULL: gone */
int spool__read(struct spool *self, const char *name, struct buf *out);
void spool__remove(struct spool *self, struct spool_file *file);
/* Renames it out of the way. If even that fails it is only not sent again by this process; what is only in
 * memory is gone. */
void spool__set_aside(struct spool *self, struct spool_file *file, enum spool_state state);
uint32_t spool__waiting(const struct spool *self);
/* False for names that are not ours; *ret_state says which kind. */
bool spool_name__parse(const char *name, enum spool_state *ret_state);

/*
 * The bytes to send: the spooled ones, with gpid (may be "") in place of the empty one in the body.
 * Appended to out. -EBADMSG if the file is no gzip of a JSON object, -E2BIG, -ENOMEM. Any thread.
 */
int ship_body__prepare(const void *packed, size_t len, const char *gpid, struct buf *out);

#endif
