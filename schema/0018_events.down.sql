DROP TRIGGER refusals_event_denied ON refusals;
DROP TRIGGER recordings_event_ready ON recordings;
DROP TRIGGER open_sessions_event_refused ON open_sessions;
DROP TRIGGER ended_sessions_event_ended ON ended_sessions;
DROP TRIGGER open_sessions_event_started ON open_sessions;
DROP TRIGGER ended_sessions_event_unpublished ON ended_sessions;
DROP TRIGGER open_sessions_event_published ON open_sessions;
DROP TRIGGER rooms_event_changed ON rooms;
DROP TRIGGER rooms_event_created ON rooms;
DROP FUNCTION draft_denied();
DROP FUNCTION draft_recording();
DROP FUNCTION draft_refused();
DROP FUNCTION draft_session_over(open_sessions, timestamptz, text);
DROP FUNCTION draft_sessions_ended();
DROP FUNCTION draft_sessions_started();
DROP FUNCTION draft_unpublished();
DROP FUNCTION draft_published();
DROP FUNCTION draft_room_changed();
DROP FUNCTION draft_rooms_created();
DROP FUNCTION event_end(timestamptz, text, bigint, bigint);
DROP FUNCTION event_session(bigint, text, text, text, text, text, text, text, text, text, timestamptz);
DROP FUNCTION event_subject(text, text, text);
DROP FUNCTION event_stream(text, text, text);
DROP FUNCTION event_room(rooms);
DROP FUNCTION event_note(text, text, timestamptz, jsonb);
DROP FUNCTION event_time(timestamptz);

CREATE OR REPLACE FUNCTION announce_noted() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    noted text := btrim(current_setting('stagedoor.noted', true), E'\n');
    parts text[] := ARRAY[noted];
    last  bigint;
BEGIN
    IF noted = '' THEN
        RETURN NULL;
    END IF;
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

DROP TABLE event_drafts;
DROP SEQUENCE event_drafts_order;
DROP FUNCTION write_drafts();
DROP FUNCTION events_settled();
DROP FUNCTION write_events();
DROP TABLE event_subjects;
DROP SEQUENCE event_numbers;
DROP TABLE event_wants;
DROP TABLE event_outbox;
DROP TABLE events;
