-- A player whose end came first left a tombstone: its start completes that row
-- instead of opening a session that nobody would ever end. So does a start that
-- is written again because nobody knows whether the first attempt was committed,
-- and whose session has ended since. What started a session is known by the time.
-- name: SessionsOpenPlay :exec
WITH input AS (
    SELECT unnest(@node::text[]) AS node, unnest(@server_id::text[]) AS server_id, unnest(@client_id::text[]) AS client_id,
        unnest(@serial::bigint[]) AS serial, unnest(@vhost::text[]) AS vhost, unnest(@app::text[]) AS app,
        unnest(@stream::text[]) AS stream, unnest(@address::text[]) AS address, unnest(@protocol::text[]) AS protocol,
        unnest(@credential_kind::text[]) AS credential_kind, unnest(@credential_id::text[]) AS credential_id,
        unnest(@subject::text[]) AS subject, unnest(@started_at::timestamptz[]) AS started_at
), early AS (
    UPDATE sessions s SET started_at = i.started_at, ended_at = greatest(s.ended_at, i.started_at), serial = i.serial, scene = 'play',
        vhost = i.vhost, app = i.app, stream = i.stream, address = i.address, protocol = i.protocol,
        credential_kind = i.credential_kind, credential_id = i.credential_id, subject = i.subject
    FROM input i
    WHERE s.ended_at > @since::timestamptz AND (s.started_at IS NULL OR s.started_at = i.started_at)
      AND s.node = i.node AND s.server_id = i.server_id AND s.client_id = i.client_id
      AND ((s.app = '' AND s.stream = '') OR (s.scene = 'play' AND s.vhost = i.vhost AND s.app = i.app AND s.stream = i.stream))
    RETURNING s.node, s.server_id, s.client_id, s.vhost, s.app, s.stream
)
INSERT INTO sessions (node, server_id, client_id, serial, scene, vhost, app, stream, address, protocol, credential_kind, credential_id, subject, started_at)
SELECT i.node, i.server_id, i.client_id, i.serial, 'play', i.vhost, i.app, i.stream, i.address, i.protocol, i.credential_kind, i.credential_id, i.subject, i.started_at
FROM input i
WHERE NOT EXISTS (
    SELECT 1 FROM early e
    WHERE e.node = i.node AND e.server_id = i.server_id AND e.client_id = i.client_id
      AND e.vhost = i.vhost AND e.app = i.app AND e.stream = i.stream)
ON CONFLICT DO NOTHING;

-- A player whose number somebody else had long before is a new connection.
-- name: SessionsEndRenumbered :exec
WITH input AS (
    SELECT unnest(@node::text[]) AS node, unnest(@server_id::text[]) AS server_id, unnest(@client_id::text[]) AS client_id,
        unnest(@serial::bigint[]) AS serial, unnest(@vhost::text[]) AS vhost, unnest(@app::text[]) AS app,
        unnest(@stream::text[]) AS stream, unnest(@started_at::timestamptz[]) AS started_at
)
UPDATE sessions s SET ended_at = i.started_at, end_reason = 'server_restarted'
FROM input i
WHERE s.ended_at IS NULL AND s.started_at < @before::timestamptz AND i.serial > 0
  AND s.node = i.node AND s.server_id = i.server_id AND s.client_id = i.client_id
  AND s.scene = 'play' AND s.vhost = i.vhost AND s.app = i.app AND s.stream = i.stream;

-- No row means that the stream has a publisher already. A publisher that is
-- being written by somebody else is waited for.
-- name: SessionOpenPublish :one
INSERT INTO sessions (node, server_id, client_id, serial, scene, vhost, app, stream, address, protocol, credential_kind, credential_id, subject, started_at)
VALUES (@node, @server_id, @client_id, @serial, 'publish', @vhost, @app, @stream, @address, @protocol, @credential_kind, @credential_id, @subject, @started_at::timestamptz)
ON CONFLICT DO NOTHING
RETURNING id;

-- As for players, above.
-- name: SessionCompletePublish :execrows
UPDATE sessions SET started_at = @started_at::timestamptz, ended_at = greatest(ended_at, @started_at), serial = @serial, scene = 'publish',
    vhost = @vhost, app = @app, stream = @stream, address = @address, protocol = @protocol,
    credential_kind = @credential_kind, credential_id = @credential_id, subject = @subject
