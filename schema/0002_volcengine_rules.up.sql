-- What a scheme leaves to the operator: parameter names, base of the time, the
-- fields of a custom hash. See urlsign.Options.
ALTER TABLE auth_rules ADD COLUMN options jsonb NOT NULL DEFAULT '{}';

-- A key may sign by another scheme than its rule; empty means as the rule does,
-- options and all. The keys of one rule are shown in the order of position.
ALTER TABLE signing_keys
    ADD COLUMN scheme   text    NOT NULL DEFAULT '',
    ADD COLUMN options  jsonb   NOT NULL DEFAULT '{}',
    ADD COLUMN position integer NOT NULL DEFAULT 0;
DROP TRIGGER signing_keys_announce ON signing_keys;
CREATE TRIGGER signing_keys_announce AFTER INSERT OR UPDATE OF state, secret_sealed, scheme, options, position OR DELETE ON signing_keys
    FOR EACH ROW EXECUTE FUNCTION announce('rule_id');

-- Streams that nobody may publish or play for a while. One of vhost and domain
-- says where.
CREATE TABLE bans (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    vhost      text        NOT NULL DEFAULT '',
    domain     text        NOT NULL DEFAULT '',
    app        text        NOT NULL,
    stream     text        NOT NULL,
    created_at timestamptz NOT NULL,
    until      timestamptz NOT NULL,
    CHECK ((vhost = '') <> (domain = '')),
    UNIQUE (stream, app, vhost, domain)
);
CREATE INDEX bans_newest ON bans (created_at, id);
CREATE INDEX bans_until ON bans (until);
CREATE TRIGGER bans_announce AFTER INSERT OR UPDATE OR DELETE ON bans
    FOR EACH ROW EXECUTE FUNCTION announce('id');
