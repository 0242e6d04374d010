package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/url"
	"runtime/debug"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/access"
	"github.com/stagedoor-live/stagedoor/internal/media"
)

// picks are how many credentials are drawn at random for a load, so that what
// has just been used is not what is used again.
const picks = 1 << 15

// deciding measures decisions in a small and in a large world: as answers to an
// edge, and by themselves, in this process.
func (s *suite) deciding(ctx context.Context, small, large *world) ([]row, error) {
	alone, err := s.decidingAlone(ctx, large, small)
	if err != nil {
		return nil, err
	}
	us, err := s.inTurn("decision_flat", s.plan.flatRounds, s.answers(ctx, large), s.answers(ctx, small))
	if err != nil {
		return nil, err
	}
	peer := fmt.Sprintf("%d rooms and tokens and %d rules instead of %d and %d", small.n, small.rules(), large.n, large.rules())
	return []row{
		figure("decision_flat", us[0], "us").beside(us[1], peer).aim(ratioAtMost(1.1)),
		figure("decision_alone", alone[0], "ns").beside(alone[1], peer+", in one process"),
	}, nil
}

// answers returns the microseconds that one to an edge takes.
func (s *suite) answers(ctx context.Context, w *world) func() (float64, error) {
	return func() (float64, error) {
		rate, err := w.edge.closedLoop(ctx, s.plan.flatRound)
		return 1e6 / rate, err
	}
}

// decidingAlone returns the nanoseconds of a decision in each world. It leaves
// the requests of an edge behind, and none of the memory that it took.
func (s *suite) decidingAlone(ctx context.Context, worlds ...*world) ([]float64, error) {
	defer debug.FreeOSMemory()
	if err := s.benchTime(s.plan.aloneRound); err != nil {
		return nil, err
	}
	var sides []func() (float64, error)
	for _, w := range worlds {
		a, err := w.knowledge(ctx)
		if err != nil {
			return nil, err
		}
		events := w.events(a, picks)
		w.prepareEdge(s.plan.conns, a)
		sides = append(sides, func() (float64, error) {
			return perOp(testing.Benchmark(func(b *testing.B) { decideAll(b, a, events) }))
		})
	}
	return s.inTurn("decision_alone", s.plan.aloneRounds, sides...)
}

func decideAll(b *testing.B, a *access.Service, events []media.Event) {
	now, i := time.Now(), 0
	for b.Loop() {
		if d := a.Decide(b.Context(), now, events[i%len(events)]); !d.Allow {
			b.Fatal(d.Reason, events[i%len(events)])
		}
		i++
	}
}

// credential is a player's: who signed it or which token it is, at random.
type credential struct {
	host, stream, query string
}

// draw makes a third of the credentials signatures under a rule, a third live
// tokens, and a third signatures for a room under the rule of all domains.
func (w *world) draw(a *access.Service, i int) credential {
	sign := func(host, stream string) credential {
		link := media.Link{Scene: media.Play, Stream: media.Stream{App: "live", Name: stream}, Base: "https://" + host, Ext: ".flv"}
		u, err := url.Parse(a.SignURL(link, time.Now().Add(time.Hour)))
		if err != nil {
			panic(err) // we made it
		}
		return credential{host, stream, u.RawQuery}
	}
	n := 1 + rand.IntN(w.n)
	switch i % 3 {
	case 0:
		return sign(ruleDomain(1+rand.IntN(w.rules())), tokenStream(n))
	case 1:
		return credential{"live.example.com", tokenStream(n), "token=" + playToken(n)}
	}
	return sign("live.example.com", roomID(n))
}

func (w *world) events(a *access.Service, n int) []media.Event {
	all := make([]media.Event, n)
	for i := range all {
		c := w.draw(a, i)
		all[i] = media.Event{Action: media.Playing, Node: "local", Stream: media.Stream{Vhost: media.DefaultVhost, App: "live", Name: c.stream},
			Protocol: "http-flv", Path: "/live/" + c.stream + ".flv", Query: c.query, Host: c.host}
	}
	return all
}

// prepareEdge makes the requests of an edge, before anything is measured.
func (w *world) prepareEdge(clients int, a *access.Service) {
	requests := make([][]byte, picks)
	for i := range requests {
		c := w.draw(a, i)
		requests[i] = edgeRequest(w.server.addr, &url.URL{Host: c.host, Path: "/live/" + c.stream + ".flv", RawQuery: c.query}, "")
	}
	w.edge = newLoad(w.server.addr, clients, func() shots { return &manyShots{requests: requests, at: rand.IntN(picks)} })
}

// manyShots go round and round, each client from another place.
type manyShots struct {
	edgeShots
	requests [][]byte
	at       int
}

func (m *manyShots) next() []byte {
	m.at = (m.at + 1) % len(m.requests)
	return m.requests[m.at]
}
