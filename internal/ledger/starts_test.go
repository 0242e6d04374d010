package ledger

import (
	"reflect"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/gen/db"
)

// The short way of a start says the same as the long one.
func TestStartsAreTheSameByEitherWay(t *testing.T) {
	t.Parallel()
	b := setup(t, idle)
	start := db.SessionsAddParams{Identity: make([]byte, len(identity{})), Node: "n", ServerID: "s", ClientID: "c", Serial: 7, Scene: "play", Vhost: "v", App: "a",
		Stream: "s", Address: "192.0.2.1", Protocol: "rtmp", CredentialKind: "signature", CredentialID: "rule/key", Subject: "who",
		StartedAt: time.Date(2026, 5, 1, 12, 0, 0, 1000, time.UTC)}
	var rows [2]db.OpenSession
	for i, write := range []func() error{
		func() error { return b.addStarts(t.Context(), []db.SessionsAddParams{start}) },
		func() error {
			_, err := b.q.SessionsAdd(t.Context(), b.pool, []db.SessionsAddParams{start})
			return err
		},
	} {
		if err := write(); err != nil {
			t.Fatal(err)
		}
		open, err := b.q.SessionsOpenOn(t.Context(), b.pool, db.SessionsOpenOnParams{First: make([]byte, 1), Last: []byte{255}, Node: "n", RowLimit: 10})
		if err != nil || len(open) != 1 {
			t.Fatal(open, err)
		}
		rows[i] = open[0]
		rows[i].ID = 0
		if _, err := b.pool.Exec(t.Context(), "DELETE FROM open_sessions"); err != nil {
			t.Fatal(err)
		}
	}
	if !reflect.DeepEqual(rows[0], rows[1]) || rows[0].Subject != "who" || rows[0].CredentialID != "rule/key" {
		t.Errorf("%+v\n%+v", rows[0], rows[1])
	}
}
