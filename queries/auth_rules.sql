-- name: RuleInsert :one
INSERT INTO auth_rules (domain, vhost, app, scene, scheme, enabled, valid_seconds, created_at, updated_at)
VALUES (@domain, @vhost, @app, @scene, @scheme, @enabled, @valid_seconds, @now, @now)
RETURNING *;

-- name: RuleInsertDefault :one
INSERT INTO auth_rules (scene, scheme, created_at, updated_at)
VALUES (@scene, @scheme, @now, @now)
ON CONFLICT DO NOTHING
RETURNING *;

-- name: RuleSetEnabled :one
UPDATE auth_rules SET enabled = @enabled, updated_at = @now WHERE id = @id RETURNING *;

-- name: RuleDelete :execrows
DELETE FROM auth_rules WHERE id = @id;

-- name: RuleList :many
SELECT * FROM auth_rules ORDER BY id;

-- name: RuleByID :one
SELECT * FROM auth_rules WHERE id = @id;

-- name: RuleCount :one
SELECT count(*) FROM auth_rules;

-- name: RuleLock :one
SELECT id FROM auth_rules WHERE id = @id FOR UPDATE;
