-- What the vendor's CDN told last of a room's streams, so that a late or a
-- repeated report changes nothing. Reported_at is in whole unix seconds, by the
-- CDN's clock; published and ended say which of the two reports of that second
-- are known.
CREATE TABLE push_reports (
    room_id     text    NOT NULL REFERENCES rooms (id) ON DELETE CASCADE,
    stream      text    NOT NULL,
    reported_at bigint  NOT NULL,
    published   boolean NOT NULL,
    ended       boolean NOT NULL,
    live        boolean NOT NULL,
    PRIMARY KEY (room_id, stream)
);

-- Jump tokens that were turned into a login. They work once, so each stays
-- until it would have expired anyway.
CREATE TABLE used_jump_tokens (
    token_hash bytea PRIMARY KEY,
    used_at    timestamptz NOT NULL,
    expires_at timestamptz NOT NULL
);
CREATE INDEX used_jump_tokens_expires_at ON used_jump_tokens (expires_at);
