-- Open sessions of players, whom nobody has on record yet; one that is makes all
-- of them fail. Those whose end came first end at once, by a trigger.
-- name: SessionsAdd :copyfrom
INSERT INTO open_sessions (identity, node, server_id, client_id, serial, scene, vhost, app, stream, address, protocol, credential_kind, credential_id, subject, started_at)
VALUES (@identity, @node, @server_id, @client_id, @serial, @scene, @vhost, @app, @stream, @address, @protocol, @credential_kind, @credential_id, @subject, @started_at);

-- The same where some may be on record. A start that is written again because
-- nobody knows whether the first attempt was committed may have ended since.
-- name: SessionsOpenPlay :exec
INSERT INTO open_sessions (identity, node, server_id, client_id, serial, scene, vhost, app, stream, address, protocol, credential_kind, credential_id, subject, started_at)
SELECT i.identity, i.node, i.server_id, i.client_id, i.serial, 'play', i.vhost, i.app, i.stream, i.address, i.protocol, i.credential_kind, i.credential_id, i.subject, i.started_at
FROM (
    SELECT unnest(@identity::bytea[]) AS identity, unnest(@node::text[]) AS node, unnest(@server_id::text[]) AS server_id,
        unnest(@client_id::text[]) AS client_id, unnest(@serial::bigint[]) AS serial, unnest(@vhost::text[]) AS vhost, unnest(@app::text[]) AS app,
        unnest(@stream::text[]) AS stream, unnest(@address::text[]) AS address, unnest(@protocol::text[]) AS protocol,
        unnest(@credential_kind::text[]) AS credential_kind, unnest(@credential_id::text[]) AS credential_id,
        unnest(@subject::text[]) AS subject, unnest(@started_at::timestamptz[]) AS started_at) i
WHERE NOT EXISTS (
    SELECT FROM ended_sessions e
    WHERE e.identity = i.identity AND e.started_at = i.started_at AND e.ended_at > @since::timestamptz)
ORDER BY i.identity
ON CONFLICT DO NOTHING;

-- A player whose number somebody else had long before is a new connection.
-- name: SessionsEndRenumbered :exec
WITH input AS (
    SELECT unnest(@identity::bytea[]) AS identity, unnest(@serial::bigint[]) AS serial, unnest(@started_at::timestamptz[]) AS started_at
), gone AS (
    DELETE FROM open_sessions s
    WHERE s.identity IN (SELECT i.identity FROM input i WHERE i.serial > 0) AND s.started_at < @before::timestamptz
    RETURNING s.*
)
INSERT INTO ended_sessions SELECT g.*, (SELECT max(i.started_at) FROM input i WHERE i.identity = g.identity)::timestamptz, 'server_restarted'::text FROM gone g;

-- No row means that the stream has a publisher already. A publisher that is
-- being written by somebody else is waited for.
-- name: SessionOpenPublish :one
INSERT INTO open_sessions (identity, node, server_id, client_id, serial, scene, vhost, app, stream, address, protocol, credential_kind, credential_id, subject, started_at)
VALUES (@identity, @node, @server_id, @client_id, @serial, 'publish', @vhost, @app, @stream, @address, @protocol, @credential_kind, @credential_id, @subject, @started_at)
ON CONFLICT DO NOTHING
RETURNING id;

-- Whether the end of a session came before its start, which then has been, or
-- whether it was written before and has ended since.
-- name: SessionMeetEnd :one
WITH met AS (
    DELETE FROM early_ends e
    WHERE e.connection = @connection AND (e.whole OR e.identity = @identity) AND e.ended_at > @since::timestamptz
    RETURNING e.ended_at
), been AS (
    INSERT INTO ended_sessions (id, identity, node, server_id, client_id, serial, scene, vhost, app, stream, address, protocol, credential_kind,
        credential_id, subject, refused, started_at, bytes_in, bytes_out, ended_at, end_reason)
    SELECT nextval('session_ids'), @identity, @node, @server_id, @client_id, @serial, @scene, @vhost, @app, @stream, @address, @protocol, @credential_kind,
        @credential_id, @subject, @refused, @started_at::timestamptz, 0, 0, greatest(max(m.ended_at), @started_at), 'early'
    FROM met m HAVING count(*) > 0
    RETURNING id
)
SELECT (EXISTS (SELECT FROM been) OR EXISTS (
    SELECT FROM ended_sessions x
    WHERE x.identity = @identity AND x.started_at = @started_at AND x.ended_at > @since))::boolean;

