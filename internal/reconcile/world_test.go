package reconcile_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/media"
)

// A world is the truth of one case: two media servers with their connections,
// and the callbacks that are under way. It knows nothing of the ledger but the
// answers that it got.
type world struct {
	rand    *rand.Rand
	now     func() time.Time
	servers [2]*mediaServer
	streams []media.Stream
	mail    []letter
	story   []string
}

// The kinds of media server.
const (
	byName   = "by-name"   // asks, and names its processes and connections: SRS
	byNumber = "by-number" // asks, and counts connections from one at each start: nginx-rtmp
	telling  = "telling"   // tells only, and lets everybody in: Node-Media-Server
)

type mediaServer struct {
	mu      sync.Mutex // the census is taken while others look
	name    string
	kind    string
	process int
	next    int64
	born    time.Time
	away    bool
	clients []*connection
}

type connection struct {
	server *mediaServer
	id     string
	serial int64
	of     string // identity of the process
	scene  media.Scene
	stream media.Stream
	since  time.Time
}

// letter is a callback under way.
type letter struct {
	event media.Event
	due   int // the step at which it arrives
}

func (c *connection) event(a media.Action) media.Event {
	e := media.Event{Action: a, Node: c.server.name, ServerID: c.of, ClientID: c.id, Serial: c.serial, Stream: c.stream, Address: "192.0.2.7", Protocol: "rtmp"}
	if a == media.Disconnected {
		e.Stream.Name = ""
	}
	return e
}

func (c *connection) begin() media.Event {
	action := media.Playing
	if c.scene == media.Publish {
		action = media.Publishing
	}
	e := c.event(action)
	e.Fact = c.server.kind == telling
	return e
}

func (c *connection) String() string {
	return fmt.Sprintf("%s %s#%d/%s %s", c.scene, c.server.name, c.server.process, c.id, c.stream.Name)
}

// key is how the ledger knows a connection.
func (c *connection) key() string {
	return strings.Join([]string{c.server.name, c.of, c.id, string(c.scene), c.stream.Name}, " ")
}

func newWorld(seed, number uint64, now func() time.Time) *world {
	w := &world{rand: rand.New(rand.NewPCG(seed, number)), now: now}
	kinds := []string{byName, byNumber, telling}
	for i := range w.servers {
		w.servers[i] = &mediaServer{name: fmt.Sprintf("w%d-%d", number, i), kind: kinds[w.rand.IntN(len(kinds))], next: 1, born: now()}
	}
	for i := range 1 + w.rand.IntN(2) {
		w.streams = append(w.streams, media.Stream{Vhost: media.DefaultVhost, App: "live", Name: fmt.Sprintf("w%d-%d", number, i)})
	}
	return w
}

func (w *world) tell(format string, args ...any) {
	w.story = append(w.story, fmt.Sprintf(format, args...))
}

// arrive makes a new connection; it is not on its server's list yet.
func (w *world) arrive() *connection {
	s := w.servers[w.rand.IntN(2)]
	c := &connection{server: s, scene: media.Play, stream: w.streams[w.rand.IntN(len(w.streams))], since: w.now()}
	if w.rand.IntN(5) < 3 {
		c.scene = media.Publish
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kind == byNumber {
		c.serial, c.id = s.next, fmt.Sprint(s.next)
	} else {
		c.id = fmt.Sprintf("%d-%d", s.process, s.next)
	}
	if s.kind == byName {
		c.of = fmt.Sprintf("vid-%s/%d", s.name, s.process)
	}
	s.next++
	return c
}

// admit puts a connection on its server's list.
func (c *connection) admit() {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	c.server.clients = append(c.server.clients, c)
}

// leave ends one connection; its callbacks get under way, of which some are lost
// and some come twice.
func (w *world) leave(step int) {
	s := w.servers[w.rand.IntN(2)]
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.clients) == 0 {
		return
	}
	i := w.rand.IntN(len(s.clients))
	c := s.clients[i]
	s.clients = append(s.clients[:i:i], s.clients[i+1:]...)
	w.tell("leaves: %s", c)
	end := media.Stopped
	if c.scene == media.Publish {
		end = media.Unpublished
	}
	w.post(step, c.event(end))
	w.post(step, c.event(media.Disconnected))
}

// post sends a callback that is late, lost or repeated.
func (w *world) post(step int, e media.Event) {
	for range []int{1, 1, 1, 0, 2}[w.rand.IntN(5)] {
		w.mail = append(w.mail, letter{e, step + w.rand.IntN(4)})
	}
}

// deliver returns the callbacks that arrive now, in any order.
func (w *world) deliver(step int) (now []media.Event) {
	w.rand.Shuffle(len(w.mail), func(i, j int) { w.mail[i], w.mail[j] = w.mail[j], w.mail[i] })
	var later []letter
	for _, l := range w.mail {
		if l.due <= step {
			now = append(now, l.event)
		} else {
			later = append(later, l)
		}
	}
	w.mail = later
	return now
}

// restart ends one server and starts it anew: nobody is told.
func (w *world) restart() {
	s := w.servers[w.rand.IntN(2)]
	s.mu.Lock()
	defer s.mu.Unlock()
	s.process, s.next, s.clients, s.born = s.process+1, 1, nil, w.now()
	w.tell("restarts: %s", s.name)
}

var errAway = errors.New("away")

// worlds is all of them, as media.CensusTaker.
type worlds struct {
	now     func() time.Time
	servers map[string]*mediaServer
}

// Census implements media.CensusTaker.
func (w *worlds) Census(_ context.Context, n media.Node) (media.Census, error) {
	s := w.servers[n.Name]
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.away {
		return media.Census{}, errAway
	}
	now := w.now()
	census := media.Census{Publishers: true, Players: true}
	switch s.kind {
	case byName:
		census.ServerID = fmt.Sprintf("vid-%s/%d", s.name, s.process)
	case byNumber:
		census.Process, census.Age = fmt.Sprint(s.process), now.Sub(s.born)
	}
	for _, c := range s.clients {
		live := media.LiveClient{Client: media.Client{ID: c.id, Stream: c.stream, Address: "192.0.2.7", Protocol: "rtmp"}, Scene: c.scene, Serial: c.serial, Uptime: now.Sub(c.since)}
		census.Clients = append(census.Clients, live)
	}
	return census, nil
}

// Get and Known make the servers nodes that are configured.
func (w *worlds) Get(name string) (media.Node, bool) {
	s, ok := w.servers[name]
	if !ok {
		return media.Node{}, false
	}
	return media.Node{Name: name, Kind: s.kind, ControlURL: "http://192.0.2.1"}, true
}

func (w *worlds) Known() []media.Node { return nil }
