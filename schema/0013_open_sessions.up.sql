-- Open sessions stand alone in a small table, with as few indexes as they can do
-- with: one is written for every callback. Those that ended are in partitions of
-- one UTC day each, which the program makes ahead and drops when they are old.
--
--   start ---> open_sessions ---end---> ended_sessions
--   end without a start ---> early_ends ---its start---> ended_sessions
--
-- What used to be the table is a view of both.
ALTER TABLE sessions RENAME TO sessions_before;

-- Sixteen bytes of whose connection it is, then twelve of what it does, so that
-- all of a node (4), of a server on it (8) and of a connection (16) stand
-- together in an index. The program computes the same, see internal/ledger/identity.go.
CREATE FUNCTION session_identity(node text, server_id text, client_id text, scene text, vhost text, app text, stream text)
RETURNS bytea LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT substring(sha256(convert_to(node, 'UTF8')) FOR 4) || substring(sha256(convert_to(server_id, 'UTF8')) FOR 4)
        || substring(sha256(convert_to(client_id, 'UTF8')) FOR 8)
        || substring(sha256(convert_to(scene, 'UTF8') || '\x00' || convert_to(vhost, 'UTF8') || '\x00' || convert_to(app, 'UTF8')
            || '\x00' || convert_to(stream, 'UTF8')) FOR 12)
$$;

CREATE SEQUENCE session_ids;
CREATE TABLE open_sessions (
    id              bigint      NOT NULL DEFAULT nextval('session_ids'),
    serial          bigint      NOT NULL DEFAULT 0,
    started_at      timestamptz NOT NULL,
    bytes_in        bigint      NOT NULL DEFAULT 0,
    bytes_out       bigint      NOT NULL DEFAULT 0,
    identity        bytea       NOT NULL,
    node            text COLLATE "C" NOT NULL,
    server_id       text COLLATE "C" NOT NULL,
    client_id       text COLLATE "C" NOT NULL,
    scene           text COLLATE "C" NOT NULL CHECK (scene IN ('publish', 'play')),
    vhost           text COLLATE "C" NOT NULL,
    app             text COLLATE "C" NOT NULL,
    stream          text COLLATE "C" NOT NULL,
    address         text COLLATE "C" NOT NULL DEFAULT '',
    protocol        text COLLATE "C" NOT NULL DEFAULT '',
    credential_kind text COLLATE "C" NOT NULL DEFAULT '',
    credential_id   text COLLATE "C" NOT NULL DEFAULT '',
    subject         text NOT NULL DEFAULT '',
    -- Why a client that runs all the same must not, empty for the others.
    refused         text COLLATE "C" NOT NULL DEFAULT '',
    -- When a callback last said that it runs, where a node's list does not tell.
    seen_at         timestamptz,
    -- When somebody took its place.
    replaced_at     timestamptz
);
CREATE TABLE ended_sessions (
    id              bigint      NOT NULL,
    serial          bigint      NOT NULL,
    started_at      timestamptz NOT NULL,
    bytes_in        bigint      NOT NULL,
    bytes_out       bigint      NOT NULL,
    identity        bytea       NOT NULL,
    node            text COLLATE "C" NOT NULL,
    server_id       text COLLATE "C" NOT NULL,
    client_id       text COLLATE "C" NOT NULL,
    scene           text COLLATE "C" NOT NULL,
    vhost           text COLLATE "C" NOT NULL,
    app             text COLLATE "C" NOT NULL,
    stream          text COLLATE "C" NOT NULL,
    address         text COLLATE "C" NOT NULL,
    protocol        text COLLATE "C" NOT NULL,
    credential_kind text COLLATE "C" NOT NULL,
    credential_id   text COLLATE "C" NOT NULL,
    subject         text NOT NULL,
    refused         text COLLATE "C" NOT NULL,
    seen_at         timestamptz,
    replaced_at     timestamptz,
    ended_at        timestamptz NOT NULL,
    end_reason      text COLLATE "C" NOT NULL DEFAULT ''
) PARTITION BY RANGE (ended_at);
CREATE TABLE ended_sessions_default PARTITION OF ended_sessions DEFAULT;

-- Ends that came before their start, for a minute. That of a whole connection
-- has no app and no stream. In normal life there are none, and a start costs no
-- more than a look at an empty table.
CREATE TABLE early_ends (
    identity   bytea       NOT NULL,
    ended_at   timestamptz NOT NULL,
    connection bytea       NOT NULL, -- the first sixteen bytes of identity
    whole      boolean     NOT NULL, -- the end of all that the connection carried
    PRIMARY KEY (identity, ended_at)
);

