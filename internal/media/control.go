package media

import (
	"context"
	"net/netip"
	"net/url"
	"time"
)

// Control is what servers of one kind can be asked and told. What a kind cannot
// do is nil.
type Control struct {
	Lister Lister
	Census CensusTaker
	Kicker Kicker
	Puller Puller
	// Lines returns what an operator pastes into the server's configuration.
	Lines func(Setup) string
}

// Controls are the kinds of media server by name.
type Controls map[string]Control

// Setup is what a server must be told of us.
type Setup struct {
	Base   string // URL under which it reaches us, without a slash at its end
	Node   string // its name here
	Secret string // what its callbacks carry; empty for a node without one
	App    string // application that our URLs name
	// ControlURL and Username are those of the node, where it has them: what the
	// server is to listen to. The password is not shown again.
	ControlURL, Username string
	// Callers are the addresses that we ask the control URL from, as far as they
	// are known.
	Callers []netip.Addr
}

// URL returns where a callback goes: a path of ours, with the secret where
// there is one.
func (s Setup) URL(path string) string {
	if s.Secret == "" {
		return s.Base + path
	}
	return s.Base + path + "?secret=" + url.QueryEscape(s.Secret)
}

// SignedURL returns where a callback goes whose server signs it: a path of ours
// with the name of the node. The secret is the key of the signature and stands
// in no URL.
func (s Setup) SignedURL(path string) string {
	if s.Secret == "" {
		return s.Base + path
	}
	return s.Base + path + "?node=" + url.QueryEscape(s.Node)
}

// Census is all connections of a node at one moment, as the node tells it.
type Census struct {
	// ServerID is the identity of the server process, as in Event; empty where
	// the server has none.
	ServerID string
	Clients  []LiveClient
	// Publishers and Players say whether all of them are in Clients, so that who
	// is missing is gone. A server that does not list its HLS players tells so by
	// leaving Players unset.
	Publishers, Players bool
	// Unlisted are protocols whose players are missing even where Players is set.
	Unlisted []string
	// Process names the operating system's process that answered where ServerID
	// does not, and Age is how long it has run: older connections are not its own.
	// Empty and zero where unknown.
	Process string
	Age     time.Duration
}

// LiveClient is one connection on a node's list. A Scene or a Stream.Name that
// is empty was not told.
type LiveClient struct {
	Client
	Scene             Scene
	ServerID          string        // as in Event, where one node is several processes; else as the census
	Serial            int64         // as in Event
	Query             string        // what the client put behind the stream name, where the list tells
	QueryTold         bool          // the list tells it: an empty Query is none
	Relay             bool          // the server's own pull or push, not a client
	Uptime            time.Duration // of the connection; zero if unknown
	BytesIn, BytesOut int64
}

// CensusTaker is the optional ability to list every connection of a node. An
// error means that nothing is known: the node is then neither empty nor gone.
type CensusTaker interface {
	Census(ctx context.Context, n Node) (Census, error)
}

// Pull is a stream that a node fetches from elsewhere.
type Pull struct {
	Stream Stream // under which it is played
	// Source is the remote URL with its credentials: a secret.
	Source string
	// KeepAlive says to pull without viewers; otherwise the pull begins with the
	// first viewer where the server can do that, and ends IdleAfter the last.
	KeepAlive bool
	IdleAfter time.Duration
}

// PullState is how a pull goes, as its node tells it.
type PullState struct {
	Stream  Stream
	Ready   bool   // media arrives
	Viewers int    // as far as the server counts
	Fault   string // why it does not go, where the server tells; holds no secret
}

// Puller is the optional ability to fetch streams from elsewhere.
type Puller interface {
	// Pull makes the node fetch a stream, and is no error where it does so
	// already. A pull of the same stream from another source is replaced.
	Pull(ctx context.Context, n Node, p Pull) error
	// Unpull ends a pull, and is no error where there is none.
	Unpull(ctx context.Context, n Node, st Stream) error
	// Pulls lists those that were begun through Pull and are still there.
	Pulls(ctx context.Context, n Node) ([]PullState, error)
	// OnDemand says whether the server itself begins a pull with its first viewer
	// and ends it after the last.
	OnDemand() bool
}
