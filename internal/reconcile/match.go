package reconcile

import (
	"slices"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/ledger"
	"github.com/stagedoor-live/stagedoor/internal/media"
)

// listed is a census in which sessions are looked up.
type listed struct {
	census media.Census
	byID   map[string][]int
	// byStream are the publishers that a node lists without an id.
	byStream map[media.Stream][]int
	taken    []bool // by the place in census.Clients: has a session
	clockSet time.Time
}

func index(c media.Census, clockSet time.Time) *listed {
	l := &listed{census: c, clockSet: clockSet, byID: make(map[string][]int, len(c.Clients)), byStream: map[media.Stream][]int{}, taken: make([]bool, len(c.Clients))}
	for i, live := range c.Clients {
		l.byID[live.ID] = append(l.byID[live.ID], i)
		if live.ID == "" && live.Scene == media.Publish && live.Stream.Name != "" {
			l.byStream[live.Stream] = append(l.byStream[live.Stream], i)
		}
	}
	return l
}

// take finds the client of a session on the list.
func (l *listed) take(s ledger.Session, asked time.Time) (media.LiveClient, bool) {
	for _, i := range slices.Concat(l.byID[s.ClientID], l.nameless(s)) {
		live := l.census.Clients[i]
		if live.Relay || !isOf(s, live, serverID(live, l.census)) || l.laterThan(s, live, asked) {
			continue
		}
		l.taken[i] = true
		return live, true
	}
	return media.LiveClient{}, false
}

// nameless are the publishers without an id. A stream has one publisher, so the
// stream tells which one it is.
func (l *listed) nameless(s ledger.Session) []int {
	if s.Scene != media.Publish {
		return nil
	}
	return l.byStream[s.Stream]
}

// isOf says whether a client on a list may be the one of a session with the same
// client id. What the list does not tell proves nothing.
func isOf(s ledger.Session, live media.LiveClient, server string) bool {
	if server != "" && s.ServerID != "" && server != s.ServerID {
		return false
	}
	if live.Scene != "" && live.Scene != s.Scene {
		return false
	}
	return live.Stream.Name == "" || live.Stream == s.Stream
}

// laterThan says whether a connection began after a session with its number did,
// so that it is another one that was given the number again. How old a session is
// cannot be said when the clock was set since.
func (l *listed) laterThan(s ledger.Session, live media.LiveClient, asked time.Time) bool {
	return live.Serial > 0 && live.Uptime > 0 && !s.StartedAt.Before(l.clockSet) && asked.Add(-live.Uptime).After(s.StartedAt.Add(grace))
}

// serverID is the identity of the process that has the client.
func serverID(live media.LiveClient, c media.Census) string {
	if live.ServerID != "" {
		return live.ServerID
	}
	return c.ServerID
}

func keyOf(live media.LiveClient, c media.Census) clientKey {
	return clientKey{serverID(live, c), live.ID, live.Scene, live.Stream}
}
