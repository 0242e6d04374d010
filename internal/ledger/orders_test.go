package ledger

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/room"
)

// story is one order in which the callbacks of some connections arrive.
type story struct {
	clients []client
	events  []media.Event
}

// outcome is what a story must lead to. It does not depend on the order, but
// for one thing: a publisher that comes while another one is there is refused.
type outcome struct {
	allowed, open map[string]bool
	onAir         bool
}

// expect tells the outcome of a story from what design.md promises: a session
// is open in the end if its start was admitted and none of its ends came, be it
// before or after the start.
//
// One order cannot be told apart: nginx gives its connection numbers again after
// a restart and says nothing when it stops. "disconnect 5, publish 5" is the end
// of a connection of an earlier process and the start of one of this process as
// often as a reordered pair. It is taken for the former, because the other
// choice would leave a real publisher unrecorded, and the server's own list
// later tells. An end of the very stream (publish_done) is believed for a while.
func (s story) expect() outcome {
	o := outcome{allowed: map[string]bool{}, open: map[string]bool{}}
	over, publishing := map[string]bool{}, ""
	for _, e := range s.events {
		id := e.ClientID
		switch e.Action {
		case media.Publishing:
			o.allowed[id] = over[id] || publishing == ""
			if o.allowed[id] && !over[id] {
				o.open[id], publishing = true, id
			}
		case media.Playing:
			o.allowed[id], o.open[id] = true, !over[id]
		case media.Unpublished, media.Stopped, media.Disconnected:
			if publishing == id {
				publishing = ""
			}
			delete(o.open, id)
			over[id] = over[id] || e.Action != media.Disconnected || e.Serial == 0
		}
	}
	o.onAir = publishing != ""
	return o
}

func (s story) String() string {
	text := ""
	for _, e := range s.events {
		text += fmt.Sprintf(" %s(%s)", e.Action, e.ClientID)
	}
	return text
}

// tell lets a story happen, in a room of its own, and compares answers and room.
func (b *bench) tell(t *testing.T, s story, r room.Room) error {
	want := s.expect()
	for i, e := range s.events {
		v, err := b.processFor(i).Handle(t.Context(), e)
		if err != nil {
			return err
		}
		if e.Action.Asks() && v.Allow != want.allowed[e.ClientID] {
			return fmt.Errorf("%s(%s) got %+v", e.Action, e.ClientID, v)
		}
	}
	after, err := b.rooms.Get(t.Context(), r.ID)
	if err != nil || (after.Status == room.On) != want.onAir {
		return fmt.Errorf("room is in state %d: %v", after.Status, err)
	}
	return nil
}

// processFor spreads the events of a story over two processes, where there are
// two.
func (b *bench) processFor(i int) *Ledger {
	if b.elsewhere != nil && i%2 == 1 {
		return b.elsewhere
	}
	return b.Ledger
}

// check compares the sessions that a story left.
func (s story) check(began, open map[string]int) error {
	want := s.expect()
	for _, c := range s.clients {
		if (open[c.id] == 1) != want.open[c.id] || (began[c.id] == 1) != want.allowed[c.id] || began[c.id] > 1 {
			return fmt.Errorf("client %s has %d sessions, %d of them open", c.id, began[c.id], open[c.id])
		}
	}
	return nil
}

