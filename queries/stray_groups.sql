-- name: StrayGroupKeep :exec
INSERT INTO stray_groups (server, group_id, created_at, tried_at) VALUES (@server, @group_id, @now, @now)
ON CONFLICT (server, group_id) DO NOTHING;

-- Those that were tried longest ago. A group that a room turns out to have is
-- left alone.
-- name: StrayGroups :many
SELECT server, group_id FROM stray_groups s
WHERE tried_at <= @tried_before
    AND NOT EXISTS (SELECT FROM rooms r WHERE r.chat_id = s.group_id AND r.deleted_at IS NULL)
ORDER BY tried_at
LIMIT @row_limit;

-- name: StrayGroupTried :exec
UPDATE stray_groups SET tried_at = @now WHERE server = @server AND group_id = @group_id;

-- name: StrayGroupsForget :exec
DELETE FROM stray_groups WHERE group_id = @group_id AND server = ANY(@servers::text[]);
