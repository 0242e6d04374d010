-- The one way to ask for an eviction, in the transaction of whatever demands it.
-- Nothing happens where the session has ended or is being evicted already.
-- name: EvictionInsert :execrows
INSERT INTO evictions (session_id, node, reason, asked_at, next_at)
SELECT s.id, s.node, @reason, @now, @now FROM open_sessions s WHERE s.id = @session_id
ON CONFLICT DO NOTHING;

-- name: EvictionsInsert :execrows
INSERT INTO evictions (session_id, node, reason, asked_at, next_at)
SELECT s.id, s.node, @reason, @now, @now FROM open_sessions s WHERE s.id = ANY(@ids::bigint[])
ON CONFLICT DO NOTHING;

-- For whoever is about to cut them off, whether that was asked for before or not.
-- name: EvictionsTake :many
INSERT INTO evictions AS e (session_id, node, reason, asked_at, next_at)
SELECT s.id, s.node, @reason, @now, @lease FROM open_sessions s WHERE s.id = ANY(@ids::bigint[])
ON CONFLICT (session_id) DO UPDATE SET next_at = EXCLUDED.next_at
RETURNING e.*;

-- Who came in by credentials that open nothing any more.
-- name: EvictionsByCredential :execrows
INSERT INTO evictions (session_id, node, reason, asked_at, next_at)
SELECT s.id, s.node, @reason, @now, @now FROM open_sessions s
WHERE s.credential_kind = @kind AND s.credential_id = ANY(@credential_ids::text[])
  AND (sqlc.narg(started_before)::timestamptz IS NULL OR s.started_at < sqlc.narg(started_before))
ON CONFLICT DO NOTHING;

-- Who publishes or plays a stream, on whichever vhost. The two halves use one
-- partial index each.
-- name: EvictionsByStream :execrows
INSERT INTO evictions (session_id, node, reason, asked_at, next_at)
SELECT s.id, s.node, @reason, @now, @now FROM (
    SELECT a.* FROM open_sessions a WHERE a.scene = 'publish' AND a.app = @app AND a.stream = @stream AND @scene::text <> 'play'
    UNION ALL
    SELECT b.* FROM open_sessions b WHERE b.scene = 'play' AND b.app = @app AND b.stream = @stream AND @scene <> 'publish') s
WHERE sqlc.narg(started_before)::timestamptz IS NULL OR s.started_at < sqlc.narg(started_before)
ON CONFLICT DO NOTHING;

-- What is there to do now: the nodes on which somebody is to be cut off. What is
-- put off to beyond a horizon that no pause reaches was so by another clock.
-- name: EvictionNodes :many
SELECT DISTINCT node FROM evictions WHERE next_at <= @now OR next_at > @horizon;

-- When there is something to do next, of both kinds of work.
-- name: EvictionNext :one
SELECT coalesce(least((SELECT min(e.next_at) FROM evictions e), (SELECT min(r.next_at) FROM revocations r)), @otherwise::timestamptz)::timestamptz AS next_at;

-- Several processes share the work. Who dies with a claim loses it to the others
-- when its lease is over.
-- name: EvictionsClaim :many
UPDATE evictions e SET next_at = @lease
WHERE e.session_id IN (
    SELECT d.session_id FROM evictions d
    WHERE d.node = @node AND (d.next_at <= @now OR d.next_at > @horizon)
    ORDER BY d.next_at LIMIT @row_limit
    FOR UPDATE SKIP LOCKED)
RETURNING e.*;

-- name: EvictionSessions :many
SELECT * FROM open_sessions WHERE id = ANY(@ids::bigint[]);

-- name: EvictionsPut :exec
UPDATE evictions e SET state = u.state, next_at = u.next_at, tries = u.tries, missing = u.missing, error = u.error
FROM (SELECT unnest(@ids::bigint[]) AS id, unnest(@states::text[]) AS state, unnest(@next_at::timestamptz[]) AS next_at,
    unnest(@tries::integer[]) AS tries, unnest(@missing::integer[]) AS missing, unnest(@errors::text[]) AS error) u
WHERE e.session_id = u.id;

-- name: EvictionsDelete :exec
DELETE FROM evictions WHERE session_id = ANY(@ids::bigint[]);

-- A node that does not answer is left alone for a while by everybody.
-- name: EvictionsPostpone :exec
UPDATE evictions SET next_at = @next_at WHERE node = @node AND (next_at <= @now OR next_at > @horizon);

-- A node that was changed may be one that can be told now.
-- name: EvictionsReopen :exec
UPDATE evictions SET next_at = @now WHERE node = @node AND (state = 'impossible' OR error <> '');

-- name: EvictionsOf :many
SELECT * FROM evictions WHERE session_id = ANY(@ids::bigint[]);

-- The sessions that an account opened, with what is still to be said for those
-- by a live token: that it is in force. Those by an access token speak for
-- themselves.
-- name: EvictionSubject :many
SELECT s.id, s.scene, s.vhost, s.app, s.stream, s.credential_kind, s.credential_id,
    EXISTS (
        SELECT FROM live_token_access t
        WHERE s.credential_kind = 'live_token' AND t.id::text = s.credential_id AND t.revoked_at IS NULL AND t.disabled_at IS NULL)::boolean AS in_force
FROM open_sessions s
WHERE s.subject <> '' AND lower(s.subject) = lower(@subject) AND s.credential_kind IN ('access_token', 'live_token') AND s.id > @after
ORDER BY s.id
LIMIT @row_limit;

-- name: EvictionStream :many
SELECT a.id, a.vhost FROM open_sessions a
WHERE a.scene = 'publish' AND a.app = @app AND a.stream = @stream
UNION ALL
SELECT b.id, b.vhost FROM open_sessions b
WHERE b.scene = 'play' AND b.app = @app AND b.stream = @stream;

-- What is still to be cut off. Bounded, as a figure of that size says it all.
-- name: EvictionsPending :one
SELECT count(*) FROM (SELECT 1 FROM evictions WHERE state = 'wanted' LIMIT 10000) e;
