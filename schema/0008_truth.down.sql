DROP TABLE node_health;
ALTER TABLE sessions DROP COLUMN seen_at;
-- Without the column, a refused publisher would count as one.
UPDATE sessions SET ended_at = greatest(now(), started_at), end_reason = 'refused' WHERE refused <> '' AND ended_at IS NULL;
DROP INDEX sessions_open_publisher;
ALTER TABLE sessions DROP COLUMN refused;
CREATE UNIQUE INDEX sessions_open_publisher ON sessions (stream, app, vhost) WHERE scene = 'publish' AND ended_at IS NULL;
