DROP VIEW access_key_holders;
DROP TABLE access_keys, refresh_tokens, refresh_families;
ALTER TABLE accounts DROP COLUMN push_rights, DROP COLUMN pull_rights;
