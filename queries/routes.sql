-- name: RouteUpsert :one
INSERT INTO routes (pattern, url_sealed, keep_alive, created_at, updated_at)
VALUES (@pattern, @url_sealed, @keep_alive, @now, @now)
ON CONFLICT (pattern) DO UPDATE SET url_sealed = excluded.url_sealed, keep_alive = excluded.keep_alive, updated_at = excluded.updated_at
RETURNING *;

-- name: RouteByPattern :one
SELECT * FROM routes WHERE pattern = @pattern;

-- name: RouteLock :one
SELECT * FROM routes WHERE pattern = @pattern FOR UPDATE;

-- name: RouteDelete :execrows
DELETE FROM routes WHERE pattern = @pattern;

-- name: RoutePage :many
SELECT * FROM routes WHERE pattern > @after ORDER BY pattern LIMIT @row_limit;

-- name: RouteAll :many
SELECT * FROM routes;

-- name: RouteCount :one
SELECT count(*) FROM routes;
