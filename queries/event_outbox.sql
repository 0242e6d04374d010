-- The oldest events that nobody is handing on. Who takes them deletes them in the
-- transaction that makes their deliveries.
-- name: EventOutboxTake :many
DELETE FROM event_outbox WHERE number IN (SELECT o.number FROM event_outbox o ORDER BY o.number LIMIT @row_limit FOR UPDATE SKIP LOCKED)
RETURNING *;

-- name: EventOutboxOldest :one
SELECT at FROM event_outbox ORDER BY number LIMIT 1;
