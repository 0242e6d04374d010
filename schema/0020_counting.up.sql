-- Counting costs a batch fewer statements, sees the sessions that have ended where
-- one is taken back, and forgets streams that nobody has come to for long.

-- When somebody came last; null once the viewers have been forgotten.
ALTER TABLE stream_counts ADD COLUMN last_at timestamptz DEFAULT now();

-- Who came without a credential came in by nothing that can be taken away.
DROP INDEX open_sessions_credential;
CREATE INDEX open_sessions_credential ON open_sessions (credential_kind, credential_id) WHERE credential_kind <> 'signature' AND credential_kind <> '';
-- What ended lately, whoever it was.
CREATE INDEX ended_sessions_lately ON ended_sessions USING brin (ended_at) WITH (autosummarize = on);

DROP TRIGGER open_sessions_early ON open_sessions;
DROP TRIGGER open_sessions_came ON open_sessions;
DROP FUNCTION meet_early_ends();
DROP FUNCTION count_came();
DROP FUNCTION count_stream(text, text, bigint, bigint, bigint);
DROP FUNCTION count_streams(text[], text[], bigint[], bigint[], bigint[]);

CREATE FUNCTION viewer_digest(viewer text) RETURNS bytea LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT substring(sha256(convert_to(viewer, 'UTF8')) FOR 12)
$$;

-- Adds to the counts of one stream. Plans are made once, when a table may still
-- be empty: they must be those of a full one.
CREATE FUNCTION count_stream(of_app text, of_stream text, more_pv bigint, more_uv bigint, more_online bigint, at timestamptz) RETURNS void
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
BEGIN
    UPDATE stream_counts c SET pv = c.pv + more_pv, uv = c.uv + more_uv, online = c.online + more_online, last_at = greatest(c.last_at, at)
    WHERE c.app = of_app AND c.stream = of_stream AND c.slot = (
        SELECT k.slot FROM stream_counts k WHERE k.app = of_app AND k.stream = of_stream ORDER BY k.slot LIMIT 1 FOR UPDATE SKIP LOCKED);
    IF NOT FOUND THEN
        INSERT INTO stream_counts AS c (app, stream, slot, pv, uv, online, last_at)
        VALUES (of_app, of_stream, pg_backend_pid(), more_pv, more_uv, more_online, at)
        ON CONFLICT (app, stream, slot) DO UPDATE SET pv = c.pv + excluded.pv, uv = c.uv + excluded.uv, online = c.online + excluded.online,
            last_at = greatest(c.last_at, excluded.last_at);
    END IF;
END $$;

-- Adds to the counts of some streams, each once.
CREATE FUNCTION count_streams(apps text[], streams text[], pvs bigint[], uvs bigint[], onlines bigint[], at timestamptz) RETURNS void
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
BEGIN
    WITH more AS (
        SELECT m.*, (
            SELECT k.slot FROM stream_counts k WHERE k.app = m.app AND k.stream = m.stream ORDER BY k.slot LIMIT 1 FOR UPDATE SKIP LOCKED) AS slot
        FROM unnest(apps, streams, pvs, uvs, onlines) AS m(app, stream, pv, uv, online)
    ), counted AS (
        UPDATE stream_counts c SET pv = c.pv + m.pv, uv = c.uv + m.uv, online = c.online + m.online, last_at = greatest(c.last_at, at)
        FROM more m WHERE c.app = m.app AND c.stream = m.stream AND c.slot = m.slot
        RETURNING c.app, c.stream
    )
    INSERT INTO stream_counts AS c (app, stream, slot, pv, uv, online, last_at)
    SELECT m.app, m.stream, pg_backend_pid(), m.pv, m.uv, m.online, at FROM more m
    WHERE NOT EXISTS (SELECT FROM counted d WHERE d.app = m.app AND d.stream = m.stream)
    ORDER BY m.app, m.stream
    ON CONFLICT (app, stream, slot) DO UPDATE SET pv = c.pv + excluded.pv, uv = c.uv + excluded.uv, online = c.online + excluded.online,
        last_at = greatest(c.last_at, excluded.last_at);
END $$;

-- Players came. Those whose end came first have ended when they start; publishers,
-- who have a room to put on air or not, look for themselves.
CREATE FUNCTION players_came() RETURNS trigger LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    one record;
    strangers bigint;
    done text;