-- Rows.
DO $$ DECLARE day date; BEGIN
    FOR day IN SELECT DISTINCT (ended_at AT TIME ZONE 'UTC')::date FROM sessions_before
        WHERE ended_at > now() - make_interval(days => 30) AND started_at IS NOT NULL
    LOOP
        EXECUTE format('CREATE TABLE %I PARTITION OF ended_sessions FOR VALUES FROM (%L) TO (%L)', 'ended_sessions_p' || to_char(day, 'YYYYMMDD'),
            day::text || ' 00:00:00+00', (day + 1)::text || ' 00:00:00+00');
    END LOOP;
END $$;
INSERT INTO open_sessions
SELECT id, serial, started_at, bytes_in, bytes_out, session_identity(node, server_id, client_id, scene, vhost, app, stream), node, server_id, client_id,
    scene, vhost, app, stream, address, protocol, credential_kind, credential_id, subject, refused, seen_at, replaced_at
FROM sessions_before WHERE ended_at IS NULL;
INSERT INTO ended_sessions
SELECT id, serial, started_at, bytes_in, bytes_out, session_identity(node, server_id, client_id, scene, vhost, app, stream), node, server_id, client_id,
    scene, vhost, app, stream, address, protocol, credential_kind, credential_id, subject, refused, seen_at, replaced_at, ended_at, end_reason
FROM sessions_before WHERE ended_at > now() - make_interval(days => 30) AND started_at IS NOT NULL;
INSERT INTO early_ends
SELECT session_identity(node, server_id, client_id, scene, vhost, app, stream), ended_at,
    substring(session_identity(node, server_id, client_id, scene, vhost, app, stream) FOR 16), app = '' AND stream = ''
FROM sessions_before WHERE started_at IS NULL
ON CONFLICT DO NOTHING;
SELECT setval('session_ids', max(id)) FROM sessions_before HAVING max(id) IS NOT NULL;
DROP TABLE sessions_before;

ALTER TABLE open_sessions ADD PRIMARY KEY (id);
CREATE UNIQUE INDEX open_sessions_identity ON open_sessions (identity);
CREATE INDEX open_sessions_play ON open_sessions (app, stream) WHERE scene = 'play';
-- The others hold publishers, or those who came in by what can be taken from
-- them. URL signatures belong to nobody.
CREATE INDEX open_sessions_credential ON open_sessions (credential_kind, credential_id) WHERE credential_kind <> 'signature';
CREATE INDEX open_sessions_subject ON open_sessions (lower(subject)) WHERE subject <> '';
CREATE UNIQUE INDEX open_sessions_publisher ON open_sessions (stream, app, vhost) WHERE scene = 'publish' AND refused = '';
CREATE INDEX open_sessions_path ON open_sessions (stream_path(vhost, app, stream)) WHERE scene = 'publish';
CREATE INDEX open_sessions_lower_path ON open_sessions (lower(stream_path(vhost, app, stream) COLLATE "default")) WHERE scene = 'publish';
CREATE INDEX open_sessions_replaced ON open_sessions (stream, replaced_at) WHERE replaced_at IS NOT NULL;

CREATE INDEX ended_sessions_identity ON ended_sessions (identity, ended_at);
CREATE INDEX ended_sessions_closed ON ended_sessions (ended_at, id) WHERE scene = 'publish';
CREATE INDEX ended_sessions_stream ON ended_sessions (stream, ended_at, id) WHERE scene = 'publish';
CREATE INDEX ended_sessions_replaced ON ended_sessions (stream, replaced_at) WHERE replaced_at IS NOT NULL;
CREATE INDEX early_ends_connection ON early_ends (connection);
CREATE INDEX early_ends_ended_at ON early_ends (ended_at);

CREATE VIEW sessions AS
    SELECT o.*, NULL::timestamptz AS ended_at, ''::text COLLATE "C" AS end_reason FROM open_sessions o
    UNION ALL
    SELECT * FROM ended_sessions;

-- Players whose end came first have ended when they start. Publishers, who have
-- a room to put on air or not, look for themselves.
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
CREATE TRIGGER open_sessions_early AFTER INSERT ON open_sessions
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION meet_early_ends();
