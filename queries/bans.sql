-- A ban that is still in force keeps its beginning.
-- name: BanWrite :one
INSERT INTO bans AS b (vhost, domain, app, stream, created_at, until)
VALUES (@vhost, @domain, @app, @stream, @now, @until)
ON CONFLICT (stream, app, vhost, domain) DO UPDATE
SET until = EXCLUDED.until, created_at = CASE WHEN b.until > EXCLUDED.created_at THEN b.created_at ELSE EXCLUDED.created_at END
RETURNING *;

-- name: BanDelete :one
DELETE FROM bans WHERE vhost = @vhost AND domain = @domain AND app = @app AND stream = @stream RETURNING id;

-- name: BansByIDs :many
SELECT * FROM bans WHERE id = ANY(@ids::bigint[]);

-- name: BansInForce :many
SELECT * FROM bans WHERE until > @now;

-- A page that goes on begins behind a ban.
-- name: BanList :many
SELECT * FROM bans
WHERE (created_at, id) > (@after_at::timestamptz, @after_id::bigint) AND (@vhost::text = '' OR vhost = @vhost)
  AND (@domain::text = '' OR domain = @domain)
  AND (@app::text = '' OR app = @app)
  AND (@stream::text = '' OR stream = @stream OR @fuzzy::boolean AND strpos(stream, @stream) > 0)
ORDER BY created_at, id
LIMIT @row_limit OFFSET @row_offset;

-- name: BanListNewest :many
SELECT * FROM bans
WHERE (created_at, id) < (@after_at::timestamptz, @after_id::bigint) AND (@vhost::text = '' OR vhost = @vhost)
  AND (@domain::text = '' OR domain = @domain)
  AND (@app::text = '' OR app = @app)
  AND (@stream::text = '' OR stream = @stream OR @fuzzy::boolean AND strpos(stream, @stream) > 0)
ORDER BY created_at DESC, id DESC
LIMIT @row_limit OFFSET @row_offset;

-- One page by cursor, the newest first.
-- name: BanPage :many
SELECT * FROM bans
WHERE (@stream::text = '' OR strpos(lower(stream), lower(@stream)) > 0) AND (created_at, id) < (@before_at::timestamptz, @before_id::bigint)
ORDER BY created_at DESC, id DESC
LIMIT @row_limit;

-- name: BanCount :one
SELECT count(*) FROM bans
WHERE (@vhost::text = '' OR vhost = @vhost)
  AND (@domain::text = '' OR domain = @domain)
  AND (@app::text = '' OR app = @app)
  AND (@stream::text = '' OR stream = @stream OR @fuzzy::boolean AND strpos(stream, @stream) > 0);

-- name: BanPurge :execrows
DELETE FROM bans WHERE until < @before;