-- name: SessionPublisher :one
SELECT * FROM open_sessions
WHERE scene = 'publish' AND refused = '' AND vhost = @vhost AND app = @app AND stream = @stream;

-- Many end, each of them once; returns those that were open.
-- name: SessionsEnd :many
WITH input AS (
    SELECT unnest(@identity::bytea[]) AS identity, unnest(@ended_at::timestamptz[]) AS ended_at, unnest(@before::timestamptz[]) AS before
), gone AS (
    DELETE FROM open_sessions s USING input i WHERE s.identity = i.identity AND s.started_at <= i.before RETURNING s.*
)
INSERT INTO ended_sessions SELECT g.*, greatest(n.ended_at, g.started_at), @end_reason::text FROM gone g JOIN input n ON n.identity = g.identity
RETURNING identity;

-- name: SessionsEndByID :many
WITH gone AS (DELETE FROM open_sessions s WHERE s.id = ANY(@ids::bigint[]) RETURNING s.*)
INSERT INTO ended_sessions SELECT g.*, greatest(@ended_at::timestamptz, g.started_at), @end_reason::text FROM gone g
RETURNING scene, vhost, app, stream;

-- Removes the session that one start opened and nobody was told of, and that it
-- was counted.
-- name: SessionForget :one
WITH gone AS (
    DELETE FROM open_sessions o WHERE o.identity = @identity AND o.started_at = @started_at RETURNING *
), uncounted AS (
    SELECT uncount_player(ROW(g.*)::open_sessions, 0) FROM gone g WHERE g.scene = 'play' AND g.refused = ''
)
SELECT (SELECT count(*) FROM gone) + 0 * (SELECT count(*) FROM uncounted);

-- What an earlier process of the same server left open, publishers first. First
-- and last are the bounds of all identities of the node.
-- name: SessionsEndProcess :many
WITH gone AS (
    DELETE FROM open_sessions s
    WHERE s.id IN (
        SELECT o.id FROM open_sessions o
        WHERE o.identity >= @first AND o.identity <= @last AND o.node = @node AND starts_with(o.server_id, @instance) AND o.server_id <> @server_id
        ORDER BY o.scene DESC
        LIMIT @row_limit)
    RETURNING s.*
)
INSERT INTO ended_sessions SELECT g.*, greatest(@ended_at::timestamptz, g.started_at), 'server_restarted'::text FROM gone g
RETURNING scene, vhost, app, stream;

-- Whatever the same connection number did before a server without identity
-- started counting again. First and last are the bounds of the connection.
-- name: SessionsEndNumber :many
WITH gone AS (
    DELETE FROM open_sessions s
    WHERE s.identity >= @first AND s.identity <= @last AND s.identity <> @identity
      AND s.node = @node AND s.server_id = @server_id AND s.client_id = @client_id
    RETURNING s.*
)
INSERT INTO ended_sessions SELECT g.*, greatest(@ended_at::timestamptz, g.started_at), 'server_restarted'::text FROM gone g
RETURNING scene, vhost, app, stream;

-- Ends that found no session are remembered, for the starts that may still come.
-- A second end of the same session is a repetition. Those of whole connections
-- name no app and no stream.
-- name: SessionsBury :exec
INSERT INTO early_ends (identity, ended_at, connection, whole)
SELECT i.identity, i.ended_at, substring(i.identity FOR 16), i.whole
FROM (SELECT unnest(@identity::bytea[]) AS identity, unnest(@ended_at::timestamptz[]) AS ended_at, unnest(@since::timestamptz[]) AS since,
    unnest(@whole::boolean[]) AS whole) i
