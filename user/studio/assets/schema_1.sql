-- Version 1. A later version is a further file; this one never changes again.
CREATE TABLE hosts(
	id INTEGER PRIMARY KEY,
	hostname TEXT NOT NULL, service TEXT NOT NULL,
	address TEXT, status TEXT, agent_version TEXT, run_mode TEXT,
	first_seen_ms INTEGER NOT NULL, last_seen_ms INTEGER NOT NULL,
	UNIQUE(hostname, service));
CREATE INDEX hosts_seen ON hosts(last_seen_ms);

-- status: pending, sent, completed, failed, expired, replaced
CREATE TABLE commands(
	seq INTEGER PRIMARY KEY AUTOINCREMENT,
	id TEXT NOT NULL UNIQUE, request_id TEXT NOT NULL,
	hostname TEXT NOT NULL, service TEXT NOT NULL,
	type TEXT NOT NULL, continuous INTEGER NOT NULL, stops_host INTEGER NOT NULL,
	duration_s INTEGER NOT NULL, config TEXT NOT NULL, status TEXT NOT NULL,
	made_ms INTEGER NOT NULL, sent_ms INTEGER, received_ms INTEGER, ended_ms INTEGER,
	execution_time_s INTEGER, error TEXT, results_path TEXT, profile_id INTEGER);
CREATE INDEX commands_host ON commands(hostname, service, seq);

CREATE TABLE profiles(
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	hostname TEXT NOT NULL, service TEXT NOT NULL,
	start_ms INTEGER NOT NULL, end_ms INTEGER NOT NULL, received_ms INTEGER NOT NULL,
	samples INTEGER NOT NULL, stacks INTEGER NOT NULL, lines_skipped INTEGER NOT NULL,
	bytes INTEGER NOT NULL, complete_pct REAL NOT NULL, rate_hz INTEGER NOT NULL,
	continuous INTEGER NOT NULL, has_html INTEGER NOT NULL);

CREATE TABLE agents(
	gpid INTEGER PRIMARY KEY AUTOINCREMENT,
	hostname TEXT NOT NULL, service TEXT NOT NULL, last_seen_ms INTEGER NOT NULL,
	UNIQUE(hostname, service));

CREATE TABLE counters(name TEXT PRIMARY KEY, n INTEGER NOT NULL);
