package dbtest

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// writableSessions lets tests write sessions as they read them: into the view of
// all of them, open where they have no end. The program itself never does so.
const writableSessions = `
CREATE FUNCTION insert_session() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.id := nextval('session_ids');
    NEW.identity := session_identity(NEW.node, NEW.server_id, NEW.client_id, NEW.scene, NEW.vhost, NEW.app, NEW.stream);
    NEW.serial := coalesce(NEW.serial, 0);
    NEW.bytes_in := coalesce(NEW.bytes_in, 0);
    NEW.bytes_out := coalesce(NEW.bytes_out, 0);
    NEW.address := coalesce(NEW.address, '');
    NEW.protocol := coalesce(NEW.protocol, '');
    NEW.credential_kind := coalesce(NEW.credential_kind, '');
    NEW.credential_id := coalesce(NEW.credential_id, '');
    NEW.subject := coalesce(NEW.subject, '');
    NEW.refused := coalesce(NEW.refused, '');
    NEW.end_reason := coalesce(NEW.end_reason, '');
    INSERT INTO open_sessions SELECT NEW.id, NEW.serial, NEW.started_at, NEW.bytes_in, NEW.bytes_out, NEW.identity, NEW.node, NEW.server_id, NEW.client_id,
        NEW.scene, NEW.vhost, NEW.app, NEW.stream, NEW.address, NEW.protocol, NEW.credential_kind, NEW.credential_id, NEW.subject, NEW.refused,
        NEW.seen_at, NEW.replaced_at;
    IF NEW.ended_at IS NOT NULL THEN
        DELETE FROM open_sessions WHERE id = NEW.id;
        INSERT INTO ended_sessions SELECT NEW.*;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER sessions_insert INSTEAD OF INSERT ON sessions FOR EACH ROW EXECUTE FUNCTION insert_session();
`

func makeSessionsWritable(ctx context.Context, url string) error {
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, writableSessions)
	return err
}
