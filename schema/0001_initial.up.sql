-- Stagedoor's whole state. Times are timestamptz; secrets are sealed with the
-- master key (AES-256-GCM) or stored as SHA-256 where only equality matters.

-- Every table whose rows live in memory announces its changes: the payload is
-- "table:key", and each process reads the row again. See internal/pg/feed.go.
CREATE FUNCTION announce() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    row jsonb := to_jsonb(CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END);
BEGIN
    PERFORM pg_notify('stagedoor', TG_TABLE_NAME || ':' || (row ->> TG_ARGV[0]));
    RETURN NULL;
END $$;

-- Secrets that the first start generates, so that all processes share them.
CREATE TABLE settings (
    name         text PRIMARY KEY,
    value_sealed bytea       NOT NULL,
    created_at   timestamptz NOT NULL
);

CREATE TABLE accounts (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    username         text        NOT NULL CHECK (char_length(username) BETWEEN 1 AND 64),
    email            text        NOT NULL DEFAULT '' CHECK (char_length(email) <= 254),
    full_name        text        NOT NULL DEFAULT '' CHECK (char_length(full_name) <= 256),
    password_hash    text        NOT NULL,
    admin            boolean     NOT NULL DEFAULT false,
    permission_level integer     NOT NULL DEFAULT 0,
    disabled_at      timestamptz,
    -- Access tokens issued before this instant are void: password change,
    -- disabling and "log out everywhere" move it.
    tokens_not_before timestamptz NOT NULL,
    created_at       timestamptz NOT NULL,
    updated_at       timestamptz NOT NULL
);
CREATE UNIQUE INDEX accounts_username_key ON accounts (lower(username));
CREATE UNIQUE INDEX accounts_email_key ON accounts (lower(email)) WHERE email <> '';
CREATE TRIGGER accounts_announce AFTER INSERT OR UPDATE OR DELETE ON accounts
    FOR EACH ROW EXECUTE FUNCTION announce('username');

-- The key set that signs access tokens. The newest one not retired signs; all
-- listed ones verify.
CREATE TABLE token_keys (
    kid            text PRIMARY KEY,
    private_sealed bytea       NOT NULL,
    created_at     timestamptz NOT NULL,
    retired_at     timestamptz
);
CREATE TRIGGER token_keys_announce AFTER INSERT OR UPDATE OR DELETE ON token_keys
    FOR EACH ROW EXECUTE FUNCTION announce('kid');

