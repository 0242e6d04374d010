DROP FUNCTION forget_stream(text, text, timestamptz);
DROP TRIGGER open_sessions_came ON open_sessions;
DROP FUNCTION players_came();
DROP FUNCTION count_streams(text[], text[], bigint[], bigint[], bigint[], timestamptz);
DROP FUNCTION count_stream(text, text, bigint, bigint, bigint, timestamptz);
DROP FUNCTION viewer_digest(text);
DROP INDEX ended_sessions_lately;
DROP INDEX open_sessions_credential;
CREATE INDEX open_sessions_credential ON open_sessions (credential_kind, credential_id) WHERE credential_kind <> 'signature';
ALTER TABLE stream_counts DROP COLUMN last_at;

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

CREATE OR REPLACE FUNCTION count_gone() RETURNS trigger LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM removed r WHERE r.scene = 'play' AND r.refused = '') THEN
        RETURN NULL;
    END IF;
    PERFORM count_streams(array_agg(s.app), array_agg(s.stream), array_agg(0::bigint), array_agg(0::bigint), array_agg(-s.n))
    FROM (SELECT r.app, r.stream, count(*) AS n FROM removed r WHERE r.scene = 'play' AND r.refused = '' GROUP BY r.app, r.stream) s;
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION uncount_player(s open_sessions, online bigint) RETURNS void LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
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

CREATE FUNCTION meet_early_ends() RETURNS trigger LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    IF EXISTS (SELECT FROM early_ends) THEN
        WITH met AS (
            SELECT a.id, max(e.ended_at) AS ended_at
            FROM added a JOIN early_ends e ON e.connection = substring(a.identity FOR 16)
                AND (e.whole OR e.identity = a.identity) AND e.ended_at > a.started_at - make_interval(mins => 1)
            WHERE a.scene = 'play' AND a.refused = ''
            GROUP BY a.id
        ), used AS (
            DELETE FROM early_ends e USING added a, met m
            WHERE a.id = m.id AND e.connection = substring(a.identity FOR 16) AND (e.whole OR e.identity = a.identity)
        ), gone AS (
            DELETE FROM open_sessions s USING met m WHERE s.id = m.id RETURNING s.*, greatest(m.ended_at, s.started_at), 'early'
        )
        INSERT INTO ended_sessions SELECT * FROM gone;
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER open_sessions_came AFTER INSERT ON open_sessions
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION count_came();
CREATE TRIGGER open_sessions_early AFTER INSERT ON open_sessions
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION meet_early_ends();
