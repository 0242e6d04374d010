DROP VIEW access_key_holders;
DROP TABLE access_keys, refresh_tokens, refresh_families;
DROP TRIGGER revoked_tokens_announce ON revoked_tokens;
ALTER TABLE revoked_tokens DROP COLUMN superseded;
CREATE TRIGGER revoked_tokens_announce AFTER INSERT ON revoked_tokens
    FOR EACH ROW EXECUTE FUNCTION announce('jti');
DROP INDEX accounts_by_name;
ALTER TABLE accounts DROP COLUMN push_rights, DROP COLUMN pull_rights;
