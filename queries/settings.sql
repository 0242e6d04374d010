-- name: SettingByName :one
SELECT value_sealed FROM settings WHERE name = @name;

-- The first writer wins, everybody else reads its value afterwards.
-- name: SettingInsert :execrows
INSERT INTO settings (name, value_sealed, created_at)
VALUES (@name, @value_sealed, @now)
ON CONFLICT (name) DO NOTHING;
