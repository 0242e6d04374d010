-- name: WebhookEndpointInsert :one
INSERT INTO webhook_endpoints (id, url, description, types, secret_sealed, created_at, updated_at)
VALUES (@id, @url, @description, @types, @secret_sealed, @now, @now)
RETURNING *;

-- name: WebhookEndpointByID :one
SELECT * FROM webhook_endpoints WHERE id = @id;

-- name: WebhookEndpointLock :one
SELECT * FROM webhook_endpoints WHERE id = @id FOR UPDATE;

-- name: WebhookEndpointList :many
SELECT * FROM webhook_endpoints ORDER BY id;

-- name: WebhookEndpointPage :many
SELECT * FROM webhook_endpoints WHERE id > @after ORDER BY id LIMIT @row_limit;

-- name: WebhookEndpointCount :one
SELECT count(*) FROM webhook_endpoints;

-- name: WebhookEndpointUpdate :one
UPDATE webhook_endpoints SET url = @url, description = @description, types = @types, disabled_at = sqlc.narg(disabled_at), disabled_reason = @disabled_reason,
    held_until = sqlc.narg(held_until), failing_since = sqlc.narg(failing_since), updated_at = @now
WHERE id = @id
RETURNING *;

-- name: WebhookEndpointRotate :one
UPDATE webhook_endpoints SET secret_sealed = @secret_sealed, old_secret_sealed = sqlc.narg(old_secret_sealed), old_secret_until = sqlc.narg(old_secret_until),
    updated_at = @now
WHERE id = @id
RETURNING *;

-- name: WebhookEndpointDelete :execrows
DELETE FROM webhook_endpoints WHERE id = @id;

-- Something has arrived, after a time in which nothing did.
-- name: WebhookEndpointWell :execrows
UPDATE webhook_endpoints SET failing_since = NULL, held_until = NULL WHERE id = @id AND failing_since IS NOT NULL;

-- name: WebhookEndpointFailing :execrows
UPDATE webhook_endpoints SET failing_since = @now WHERE id = @id AND failing_since IS NULL;

-- name: WebhookEndpointHold :exec
UPDATE webhook_endpoints SET held_until = @held_until WHERE id = @id AND (held_until IS NULL OR held_until < @held_until);

-- name: WebhookEndpointDisable :execrows
UPDATE webhook_endpoints SET disabled_at = @now, disabled_reason = @reason, updated_at = @now WHERE id = @id AND disabled_at IS NULL;

-- Those that events go to, which nobody removes meanwhile.
-- name: WebhookEndpointReceivers :many
SELECT * FROM webhook_endpoints WHERE disabled_at IS NULL ORDER BY id FOR KEY SHARE;

-- name: WebhookEndpointKeep :one
SELECT * FROM webhook_endpoints WHERE id = @id FOR KEY SHARE;
