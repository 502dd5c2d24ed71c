/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_ENCODE_H
#define PP_ENCODE_H
/*
 * Profile to bytes, one file per format. Same profile, same bytes; the total in the output is the total
 * of the profile (accepted). Names from outside are hostile: every format makes them harmless.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cloud_facts;
struct profile;
struct buf;
struct json_object;

/*
 * Where a format's bytes go, in pieces as they are made. Called at least once, unless the format fails before
 * its first byte; its first failure ends the encoding with the same.
 */
struct encode_sink {
	int (*write)(void *arg, const void *data, size_t len); /* 0 or -errno */
	void *arg;
};

struct encode_format {
	const char *name; /* "collapsed", "html", "pprof" */
	const char *extension; /* "col", "html", "pb.gz" */
	const char *mime;
	int (*encode)(const struct profile *profile, const struct encode_sink *sink);
};
/* NULL if unknown. */
const struct encode_format *encode_format__find(const char *name);
const struct encode_format *encode_format__at(uint32_t i); /* NULL past the end */

/*
 * The Studio's grammar (protocol: index;container;comm;frames count, root first, kernel frames with
 * "_[k]"), lines sorted bytewise, no header line, no newline after the last line, never an empty line.
 * Each line also stands on its own for flamegraph.pl-like tools.
 */
int encode__collapsed(const struct profile *profile, struct buf *out);
/* One self-contained page: search, zoom, totals, losses, completeness. */
int encode__html(const struct profile *profile, struct buf *out);
/* profile.proto of github.com/google/pprof in gzip: written as it is made, never whole in memory. */
int encode__pprof(const struct profile *profile, const struct encode_sink *sink);
/*
 * The same, the lightest boxes left out (and the page says how many) until it adds at most max_bytes to a
 * compressed upload. -E2BIG: not even the smallest page does.
 */
int encode__html_within(const struct profile *profile, size_t max_bytes, struct buf *out);

/* What the Studio's header line needs beyond the profile: the 23 metadata keys and the rest. */
struct encode_host {
	char hostname[256], private_ip[64], mac_address[24];
	char system_name[64], os_name[128], os_release[64], kernel_release[128],
		kernel_version[256];
	char hardware_type[64], libc_type[32], libc_version[64];
	char run_mode[32], deployment_type[32], agent_version[32], service_name[256];
	uint32_t processors;
	uint32_t memory_capacity_mb;
	uint32_t pid;
	uint64_t spawn_real_ns;
	uint64_t spawn_uptime_ms;
	const struct cloud_facts
		*cloud; /* borrowed; NULL: not known (yet), read once by each encoder */
};
/*
 * A profile whose lines would take too much memory goes in several parcels, each with a share of the samples;
 * those of a process stay together as far as that goes.
 */
struct encode_share {
	uint32_t index, cnt;
};
/* In how many shares, so that the lines of each are of about share_bytes. */
int encode__share_cnt(const struct profile *profile, size_t share_bytes, uint32_t *ret_cnt);

/* What only the upload knows. */
struct encode_upload {
	const char *command_id; /* NULL or "": of no command */
	const char *page; /* a flame graph page for the ad hoc view; NULL: none */
	bool is_restarted; /* the run was begun anew after an interruption */
	struct encode_share share; /* cnt 0 or 1: the whole profile */
};
/*
 * A profile on its way to the Studio: all of the upload but the server's name for this process (gpid), and not
 * yet cut to a size. This is what is kept until sent; bodies are made of it. -E2BIG past out's maximum.
 */
int encode__parcel(const struct profile *profile, const struct encode_host *host,
		   const struct encode_upload *upload, struct buf *out);

/*
 * The stacks of a parcel are cut into cnt pieces (a power of two), if possible between two threads' names.
 * Pieces 2i and 2i + 1 of 2 cnt are piece i of cnt, so what was sent need not be sent again after a finer cut.
 * The page is in piece 0.
 */
#define ENCODE_PIECES_MAX 1024u
#define ENCODE_GPID_BYTES 257 /* with the NUL */
struct encode_piece {
	uint32_t index, cnt;
	bool without_page;
};
struct encode_body_facts {
	size_t file_bytes; /* the profile file in the body: header line and stacks */
	size_t page_bytes;
	size_t stack_bytes; /* 0: no stack fell into this piece */
	uint64_t samples;
};
/*
 * The upload body (plain JSON): start_time, end_time, ..., profile, gpid. The header line says which piece it
 * is and how many samples are in it. -EBADMSG: no parcel. Any thread.
 */
int encode__parcel_body(const char *parcel, size_t len, const struct encode_piece *piece,
			const char *gpid, struct buf *out, struct encode_body_facts *ret_facts);

/* One JSON object with the summary fields of the command line's -j (append-only). */
int encode__summary(const struct profile *profile, struct json_object **ret_json);

/*
 * Makes text safe for a line of the collapsed grammar: ';' becomes '|', control characters, newlines,
 * U+2028/9, bidi controls and bytes that are not UTF-8 become U+FFFD or '?', blanks at the ends are cut,
 * a leading '#' is masked, empty becomes "-". Appends to out.
 */
int encode__safe_text(const char *text, size_t len, struct buf *out);

#endif
