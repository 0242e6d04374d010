-- name: AccessKeyCount :one
SELECT count(*) FROM access_keys WHERE account_id = @account_id AND revoked_at IS NULL;

-- name: AccessKeyInsert :exec
INSERT INTO access_keys (id, account_id, secret_sealed, comment, created_at)
VALUES (@id, @account_id, @secret_sealed, @comment, @now);

-- name: AccessKeyByID :one
SELECT * FROM access_key_holders WHERE id = @id;

-- name: AccessKeyListAll :many
SELECT * FROM access_key_holders;

-- name: AccessKeyList :many
SELECT * FROM access_key_holders
WHERE @username::text = '' OR lower(username) = lower(@username::text)
ORDER BY lower(username) COLLATE "C", created_at, id
LIMIT @row_limit;

-- A key is revoked once, and keeps the time of it.
-- name: AccessKeyRevoke :execrows
UPDATE access_keys SET revoked_at = coalesce(revoked_at, @now::timestamptz)
WHERE id = @id AND (@any_owner::boolean OR account_id = @account_id);

-- name: AccessKeysTouch :exec
UPDATE access_keys k SET last_used_at = u.used_at
FROM (SELECT unnest(@ids::text[]) AS id, unnest(@used_at::timestamptz[]) AS used_at) u
WHERE k.id = u.id AND (k.last_used_at IS NULL OR k.last_used_at < u.used_at);

-- name: AccessKeyDeleteRevokedBefore :exec
DELETE FROM access_keys WHERE revoked_at < @before::timestamptz;
