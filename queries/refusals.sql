-- name: RefusalsInsert :exec
INSERT INTO refusals (at, request_id, node, action, scene, vhost, app, stream, client_id, address, protocol, reason, rule_id, key_id, subject, repeats)
SELECT unnest(@at::timestamptz[]), unnest(@request_id::text[]), unnest(@node::text[]), unnest(@action::text[]), unnest(@scene::text[]),
    unnest(@vhost::text[]), unnest(@app::text[]), unnest(@stream::text[]), unnest(@client_id::text[]), unnest(@address::text[]),
    unnest(@protocol::text[]), unnest(@reason::text[]), unnest(@rule_id::bigint[]), unnest(@key_id::text[]), unnest(@subject::text[]),
    unnest(@repeats::bigint[]);

-- One page, the newest first. An empty filter means any. The times say which
-- partitions are looked at.
-- name: RefusalsPage :many
SELECT * FROM refusals r
WHERE (@request_id::text = '' OR r.request_id = @request_id) AND (@vhost::text = '' OR r.vhost = @vhost) AND (@app::text = '' OR r.app = @app)
  AND (@stream::text = '' OR r.stream = @stream) AND (@client::text = '' OR r.client_id = @client OR r.address = @client)
  AND (@reason::text = '' OR r.reason = @reason) AND r.at >= @since::timestamptz AND r.at <= @until::timestamptz
  AND (r.at, r.id) < (@before_at::timestamptz, @before_id::bigint)
ORDER BY r.at DESC, r.id DESC
LIMIT @row_limit;

-- Leaves the newest ones, as many as the table should hold.
-- name: RefusalsTrim :execrows
DELETE FROM refusals WHERE id IN (
    SELECT o.id FROM refusals o WHERE o.id <= (SELECT max(m.id) FROM refusals m) - @kept::bigint ORDER BY o.id LIMIT @row_limit);

-- Refusals since a moment by reason, of the newest so many.
-- name: RefusalCounts :many
SELECT n.reason, (count(*) + sum(n.repeats))::bigint AS refused, count(*) AS listed
FROM (SELECT r.reason, r.repeats FROM refusals r WHERE r.at >= @since::timestamptz ORDER BY r.at DESC, r.id DESC LIMIT @row_limit) n
GROUP BY n.reason
ORDER BY refused DESC, n.reason;
