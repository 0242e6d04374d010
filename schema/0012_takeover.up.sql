-- What happens to a publisher whose stream has one already: it is refused, takes
-- the place, or takes it where it is the same person and the one on record began
-- no longer ago than this.
ALTER TABLE auth_rules
    ADD COLUMN takeover         text    NOT NULL DEFAULT 'reject' CHECK (takeover IN ('reject', 'replace', 'resume')),
    ADD COLUMN takeover_seconds integer NOT NULL DEFAULT 0 CHECK (takeover_seconds BETWEEN 0 AND 604800);

-- A publisher whose place somebody took is on record until it has been cut off,
-- as one that was refused since.
ALTER TABLE sessions ADD COLUMN replaced_at timestamptz;
CREATE INDEX sessions_replaced ON sessions (stream, replaced_at) WHERE replaced_at IS NOT NULL;
