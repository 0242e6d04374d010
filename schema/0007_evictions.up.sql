-- Sessions that must end on their node. A row stays until the node no longer
-- has the connection, whoever of us dies meanwhile, and is claimed by moving
-- next_at a little ahead.
--
--   (asked) ---> wanted ---verified gone---> (no row)
--                 |  ^
--       no kick   v  |  the node can be told after all
--              impossible
CREATE TABLE evictions (
    session_id bigint PRIMARY KEY,
    node       text        NOT NULL,
    reason     text        NOT NULL,
    state      text        NOT NULL DEFAULT 'wanted' CHECK (state IN ('wanted', 'impossible')),
    asked_at   timestamptz NOT NULL,
    next_at    timestamptz NOT NULL,
    tries      integer     NOT NULL DEFAULT 0,
    -- How often in a row the node said that it has no such connection.
    missing    integer     NOT NULL DEFAULT 0,
    error      text        NOT NULL DEFAULT ''
);
CREATE INDEX evictions_due ON evictions (node, next_at);

-- What has been revoked, so that the sessions that it admitted are evicted:
-- written along with the revocation itself, and looked at more than once, as
-- somebody may have been let in just before who is on record only after.
CREATE TABLE revocations (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    what            text        NOT NULL CHECK (what IN ('credential', 'account', 'stream', 'ban')),
    credential_kind text        NOT NULL DEFAULT '',
    credential_ids  text[]      NOT NULL DEFAULT '{}',
    subject         text        NOT NULL DEFAULT '',
    app             text        NOT NULL DEFAULT '',
    stream          text        NOT NULL DEFAULT '',
    scene           text        NOT NULL DEFAULT '', -- empty for both
    -- Null where whoever comes later is refused for good; else who came before.
    started_before  timestamptz,
    reason          text        NOT NULL,
    asked_at        timestamptz NOT NULL,
    next_at         timestamptz NOT NULL,
    sweeps          integer     NOT NULL DEFAULT 0
);
CREATE INDEX revocations_due ON revocations (next_at);

-- One notification for many rows: whoever works on them looks for themselves.
CREATE FUNCTION announce_table() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('stagedoor', TG_TABLE_NAME || ':');
    RETURN NULL;
END $$;
CREATE TRIGGER evictions_announce AFTER INSERT ON evictions
    FOR EACH STATEMENT EXECUTE FUNCTION announce_table();
CREATE TRIGGER revocations_announce AFTER INSERT ON revocations
    FOR EACH STATEMENT EXECUTE FUNCTION announce_table();

-- Whose credential admitted an open session. URL signatures belong to nobody
-- and cost nothing here.
CREATE INDEX sessions_open_subject ON sessions (lower(subject)) WHERE ended_at IS NULL AND subject <> '';
