-- The number of the last announcement that is committed.
-- name: FeedNumber :one
SELECT number FROM feed;