// tellAll lets stories happen side by side, so that they share commits. Each
// gets a stream that belongs to a room of its own.
func (b *bench) tellAll(t *testing.T, n int, write func(i int, st media.Stream) story) {
	t.Helper()
	stories := make([]story, n)
	next := make(chan int)
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for i := range next {
				r, err := b.rooms.Create(t.Context(), anchor, room.Input{Title: "a room", Anchor: anchor})
				stories[i] = write(i, stream(r.ID))
				if err == nil {
					err = b.tell(t, stories[i], r)
				}
				if err != nil {
					t.Errorf("%v\nafter%v", err, stories[i])
				}
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	wg.Wait()
	began, open := map[string]int{}, map[string]int{}
	for _, s := range b.sessions(t) {
		began[s.ClientID]++
		if s.EndedAt == nil {
			open[s.ClientID]++
		}
	}
	for _, s := range stories {
		if err := s.check(began, open); err != nil {
			t.Errorf("%v\nafter%v", err, s)
		}
	}
}

// orders yields every order of n things.
func orders(n int) [][]int {
	if n == 0 {
		return [][]int{nil}
	}
	var all [][]int
	for _, shorter := range orders(n - 1) {
		for at := 0; at < n; at++ {
			all = append(all, slices.Insert(slices.Clone(shorter), at, n-1))
		}
	}
	return all
}

// upToNames leaves those orders of the events of two publishers that differ by more
// than which is called the old one, where their names say nothing of that.
func upToNames(all [][]int) [][]int {
	const oldComes, freshComes = 0, 3
	return slices.DeleteFunc(all, func(order []int) bool { return slices.Index(order, oldComes) > slices.Index(order, freshComes) })
}

func arrange(events []media.Event, order []int) []media.Event {
	out := make([]media.Event, len(order))
	for i, k := range order {
		out[i] = events[k]
	}
	return out
}

// mangle loses some events that only inform and repeats others, somewhere.
func mangle(r *rand.Rand, events []media.Event) []media.Event {
	var out []media.Event
	for _, e := range events {
		if e.Action.Asks() || r.IntN(3) > 0 {
			out = append(out, e)
		}
	}
	for _, e := range slices.Clone(out) {
		if !e.Action.Asks() && r.IntN(3) == 0 {
			out = slices.Insert(out, r.IntN(len(out)+1), e)
		}
	}
	return out
}

// servers are the two ways in which media servers name connections.
var servers = map[string]func(media.Stream) client{"SRS": onSRS, "nginx-rtmp": onNginx}

func publisherOf(c client) []media.Event {
	return []media.Event{c.publish(), c.unpublish(), c.close()}
}

func playerOf(c client) []media.Event { return []media.Event{c.play(), c.leave(), c.close()} }

func TestOneConnectionEndsTheSameInEveryOrderWithLossesAndRepetitions(t *testing.T) {
	t.Parallel()
	for server, connect := range servers {
		for role, callbacks := range map[string]func(client) []media.Event{"publisher": publisherOf, "player": playerOf} {
			t.Run(server+" "+role, func(t *testing.T) {
				t.Parallel()
				b := setup(t)
				stories := everyLossAndRepetition()
				b.tellAll(t, len(stories), func(i int, st media.Stream) story {
					c := connect(st)
					return story{[]client{c}, arrange(callbacks(c), stories[i])}
				})
			})
		}
	}
}

// everyLossAndRepetition returns all orders of a start (0) and its two ends (1
// and 2), each of which may come never, once or twice.
func everyLossAndRepetition() [][]int {
	var all [][]int
	for first := range 3 {
		for second := range 3 {
			things := []int{0}
			things = append(things, slices.Repeat([]int{1}, first)...)
			things = append(things, slices.Repeat([]int{2}, second)...)
			for _, order := range orders(len(things)) {
				line := make([]int, len(order))
				for i, k := range order {
					line[i] = things[k]
				}
				all = append(all, line)
			}
		}
	}
	slices.SortFunc(all, slices.Compare)
	return slices.CompactFunc(all, slices.Equal)
}

func TestTwoConnectionsEndTheSameInEveryOrderWithLossesAndRepetitions(t *testing.T) {
	t.Parallel()
	for server, connect := range servers {
		for role, second := range map[string]func(client) []media.Event{"two publishers": publisherOf, "publisher and player": playerOf} {
			t.Run(server+" "+role, func(t *testing.T) {
				t.Parallel()
				b, all := setup(t), orders(6)
				if server == "SRS" && role == "two publishers" {
					all = upToNames(all)
				}
				b.tellAll(t, len(all), func(i int, st media.Stream) story {
					old, fresh := connect(st), connect(st)
					return story{[]client{old, fresh}, arrange(append(publisherOf(old), second(fresh)...), all[i])}
				})
			})
		}
		t.Run(server+" mangled", func(t *testing.T) {
			t.Parallel()
			b, all := setup(t), orders(6)
			if server == "SRS" {
				all = upToNames(all)
			}
			b.tellAll(t, len(all), func(i int, st media.Stream) story {
				old, fresh := connect(st), connect(st)
				events := arrange(append(publisherOf(old), publisherOf(fresh)...), all[i])
				return story{[]client{old, fresh}, mangle(rand.New(rand.NewPCG(7, uint64(i))), events)}
			})
		})
	}
}

func TestCallbacksOfOneConnectionMayReachDifferentProcesses(t *testing.T) {
	t.Parallel()
	for server, connect := range servers {
		t.Run(server, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.elsewhere = setupOn(t, b.pool, b.sameClock).Ledger
			all := orders(6)
			b.tellAll(t, len(all)/2, func(i int, st media.Stream) story {
				old, fresh := connect(st), connect(st)
				return story{[]client{old, fresh}, arrange(append(publisherOf(old), publisherOf(fresh)...), all[2*i])}
			})
		})
	}
}

