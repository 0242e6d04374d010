// Package node keeps the media servers that may call back: their secrets and
// source addresses, and where their control pages and recordings are.
//
// A callback is authenticated from memory. The node named "local" exists from
// the first start and needs no secret, but answers loopback addresses only, so
// that a media server on the same machine works at once.
package node

import (
	"crypto/sha256"
	"io"
	"net/netip"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/lastuse"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/pg"
	"github.com/stagedoor-live/stagedoor/internal/seal"
)

// Local is the name of the node that loopback addresses need no secret for.
const Local = "local"

// The kinds of media server. Any stands for one whose kind is not known: its
// callbacks are answered, but it has no control page that we could read.
const (
	KindAny       = "any"
	KindSRS       = "srs"
	KindNginxRTMP = "nginx-rtmp"
	KindMediaMTX  = "mediamtx"
	KindNMS       = "node-media-server"
	KindZLM       = "zlmediakit"
	KindOME       = "ovenmediaengine"
	KindAliyun    = "aliyun"
	KindNginx     = "nginx" // an edge that asks by auth_request
)

// Kinds lists every kind.
var Kinds = []string{KindAny, KindSRS, KindNginxRTMP, KindMediaMTX, KindNMS, KindZLM, KindOME, KindAliyun, KindNginx}

// Node is a configured media server. Its secret is shown once, by Create and
// RotateSecret.
type Node struct {
	media.Node
	Secured   bool // whether callbacks need its secret
	Sources   []netip.Prefix
	CreatedAt time.Time
	UpdatedAt time.Time

	key []byte // the secret, of a node that signs
}

// Config lists what a Service depends on.
type Config struct {
	DB   pg.DB
	Box  *seal.Box
	Now  func() time.Time
	Rand io.Reader
}

// Service manages nodes and recognises them.
type Service struct {
	Config
	q *db.Queries

	// applying is held from reading rows until they are in memory, so that of
	// two readers the later one also writes later.
	applying sync.Mutex

	seen lastuse.Uses[string] // callbacks by name of their node

	mu       sync.RWMutex
	byName   map[string]Node
	bySecret map[[sha256.Size]byte]string
}

// New returns a Service that knows no node until Reload.
func New(c Config) *Service {
	return &Service{Config: c, q: db.New(), byName: map[string]Node{}, bySecret: map[[sha256.Size]byte]string{}}
}

var (
	errUnauthenticated = errs.New(errs.Forbidden, string(media.Unauthenticated), "the callback comes from no known node")
	// ErrNotFound says that no node has the name.
	ErrNotFound = errs.New(errs.NotFound, "node_not_found", "no such node")
	constraints = map[string]*errs.Error{
		"nodes_pkey":       errs.New(errs.Conflict, "node_exists", "a node of this name exists"),
		"nodes_name_check": errs.InvalidField("name", "a name is a-z 0-9 _ - and starts with a letter or digit"),
	}
)

// Authenticate says which node a callback comes from: the one that the secret
// belongs to, if the source is one of its addresses; without a secret the
// local node, if direct is set and the source is a loopback address. Direct
// means that no proxy stood in between. The secret is looked up by its hash,
// so the time that takes tells nothing of it. Error: Forbidden.
func (s *Service) Authenticate(secret string, source netip.Addr, direct bool) (media.Node, error) {
	source = source.Unmap().WithZone("") // prefixes know neither
	s.mu.RLock()
	defer s.mu.RUnlock()
	name := Local
	if secret != "" {
		var ok bool
		if name, ok = s.bySecret[sha256.Sum256([]byte(secret))]; !ok {
			return media.Node{}, errUnauthenticated
		}
	}
	n, ok := s.byName[name]
	if !ok || !n.admits(source) {
		return media.Node{}, errUnauthenticated
	}
	if secret == "" && (n.Secured || !direct || !source.IsLoopback()) {
		return media.Node{}, errUnauthenticated
	}
	s.seen.Note(name, s.Now())
	return n.Node, nil
}

func (n Node) admits(source netip.Addr) bool {
	if len(n.Sources) == 0 {
		return true
	}
	for _, p := range n.Sources {
		if p.Contains(source) {
			return true
		}
	}
	return false
}

// Get returns a node from memory.
func (s *Service) Get(name string) (media.Node, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	n, ok := s.byName[name]
	return n.Node, ok
}

// Known lists the nodes in memory by name.
func (s *Service) Known() []media.Node {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := make([]media.Node, 0, len(s.byName))
	for _, n := range s.byName {
		out = append(out, n.Node)
	}
	slices.SortFunc(out, func(a, b media.Node) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// RecordURL returns where a recorded file is served, or "". Only the last
// element of the reported path is used: the rest is untrusted text that names
// folders of another machine. It is escaped so that it stays one value in the
// path and in the query of the template.
func (s *Service) RecordURL(name, file string) string {
	n, ok := s.Get(name)
	base := path.Base(strings.ReplaceAll(file, `\`, "/"))
	if !ok || n.RecordURL == "" || base == "." || base == "/" || base == ".." {
		return ""
	}
	escaped := strings.ReplaceAll(url.QueryEscape(base), "+", "%20")
	return strings.ReplaceAll(n.RecordURL, "{file}", escaped)
}
