-- ?2 hosts seen since; ?3 services (?13: exactly), ?4 hostnames, ?5 addresses, ?11 states of the newest command, ?12 its
-- kinds, ?14 its PIDs: JSON arrays, NULL: any; ?15 limit, ?16 offset. The states are the Studio's words.
WITH alive AS (
	SELECT * FROM hosts h WHERE last_seen_ms >= ?2 AND (?3 IS NULL OR EXISTS (SELECT 1 FROM json_each(?3) f WHERE
		CASE WHEN ?13 THEN h.service = f.value ELSE instr(lower(h.service), lower(f.value)) END))),
told AS (
	SELECT h.id, h.hostname, h.service, h.address, h.last_seen_ms, coalesce(c.type, 'N/A') AS type, c.status,
		c.error, c.config, c.samples, c.lost,
		CASE c.status WHEN 'received' THEN 'sent' WHEN 'sampling' THEN 'completed' WHEN 'done' THEN 'completed'
			WHEN 'expired' THEN 'stopped' WHEN 'superseded' THEN 'stopped'
			ELSE coalesce(c.status, 'stopped') END AS word
	FROM alive h LEFT JOIN commands c ON c.seq = (
		SELECT max(seq) FROM commands n WHERE n.hostname = h.hostname AND n.service = h.service))
SELECT id, hostname, service, address, last_seen_ms, type, status, error, config,
	coalesce(samples, -1), coalesce(lost, -1), word
FROM told h
WHERE (?4 IS NULL OR EXISTS (SELECT 1 FROM json_each(?4) f WHERE instr(lower(h.hostname), lower(f.value))))
	AND (?5 IS NULL OR EXISTS (SELECT 1 FROM json_each(?5) f WHERE instr(h.address, f.value)))
	AND (?11 IS NULL OR h.word IN (SELECT value FROM json_each(?11)))
	AND (?12 IS NULL OR h.type IN (SELECT value FROM json_each(?12)))
	AND (?14 IS NULL OR EXISTS (SELECT 1 FROM json_each(h.config, '$.pids') p
		WHERE p.value IN (SELECT value FROM json_each(?14))))
ORDER BY last_seen_ms DESC, id LIMIT ?15 OFFSET ?16
