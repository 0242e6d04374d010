package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stagedoor-live/stagedoor/internal/dbtest"
	"github.com/stagedoor-live/stagedoor/internal/pg"
)

// Whatever the load asks of a world must be in it.
func TestWorldHasEverythingThatIsAskedOfIt(t *testing.T) {
	t.Parallel()
	conn, err := pgx.Connect(t.Context(), dbtest.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(t.Context()) })
	w := &world{n: 50, dir: t.TempDir(), stage: stage{db: conn, server: &server{addr: "127.0.0.1:8080"}}}
	if _, err := conn.Exec(t.Context(), `INSERT INTO accounts (username, password_hash, tokens_not_before, created_at, updated_at)
		VALUES ($1, '', now(), now(), now())`, adminName); err != nil {
		t.Fatal(err)
	}
	a, err := w.knowledge(t.Context())
	if err == nil {
		err = a.EnsureDefaults(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := (pg.Daily{Table: "ended_sessions", Keep: time.Hour}).Maintain(t.Context(), conn, time.Now()); err != nil {
		t.Fatal(err)
	}
	for _, fill := range []func() error{func() error { return w.fillRules(t.Context()) }, func() error { return w.fillTokens(t.Context()) },
		func() error { return w.fillRooms(t.Context()) }, func() error { return w.fillSessions(t.Context()) }} {
		if err := fill(); err != nil {
			t.Fatal(err)
		}
	}
	if a, err = w.knowledge(t.Context()); err != nil {
		t.Fatal(err)
	}
	hosts := map[string]bool{}
	for _, e := range w.events(a, 300) {
		hosts[e.Host] = true
		if d := a.Decide(t.Context(), time.Now(), e); !d.Allow {
			t.Fatalf("%s for %+v", d.Reason, e)
		}
	}
	if len(hosts) < w.rules() {
		t.Errorf("asked for %v only", hosts)
	}
	w.prepareEdge(1, a)
	if r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(w.edge.shots().next()))); err != nil || r.URL.Path != "/callback/nginx" {
		t.Errorf("%v, %v", r, err)
	}
	w.checkRooms(t)
}

func (w *world) checkRooms(t *testing.T) {
	t.Helper()
	rows, err := w.db.Query(t.Context(), "SELECT id FROM rooms ORDER BY created_at DESC, id DESC")
	if err != nil {
		t.Fatal(err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil || len(ids) != w.n {
		t.Fatalf("%d rooms, %v", len(ids), err)
	}
	for i, id := range ids {
		if id != roomID(i+1) {
			t.Fatalf("room %d is %s, want %s", i+1, id, roomID(i+1))
		}
	}
	if n, err := w.count(t.Context(), "SELECT count(*) FROM rooms WHERE status = 2"); err != nil || n != int64(w.n-w.n/endedOf) {
		t.Errorf("%d have ended, %v", n, err)
	}
	if n, err := w.count(t.Context(), "SELECT count(*) FROM sessions WHERE ended_at IS NULL"); err != nil || n != int64(w.n/10) {
		t.Errorf("%d sessions are open, %v", n, err)
	}
	unready, err := w.count(t.Context(), "SELECT count(*) FROM pg_index WHERE NOT (indisready AND indisvalid)")
	if err != nil || unready > 0 {
		t.Errorf("%d indexes are not used, %v", unready, err)
	}
}

func TestPagesAreWalkedInOrderAndChecked(t *testing.T) {
	t.Parallel()
	p := newPages(&world{stage: stage{server: &server{addr: "127.0.0.1:8080"}, token: "abc"}}, 3, 1)
	for want := 3; want < 5; want++ {
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(p.next())))
		if err != nil {
			t.Fatal(err)
		}
		var in struct {
			PageNum  int `json:"page_num"`
			PageSize int `json:"page_size"`
		}
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil || in.PageNum != want || in.PageSize != listPage {
			t.Errorf("%+v, %v, want page %d", in, err, want)
		}
	}
	list := func(from, n int) []byte {
		var text strings.Builder
		for i := range n {
			fmt.Fprintf(&text, `{"id":%q,"pull_url_info":{}}`, roomID(from+i))
		}
		return []byte(text.String())
	}
	for _, c := range []struct {
		status, from, n int
		ok              bool
	}{{200, 61, 20, true}, {200, 61, 19, false}, {200, 60, 20, false}, {200, 62, 20, false}, {500, 61, 20, false}} {
		if err := p.check(c.status, list(c.from, c.n)); (err == nil) != c.ok {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func TestSizeOfTheHeapIsRead(t *testing.T) {
	t.Parallel()
	if n, err := parseHeap("heap profile: 1: 2\n\n# runtime.MemStats\n# Alloc = 7\n# HeapAlloc = 1234\n# HeapSys = 9\n"); n != 1234 || err != nil {
		t.Errorf("%v, %v", n, err)
	}
	if n, err := parseHeap("heap profile: 1: 2\n"); err == nil {
		t.Errorf("%v out of nothing", n)
	}
}
