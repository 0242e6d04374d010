-- What happened: every change of a room, a stream and a recording, and where
-- somebody wants to hear of them (event_wants) of sessions and refusals. Written by
-- triggers in the transaction of the change, so that no code path can forget it.
--
--   change of a row --> a trigger drafts an event in the transaction
--   commit          --> write_events() numbers the drafts, into the log and the outbox
--
-- Numbers are taken last of all, under the locks of the subjects, which are taken in
-- order: so the sequence of a subject rises by one without a gap, and two
-- transactions never wait for each other. They wait for nothing else, and neither
-- does another subject; therefore a lower number may be committed after a higher one,
-- and who reads in their order reads no further than events_settled().

-- The log, in partitions of one UTC day each: see internal/pg/daily.go.
CREATE TABLE events (
    number   bigint      NOT NULL,
    id       text COLLATE "C" NOT NULL,
    type     text COLLATE "C" NOT NULL,
    subject  text COLLATE "C" NOT NULL, -- id of a room, or vhost/app/stream
    sequence bigint      NOT NULL,      -- from 1, by subject
    at       timestamptz NOT NULL,
    data     jsonb       NOT NULL,
    PRIMARY KEY (number, at)
) PARTITION BY RANGE (at);
CREATE TABLE events_default PARTITION OF events DEFAULT;
CREATE INDEX events_subject ON events (subject, number);
CREATE INDEX events_type ON events (type, number);

-- The same rows until the dispatcher of webhooks has taken them.
CREATE TABLE event_outbox (
    number   bigint PRIMARY KEY,
    id       text COLLATE "C" NOT NULL,
    type     text COLLATE "C" NOT NULL,
    subject  text COLLATE "C" NOT NULL,
    sequence bigint      NOT NULL,
    at       timestamptz NOT NULL,
    data     jsonb       NOT NULL
);

-- Which of the types somebody wants that nobody writes otherwise: session.started,
-- session.ended, decision.denied.
CREATE TABLE event_wants (
    type text COLLATE "C" PRIMARY KEY
);

CREATE SEQUENCE event_numbers;
CREATE TABLE event_subjects (
    subject  text COLLATE "C" PRIMARY KEY,
    sequence bigint NOT NULL -- of the last event
) WITH (fillfactor = 70);

-- The events of transactions that have not ended: an array of type, subject, at and
-- data for each statement. Nobody ever sees a row of another transaction. The
-- sequence is one of its own, as that of an unlogged table is unlogged too, and
-- may be broken on a standby that has just become the primary (PostgreSQL 15).
CREATE SEQUENCE event_drafts_order;
CREATE UNLOGGED TABLE event_drafts (
    tx    xid8   NOT NULL DEFAULT pg_current_xact_id(),
    id    bigint NOT NULL DEFAULT nextval('event_drafts_order'),
    notes jsonb  NOT NULL,
    PRIMARY KEY (tx, id)
);

