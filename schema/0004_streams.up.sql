-- How a stream is written as one path, with which lists are ordered and read
-- on: "/app/name", with the vhost in front where it is not the default.
CREATE FUNCTION stream_path(vhost text, app text, name text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT '/' || CASE WHEN vhost IN ('', '__defaultVhost__') THEN '' ELSE vhost || '/' END || app || '/' || name
$$;

-- What is on air, by path and by path in any case. Players are in neither.
CREATE INDEX sessions_live_path ON sessions ((stream_path(vhost, app, stream)) COLLATE "C")
    WHERE scene = 'publish' AND ended_at IS NULL;
CREATE INDEX sessions_live_lower_path ON sessions (lower(stream_path(vhost, app, stream)))
    WHERE scene = 'publish' AND ended_at IS NULL;

-- What has been on air, newest first or of one stream.
CREATE INDEX sessions_closed ON sessions (ended_at, id)
    WHERE scene = 'publish' AND ended_at IS NOT NULL AND started_at IS NOT NULL;
CREATE INDEX sessions_closed_stream ON sessions (stream, ended_at, id)
    WHERE scene = 'publish' AND ended_at IS NOT NULL AND started_at IS NOT NULL;

-- Those who watch a stream now stand together behind those who did, so that a
-- long history does not slow the look at them; and a player costs no index more.
DROP INDEX sessions_play_stream;
CREATE INDEX sessions_play_stream ON sessions (app, stream, ended_at) WHERE scene = 'play';

-- Pull relays: which remote URL stands behind a local path. The URL carries the
-- credentials of cameras. Patterns are ordered by their bytes.
CREATE TABLE routes (
    pattern    text COLLATE "C" PRIMARY KEY CHECK (octet_length(pattern) BETWEEN 1 AND 1024),
    url_sealed bytea       NOT NULL,
    keep_alive boolean     NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE TRIGGER routes_announce AFTER INSERT OR UPDATE OR DELETE ON routes
    FOR EACH ROW EXECUTE FUNCTION announce('pattern');
