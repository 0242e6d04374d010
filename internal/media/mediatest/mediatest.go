// Package mediatest is the conformance suite of media-server adapters: what is
// recorded becomes the same events for ever, verdicts become exact bytes, and
// whatever is wrong refuses. It is imported by tests only.
package mediatest

import (
	"context"
	"log/slog"
	"net/http"
	"sync"
	"testing"

	"github.com/stagedoor-live/stagedoor/internal/media"
)

// Node is the node that authenticated requests of the suite come from.
const Node = "edge-1"

// Payload is one callback as a media server sends it.
type Payload struct {
	Name   string // says which one it is, in failures and golden files
	Method string // empty: POST
	Path   string
	Header http.Header
	Body   string
}

// With returns a copy with one header changed, or removed if value is "".
func (p Payload) With(key, value string) Payload {
	p.Header = p.Header.Clone()
	p.Header.Del(key)
	if value != "" {
		p.Header.Set(key, value)
	}
	return p
}

// Recording is a series of callbacks; its events are kept in
// testdata/golden/<Name>.json.
type Recording struct {
	Name     string
	Payloads []Payload
}

// Reply is what must be on the wire, to the byte.
type Reply struct {
	Status      int
	ContentType string
	Body        string
	Close       bool // the connection must be closed behind it
}

// Exchange is one callback, what the core says to it, and the reply.
type Exchange struct {
	Name    string
	Payload Payload
	Verdict media.Verdict
	Err     error
	Want    Reply
}

// BadRequest is a callback that must be refused before the core hears of it.
type BadRequest struct {
	Name    string
	Payload Payload
	Want    Reply
}

// Suite describes an adapter to Run.
type Suite struct {
	// New returns the adapter's callbacks, routed by path.
	New        func(media.Ledger, *slog.Logger) http.Handler
	Recordings []Recording
	Exchanges  []Exchange
	Bad        []BadRequest
	// Publish returns the callback that asks for publishing, as the server sends
	// it for a client that put query behind the stream name.
	Publish func(query string) Payload
	// Query returns what the event's query is then, of a server that takes it
	// apart; nil where it stays as it was.
	Query func(sent string) string
	// Unauthenticated is the reply to a good callback of nobody knows whom.
	Unauthenticated Reply
}

// Run checks an adapter. Run the test with -update to write the golden files
// anew, and read the difference.
func Run(t *testing.T, s Suite) {
	t.Helper()
	for _, r := range s.Recordings {
		t.Run("recording "+r.Name+" becomes its golden events", func(t *testing.T) {
			t.Parallel()
			s.recording(t, r)
		})
	}
	for _, x := range s.Exchanges {
		t.Run("reply: "+x.Name, func(t *testing.T) {
			t.Parallel()
			ledger := &Ledger{Verdict: x.Verdict, Err: x.Err}
			CheckReply(t, s.authenticated(t, ledger), x.Payload, x.Want)
			ledger.one(t)
		})
	}
	for _, b := range s.Bad {
		t.Run("refused unheard: "+b.Name, func(t *testing.T) {
			t.Parallel()
			ledger := &Ledger{Verdict: media.Verdict{Allow: true}}
			CheckReply(t, s.authenticated(t, ledger), b.Payload, b.Want)
			ledger.none(t)
		})
	}
	t.Run("nobody authenticated is refused unheard", func(t *testing.T) {
		t.Parallel()
		ledger := &Ledger{Verdict: media.Verdict{Allow: true}}
		CheckReply(t, s.New(ledger, logger(t)), s.Publish("token=abc"), s.Unauthenticated)
		ledger.none(t)
	})
	for _, query := range hostile {
		t.Run("client query changes nothing but the query: "+query, func(t *testing.T) {
			t.Parallel()
			s.hostileQuery(t, query)
		})
	}
}

// authenticated returns the adapter behind what stands in for authentication.
func (s Suite) authenticated(t *testing.T, ledger media.Ledger) http.Handler {
	next := s.New(ledger, logger(t))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r.WithContext(media.WithNode(r.Context(), media.Node{Name: Node})))
	})
}

func logger(t *testing.T) *slog.Logger { return slog.New(slog.NewTextHandler(t.Output(), nil)) }

// Ledger is a core that says what it is told to and remembers what it heard.
type Ledger struct {
	Verdict media.Verdict
	Err     error

	mu    sync.Mutex
	heard []media.Event
}

// Handle implements media.Ledger.
func (l *Ledger) Handle(_ context.Context, e media.Event) (media.Verdict, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.heard = append(l.heard, e)
	return l.Verdict, l.Err
}

// Heard returns the events so far.
func (l *Ledger) Heard() []media.Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]media.Event(nil), l.heard...)
}

func (l *Ledger) one(t *testing.T) media.Event {
	t.Helper()
	heard := l.Heard()
	if len(heard) != 1 {
		t.Fatalf("the core heard %d events, want 1", len(heard))
	}
	return heard[0]
}

func (l *Ledger) none(t *testing.T) {
	t.Helper()
	if heard := l.Heard(); len(heard) != 0 {
		t.Fatalf("the core heard %+v", heard)
	}
}
