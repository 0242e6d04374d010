DROP TABLE bans;
DROP TRIGGER signing_keys_announce ON signing_keys;
ALTER TABLE signing_keys DROP COLUMN scheme, DROP COLUMN options, DROP COLUMN position;
CREATE TRIGGER signing_keys_announce AFTER INSERT OR UPDATE OF state, secret_sealed OR DELETE ON signing_keys
    FOR EACH ROW EXECUTE FUNCTION announce('rule_id');
ALTER TABLE auth_rules DROP COLUMN options;
