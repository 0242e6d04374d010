DROP INDEX sessions_open_subject;
DROP TABLE revocations;
DROP TABLE evictions;
DROP FUNCTION announce_table();