WHERE ended_at > @since::timestamptz AND (started_at IS NULL OR started_at = @started_at)
  AND node = @node AND server_id = @server_id AND client_id = @client_id
  AND ((app = '' AND stream = '') OR (scene = 'publish' AND vhost = @vhost AND app = @app AND stream = @stream));

-- name: SessionPublisher :one
SELECT * FROM sessions
WHERE scene = 'publish' AND ended_at IS NULL AND refused = '' AND vhost = @vhost AND app = @app AND stream = @stream;

-- name: SessionEnd :execrows
UPDATE sessions SET ended_at = @ended_at::timestamptz, end_reason = @end_reason
WHERE ended_at IS NULL AND started_at <= @before::timestamptz
  AND node = @node AND server_id = @server_id AND client_id = @client_id
  AND scene = @scene AND vhost = @vhost AND app = @app AND stream = @stream;

-- name: SessionsEndByID :many
UPDATE sessions SET ended_at = greatest(@ended_at::timestamptz, started_at), end_reason = @end_reason
WHERE id = ANY(@ids::bigint[]) AND ended_at IS NULL
RETURNING scene, vhost, app, stream;

-- Removes the session that one start opened and nobody was told of.
-- name: SessionForget :execrows
DELETE FROM sessions
WHERE ended_at IS NULL AND started_at = @started_at::timestamptz
  AND node = @node AND server_id = @server_id AND client_id = @client_id
  AND scene = @scene AND vhost = @vhost AND app = @app AND stream = @stream;

-- What an earlier process of the same server left open, publishers first.
-- name: SessionsEndProcess :many
UPDATE sessions SET ended_at = @ended_at::timestamptz, end_reason = 'server_restarted'
WHERE id IN (
    SELECT o.id FROM sessions o
    WHERE o.ended_at IS NULL AND o.node = @node AND starts_with(o.server_id, @instance) AND o.server_id <> @server_id
    ORDER BY o.scene DESC
    LIMIT @row_limit) AND ended_at IS NULL
RETURNING scene, vhost, app, stream;

-- Whatever the same connection number did before a server without identity
-- started counting again.
-- name: SessionsEndNumber :many
UPDATE sessions SET ended_at = @ended_at::timestamptz, end_reason = 'server_restarted'
WHERE ended_at IS NULL AND node = @node AND server_id = @server_id AND client_id = @client_id
  AND (scene, vhost, app, stream) IS DISTINCT FROM ('publish', @vhost, @app, @stream)
RETURNING scene, vhost, app, stream;

-- An end that found no session leaves a tombstone, for the start that may still
-- come. A second end of the same session is a repetition. A tombstone without
-- app and stream is the end of a whole connection.
-- name: SessionBury :exec
INSERT INTO sessions (node, server_id, client_id, serial, scene, vhost, app, stream, ended_at, end_reason)
SELECT @node, @server_id, @client_id, @serial, @scene, @vhost, @app, @stream, @ended_at::timestamptz, 'early'
WHERE NOT EXISTS (
    SELECT 1 FROM sessions s
    WHERE s.node = @node AND s.server_id = @server_id AND s.client_id = @client_id AND s.ended_at > @since::timestamptz
      AND ((s.app = '' AND s.stream = '') OR (s.scene = @scene AND s.vhost = @vhost AND s.app = @app AND s.stream = @stream)));

-- The connection is gone with all that it carried, bytes are known only now. When
-- it ended may be by another clock than its start.
-- name: SessionsEndClient :many
UPDATE sessions s SET ended_at = coalesce(s.ended_at, greatest(@ended_at::timestamptz, s.started_at)),
    end_reason = CASE WHEN c.was_open THEN 'close' ELSE s.end_reason END,
    bytes_in = greatest(s.bytes_in, @bytes_in), bytes_out = greatest(s.bytes_out, @bytes_out)
FROM (
    SELECT o.id, o.ended_at IS NULL AS was_open FROM sessions o
    WHERE o.node = @node AND o.server_id = @server_id AND o.client_id = @client_id
      AND ((o.ended_at IS NULL AND o.started_at <= @before::timestamptz) OR o.ended_at > @since::timestamptz)
    FOR UPDATE) c
WHERE s.id = c.id
RETURNING s.scene, s.vhost, s.app, s.stream, c.was_open::boolean AS was_open;

