-- name: TokenKeyInsert :exec
INSERT INTO token_keys (kid, private_sealed, created_at) VALUES (@kid, @private_sealed, @now);

-- name: TokenKeyList :many
SELECT * FROM token_keys ORDER BY created_at, kid;

-- Lets one process at a time decide that there is no signing key yet.
-- name: TokenKeyLockTable :exec
LOCK TABLE token_keys IN SHARE ROW EXCLUSIVE MODE;

-- What was only superseded may be revoked for good later, never the other way round.
-- name: RevokedTokenInsert :exec
INSERT INTO revoked_tokens (jti, username, revoked_at, expires_at, superseded)
VALUES (@jti, @username, @now, @expires_at, @superseded)
ON CONFLICT (jti) DO UPDATE
SET superseded = false, expires_at = greatest(revoked_tokens.expires_at, EXCLUDED.expires_at)
WHERE revoked_tokens.superseded AND NOT EXCLUDED.superseded;

-- name: RevokedTokensByJTI :many
SELECT jti, expires_at, superseded FROM revoked_tokens WHERE jti = ANY(@jtis::text[]);

-- name: RevokedTokenListLive :many
SELECT jti, expires_at, superseded FROM revoked_tokens WHERE expires_at >= @since;

-- name: RevokedTokenDeleteBefore :exec
DELETE FROM revoked_tokens WHERE expires_at < @before;
