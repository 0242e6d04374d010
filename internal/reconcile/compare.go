package reconcile

import (
	"slices"
	"strings"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/access"
	"github.com/stagedoor-live/stagedoor/internal/ledger"
	"github.com/stagedoor-live/stagedoor/internal/media"
)

const (
	// grace is how long who only just came may be missing, on either side: a
	// server lists a client a little before it asks about it or a little after.
	grace = 10 * time.Second
	// slack is by how much the ages that servers tell may be off.
	slack = 5 * time.Second
	// aliveFor is how long a callback that says "it runs" is good for: nginx-rtmp
	// sends one every thirty seconds.
	aliveFor = 75 * time.Second
	// partialFor is for how long several processes behind one address are
	// remembered.
	partialFor = time.Hour
)

// findings are what a comparison found.
type findings struct {
	gone    map[string][]int64 // by reason
	missed  []ledger.Found
	carried []ledger.Carried
	untold  []ledger.Session // the node does not list such ones
	samples []ledger.Sample

	identity, warning   string
	publishers, clients int
}

// memory is what is kept of a node between two visits, by whoever visits it. It
// may be lost: then some things take a period longer.
type memory struct {
	// missing is since when a client is on the list and not on the ledger.
	missing map[clientKey]time.Time
	// asks is since when a door is known to ask us: an admitted client with a
	// credential was there.
	asks map[door]time.Time

	troubles     map[string]bool      // why it does not answer, as far as that is in the log
	clockSet     time.Time            // see clock.Watch
	identity     string               // of the process that answered last
	answeredAt   time.Time            // when that was
	former       map[string]time.Time // identities before that one
	partialUntil time.Time
	leasedAt     time.Time
	samples      sampler
}

type clientKey struct {
	serverID, id string
	scene        media.Scene
	stream       media.Stream
}

// door is where clients of one kind come in.
type door struct {
	vhost, app, protocol string
	scene                media.Scene
}

func newMemory() *memory {
	return &memory{missing: map[clientKey]time.Time{}, asks: map[door]time.Time{}, former: map[string]time.Time{}, troubles: map[string]bool{}}
}

// setClock forgets what cannot be compared with the clock as it is now.
func (m *memory) setClock(at time.Time) {
	if !at.Equal(m.clockSet) {
		m.clockSet = at
		clear(m.asks)
	}
}

// silent notes that the node did not answer: what was missing may be gone.
func (m *memory) silent() { clear(m.missing) }

// The bounds of a memory.
const maxDoors, maxFormer = 1000, 16

// compare finds what differs between the sessions that were open before a census
// was asked for and the census. What came a moment ago is not judged.
func (m *memory) compare(asked time.Time, before []ledger.Session, c media.Census) findings {
	f := findings{gone: map[string][]int64{}, identity: c.ServerID}
	if f.identity == "" {
		f.identity = c.Process
	}
	partial := m.identify(asked, f.identity, c)
	if partial {
		f.warning = "several server processes answer at the control URL, each for itself: sessions cannot be checked"
	}
	list := index(c, m.clockSet)
	m.samples.begin(asked)
	for _, s := range before {
		m.noteDoor(s)
		live, there := list.take(s, asked)
		m.samples.add(s, live, there)
		switch {
		case there && s.Scene == media.Publish && (live.BytesIn > s.BytesIn || live.BytesOut > s.BytesOut):
			f.carried = append(f.carried, ledger.Carried{ID: s.ID, In: live.BytesIn, Out: live.BytesOut})
		case there || partial || asked.Sub(s.StartedAt).Abs() < grace:
		default:
			switch reason := whyGone(asked, s, c); {
			case reason != "":
				f.gone[reason] = append(f.gone[reason], s.ID)
			case !wouldList(c, s):
				f.untold = append(f.untold, s)
			}
		}
	}
	f.samples = m.samples.end()
	m.look(asked, c, list, &f)
	return f
}

