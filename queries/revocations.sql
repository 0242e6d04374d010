-- What admitted somebody and is void from now on: in the transaction that makes
-- it so. With started_before it is void only for who came before then.
-- name: RevocationOfCredentials :exec
INSERT INTO revocations (what, credential_kind, credential_ids, started_before, reason, asked_at, next_at)
SELECT 'credential', @kind, @ids::text[], sqlc.narg(started_before)::timestamptz, @reason, @now, @now
WHERE cardinality(@ids) > 0;

-- An account whose logins, rights or live tokens are fewer than before.
-- name: RevocationOfAccount :exec
INSERT INTO revocations (what, subject, reason, asked_at, next_at) VALUES ('account', @subject, @reason, @now, @now);

-- name: RevocationByBan :exec
INSERT INTO revocations (what, app, stream, reason, asked_at, next_at) VALUES ('ban', @app, @stream, 'stream_forbidden', @now, @now);

-- Nobody publishes the streams of an ended room again. Who plays them now goes;
-- who comes later is not refused, and so may stay.
-- name: RevocationsOfRoom :exec
INSERT INTO revocations (what, app, stream, scene, started_before, reason, asked_at, next_at)
SELECT 'stream', st.app, st.stream, sc.scene, CASE sc.scene WHEN 'play' THEN @now::timestamptz END, 'room_ended', @now, @now
FROM (SELECT unnest(@apps::text[]) AS app, unnest(@streams::text[]) AS stream) st CROSS JOIN (VALUES ('publish'), ('play')) AS sc (scene);

-- As EvictionsClaim.
-- name: RevocationsClaim :many
UPDATE revocations r SET next_at = @lease
WHERE r.id IN (
    SELECT d.id FROM revocations d WHERE d.next_at <= @now OR d.next_at > @horizon
    ORDER BY d.next_at LIMIT @row_limit
    FOR UPDATE SKIP LOCKED)
RETURNING r.*;

-- name: RevocationSwept :exec
UPDATE revocations SET next_at = @next_at, sweeps = sweeps + 1 WHERE id = @id;

-- name: RevocationDelete :exec
DELETE FROM revocations WHERE id = @id;
