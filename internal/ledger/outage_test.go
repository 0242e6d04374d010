package ledger

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/stagedoor-live/stagedoor/internal/dbtest"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/pg"
	"github.com/stagedoor-live/stagedoor/internal/room"
)

// proxy stands between the ledger and its database and can fail as networks and
// servers do: refuse everybody, or hang and deliver later what it was given.
type proxy struct {
	network, target string
	listener        net.Listener

	mu      sync.Mutex
	conns   map[net.Conn]bool
	refuses bool
	flows   chan struct{} // closed while data flows
}

// proxied returns a pool whose connections all go through a proxy.
func proxied(t *testing.T, url string) (*pgxpool.Pool, *proxy) {
	t.Helper()
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{conns: map[net.Conn]bool{}, flows: make(chan struct{})}
	close(p.flows)
	if p.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	p.network, p.target = pgconn.NetworkAddress(config.ConnConfig.Host, config.ConnConfig.Port)
	config.ConnConfig.DialFunc = func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "tcp", p.listener.Addr().String())
	}
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	go p.serve()
	t.Cleanup(func() {
		_ = p.listener.Close()
		p.resume()
		pool.Close()
		p.cut()
	})
	return pool, p
}

func (p *proxy) serve() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		go p.carry(client)
	}
}

func (p *proxy) carry(client net.Conn) {
	defer client.Close()
	server, err := net.Dial(p.network, p.target)
	if err != nil || !p.admit(client, server) {
		return
	}
	defer server.Close()
	go p.copy(client, server)
	p.copy(server, client)
}

// copy delivers everything, also what a sender that has hung up since had said.
func (p *proxy) copy(to, from net.Conn) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		<-p.flowing()
		if n > 0 {
			_, _ = to.Write(buf[:n])
		}
		if err != nil {
			_ = to.Close()
			return
		}
	}
}

func (p *proxy) admit(conns ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range conns {
		p.conns[c] = true
	}
	return !p.refuses
}

func (p *proxy) flowing() <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.flows
}

// refuse closes all connections and every new one.
func (p *proxy) refuse() {
	p.mu.Lock()
	p.refuses = true
	p.mu.Unlock()
	p.cut()
}

func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		_ = c.Close()
		delete(p.conns, c)
	}
}

func (p *proxy) hang() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.flows = make(chan struct{})
}

func (p *proxy) resume() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuses = false
	select {
	case <-p.flows:
	default:
		close(p.flows)
	}
}

func behindProxy(t *testing.T, timeout time.Duration) (*bench, *proxy) {
	t.Helper()
	url := dbtest.URL(t)
	direct, err := pg.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(direct.Close)
	through, p := proxied(t, url)
	return setupOn(t, direct, withTimeout(timeout), withDB(func(pg.DB) pg.DB { return through })), p
}

// load is a crowd of clients that come, play or publish, and leave, and what
// each was told.
type load struct {
	b    *bench
	stop chan struct{}
	wg   sync.WaitGroup

	mu            sync.Mutex
	present, gone map[string]bool // who must have an open session, and who must not
	refused       int
}

func (b *bench) load(t *testing.T, clients int) *load {
	l := &load{b: b, stop: make(chan struct{}), present: map[string]bool{}, gone: map[string]bool{}}
	for i := range clients {
		l.wg.Go(func() {
			for {
				select {
				case <-l.stop:
					return
				default:
				}
				c := onSRS(stream("s"))
				start, end := c.play(), c.leave()
				if i%3 == 0 {
					c = c.streaming(stream(c.id))
					start, end = c.publish(), c.unpublish()
				}
				l.visit(t, c, start, end, i%2 == 0)
			}
		})
	}
	return l
}

func (l *load) visit(t *testing.T, c client, start, end media.Event, leaves bool) {
	if !l.tell(t, start) {
		l.note(c, false)
		return
	}
	if leaves {
		// Told or not: the client is gone, and in the end that must be known.
		l.tell(t, end)
	}
	l.note(c, !leaves)
}

func (l *load) tell(t *testing.T, e media.Event) bool {
	began := time.Now()
	v, err := l.b.Handle(t.Context(), e)
	if took := time.Since(began); took > l.b.Timeout+5*time.Second {
		t.Errorf("%s took %v", e.Action, took)
	}
	if err != nil && errs.KindOf(err) != errs.Unavailable || err == nil && !v.Allow {
		t.Errorf("%s: got %+v, %v", e.Action, v, err)
	}
	if err != nil {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.refused++
	}
	return err == nil
}

func (l *load) note(c client, present bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if present {
		l.present[c.id] = true
	} else {
		l.gone[c.id] = true
	}
}

func (l *load) told() (present, refused int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.present), l.refused
}