-- The two halves use one partial index each.
-- name: SessionOfRecording :one
SELECT r.id, r.started_at FROM (
    SELECT a.id, a.started_at FROM sessions a
    WHERE a.ended_at IS NULL AND a.node = @node AND a.server_id = @server_id AND a.client_id = @client_id
      AND a.scene = 'publish' AND a.refused IN ('', 'replaced') AND a.vhost = @vhost AND a.app = @app AND a.stream = @stream
    UNION ALL
    SELECT b.id, b.started_at FROM sessions b
    WHERE b.ended_at IS NOT NULL AND b.node = @node AND b.server_id = @server_id AND b.client_id = @client_id
      AND b.scene = 'publish' AND b.refused IN ('', 'replaced') AND b.vhost = @vhost AND b.app = @app AND b.stream = @stream AND b.started_at IS NOT NULL) r
ORDER BY r.id DESC LIMIT 1;

-- Whose recording began at a time, where the media server does not tell, and
-- when the last of those ended who may have gone on with the same file.
-- name: SessionOfFile :one
WITH publishers AS (
    SELECT o.id, o.started_at, @now::timestamptz AS ended_at FROM sessions o
    WHERE o.scene = 'publish' AND o.ended_at IS NULL AND o.refused = '' AND o.stream = @stream AND o.app = @app AND o.vhost = @vhost AND o.node = @node
    UNION ALL
    SELECT e.id, e.started_at, e.ended_at FROM sessions e
    WHERE e.scene = 'publish' AND e.ended_at IS NOT NULL AND e.started_at IS NOT NULL AND e.refused = ''
      AND e.stream = @stream AND e.ended_at > @since::timestamptz AND e.app = @app AND e.vhost = @vhost AND e.node = @node)
SELECT a.id, a.started_at::timestamptz AS started_at,
    (SELECT max(b.ended_at) FROM publishers b WHERE b.started_at >= a.started_at)::timestamptz AS ended_at
FROM publishers a
WHERE a.started_at <= @began::timestamptz
ORDER BY a.id DESC LIMIT 1;

-- Whether a publisher that names the moment of its start is over.
-- name: SessionEndedAfter :one
SELECT EXISTS (
    SELECT 1 FROM sessions
    WHERE ended_at > @at::timestamptz AND node = @node AND server_id = @server_id AND client_id = @client_id
      AND scene = 'publish' AND vhost = @vhost AND app = @app AND stream = @stream);

-- What a server had before one of its processes began, publishers first.
-- name: SessionsEndServer :many
UPDATE sessions SET ended_at = @ended_at::timestamptz, end_reason = 'server_restarted'
WHERE id IN (
    SELECT o.id FROM sessions o
    WHERE o.ended_at IS NULL AND o.node = @node AND o.server_id = @server_id AND o.started_at < @before::timestamptz
    ORDER BY o.scene DESC
    LIMIT @row_limit) AND ended_at IS NULL
RETURNING scene, vhost, app, stream;

-- Ends that wait for their start, and whose ids a new process uses again. They
-- are of the last minute, so looking through the newest sessions is enough.
-- name: SessionsForgetEarly :exec
DELETE FROM sessions s
WHERE s.id > (SELECT coalesce(max(m.id), 0) - 50000 FROM sessions m) AND s.started_at IS NULL AND s.ended_at < @before::timestamptz
  AND s.node = @node AND s.server_id = @server_id;

-- name: SessionsEndAudience :exec
UPDATE sessions SET ended_at = @ended_at::timestamptz, end_reason = 'stream_gone'
WHERE ended_at IS NULL AND started_at <= @ended_at AND scene = 'play' AND app = @app AND stream = @stream AND vhost = @vhost
  AND node = @node AND server_id = @server_id AND protocol = @protocol;

-- name: SessionsPublishing :many
SELECT vhost FROM sessions WHERE scene = 'publish' AND ended_at IS NULL AND refused = '' AND app = @app AND stream = @stream;

-- name: SessionsLive :many
SELECT * FROM sessions
WHERE scene = 'publish' AND ended_at IS NULL AND refused = ''
ORDER BY app, stream, id
LIMIT @row_limit;

