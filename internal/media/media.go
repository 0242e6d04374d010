// Package media is the vocabulary that media servers and the core share: an
// Event that happened, the Verdict that answers it, and what some servers can
// do beyond calling back. It holds no logic of any server.
package media

import (
	"context"
	"log/slog"
	"net/netip"
	"strings"
	"time"
)

// Scene says which side of the door a client stands at.
type Scene string

// The two scenes.
const (
	Publish Scene = "publish"
	Play    Scene = "play"
)

// Action is what a media server reports.
type Action string

// The actions. Publishing, Playing and Updated ask for a verdict; the others inform.
const (
	Connecting   Action = "connect"   // a connection, before it says what it wants
	Publishing   Action = "publish"   // asks: may this client publish?
	Playing      Action = "play"      // asks: may this client play?
	Unpublished  Action = "unpublish" // the publisher is gone
	Stopped      Action = "stop"      // the player is gone
	Disconnected Action = "close"     // the whole connection is gone
	Updated      Action = "update"    // a running session is alive; a refusal ends it
	Recorded     Action = "record"    // a recording file is complete
	Restarted    Action = "restart"   // a server process began or ended: what earlier ones had is gone
	Informed     Action = "info"      // nothing that the core keeps (an HLS segment, a heartbeat)
)

// Asks reports whether the media server waits for a verdict and obeys it. The
// other actions only inform: they are answered as soon as they are recorded.
func (a Action) Asks() bool {
	return a == Publishing || a == Playing || a == Updated
}

// DefaultVhost is the vhost of servers and URLs that name none.
const DefaultVhost = "__defaultVhost__"

// Stream names a stream: vhost, application and canonical name, the one under
// which the media server itself files it, whatever its client wrote. SRS drops
// the query and one format extension, nginx-rtmp the query only.
type Stream struct {
	Vhost string
	App   string
	Name  string
}

// Path returns "/app/name", what URL signatures cover, or "/name" on a server
// that has streams without an application.
func (s Stream) Path() string {
	if s.App == "" {
		return "/" + s.Name
	}
	return "/" + s.App + "/" + s.Name
}

// String returns "app/name", prefixed by the vhost where it is not the default.
func (s Stream) String() string {
	if s.Vhost == "" || s.Vhost == DefaultVhost {
		return s.App + "/" + s.Name
	}
	return s.Vhost + "/" + s.App + "/" + s.Name
}

// LogValue writes the stream as String does. What a client put into a name of
// its own making may be a credential, and is left out.
func (s Stream) LogValue() slog.Value {
	s.Vhost, s.App, s.Name = WithoutQuery(s.Vhost), WithoutQuery(s.App), WithoutQuery(s.Name)
	return slog.StringValue(s.String())
}

// CanonicalName cuts a stream name at its query and drops one format
// extension: media servers give "x", "x.flv" and "x.m3u8?a=b" the same source.
func CanonicalName(name string) string {
	name, _, _ = strings.Cut(name, "?")
	if i := strings.LastIndexByte(name, '.'); i > 0 {
		name = name[:i]
	}
	return name
}

// Event is one callback of a media server, in our words. Everything in it but
// Node was said by the server or its client and is untrusted text.
type Event struct {
	Action Action
	On     Scene  // Updated: the side that the running session is on
	Node   string // name of the authenticated node
	// ServerID is the identity of the server process: "server/process" where
	// the server has one that outlives its processes, any text that changes at a
	// restart elsewhere, empty where there is none.
	ServerID string
	// ClientID is the connection id, unique within one server process. Stopped
	// without one means everybody who plays the stream by Protocol; Recorded
	// without one means whoever published the stream when the file began.
	ClientID string
	// Serial is the connection id as a number where a server without a
	// ServerID counts connections from one at each start; else zero.
	Serial   int64
	Stream   Stream
	Address  string // client address as reported, without port where possible
	Protocol string // rtmp, http-flv, hls, srt, webrtc; "" if unknown
	Host     string // host name the client connected to (tcUrl), without port; may be empty
	Query    string // what the client put behind the stream name, raw, without "?"
	// Path is the path of the URL that the client asked for, percent-encoded as
	// it stood; empty where the server does not tell.
	Path string
	// Origin is what stood before that path ("rtmp://host:1935"); empty where the
	// server does not tell.
	Origin  string
	PageURL string // web page of the player, where known
	Relay   bool   // the server's own pull or push, not a client
	// Username, Password and Bearer are credentials that the client's protocol
	// carries beside the query; empty where it has none.
	Username, Password, Bearer string
	// Tentative asks only: nothing is recorded, because the session that may
	// follow is reported on its own, or not at all.
	Tentative bool
	// Fact reports what is running already, whatever we answer: a server that
	// does not wait for answers, or its list. Who is refused is on record all the
	// same, until cut off.
	Fact bool
	// Resumes says that the server took the stream from its earlier publisher,
	// who is gone, and gave it to this one.
	Resumes bool
	// Began and Ended are by the server's clock, where it tells of an end late:
	// of a recording, or of the session. Zero where it does not tell.
	Began, Ended time.Time `json:",omitzero"`
	// At is when it happened by the clock of a server whose events come in any
	// order and without ids to tell them apart; a moment of the future counts as
	// now. Restarted: what began before is gone. Zero for all others.
	At       time.Time  `json:",omitzero"`
	File     string     // Recorded: path, absolute or relative to Dir
	Dir      string     // Recorded: directory that a relative File starts from
	Duration float64    // Recorded: seconds, zero when unknown
	BytesIn  int64      // Disconnected: bytes received from the client
	BytesOut int64      // Disconnected: bytes sent to the client
	Source   netip.Addr // where the callback itself came from
}

