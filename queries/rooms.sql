-- One row for each element of the arrays. Message services are joined by commas.
-- name: RoomsInsert :exec
INSERT INTO rooms (id, app, title, notice, cover_url, anchor_id, anchor_nick, extends, mode, chat_id, meeting_id, im_servers, created_at, updated_at)
SELECT unnest(@id::text[]), unnest(@app::text[]), unnest(@title::text[]), unnest(@notice::text[]), unnest(@cover_url::text[]),
    unnest(@anchor_id::text[]), unnest(@anchor_nick::text[]), unnest(@extends::text[]), unnest(@mode::smallint[]), unnest(@id::text[]),
    nullif(unnest(@meeting_id::text[]), ''), string_to_array(unnest(@im_servers::text[]), ','), unnest(@created_at::timestamptz[]),
    unnest(@created_at::timestamptz[]);

-- name: RoomByID :one
SELECT * FROM rooms WHERE id = @id AND deleted_at IS NULL;

-- name: RoomByChatID :one
SELECT * FROM rooms WHERE chat_id = @chat_id AND deleted_at IS NULL;

-- name: RoomPage :many
SELECT * FROM rooms
WHERE deleted_at IS NULL AND (sqlc.narg(status)::smallint IS NULL OR status = sqlc.narg(status))
  AND (created_at, id) < (@before_at::timestamptz, @before_id::text)
ORDER BY created_at DESC, id DESC
LIMIT @row_limit;

-- The room that follows after so many, from an index alone.
-- name: RoomSkip :one
SELECT created_at, id FROM rooms
WHERE deleted_at IS NULL AND (sqlc.narg(status)::smallint IS NULL OR status = sqlc.narg(status))
  AND (created_at, id) < (@before_at::timestamptz, @before_id::text)
ORDER BY created_at DESC, id DESC
LIMIT 1 OFFSET @row_offset;

-- Counting stops at row_limit, so that it costs the same in a large table; in
-- order, so that it does not go through what was deleted.
-- name: RoomCount :one
SELECT count(*) FROM (
    SELECT 1 FROM rooms
    WHERE deleted_at IS NULL AND (sqlc.narg(status)::smallint IS NULL OR status = sqlc.narg(status))
    ORDER BY created_at DESC, id DESC
    LIMIT @row_limit) counted;

-- name: RoomLock :one
SELECT * FROM rooms WHERE id = @id AND deleted_at IS NULL FOR NO KEY UPDATE;

-- Of a room that is locked.
-- name: RoomSetStatus :exec
UPDATE rooms SET status = @status, started_at = sqlc.narg(started_at), stopped_at = sqlc.narg(stopped_at), updated_at = @updated_at
WHERE id = @id;

-- Compare and set: a room that is on or has ended stays as it is.
-- name: RoomStart :exec
UPDATE rooms SET status = 1, started_at = coalesce(started_at, @now::timestamptz), updated_at = @now
WHERE id = @id AND status = 0 AND deleted_at IS NULL;

-- name: RoomDelete :one
UPDATE rooms SET deleted_at = @now::timestamptz, updated_at = @now, status = 2, stopped_at = coalesce(stopped_at, @now)
WHERE id = @id AND deleted_at IS NULL
RETURNING *;

-- name: RoomUpdate :one
UPDATE rooms SET
    title = coalesce(sqlc.narg(title), title),
    notice = coalesce(sqlc.narg(notice), notice),
    extends = coalesce(sqlc.narg(extends), extends),
    updated_at = @now
WHERE id = @id AND deleted_at IS NULL
RETURNING *;

-- name: RoomSetMeeting :one
UPDATE rooms SET meeting_info = @meeting_info, updated_at = @now
WHERE id = @id AND mode = 1 AND deleted_at IS NULL
RETURNING *;

-- name: RoomSetMuted :one
UPDATE rooms SET muted = @muted, updated_at = @now
WHERE id = @id AND deleted_at IS NULL
RETURNING *;

-- name: RoomSetVOD :exec
UPDATE rooms SET vod_id = @vod_id WHERE id = @id AND vod_id = '';

-- name: RoomLike :one
UPDATE rooms SET like_count = like_count + @likes WHERE chat_id = @chat_id AND deleted_at IS NULL
RETURNING like_count, anchor_id, im_servers;

-- Locks the room of a stream, so that stopping it and publishing to it happen
-- one after the other.
-- name: RoomForPublish :one
SELECT id, status, (deleted_at IS NOT NULL)::boolean AS deleted FROM rooms
WHERE app = @app AND id = @id
FOR UPDATE;

-- name: RoomForMeetingPublish :one
SELECT id, status, (deleted_at IS NOT NULL)::boolean AS deleted FROM rooms
WHERE meeting_id = @meeting_id AND anchor_id = @anchor_id
FOR UPDATE;

-- The CDN may still have a stream of the room.
-- name: RoomLeaveAir :exec
UPDATE rooms SET status = 0, updated_at = @now
WHERE id = @id AND status = 1 AND NOT EXISTS (SELECT 1 FROM push_reports r WHERE r.room_id = rooms.id AND r.live);

-- name: RoomsClosed :many
SELECT id FROM rooms WHERE status = 2 OR deleted_at IS NOT NULL;

-- name: RoomsClosedOf :many
SELECT id FROM rooms WHERE id = ANY(@ids::text[]) AND (status = 2 OR deleted_at IS NOT NULL);

-- name: RoomAnchorOfStream :one
SELECT anchor_id FROM rooms WHERE (app = @app AND id = @stream) OR meeting_id = @meeting_id LIMIT 1;

-- name: RoomByMeetingID :one
SELECT * FROM rooms WHERE meeting_id = @meeting_id AND deleted_at IS NULL;

-- The rooms that have a text somewhere, among the next so many. The last of those
-- comes along where it does not have it, so that the search can go on behind it.
-- name: RoomSearch :many
WITH next AS (
    SELECT id, created_at, title, anchor_id, anchor_nick FROM rooms
    WHERE deleted_at IS NULL AND (sqlc.narg(status)::smallint IS NULL OR status = sqlc.narg(status))
      AND (created_at, id) < (@before_at::timestamptz, @before_id::text)
    ORDER BY created_at DESC, id DESC
    LIMIT @look_at::bigint
), look AS (
    SELECT n.id, n.created_at, (row_number() OVER (ORDER BY n.created_at DESC, n.id DESC) = @look_at)::boolean AS last,
        (strpos(lower(n.title), lower(@text)) > 0 OR strpos(lower(n.anchor_id), lower(@text)) > 0
            OR strpos(lower(n.anchor_nick), lower(@text)) > 0 OR strpos(lower(n.id), lower(@text)) > 0)::boolean AS found
    FROM next n
)
SELECT sqlc.embed(rooms), look.found, look.last FROM look JOIN rooms ON rooms.id = look.id
WHERE look.found OR look.last
ORDER BY look.created_at DESC, look.id DESC
LIMIT @row_limit;
