-- name: NodeInsert :one
INSERT INTO nodes (name, kind, secret_hash, secret_sealed, sources, control_url, control_username, control_password_sealed, urls, record_url, created_at, updated_at)
VALUES (@name, @kind, @secret_hash, @secret_sealed, @sources, @control_url, @control_username, @control_password_sealed, @urls, @record_url, @now, @now)
RETURNING *;

-- name: NodeInsertLocal :exec
INSERT INTO nodes (name, kind, created_at, updated_at) VALUES ('local', @kind, @now, @now) ON CONFLICT DO NOTHING;

-- name: NodeUpdate :one
UPDATE nodes SET kind = @kind, secret_hash = @secret_hash, secret_sealed = @secret_sealed, sources = @sources,
    control_url = @control_url, control_username = @control_username, control_password_sealed = @control_password_sealed,
    urls = @urls, record_url = @record_url, updated_at = @now
WHERE name = @name
RETURNING *;

-- name: NodeDelete :execrows
DELETE FROM nodes WHERE name = @name;

-- name: NodeList :many
SELECT * FROM nodes ORDER BY name;

-- name: NodeByName :one
SELECT * FROM nodes WHERE name = @name;

-- name: NodeLock :one
SELECT * FROM nodes WHERE name = @name FOR UPDATE;

-- name: NodePage :many
SELECT sqlc.embed(nodes), s.seen_at, coalesce(h.state, 'unknown')::text AS state, h.changed_at, h.checked_at, coalesce(h.error, '')::text AS error,
    coalesce(h.server_id, '')::text AS server_id, coalesce(h.streams, 0)::integer AS streams, coalesce(h.clients, 0)::integer AS clients
FROM nodes LEFT JOIN node_seen s ON s.node = nodes.name LEFT JOIN node_health h ON h.node = nodes.name
WHERE nodes.name COLLATE "C" > @after ORDER BY nodes.name COLLATE "C" LIMIT @row_limit;

-- name: NodeShow :one
SELECT sqlc.embed(nodes), s.seen_at, coalesce(h.state, 'unknown')::text AS state, h.changed_at, h.checked_at, coalesce(h.error, '')::text AS error,
    coalesce(h.server_id, '')::text AS server_id, coalesce(h.streams, 0)::integer AS streams, coalesce(h.clients, 0)::integer AS clients
FROM nodes LEFT JOIN node_seen s ON s.node = nodes.name LEFT JOIN node_health h ON h.node = nodes.name
WHERE nodes.name = @name;
