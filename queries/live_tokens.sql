-- name: LiveTokenInsert :one
INSERT INTO live_tokens (account_id, app, stream, level, token_hash, play_hash, token_sealed, play_sealed, created_at)
VALUES (@account_id, @app, @stream, @level, @token_hash, @play_hash, @token_sealed, @play_sealed, @now)
RETURNING *;

-- One transaction at a time deals with a stream's tokens.
-- name: LiveTokenLockStream :exec
SELECT pg_advisory_xact_lock(hashtextextended(@path, 0));

-- name: LiveTokenHolder :one
SELECT account_id FROM live_tokens WHERE app = @app AND stream = @stream AND revoked_at IS NULL;

-- name: LiveTokenRevokeStream :many
UPDATE live_tokens SET revoked_at = @now::timestamptz WHERE app = @app AND stream = @stream AND revoked_at IS NULL
RETURNING id;

-- name: LiveTokenRevoke :one
UPDATE live_tokens SET revoked_at = @now::timestamptz
WHERE token_hash = @token_hash AND revoked_at IS NULL AND (account_id = @account_id OR @any_owner::boolean)
RETURNING id;

-- name: LiveTokenList :many
SELECT t.*, a.username
FROM live_tokens t JOIN accounts a ON a.id = t.account_id
WHERE t.revoked_at IS NULL AND (t.account_id = @account_id OR @any_owner::boolean)
ORDER BY t.id
LIMIT @row_limit;

-- Destroyed pairs stay in memory for a while, so that their refusal can say so.
-- name: LiveTokenAccessAll :many
SELECT * FROM live_token_access WHERE revoked_at IS NULL OR revoked_at > @revoked_after::timestamptz;

-- name: LiveTokenAccessByIDs :many
SELECT * FROM live_token_access WHERE id = ANY(@ids::bigint[]);

-- name: LiveTokenAccessByHash :many
SELECT * FROM live_token_access WHERE token_hash = @hash OR play_hash = @hash;

-- name: LiveTokenPurge :execrows
DELETE FROM live_tokens WHERE revoked_at < @revoked_before::timestamptz;

-- One page of all pairs, the newest first.
-- name: LiveTokenPage :many
SELECT t.*, a.username FROM live_tokens t JOIN accounts a ON a.id = t.account_id
WHERE t.revoked_at IS NULL AND t.id < @before
ORDER BY t.id DESC
LIMIT @row_limit;

-- One page of those of an account, the newest first.
-- name: LiveTokenPageOf :many
SELECT t.*, a.username FROM live_tokens t JOIN accounts a ON a.id = t.account_id
WHERE t.revoked_at IS NULL AND t.id < @before AND t.account_id = (SELECT o.id FROM accounts o WHERE lower(o.username) = lower(@username))
ORDER BY t.id DESC
LIMIT @row_limit;

-- The pair of a stream, which has one at most.
-- name: LiveTokenOfStream :many
SELECT t.*, a.username FROM live_tokens t JOIN accounts a ON a.id = t.account_id
WHERE t.revoked_at IS NULL AND t.app = @app AND t.stream = @stream AND t.id < @before AND (@username::text = '' OR lower(a.username) = lower(@username));
