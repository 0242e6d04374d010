DROP INDEX signing_keys_retiring;