WHERE NOT EXISTS (
        SELECT FROM early_ends e
        WHERE e.connection = substring(i.identity FOR 16) AND (e.whole OR e.identity = i.identity) AND e.ended_at > i.since)
    AND NOT EXISTS (
        SELECT FROM ended_sessions s
        WHERE s.identity = i.identity AND s.ended_at > i.since AND s.ended_at > @earliest::timestamptz)
ORDER BY i.identity
ON CONFLICT DO NOTHING;

-- Connections are gone with all that they carried, each of them once, and bytes
-- are known only now. When that was may be by another clock than their start.
-- Returns what was found: open, ended of late, or told before.
-- name: SessionsEndClients :many
WITH input AS (
    SELECT unnest(@connection::bytea[]) AS connection, unnest(@last::bytea[]) AS last, unnest(@ended_at::timestamptz[]) AS ended_at,
        unnest(@before::timestamptz[]) AS before, unnest(@since::timestamptz[]) AS since, unnest(@bytes_in::bigint[]) AS bytes_in,
        unnest(@bytes_out::bigint[]) AS bytes_out
), gone AS (
    DELETE FROM open_sessions s USING input i
    WHERE s.identity >= i.connection AND s.identity <= i.last AND s.started_at <= i.before
    RETURNING s.*
), ended AS (
    INSERT INTO ended_sessions
    SELECT g.id, g.serial, g.started_at, greatest(g.bytes_in, n.bytes_in), greatest(g.bytes_out, n.bytes_out), g.identity, g.node, g.server_id, g.client_id,
        g.scene, g.vhost, g.app, g.stream, g.address, g.protocol, g.credential_kind, g.credential_id, g.subject, g.refused, g.seen_at, g.replaced_at,
        greatest(n.ended_at, g.started_at), 'close'::text
    FROM gone g JOIN input n ON n.connection = substring(g.identity FOR 16)
), late AS (
    UPDATE ended_sessions e SET bytes_in = greatest(e.bytes_in, i.bytes_in), bytes_out = greatest(e.bytes_out, i.bytes_out)
    FROM input i
    WHERE e.identity >= i.connection AND e.identity <= i.last AND e.ended_at > i.since AND e.ended_at > @earliest::timestamptz
    RETURNING e.identity
)
SELECT g.identity, true AS was_open, g.scene, g.vhost, g.app, g.stream FROM gone g
UNION ALL
SELECT l.identity, false, '', '', '', '' FROM late l
UNION ALL
SELECT b.identity, false, '', '', '', '' FROM input n JOIN early_ends b ON b.connection = n.connection AND b.ended_at > n.since;

-- The publisher of a recording, whether he is still there or not.
-- name: SessionOfRecording :one
SELECT r.id, r.started_at FROM (
    SELECT a.id, a.started_at FROM open_sessions a
    WHERE a.identity = @identity AND a.refused IN ('', 'replaced')
    UNION ALL
    SELECT b.id, b.started_at FROM ended_sessions b
    WHERE b.identity = @identity AND b.refused IN ('', 'replaced')) r
ORDER BY r.id DESC LIMIT 1;

-- Whose recording began at a time, where the media server does not tell, and
-- when the last of those ended who may have gone on with the same file.
-- name: SessionOfFile :one
WITH publishers AS (
    SELECT o.id, o.started_at, @now::timestamptz AS ended_at FROM open_sessions o
    WHERE o.scene = 'publish' AND o.refused = '' AND o.stream = @stream AND o.app = @app AND o.vhost = @vhost AND o.node = @node
    UNION ALL
    SELECT e.id, e.started_at, e.ended_at FROM ended_sessions e
    WHERE e.scene = 'publish' AND e.refused = ''
      AND e.stream = @stream AND e.ended_at > @since::timestamptz AND e.app = @app AND e.vhost = @vhost AND e.node = @node)
SELECT a.id, a.started_at::timestamptz AS started_at,
    (SELECT max(b.ended_at) FROM publishers b WHERE b.started_at >= a.started_at)::timestamptz AS ended_at
FROM publishers a
WHERE a.started_at <= @began::timestamptz
ORDER BY a.id DESC LIMIT 1;

