-- Asks for a stream. Whoever asks for one that is there only notes that it is used.
-- name: RelayDemand :one
INSERT INTO relays (node, app, stream, pattern, state, since, used_at, created_at)
VALUES (@node, @app, @stream, @pattern, 'starting', @now, @now, @now)
ON CONFLICT (node, app, stream) DO UPDATE SET used_at = greatest(relays.used_at, excluded.used_at)
RETURNING *;

-- Makes a row for what is wanted without anybody having asked.
-- name: RelayEnsure :one
INSERT INTO relays (node, app, stream, pattern, state, since, used_at, created_at)
VALUES (@node, @app, @stream, @pattern, 'idle', @now, @used_at, @now)
ON CONFLICT (node, app, stream) DO UPDATE SET pattern = excluded.pattern
RETURNING *;

-- name: RelayAll :many
SELECT * FROM relays ORDER BY node, app, stream LIMIT @row_limit;

-- name: RelayCount :one
SELECT count(*) FROM relays WHERE pattern = @pattern;

-- name: RelayByPatterns :many
SELECT * FROM relays WHERE pattern = ANY(@patterns::text[]) ORDER BY pattern, app, stream, node LIMIT @row_limit;

-- name: RelayTold :exec
UPDATE relays SET version = @version, pattern = @pattern WHERE node = @node AND app = @app AND stream = @stream;

-- name: RelayState :exec
UPDATE relays SET state = @state, reason = @reason, viewers = @viewers, used_at = greatest(used_at, @used_at),
    since = CASE WHEN state = @state THEN since ELSE @now END
WHERE node = @node AND app = @app AND stream = @stream;

-- Takes away what nobody has asked for since it was read.
-- name: RelayDelete :exec
DELETE FROM relays WHERE node = @node AND app = @app AND stream = @stream AND used_at <= @used_at;

-- name: RelayPublished :one
SELECT EXISTS (SELECT FROM open_sessions WHERE scene = 'publish' AND refused = ''
    AND vhost = @vhost AND app = @app AND stream = @stream);
