/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_READER_INTERNAL_H
#define PP_READER_INTERNAL_H
/*
 * What both ends of the reader's socket share: messages. A message is a head, then its parts in the order of the
 * head; both ends are the same program, so there is no version. Neither end believes the other's lengths.
 */
#include <stddef.h>
#include <stdint.h>

#include "pp/reader.h"

struct buf;

#define READER_MODE	      "--read-files-for-parent"
#define READER_FD	      3 /* the child's end of the socket */
#define READER_OFFS_MAX	      (1u << 20) /* of one request */
#define READER_PATH_BYTES     4096 /* with the NUL */
#define READER_TEXT_BYTES_MAX (64u << 20)
#define READER_PLACES_MAX     4000000u

struct reader_request_head {
	uint32_t off_cnt;
	uint32_t path_bytes; /* with the NUL; 0: none */
	uint32_t dir_bytes; /* of the debug files' directory; the same */
	uint8_t has_fd;
	uint8_t has_root_fd;
	uint8_t has_jit;
	uint8_t is_java;
	uint8_t wants_places;
	uint8_t pad[3];
	uint32_t ns_pid;
	uint32_t uid;
	uint64_t start_real_ns;
	uint32_t pad2;
}; /* offs, path, directory; the descriptors come with its first byte */

struct reader_result_head {
	int32_t err;
	uint32_t name_cnt;
	uint64_t text_bytes;
	struct elf_build_id build_id;
	uint8_t has_symtab;
	uint8_t has_places;
	uint8_t pad[1];
	uint32_t place_cnt;
	int32_t places_err;
	uint32_t pad2;
}; /* names, bottoms, no_returns, text, places_of, places */
_Static_assert(sizeof(struct reader_result_head) == 96, "no padding that is not named");

/* All of len, by recvmsg or sendmsg, waiting until deadline_ns (CLOCK_MONOTONIC; 0: for ever). 0, -ETIMEDOUT, -EPIPE. */
int message__send(int fd, const void *data, size_t len, uint64_t deadline_ns);
int message__receive(int fd, void *data, size_t len, uint64_t deadline_ns);

/* The request as bytes; which descriptors go with it (at most 2). -E2BIG. */
int request__encode(const struct symbol_request *request, struct buf *out, int fds[2],
		    uint32_t *ret_fd_cnt);
int request__send(int socket, const struct symbol_request *request, uint64_t deadline_ns);
/* What a child keeps of a request. */
struct reader_task {
	struct symbol_request request; /* points into the others */
	struct symbol_jit jit;
	uint64_t *offs;
	char path[READER_PATH_BYTES], debug_dir[READER_PATH_BYTES];
	int fds[2];
};
/* 0, -EPIPE when there will be no more, -EBADMSG, -ENOMEM. */
int task__receive(int socket, struct reader_task *ret_task);
void task__clear(struct reader_task *self);

int result__send(int socket, const struct symbol_result *result);
/* Checks every index and length against the request's off_cnt. -EBADMSG. */
int result__receive(int socket, uint32_t off_cnt, uint64_t deadline_ns,
		    struct symbol_result *ret_result);
bool result__is_valid(const struct symbol_result *result);

/* Gives up, for ever, all that a parser does not need. -errno: it cannot be trusted with a file. */
int sandbox__enter(void);

#endif
