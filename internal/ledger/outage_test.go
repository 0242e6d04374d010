package ledger

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/room"
)

func TestConnectionsTerminatedUnderLoadLoseNothing(t *testing.T) {
	t.Parallel()
	b := setup(t, withTimeout(time.Minute))
	url := b.pool.Config().ConnString()
	admin, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close(context.Background())
	l := b.load(t, 24)
	for range 8 {
		l.progress(t)
		if _, err := admin.Exec(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
			WHERE datname = current_database() AND pid <> pg_backend_pid()`); err != nil {
			t.Fatal(err)
		}
	}
	l.progress(t)
	l.settle(t)
	if _, refused := l.told(); refused > 0 {
		t.Errorf("%d were refused though the database was there all the time", refused)
	}
}

func TestADatabaseThatRefusesIsWaitedForAndThenReportedAndComesBack(t *testing.T) {
	t.Parallel()
	b, p := behindProxy(t, time.Second)
	l := b.load(t, 24)
	for range 3 {
		l.progress(t)
		p.refuse()
		_, before := l.told()
		eventually(t, "clients are refused", func() bool { _, now := l.told(); return now > before+24 })
		p.resume()
	}
	l.progress(t)
	l.settle(t)
}

func TestAShortOutageRefusesNobody(t *testing.T) {
	t.Parallel()
	b, p := behindProxy(t, time.Minute)
	l := b.load(t, 24)
	l.progress(t)
	p.refuse()
	eventually(t, "a commit is tried in vain", func() bool { return p.turnedAway() > 0 })
	p.resume()
	l.progress(t)
	l.settle(t)
	if _, refused := l.told(); refused > 0 {
		t.Errorf("%d were refused", refused)
	}
}

func TestADatabaseThatHangsLeavesNobodyInTheDark(t *testing.T) {
	t.Parallel()
	b, p := behindProxy(t, time.Second)
	l := b.load(t, 24)
	for range 4 {
		l.progress(t)
		p.hang()
		_, before := l.told()
		eventually(t, "clients are refused", func() bool { _, now := l.told(); return now > before+24 })
		p.resume()
	}
	l.progress(t)
	l.settle(t)
}

func TestAnEventWaitsForTheDatabaseAndIsThenRefused(t *testing.T) {
	t.Parallel()
	b, p := behindProxy(t, 2*time.Second)
	b.insist(t, onSRS(stream("s")).play())
	p.refuse()
	began := time.Now()
	v, err := b.Handle(t.Context(), onSRS(stream("s")).play())
	if took := time.Since(began); took < b.Timeout || errs.KindOf(err) != errs.Unavailable || v.Reason != media.TemporarilyUnavailable || v.Allow {
		t.Errorf("got %+v, %v after %v", v, err, took)
	}
	p.resume()
	b.insist(t, onSRS(stream("s")).play())
	if n := len(b.open(t)); n != 2 {
		t.Errorf("%d open sessions", n)
	}
}

// The encoder stops while the database is away: nobody reports that again.
func TestAnEndDuringAnOutageIsWrittenAfterIt(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(client) media.Event{"unpublish": client.unpublish, "close": client.close} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, p := behindProxy(t, 2*time.Second)
			r := b.room(t, room.ModePlain)
			c := onSRS(stream(r.ID))
			b.insist(t, c.publish())
			p.refuse()
			if _, err := b.Handle(t.Context(), end(c)); errs.KindOf(err) != errs.Unavailable {
				t.Errorf("got %v", err)
			}
			p.resume()
			eventually(t, "the end is written", func() bool { return len(b.open(t)) == 0 })
			b.wantStatus(t, r.ID, room.Prepare)
		})
	}
}

func TestAnEndThatIsWrittenLateDoesNotEndWhatBeganSince(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.room(t, room.ModePlain)
	c := onSRS(stream(r.ID))
	b.allow(t, c.publish())
	ended := b.clock.Now()
	b.allow(t, c.unpublish(), c.publish())
	for _, e := range []media.Event{c.unpublish(), c.close()} {
		b.putAside(lateOp(e, ended))
	}
	b.allow(t, onSRS(stream("s")).play())
	eventually(t, "nothing is left to do", b.aftermath.empty)
	b.wantStatus(t, r.ID, room.On)
	if n := len(b.open(t)); n != 2 {
		t.Errorf("%d open sessions", n)
	}
}

func TestOneOpThatCannotBeSettledHoldsUpNoOther(t *testing.T) {
	t.Parallel()
	spy := &spyDB{exec: func(_ string, args []any) error {
		if holds(args, "poison") {
			return errors.New("never")
		}
		return nil
	}}
	b := setup(t, spy.on())
	var players []client
	for range 20 {
		c := onSRS(stream("s"))
		players = append(players, c)
		b.allow(t, c.play())
	}
	b.putAside(lateOp(onSRS(stream("s")).called("poison").leave(), b.clock.Now()))
	for _, c := range players {
		b.putAside(lateOp(c.leave(), b.clock.Now()))
	}
	b.allow(t, onSRS(stream("t")).play())
	eventually(t, "nothing is left to do", b.aftermath.empty)
	if n := len(b.open(t)); n != 1 {
		t.Errorf("%d open sessions", n)
	}
}

func TestTheAftermathIsBounded(t *testing.T) {
	t.Parallel()
	b := setup(t, idle)
	for range maxAftermath + 100 {
		b.putAside(lateOp(onSRS(stream("s")).leave(), time.Time{}))
	}
	if n := len(b.aftermath.ops); n != maxAftermath {
		t.Errorf("%d ops", n)
	}
}

func TestShutdownWithoutADatabaseEnds(t *testing.T) {
	t.Parallel()
	b, p := behindProxy(t, 2*time.Second)
	c := onSRS(stream("s"))
	b.insist(t, c.play())
	p.refuse()
	if _, err := b.Handle(t.Context(), c.leave()); errs.KindOf(err) != errs.Unavailable {
		t.Errorf("got %v", err)
	}
	b.shutdown()
}
