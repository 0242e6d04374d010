-- How streams go, for charts: who plays each on each node and at what bit rate it
-- comes in, in partitions of one UTC day each (see internal/pg/daily.go). Stream is
-- a digest of vhost, application and name.
CREATE TABLE stream_samples (
    at      timestamptz NOT NULL,
    stream  bytea       NOT NULL,
    viewers integer     NOT NULL,
    kbps    integer, -- null where the node does not have the publisher, or does not tell
    node    text COLLATE "C" NOT NULL
) PARTITION BY RANGE (at);
CREATE TABLE stream_samples_default PARTITION OF stream_samples DEFAULT;
CREATE INDEX stream_samples_stream ON stream_samples (stream, at);

-- All ended sessions, the newest first. They end in this order, so that it grows
-- at one end.
CREATE INDEX ended_sessions_newest ON ended_sessions (ended_at, id);