-- Whether a publisher that names the moment of its start is over.
-- name: SessionEndedAfter :one
SELECT (EXISTS (SELECT FROM ended_sessions s WHERE s.ended_at > @at::timestamptz AND s.identity = @identity)
    OR EXISTS (SELECT FROM early_ends e WHERE e.ended_at > @at AND e.identity = @identity))::boolean;

-- What a server had before one of its processes began, publishers first. First
-- and last are the bounds of the server.
-- name: SessionsEndServer :many
WITH gone AS (
    DELETE FROM open_sessions s
    WHERE s.id IN (
        SELECT o.id FROM open_sessions o
        WHERE o.identity >= @first AND o.identity <= @last AND o.node = @node AND o.server_id = @server_id AND o.started_at < @before::timestamptz
        ORDER BY o.scene DESC
        LIMIT @row_limit)
    RETURNING s.*
)
INSERT INTO ended_sessions SELECT g.*, greatest(@ended_at::timestamptz, g.started_at), 'server_restarted'::text FROM gone g
RETURNING scene, vhost, app, stream;

-- Ends that wait for their start, and whose ids a new process uses again.
-- name: SessionsForgetEarly :exec
DELETE FROM early_ends WHERE connection >= @first AND connection <= @last AND ended_at < @before;

-- name: SessionsEndAudience :exec
WITH gone AS (
    DELETE FROM open_sessions s
    WHERE s.started_at <= @ended_at::timestamptz AND s.scene = 'play' AND s.app = @app AND s.stream = @stream AND s.vhost = @vhost
      AND s.node = @node AND s.server_id = @server_id AND s.protocol = @protocol
    RETURNING s.*
)
INSERT INTO ended_sessions SELECT g.*, greatest(@ended_at::timestamptz, g.started_at), 'stream_gone'::text FROM gone g;

-- name: SessionsPublishing :many
SELECT vhost FROM open_sessions WHERE scene = 'publish' AND refused = '' AND app = @app AND stream = @stream;

-- name: SessionsLive :many
SELECT * FROM open_sessions
WHERE scene = 'publish' AND refused = ''
ORDER BY app, stream, id
LIMIT @row_limit;

-- How many watch each of some streams now, in the order of the streams.
-- name: SessionsWatching :many
SELECT (
    SELECT count(*) FROM open_sessions v
    WHERE v.scene = 'play' AND v.refused = '' AND v.app = st.app AND v.stream = st.stream AND v.vhost = st.vhost) AS players
FROM (
    SELECT unnest(@vhosts::text[]) AS vhost, unnest(@apps::text[]) AS app, unnest(@streams::text[]) AS stream,
        generate_subscripts(@streams::text[], 1) AS n) st
ORDER BY st.n;

-- name: EarlyEndsPurge :execrows
DELETE FROM early_ends WHERE ended_at < @before;

-- Whether a media server of our own has the stream.
-- name: SessionPublishing :one
SELECT EXISTS (SELECT FROM open_sessions WHERE stream = @stream AND app = @app AND scene = 'publish' AND refused = '');

-- Who publishes streams of some names, whichever vhost they have.
-- name: SessionsPublishingOf :many
SELECT * FROM open_sessions
WHERE scene = 'publish' AND refused = '' AND stream = ANY(@streams::text[]) AND app = ANY(@apps::text[])
ORDER BY id
LIMIT @row_limit;

-- One page of what is on air. An empty filter means any; a fuzzy one is a part
-- of the name in any case.
-- name: SessionsLivePage :many
SELECT s.* FROM open_sessions s
WHERE s.scene = 'publish' AND s.refused = '' AND (@vhost::text = '' OR s.vhost = @vhost) AND (@node::text = '' OR s.node = @node)
  AND (@app::text = '' OR s.app = @app OR (@fuzzy::boolean AND strpos(lower(s.app COLLATE "default"), lower(@app)) > 0))
  AND (@stream::text = '' OR s.stream = @stream OR (@fuzzy AND strpos(lower(s.stream COLLATE "default"), lower(@stream)) > 0))
  AND stream_path(s.vhost, s.app, s.stream) > @after::text