BEGIN
    SELECT count(*) AS n, min(a.app) AS app, max(a.app) AS last_app, min(a.stream) AS stream, max(a.stream) AS last_stream,
        stream_digest(min(a.app), min(a.stream)) AS digest, max(a.started_at) AS at, EXISTS (SELECT FROM early_ends) AS early INTO one
    FROM added a WHERE a.scene = 'play' AND a.refused = '';
    IF one.n = 0 THEN
        RETURN NULL;
    END IF;
    IF one.app = one.last_app AND one.stream = one.last_stream THEN -- so it is nearly always, and this costs half
        INSERT INTO stream_viewers AS v (viewer, since)
        SELECT one.digest || viewer_digest(c.viewer), c.since FROM (
            SELECT viewer_of(a.subject, a.credential_kind, a.address) AS viewer, min(a.started_at) AS since
            FROM added a WHERE a.scene = 'play' AND a.refused = '' GROUP BY 1) c
        ORDER BY 1
        ON CONFLICT DO NOTHING;
        GET DIAGNOSTICS strangers = ROW_COUNT;
        UPDATE stream_counts c SET pv = c.pv + one.n, uv = c.uv + strangers, online = c.online + one.n, last_at = greatest(c.last_at, one.at)
        WHERE c.app = one.app AND c.stream = one.stream AND c.slot = (
            SELECT k.slot FROM stream_counts k WHERE k.app = one.app AND k.stream = one.stream ORDER BY k.slot LIMIT 1 FOR UPDATE SKIP LOCKED);
        IF NOT FOUND THEN
            PERFORM count_stream(one.app, one.stream, one.n, strangers, one.n, one.at);
        END IF;
    ELSE
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
        SELECT count_streams(array_agg(s.app), array_agg(s.stream), array_agg(s.n), array_agg(s.uv), array_agg(s.n), one.at) INTO done
        FROM of_streams s;
    END IF;
    IF one.early THEN
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
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION players_came();

CREATE OR REPLACE FUNCTION count_gone() RETURNS trigger LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    PERFORM count_streams(array_agg(s.app), array_agg(s.stream), array_agg(0::bigint), array_agg(0::bigint), array_agg(-s.n), NULL)
    FROM (SELECT r.app, r.stream, count(*) AS n FROM removed r WHERE r.scene = 'play' AND r.refused = '' GROUP BY r.app, r.stream) s
    HAVING count(*) > 0;
    RETURN NULL;
END $$;

-- Takes back that a session was counted. A viewer who came with it first has been
-- there since the first of the others, be it one that has ended; without any he has
-- not been there.
CREATE OR REPLACE FUNCTION uncount_player(s open_sessions, online bigint) RETURNS void
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
DECLARE
    who text := viewer_of(s.subject, s.credential_kind, s.address);
    key bytea := stream_viewer(s.app, s.stream, who);
    first timestamptz;
    lost integer := 0;
BEGIN
    IF EXISTS (SELECT FROM stream_viewers v WHERE v.viewer = key AND v.since = s.started_at) THEN
        SELECT min(x.started_at) INTO first FROM (
            SELECT o.started_at FROM open_sessions o
            WHERE o.scene = 'play' AND o.app = s.app AND o.stream = s.stream AND o.refused = '' AND o.id <> s.id
              AND viewer_of(o.subject, o.credential_kind, o.address) = who
            UNION ALL
            SELECT e.started_at FROM ended_sessions e
            WHERE e.ended_at >= s.started_at AND e.scene = 'play' AND e.app = s.app AND e.stream = s.stream AND e.refused = ''
              AND viewer_of(e.subject, e.credential_kind, e.address) = who) x;
        IF first IS NULL THEN
            DELETE FROM stream_viewers v WHERE v.viewer = key;
            lost := 1;
        ELSE
            UPDATE stream_viewers v SET since = first WHERE v.viewer = key;
        END IF;
    END IF;
    PERFORM count_stream(s.app, s.stream, -1, -lost, online, NULL);
END $$;

-- Forgets the counts of a stream that nobody has come to since long before, and
-- whose viewers have been forgotten; of one that is a room's, which may be shown
-- as long as the room is there, the sums stay.
CREATE FUNCTION forget_stream(of_app text, of_stream text, before timestamptz) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    held record;
BEGIN
    SELECT min(k.slot) AS slot, sum(k.pv) AS pv, sum(k.uv) AS uv, sum(k.online) AS online, max(k.last_at) AS last_at, array_agg(k.slot) AS slots INTO held
    FROM (SELECT * FROM stream_counts c WHERE c.app = of_app AND c.stream = of_stream ORDER BY c.slot FOR UPDATE) k;
    IF held.online <> 0 OR held.last_at >= before THEN -- somebody has come meanwhile
        RETURN;
    END IF;
    UPDATE stream_counts c SET pv = held.pv, uv = held.uv, online = 0, last_at = NULL
    WHERE c.app = of_app AND c.stream = of_stream AND c.slot = held.slot AND EXISTS (SELECT FROM rooms r WHERE r.id = of_stream AND r.deleted_at IS NULL);
    DELETE FROM stream_counts c
    WHERE c.app = of_app AND c.stream = of_stream AND c.slot = ANY (held.slots) AND (NOT FOUND OR c.slot <> held.slot);
END $$;
