-- Who was refused and why, for a while, so that it can be told. Never a query:
-- that is where credentials are. Repeats are refusals of the same stream that
-- came too fast to be kept one by one.
CREATE TABLE refusals (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at         timestamptz NOT NULL,
    request_id text        NOT NULL DEFAULT '',
    node       text        NOT NULL DEFAULT '',
    action     text        NOT NULL,
    scene      text        NOT NULL DEFAULT '',
    vhost      text        NOT NULL DEFAULT '',
    app        text        NOT NULL DEFAULT '',
    stream     text        NOT NULL DEFAULT '',
    client_id  text        NOT NULL DEFAULT '',
    address    text        NOT NULL DEFAULT '',
    protocol   text        NOT NULL DEFAULT '',
    reason     text        NOT NULL,
    rule_id    bigint      NOT NULL DEFAULT 0,
    key_id     text        NOT NULL DEFAULT '',
    subject    text        NOT NULL DEFAULT '',
    repeats    bigint      NOT NULL DEFAULT 0
);
CREATE INDEX refusals_at ON refusals (at, id);
CREATE INDEX refusals_stream ON refusals (stream, at, id);
CREATE INDEX refusals_request ON refusals (request_id) WHERE request_id <> '';
CREATE INDEX refusals_client ON refusals (client_id, at, id) WHERE client_id <> '';
CREATE INDEX refusals_address ON refusals (address, at, id) WHERE address <> '';