-- How many watch each of some streams now, in the order of the streams. What
-- they were watched before does not slow it.
-- name: SessionsWatching :many
SELECT (
    SELECT count(*) FROM sessions v
    WHERE v.scene = 'play' AND v.ended_at IS NULL AND v.refused = '' AND v.app = st.app AND v.stream = st.stream AND v.vhost = st.vhost) AS players
FROM (
    SELECT unnest(@vhosts::text[]) AS vhost, unnest(@apps::text[]) AS app, unnest(@streams::text[]) AS stream,
        generate_subscripts(@streams::text[], 1) AS n) st
ORDER BY st.n;

-- name: SessionsPurge :execrows
DELETE FROM sessions WHERE started_at IS NULL AND ended_at < @before::timestamptz;

-- name: SessionCounts :many
SELECT app, stream, count(*) AS pv,
    count(DISTINCT CASE WHEN subject <> '' AND credential_kind <> 'live_token' THEN subject ELSE address END) AS uv,
    count(*) FILTER (WHERE ended_at IS NULL) AS online
FROM sessions
WHERE scene = 'play' AND started_at IS NOT NULL AND refused = '' AND app = ANY(@apps::text[]) AND stream = ANY(@streams::text[])
GROUP BY app, stream;

-- Whether a media server of our own has the stream.
-- name: SessionPublishing :one
SELECT EXISTS (SELECT 1 FROM sessions WHERE stream = @stream AND app = @app AND scene = 'publish' AND ended_at IS NULL AND refused = '');

-- One page of what is on air. An empty filter means any; a fuzzy one is a part
-- of the name in any case.
-- name: SessionsLivePage :many
SELECT s.* FROM sessions s
WHERE s.scene = 'publish' AND s.ended_at IS NULL AND s.refused = '' AND (@vhost::text = '' OR s.vhost = @vhost)
  AND (@app::text = '' OR s.app = @app OR (@fuzzy::boolean AND strpos(lower(s.app), lower(@app)) > 0))
  AND (@stream::text = '' OR s.stream = @stream OR (@fuzzy AND strpos(lower(s.stream), lower(@stream)) > 0))
  AND stream_path(s.vhost, s.app, s.stream) COLLATE "C" > @after::text
ORDER BY stream_path(s.vhost, s.app, s.stream) COLLATE "C"
LIMIT @row_limit OFFSET @row_offset;

-- name: SessionsLiveCount :one
SELECT count(*) FROM sessions s
WHERE s.scene = 'publish' AND s.ended_at IS NULL AND s.refused = '' AND (@vhost::text = '' OR s.vhost = @vhost)
  AND (@app::text = '' OR s.app = @app OR (@fuzzy::boolean AND strpos(lower(s.app), lower(@app)) > 0))
  AND (@stream::text = '' OR s.stream = @stream OR (@fuzzy AND strpos(lower(s.stream), lower(@stream)) > 0));

-- The stream of this very path comes first, then those that differ in case.
-- name: SessionsLiveByPath :many
SELECT s.* FROM sessions s
WHERE s.scene = 'publish' AND s.ended_at IS NULL AND s.refused = '' AND lower(stream_path(s.vhost, s.app, s.stream)) = lower(@path::text)
ORDER BY stream_path(s.vhost, s.app, s.stream) = @path DESC, s.id
LIMIT 2;

-- Who watches each of some streams, the longest first.
-- name: SessionsConsumers :many
SELECT c.* FROM (SELECT unnest(@vhosts::text[]) AS vhost, unnest(@apps::text[]) AS app, unnest(@streams::text[]) AS stream) st
CROSS JOIN LATERAL (
    SELECT v.* FROM sessions v
    WHERE v.scene = 'play' AND v.ended_at IS NULL AND v.refused = '' AND v.app = st.app AND v.stream = st.stream AND v.vhost = st.vhost
    ORDER BY v.id LIMIT @row_limit) c
ORDER BY c.id;

-- Two bounds of time that are not given are those of everything.
-- name: SessionsClosed :many
SELECT s.* FROM sessions s
WHERE s.scene = 'publish' AND s.ended_at IS NOT NULL AND s.started_at IS NOT NULL AND s.refused IN ('', 'replaced')
  AND s.ended_at >= @since::timestamptz AND s.ended_at <= @until::timestamptz AND (@vhost::text = '' OR s.vhost = @vhost)
  AND (@app::text = '' OR s.app = @app OR (@fuzzy::boolean AND strpos(lower(s.app), lower(@app)) > 0))
  AND (@stream::text = '' OR s.stream = @stream OR (@fuzzy AND strpos(lower(s.stream), lower(@stream)) > 0))
