-- In the order of names, so that processes that write at once wait for each
-- other and not in a circle.
-- name: NodeSeenUpsert :exec
INSERT INTO node_seen (node, seen_at)
SELECT n.name, u.seen_at
FROM (SELECT unnest(@names::text[]) AS name, unnest(@seen_ats::timestamptz[]) AS seen_at) u JOIN nodes n ON n.name = u.name
ORDER BY n.name
ON CONFLICT (node) DO UPDATE SET seen_at = greatest(node_seen.seen_at, excluded.seen_at);
