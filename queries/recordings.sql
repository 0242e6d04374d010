-- name: RecordingInsert :exec
INSERT INTO recordings (session_id, node, vhost, app, stream, file, duration, started_at, created_at)
VALUES (@session_id, @node, @vhost, @app, @stream, @file, @duration, @started_at, @now)
ON CONFLICT (session_id, file) DO UPDATE SET duration = greatest(recordings.duration, excluded.duration);

-- The newest files of each stream.
-- name: RecordingsByStreams :many
SELECT r.* FROM (SELECT unnest(@apps::text[]) AS app, unnest(@streams::text[]) AS stream) s
CROSS JOIN LATERAL (SELECT * FROM recordings f WHERE f.app = s.app AND f.stream = s.stream ORDER BY f.id DESC LIMIT @row_limit) r
ORDER BY r.id DESC;
