package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	api "github.com/stagedoor-live/stagedoor/gen/client"
	"github.com/stagedoor-live/stagedoor/internal/dbtest"
)

// listener is somebody else's server, which believes what the public library
// has verified.
type listener struct {
	*httptest.Server
	verify *standardwebhooks.Webhook

	mu     sync.Mutex
	bodies map[string]string // by webhook-id
	rooms  map[string]int    // how often one was said to be created
	wrong  []string
	// onReceipt is called when a message has come, and decides when it is answered.
	onReceipt func(answer func())
}

// listen adds a webhook for rooms.
func (a account) listen(t *testing.T) *listener {
	t.Helper()
	l := &listener{bodies: map[string]string{}, rooms: map[string]int{}}
	l.Server = httptest.NewServer(l)
	t.Cleanup(l.Close)
	made := good[*api.CreateWebhookResponse](t)(a.CreateWebhookWithResponse(t.Context(), api.NewWebhook{URL: l.URL, Types: []string{"room.created"}})).JSON201
	l.mu.Lock()
	defer l.mu.Unlock()
	var err error
	if l.verify, err = standardwebhooks.NewWebhook(made.Secret); err != nil {
		t.Fatal(err)
	}
	return l
}

func (l *listener) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the sender was killed
	}
	l.mu.Lock()
	l.note(r.Header, body)
	hook := l.onReceipt
	l.mu.Unlock()
	answer := func() {
		w.WriteHeader(http.StatusNoContent)
		_ = http.NewResponseController(w).Flush() // the sender may be gone
	}
	if hook == nil {
		answer()
		return
	}
	hook(answer)
}

func (l *listener) note(h http.Header, body []byte) {
	var m api.WebhookMessage
	id := h.Get("Webhook-Id")
	if err := json.Unmarshal(body, &m); err != nil || m.ID != id {
		l.wrong = append(l.wrong, string(body))
	}
	if err := l.verify.Verify(body, h); err != nil {
		l.wrong = append(l.wrong, err.Error())
	}
	if before, there := l.bodies[id]; there && before != string(body) {
		l.wrong = append(l.wrong, "not as before: "+string(body))
	}
	l.bodies[id] = string(body)
	l.rooms[m.Subject]++
}

// on has the next receipt do something, once.
func (l *listener) on(do func(answer func())) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.onReceipt = func(answer func()) {
		l.mu.Lock()
		l.onReceipt = nil
		l.mu.Unlock()
		do(answer)
	}
}

func (l *listener) heard(room string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.rooms[room]
}

// hurry has what a dead process left behind be looked at now.
func hurry(t *testing.T, db *pgx.Conn) {
	t.Helper()
	for _, sql := range []string{
		"UPDATE river.river_job SET attempted_at = attempted_at - interval '1 hour' WHERE state = 'running' AND attempted_at > now() - interval '30 minutes'",
		"UPDATE river.river_job SET scheduled_at = now() WHERE state IN ('retryable', 'scheduled') AND scheduled_at > now()",
		"UPDATE webhook_deliveries SET next_at = NULL WHERE next_at > now()"} {
		if _, err := db.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
}

// Killed at each step of the way from a room to somebody else's server, nothing is
// lost, and what comes twice is the same.
func TestNoWebhookIsLostByAKill(t *testing.T) {
	t.Parallel()
	s := newServer(t, map[string]string{"DATABASE_URL": dbtest.URL(t), "WEBHOOK_ALLOW_PRIVATE": "127.0.0.0/8"})
	admin := s.logIn(t)
	l, db := admin.listen(t), s.database(t)
	killed := make(chan struct{}, 1)
	kill := func() {
		s.kill(t)
		killed <- struct{}{}
	}
	for _, step := range []struct {
		name  string
		crash func(create func() string) (room string)
	}{
		{"when the room is committed", func(create func() string) string {
			room := create()
			s.kill(t)
			return room
		}},
		{"when the event is handed on", func(create func() string) string {
			l.on(func(answer func()) { answer() })
			room := create()
			eventually(t, "there is a delivery", func() bool {
				var n int
				return db.QueryRow(t.Context(), "SELECT count(*) FROM webhook_deliveries WHERE subject = $1", room).Scan(&n) == nil && n > 0
			})
			s.kill(t)
			return room
		}},
		{"while the other side thinks", func(create func() string) string {
			l.on(func(func()) { kill() })
			room := create()
			<-killed
			return room
		}},
		{"when the other side has answered", func(create func() string) string {
			l.on(func(answer func()) { answer(); kill() })
			room := create()
			<-killed
			return room
		}},
	} {
		room := step.crash(func() string { return admin.createRoom(t, step.name).ID })
		if _, err := db.Exec(t.Context(), "DELETE FROM river.river_leader"); err != nil { // which nobody waits for
			t.Fatal(err)
		}
		s.start(t)
		eventually(t, "the event arrives, killed "+step.name, func() bool {
			hurry(t, db)
			var open int
			err := db.QueryRow(t.Context(), "SELECT count(*) FROM webhook_deliveries WHERE state = 'pending'").Scan(&open)
			return err == nil && open == 0 && l.heard(room) > 0
		})
		say(t, "killed %s: heard %d times", step.name, l.heard(room))
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.wrong) > 0 || len(l.bodies) != 4 {
		t.Errorf("%d events, wrong: %q", len(l.bodies), l.wrong)
	}
}
