package ledger

import (
	"strings"
	"sync"
	"testing"

	"github.com/stagedoor-live/stagedoor/internal/media"
)

// A stream that ends sends all its viewers away at once, each with two callbacks.
func TestACrowdLeavesInAFewStatements(t *testing.T) {
	t.Parallel()
	b, spy, g := heldAtBegin(t)
	var mu sync.Mutex
	var ends int
	spy.exec = func(sql string, _ []any) error {
		if strings.Contains(sql, "DELETE FROM open_sessions") {
			mu.Lock()
			defer mu.Unlock()
			ends++
		}
		return nil
	}
	var told []<-chan answer
	told = append(told, b.ask(t.Context(), onSRS(stream("held")).play()))
	<-g.reached
	const many = 120
	for i := range many {
		c := onSRS(stream("s"))
		for j, e := range []media.Event{c.play(), c.leave(), c.close()} {
			told = append(told, b.ask(t.Context(), e))
			b.wantQueued(t, 3*i+j+1)
		}
	}
	g.open()
	for _, a := range told {
		if got := <-a; got.err != nil || !got.Allow {
			t.Fatalf("got %+v", got)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if ends != 2 {
		t.Errorf("%d statements end sessions, want one for players and one for connections", ends)
	}
	if n := len(b.sessions(t)); n != many+1 || len(b.open(t)) != 1 {
		t.Errorf("%d sessions, %d open", n, len(b.open(t)))
	}
	b.wantRows(t, "SELECT count(*)::text FROM early_ends", "0")
	b.wantCounted(t)
}

// One start among many that is on record already spoils nothing, and neither does
// one that is there twice.
func TestAStartThatIsOnRecordGoesAlongWithNewOnes(t *testing.T) {
	t.Parallel()
	b, _, g := heldAtBegin(t)
	known, twice := onSRS(stream("s")), onSRS(stream("s"))
	told := []<-chan answer{b.ask(t.Context(), known.play())}
	<-g.reached
	for i, e := range []media.Event{known.play(), twice.play(), onSRS(stream("s")).play(), twice.play()} {
		told = append(told, b.ask(t.Context(), e))
		b.wantQueued(t, i+1)
	}
	g.open()
	for _, a := range told {
		if got := <-a; got.err != nil || !got.Allow {
			t.Fatalf("got %+v", got)
		}
	}
	if n := len(b.open(t)); n != 3 {
		t.Errorf("%d open sessions, want 3", n)
	}
	b.wantCounted(t)
}