-- Who takes numbers marks first, for as long as the transaction lasts, which number
-- was the last one before: its own are higher.
CREATE FUNCTION write_events() RETURNS void LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    drafts jsonb[];
BEGIN
    WITH mine AS (DELETE FROM event_drafts d WHERE d.tx = pg_current_xact_id() RETURNING d.id, d.notes)
    SELECT array_agg(m.notes ORDER BY m.id) INTO drafts FROM mine m;
    IF drafts IS NULL THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock_shared(('event_numbers'::regclass::oid::bigint & 2147483647)::integer,
        (coalesce(pg_sequence_last_value('event_numbers'), 0) & 2147483647)::integer);
    WITH noted AS MATERIALIZED (
        SELECT n.note ->> 'type' AS type, n.note ->> 'subject' AS subject, (n.note ->> 'at')::timestamptz AS at, n.note -> 'data' AS data,
            row_number() OVER (ORDER BY d.place, n.place) AS place
        FROM unnest(drafts) WITH ORDINALITY AS d(notes, place), jsonb_array_elements(d.notes) WITH ORDINALITY AS n(note, place)
    ), counted AS (
        INSERT INTO event_subjects AS s (subject, sequence)
        SELECT n.subject, count(*) FROM noted n GROUP BY n.subject ORDER BY n.subject
        ON CONFLICT (subject) DO UPDATE SET sequence = s.sequence + excluded.sequence
        RETURNING s.subject, s.sequence
    ), ordered AS (
        SELECT n.*, c.sequence + row_number() OVER (PARTITION BY n.subject ORDER BY n.place) - count(*) OVER (PARTITION BY n.subject) AS sequence
        FROM noted n JOIN counted c ON c.subject = n.subject
        ORDER BY n.place
    ), numbered AS (
        SELECT nextval('event_numbers') AS number, 'evt_' || translate(gen_random_uuid()::text, '-', '') AS id, o.type, o.subject, o.sequence, o.at, o.data
        FROM ordered o
    ), logged AS (
        INSERT INTO events SELECT * FROM numbered
    )
    INSERT INTO event_outbox SELECT * FROM numbered;
END $$;

-- The highest number below which nothing will be committed any more. Only what is
-- read after it was called is all that there is up to it.
CREATE FUNCTION events_settled() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    last   bigint := coalesce(pg_sequence_last_value('event_numbers'), 0); -- before it is looked who is on the way
    behind bigint;
BEGIN
    SELECT max(b.n) INTO behind
    FROM pg_locks l CROSS JOIN LATERAL (SELECT (last - l.objid::bigint) & 2147483647 AS n) b
    WHERE l.locktype = 'advisory' AND l.objsubid = 2 AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
      AND l.classid::bigint = 'event_numbers'::regclass::oid::bigint & 2147483647
      AND b.n < 1073741824; -- else it is one ahead of ours
    RETURN last - coalesce(behind, 0);
END $$;

CREATE FUNCTION write_drafts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM write_events();
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER event_drafts_write AFTER INSERT ON event_drafts
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION write_drafts();

-- Announcements (0015) are numbered by a row that all transactions share. Whoever
-- writes events too does that first, or two of them could wait for each other.
CREATE OR REPLACE FUNCTION announce_noted() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    noted text := btrim(current_setting('stagedoor.noted', true), E'\n');
    parts text[] := ARRAY[noted];
    last  bigint;
BEGIN
    IF noted = '' THEN
        RETURN NULL;
    END IF;
    PERFORM write_events();
    PERFORM set_config('stagedoor.noted', '', true);
    IF octet_length(noted) > 6000 THEN
        parts := ARRAY(
            SELECT string_agg(l.line, E'\n' ORDER BY l.at)
            FROM (SELECT line, at, sum(octet_length(line) + 1) OVER (ORDER BY at) / 6000 AS part
                FROM unnest(string_to_array(noted, E'\n')) WITH ORDINALITY AS u (line, at)) l
            GROUP BY l.part ORDER BY l.part);
    END IF;
    UPDATE feed SET number = number + cardinality(parts) RETURNING number INTO last;
    FOR i IN 1 .. cardinality(parts) LOOP
        PERFORM pg_notify('stagedoor', (last - cardinality(parts) + i) || E'\n' || parts[i]);
    END LOOP;
    RETURN NULL;
END $$;

