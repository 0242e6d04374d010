-- A node that has been deleted meanwhile gets no row. What it was before is told,
-- and since when.
-- name: NodeHealthNote :one
INSERT INTO node_health AS h (node, state, server_id, error, checked_at, changed_at, streams, clients)
SELECT n.name, @state, @server_id, @error, @now::timestamptz, @now, @streams, @clients FROM nodes n WHERE n.name = @node
ON CONFLICT (node) DO UPDATE SET
    state = excluded.state, error = excluded.error, checked_at = excluded.checked_at,
    changed_at = CASE WHEN h.state = excluded.state THEN h.changed_at ELSE excluded.changed_at END,
    -- Who does not answer has been what it was, for all we know.
    server_id = CASE WHEN excluded.state = 'up' THEN excluded.server_id ELSE h.server_id END,
    streams = CASE WHEN excluded.state = 'up' THEN excluded.streams ELSE h.streams END,
    clients = CASE WHEN excluded.state = 'up' THEN excluded.clients ELSE h.clients END
RETURNING h.changed_at,
    COALESCE((SELECT b.state FROM node_health b WHERE b.node = h.node), '')::text AS was,
    COALESCE((SELECT b.changed_at FROM node_health b WHERE b.node = h.node), h.changed_at)::timestamptz AS was_since;

-- name: NodeHealthList :many
SELECT * FROM node_health ORDER BY node;
