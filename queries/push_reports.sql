-- No row means that something newer, or this very report, is known.
-- name: PushReportNote :execrows
INSERT INTO push_reports AS known (room_id, stream, reported_at, published, ended, live)
VALUES (@room_id, @stream, @reported_at, @live, NOT @live::boolean, @live)
ON CONFLICT (room_id, stream) DO UPDATE SET
    reported_at = excluded.reported_at,
    published = excluded.published OR (known.published AND known.reported_at = excluded.reported_at),
    ended = excluded.ended OR (known.ended AND known.reported_at = excluded.reported_at),
    live = excluded.live
WHERE excluded.reported_at > known.reported_at
    OR (excluded.reported_at = known.reported_at AND (excluded.published > known.published OR excluded.ended > known.ended));

-- Streams that are on the air by reports that nothing followed.
-- name: PushReportsStale :many
SELECT p.room_id, p.stream, r.app FROM push_reports p JOIN rooms r ON r.id = p.room_id
WHERE p.live AND p.reported_at < @before
LIMIT @row_limit;

-- name: PushReportExpire :execrows
UPDATE push_reports SET live = FALSE
WHERE room_id = @room_id AND stream = @stream AND live AND reported_at < @before;
