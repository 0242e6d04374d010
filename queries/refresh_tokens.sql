-- name: RefreshFamilyInsert :one
INSERT INTO refresh_families (account_id, authenticated_at) VALUES (@account_id, @now)
RETURNING id;

-- Its foreign key waits for whoever is ending the family, and then fails.
-- name: RefreshTokenInsert :exec
INSERT INTO refresh_tokens (token_hash, family_id, generation, access_jti, access_expires_at, issued_at, expires_at)
VALUES (@token_hash, @family_id, @generation, @access_jti, @access_expires_at, @now, @expires_at);

-- name: RefreshTokenByHash :one
SELECT t.*, f.account_id, f.authenticated_at
FROM refresh_tokens t JOIN refresh_families f ON f.id = t.family_id
WHERE t.token_hash = @token_hash;

-- One caller uses a token; who waited for them changes no row.
-- name: RefreshTokenUse :execrows
UPDATE refresh_tokens SET used_at = @now::timestamptz WHERE token_hash = @token_hash AND used_at IS NULL;

-- Nobody adds to the family from here to the end of the transaction.
-- name: RefreshFamilyLock :one
SELECT id FROM refresh_families WHERE id = @id FOR UPDATE;

-- name: RefreshFamilyAccess :many
SELECT access_jti, access_expires_at, generation FROM refresh_tokens WHERE family_id = @family_id;

-- name: RefreshFamilyDelete :exec
DELETE FROM refresh_families WHERE id = @id;

-- name: RefreshFamilyByAccess :one
SELECT family_id FROM refresh_tokens WHERE access_jti = @access_jti;

-- A family goes with its last token.
-- name: RefreshTokenDeleteBefore :exec
WITH gone AS (
    DELETE FROM refresh_tokens WHERE expires_at < @before RETURNING family_id
)
DELETE FROM refresh_families f USING gone
WHERE f.id = gone.family_id
    AND NOT EXISTS (SELECT FROM refresh_tokens t WHERE t.family_id = f.id AND t.expires_at >= @before);
