-- No row means that the token was used before.
-- name: UsedJumpTokenInsert :execrows
INSERT INTO used_jump_tokens (token_hash, used_at, expires_at)
VALUES (@token_hash, @now, @expires_at)
ON CONFLICT (token_hash) DO NOTHING;

-- name: UsedJumpTokenPurge :execrows
DELETE FROM used_jump_tokens WHERE expires_at < @before;
