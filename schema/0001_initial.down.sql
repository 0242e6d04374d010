DROP VIEW live_token_access;
DROP TABLE recordings, sessions, nodes, rooms, live_tokens, signing_keys, auth_rules, revoked_tokens, token_keys, accounts, settings;
DROP FUNCTION announce();
