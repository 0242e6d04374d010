-- Announcements are numbered without a gap, in the order in which their
-- transactions commit: whoever follows them knows when one is missing. See
-- internal/pg/feed.go.
--
--   change of a row --> announce() notes "table:key" in the transaction
--   commit          --> announce_noted() takes the next number and notifies
--
-- The number is taken last of all, and what the transaction locked before it
-- keeps nobody from committing who has taken one. Notifying transactions commit
-- one after the other anyway.
CREATE TABLE feed (
    number bigint NOT NULL,
    one    boolean PRIMARY KEY DEFAULT true CHECK (one)
);
INSERT INTO feed (number) VALUES (0);

-- One line per change: "table:key", "table:" where there is no more to say than
-- that something is new, and "table" where too much changed to list.
CREATE OR REPLACE FUNCTION announce() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    noted text := coalesce(nullif(current_setting('stagedoor.noted', true), ''), E'\n');
    line  text := TG_TABLE_NAME || ':';
BEGIN
    IF position(E'\n' || TG_TABLE_NAME || E'\n' IN noted) > 0 THEN
        RETURN NULL;
    END IF;
    IF TG_LEVEL = 'ROW' THEN
        line := line || (to_jsonb(CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END) ->> TG_ARGV[0]);
    END IF;
    IF position(E'\n' || line || E'\n' IN noted) > 0 THEN
        RETURN NULL;
    END IF;
    IF octet_length(noted) + octet_length(line) > 60000 OR position(E'\n' IN line) > 0 THEN
        noted := regexp_replace(noted, '(?<=\n)' || TG_TABLE_NAME || ':[^\n]*\n', '', 'g');
        line := TG_TABLE_NAME;
    END IF;
    PERFORM set_config('stagedoor.noted', noted || line || E'\n', true);
    RETURN NULL;
END $$;

-- The first of a transaction's changes sends what is noted of all of them, in as
-- many notifications as their limit of 8000 bytes asks for.
CREATE FUNCTION announce_noted() RETURNS trigger LANGUAGE plpgsql AS $$
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

-- What each of these announces stays as it was. Only a room is announced when it
-- is closed (or opened again), and not with every change of a closed one.
CREATE CONSTRAINT TRIGGER accounts_announce_noted AFTER INSERT OR UPDATE OR DELETE ON accounts
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION announce_noted();
CREATE CONSTRAINT TRIGGER token_keys_announce_noted AFTER INSERT OR UPDATE OR DELETE ON token_keys
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION announce_noted();
CREATE CONSTRAINT TRIGGER revoked_tokens_announce_noted AFTER INSERT OR UPDATE ON revoked_tokens
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION announce_noted();
CREATE CONSTRAINT TRIGGER access_keys_announce_noted AFTER INSERT OR UPDATE OF revoked_at, secret_sealed OR DELETE ON access_keys
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION announce_noted();
CREATE CONSTRAINT TRIGGER auth_rules_announce_noted AFTER INSERT OR UPDATE OR DELETE ON auth_rules
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION announce_noted();
CREATE CONSTRAINT TRIGGER signing_keys_announce_noted
    AFTER INSERT OR UPDATE OF state, secret_sealed, scheme, options, position OR DELETE ON signing_keys
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION announce_noted();
CREATE CONSTRAINT TRIGGER live_tokens_announce_noted AFTER INSERT OR UPDATE OR DELETE ON live_tokens
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION announce_noted();
CREATE CONSTRAINT TRIGGER bans_announce_noted AFTER INSERT OR UPDATE OR DELETE ON bans
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION announce_noted();
CREATE CONSTRAINT TRIGGER nodes_announce_noted AFTER INSERT OR UPDATE OR DELETE ON nodes
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION announce_noted();
CREATE CONSTRAINT TRIGGER routes_announce_noted AFTER INSERT OR UPDATE OR DELETE ON routes
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION announce_noted();
CREATE CONSTRAINT TRIGGER evictions_announce_noted AFTER INSERT ON evictions
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION announce_noted();
CREATE CONSTRAINT TRIGGER revocations_announce_noted AFTER INSERT ON revocations
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION announce_noted();

DROP TRIGGER rooms_announce ON rooms;
CREATE TRIGGER rooms_announce AFTER UPDATE OF status, deleted_at ON rooms FOR EACH ROW
    WHEN ((NEW.status = 2 OR NEW.deleted_at IS NOT NULL) <> (OLD.status = 2 OR OLD.deleted_at IS NOT NULL))
    EXECUTE FUNCTION announce('id');
CREATE CONSTRAINT TRIGGER rooms_announce_noted AFTER UPDATE OF status, deleted_at ON rooms
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    WHEN ((NEW.status = 2 OR NEW.deleted_at IS NOT NULL) <> (OLD.status = 2 OR OLD.deleted_at IS NOT NULL))
    EXECUTE FUNCTION announce_noted();

DROP TRIGGER evictions_announce ON evictions;
CREATE TRIGGER evictions_announce AFTER INSERT ON evictions
    FOR EACH STATEMENT EXECUTE FUNCTION announce();
DROP TRIGGER revocations_announce ON revocations;
CREATE TRIGGER revocations_announce AFTER INSERT ON revocations
    FOR EACH STATEMENT EXECUTE FUNCTION announce();
DROP FUNCTION announce_table();
