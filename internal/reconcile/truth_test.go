package reconcile_test

import (
	"crypto/rand"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/stagedoor-live/stagedoor/internal/access"
	"github.com/stagedoor-live/stagedoor/internal/dbtest"
	"github.com/stagedoor-live/stagedoor/internal/ledger"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/reconcile"
)

// A failure prints the seed and the number of the case. STAGEDOOR_TRUTH_SEED and
// STAGEDOOR_TRUTH_CASE, or the flags, tell that case again alone.
var (
	truthSeed  = flag.Uint64("truth.seed", fromEnv("STAGEDOOR_TRUTH_SEED", 0), "seed of the worlds; 0 for a new one each time")
	truthCases = flag.Uint64("truth.cases", fromEnv("STAGEDOOR_TRUTH_CASES", 2000), "how many worlds")
	truthCase  = flag.Int64("truth.case", int64(fromEnv("STAGEDOOR_TRUTH_CASE", 1<<63-1)), "the only world to tell; more than there are for all")
)

func fromEnv(name string, otherwise uint64) uint64 {
	if n, err := strconv.ParseUint(os.Getenv(name), 10, 63); err == nil {
		return n
	}
	return otherwise
}

const (
	steps    = 9
	stepTime = 4 * time.Second // so that no callback is later than the ledger remembers
)

// truth tells many worlds at once, step by step, so that they share commits and
// one clock.
type truth struct {
	*bench
	worlds  *worlds
	all     []*world
	ledgers [2]*ledger.Ledger // two processes on one database
}

func tellTruth(t *testing.T, seed uint64, numbers []uint64) *truth {
	t.Helper()
	pool := dbtest.Pool(t)
	b := setupOn(t, pool, access.OpenByDefault, always{}, time.Hour)
	tr := &truth{bench: b, worlds: &worlds{now: b.clock.Now, servers: map[string]*mediaServer{}}}
	var rooms []string
	for _, n := range numbers {
		w := newWorld(seed, n, b.clock.Now)
		tr.all = append(tr.all, w)
		for _, s := range w.servers {
			tr.worlds.servers[s.name] = s
		}
		for _, st := range w.streams {
			rooms = append(rooms, st.Name)
		}
	}
	controls := media.Controls{byName: {Census: tr.worlds}, byNumber: {Census: tr.worlds}, telling: {Census: tr.worlds}}
	for i := range tr.ledgers {
		tr.ledgers[i] = ledger.New(ledger.Config{DB: pool, Now: b.clock.Now, Log: slog.New(slog.DiscardHandler), Access: b.access, Rooms: b.rooms, Nodes: tr.worlds,
			Controls: controls, Timeout: time.Minute})
		start(t, tr.ledgers[i].Run)
	}
	tr.Reconciler = reconcile.New(reconcile.Config{DB: pool, Now: b.clock.Now, Log: slog.New(slog.DiscardHandler), Ledger: tr.ledgers[0], Leader: always{}, Nodes: tr.worlds,
		Controls: controls, Period: time.Hour, Lease: lease})
	_, err := pool.Exec(t.Context(), `INSERT INTO rooms (id, app, title, anchor_id, chat_id, im_servers, created_at, updated_at)
		SELECT id, 'live', 'a room', 'alice', id, '{}', $2, $2 FROM unnest($1::text[]) id`, rooms, b.clock.Now())
	if err != nil {
		t.Fatal(err)
	}
	return tr
}

// each does something to all worlds, many at once.
func (tr *truth) each(t *testing.T, do func(w *world) error) {
	t.Helper()
	next, wg := make(chan *world), sync.WaitGroup{}
	for range 48 {
		wg.Go(func() {
			for w := range next {
				if err := do(w); err != nil {
					t.Errorf("%v\nafter\n  %s", err, strings.Join(w.story, "\n  "))
				}
			}
		})
	}
	for _, w := range tr.all {
		next <- w
	}
	close(next)
	wg.Wait()
}

// step lets callbacks arrive and something happen in a world.
func (tr *truth) step(t *testing.T, w *world, step int) error {
	for _, e := range w.deliver(step) {
		if err := tr.tell(t, w, e); err != nil {
			return err
		}
	}
	switch n := w.rand.IntN(20); {
	case n < 9:
		return tr.arrive(t, w, step)
	case n < 14:
		w.leave(step)
	case n < 15:
		w.restart()
	default:
		return tr.look(t, w, w.rand.IntN(2), w.rand.IntN(4) == 0)
	}
	return nil
}

func (tr *truth) tell(t *testing.T, w *world, e media.Event) error {
	v, err := tr.ledgers[w.rand.IntN(2)].Handle(t.Context(), e)
	w.tell("told: %s %s/%s %s: %s", e.Action, e.Node, e.ClientID, e.Stream.Name, v.Reason)
	return err
}

// arrive lets a client come. A server that asks obeys; one that only tells has
// it in any case, and what it tells may be lost.
func (tr *truth) arrive(t *testing.T, w *world, step int) error {
	c := w.arrive()
	if c.server.kind == telling {
		w.tell("comes: %s", c)
		c.admit()
		w.post(step, c.begin())
		return nil
	}
	for range 1 + w.rand.IntN(2) { // asked again, as its answer came late
		v, err := tr.ledgers[w.rand.IntN(2)].Handle(t.Context(), c.begin())
		w.tell("asks: %s: %s", c, v.Reason)
		if err != nil {
			return err
		}
		if !v.Allow {
			w.post(step, c.event(media.Disconnected))
			return nil
		}
	}
	c.admit()
	return nil
}

