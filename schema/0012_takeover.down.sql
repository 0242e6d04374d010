DROP INDEX sessions_replaced;
ALTER TABLE sessions DROP COLUMN replaced_at;
ALTER TABLE auth_rules DROP COLUMN takeover_seconds, DROP COLUMN takeover;