// whyGone says why a session that is not on the list has ended; "" if it need not
// have.
func whyGone(asked time.Time, s ledger.Session, c media.Census) string {
	if restarted(s.ServerID, c.ServerID) {
		return ledger.ServerRestarted
	}
	if !wouldList(c, s) {
		return ""
	}
	if born := asked.Add(-c.Age); c.Age > 0 && s.StartedAt.Before(born.Add(-slack)) {
		// The worker that answers did not have it ever. After a restart that is the
		// end of it; after a reload another worker may still have it, and says so.
		if s.SeenAt.After(born.Add(slack)) && asked.Sub(s.SeenAt) < aliveFor {
			return ""
		}
		return ledger.ServerRestarted
	}
	return ledger.GoneFromNode
}

// wouldList says whether a session would be on a census, if it were there.
func wouldList(c media.Census, s ledger.Session) bool {
	if s.Scene == media.Publish {
		return c.Publishers
	}
	return c.Players && !slices.Contains(c.Unlisted, s.Protocol)
}

// restarted says whether two identities are two processes of the same server.
func restarted(then, now string) bool {
	if then == "" || now == "" || then == now {
		return false
	}
	server := now[:strings.LastIndexByte(now, '/')+1]
	return server != "" && strings.HasPrefix(then, server) && strings.LastIndexByte(then, '/') == len(server)-1
}

// look finds the clients that are on the list and not on the ledger.
func (m *memory) look(asked time.Time, c media.Census, list *listed, f *findings) {
	missing := map[clientKey]time.Time{}
	for i, live := range c.Clients {
		if live.Relay {
			continue
		}
		f.clients++
		if live.Scene == media.Publish {
			f.publishers++
		}
		if list.taken[i] || live.ID == "" || live.Scene == "" || live.Stream.Name == "" {
			continue
		}
		k := keyOf(live, c)
		since, known := m.missing[k]
		if !known {
			since = asked
		}
		missing[k] = since
		if max(live.Uptime, asked.Sub(since)) >= grace {
			f.missed = append(f.missed, m.found(asked, live, c))
		}
	}
	m.missing = missing
}

// found tells what is known of a missed client. Who came through a door that
// asked us already and was not asked about has no credential; who may have come
// before is believed to have had one.
func (m *memory) found(asked time.Time, live media.LiveClient, c media.Census) ledger.Found {
	f := ledger.Found{Told: live.QueryTold || live.Query != "", Event: media.Event{Action: media.Playing, ServerID: serverID(live, c), ClientID: live.ID,
		Serial: live.Serial, Stream: live.Stream, Address: live.Address, Protocol: live.Protocol, Query: live.Query}}
	if live.Scene == media.Publish {
		f.Action = media.Publishing
	}
	if live.Uptime <= 0 {
		return f
	}
	f.Began = asked.Add(-live.Uptime)
	since, asks := m.asks[doorOf(live.Scene, live.Stream, live.Protocol)]
	f.Told = f.Told || asks && f.Began.After(since.Add(slack))
	return f
}

func (m *memory) noteDoor(s ledger.Session) {
	switch s.Credential {
	case "", access.ByPolicy, access.Unproven:
		return
	}
	d, began := doorOf(s.Scene, s.Stream, s.Protocol), s.StartedAt
	if began.Before(m.clockSet) { // by another clock
		began = m.clockSet
	}
	since, known := m.asks[d]
	if known && !began.Before(since) || !known && len(m.asks) >= maxDoors {
		return
	}
	m.asks[d] = began
}

func doorOf(scene media.Scene, st media.Stream, protocol string) door {
	return door{st.Vhost, st.App, protocol, scene}
}

// identify notes who answered and reports whether several processes share the
// address, so that no list is whole: one that answered before answers again, or
// one that was there all along answers for the first time.
func (m *memory) identify(asked time.Time, identity string, c media.Census) bool {
	if identity != m.identity && m.identity != "" && identity != "" {
		_, again := m.former[identity]
		if again || c.Age > 0 && asked.Add(-c.Age).Before(m.answeredAt.Add(-slack)) {
			m.partialUntil = asked.Add(partialFor)
		}
		if len(m.former) >= maxFormer {
			clear(m.former)
		}
		m.former[m.identity] = asked
	}
	m.identity, m.answeredAt = identity, asked
	return asked.Before(m.partialUntil)
}
