-- Which processes a choice means: ?1 scope, ?2 service, ?3 hosts seen since, ?4 JSON array of entities. A null or absent
-- member of an entity means any, but for the namespace of the scope namespace. Joined by the one name that the scope
-- goes by, so that many entities cost no more than one.
WITH entities AS MATERIALIZED (
	SELECT CASE ?1 WHEN 'namespace' THEN coalesce('=' || json_extract(value, '$.namespace'), '')
			WHEN 'workload' THEN json_extract(value, '$.workload_name')
			WHEN 'pod' THEN json_extract(value, '$.pod_name')
			WHEN 'container' THEN json_extract(value, '$.container_name')
			ELSE coalesce(json_extract(value, '$.pid'), '=' || json_extract(value, '$.process_name')) END AS key,
		json_extract(value, '$.hostname') AS hostname, json_extract(value, '$.namespace') AS namespace,
		json_extract(value, '$.workload_name') AS workload_name, json_extract(value, '$.workload_kind') AS workload_kind,
		json_extract(value, '$.pod_name') AS pod_name, json_extract(value, '$.container_name') AS container_name,
		json_extract(value, '$.process_name') AS process_name
	FROM json_each(?4)),
places AS (
	SELECT h.hostname, c.namespace, c.workload_name, c.workload_kind, c.pod_name, c.container_name,
		p.pid, p.process_name,
		CASE ?1 WHEN 'namespace' THEN coalesce('=' || c.namespace, '') WHEN 'workload' THEN c.workload_name
			WHEN 'pod' THEN c.pod_name WHEN 'container' THEN c.container_name ELSE p.pid END AS key
	FROM hosts h JOIN containers c ON c.host = h.id JOIN processes p ON p.container = c.id
	WHERE h.service = ?2 AND h.last_seen_ms >= ?3
	UNION ALL
	SELECT h.hostname, c.namespace, c.workload_name, c.workload_kind, c.pod_name, c.container_name,
		p.pid, p.process_name, '=' || p.process_name
	FROM hosts h JOIN containers c ON c.host = h.id JOIN processes p ON p.container = c.id
	WHERE ?1 = 'process' AND h.service = ?2 AND h.last_seen_ms >= ?3)
SELECT DISTINCT l.hostname, l.pid
FROM places l JOIN entities e ON e.key = l.key
WHERE (e.hostname IS NULL OR l.hostname = e.hostname)
	AND (e.namespace IS NULL OR l.namespace = e.namespace)
	AND (e.workload_name IS NULL OR l.workload_name = e.workload_name)
	AND (e.workload_kind IS NULL OR l.workload_kind = e.workload_kind)
	AND (e.pod_name IS NULL OR l.pod_name = e.pod_name)
	AND (e.container_name IS NULL OR l.container_name = e.container_name)
	AND (e.process_name IS NULL OR l.process_name = e.process_name)
ORDER BY l.hostname, l.pid