func (tr *truth) look(t *testing.T, w *world, i int, away bool) error {
	s := w.servers[i]
	s.mu.Lock()
	s.away = away
	s.mu.Unlock()
	w.tell("looked at: %s, away %t", s.name, away)
	n, _ := tr.worlds.Get(s.name)
	return tr.Once(t.Context(), n)
}

// onRecord is what the ledger has in the end, by the first part of node names.
type onRecord struct {
	open    map[string]bool // by connection: whether it was refused
	doubled []string
}

func (tr *truth) onRecord(t *testing.T) (map[string]*onRecord, map[string]bool) {
	t.Helper()
	rows, err := tr.pool.Query(t.Context(), `SELECT node, server_id, client_id, scene, stream, refused <> '' FROM sessions WHERE ended_at IS NULL`)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]*onRecord{}
	var node, server, client, scene, stream string
	var refused bool
	_, err = pgx.ForEachRow(rows, []any{&node, &server, &client, &scene, &stream, &refused}, func() error {
		w, _, _ := strings.Cut(node, "-")
		if found[w] == nil {
			found[w] = &onRecord{open: map[string]bool{}}
		}
		k := strings.Join([]string{node, server, client, scene, stream}, " ")
		if _, twice := found[w].open[k]; twice {
			found[w].doubled = append(found[w].doubled, k)
		}
		found[w].open[k] = refused
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	rows, err = tr.pool.Query(t.Context(), "SELECT id FROM rooms WHERE status = 1")
	if err != nil {
		t.Fatal(err)
	}
	ids, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	onAir := map[string]bool{}
	for _, id := range ids {
		onAir[id] = true
	}
	return found, onAir
}

// check compares what is on record with a world.
func (w *world) check(got *onRecord, onAir map[string]bool) error {
	var problems []string
	if got == nil {
		got = &onRecord{}
	}
	admitted := map[string]int{}
	for _, s := range w.servers {
		for _, c := range s.clients {
			refused, there := got.open[c.key()]
			switch {
			case !there:
				problems = append(problems, "not on record: "+c.String())
			case refused && c.scene == media.Play:
				problems = append(problems, "refused: "+c.String())
			case !refused && c.scene == media.Publish:
				admitted[c.stream.Name]++
			}
			delete(got.open, c.key())
		}
	}
	for k := range got.open {
		problems = append(problems, "a ghost: "+k)
	}
	for _, st := range w.streams {
		if admitted[st.Name] > 1 || onAir[st.Name] != (admitted[st.Name] == 1) {
			problems = append(problems, fmt.Sprintf("%s has %d publishers, on air %t", st.Name, admitted[st.Name], onAir[st.Name]))
		}
	}
	problems = append(problems, got.doubled...)
	slices.Sort(problems)
	if problems == nil {
		return nil
	}
	return fmt.Errorf("%s", strings.Join(problems, "; "))
}

// TestTheLedgerAlwaysComesToTheTruth lets connections of several generations come
// and go on two nodes, with callbacks that are late, lost, repeated and out of
// order, servers that start anew and others that do not answer, and looks at the
// nodes in between. After one last look the ledger is what the servers have.
func TestTheLedgerAlwaysComesToTheTruth(t *testing.T) {
	t.Parallel()
	seed := *truthSeed
	if seed == 0 {
		var b [8]byte
		_, _ = rand.Read(b[:])
		for _, c := range b[:7] {
			seed = seed<<8 | uint64(c)
		}
	}
	var numbers []uint64
	for n := range *truthCases {
		if uint64(*truthCase) >= *truthCases || uint64(*truthCase) == n {
			numbers = append(numbers, n)
		}
	}
	tr := tellTruth(t, seed, numbers)
	for step := range steps {
		tr.each(t, func(w *world) error { return tr.step(t, w, step) })
		tr.clock.advance(stepTime)
	}
	tr.each(t, func(w *world) error { // what is still under way arrives, or never
		for _, e := range w.deliver(steps + 10) {
			if w.rand.IntN(2) == 0 {
				continue
			}
			if err := tr.tell(t, w, e); err != nil {
				return err
			}
		}
		return nil
	})
	tr.clock.advance(later)
	tr.each(t, func(w *world) error {
		for i := range w.servers {
			if err := tr.look(t, w, i, false); err != nil {
				return err
			}
		}
		return nil
	})
	found, onAir := tr.onRecord(t)
	for i, w := range tr.all {
		name, _, _ := strings.Cut(w.servers[0].name, "-")
		if err := w.check(found[name], onAir); err != nil {
			t.Errorf("seed %d, case %d: %v\nafter\n  %s", seed, numbers[i], err, strings.Join(w.story, "\n  "))
		}
		if t.Failed() && i > 20 {
			break
		}
	}
	t.Logf("seed %d, %d worlds", seed, len(numbers))
}
