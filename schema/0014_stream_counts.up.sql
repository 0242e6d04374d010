-- How often streams were played, by how many viewers, and by how many now: kept
-- in the transaction of whatever changes it, by triggers, so that it is exact and
-- nobody counts sessions. It outlives the sessions that it was counted from.
--
-- A stream has a row for each of those who have ever counted it at one time; who
-- finds all of them locked makes another, so nobody waits. The figures are sums.
CREATE TABLE stream_counts (
    app    text COLLATE "C" NOT NULL,
    stream text COLLATE "C" NOT NULL,
    slot   integer NOT NULL,
    pv     bigint  NOT NULL,
    uv     bigint  NOT NULL,
    online bigint  NOT NULL,
    PRIMARY KEY (app, stream, slot)
) WITH (fillfactor = 50);

-- Who has played which stream: twelve bytes for the stream, twelve for the
-- account, or else the address.
CREATE TABLE stream_viewers (
    viewer bytea PRIMARY KEY,
    since  timestamptz NOT NULL
);

-- A live token is passed on, so who it was issued to says nothing of who uses it.
CREATE FUNCTION viewer_of(subject text, credential_kind text, address text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN subject <> '' AND credential_kind <> 'live_token' THEN subject ELSE address END
$$;
-- Stable, as what they call is: only then they are part of the statement that calls
-- them and not parsed by each.
CREATE FUNCTION stream_digest(app text, stream text) RETURNS bytea LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT substring(sha256(convert_to(app, 'UTF8') || '\x00' || convert_to(stream, 'UTF8')) FOR 12)
$$;
CREATE FUNCTION stream_viewer(app text, stream text, viewer text) RETURNS bytea LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT stream_digest(app, stream) || substring(sha256(convert_to(viewer, 'UTF8')) FOR 12)
$$;

-- Adds to the counts of one stream.
CREATE FUNCTION count_stream(of_app text, of_stream text, more_pv bigint, more_uv bigint, more_online bigint) RETURNS void
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    mine integer;
BEGIN
    SELECT k.slot INTO mine FROM stream_counts k WHERE k.app = of_app AND k.stream = of_stream ORDER BY k.slot LIMIT 1 FOR UPDATE SKIP LOCKED;
    INSERT INTO stream_counts AS c (app, stream, slot, pv, uv, online)
    VALUES (of_app, of_stream, coalesce(mine, pg_backend_pid()), more_pv, more_uv, more_online)
    ON CONFLICT (app, stream, slot) DO UPDATE SET pv = c.pv + excluded.pv, uv = c.uv + excluded.uv, online = c.online + excluded.online;
END $$;

-- Adds to the counts of some streams, each once.
CREATE FUNCTION count_streams(apps text[], streams text[], pvs bigint[], uvs bigint[], onlines bigint[]) RETURNS void
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    WITH more AS (
        SELECT m.*, (
            SELECT k.slot FROM stream_counts k WHERE k.app = m.app AND k.stream = m.stream ORDER BY k.slot LIMIT 1 FOR UPDATE SKIP LOCKED) AS slot
        FROM unnest(apps, streams, pvs, uvs, onlines) AS m(app, stream, pv, uv, online)
    ), counted AS (
        UPDATE stream_counts c SET pv = c.pv + m.pv, uv = c.uv + m.uv, online = c.online + m.online
        FROM more m WHERE c.app = m.app AND c.stream = m.stream AND c.slot = m.slot
        RETURNING c.app, c.stream
    )
    INSERT INTO stream_counts AS c (app, stream, slot, pv, uv, online)
    SELECT m.app, m.stream, pg_backend_pid(), m.pv, m.uv, m.online FROM more m
    WHERE NOT EXISTS (SELECT FROM counted d WHERE d.app = m.app AND d.stream = m.stream)
    ORDER BY m.app, m.stream
    ON CONFLICT (app, stream, slot) DO UPDATE SET pv = c.pv + excluded.pv, uv = c.uv + excluded.uv, online = c.online + excluded.online;
END $$;

CREATE FUNCTION count_came() RETURNS trigger LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    one record;
    strangers bigint;
    done text;
BEGIN
    SELECT min(a.app) AS app, max(a.app) AS last_app, min(a.stream) AS stream, max(a.stream) AS last_stream, count(*) AS n INTO one
    FROM added a WHERE a.scene = 'play' AND a.refused = '';
    IF one.n = 0 THEN
        RETURN NULL;
    END IF;
    IF one.app = one.last_app AND one.stream = one.last_stream THEN -- so it is nearly always, and this costs half
        INSERT INTO stream_viewers AS v (viewer, since)
        SELECT stream_viewer(one.app, one.stream, c.viewer), c.since FROM (
            SELECT viewer_of(a.subject, a.credential_kind, a.address) AS viewer, min(a.started_at) AS since
            FROM added a WHERE a.scene = 'play' AND a.refused = '' GROUP BY 1) c
        ORDER BY 1
        ON CONFLICT DO NOTHING;
        GET DIAGNOSTICS strangers = ROW_COUNT;
        PERFORM count_stream(one.app, one.stream, one.n, strangers, one.n);
        RETURN NULL;
    END IF;
    WITH came AS MATERIALIZED (
        SELECT a.app, a.stream, viewer_of(a.subject, a.credential_kind, a.address) AS viewer, count(*) AS n, min(a.started_at) AS since
        FROM added a WHERE a.scene = 'play' AND a.refused = ''
        GROUP BY 1, 2, 3
    ), fresh AS (
        INSERT INTO stream_viewers AS v (viewer, since) SELECT stream_viewer(c.app, c.stream, c.viewer), c.since FROM came c ORDER BY 1
        ON CONFLICT DO NOTHING
        RETURNING substring(v.viewer FOR 12) AS digest
    ), of_streams AS (
        SELECT c.app, c.stream, sum(c.n)::bigint AS n,
            (SELECT count(*) FROM fresh f WHERE f.digest = stream_digest(c.app, c.stream)) AS uv
        FROM came c GROUP BY c.app, c.stream
    )
    SELECT count_streams(array_agg(s.app), array_agg(s.stream), array_agg(s.n), array_agg(s.uv), array_agg(s.n)) INTO done
    FROM of_streams s HAVING count(*) > 0;
    RETURN NULL;
END $$;

CREATE FUNCTION count_gone() RETURNS trigger LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM removed r WHERE r.scene = 'play' AND r.refused = '') THEN
        RETURN NULL;
    END IF;
    PERFORM count_streams(array_agg(s.app), array_agg(s.stream), array_agg(0::bigint), array_agg(0::bigint), array_agg(-s.n))
    FROM (SELECT r.app, r.stream, count(*) AS n FROM removed r WHERE r.scene = 'play' AND r.refused = '' GROUP BY r.app, r.stream) s;
    RETURN NULL;
