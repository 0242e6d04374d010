-- Templates of a node's public URLs by protocol, instead of one play URL whose
-- protocol nobody knew.
ALTER TABLE nodes ADD COLUMN urls jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(urls) = 'object');
UPDATE nodes SET urls = jsonb_build_object(CASE
        WHEN play_url ~* '^rtmps?://' THEN 'rtmp'
        WHEN play_url ~* '^rtsps?://' THEN 'rtsp'
        WHEN play_url ~* '^srt://' THEN 'srt'
        WHEN play_url ~* '^webrtc://' THEN 'webrtc'
        WHEN play_url ~* '\.m3u8' THEN 'hls'
        ELSE 'http-flv' END, play_url)
    WHERE play_url <> '';
ALTER TABLE nodes DROP COLUMN play_url;

-- When a node called back last. It is written often, so it is not in nodes,
-- whose changes every process reads again.
CREATE TABLE node_seen (
    node    text PRIMARY KEY REFERENCES nodes (name) ON DELETE CASCADE,
    seen_at timestamptz NOT NULL
);