ORDER BY stream_path(s.vhost, s.app, s.stream)
LIMIT @row_limit OFFSET @row_offset;

-- name: SessionsLiveCount :one
SELECT count(*) FROM open_sessions s
WHERE s.scene = 'publish' AND s.refused = '' AND (@vhost::text = '' OR s.vhost = @vhost) AND (@node::text = '' OR s.node = @node)
  AND (@app::text = '' OR s.app = @app OR (@fuzzy::boolean AND strpos(lower(s.app COLLATE "default"), lower(@app)) > 0))
  AND (@stream::text = '' OR s.stream = @stream OR (@fuzzy AND strpos(lower(s.stream COLLATE "default"), lower(@stream)) > 0));

-- The stream of this very path comes first, then those that differ in case.
-- name: SessionsLiveByPath :many
SELECT s.* FROM open_sessions s
WHERE s.scene = 'publish' AND s.refused = '' AND lower(stream_path(s.vhost, s.app, s.stream) COLLATE "default") = lower(@path::text)
ORDER BY stream_path(s.vhost, s.app, s.stream) = @path DESC, s.id
LIMIT 2;

-- Who watches each of some streams, the longest first.
-- name: SessionsConsumers :many
SELECT c.* FROM (SELECT unnest(@vhosts::text[]) AS vhost, unnest(@apps::text[]) AS app, unnest(@streams::text[]) AS stream) st
CROSS JOIN LATERAL (
    SELECT v.* FROM open_sessions v
    WHERE v.scene = 'play' AND v.refused = '' AND v.app = st.app AND v.stream = st.stream AND v.vhost = st.vhost
    ORDER BY v.id LIMIT @row_limit) c
ORDER BY c.id;

-- Two bounds of time that are not given are those of everything. A page that goes on
-- begins behind the id that ended at the bound.
-- name: SessionsClosed :many
SELECT s.* FROM ended_sessions s
WHERE (s.ended_at, s.id) > (@since::timestamptz, @after_id::bigint) AND s.scene = 'publish' AND s.refused IN ('', 'replaced')
  AND s.ended_at >= @since::timestamptz AND s.ended_at <= @until::timestamptz AND (@vhost::text = '' OR s.vhost = @vhost)
  AND (@app::text = '' OR s.app = @app OR (@fuzzy::boolean AND strpos(lower(s.app COLLATE "default"), lower(@app)) > 0))
  AND (@stream::text = '' OR s.stream = @stream OR (@fuzzy AND strpos(lower(s.stream COLLATE "default"), lower(@stream)) > 0))
ORDER BY s.ended_at, s.id
LIMIT @row_limit OFFSET @row_offset;

-- name: SessionsClosedNewest :many
SELECT s.* FROM ended_sessions s
WHERE (s.ended_at, s.id) < (@until::timestamptz, @before_id::bigint) AND s.scene = 'publish' AND s.refused IN ('', 'replaced')
  AND s.ended_at >= @since::timestamptz AND s.ended_at <= @until::timestamptz AND (@vhost::text = '' OR s.vhost = @vhost)
  AND (@app::text = '' OR s.app = @app OR (@fuzzy::boolean AND strpos(lower(s.app COLLATE "default"), lower(@app)) > 0))
  AND (@stream::text = '' OR s.stream = @stream OR (@fuzzy AND strpos(lower(s.stream COLLATE "default"), lower(@stream)) > 0))
ORDER BY s.ended_at DESC, s.id DESC
LIMIT @row_limit OFFSET @row_offset;

-- Counts as far as anybody pages.
-- name: SessionsClosedCount :one
SELECT count(*) FROM (
    SELECT 1 FROM ended_sessions s
    WHERE s.scene = 'publish' AND s.refused IN ('', 'replaced')
      AND s.ended_at >= @since::timestamptz AND s.ended_at <= @until::timestamptz AND (@vhost::text = '' OR s.vhost = @vhost)
      AND (@app::text = '' OR s.app = @app OR (@fuzzy::boolean AND strpos(lower(s.app COLLATE "default"), lower(@app)) > 0))
      AND (@stream::text = '' OR s.stream = @stream OR (@fuzzy AND strpos(lower(s.stream COLLATE "default"), lower(@stream)) > 0))
    LIMIT @row_limit) counted;

