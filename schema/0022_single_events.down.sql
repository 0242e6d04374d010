CREATE OR REPLACE FUNCTION write_drafts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM write_events();
    RETURN NULL;
END $$;

CREATE OR REPLACE FUNCTION write_events() RETURNS void LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
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

DROP FUNCTION write_event(jsonb);

CREATE FUNCTION outbox_wanted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM event_wants w WHERE w.type = NEW.type) THEN
        RETURN NEW;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER event_outbox_wanted BEFORE INSERT ON event_outbox FOR EACH ROW EXECUTE FUNCTION outbox_wanted();
