-- name: EventWantsDelete :exec
DELETE FROM event_wants WHERE type <> ALL(@types::text[]);

-- name: EventWantsInsert :exec
INSERT INTO event_wants (type) SELECT unnest(@types::text[]) ON CONFLICT DO NOTHING;

-- Changes of endpoints come one after the other, so that each sees the others.
-- name: EventWantsLock :exec
LOCK TABLE event_wants IN SHARE ROW EXCLUSIVE MODE;