-- One page of open sessions, the newest first. An empty filter means any.
-- name: SessionsOpenPage :many
SELECT * FROM open_sessions s
WHERE s.id < @before AND (@scene::text = '' OR s.scene = @scene) AND (@vhost::text = '' OR s.vhost = @vhost) AND (@app::text = '' OR s.app = @app)
  AND (@stream::text = '' OR s.stream = @stream) AND (@node::text = '' OR s.node = @node)
  AND (@credential_kind::text = '' OR s.credential_kind = @credential_kind)
  AND (@subject::text = '' OR (s.subject <> '' AND lower(s.subject) = lower(@subject)))
ORDER BY s.id DESC
LIMIT @row_limit;

-- One page of ended sessions, the last that ended first.
-- name: SessionsEndedNewest :many
SELECT * FROM ended_sessions s
WHERE s.ended_at >= @since::timestamptz AND s.ended_at <= @until::timestamptz AND (s.ended_at, s.id) < (@before_at::timestamptz, @before_id::bigint)
ORDER BY s.ended_at DESC, s.id DESC
LIMIT @row_limit;

-- Those of them that a filter means, among the next so many. The last of those
-- comes along whether it is one or not, so that the list can go on behind it.
-- name: SessionsEndedPage :many
WITH next AS (
    SELECT n.* FROM ended_sessions n
    WHERE n.ended_at >= @since::timestamptz AND n.ended_at <= @until::timestamptz AND (n.ended_at, n.id) < (@before_at::timestamptz, @before_id::bigint)
    ORDER BY n.ended_at DESC, n.id DESC
    LIMIT @look_at::bigint
), look AS (
    SELECT n.ended_at, n.id, (row_number() OVER (ORDER BY n.ended_at DESC, n.id DESC) = @look_at)::boolean AS last,
        ((@scene::text = '' OR n.scene = @scene) AND (@vhost::text = '' OR n.vhost = @vhost) AND (@app::text = '' OR n.app = @app)
            AND (@stream::text = '' OR n.stream = @stream) AND (@node::text = '' OR n.node = @node)
            AND (@credential_kind::text = '' OR n.credential_kind = @credential_kind)
            AND (@subject::text = '' OR (n.subject <> '' AND lower(n.subject) = lower(@subject))))::boolean AS found
    FROM next n
), picked AS (
    SELECT l.* FROM look l WHERE l.found OR l.last ORDER BY l.ended_at DESC, l.id DESC LIMIT @row_limit
)
SELECT sqlc.embed(s), picked.found, picked.last FROM picked JOIN ended_sessions s ON s.ended_at = picked.ended_at AND s.id = picked.id
ORDER BY picked.ended_at DESC, picked.id DESC;

-- What is open now, and of that what began before a process did.
-- name: SessionsOpenFigures :many
SELECT s.scene, s.protocol, count(*) AS active, count(*) FILTER (WHERE s.started_at < @began::timestamptz) AS before
FROM open_sessions s WHERE s.refused = ''
GROUP BY s.scene, s.protocol;

-- name: SessionOpen :one
SELECT * FROM open_sessions WHERE id = @id;

-- Who watches one stream, a page at a time.
-- name: SessionsPlaying :many
SELECT * FROM open_sessions
WHERE scene = 'play' AND app = @app AND stream = @stream AND vhost = @vhost AND id > @after
ORDER BY id
LIMIT @row_limit;

-- Who came in by one credential and is still there, a page at a time.
-- name: SessionsByCredential :many
SELECT * FROM open_sessions
WHERE credential_kind = @kind AND credential_id = @credential_id AND id > @after
ORDER BY id
LIMIT @row_limit;

-- A client that was refused and runs all the same. No row means that it is on
-- record already.
-- name: SessionOpenRefused :one
INSERT INTO open_sessions (identity, node, server_id, client_id, serial, scene, vhost, app, stream, address, protocol, started_at, refused)
VALUES (@identity, @node, @server_id, @client_id, @serial, @scene, @vhost, @app, @stream, @address, @protocol, @started_at, @refused)
ON CONFLICT DO NOTHING
RETURNING id;

