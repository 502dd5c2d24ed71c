/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PP_METRICS_H
#define PP_METRICS_H
/*
 * Named counters of the user side: one X-list, append-only names, atomics. A counter never goes
 * down. (The kernel's own counters are in abi.h.)
 */
#include <stdint.h>

struct json_object;

#define PP_METRICS(X)                                                                              \
	X(HEARTBEATS_SENT, "heartbeats_sent", "heartbeats that got an answer")                     \
	X(HEARTBEATS_FAILED, "heartbeats_failed", "heartbeats without a usable answer")            \
	X(COMMANDS_RECEIVED, "commands_received", "commands with a new id")                        \
	X(COMMANDS_COMPLETED, "commands_completed", "commands reported completed")                 \
	X(COMMANDS_FAILED, "commands_failed", "commands reported failed")                          \
	X(COMPLETIONS_LOST, "completions_lost", "completion reports given up")                     \
	X(RUNS_STARTED, "runs_started", "profiling runs started")                                  \
	X(RUNS_FAILED, "runs_failed", "profiling runs that gave no profile")                       \
	X(UPLOADS_SENT, "uploads_sent", "profiles accepted by the server")                         \
	X(UPLOADS_RETRIED, "uploads_retried", "upload attempts that will be repeated")             \
	X(UPLOADS_REFUSED, "uploads_refused", "profiles the server refused for good")              \
	X(UPLOADS_EVICTED, "uploads_evicted", "profiles dropped because the spool was full")       \
	X(SPOOL_DAMAGED, "spool_damaged", "spool files that could not be read")                    \
	X(MAPS_READ, "maps_read", "process mapping tables read")                                   \
	X(MAPS_UNREADABLE, "maps_unreadable", "mapping tables of processes that had gone")         \
	X(FILES_REFUSED, "files_refused", "mapped files not opened: not regular or not the same")  \
	X(ELF_DAMAGED, "elf_damaged", "ELF files that could not be parsed")                        \
	X(FRAMES_UNNAMED, "frames_unnamed", "distinct frames that got no name")                    \
	X(UNWIND_CACHE_DAMAGED, "unwind_cache_damaged",                                            \
	  "cached unwind tables thrown away: damaged")                                             \
	X(UNWIND_CACHE_EVICTED, "unwind_cache_evicted",                                            \
	  "cached unwind tables removed to make room")                                             \
	X(UNWIND_CACHE_UNWRITTEN, "unwind_cache_unwritten",                                        \
	  "unwind tables not written to the cache")                                                \
	X(UNWIND_PAGES_CONVERTED, "unwind_pages_converted",                                        \
	  "pages of code whose unwind rows were made")                                             \
	X(UNWIND_PAGES_FROM_CACHE, "unwind_pages_from_cache", "pages of rows read from the disk")  \
	X(UNWIND_PAGES_EVICTED, "unwind_pages_evicted", "pages of rows dropped to make room")      \
	X(UNWIND_PAGES_FAILED, "unwind_pages_failed", "pages whose rows could not be made")        \
	X(UNWIND_PAGES_REFUSED, "unwind_pages_refused",                                            \
	  "pages asked for beyond the memory allowed")                                             \
	X(UNWIND_RANGES_REFUSED, "unwind_ranges_refused",                                          \
	  "mappings without room: walked by frame pointer")                                        \
	X(UNWIND_RULES_REFUSED, "unwind_rules_refused", "pages whose rules found no room")         \
	X(UNWIND_CONVERT_NS, "unwind_convert_ns", "worker time to make pages of rows")             \
	X(UPLOADS_EXPIRED, "uploads_expired", "profiles dropped because they waited too long")     \
	X(UPLOADS_CUT, "uploads_cut", "profiles sent in pieces because of their size")             \
	X(UPLOAD_PAGES_DROPPED, "upload_pages_dropped",                                            \
	  "flame graph pages left out of uploads: too large")                                      \
	X(LOGS_UPLOADED, "logs_uploaded", "log lines accepted by the server")                      \
	X(LOGS_DROPPED, "logs_dropped", "log lines not uploaded: no room, or refused")             \
	X(JOURNAL_UNWRITTEN, "journal_unwritten", "writes of the journal that failed")             \
	X(JOURNAL_DAMAGED, "journal_damaged", "lines of the journal that could not be read")       \
	X(RUNS_RESTARTED, "runs_restarted", "interrupted runs begun again after a restart")        \
	X(READERS_KILLED, "readers_killed", "reader processes that a file made slow or ended")     \
	X(CONTAINER_LOOKUPS, "container_lookups", "questions to container runtimes")               \
	X(CONTAINER_LOOKUPS_FAILED, "container_lookups_failed",                                    \
	  "questions to container runtimes without a usable answer")                               \
	X(INVENTORY_LEFT_OUT, "inventory_left_out",                                                \
	  "processes in containers that heartbeats had no room for")                               \
	X(LINES_MISSING, "lines_missing",                                                          \
	  "files whose debug information was damaged or took too long")                            \
	X(DEBUG_FILES_FETCHED, "debug_files_fetched", "debug files fetched from debuginfod")       \
	X(DEBUG_FILES_FAILED, "debug_files_failed",                                                \
	  "debug files that no debuginfod server gave, or a wrong one")                            \
	X(SYMBOL_CACHE_HITS, "symbol_cache_hits", "places whose names an earlier window had read") \
	X(SYMBOL_CACHE_EVICTED, "symbol_cache_evicted",                                            \
	  "files whose names were forgotten for others")                                           \
	X(SYMBOL_CACHE_DAMAGED, "symbol_cache_damaged",                                            \
	  "times the names on disk could not be read: damaged, or not ours")                       \
	X(SYMBOL_CACHE_UNWRITTEN, "symbol_cache_unwritten", "times they could not be written")
enum metric_id {
#define X(id, name, text) METRIC_##id,
	PP_METRICS(X)
#undef X
		METRIC_CNT
};

void metric__add(enum metric_id id, uint64_t n); /* any thread */
uint64_t metric__get(enum metric_id id);
const char *metric__name(enum metric_id id);
const char *metric__text(enum metric_id id);

#endif
