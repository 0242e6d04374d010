-- name: KeyInsert :one
INSERT INTO signing_keys (rule_id, kid, secret_sealed, state, scheme, options, position, created_at, changed_at)
VALUES (@rule_id, @kid, @secret_sealed, @state, @scheme, @options, @position, @now, @now)
RETURNING *;

-- name: KeyList :many
SELECT * FROM signing_keys ORDER BY rule_id, position, id;

-- name: KeysByRule :many
SELECT * FROM signing_keys WHERE rule_id = @rule_id ORDER BY position, id;

-- name: KeysOfRules :many
SELECT * FROM signing_keys WHERE rule_id = ANY(@rule_ids::bigint[]) ORDER BY rule_id, position, id;

-- name: KeysByRules :many
SELECT * FROM signing_keys WHERE rule_id = ANY(@rule_ids::bigint[]) AND state <> 'revoked' ORDER BY rule_id, position, id;

-- The active key makes room before another one takes its place.
-- name: KeyRetireActive :exec
UPDATE signing_keys SET state = 'retiring', changed_at = @now WHERE rule_id = @rule_id AND state = 'active';

-- name: KeySetState :execrows
UPDATE signing_keys SET state = @state, changed_at = @now
WHERE rule_id = @rule_id AND kid = @kid AND state <> 'revoked';

-- A key that stays when its rule is written anew.
-- name: KeyKeep :exec
UPDATE signing_keys SET state = @state, scheme = @scheme, options = @options, position = @position,
    changed_at = CASE WHEN state = @state THEN changed_at ELSE @now END
WHERE id = @id;

-- name: KeysRevoke :exec
UPDATE signing_keys SET state = 'revoked', changed_at = @now WHERE id = ANY(@ids::bigint[]);

-- Only the last ones are worth telling from a forgery.
-- name: KeysForgetRevoked :exec
DELETE FROM signing_keys WHERE id IN (
    SELECT k.id FROM signing_keys k WHERE k.rule_id = @rule_id AND k.state = 'revoked'
    ORDER BY k.changed_at DESC, k.id DESC OFFSET @kept::int);

-- name: KeysTouch :exec
UPDATE signing_keys k SET last_used_at = u.used_at
FROM (SELECT unnest(@ids::bigint[]) AS id, unnest(@used_at::timestamptz[]) AS used_at) u
WHERE k.id = u.id AND (k.last_used_at IS NULL OR k.last_used_at < u.used_at);

-- Keys that sign no more and still admit, those first that have for longest.
-- name: KeysRetiring :many
SELECT * FROM signing_keys WHERE state = 'retiring' ORDER BY changed_at, id LIMIT @row_limit;
