-- A player whose end came first left a tombstone, its start completes that row
-- instead of opening a session that nobody would ever end.
-- name: SessionsOpenPlay :many
WITH input AS (
    SELECT generate_subscripts(@node::text[], 1) AS n,
        unnest(@node::text[]) AS node, unnest(@server_id::text[]) AS server_id, unnest(@client_id::text[]) AS client_id,
        unnest(@serial::bigint[]) AS serial, unnest(@vhost::text[]) AS vhost, unnest(@app::text[]) AS app,
        unnest(@stream::text[]) AS stream, unnest(@address::text[]) AS address, unnest(@protocol::text[]) AS protocol,
        unnest(@credential_kind::text[]) AS credential_kind, unnest(@credential_id::text[]) AS credential_id,
        unnest(@subject::text[]) AS subject, unnest(@started_at::timestamptz[]) AS started_at
), early AS (
    UPDATE sessions s SET started_at = i.started_at, serial = i.serial, address = i.address, protocol = i.protocol,
        credential_kind = i.credential_kind, credential_id = i.credential_id, subject = i.subject
    FROM input i
    WHERE s.started_at IS NULL AND s.scene = 'play' AND s.ended_at > @since::timestamptz
      AND s.node = i.node AND s.server_id = i.server_id AND s.client_id = i.client_id
      AND s.vhost = i.vhost AND s.app = i.app AND s.stream = i.stream
    RETURNING i.n
)
INSERT INTO sessions (node, server_id, client_id, serial, scene, vhost, app, stream, address, protocol, credential_kind, credential_id, subject, started_at)
SELECT node, server_id, client_id, serial, 'play', vhost, app, stream, address, protocol, credential_kind, credential_id, subject, started_at
FROM input WHERE n NOT IN (SELECT n FROM early)
ON CONFLICT DO NOTHING
RETURNING id;

-- name: SessionOpenPublish :one
INSERT INTO sessions (node, server_id, client_id, serial, scene, vhost, app, stream, address, protocol, credential_kind, credential_id, subject, started_at)
VALUES (@node, @server_id, @client_id, @serial, 'publish', @vhost, @app, @stream, @address, @protocol, @credential_kind, @credential_id, @subject, @started_at::timestamptz)
ON CONFLICT DO NOTHING
RETURNING id;

-- name: SessionCompleteTombstone :execrows
UPDATE sessions SET started_at = @started_at::timestamptz, serial = @serial, address = @address, protocol = @protocol,
    credential_kind = @credential_kind, credential_id = @credential_id, subject = @subject
WHERE started_at IS NULL AND scene = @scene AND ended_at > @since::timestamptz
  AND node = @node AND server_id = @server_id AND client_id = @client_id
  AND vhost = @vhost AND app = @app AND stream = @stream;

-- name: SessionPublisher :one
SELECT * FROM sessions
WHERE scene = 'publish' AND ended_at IS NULL AND vhost = @vhost AND app = @app AND stream = @stream;

-- name: SessionEnd :many
UPDATE sessions SET ended_at = @ended_at::timestamptz, end_reason = @end_reason
WHERE ended_at IS NULL AND node = @node AND server_id = @server_id AND client_id = @client_id
  AND scene = @scene AND vhost = @vhost AND app = @app AND stream = @stream
RETURNING id;

-- name: SessionEndByID :execrows
UPDATE sessions SET ended_at = @ended_at::timestamptz, end_reason = @end_reason WHERE id = @id AND ended_at IS NULL;

-- Everything that an earlier life of the same server left open, and whatever
-- the same connection id did elsewhere before a server without identity
-- started counting again.
-- name: SessionsSupersede :many
UPDATE sessions SET ended_at = @ended_at::timestamptz, end_reason = 'server_restarted'
WHERE ended_at IS NULL AND node = @node
  AND ((@instance::text <> '' AND starts_with(server_id, @instance) AND server_id <> @server_id)
    OR (@serial::bigint > 0 AND server_id = @server_id AND client_id = @client_id
        AND (vhost, app, stream) IS DISTINCT FROM (@vhost, @app, @stream)))
RETURNING scene, vhost, app, stream;

-- A second end of the same session is a repetition, not a tombstone.
-- name: SessionBury :exec
INSERT INTO sessions (node, server_id, client_id, serial, scene, vhost, app, stream, ended_at, end_reason)
SELECT @node, @server_id, @client_id, @serial, @scene, @vhost, @app, @stream, @ended_at::timestamptz, 'early'
WHERE NOT EXISTS (
    SELECT 1 FROM sessions s
    WHERE s.node = @node AND s.client_id = @client_id AND s.ended_at > @since::timestamptz
      AND s.server_id = @server_id AND s.scene = @scene AND s.vhost = @vhost AND s.app = @app AND s.stream = @stream);

-- The connection is gone with all that it carried, bytes are known only now.
-- name: SessionsEndClient :many
UPDATE sessions SET ended_at = coalesce(ended_at, sqlc.arg(ended_at)::timestamptz),
    end_reason = CASE WHEN ended_at IS NULL THEN 'disconnected' ELSE end_reason END,
    bytes_in = greatest(bytes_in, @bytes_in), bytes_out = greatest(bytes_out, @bytes_out)
WHERE node = @node AND server_id = @server_id AND client_id = @client_id
  AND (ended_at IS NULL OR ended_at > @since::timestamptz)
RETURNING scene, vhost, app, stream;

-- name: SessionOfRecording :one
SELECT id, started_at FROM sessions
WHERE node = @node AND server_id = @server_id AND client_id = @client_id AND scene = 'publish'
  AND vhost = @vhost AND app = @app AND stream = @stream AND started_at IS NOT NULL
ORDER BY id DESC LIMIT 1;

-- name: SessionPublishing :one
SELECT EXISTS (SELECT 1 FROM sessions WHERE scene = 'publish' AND ended_at IS NULL AND app = @app AND stream = @stream);

-- name: SessionsLive :many
SELECT p.*, (SELECT count(*) FROM sessions v WHERE v.scene = 'play' AND v.ended_at IS NULL AND v.vhost = p.vhost AND v.app = p.app AND v.stream = p.stream) AS players
FROM sessions p
WHERE p.scene = 'publish' AND p.ended_at IS NULL
ORDER BY p.app, p.stream, p.id
LIMIT @row_limit;

-- name: SessionCounts :many
SELECT app, stream, count(*) AS pv, count(DISTINCT CASE WHEN subject <> '' THEN subject ELSE address END) AS uv,
    count(*) FILTER (WHERE ended_at IS NULL) AS online
FROM sessions
WHERE scene = 'play' AND started_at IS NOT NULL AND app = ANY(@apps::text[]) AND stream = ANY(@streams::text[])
GROUP BY app, stream;
