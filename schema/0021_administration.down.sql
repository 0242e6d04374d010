DROP INDEX ended_sessions_newest;
DROP TABLE stream_samples;
