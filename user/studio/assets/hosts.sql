-- ?1 now, ?2 grace of a run, ?3 life of an ad hoc command, all in milliseconds.
-- A start that reached its agent runs until its result came or its time is over; a continuous one until it is
-- stopped.
WITH runs AS (
	SELECT hostname, service, continuous FROM commands c
	WHERE type = 'start' AND status IN ('received', 'sampling') AND
	(continuous OR (profile_id IS NULL AND received_ms + duration_s * 1000 + ?2 > ?1))),
waits AS (
	SELECT seq, hostname, service, type = 'start' AND NOT continuous AND made_ms <= ?1 - ?3 AS is_late
	FROM commands WHERE status IN ('pending', 'sent'))
SELECT h.id, h.hostname, h.service, h.address, h.status, h.agent_version, h.run_mode, h.last_seen_ms,
	EXISTS (SELECT 1 FROM waits w WHERE w.hostname = h.hostname AND w.service = h.service AND NOT w.is_late),
	EXISTS (SELECT 1 FROM runs r WHERE r.hostname = h.hostname AND r.service = h.service),
	EXISTS (SELECT 1 FROM runs r WHERE r.hostname = h.hostname AND r.service = h.service AND r.continuous),
	c.id, c.type,
	CASE WHEN EXISTS (SELECT 1 FROM waits w WHERE w.seq = c.seq AND w.is_late)
		THEN 'expired' ELSE c.status END,
	c.error, c.config, c.continuous, c.made_ms, coalesce(c.received_ms, c.sent_ms), c.duration_s,
	(SELECT id FROM profiles p WHERE p.id = c.profile_id)
FROM hosts h LEFT JOIN commands c ON c.seq = (
	SELECT max(seq) FROM commands n WHERE n.hostname = h.hostname AND n.service = h.service)
ORDER BY h.hostname, h.service LIMIT 1000