ORDER BY s.ended_at, s.id
LIMIT @row_limit OFFSET @row_offset;

-- name: SessionsClosedNewest :many
SELECT s.* FROM sessions s
WHERE s.scene = 'publish' AND s.ended_at IS NOT NULL AND s.started_at IS NOT NULL AND s.refused IN ('', 'replaced')
  AND s.ended_at >= @since::timestamptz AND s.ended_at <= @until::timestamptz AND (@vhost::text = '' OR s.vhost = @vhost)
  AND (@app::text = '' OR s.app = @app OR (@fuzzy::boolean AND strpos(lower(s.app), lower(@app)) > 0))
  AND (@stream::text = '' OR s.stream = @stream OR (@fuzzy AND strpos(lower(s.stream), lower(@stream)) > 0))
ORDER BY s.ended_at DESC, s.id DESC
LIMIT @row_limit OFFSET @row_offset;

-- Counts as far as anybody pages.
-- name: SessionsClosedCount :one
SELECT count(*) FROM (
    SELECT 1 FROM sessions s
    WHERE s.scene = 'publish' AND s.ended_at IS NOT NULL AND s.started_at IS NOT NULL AND s.refused IN ('', 'replaced')
      AND s.ended_at >= @since::timestamptz AND s.ended_at <= @until::timestamptz AND (@vhost::text = '' OR s.vhost = @vhost)
      AND (@app::text = '' OR s.app = @app OR (@fuzzy::boolean AND strpos(lower(s.app), lower(@app)) > 0))
      AND (@stream::text = '' OR s.stream = @stream OR (@fuzzy AND strpos(lower(s.stream), lower(@stream)) > 0))
    LIMIT @row_limit) counted;

-- What is open now, and of that what began before a process did.
-- name: SessionsOpenFigures :many
SELECT s.scene, s.protocol, count(*) AS active, count(*) FILTER (WHERE s.started_at < @began::timestamptz) AS before
FROM sessions s WHERE s.ended_at IS NULL AND s.refused = ''
GROUP BY s.scene, s.protocol;

-- name: SessionOpen :one
SELECT * FROM sessions WHERE id = @id AND ended_at IS NULL;

-- Who watches one stream, a page at a time.
-- name: SessionsPlaying :many
SELECT * FROM sessions
WHERE scene = 'play' AND ended_at IS NULL AND app = @app AND stream = @stream AND vhost = @vhost AND id > @after
ORDER BY id
LIMIT @row_limit;

-- Who came in by one credential and is still there, a page at a time.
-- name: SessionsByCredential :many
SELECT * FROM sessions
WHERE credential_kind = @kind AND credential_id = @credential_id AND ended_at IS NULL AND id > @after
ORDER BY id
LIMIT @row_limit;

-- A client that was refused and runs all the same. An end that came first is its
-- own, and no row means that it is on record already.
-- name: SessionOpenRefused :one
WITH early AS (
    UPDATE sessions SET started_at = @started_at::timestamptz, ended_at = greatest(ended_at, @started_at), serial = @serial, scene = @scene,
        vhost = @vhost, app = @app, stream = @stream, address = @address, protocol = @protocol, refused = @refused
    WHERE ended_at > @since::timestamptz AND (started_at IS NULL OR started_at = @started_at)
      AND node = @node AND server_id = @server_id AND client_id = @client_id
      AND ((app = '' AND stream = '') OR (scene = @scene AND vhost = @vhost AND app = @app AND stream = @stream))
    RETURNING id
)
INSERT INTO sessions (node, server_id, client_id, serial, scene, vhost, app, stream, address, protocol, started_at, refused)
SELECT @node, @server_id, @client_id, @serial, @scene, @vhost, @app, @stream, @address, @protocol, @started_at::timestamptz, @refused
WHERE NOT EXISTS (SELECT 1 FROM early)
ON CONFLICT DO NOTHING
RETURNING id;

