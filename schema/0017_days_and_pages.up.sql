-- Refusals in partitions of one UTC day each, which the program makes ahead and
-- drops when they are old: see internal/pg/daily.go.
CREATE TABLE refusals_before AS SELECT * FROM refusals;
DROP TABLE refusals;
CREATE TABLE refusals (
    id         bigint GENERATED ALWAYS AS IDENTITY,
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
    repeats    bigint      NOT NULL DEFAULT 0,
    PRIMARY KEY (id, at)
) PARTITION BY RANGE (at);
CREATE INDEX refusals_at ON refusals (at, id);
CREATE INDEX refusals_stream ON refusals (stream, at, id);
CREATE INDEX refusals_request ON refusals (request_id) WHERE request_id <> '';
CREATE INDEX refusals_client ON refusals (client_id, at, id) WHERE client_id <> '';
CREATE INDEX refusals_address ON refusals (address, at, id) WHERE address <> '';
DO $$ DECLARE day date; BEGIN
    CREATE TABLE refusals_default PARTITION OF refusals DEFAULT;
    FOR day IN SELECT DISTINCT (at AT TIME ZONE 'UTC')::date FROM refusals_before LOOP
        EXECUTE format('CREATE TABLE %I PARTITION OF refusals FOR VALUES FROM (%L) TO (%L)', 'refusals_p' || to_char(day, 'YYYYMMDD'),
            day::text || ' 00:00:00+00', (day + 1)::text || ' 00:00:00+00');
    END LOOP;
END $$;
INSERT INTO refusals OVERRIDING SYSTEM VALUE SELECT * FROM refusals_before;
SELECT setval(pg_get_serial_sequence('refusals', 'id'), max(id)) FROM refusals_before;
DROP TABLE refusals_before;

-- Rooms of one status, the newest first, however many others there are.
CREATE INDEX rooms_status_newest ON rooms (status, created_at DESC, id DESC) WHERE deleted_at IS NULL;