CREATE TABLE revoked_tokens (
    jti        text PRIMARY KEY,
    username   text        NOT NULL,
    revoked_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX revoked_tokens_expires_at ON revoked_tokens (expires_at);
CREATE TRIGGER revoked_tokens_announce AFTER INSERT ON revoked_tokens
    FOR EACH ROW EXECUTE FUNCTION announce('jti');

-- How URLs of one domain or vhost, app and scene are signed and verified.
-- Empty domain, vhost or app means any.
CREATE TABLE auth_rules (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    domain        text        NOT NULL DEFAULT '',
    vhost         text        NOT NULL DEFAULT '',
    app           text        NOT NULL DEFAULT '',
    scene         text        NOT NULL CHECK (scene IN ('publish', 'play')),
    scheme        text        NOT NULL,
    enabled       boolean     NOT NULL DEFAULT true,
    valid_seconds integer     NOT NULL DEFAULT 0 CHECK (valid_seconds BETWEEN 0 AND 315360000),
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz NOT NULL,
    CHECK (domain = '' OR vhost = ''),
    UNIQUE (domain, vhost, app, scene)
);
CREATE TRIGGER auth_rules_announce AFTER INSERT OR UPDATE OR DELETE ON auth_rules
    FOR EACH ROW EXECUTE FUNCTION announce('id');

--        create            activate           retire            revoke
--   (new) ------> next ------------> active ----------> retiring -------> revoked
-- Sign with active; verify with all but revoked.
CREATE TABLE signing_keys (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    rule_id       bigint      NOT NULL REFERENCES auth_rules (id) ON DELETE CASCADE,
    kid           text        NOT NULL,
    secret_sealed bytea       NOT NULL,
    state         text        NOT NULL CHECK (state IN ('next', 'active', 'retiring', 'revoked')),
    created_at    timestamptz NOT NULL,
    changed_at    timestamptz NOT NULL,
    last_used_at  timestamptz,
    UNIQUE (rule_id, kid)
);
CREATE UNIQUE INDEX signing_keys_one_active ON signing_keys (rule_id) WHERE state = 'active';
-- Not on last_used_at: noting a use changes no decision.
CREATE TRIGGER signing_keys_announce AFTER INSERT OR UPDATE OF state, secret_sealed OR DELETE ON signing_keys
    FOR EACH ROW EXECUTE FUNCTION announce('rule_id');

-- live_auth's pair of secrets for one stream. A destroyed pair stays for a
-- while, so that its refusal can say "revoked" and not "unknown".
CREATE TABLE live_tokens (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    account_id   bigint      NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
    app          text        NOT NULL,
    stream       text        NOT NULL,
    level        integer     NOT NULL DEFAULT 0,
    token_hash   bytea       NOT NULL UNIQUE,
    play_hash    bytea       NOT NULL UNIQUE,
    token_sealed bytea       NOT NULL,
    play_sealed  bytea       NOT NULL,
    created_at   timestamptz NOT NULL,
    revoked_at   timestamptz
);
CREATE UNIQUE INDEX live_tokens_one_per_stream ON live_tokens (app, stream) WHERE revoked_at IS NULL;
CREATE INDEX live_tokens_account ON live_tokens (account_id, id) WHERE revoked_at IS NULL;
CREATE TRIGGER live_tokens_announce AFTER INSERT OR UPDATE OR DELETE ON live_tokens
    FOR EACH ROW EXECUTE FUNCTION announce('id');

-- What memory keeps of a live token.
CREATE VIEW live_token_access AS
    SELECT t.id, t.app, t.stream, t.token_hash, t.play_hash, t.revoked_at, a.username,
        a.disabled_at
    FROM live_tokens t JOIN accounts a ON a.id = t.account_id;

CREATE TABLE rooms (
    id           text PRIMARY KEY,
    app          text        NOT NULL,
    title        text        NOT NULL CHECK (char_length(title) BETWEEN 1 AND 63),
    notice       text        NOT NULL DEFAULT '' CHECK (char_length(notice) <= 256),
    cover_url    text        NOT NULL DEFAULT '' CHECK (char_length(cover_url) <= 256),
    anchor_id    text        NOT NULL,
    anchor_nick  text        NOT NULL DEFAULT '' CHECK (char_length(anchor_nick) <= 256),
    extends      text        NOT NULL DEFAULT '' CHECK (char_length(extends) < 512),
    status       smallint    NOT NULL DEFAULT 0 CHECK (status IN (0, 1, 2)),
    mode         smallint    NOT NULL DEFAULT 0 CHECK (mode IN (0, 1)),
    chat_id      text        NOT NULL UNIQUE,
    meeting_id   text UNIQUE,
    meeting_info jsonb,
    im_servers   text[]      NOT NULL,
    like_count   bigint      NOT NULL DEFAULT 0,
    created_at   timestamptz NOT NULL,
    updated_at   timestamptz NOT NULL,
    started_at   timestamptz,
    stopped_at   timestamptz,
    deleted_at   timestamptz
);
CREATE INDEX rooms_newest ON rooms (created_at DESC, id DESC) WHERE deleted_at IS NULL;
CREATE INDEX rooms_anchor ON rooms (anchor_id);
-- Memory holds only the rooms that must not be published to any more, so that
-- creating and starting rooms costs no notification.
CREATE TRIGGER rooms_announce AFTER UPDATE OF status, deleted_at ON rooms
    FOR EACH ROW WHEN (NEW.status = 2 OR NEW.deleted_at IS NOT NULL)
    EXECUTE FUNCTION announce('id');

-- One media server each.
CREATE TABLE nodes (
    name             text PRIMARY KEY CHECK (name ~ '^[a-z0-9][a-z0-9_-]{0,62}$'),
    kind             text        NOT NULL,
    secret_hash      bytea UNIQUE,
    secret_sealed    bytea,
    sources          text[]      NOT NULL DEFAULT '{}',
    control_url      text        NOT NULL DEFAULT '',
    control_username text        NOT NULL DEFAULT '',
    control_password_sealed bytea,
    play_url         text        NOT NULL DEFAULT '',
    record_url       text        NOT NULL DEFAULT '',
    created_at       timestamptz NOT NULL,
    updated_at       timestamptz NOT NULL
);
CREATE TRIGGER nodes_announce AFTER INSERT OR UPDATE OR DELETE ON nodes
    FOR EACH ROW EXECUTE FUNCTION announce('name');

-- One publisher or player connection on a node. started_at is null on the
-- tombstone of a session whose end arrived before its start.
CREATE TABLE sessions (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    node            text        NOT NULL,
    server_id       text        NOT NULL,
    client_id       text        NOT NULL,
    serial          bigint      NOT NULL DEFAULT 0,
    scene           text        NOT NULL CHECK (scene IN ('publish', 'play')),
    vhost           text        NOT NULL,
    app             text        NOT NULL,
    stream          text        NOT NULL,
    address         text        NOT NULL DEFAULT '',
    protocol        text        NOT NULL DEFAULT '',
    credential_kind text        NOT NULL DEFAULT '',
    credential_id   text        NOT NULL DEFAULT '',
    subject         text        NOT NULL DEFAULT '',
    started_at      timestamptz,
    ended_at        timestamptz,
    end_reason      text        NOT NULL DEFAULT '',
    bytes_in        bigint      NOT NULL DEFAULT 0,
    bytes_out       bigint      NOT NULL DEFAULT 0
);
CREATE UNIQUE INDEX sessions_open_client ON sessions (node, server_id, client_id, scene, vhost, app, stream) WHERE ended_at IS NULL;
CREATE UNIQUE INDEX sessions_open_publisher ON sessions (stream, app, vhost) WHERE scene = 'publish' AND ended_at IS NULL;
CREATE INDEX sessions_ended_client ON sessions (node, client_id, ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX sessions_play_stream ON sessions (app, stream) WHERE scene = 'play';
CREATE INDEX sessions_open_credential ON sessions (credential_kind, credential_id) WHERE ended_at IS NULL;

-- A file that a node reported for a stream.
CREATE TABLE recordings (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    session_id bigint      NOT NULL,
    node       text        NOT NULL,
    vhost      text        NOT NULL,
    app        text        NOT NULL,
    stream     text        NOT NULL,
    file       text        NOT NULL,
    duration   double precision NOT NULL DEFAULT 0,
    started_at timestamptz NOT NULL,
    created_at timestamptz NOT NULL,
    UNIQUE (session_id, file)
);
CREATE INDEX recordings_stream ON recordings (app, stream, id);
