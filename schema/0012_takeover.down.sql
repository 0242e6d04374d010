ALTER TABLE auth_rules DROP COLUMN takeover_seconds, DROP COLUMN takeover;
