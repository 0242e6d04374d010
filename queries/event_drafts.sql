-- Drafts the events of moves of a locked room that another move follows in the same
-- transaction: the room's trigger sees only what becomes of it in the end.
-- name: EventDraftMoves :exec
INSERT INTO event_drafts (notes)
SELECT jsonb_agg(event_note((ARRAY['room.paused', 'room.started', 'room.stopped'])[m.status + 1], r.id, m.at,
    jsonb_build_object('room', event_room(jsonb_populate_record(r, jsonb_build_object('status', m.status, 'updated_at', m.at,
        'started_at', sqlc.narg(started_at)::timestamptz))))) ORDER BY m.n)
FROM rooms r, (SELECT unnest(@statuses::smallint[]) AS status, unnest(@moved_at::timestamptz[]) AS at, generate_subscripts(@statuses::smallint[], 1) AS n) m
WHERE r.id = @id
HAVING count(*) > 0;

-- The last event that this transaction has drafted, or zero.
-- name: EventDraftsMark :one
SELECT coalesce(max(id), 0)::bigint FROM event_drafts WHERE tx = pg_current_xact_id();

-- Takes back what this transaction has drafted since.
-- name: EventDraftsUndo :execrows
DELETE FROM event_drafts WHERE tx = pg_current_xact_id() AND id > @mark;

-- Drafts the end of a session that is about to be removed without a trace.
-- name: EventDraftTakenBack :exec
SELECT draft_session_over(ROW(s.*)::open_sessions, @now::timestamptz, 'taken_back')
FROM open_sessions s WHERE s.identity = @identity AND s.started_at = @started_at AND s.refused = '';