-- A client that was on record on trust is refused now.
-- name: SessionRefuse :one
UPDATE open_sessions SET refused = @refused
WHERE identity = @identity AND refused = '' AND credential_kind = @credential_kind
RETURNING id;

-- All that is open on a node, a page at a time. First and last are the bounds of
-- all identities of the node.
-- name: SessionsOpenOn :many
SELECT * FROM open_sessions
WHERE identity >= @first AND identity <= @last AND node = @node AND id > @after
ORDER BY id
LIMIT @row_limit;

-- The nodes that have anything open, whether they are configured or not.
-- name: SessionsNodes :many
SELECT DISTINCT node FROM open_sessions ORDER BY node;

-- What is known of one connection: that it is there, or else how it was last. An
-- end that waits for its start stands for a session of no length.
-- name: SessionOfClient :one
WITH over AS (
    SELECT e.started_at, e.ended_at, e.end_reason, e.credential_kind, e.credential_id, e.subject, e.refused FROM ended_sessions e
    WHERE e.identity = ANY(@identities::bytea[])
    UNION ALL
    SELECT b.ended_at, b.ended_at, 'early', '', '', '', '' FROM early_ends b
    WHERE b.connection = ANY(@connections::bytea[]) AND (b.whole OR b.identity = ANY(@identities))
    ORDER BY 2 DESC LIMIT 1
)
SELECT true AS is_open, o.started_at, o.started_at AS ended_at, '' AS end_reason, o.credential_kind, o.credential_id, o.subject, o.refused
FROM open_sessions o
WHERE o.identity = ANY(@identities)
UNION ALL
SELECT false, v.started_at, v.ended_at, v.end_reason, v.credential_kind, v.credential_id, v.subject, v.refused FROM over v
ORDER BY is_open DESC LIMIT 1;

-- What running sessions have carried so far, as their node tells it.
-- name: SessionsCarried :exec
UPDATE open_sessions s SET bytes_in = greatest(s.bytes_in, i.bytes_in), bytes_out = greatest(s.bytes_out, i.bytes_out)
FROM (SELECT unnest(@ids::bigint[]) AS id, unnest(@ins::bigint[]) AS bytes_in, unnest(@outs::bigint[]) AS bytes_out) i
WHERE s.id = i.id AND (s.bytes_in < i.bytes_in OR s.bytes_out < i.bytes_out);

-- Which of some sessions are open, and when each was seen last.
-- name: SessionsSeen :many
UPDATE open_sessions s SET seen_at = i.seen_at
FROM (SELECT unnest(@identity::bytea[]) AS identity, unnest(@seen_at::timestamptz[]) AS seen_at) i
WHERE s.identity = i.identity
RETURNING s.identity;

-- Why a client that is on record was refused.
-- name: SessionRefusal :one
SELECT refused FROM open_sessions WHERE identity = @identity AND refused <> '';

-- How often a stream was taken over of late, and whether this very connection has
-- lost it.
-- name: SessionsReplaced :one
WITH replaced AS (
    SELECT o.replaced_at, o.identity FROM open_sessions o
    WHERE o.stream = @stream AND o.replaced_at > @long_since::timestamptz AND o.app = @app AND o.vhost = @vhost AND o.scene = 'publish'
    UNION ALL
    SELECT e.replaced_at, e.identity FROM ended_sessions e
    WHERE e.stream = @stream AND e.replaced_at > @long_since AND e.app = @app AND e.vhost = @vhost AND e.scene = 'publish'
)
SELECT count(*) FILTER (WHERE replaced.replaced_at > @since::timestamptz) AS lately,
    coalesce(bool_or(replaced.identity = @identity::bytea), false)::boolean AS lost
FROM replaced;

-- Another publisher takes the place of this one, whose history stays what it was.
-- name: SessionReplace :execrows
UPDATE open_sessions SET refused = 'replaced', replaced_at = @now::timestamptz WHERE id = @id AND refused = '';
