package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/room"
)

// answer is what a caller of Handle was told.
type answer struct {
	media.Verdict
	err error
}

// ask handles an event in the background.
func (b *bench) ask(ctx context.Context, e media.Event) <-chan answer {
	told := make(chan answer, 1)
	go func() {
		v, err := b.Handle(ctx, e)
		told <- answer{v, err}
	}()
	return told
}

func (b *bench) wantQueued(t *testing.T, n int) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d events wait", n), func() bool { return len(b.queue) == n })
}

// gate stops whoever comes through it until it is opened.
type gate struct {
	reached, opened chan struct{}
	once, shut      sync.Once
}

func newGate() *gate { return &gate{reached: make(chan struct{}), opened: make(chan struct{})} }

func (g *gate) pass() {
	g.once.Do(func() { close(g.reached) })
	<-g.opened
}

func (g *gate) open() { g.shut.Do(func() { close(g.opened) }) }

// heldAtBegin is a ledger whose next transaction waits at a gate.
func heldAtBegin(t *testing.T, options ...option) (*bench, *spyDB, *gate) {
	g := newGate()
	spy := &spyDB{begin: func() error { g.pass(); return nil }}
	b := setup(t, append(options, spy.on())...)
	t.Cleanup(g.open) // before the ledger is stopped
	return b, spy, g
}

func TestManyEventsShareFewCommitsAndAreAllDurable(t *testing.T) {
	t.Parallel()
	b, spy, g := heldAtBegin(t)
	const many = 500
	var told []<-chan answer
	told = append(told, b.ask(t.Context(), onSRS(stream("s")).play()))
	<-g.reached
	for i := 1; i < many; i++ {
		told = append(told, b.ask(t.Context(), onSRS(stream("s")).play()))
	}
	b.wantQueued(t, many-1)
	g.open()
	for _, a := range told {
		if got := <-a; got.err != nil || !got.Allow {
			t.Fatalf("got %+v", got)
		}
	}
	if n := spy.committed.Load(); n != 2 {
		t.Errorf("%d commits for %d events, want 2", n, many)
	}
	if n := len(b.open(t)); n != many {
		t.Errorf("%d sessions, want %d", n, many)
	}
}

func TestManyEventsAtOnceTakeFarFewerCommitsThanEvents(t *testing.T) {
	t.Parallel()
	spy := &spyDB{}
	b := setup(t, spy.on())
	const many = 500
	var wg sync.WaitGroup
	for i := range many {
		wg.Go(func() {
			c := onSRS(stream("s"))
			if i%10 == 0 {
				c = c.streaming(stream(c.id))
				b.allow(t, c.publish(), c.unpublish())
				return
			}
			b.allow(t, c.play(), c.leave())
		})
	}
	wg.Wait()
	if n := spy.committed.Load(); n > many/2 {
		t.Errorf("%d commits for %d events", n, 2*many)
	}
	if n := len(b.sessions(t)); n != many || len(b.open(t)) != 0 {
		t.Errorf("%d sessions", n)
	}
}

func TestBatchesAreBounded(t *testing.T) {
	t.Parallel()
	b := setup(t, idle)
	for range 3 * maxBatch {
		b.queue <- &op{}
	}
	first := <-b.queue
	if n := len(b.gather(first)); n != maxBatch {
		t.Errorf("a batch of %d", n)
	}
}

// holds says whether the arguments of a statement mention a text, or a connection
// of that name.
func holds(args []any, text string) bool {
	var client [connectionPart - serverPart]byte
	digest(client[:], text)
	for _, a := range args {
		switch v := a.(type) {
		case []byte:
			if isOf(v, client[:]) {
				return true
			}
		case [][]byte:
			if slices.ContainsFunc(v, func(id []byte) bool { return isOf(id, client[:]) }) {
				return true
			}
		case string:
			if v == text {
				return true
			}
		case []string:
			if slices.Contains(v, text) {
				return true
			}
		}
	}
	return false
}

func isOf(id, client []byte) bool {
	return len(id) >= connectionPart && bytes.Equal(id[serverPart:connectionPart], client)
}

