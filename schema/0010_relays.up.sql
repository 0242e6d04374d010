-- Streams that nodes fetch for pull routes: what is wanted, and what came of it.
-- A row is there before its node is told, and goes away after the node has been
-- told to stop, so that no pull outlives it unseen.
CREATE TABLE relays (
    node       text        NOT NULL,
    app        text        NOT NULL,
    stream     text        NOT NULL,
    pattern    text        NOT NULL, -- of the route
    version    text        NOT NULL DEFAULT '', -- of what the node was told; empty while it was told nothing
    state      text        NOT NULL CHECK (state IN ('idle', 'starting', 'running', 'failed')),
    reason     text        NOT NULL DEFAULT '',
    viewers    integer     NOT NULL DEFAULT 0,
    since      timestamptz NOT NULL, -- of the state
    used_at    timestamptz NOT NULL, -- when somebody last asked for it or watched
    created_at timestamptz NOT NULL,
    PRIMARY KEY (node, app, stream)
);
CREATE INDEX relays_pattern ON relays (pattern, app, stream, node);
