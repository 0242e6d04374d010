// Package relay carries pull routes out: it has nodes fetch the streams that
// routes name, and end that when nobody wants them any more.
//
// What is wanted is in the database, and one process at a time makes the nodes
// agree with it, over and over: whatever was lost by a crash, of a node or of
// ours, is done again. A stream that somebody asks for is asked of its node at
// once, by the process that hears of it.
//
//	             asked for, or kept alive         media arrives
//	(no row) ----------------------------> starting ----------> running
//	    ^                                   |  ^  |                 | nobody watches
//	    | route gone, or                    |  |  | no media        v
//	    | five idle minutes                 |  |  +---> failed     idle (the node waits
//	    +-----------------------------------+--+----------+---------+    for a viewer)
//
// Connections are made by the media server, so the rules of outbound are
// enforced by what the server is told: see pin.
package relay

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/outage"
	"github.com/stagedoor-live/stagedoor/internal/outbound"
	"github.com/stagedoor-live/stagedoor/internal/pg"
	"github.com/stagedoor-live/stagedoor/internal/route"
)

// States of a relay and of a route.
const (
	Idle     = "idle"
	Starting = "starting"
	Running  = "running"
	Failed   = "failed"
)

const (
	// IdleAfter is how long a pull goes on without viewers.
	IdleAfter = 5 * time.Minute
	// period is how often nodes are compared with what is wanted.
	period = 5 * time.Second
	// patience is how long a pull may take until media arrives.
	patience = 15 * time.Second
	// demandTimeout bounds what a viewer's authorization waits for a node.
	demandTimeout = 2 * time.Second
	// maxPerRoute bounds the streams that one prefix is fetched for, and maxRows
	// all of them.
	maxPerRoute = 256
	maxRows     = 10_000
	// unreachableAfter is how many rounds a node may leave unanswered until its
	// routes go elsewhere.
	unreachableAfter = 2
	// resolveEvery is how often a name is looked up again while its pull stays.
	resolveEvery = time.Minute
)

var (
	notCarried = outage.Words{Begins: "routes are not carried out", Ends: "routes are carried out again"}
	notFetched = outage.Words{Begins: "stream of a route is not fetched", Ends: "stream of a route is fetched again"}
	notStopped = outage.Words{Begins: "stream is still fetched", Ends: "stream can be given up again"}
)

// leadership is the name that one process holds.
const leadership = "relay"

type routes interface {
	Match(path string) (remote string, r route.Route, ok bool)
	Known() []route.Route
	List(ctx context.Context, after string, limit int) ([]route.Route, error)
}

type nodes interface{ Known() []media.Node }

type leader interface {
	Hold(ctx context.Context, name string) bool
}

// Config lists what a Service depends on.
type Config struct {
	DB       pg.DB
	Now      func() time.Time
	Log      *slog.Logger
	Routes   routes
	Nodes    nodes
	Controls media.Controls
	Guard    outbound.Guard
	Leader   leader
}

// Service carries routes out. It is safe for concurrent use.
type Service struct {
	Config
	q       *db.Queries
	outages *outage.Log
	wake    chan struct{}

	mu     sync.Mutex
	asked  map[key]time.Time // demands that need not be looked at again yet
	misses map[string]int    // rounds in a row that a node left unanswered
	looked map[key]time.Time // when the source of a pull was resolved
}

// New returns a Service that does nothing by itself until Run.
func New(c Config) *Service {
	return &Service{Config: c, q: db.New(), outages: outage.New(c.Log, c.Now), wake: make(chan struct{}, 1),
		asked: map[key]time.Time{}, misses: map[string]int{}, looked: map[key]time.Time{}}
}

// key is a stream on a node.
type key struct{ node, app, stream string }

func keyOf(node string, st media.Stream) key { return key{node, st.App, st.Name} }

func (k key) media() media.Stream {
	return media.Stream{Vhost: media.DefaultVhost, App: k.app, Name: k.stream}
}

// path is what routes match.
func (k key) path() string { return k.media().Path() }

// streamAt returns the stream that a canonical path names.
func streamAt(path string) media.Stream {
	path = strings.TrimPrefix(path, "/")
	slash := strings.LastIndexByte(path, '/')
	return media.Stream{Vhost: media.DefaultVhost, App: path[:max(slash, 0)], Name: path[slash+1:]}
}

// Reasons of failures beside those of errors.
const (
	reasonNoMedia     = "no_media"
	reasonUnreachable = "node_unreachable"
	reasonNoCarrier   = "no_carrier"
	reasonFault       = "source_fault"
)

// messages are what reasons mean. They hold nothing of the route, whose URL is
// secret.
var messages = map[string]string{
	"":                    "",
	reasonNoMedia:         "the source sends no media",
	reasonUnreachable:     "the media server does not answer",
	reasonNoCarrier:       "no media server here can fetch streams from elsewhere; SRS and nginx-rtmp cannot",
	reasonFault:           "the media server reports that the source fails",
	"address_not_allowed": "the host of the source leads to an address that the operator has not allowed",
	"host_unknown":        "the host of the source is not known",
	"cannot_pull":         "the media server cannot fetch this stream",
}

// Message says what a reason means.
func Message(reason string) string {
	if m, ok := messages[reason]; ok {
		return m
	}
	return messages["cannot_pull"]
}

// reasonOf makes an error a reason that can be shown.
func reasonOf(err error) string {
	if err == nil {
		return ""
	}
	e := errs.As(err)
	switch {
	case e.Kind == errs.BadGateway || e.Kind == errs.Unavailable || e.Kind == errs.Internal:
		return reasonUnreachable
	case messages[e.Reason] != "":
		return e.Reason
	}
	return "cannot_pull"
}

// Tables are those whose changes begin a round at once.
func (s *Service) Tables() []string { return []string{"routes", "nodes"} }

// Reload begins a round.
func (s *Service) Reload(context.Context, pg.DB) error { s.nudge(); return nil }

// Apply begins a round.
func (s *Service) Apply(context.Context, pg.DB, ...pg.Change) error { s.nudge(); return nil }

func (s *Service) nudge() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Run makes nodes do what is wanted until ctx ends. Of several processes the
// one that leads does it; the others look every second whether it is gone.
func (s *Service) Run(ctx context.Context) {
	for ctx.Err() == nil {
		pause := time.Second
		if s.Leader.Hold(ctx, leadership) {
			pause = period
			s.outages.Note(ctx, notCarried, "", s.Round(ctx))
		}
		select {
		case <-ctx.Done():
		case <-time.After(pause):
		case <-s.wake:
		}
	}
}
