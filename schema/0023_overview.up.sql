-- Which keys may go is asked of all rules at once.
CREATE INDEX signing_keys_retiring ON signing_keys (changed_at, id) WHERE state = 'retiring';