END $$;

-- Takes back that a session was counted. A viewer who came with it and is there
-- by no other has not been there.
CREATE FUNCTION uncount_player(s open_sessions, online bigint) RETURNS void LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    who text := viewer_of(s.subject, s.credential_kind, s.address);
    lost integer;
BEGIN
    DELETE FROM stream_viewers v
    WHERE v.viewer = stream_viewer(s.app, s.stream, who) AND v.since = s.started_at AND NOT EXISTS (
        SELECT FROM open_sessions o
        WHERE o.scene = 'play' AND o.app = s.app AND o.stream = s.stream AND o.refused = '' AND o.id <> s.id
          AND viewer_of(o.subject, o.credential_kind, o.address) = who);
    GET DIAGNOSTICS lost = ROW_COUNT;
    PERFORM count_stream(s.app, s.stream, -1, -lost, online);
END $$;

CREATE FUNCTION count_refused() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM uncount_player(OLD, -1);
    RETURN NULL;
END $$;

INSERT INTO stream_counts
SELECT app, stream, 0, count(*), count(DISTINCT viewer_of(subject, credential_kind, address)), count(*) FILTER (WHERE ended_at IS NULL)
FROM sessions WHERE scene = 'play' AND refused = ''
GROUP BY app, stream;
INSERT INTO stream_viewers
SELECT stream_viewer(app, stream, viewer_of(subject, credential_kind, address)), min(started_at)
FROM sessions WHERE scene = 'play' AND refused = ''
GROUP BY 1;

CREATE TRIGGER open_sessions_came AFTER INSERT ON open_sessions
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION count_came();
CREATE TRIGGER open_sessions_gone AFTER DELETE ON open_sessions
    REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION count_gone();
CREATE TRIGGER open_sessions_refused AFTER UPDATE OF refused ON open_sessions
    FOR EACH ROW WHEN (OLD.refused = '' AND NEW.refused <> '' AND NEW.scene = 'play') EXECUTE FUNCTION count_refused();
