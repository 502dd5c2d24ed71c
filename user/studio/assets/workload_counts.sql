-- How many things of each scope fit the filter; parameters as in workloads.sql.
WITH alive AS (
	SELECT * FROM hosts h WHERE last_seen_ms >= ?2
	AND (?3 IS NULL OR EXISTS (SELECT 1 FROM json_each(?3) f WHERE
		CASE WHEN ?13 THEN h.service = f.value ELSE instr(lower(h.service), lower(f.value)) END))
	AND (?4 IS NULL OR EXISTS (SELECT 1 FROM json_each(?4) f WHERE instr(lower(h.hostname), lower(f.value))))
	AND (?5 IS NULL OR EXISTS (SELECT 1 FROM json_each(?5) f WHERE instr(h.address, f.value)))),
places AS MATERIALIZED (
	SELECT h.id AS host, h.service, c.id AS container, c.container_name, c.namespace, c.pod_name,
		c.workload_name, p.pid
	FROM alive h LEFT JOIN containers c ON c.host = h.id LEFT JOIN processes p ON p.container = c.id
	WHERE (?6 IS NULL OR EXISTS (SELECT 1 FROM json_each(?6) f WHERE instr(lower(c.namespace), lower(f.value))))
	AND (?7 IS NULL OR EXISTS (SELECT 1 FROM json_each(?7) f WHERE instr(lower(c.workload_name), lower(f.value))))
	AND (?8 IS NULL OR EXISTS (SELECT 1 FROM json_each(?8) f WHERE instr(lower(c.pod_name), lower(f.value))))
	AND (?9 IS NULL OR EXISTS (SELECT 1 FROM json_each(?9) f WHERE instr(lower(c.container_name), lower(f.value))))
	AND (?10 IS NULL OR EXISTS (SELECT 1 FROM json_each(?10) f WHERE instr(lower(p.process_name), lower(f.value))))
	AND (?14 IS NULL OR p.pid IN (SELECT value FROM json_each(?14))))
SELECT
	(SELECT count(DISTINCT service) FROM places),
	(SELECT count(*) FROM (SELECT DISTINCT service, namespace FROM places WHERE container NOT NULL)),
	(SELECT count(DISTINCT host) FROM places),
	(SELECT count(*) FROM (SELECT DISTINCT service, namespace, workload_name FROM places WHERE workload_name NOT NULL)),
	(SELECT count(*) FROM (SELECT DISTINCT service, namespace, pod_name FROM places WHERE pod_name NOT NULL)),
	(SELECT count(*) FROM (SELECT DISTINCT host, namespace, pod_name, container_name FROM places WHERE container NOT NULL)),
	(SELECT count(*) FROM (SELECT DISTINCT host, pid FROM places WHERE pid NOT NULL))
