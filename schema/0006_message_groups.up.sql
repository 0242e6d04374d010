-- Whether everybody but the anchor is silent in the room's message groups.
ALTER TABLE rooms ADD COLUMN muted boolean NOT NULL DEFAULT false;
-- What the video-on-demand service calls the recording of an ended room, once
-- it has been found there.
ALTER TABLE rooms ADD COLUMN vod_id text NOT NULL DEFAULT '' CHECK (char_length(vod_id) <= 64);

-- Message groups that no room has any more and that their provider did not
-- remove: it did not answer, or the room could not be stored. They are tried
-- again until they are gone.
CREATE TABLE stray_groups (
    server     text        NOT NULL,
    group_id   text        NOT NULL,
    created_at timestamptz NOT NULL,
    tried_at   timestamptz NOT NULL,
    PRIMARY KEY (server, group_id)
);
CREATE INDEX stray_groups_tried_at ON stray_groups (tried_at);
