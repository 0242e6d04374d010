-- The number below which nothing will be committed any more. What is read after it
-- was asked for is all that there is up to it.
-- name: EventsSettled :one
SELECT events_settled()::bigint;

-- The bounds of the log: the number of the oldest event that is still there, zero
-- where there is none, and that of the last one that was ever given.
-- name: EventsBounds :one
SELECT coalesce((SELECT min(e.number) FROM events e), 0)::bigint AS oldest, coalesce(pg_sequence_last_value('event_numbers'), 0)::bigint AS last;

-- What follows a number, in order. An empty filter means any; one type is not asked
-- for as one of some, because an index has it in order. The times say which
-- partitions are looked at.
-- name: EventsAfter :many
SELECT * FROM events e
WHERE e.number > @after::bigint AND e.number <= @settled::bigint AND (@type::text = '' OR e.type = @type)
  AND (cardinality(@types::text[]) = 0 OR e.type = ANY(@types)) AND (@subject::text = '' OR e.subject = @subject)
  AND e.at >= @since::timestamptz AND e.at <= @until::timestamptz
ORDER BY e.number
LIMIT @row_limit;

-- What came before a number, the newest first.
-- name: EventsBefore :many
SELECT * FROM events e
WHERE e.number < @before::bigint AND e.number <= @settled::bigint AND (@type::text = '' OR e.type = @type)
  AND (cardinality(@types::text[]) = 0 OR e.type = ANY(@types)) AND (@subject::text = '' OR e.subject = @subject)
  AND e.at >= @since::timestamptz AND e.at <= @until::timestamptz
ORDER BY e.number DESC
LIMIT @row_limit;
