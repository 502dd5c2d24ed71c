-- What operators ordered, newest first, at most ?1: the commands that one request made are one row. What is not a sum is
-- of its newest command. Enrolled hosts' commands belong to the request that enrolled them.
WITH grouped AS (
	SELECT substr(request_ids, 1, 36) AS request, max(seq) AS newest, id, hostname, service, type, continuous, status,
		error, rate_hz, duration_s, made_ms, begun_ms, profile_id, samples, lost, count(*) AS cnt,
		sum(coalesce(json_array_length(config, '$.pids'), 0)) AS pid_cnt,
		avg(CASE WHEN status = 'sampling' THEN begun_ms END) AS begun_avg_ms,
		sum(status = 'pending') AS pending, sum(status = 'sent') AS sent, sum(status = 'received') AS received,
		sum(status = 'sampling') AS sampling, sum(status = 'done') AS done, sum(status = 'failed') AS failed,
		sum(status = 'expired') AS expired, sum(status = 'superseded') AS superseded, sum(status = 'stopped') AS stopped
	FROM commands GROUP BY request ORDER BY newest DESC LIMIT ?1)
SELECT request, id, hostname, service, type, continuous, status, error, rate_hz, duration_s, made_ms,
	coalesce(iif(cnt = 1, begun_ms, begun_avg_ms), 0),
	coalesce((SELECT p.id FROM profiles p WHERE p.id = g.profile_id), 0),
	coalesce(samples, CASE WHEN NOT continuous THEN coalesce(
		(SELECT sum(p.samples) FROM profiles p WHERE p.command_id = g.id),
		(SELECT p.samples FROM profiles p WHERE p.id = g.profile_id)) END, -1),
	coalesce(lost, -1), cnt, pid_cnt, pending, sent, received, sampling, done, failed, expired, superseded, stopped
FROM grouped g ORDER BY newest DESC