-- A client that was on record on trust is refused now.
-- name: SessionRefuse :one
UPDATE sessions SET refused = @refused
WHERE ended_at IS NULL AND refused = '' AND credential_kind = @credential_kind
  AND node = @node AND server_id = @server_id AND client_id = @client_id
  AND scene = @scene AND vhost = @vhost AND app = @app AND stream = @stream
RETURNING id;

-- All that is open on a node, a page at a time.
-- name: SessionsOpenOn :many
SELECT * FROM sessions
WHERE node = @node AND ended_at IS NULL AND id > @after
ORDER BY id
LIMIT @row_limit;

-- The nodes that have anything open, whether they are configured or not.
-- name: SessionsNodes :many
SELECT DISTINCT node FROM sessions WHERE ended_at IS NULL ORDER BY node;

-- What is known of one connection: that it is there, or else how it was last. The
-- two halves use one partial index each. A tombstone stands for any stream.
-- name: SessionOfClient :one
SELECT s.* FROM sessions s WHERE s.id = (
    SELECT r.id FROM (
        SELECT a.id, 'infinity'::timestamptz AS at FROM sessions a
        WHERE a.ended_at IS NULL AND a.node = @node AND a.server_id = ANY(@server_ids::text[]) AND a.client_id = @client_id
          AND a.scene = @scene AND a.vhost = @vhost AND a.app = @app AND a.stream = @stream
        UNION ALL
        SELECT b.id, b.ended_at FROM sessions b
        WHERE b.ended_at IS NOT NULL AND b.node = @node AND b.server_id = ANY(@server_ids::text[]) AND b.client_id = @client_id
          AND ((b.app = '' AND b.stream = '') OR (b.scene = @scene AND b.vhost = @vhost AND b.app = @app AND b.stream = @stream))) r
    ORDER BY r.at DESC LIMIT 1);

-- What running sessions have carried so far, as their node tells it.
-- name: SessionsCarried :exec
UPDATE sessions s SET bytes_in = greatest(s.bytes_in, i.bytes_in), bytes_out = greatest(s.bytes_out, i.bytes_out)
FROM (SELECT unnest(@ids::bigint[]) AS id, unnest(@ins::bigint[]) AS bytes_in, unnest(@outs::bigint[]) AS bytes_out) i
WHERE s.id = i.id AND s.ended_at IS NULL AND (s.bytes_in < i.bytes_in OR s.bytes_out < i.bytes_out);

-- Which of some sessions are open, and when each was seen last.
-- name: SessionsSeen :many
UPDATE sessions s SET seen_at = i.seen_at
FROM (SELECT unnest(@node::text[]) AS node, unnest(@server_id::text[]) AS server_id, unnest(@client_id::text[]) AS client_id,
        unnest(@scene::text[]) AS scene, unnest(@vhost::text[]) AS vhost, unnest(@app::text[]) AS app, unnest(@stream::text[]) AS stream,
        unnest(@seen_at::timestamptz[]) AS seen_at) i
WHERE s.ended_at IS NULL AND s.node = i.node AND s.server_id = i.server_id AND s.client_id = i.client_id
  AND s.scene = i.scene AND s.vhost = i.vhost AND s.app = i.app AND s.stream = i.stream
RETURNING s.node, s.server_id, s.client_id, s.scene, s.vhost, s.app, s.stream;

-- Why a client that is on record was refused.
-- name: SessionRefusal :one
SELECT refused FROM sessions
WHERE ended_at IS NULL AND refused <> '' AND node = @node AND server_id = @server_id AND client_id = @client_id
  AND scene = @scene AND vhost = @vhost AND app = @app AND stream = @stream;

-- How often a stream was taken over of late, and whether this very connection has
-- lost it.
-- name: SessionsReplaced :one
SELECT count(*) FILTER (WHERE r.replaced_at > @since::timestamptz) AS lately,
    coalesce(bool_or(r.node = @node AND r.server_id = @server_id AND r.client_id = @client_id), false)::boolean AS lost
FROM sessions r
WHERE r.stream = @stream AND r.replaced_at > @long_since::timestamptz AND r.app = @app AND r.vhost = @vhost AND r.scene = 'publish';

-- Another publisher takes the place of this one, whose history stays what it was.
-- name: SessionReplace :execrows
UPDATE sessions SET refused = 'replaced', replaced_at = @now::timestamptz WHERE id = @id AND ended_at IS NULL AND refused = '';
