-- Version 2: the queue, inventory, subscriptions.
-- commands.status: pending, sent, received, sampling, done, failed, expired, superseded, stopped
ALTER TABLE commands ADD COLUMN rate_hz INTEGER NOT NULL DEFAULT 0;
ALTER TABLE commands ADD COLUMN request_ids TEXT NOT NULL DEFAULT '';
ALTER TABLE commands ADD COLUMN reported_ms INTEGER;
ALTER TABLE commands ADD COLUMN begun_ms INTEGER;
ALTER TABLE commands ADD COLUMN samples INTEGER;
ALTER TABLE commands ADD COLUMN lost INTEGER;
UPDATE commands SET request_ids = request_id, reported_ms = ended_ms,
	rate_hz = coalesce(json_extract(config, '$.frequency'), 0),
	config = json_remove(config, '$.frequency', '$.duration'),
	begun_ms = CASE WHEN type = 'start' THEN ended_ms END,
	ended_ms = CASE WHEN type = 'start' AND status = 'completed' THEN NULL ELSE ended_ms END,
	status = CASE
		WHEN status = 'replaced' THEN 'superseded'
		WHEN status = 'sent' AND received_ms NOT NULL THEN 'received'
		WHEN status = 'completed' AND type = 'start' AND profile_id IS NULL THEN 'sampling'
		WHEN status = 'completed' THEN 'done'
		ELSE status END;
CREATE INDEX commands_open ON commands(hostname, service, seq)
	WHERE status IN ('pending', 'sent', 'received', 'sampling');
CREATE INDEX commands_made ON commands(made_ms);

ALTER TABLE profiles ADD COLUMN command_id TEXT;
CREATE INDEX profiles_command ON profiles(command_id) WHERE command_id NOT NULL;

ALTER TABLE hosts ADD COLUMN tells_runs INTEGER NOT NULL DEFAULT 0; -- answers process stops itself
ALTER TABLE hosts ADD COLUMN namespace TEXT;
ALTER TABLE hosts ADD COLUMN pod_name TEXT;
ALTER TABLE hosts ADD COLUMN events TEXT; -- " cycles instructions "; NULL: not said
ALTER TABLE hosts ADD COLUMN inventory INTEGER NOT NULL DEFAULT 0; -- hash of what the tables below hold
ALTER TABLE hosts ADD COLUMN enrolled INTEGER NOT NULL DEFAULT 0; -- the newest subscription that it was offered
CREATE INDEX hosts_service ON hosts(service, last_seen_ms);

CREATE TABLE containers(
	id INTEGER PRIMARY KEY,
	host INTEGER NOT NULL REFERENCES hosts(id), hash INTEGER NOT NULL,
	container_id TEXT, container_name TEXT NOT NULL, runtime TEXT,
	namespace TEXT, pod_name TEXT, workload_name TEXT, workload_kind TEXT);
CREATE INDEX containers_host ON containers(host);
CREATE INDEX containers_namespace ON containers(namespace);
CREATE TABLE processes(
	container INTEGER NOT NULL REFERENCES containers(id),
	pid INTEGER NOT NULL, process_name TEXT NOT NULL,
	PRIMARY KEY(container, pid)) WITHOUT ROWID;

-- A continuous start of a whole service: hosts that come later get it too.
CREATE TABLE subscriptions(
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	service TEXT NOT NULL, request_id TEXT NOT NULL,
	config TEXT NOT NULL, rate_hz INTEGER NOT NULL, duration_s INTEGER NOT NULL,
	seq INTEGER NOT NULL, -- the newest command when it was made
	made_ms INTEGER NOT NULL, ended_ms INTEGER);
CREATE INDEX subscriptions_live ON subscriptions(service) WHERE ended_ms IS NULL;
