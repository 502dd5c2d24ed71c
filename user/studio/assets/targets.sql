-- Which processes a choice means: ?1 scope, ?2 service, ?3 hosts seen since, ?4 JSON array of entities. A null or absent
-- member of an entity means any, but for the namespace of the scope namespace.
SELECT DISTINCT h.hostname, p.pid
FROM (SELECT
	json_extract(value, '$.hostname') AS hostname, json_extract(value, '$.namespace') AS namespace,
	json_extract(value, '$.workload_name') AS workload_name, json_extract(value, '$.workload_kind') AS workload_kind,
	json_extract(value, '$.pod_name') AS pod_name, json_extract(value, '$.container_name') AS container_name,
	json_extract(value, '$.pid') AS pid, json_extract(value, '$.process_name') AS process_name
	FROM json_each(?4)) e
JOIN hosts h ON h.service = ?2 AND h.last_seen_ms >= ?3 AND (e.hostname IS NULL OR h.hostname = e.hostname)
JOIN containers c ON c.host = h.id
JOIN processes p ON p.container = c.id
WHERE CASE WHEN ?1 = 'namespace' THEN c.namespace IS e.namespace
	ELSE e.namespace IS NULL OR c.namespace = e.namespace END
	AND (e.workload_name IS NULL OR c.workload_name = e.workload_name)
	AND (e.workload_kind IS NULL OR c.workload_kind = e.workload_kind)
	AND (e.pod_name IS NULL OR c.pod_name = e.pod_name)
	AND (e.container_name IS NULL OR c.container_name = e.container_name)
	AND (e.pid IS NULL OR p.pid = e.pid)
	AND (e.process_name IS NULL OR p.process_name = e.process_name)
ORDER BY h.hostname, p.pid
