-- Whether everybody but the anchor is silent in the room's message groups.
ALTER TABLE rooms ADD COLUMN muted boolean NOT NULL DEFAULT false;
-- What the video-on-demand service calls the recording of an ended room, once
-- it has been found there.
ALTER TABLE rooms ADD COLUMN vod_id text NOT NULL DEFAULT '' CHECK (char_length(vod_id) <= 64);

-- Message groups in the services of others that no room may have: their room is
-- being stored or deleted, or that failed, or their provider did not remove
-- them. Those that no room has are removed, however often it takes.
CREATE TABLE stray_groups (
    server     text        NOT NULL,
    group_id   text        NOT NULL,
    created_at timestamptz NOT NULL,
    tried_at   timestamptz NOT NULL,
    PRIMARY KEY (server, group_id)
);
CREATE INDEX stray_groups_tried_at ON stray_groups (tried_at);
