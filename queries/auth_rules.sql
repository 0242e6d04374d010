-- name: RuleInsert :one
INSERT INTO auth_rules (domain, vhost, app, scene, scheme, options, enabled, valid_seconds, takeover, takeover_seconds, created_at, updated_at)
VALUES (@domain, @vhost, @app, @scene, @scheme, @options, @enabled, @valid_seconds, @takeover, @takeover_seconds, @now, @now)
RETURNING *;

-- The whole rule, whether it is there or not. What is not said about enabled
-- stays as it is; a new rule is off. Takeover is none of what cloud APIs know.
-- name: RuleWrite :one
INSERT INTO auth_rules AS r (domain, vhost, app, scene, scheme, options, enabled, valid_seconds, created_at, updated_at)
VALUES (@domain, @vhost, @app, @scene, @scheme, @options, coalesce(sqlc.narg(enabled)::boolean, false), @valid_seconds, @now, @now)
ON CONFLICT (domain, vhost, app, scene) DO UPDATE
SET scheme = EXCLUDED.scheme, options = EXCLUDED.options, enabled = coalesce(sqlc.narg(enabled)::boolean, r.enabled),
    valid_seconds = EXCLUDED.valid_seconds, updated_at = EXCLUDED.updated_at
RETURNING *;

-- name: RuleInsertDefault :one
INSERT INTO auth_rules (scene, scheme, created_at, updated_at)
VALUES (@scene, @scheme, @now, @now)
ON CONFLICT DO NOTHING
RETURNING *;

-- Of a rule that is locked.
-- name: RuleChange :exec
UPDATE auth_rules SET enabled = @enabled, valid_seconds = @valid_seconds, takeover = @takeover, takeover_seconds = @takeover_seconds, updated_at = @now
WHERE id = @id;

-- name: RuleEnable :one
UPDATE auth_rules SET enabled = @enabled, updated_at = @now
WHERE domain = @domain AND vhost = @vhost AND app = @app AND scene = @scene
RETURNING id;

-- name: RuleDelete :execrows
DELETE FROM auth_rules WHERE id = @id;

-- name: RuleList :many
SELECT * FROM auth_rules ORDER BY id;

-- name: RuleFind :many
SELECT * FROM auth_rules
WHERE (sqlc.narg(domain)::text IS NULL OR domain = sqlc.narg(domain))
  AND (sqlc.narg(vhost)::text IS NULL OR vhost = sqlc.narg(vhost))
  AND (sqlc.narg(app)::text IS NULL OR app = sqlc.narg(app))
  AND (@scene::text = '' OR scene = @scene)
ORDER BY domain, vhost, app, scene
LIMIT @row_limit;

-- One page, in the order of their making. An empty filter means any.
-- name: RulePage :many
SELECT * FROM auth_rules
WHERE id > @after AND (@scene::text = '' OR scene = @scene)
  AND (@text::text = '' OR strpos(lower(domain), lower(@text)) > 0 OR strpos(lower(vhost), lower(@text)) > 0 OR strpos(lower(app), lower(@text)) > 0)
ORDER BY id
LIMIT @row_limit;

-- name: RuleByID :one
SELECT * FROM auth_rules WHERE id = @id;

-- name: RulesByIDs :many
SELECT * FROM auth_rules WHERE id = ANY(@ids::bigint[]);

-- name: RuleCount :one
SELECT count(*) FROM auth_rules;

-- name: RuleLock :one
SELECT id FROM auth_rules WHERE id = @id FOR UPDATE;
