DROP TABLE stray_groups;
ALTER TABLE rooms DROP COLUMN vod_id, DROP COLUMN muted;
