-- name: RecordingInsert :exec
INSERT INTO recordings (session_id, node, vhost, app, stream, file, duration, started_at, created_at)
VALUES (@session_id, @node, @vhost, @app, @stream, @file, @duration, @started_at, @now)
ON CONFLICT (session_id, file) DO UPDATE SET duration = greatest(recordings.duration, excluded.duration);

-- What is on record of streams, in one statement: how often they were played, by how
-- many viewers and by how many now, which are sums of a few rows for each, and then
-- the newest files of some of them. Rows of one kind have nothing of the other.
-- name: StreamFigures :many
SELECT c.app, c.stream, sum(c.pv)::bigint AS pv, sum(c.uv)::bigint AS uv, sum(c.online)::bigint AS online,
    0::bigint AS recording, ''::text AS node, ''::text AS file, 0::float8 AS duration, 'epoch'::timestamptz AS started_at
FROM stream_counts c
WHERE c.app = ANY(@apps::text[]) AND c.stream = ANY(@streams::text[])
GROUP BY c.app, c.stream
UNION ALL
SELECT r.app, r.stream, 0, 0, 0, r.id, r.node, r.file, r.duration, r.started_at
FROM (SELECT unnest(@recorded_apps::text[]) AS app, unnest(@recorded_streams::text[]) AS stream) s
CROSS JOIN LATERAL (SELECT * FROM recordings f WHERE f.app = s.app AND f.stream = s.stream ORDER BY f.id DESC LIMIT @row_limit) r
ORDER BY recording DESC;
