-- Path patterns that the account may publish to and play, by ';'. Empty is none.
-- An administrator's empty right is stored as '*', which is everything.
ALTER TABLE accounts
    ADD COLUMN push_rights text NOT NULL DEFAULT '' CHECK (char_length(push_rights) <= 1024),
    ADD COLUMN pull_rights text NOT NULL DEFAULT '' CHECK (char_length(pull_rights) <= 1024);
UPDATE accounts SET push_rights = '*', pull_rights = '*',
    updated_at = greatest(now(), updated_at + interval '1 microsecond')
WHERE admin;

-- Lists are in byte order, whatever the collation of the database.
CREATE INDEX accounts_by_name ON accounts (lower(username) COLLATE "C");

-- Each login with a pair of tokens starts a family, and each refresh adds a token
-- to it. Using a token twice ends the family: it goes with all of its tokens, and
-- the access tokens issued along with them are revoked.
--
--   (login) ---> unused ---refresh---> used ---used again---> (family deleted)
--                  ^                     |
--                  +---- next token -----+
CREATE TABLE refresh_families (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id       bigint      NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    authenticated_at timestamptz NOT NULL -- when the password was given
);
CREATE INDEX refresh_families_account ON refresh_families (account_id);
CREATE TABLE refresh_tokens (
    token_hash        bytea PRIMARY KEY,
    family_id         bigint      NOT NULL REFERENCES refresh_families (id) ON DELETE CASCADE,
    -- tokens_not_before of the account at issue; void once that has moved.
    generation        timestamptz NOT NULL,
    access_jti        text        NOT NULL,
    access_expires_at timestamptz NOT NULL,
    issued_at         timestamptz NOT NULL,
    expires_at        timestamptz NOT NULL,
    used_at           timestamptz
);
CREATE INDEX refresh_tokens_family ON refresh_tokens (family_id);
CREATE INDEX refresh_tokens_access ON refresh_tokens (access_jti);
CREATE INDEX refresh_tokens_expires_at ON refresh_tokens (expires_at);

-- A refresh supersedes an access token: it opens nothing from then on, but what it
-- has opened may go on, unlike what a log-out or a theft ends.
ALTER TABLE revoked_tokens ADD COLUMN superseded boolean NOT NULL DEFAULT false;
DROP TRIGGER revoked_tokens_announce ON revoked_tokens;
CREATE TRIGGER revoked_tokens_announce AFTER INSERT OR UPDATE ON revoked_tokens
    FOR EACH ROW EXECUTE FUNCTION announce('jti');

-- With these, machines sign requests in the name of an account. The secret is
-- needed in the clear to check a signature, so it is sealed and not hashed.
CREATE TABLE access_keys (
    id            text PRIMARY KEY,
    account_id    bigint      NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    secret_sealed bytea       NOT NULL,
    comment       text        NOT NULL DEFAULT '' CHECK (char_length(comment) <= 256),
    created_at    timestamptz NOT NULL,
    revoked_at    timestamptz,
    last_used_at  timestamptz
);
CREATE INDEX access_keys_account ON access_keys (account_id, created_at, id);
CREATE INDEX access_keys_revoked_at ON access_keys (revoked_at) WHERE revoked_at IS NOT NULL;
-- Not on last_used_at: noting a use changes no decision.
CREATE TRIGGER access_keys_announce AFTER INSERT OR UPDATE OF revoked_at, secret_sealed OR DELETE ON access_keys
    FOR EACH ROW EXECUTE FUNCTION announce('id');

-- What memory keeps of an access key.
CREATE VIEW access_key_holders AS
    SELECT k.id, k.account_id, a.username, k.secret_sealed, k.comment, k.created_at, k.revoked_at, k.last_used_at
    FROM access_keys k JOIN accounts a ON a.id = k.account_id;
