-- name: KeyInsert :one
INSERT INTO signing_keys (rule_id, kid, secret_sealed, state, created_at, changed_at)
VALUES (@rule_id, @kid, @secret_sealed, @state, @now, @now)
RETURNING *;

-- name: KeyList :many
SELECT * FROM signing_keys ORDER BY rule_id, id;

-- name: KeysByRule :many
SELECT * FROM signing_keys WHERE rule_id = @rule_id ORDER BY id;

-- The active key makes room before another one takes its place.
-- name: KeyRetireActive :exec
UPDATE signing_keys SET state = 'retiring', changed_at = @now WHERE rule_id = @rule_id AND state = 'active';

-- name: KeySetState :execrows
UPDATE signing_keys SET state = @state, changed_at = @now
WHERE rule_id = @rule_id AND kid = @kid AND state <> 'revoked';

-- name: KeysTouch :exec
UPDATE signing_keys k SET last_used_at = u.used_at
FROM (SELECT unnest(@ids::bigint[]) AS id, unnest(@used_at::timestamptz[]) AS used_at) u
WHERE k.id = u.id AND (k.last_used_at IS NULL OR k.last_used_at < u.used_at);
