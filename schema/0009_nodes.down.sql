DROP TABLE node_seen;
ALTER TABLE nodes ADD COLUMN play_url text NOT NULL DEFAULT '';
UPDATE nodes SET play_url = coalesce(urls->>'http-flv', urls->>'hls', urls->>'webrtc', urls->>'rtmp', urls->>'rtsp', urls->>'srt', '');
ALTER TABLE nodes DROP COLUMN urls;
