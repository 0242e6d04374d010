package evict

import (
	"context"
	"time"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/media"
)

// presence is what a node's own list says of a session.
type presence int

const (
	unknown presence = iota // there is no list, or it does not tell
	present
	absent
	another // the number is there, and is somebody else's by now
)

// The margins of what lists tell.
const (
	// grace is how long somebody who has only just come may be missing.
	grace = 10 * time.Second
	// skew is how much later than its session a connection may seem to have begun.
	skew = 5 * time.Second
)

// seen is a node's list as it was a moment ago; nil of a node without one.
type seen struct {
	now        time.Time
	clockSet   time.Time // see clock.Watch
	census     *media.Census
	clients    map[string][]media.LiveClient // by id
	publishers []media.LiveStream            // of a node that lists streams only
	streams    bool
}

// look asks the node for its list where that is needed: to verify an earlier
// attempt, and before the first one on a server that counts its clients from one
// after each start. A node that can be told but not asked is taken at its word.
func (s *Service) look(ctx context.Context, n media.Node, c media.Control, jobs []*job) (*seen, error) {
	if n.ControlURL == "" || !worthLooking(jobs) {
		return &seen{}, nil
	}
	out := &seen{now: s.Now(), clockSet: s.Clock.SetAt()}
	switch {
	case c.Census != nil:
		census, err := c.Census.Census(ctx, n)
		if err != nil {
			return nil, err
		}
		out.census, out.clients = &census, map[string][]media.LiveClient{}
		for _, client := range census.Clients {
			out.clients[client.ID] = append(out.clients[client.ID], client)
		}
	case c.Lister != nil:
		streams, err := c.Lister.Streams(ctx, n)
		if err != nil {
			return nil, err
		}
		out.publishers, out.streams = streams, true
	}
	return out, nil
}

func worthLooking(jobs []*job) bool {
	for _, j := range jobs {
		if j.row.Tries > 0 || j.session.Serial > 0 {
			return true
		}
	}
	return false
}

func (l *seen) of(row db.OpenSession) presence {
	switch {
	case l.census != nil:
		return l.ofClient(row)
	case l.streams && row.Scene == string(media.Publish):
		return l.ofPublisher(row)
	}
	return unknown
}

func (l *seen) ofClient(row db.OpenSession) presence {
	taken := false
	for _, c := range l.clients[row.ClientID] {
		switch l.match(c, row) {
		case present:
			return present
		case another:
			taken = true
		}
	}
	complete := row.Scene == string(media.Publish) && l.census.Publishers || row.Scene == string(media.Play) && l.census.Players
	switch {
	case taken:
		return another
	case complete:
		return absent
	}
	return unknown
}

// match compares a connection of the same number with a session. What a list
// does not tell speaks against nobody.
func (l *seen) match(c media.LiveClient, row db.OpenSession) presence {
	server := c.ServerID
	if server == "" {
		server = l.census.ServerID
	}
	switch {
	case server != "" && row.ServerID != "" && server != row.ServerID,
		c.Address != "" && row.Address != "" && c.Address != row.Address,
		c.Scene != "" && string(c.Scene) != row.Scene,
		c.Stream.App != "" && c.Stream.App != row.App,
		c.Stream.Name != "" && c.Stream.Name != row.Stream,
		l.cameLater(c, row):
		return another
	}
	return present
}

// cameLater says whether a connection began after a session did, which cannot be
// said when the clock was set since.
func (l *seen) cameLater(c media.LiveClient, row db.OpenSession) bool {
	return c.Uptime > 0 && !row.StartedAt.Before(l.clockSet) && l.now.Add(-c.Uptime).After(row.StartedAt.Add(skew))
}

func (l *seen) ofPublisher(row db.OpenSession) presence {
	for _, st := range l.publishers {
		switch {
		case st.Stream != streamOf(row):
		case st.PublisherID == "":
			return unknown
		case st.PublisherID != row.ClientID, st.ServerID != "" && row.ServerID != "" && st.ServerID != row.ServerID:
			return another
		default:
			return present
		}
	}
	return absent
}