func TestAnEventThatCannotBeStoredFailsAlone(t *testing.T) {
	t.Parallel()
	for name, poison := range map[string]func(client) media.Event{"player": client.play, "publisher": client.publish, "end": client.leave, "close": client.close} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, spy, g := heldAtBegin(t)
			spy.exec = func(_ string, args []any) error {
				if holds(args, "poison") {
					return &pgconn.PgError{Code: "22P05", Message: "untranslatable"}
				}
				return nil
			}
			r := b.room(t, room.ModePlain)
			held := b.ask(t.Context(), onSRS(stream("held")).play())
			<-g.reached
			live := onSRS(stream(r.ID))
			mates := []<-chan answer{b.ask(t.Context(), onSRS(stream("a")).play()), b.ask(t.Context(), live.publish())}
			b.wantQueued(t, 2)
			bad := b.ask(t.Context(), poison(onSRS(stream("b")).called("poison")))
			b.wantQueued(t, 3)
			mates = append(mates, b.ask(t.Context(), onSRS(stream("c")).play()))
			b.wantQueued(t, 4)
			g.open()
			for _, a := range append(mates, held) {
				if got := <-a; got.err != nil || !got.Allow {
					t.Errorf("got %+v", got)
				}
			}
			if got := <-bad; got.err == nil || got.Allow || got.Reason != media.TemporarilyUnavailable {
				t.Errorf("poison got %+v", got)
			}
			if n := len(b.open(t)); n != 4 {
				t.Errorf("%d sessions, want 4", n)
			}
			b.wantStatus(t, r.ID, room.On)
			b.shutdown()
			if !b.aftermath.empty() {
				t.Error("poison is kept for later")
			}
		})
	}
}

func TestAFullQueueRefusesAtOnceAndKeepsEnds(t *testing.T) {
	t.Parallel()
	b := setup(t, idle)
	c := onSRS(stream("s"))
	b.run(t)
	b.allow(t, c.play())
	b.shutdown()

	full := setupOn(t, b.pool, idle)
	for range queueLength {
		full.queue <- &op{e: onSRS(stream("x")).play(), done: make(chan struct{})}
	}
	for _, e := range []media.Event{onSRS(stream("s")).play(), onSRS(stream("s")).publish(), c.leave()} {
		if v, err := full.Handle(t.Context(), e); errs.KindOf(err) != errs.Unavailable || v.Allow || v.Reason != media.TemporarilyUnavailable {
			t.Errorf("%s: got %+v, %v", e.Action, v, err)
		}
	}
	full.run(t)
	eventually(t, "the end is written", func() bool { return len(full.open(t)) == 0 })
	full.wantQueued(t, 0) // the end came with the first of many batches
	full.allow(t, onSRS(stream("s")).play())
}

func (l *Ledger) isClosing() bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.closing
}

func TestShutdownCommitsWhatIsQueuedAndRefusesWhatComesLater(t *testing.T) {
	t.Parallel()
	b, _, g := heldAtBegin(t)
	told := []<-chan answer{b.ask(t.Context(), onSRS(stream("s")).play())}
	<-g.reached
	const many = 100
	for range many {
		told = append(told, b.ask(t.Context(), onSRS(stream("s")).play()))
	}
	b.wantQueued(t, many)
	b.stop()
	eventually(t, "the door is closed", b.isClosing)
	if _, err := b.Handle(t.Context(), onSRS(stream("late")).play()); errs.KindOf(err) != errs.Unavailable || !errors.Is(err, errFull) {
		t.Errorf("got %v", err)
	}
	g.open()
	<-b.ended
	for _, a := range told {
		if got := <-a; got.err != nil || !got.Allow {
			t.Errorf("got %+v", got)
		}
	}
	if n := len(b.open(t)); n != many+1 {
		t.Errorf("%d sessions, want %d", n, many+1)
	}
}

func TestShutdownTakesBackWhatNobodyWasToldOf(t *testing.T) {
	t.Parallel()
	b, g := heldAtCommit(t)
	ctx, cancel := context.WithCancel(t.Context())
	impatient := b.ask(ctx, onSRS(stream("s")).publish())
	<-g.reached
	cancel()
	<-impatient
	b.stop()
	g.open()
	<-b.ended
	if n := len(b.sessions(t)); n != 0 {
		t.Errorf("%d sessions", n)
	}
}

func TestStatementsOfOneBatchKeepTheirOrder(t *testing.T) {
	t.Parallel()
	b, _, g := heldAtBegin(t)
	held := b.ask(t.Context(), onSRS(stream("held")).play())
	<-g.reached
	c, d := onSRS(stream("s")), onSRS(stream("s"))
	var told []<-chan answer
	for i, e := range []media.Event{c.play(), c.leave(), d.play(), c.publish(), d.leave(), c.unpublish(), d.publish(), d.play()} {
		told = append(told, b.ask(t.Context(), e))
		b.wantQueued(t, i+1)
	}
	g.open()
	for _, a := range append(told, held) {
		if got := <-a; got.err != nil || !got.Allow {
			t.Errorf("got %+v", got)
		}
	}
	var text []string
	for _, s := range b.open(t)[1:] {
		text = append(text, s.Scene+" "+s.ClientID)
	}
	if got, want := strings.Join(text, ", "), "publish "+d.id+", play "+d.id; got != want {
		t.Errorf("open: %s, want %s", got, want)
	}
}
