DROP TABLE routes;
DROP INDEX sessions_play_stream, sessions_closed_stream, sessions_closed, sessions_live_lower_path, sessions_live_path;
CREATE INDEX sessions_play_stream ON sessions (app, stream) WHERE scene = 'play';
DROP FUNCTION stream_path(text, text, text);