// progress waits until the ledger admits again.
func (l *load) progress(t *testing.T) {
	t.Helper()
	before, _ := l.told()
	eventually(t, "clients are admitted", func() bool { now, _ := l.told(); return now > before+20 })
}

// settle ends the load and checks that the ledger tells the truth.
func (l *load) settle(t *testing.T) {
	t.Helper()
	close(l.stop)
	l.wg.Wait()
	eventually(t, "what was left to do is done", func() bool { return l.b.aftermath.empty() && len(l.b.queue) == 0 })
	l.b.allow(t, onSRS(stream("last")).publish())
	open := map[string]int{}
	for _, s := range l.b.open(t) {
		open[s.ClientID]++
	}
	for id := range l.present {
		if open[id] != 1 {
			t.Errorf("client %s was admitted and has %d open sessions", id, open[id])
		}
	}
	for id := range l.gone {
		if open[id] != 0 {
			t.Errorf("client %s was refused or has left and has %d open sessions", id, open[id])
		}
	}
	present, refused := l.told()
	t.Logf("%d present, %d gone, %d refusals", present, len(l.gone), refused)
}

func TestConnectionsTerminatedUnderLoadLoseNothing(t *testing.T) {
	t.Parallel()
	b := setup(t, withTimeout(10*time.Second))
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
	b, p := behindProxy(t, 20*time.Second)
	l := b.load(t, 24)
	l.progress(t)
	p.refuse()
	eventually(t, "clients wait", func() bool { return len(b.queue) > 0 })
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
	b.allow(t, onSRS(stream("s")).play())
	p.refuse()
	began := time.Now()
	v, err := b.Handle(t.Context(), onSRS(stream("s")).play())
	if took := time.Since(began); took < b.Timeout || errs.KindOf(err) != errs.Unavailable || v.Reason != media.TemporarilyUnavailable || v.Allow {
		t.Errorf("got %+v, %v after %v", v, err, took)
	}
	p.resume()
	b.allow(t, onSRS(stream("s")).play())
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
			b, p := behindProxy(t, 500*time.Millisecond)
			r := b.room(t, room.ModePlain)
			c := onSRS(stream(r.ID))
			b.allow(t, c.publish())
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
		b.putAside(&op{e: e, now: ended, late: true})
	}
	b.allow(t, onSRS(stream("s")).play())
	eventually(t, "nothing is left to do", b.aftermath.empty)
	b.wantStatus(t, r.ID, room.On)
	if n := len(b.open(t)); n != 2 {
		t.Errorf("%d open sessions", n)
	}
}

var errLost = errors.Join(io.ErrUnexpectedEOF, errors.New("connection lost"))

// losing makes n commits happen whose answers are lost.
func losing(n int) *spyDB {
	spy := &spyDB{}
	var left atomic.Int64
	left.Store(int64(n))
	spy.commit = func(ctx context.Context, tx pgx.Tx) (bool, error) {
		if left.Add(-1) < 0 {
			return false, nil
		}
		if err := tx.Commit(ctx); err != nil {
			return true, err
		}
		return true, errLost
	}
	return spy
}

func TestACommitWhoseAnswerIsLostIsWrittenAgainAndComesToTheSame(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.room(t, room.ModePlain)
	c, d := onSRS(stream(r.ID)), onNginx(stream(r.ID))
	tomb, over := onSRS(stream("tomb")), onNginx(stream("over"))
	for _, e := range []media.Event{
		c.publish(), d.play(), c.recorded("/a.flv", ""), d.leave(), c.unpublish(), c.close(), // in order
		tomb.unpublish(), tomb.publish(), over.leave(), over.play(), // and not
		onSRS(stream("x")).close(),
	} {
		lossy := setupOn(t, b.pool, losing(2).on(), func(l *bench) { l.clock = b.clock; l.Now = b.clock.Now })
		lossy.allow(t, e)
		lossy.shutdown()
	}
	b.wantOpen(t)
	b.wantStatus(t, r.ID, room.Prepare)
	if s, rec := len(b.sessions(t)), len(b.recordings(t)); s != 4 || rec != 1 {
		t.Errorf("%d sessions and %d recordings, want 4 and 1", s, rec)
	}
	if n := b.count(t, "SELECT count(*) FROM sessions WHERE started_at IS NULL"); n != 1 {
		t.Errorf("%d ends without a start, want 1", n)
	}
}

// Another process may see the client go before we know that it came.
func TestASessionThatEndedBeforeItsCommitWasWrittenAgainStaysEnded(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(client) media.Event{"publisher": client.publish, "player": client.play} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGate()
			spy := losing(1)
			spy.begin = func() error {
				if spy.begun.Load() == 2 {
					g.pass()
				}
				return nil
			}
			b := setup(t, spy.on())
			t.Cleanup(g.open)
			elsewhere := setupOn(t, b.pool, func(l *bench) { l.clock = b.clock; l.Now = b.clock.Now })
			c := onSRS(stream("s"))
			told := b.ask(t.Context(), start(c))
			<-g.reached
			elsewhere.allow(t, c.close())
			g.open()
			if got := <-told; got.err != nil || !got.Allow {
				t.Errorf("got %+v", got)
			}
			b.wantOpen(t)
			if n := len(b.sessions(t)); n != 1 {
				t.Errorf("%d sessions", n)
			}
		})
	}
}

