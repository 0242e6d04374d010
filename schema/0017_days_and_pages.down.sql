DROP INDEX rooms_status_newest;
CREATE TABLE refusals_before AS SELECT * FROM refusals;
DROP TABLE refusals;
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
INSERT INTO refusals OVERRIDING SYSTEM VALUE SELECT * FROM refusals_before;
SELECT setval(pg_get_serial_sequence('refusals', 'id'), max(id)) FROM refusals_before;
DROP TABLE refusals_before;
CREATE INDEX refusals_at ON refusals (at, id);
CREATE INDEX refusals_stream ON refusals (stream, at, id);
CREATE INDEX refusals_request ON refusals (request_id) WHERE request_id <> '';
CREATE INDEX refusals_client ON refusals (client_id, at, id) WHERE client_id <> '';
CREATE INDEX refusals_address ON refusals (address, at, id) WHERE address <> '';
