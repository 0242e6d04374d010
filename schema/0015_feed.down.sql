CREATE FUNCTION announce_table() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('stagedoor', TG_TABLE_NAME || ':');
    RETURN NULL;
END $$;
DROP TRIGGER evictions_announce ON evictions;
CREATE TRIGGER evictions_announce AFTER INSERT ON evictions
    FOR EACH STATEMENT EXECUTE FUNCTION announce_table();
DROP TRIGGER revocations_announce ON revocations;
CREATE TRIGGER revocations_announce AFTER INSERT ON revocations
    FOR EACH STATEMENT EXECUTE FUNCTION announce_table();
DROP TRIGGER rooms_announce ON rooms;
CREATE TRIGGER rooms_announce AFTER UPDATE OF status, deleted_at ON rooms
    FOR EACH ROW WHEN (NEW.status = 2 OR NEW.deleted_at IS NOT NULL)
    EXECUTE FUNCTION announce('id');

DROP TRIGGER accounts_announce_noted ON accounts;
DROP TRIGGER token_keys_announce_noted ON token_keys;
DROP TRIGGER revoked_tokens_announce_noted ON revoked_tokens;
DROP TRIGGER access_keys_announce_noted ON access_keys;
DROP TRIGGER auth_rules_announce_noted ON auth_rules;
DROP TRIGGER signing_keys_announce_noted ON signing_keys;
DROP TRIGGER live_tokens_announce_noted ON live_tokens;
DROP TRIGGER bans_announce_noted ON bans;
DROP TRIGGER nodes_announce_noted ON nodes;
DROP TRIGGER routes_announce_noted ON routes;
DROP TRIGGER evictions_announce_noted ON evictions;
DROP TRIGGER revocations_announce_noted ON revocations;
DROP TRIGGER rooms_announce_noted ON rooms;
DROP FUNCTION announce_noted();

CREATE OR REPLACE FUNCTION announce() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    row jsonb := to_jsonb(CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END);
BEGIN
    PERFORM pg_notify('stagedoor', TG_TABLE_NAME || ':' || (row ->> TG_ARGV[0]));
    RETURN NULL;
END $$;
DROP TABLE feed;