func TestARefusedStartThatWasCommittedAllTheSameIsTakenBack(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(client) media.Event{"publisher": client.publish, "player": client.play} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spy := losing(1)
			var away atomic.Bool
			away.Store(true)
			spy.begin = func() error {
				if spy.begun.Load() > 1 && away.Load() {
					return errLost
				}
				return nil
			}
			b := setup(t, spy.on(), withTimeout(500*time.Millisecond))
			r := b.room(t, room.ModePlain)
			if _, err := b.Handle(t.Context(), start(onSRS(stream(r.ID)))); errs.KindOf(err) != errs.Unavailable {
				t.Errorf("got %v", err)
			}
			if n := len(b.open(t)); n != 1 {
				t.Errorf("%d open sessions: this test tests nothing", n)
			}
			away.Store(false)
			eventually(t, "the session is taken back", func() bool { return len(b.sessions(t)) == 0 })
			eventually(t, "nothing is left to do", b.aftermath.empty)
			b.wantStatus(t, r.ID, room.Prepare)
		})
	}
}

// A server that hung with a COMMIT in its inbox may carry it out at any later
// time, even after we have looked for what to take back.
func TestARefusedStartThatIsCommittedLaterIsTakenBack(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(client) media.Event{"publisher": client.publish, "player": client.play} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spy := &spyDB{}
			frozen := make(chan pgx.Tx, 1)
			spy.commit = func(ctx context.Context, tx pgx.Tx) (bool, error) {
				if spy.begun.Load() > 1 {
					return false, nil
				}
				frozen <- tx
				<-ctx.Done()
				return true, ctx.Err()
			}
			b := setup(t, spy.on(), withTimeout(500*time.Millisecond))
			r := b.room(t, room.ModePlain)
			if _, err := b.Handle(t.Context(), start(onSRS(stream(r.ID)))); errs.KindOf(err) != errs.Unavailable {
				t.Errorf("got %v", err)
			}
			attempts := spy.begun.Load()
			eventually(t, "it tries to take the session back", func() bool { return spy.begun.Load() > attempts+1 })
			b.allow(t, onSRS(stream("s")).play(), onSRS(stream("t")).publish()) // and holds up nobody
			if err := (<-frozen).Commit(context.Background()); err != nil {
				t.Fatal(err)
			}
			eventually(t, "the session is taken back", func() bool { return b.aftermath.empty() && len(b.sessions(t)) == 2 })
			b.wantStatus(t, r.ID, room.Prepare)
		})
	}
}

func TestAStartThatIsAdmittedTheSecondTimeIsNotTakenBack(t *testing.T) {
	t.Parallel()
	spy := losing(1)
	var away atomic.Bool
	away.Store(true)
	spy.begin = func() error {
		if spy.begun.Load() > 1 && away.Load() {
			return errLost
		}
		return nil
	}
	b := setup(t, spy.on(), withTimeout(2*time.Second))
	r := b.room(t, room.ModePlain)
	c := onSRS(stream(r.ID))
	first := b.ask(t.Context(), c.publish())
	if got := <-first; errs.KindOf(got.err) != errs.Unavailable {
		t.Errorf("got %+v", got)
	}
	second := b.ask(t.Context(), c.publish())
	away.Store(false)
	if got := <-second; got.err != nil || !got.Allow {
		t.Fatalf("got %+v", got)
	}
	eventually(t, "nothing is left to do", b.aftermath.empty)
	b.wantOpen(t, c)
	b.wantStatus(t, r.ID, room.On)
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
	b.putAside(&op{e: onSRS(stream("s")).called("poison").leave(), now: b.clock.Now(), late: true})
	for _, c := range players {
		b.putAside(&op{e: c.leave(), now: b.clock.Now(), late: true})
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
		b.putAside(&op{e: onSRS(stream("s")).leave(), late: true})
	}
	if n := len(b.aftermath.ops); n != maxAftermath {
		t.Errorf("%d ops", n)
	}
}

func TestShutdownWithoutADatabaseEnds(t *testing.T) {
	t.Parallel()
	b, p := behindProxy(t, 500*time.Millisecond)
	c := onSRS(stream("s"))
	b.allow(t, c.play())
	p.refuse()
	if _, err := b.Handle(t.Context(), c.leave()); errs.KindOf(err) != errs.Unavailable {
		t.Errorf("got %v", err)
	}
	b.shutdown()
}
