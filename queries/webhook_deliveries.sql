-- name: WebhookDeliveriesInsert :many
INSERT INTO webhook_deliveries (at, endpoint_id, event_id, type, subject, sequence, body)
SELECT @now::timestamptz, unnest(@endpoint_ids::text[]), unnest(@event_ids::text[]), unnest(@types::text[]), unnest(@subjects::text[]),
    unnest(@sequences::bigint[]), unnest(@bodies::text[])
RETURNING id, endpoint_id;

-- What to send, to where, and with which secrets. Nothing where the endpoint is
-- gone, or the delivery has been forgotten.
-- name: WebhookDeliveryToSend :one
SELECT d.id, d.at, d.endpoint_id, d.event_id, d.type, d.body, d.state, d.tries, d.next_at,
    e.url, e.secret_sealed, e.old_secret_sealed, e.old_secret_until, e.disabled_at, e.held_until, e.failing_since
FROM webhook_deliveries d JOIN webhook_endpoints e ON e.id = d.endpoint_id
WHERE d.id = @id AND d.at = @at;

-- What an attempt came to. The oldest attempts on record make room.
-- name: WebhookDeliveryNote :execrows
UPDATE webhook_deliveries SET state = @state, tries = @tries, next_at = sqlc.narg(next_at), finished_at = sqlc.narg(finished_at),
    attempts = CASE WHEN jsonb_array_length(attempts) >= @most::int THEN attempts - 0 ELSE attempts END || @attempt::jsonb
WHERE id = @id AND at = @at AND state = 'pending';

-- name: WebhookDeliveryByID :one
SELECT * FROM webhook_deliveries WHERE id = @id AND endpoint_id = @endpoint_id;

-- One page, the newest first. An empty filter means any.
-- name: WebhookDeliveryPage :many
SELECT * FROM webhook_deliveries d
WHERE d.endpoint_id = @endpoint_id AND d.id < @before_id AND (@state::text = '' OR d.state = @state) AND (@type::text = '' OR d.type = @type)
  AND (@event_id::text = '' OR d.event_id = @event_id) AND d.at >= @since::timestamptz AND d.at <= @until::timestamptz
ORDER BY d.id DESC
LIMIT @row_limit;

-- name: WebhookDeliveryAgain :one
UPDATE webhook_deliveries SET state = 'pending', tries = 0, next_at = NULL, finished_at = NULL
WHERE id = @id AND at = @at AND state <> 'pending'
RETURNING *;

-- Events of a time that an endpoint is to get again: those that wait for it
-- already are left out, and if wanted those that have arrived.
-- name: WebhookReplayable :many
SELECT v.* FROM events v
WHERE v.at >= @since::timestamptz AND v.at < @until::timestamptz AND v.number > @after_number AND v.type = ANY(@types::text[])
  AND NOT EXISTS (SELECT FROM webhook_deliveries d WHERE d.event_id = v.id AND d.endpoint_id = @endpoint_id
      AND (d.state = 'pending' OR d.state = 'delivered' AND @missing_only::boolean))
ORDER BY v.number
LIMIT @row_limit;
