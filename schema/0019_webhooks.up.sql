-- Where events are sent to. The jobs that send them are River's, in a schema of
-- their own: see internal/pg/queue.go.
CREATE TABLE webhook_endpoints (
    id                text        PRIMARY KEY,
    url               text        NOT NULL,
    description       text        NOT NULL DEFAULT '',
    types             text[]      NOT NULL DEFAULT '{}', -- exact, or prefix.*; none: all that are always written
    secret_sealed     bytea       NOT NULL,
    old_secret_sealed bytea,                             -- also signs until then
    old_secret_until  timestamptz,
    disabled_at       timestamptz,
    disabled_reason   text        NOT NULL DEFAULT '' CHECK (disabled_reason IN ('', 'operator', 'gone', 'failing')),
    held_until        timestamptz,                       -- it asked for a pause
    failing_since     timestamptz,                       -- nothing has arrived since
    created_at        timestamptz NOT NULL,
    updated_at        timestamptz NOT NULL,
    CHECK ((disabled_at IS NULL) = (disabled_reason = '')),
    CHECK ((old_secret_sealed IS NULL) = (old_secret_until IS NULL))
);
CREATE TRIGGER webhook_endpoints_announce AFTER INSERT OR DELETE OR UPDATE OF disabled_at, held_until ON webhook_endpoints
    FOR EACH ROW EXECUTE FUNCTION announce('id');
CREATE CONSTRAINT TRIGGER webhook_endpoints_announce_noted AFTER INSERT OR DELETE OR UPDATE OF disabled_at, held_until ON webhook_endpoints
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION announce_noted();

-- One row for each event and endpoint that it goes to, in partitions of one UTC
-- day: see internal/pg/daily.go. It is the truth; the job only says when to look.
CREATE TABLE webhook_deliveries (
    id          bigint      GENERATED ALWAYS AS IDENTITY,
    at          timestamptz NOT NULL, -- when it was made
    endpoint_id text        NOT NULL,
    event_id    text        NOT NULL,
    type        text        NOT NULL,
    subject     text        NOT NULL,
    sequence    bigint      NOT NULL,
    body        text        NOT NULL, -- what is sent, byte by byte
    state       text        NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'delivered', 'failed')),
    tries       integer     NOT NULL DEFAULT 0, -- since it was last asked for
    attempts    jsonb       NOT NULL DEFAULT '[]', -- the last ones, the newest last
    next_at     timestamptz,          -- not before; none: at once
    finished_at timestamptz,
    PRIMARY KEY (id, at),
    CHECK ((state = 'pending') = (finished_at IS NULL))
) PARTITION BY RANGE (at);
CREATE TABLE webhook_deliveries_default PARTITION OF webhook_deliveries DEFAULT;
CREATE INDEX webhook_deliveries_endpoint ON webhook_deliveries (endpoint_id, id DESC);
CREATE INDEX webhook_deliveries_event ON webhook_deliveries (event_id, endpoint_id);

-- The outbox takes what some endpoint wants, and says at once that there is more.
CREATE FUNCTION outbox_wanted() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM event_wants w WHERE w.type = NEW.type) THEN
        RETURN NEW;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER event_outbox_wanted BEFORE INSERT ON event_outbox FOR EACH ROW EXECUTE FUNCTION outbox_wanted();

CREATE FUNCTION outbox_news() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM added) THEN
        PERFORM pg_notify('stagedoor', 'new:event_outbox');
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER event_outbox_news AFTER INSERT ON event_outbox REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION outbox_news();