func TestLateEndsOfAnOldConnectionDoNotEndTheNewOne(t *testing.T) {
	t.Parallel()
	for server, connect := range servers {
		t.Run(server, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			r := b.room(t, room.ModePlain)
			old, fresh := connect(stream(r.ID)), connect(stream(r.ID))
			b.allow(t, old.publish(), old.close(), fresh.publish(), old.unpublish(), old.unpublish(), old.close())
			b.wantOpen(t, fresh)
			b.wantStatus(t, r.ID, room.On)
			b.allow(t, fresh.unpublish())
			b.wantOpen(t)
			b.wantStatus(t, r.ID, room.Prepare)
		})
	}
}

func TestAConnectionMayPublishItsStreamAgain(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.room(t, room.ModePlain)
	c := onSRS(stream(r.ID))
	for range 3 {
		b.allow(t, c.publish())
		b.wantStatus(t, r.ID, room.On)
		b.allow(t, c.unpublish())
		b.wantStatus(t, r.ID, room.Prepare)
	}
	if n := len(b.sessions(t)); n != 3 {
		t.Errorf("%d sessions, want 3", n)
	}
}

func TestAnEndIsRememberedForAMinuteOnly(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := onNginx(stream("s"))
	b.allow(t, c.unpublish())
	b.clock.advance(remembered + 1e9)
	b.allow(t, c.publish())
	b.wantOpen(t, c)
}

func TestASessionThatWasOverBeforeItBeganHasNoNegativeLength(t *testing.T) {
	t.Parallel()
	b := setup(t)
	publisher, player := onSRS(stream("a")), onSRS(stream("b"))
	b.allow(t, publisher.unpublish(), player.leave(), publisher.publish(), player.play())
	for _, s := range b.sessions(t) {
		if s.EndedAt == nil || s.EndedAt.Before(s.StartedAt) || s.CredentialKind == "" {
			t.Errorf("session %+v", s)
		}
	}
	if n := len(b.sessions(t)); n != 2 {
		t.Errorf("%d sessions, want 2", n)
	}
}

func TestPurgeForgetsEndsWithoutAStartAndNothingElse(t *testing.T) {
	t.Parallel()
	b := setup(t)
	stranger, player, live := onSRS(stream("a")), onSRS(stream("a")), onSRS(stream("a"))
	b.allow(t, stranger.close(), player.play(), player.leave(), live.play())
	if err := b.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := b.count(t, "SELECT count(*) FROM early_ends"); n != 1 {
		t.Fatalf("%d early ends, want 1: it may still be met by its start", n)
	}
	b.clock.advance(3 * remembered)
	if err := b.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := b.count(t, "SELECT count(*) FROM early_ends"); n != 0 || len(b.sessions(t)) != 2 {
		t.Fatalf("%d early ends and %d sessions, want the two sessions", n, len(b.sessions(t)))
	}
}
