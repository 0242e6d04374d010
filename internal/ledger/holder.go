package ledger

import (
	"context"
	"strings"
	"time"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/outage"
)

// holderGrace is how long a publisher may be missing from its server's list
// because it has only just arrived.
const holderGrace = 10 * time.Second

// holderGone asks the node of the publisher on record whether it is still
// there. A node that does not answer, or cannot, leaves the question open.
func (l *Ledger) holderGone(ctx context.Context, holder db.OpenSession, now time.Time) bool {
	n, ok := l.Nodes.Get(holder.Node)
	if f, can := l.Controls[n.Kind].Kicker.(finder); ok && can && n.ControlURL != "" {
		return l.notFound(ctx, f, n, holder)
	}
	if now.Sub(holder.StartedAt).Abs() < holderGrace {
		return false
	}
	lister := l.Controls[n.Kind].Lister
	if !ok || lister == nil || n.ControlURL == "" {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, l.patient)
	defer cancel()
	streams, err := lister.Streams(ctx, n)
	l.outages.Note(ctx, untold, n.Name, err, "node", n.Name)
	if err != nil {
		return false
	}
	for _, s := range streams {
		if isHolder(s, holder) {
			return false
		}
	}
	return true
}

var unfound = outage.Words{Begins: "node does not tell whether it has a client", Ends: "node tells whether it has a client again"}

// finder is the ability to look for one client, whatever it is doing. A server
// that has it knows its clients before it asks about them, so that no time of
// grace is needed, and answers while it waits for us, which a list may not do.
type finder interface {
	Has(ctx context.Context, n media.Node, who media.Client) (bool, error)
}

func (l *Ledger) notFound(ctx context.Context, f finder, n media.Node, holder db.OpenSession) bool {
	ctx, cancel := context.WithTimeout(ctx, l.patient)
	defer cancel()
	has, err := f.Has(ctx, n, media.Client{ID: holder.ClientID, Stream: streamOf(holder), Protocol: holder.Protocol})
	l.outages.Note(ctx, unfound, n.Name, err, "node", n.Name)
	return err == nil && !has
}

// isHolder says whether a stream on a node's list may be the one that the
// session on record publishes. An id that the list does not tell proves nothing.
func isHolder(s media.LiveStream, holder db.OpenSession) bool {
	if s.ServerID != "" && holder.ServerID != "" && s.ServerID != holder.ServerID {
		return false
	}
	if s.PublisherID != "" && s.PublisherID != holder.ClientID {
		return false
	}
	if s.Stream == streamOf(holder) {
		return true
	}
	// nginx-rtmp lists blanks for letters outside ASCII: there the id decides.
	return s.PublisherID != "" && s.Stream.App == holder.App && !isASCII(holder.Stream)
}

func isASCII(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r > 0x7f }) < 0
}

func streamOf(s db.OpenSession) media.Stream {
	return media.Stream{Vhost: s.Vhost, App: s.App, Name: s.Stream}
}

func sameClient(s db.OpenSession, e media.Event) bool {
	return s.Node == e.Node && s.ServerID == e.ServerID && s.ClientID == e.ClientID
}

// restarted says whether the session on record must be of an earlier process
// of the same server. Another process of the server that names itself is proof.
// Another identity without a server in it, or a connection number that has
// started again from below, is none, as two servers may share a node and a
// connection may wait before it publishes: so that counts only for a node that
// cannot be asked.
func (l *Ledger) restarted(s db.OpenSession, e media.Event) bool {
	if s.Node != e.Node {
		return false
	}
	before, after := serverOf(s.ServerID), serverOf(e.ServerID)
	if before != "" || after != "" {
		return before == after && s.ServerID != e.ServerID
	}
	if n, _ := l.Nodes.Get(e.Node); n.ControlURL != "" {
		return false
	}
	if s.ServerID != "" && e.ServerID != "" {
		return s.ServerID != e.ServerID
	}
	return s.Serial > 0 && e.Serial > 0 && e.Serial < s.Serial
}

// serverOf returns the part of "server/process" that survives a restart, with
// its slash, or "" where an identity has no such part.
func serverOf(serverID string) string {
	return serverID[:strings.LastIndexByte(serverID, '/')+1]
}