// Scene returns the scene that an action belongs to, or "" for neither.
func (e *Event) Scene() Scene {
	switch e.Action {
	case Publishing, Unpublished:
		return Publish
	case Playing, Stopped:
		return Play
	case Updated:
		return e.On
	}
	return ""
}

// Reason is a stable code that says why a decision went the way it did.
type Reason string

// The reasons. Refusals are counted, logged and explained by them.
const (
	Allowed                Reason = "allowed"
	OpenPolicy             Reason = "open_policy"        // no credential needed: rule off or default policy open
	Duplicate              Reason = "duplicate"          // the same callback again; the answer is the same
	ServerRelay            Reason = "server_relay"       // the media server's own pull or push
	CredentialUnknown      Reason = "credential_unknown" // found running, on record on trust
	Unauthenticated        Reason = "callback_unauthenticated"
	StreamForbidden        Reason = "stream_forbidden" // banned for a while, whatever the credential
	RoomEnded              Reason = "room_ended"
	NoCredential           Reason = "no_credential"
	TokenUnknown           Reason = "token_unknown"
	TokenExpired           Reason = "token_expired"
	TokenRevoked           Reason = "token_revoked"
	CredentialConflict     Reason = "credential_conflict" // several different values of one parameter
	SignatureMalformed     Reason = "signature_malformed"
	SignatureMismatch      Reason = "signature_mismatch"
	SignatureExpired       Reason = "signature_expired"
	KeyRevoked             Reason = "key_revoked" // a right signature, of a key that is revoked
	WrongStream            Reason = "wrong_stream"
	WrongScene             Reason = "wrong_scene"   // a play credential at the publish door
	WrongAddress           Reason = "wrong_address" // bound to another client address
	NoRight                Reason = "no_right"
	InvalidCredentials     Reason = "invalid_credentials" // no account has this name and password
	TooManyAttempts        Reason = "too_many_attempts"   // wrong passwords from one address
	AlreadyPublishing      Reason = "already_publishing"
	InvalidStream          Reason = "invalid_stream" // a name that no URL of ours could carry
	TemporarilyUnavailable Reason = "temporarily_unavailable"
)

// Verdict answers an Event.
type Verdict struct {
	Allow  bool
	Reason Reason
}

// Ledger is what an adapter needs of the core: one method that decides on and
// records an event. An error means that we failed; adapters refuse then.
type Ledger interface {
	Handle(ctx context.Context, e Event) (Verdict, error)
}

// Node is a configured media server as adapters and control clients see it.
type Node struct {
	Name       string
	Kind       string // srs, nginx-rtmp, …
	ControlURL string // base of the control API or statistics page; empty if none
	Username   string // HTTP Basic for the control API; empty if none
	Password   string
	URLs       URLs   // templates of public URLs
	RecordURL  string // template of public recording URLs with {file}; empty if files are not served
}

// LiveStream is one running stream as the media server itself tells it.
type LiveStream struct {
	Stream             Stream
	Clients            int // as the server counts, publisher included
	RecvKbps, SendKbps int
	BytesIn, BytesOut  int64 // since it began
	Video              Video
	Audio              Audio
	Uptime             time.Duration
	// PublisherID is the client id of the publisher, empty if unknown.
	PublisherID string
	ServerID    string // as in Event; empty where the server or the list has none
	Relay       bool   // the publisher is the server's own pull, not a client
}

// Video describes the video track; zero values where the server tells nothing.
type Video struct {
	Codec, Profile, Level string
	Width, Height         int
	FrameRate             float64 // pictures per second
}

// FrameRate is what a server tells, or zero where that is none: it repeats what an
// encoder says of itself.
func FrameRate(told float64) float64 {
	if told > 0 && told <= 1e6 {
		return told
	}
	return 0
}

// Audio describes the audio track; zero values where the server tells nothing.
type Audio struct {
	Codec, Profile      string
	SampleRate, Channel int
}

// Lister is the optional ability to tell which streams run on a node.
type Lister interface {
	Streams(ctx context.Context, n Node) ([]LiveStream, error)
}

// Client is one connection on a node, as its callbacks named it.
type Client struct {
	ID       string
	Stream   Stream
	Address  string // as in Event
	Protocol string
}

// Kicker is the optional ability to cut a connection. Found says whether the
// node still had it: one that is gone already is no error. An error of kind
// Conflict means that this node cannot cut it, whatever happens.
type Kicker interface {
	Kick(ctx context.Context, n Node, c Client) (found bool, err error)
}
