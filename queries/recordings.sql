-- name: RecordingInsert :exec
INSERT INTO recordings (session_id, node, vhost, app, stream, file, duration, started_at, created_at)
VALUES (@session_id, @node, @vhost, @app, @stream, @file, @duration, @started_at, @now)
ON CONFLICT (session_id, file) DO UPDATE SET duration = greatest(recordings.duration, excluded.duration);

-- name: RecordingsByStreams :many
SELECT r.* FROM recordings r
WHERE r.app = ANY(@apps::text[]) AND r.stream = ANY(@streams::text[])
ORDER BY r.id DESC
LIMIT @row_limit;
