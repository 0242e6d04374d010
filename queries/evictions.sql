-- The one way to ask for an eviction, in the transaction of whatever demands it.
-- Nothing happens where the session has ended or is being evicted already.
-- name: EvictionInsert :execrows
INSERT INTO evictions (session_id, node, reason, asked_at, next_at)
SELECT s.id, s.node, @reason, @now, @now FROM sessions s WHERE s.id = @session_id AND s.ended_at IS NULL
ON CONFLICT DO NOTHING;
