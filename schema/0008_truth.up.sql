-- A client that runs on a node although it was refused is on record until it has
-- been cut off, with the reason of the refusal. It does not put its stream on
-- air and does not keep others from publishing it.
ALTER TABLE sessions ADD COLUMN refused text NOT NULL DEFAULT '';
DROP INDEX sessions_open_publisher;
CREATE UNIQUE INDEX sessions_open_publisher ON sessions (stream, app, vhost)
    WHERE scene = 'publish' AND ended_at IS NULL AND refused = '';

-- When a callback last said that the session runs, where a node's list does not
-- tell. Null if none did.
ALTER TABLE sessions ADD COLUMN seen_at timestamptz;

-- What each node answered last when it was asked for its connections: up,
-- unreachable, or unknown where it cannot be asked. Server_id is the identity of
-- the process that answered, error a text that is safe to show.
CREATE TABLE node_health (
    node       text PRIMARY KEY REFERENCES nodes (name) ON DELETE CASCADE,
    state      text        NOT NULL CHECK (state IN ('up', 'unreachable', 'unknown')),
    server_id  text        NOT NULL DEFAULT '',
    error      text        NOT NULL DEFAULT '' CHECK (char_length(error) <= 512),
    checked_at timestamptz NOT NULL,
    changed_at timestamptz NOT NULL, -- since when the state is what it is
    streams    integer     NOT NULL DEFAULT 0,
    clients    integer     NOT NULL DEFAULT 0
);
