-- One row for each thing of a scope: ?1 service, namespace, host, workload, pod, container or process.
-- ?2 hosts seen since; ?3..?12 JSON arrays that services (?13: exactly), hostnames, addresses, namespaces, workloads,
-- pods, containers, processes, states and kinds of command must fit, NULL: any; ?14 PIDs; ?15 limit, ?16 offset.
-- What stands for a row is a process that is profiled, else one of the host seen last.
WITH starts AS MATERIALIZED (
	SELECT c.seq, h.id AS host, CAST(j.value AS INTEGER) AS pid
	FROM commands c JOIN hosts h ON h.hostname = c.hostname AND h.service = c.service
	LEFT JOIN json_each(c.config, '$.pids') j
	WHERE c.status IN ('pending','sent','received','sampling') AND c.type = 'start'),
hosts_starts AS MATERIALIZED (
	SELECT host, max(seq) AS seq FROM starts WHERE pid IS NULL OR ?1 IN ('host', 'service') GROUP BY host),
process_starts AS MATERIALIZED (
	SELECT host, pid, max(seq) AS seq FROM starts WHERE pid NOT NULL GROUP BY host, pid),
alive AS (
	SELECT * FROM hosts h WHERE last_seen_ms >= ?2
	AND (?3 IS NULL OR EXISTS (SELECT 1 FROM json_each(?3) f WHERE
		CASE WHEN ?13 THEN h.service = f.value ELSE instr(lower(h.service), lower(f.value)) END))
	AND (?4 IS NULL OR EXISTS (SELECT 1 FROM json_each(?4) f WHERE instr(lower(h.hostname), lower(f.value))))
	AND (?5 IS NULL OR EXISTS (SELECT 1 FROM json_each(?5) f WHERE instr(h.address, f.value)))),
places AS (
	SELECT h.*, h.id AS host, c.id AS container, c.container_name, c.namespace AS namespace_, c.pod_name AS pod,
		c.workload_name, c.workload_kind, p.pid, p.process_name,
		nullif(max(coalesce(a.seq, 0), coalesce(b.seq, 0)), 0) AS start
	FROM alive h LEFT JOIN containers c ON c.host = h.id LEFT JOIN processes p ON p.container = c.id
	LEFT JOIN hosts_starts a ON a.host = h.id LEFT JOIN process_starts b ON b.host = h.id AND b.pid = p.pid
	WHERE (?6 IS NULL OR EXISTS (SELECT 1 FROM json_each(?6) f WHERE instr(lower(c.namespace), lower(f.value))))
	AND (?7 IS NULL OR EXISTS (SELECT 1 FROM json_each(?7) f WHERE instr(lower(c.workload_name), lower(f.value))))
	AND (?8 IS NULL OR EXISTS (SELECT 1 FROM json_each(?8) f WHERE instr(lower(c.pod_name), lower(f.value))))
	AND (?9 IS NULL OR EXISTS (SELECT 1 FROM json_each(?9) f WHERE instr(lower(c.container_name), lower(f.value))))
	AND (?10 IS NULL OR EXISTS (SELECT 1 FROM json_each(?10) f WHERE instr(lower(p.process_name), lower(f.value))))
	AND (?14 IS NULL OR p.pid IN (SELECT value FROM json_each(?14)))),
grouped AS (
	SELECT max((start IS NOT NULL) * 4000000000000000000 + last_seen_ms * 65536 + host), last_seen_ms, service,
		CASE WHEN ?1 IN ('host', 'container', 'process') THEN hostname END AS k_host,
		CASE WHEN ?1 IN ('namespace', 'workload', 'pod', 'container') THEN namespace_ END AS k_namespace,
		CASE WHEN ?1 = 'workload' THEN workload_name END AS k_workload,
		CASE WHEN ?1 IN ('pod', 'container') THEN pod END AS k_pod,
		CASE WHEN ?1 = 'container' THEN container_name END AS k_container,
		CASE WHEN ?1 = 'process' THEN pid END AS k_pid,
		namespace_, hostname, address, pod, container_name, workload_name, workload_kind, process_name, pid,
		group_concat(DISTINCT pid) AS pids, count(DISTINCT host) AS host_cnt,
		count(DISTINCT namespace_) AS namespace_cnt, count(DISTINCT pod) AS pod_cnt,
		count(DISTINCT container_name) AS container_cnt,
		count(DISTINCT host * 4294967296 + pid) AS process_cnt, start, agent_version, run_mode
	FROM places
	WHERE CASE ?1 WHEN 'workload' THEN workload_name WHEN 'pod' THEN pod WHEN 'process' THEN pid
		WHEN 'host' THEN 1 WHEN 'service' THEN 1 ELSE container END IS NOT NULL
	GROUP BY service, k_host, k_namespace, k_workload, k_pod, k_container, k_pid)
SELECT g.service, g.k_host, g.k_namespace, g.k_workload, g.k_pod, g.k_container, g.k_pid,
	g.namespace_, g.hostname, g.address, g.pod, g.container_name, g.workload_name, g.workload_kind,
	g.process_name, g.pid, g.pids, g.host_cnt, g.namespace_cnt, g.pod_cnt, g.container_cnt, g.process_cnt,
	g.last_seen_ms, g.agent_version, g.run_mode, c.type, c.continuous, c.rate_hz, c.config, c.status,
	count(*) OVER ()
FROM grouped g LEFT JOIN commands c ON c.seq = g.start
WHERE (?11 IS NULL OR iif(g.start IS NULL, 'stopped', 'active') IN (SELECT value FROM json_each(?11)))
	AND (?12 IS NULL OR coalesce(c.type, 'N/A') IN (SELECT value FROM json_each(?12)))
ORDER BY g.service, g.k_host, g.k_namespace, g.k_workload, g.k_pod, g.k_container, g.k_pid
LIMIT ?15 OFFSET ?16
