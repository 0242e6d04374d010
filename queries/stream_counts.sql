-- How often streams were played, by how many viewers and by how many now: sums
-- of a few rows for each.
-- name: SessionCounts :many
SELECT app, stream, sum(pv)::bigint AS pv, sum(uv)::bigint AS uv, sum(online)::bigint AS online
FROM stream_counts
WHERE app = ANY(@apps::text[]) AND stream = ANY(@streams::text[])
GROUP BY app, stream;

-- Streams that nobody has come to for long, and whose viewers are still known.
-- name: StreamsForgettable :many
SELECT app, stream FROM stream_counts
GROUP BY app, stream
HAVING max(last_at) < @before::timestamptz AND sum(online) = 0
LIMIT @row_limit;

-- Forgets some of those who have played a stream.
-- name: StreamViewersForget :execrows
DELETE FROM stream_viewers WHERE viewer IN (
    SELECT v.viewer FROM stream_viewers v
    WHERE v.viewer >= stream_digest(@app, @stream) AND v.viewer <= stream_digest(@app, @stream) || '\xffffffffffffffffffffffff'
    LIMIT @row_limit);

-- name: StreamForget :exec
SELECT forget_stream(@app, @stream, @before);
