-- The number of the last announcement that is committed, and "on" where no
-- changes are taken.
-- name: FeedNumber :one
SELECT number, current_setting('transaction_read_only')::text AS read_only FROM feed;
