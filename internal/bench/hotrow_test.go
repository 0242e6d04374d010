package main

import (
	"bufio"
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stagedoor-live/stagedoor/internal/dbtest"
)

func TestPlainServerWritesWhatItAnswers(t *testing.T) {
	t.Parallel()
	pool := dbtest.Pool(t)
	_, err := pool.Exec(t.Context(), `INSERT INTO rooms (id, app, title, anchor_id, chat_id, im_servers, created_at, updated_at)
		VALUES ('r1', 'live', 'hot', 'admin', 'r1', '{}', now(), now()), ('over', 'live', 'cold', 'admin', 'over', '{}', now(), now())`)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pool.Exec(t.Context(), "UPDATE rooms SET status = 2 WHERE id = 'over'"); err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(&plainRooms{pool})
	t.Cleanup(srv.Close)
	l := hotLoad(srv.Listener.Addr().String(), 1, "r1", "")
	st := &stage{room: "r1"}
	conn, err := pool.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Release()
	st.db = conn.Conn()
	if err := st.settled(t.Context(), l); err != nil {
		t.Error(err)
	}
	for _, id := range []string{"over", "nowhere"} {
		st.room = id
		if err := st.settled(t.Context(), hotLoad(srv.Listener.Addr().String(), 1, id, "")); err == nil {
			t.Errorf("%s was started", id)
		}
	}
}

func TestARoomIsStartedAndPausedInTurn(t *testing.T) {
	t.Parallel()
	h := hotLoad("127.0.0.1:8080", 1, "r1", "abc").shots()
	for _, want := range []string{startPath, pausePath, startPath} {
		r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(h.next())))
		if err != nil {
			t.Fatal(err)
		}
		if r.URL.Path != want || r.Header.Get("Authorization") != "Bearer abc" {
			t.Errorf("%s %v, want %s", r.URL, r.Header, want)
		}
	}
	for body, ok := range map[string]bool{`{"status":1,"id":"r1"}`: true, `{"status":0}`: false, `{}`: false} {
		if err := h.check(http.StatusOK, []byte(body)); (err == nil) != ok {
			t.Errorf("%s: %v", body, err)
		}
	}
	if err := h.check(http.StatusConflict, []byte(`{"status":1}`)); err == nil || !strings.Contains(err.Error(), "409") {
		t.Errorf("got %v", err)
	}
}