-- How events say things. Every field is named here: what is not, such as the key of a
-- cover's URL or what an application keeps in "extends", does not leave the database.
CREATE FUNCTION event_time(at timestamptz) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
$$;
CREATE FUNCTION event_note(type text, subject text, at timestamptz, data jsonb) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT jsonb_build_object('type', type, 'subject', subject, 'at', at, 'data', data)
$$;
CREATE FUNCTION event_room(r rooms) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT jsonb_strip_nulls(jsonb_build_object('id', r.id, 'app', r.app, 'title', r.title, 'notice', r.notice, 'anchor_id', r.anchor_id,
        'anchor_nick', r.anchor_nick, 'status', (ARRAY['prepare', 'on', 'off'])[r.status + 1], 'mode', (ARRAY['plain', 'link'])[r.mode + 1],
        'chat_id', r.chat_id, 'muted', r.muted, 'created_at', event_time(r.created_at), 'updated_at', event_time(r.updated_at),
        'started_at', event_time(r.started_at), 'stopped_at', event_time(r.stopped_at)))
$$;
CREATE FUNCTION event_stream(vhost text, app text, name text) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT jsonb_build_object('vhost', CASE vhost WHEN '' THEN '__defaultVhost__' ELSE vhost END, 'app', app, 'name', name)
$$;
CREATE FUNCTION event_subject(vhost text, app text, name text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT CASE vhost WHEN '' THEN '__defaultVhost__' ELSE vhost END || '/' || app || '/' || name
$$;
CREATE FUNCTION event_session(id bigint, node text, server_id text, client_id text, scene text, address text, protocol text, credential_kind text,
    credential_id text, subject text, started_at timestamptz)
RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT jsonb_build_object('id', id, 'node', node, 'server_id', server_id, 'client_id', client_id, 'scene', scene, 'address', address,
        'protocol', protocol, 'credential_kind', credential_kind, 'credential_id', credential_id, 'subject', subject,
        'started_at', event_time(started_at))
$$;
CREATE FUNCTION event_end(ended_at timestamptz, reason text, bytes_in bigint, bytes_out bigint) RETURNS jsonb LANGUAGE sql STABLE AS $$
    SELECT jsonb_build_object('ended_at', event_time(ended_at), 'end_reason', reason, 'bytes_in', bytes_in, 'bytes_out', bytes_out)
$$;

-- Rooms. A room that is deleted ends with that, and one that starts, pauses or stops
-- says nothing more.
CREATE FUNCTION draft_rooms_created() RETURNS trigger LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    INSERT INTO event_drafts (notes)
    SELECT jsonb_agg(event_note('room.created', a.id, a.created_at, jsonb_build_object('room', event_room(ROW(a.*)::rooms)))) FROM added a HAVING count(*) > 0;
    RETURN NULL;
END $$;
CREATE TRIGGER rooms_event_created AFTER INSERT ON rooms
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION draft_rooms_created();

CREATE FUNCTION draft_room_changed() RETURNS trigger LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    kind text := 'room.updated';
    data jsonb := jsonb_build_object('room', event_room(NEW));
BEGIN
    IF NEW.deleted_at IS NOT NULL THEN
        kind := 'room.deleted';
    ELSIF NEW.status <> OLD.status THEN
        kind := (ARRAY['room.paused', 'room.started', 'room.stopped'])[NEW.status + 1];
    ELSE
        data := data || jsonb_build_object('changed', array_remove(ARRAY[
            CASE WHEN NEW.title <> OLD.title THEN 'title' END, CASE WHEN NEW.notice <> OLD.notice THEN 'notice' END,
            CASE WHEN NEW.extends <> OLD.extends THEN 'extends' END, CASE WHEN NEW.muted <> OLD.muted THEN 'muted' END,
            CASE WHEN NEW.meeting_info IS DISTINCT FROM OLD.meeting_info THEN 'members' END], NULL));
    END IF;
    INSERT INTO event_drafts (notes) VALUES (jsonb_build_array(event_note(kind, NEW.id, NEW.updated_at, data)));
    RETURN NULL;
END $$;
CREATE TRIGGER rooms_event_changed AFTER UPDATE OF status, deleted_at, title, notice, extends, muted, meeting_info ON rooms
    FOR EACH ROW WHEN (OLD.deleted_at IS NULL AND (NEW.deleted_at IS NOT NULL OR NEW.status <> OLD.status OR NEW.title <> OLD.title
        OR NEW.notice <> OLD.notice OR NEW.extends <> OLD.extends OR NEW.muted <> OLD.muted OR NEW.meeting_info IS DISTINCT FROM OLD.meeting_info))
    EXECUTE FUNCTION draft_room_changed();

-- Streams are on air by their publisher: one that came, was not refused, and has
-- neither ended nor lost its place. One whose end came first never was.
CREATE FUNCTION draft_published() RETURNS trigger LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    INSERT INTO event_drafts (notes) VALUES (jsonb_build_array(event_note('stream.published', event_subject(NEW.vhost, NEW.app, NEW.stream), NEW.started_at,
        jsonb_build_object('stream', event_stream(NEW.vhost, NEW.app, NEW.stream), 'session', event_session(NEW.id, NEW.node, NEW.server_id, NEW.client_id,
            NEW.scene, NEW.address, NEW.protocol, NEW.credential_kind, NEW.credential_id, NEW.subject, NEW.started_at)))));
    RETURN NULL;
END $$;
CREATE TRIGGER open_sessions_event_published AFTER INSERT ON open_sessions
    FOR EACH ROW WHEN (NEW.scene = 'publish' AND NEW.refused = '') EXECUTE FUNCTION draft_published();

CREATE FUNCTION draft_unpublished() RETURNS trigger LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    INSERT INTO event_drafts (notes) VALUES (jsonb_build_array(event_note('stream.unpublished', event_subject(NEW.vhost, NEW.app, NEW.stream), NEW.ended_at,
        jsonb_build_object('stream', event_stream(NEW.vhost, NEW.app, NEW.stream), 'session', event_session(NEW.id, NEW.node, NEW.server_id, NEW.client_id,
            NEW.scene, NEW.address, NEW.protocol, NEW.credential_kind, NEW.credential_id, NEW.subject, NEW.started_at)
            || event_end(NEW.ended_at, NEW.end_reason, NEW.bytes_in, NEW.bytes_out)))));
    RETURN NULL;
END $$;
CREATE TRIGGER ended_sessions_event_unpublished AFTER INSERT ON ended_sessions
    FOR EACH ROW WHEN (NEW.scene = 'publish' AND NEW.refused = '' AND NEW.end_reason <> 'early') EXECUTE FUNCTION draft_unpublished();

-- Sessions, where somebody wants to hear of them. One begins when it is admitted, and
-- ends when its connection does or when it is refused after all.
CREATE FUNCTION draft_sessions_started() RETURNS trigger LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    IF EXISTS (SELECT FROM event_wants WHERE type = 'session.started') THEN
        INSERT INTO event_drafts (notes)
        SELECT jsonb_agg(event_note('session.started', event_subject(a.vhost, a.app, a.stream), a.started_at,
            jsonb_build_object('stream', event_stream(a.vhost, a.app, a.stream), 'session', event_session(a.id, a.node, a.server_id, a.client_id, a.scene,
                a.address, a.protocol, a.credential_kind, a.credential_id, a.subject, a.started_at))) ORDER BY a.id)
        FROM added a WHERE a.refused = '' HAVING count(*) > 0;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER open_sessions_event_started AFTER INSERT ON open_sessions
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION draft_sessions_started();

CREATE FUNCTION draft_sessions_ended() RETURNS trigger LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    IF EXISTS (SELECT FROM event_wants WHERE type = 'session.ended') THEN
        INSERT INTO event_drafts (notes)
        SELECT jsonb_agg(event_note('session.ended', event_subject(a.vhost, a.app, a.stream), a.ended_at,
            jsonb_build_object('stream', event_stream(a.vhost, a.app, a.stream), 'session', event_session(a.id, a.node, a.server_id, a.client_id, a.scene,
                a.address, a.protocol, a.credential_kind, a.credential_id, a.subject, a.started_at)
                || event_end(a.ended_at, a.end_reason, a.bytes_in, a.bytes_out))) ORDER BY a.id)
        FROM added a WHERE a.refused = '' AND (a.scene = 'play' OR a.end_reason <> 'early') HAVING count(*) > 0;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER ended_sessions_event_ended AFTER INSERT ON ended_sessions
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION draft_sessions_ended();

-- A session that is over without having ended: refused after all, replaced, or taken
-- back because nobody was told that it began.
CREATE FUNCTION draft_session_over(s open_sessions, ended_at timestamptz, reason text) RETURNS void
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    subject text  := event_subject(s.vhost, s.app, s.stream);
    data    jsonb := jsonb_build_object('stream', event_stream(s.vhost, s.app, s.stream), 'session', event_session(s.id, s.node, s.server_id, s.client_id,
        s.scene, s.address, s.protocol, s.credential_kind, s.credential_id, s.subject, s.started_at) || event_end(ended_at, reason, s.bytes_in, s.bytes_out));
BEGIN
    IF s.scene = 'publish' THEN
        INSERT INTO event_drafts (notes) VALUES (jsonb_build_array(event_note('stream.unpublished', subject, ended_at, data)));
    END IF;
    IF EXISTS (SELECT FROM event_wants WHERE type = 'session.ended') THEN
        INSERT INTO event_drafts (notes) VALUES (jsonb_build_array(event_note('session.ended', subject, ended_at, data)));
    END IF;
END $$;
CREATE FUNCTION draft_refused() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM draft_session_over(OLD, coalesce(NEW.replaced_at, now()), NEW.refused);
    RETURN NULL;
END $$;
CREATE TRIGGER open_sessions_event_refused AFTER UPDATE OF refused ON open_sessions
    FOR EACH ROW WHEN (OLD.refused = '' AND NEW.refused <> '') EXECUTE FUNCTION draft_refused();

-- Recordings. The name of a file may be a URL, whose query may be a signature.
CREATE FUNCTION draft_recording() RETURNS trigger LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    INSERT INTO event_drafts (notes) VALUES (jsonb_build_array(event_note('recording.ready', event_subject(NEW.vhost, NEW.app, NEW.stream), NEW.created_at,
        jsonb_build_object('stream', event_stream(NEW.vhost, NEW.app, NEW.stream), 'recording', jsonb_build_object('id', NEW.id, 'session_id', NEW.session_id,
            'node', NEW.node, 'file', split_part(NEW.file, '?', 1), 'duration_seconds', NEW.duration, 'started_at', event_time(NEW.started_at))))));
    RETURN NULL;
END $$;
CREATE TRIGGER recordings_event_ready AFTER INSERT ON recordings
    FOR EACH ROW EXECUTE FUNCTION draft_recording();

-- Refusals, where somebody wants to hear of them. One of nobody knows what stream is
-- about the node.
CREATE FUNCTION draft_denied() RETURNS trigger LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    IF EXISTS (SELECT FROM event_wants WHERE type = 'decision.denied') THEN
        INSERT INTO event_drafts (notes)
        SELECT jsonb_agg(event_note('decision.denied',
            CASE WHEN a.stream <> '' THEN event_subject(a.vhost, a.app, a.stream) WHEN a.node <> '' THEN a.node ELSE '-' END, a.at,
            jsonb_build_object('stream', event_stream(a.vhost, a.app, a.stream), 'decision', jsonb_build_object('reason', a.reason, 'request_id', a.request_id,
                'node', a.node, 'action', a.action, 'scene', a.scene, 'client_id', a.client_id, 'address', a.address, 'protocol', a.protocol,
                'rule_id', a.rule_id, 'key_id', a.key_id, 'subject', a.subject, 'repeats', a.repeats))) ORDER BY a.id)
        FROM added a HAVING count(*) > 0;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER refusals_event_denied AFTER INSERT ON refusals
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION draft_denied();
