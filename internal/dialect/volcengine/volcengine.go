// Package volcengine speaks the dialect of the Volcengine live OpenAPI: one
// path, an action and a version in the query, and requests that are signed with
// an access key.
//
// A request passes the phases of call in their order, so that no action can
// skip one; an action then converts, calls a service and converts back. What a
// signature is made of is in the package signature, what differs from the
// vendor in README.md.
package volcengine

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	gen "github.com/stagedoor-live/stagedoor/gen/volcengine"
	"github.com/stagedoor-live/stagedoor/internal/access"
	"github.com/stagedoor-live/stagedoor/internal/account"
	"github.com/stagedoor-live/stagedoor/internal/httpx"
	"github.com/stagedoor-live/stagedoor/internal/ledger"
	"github.com/stagedoor-live/stagedoor/internal/media"
)

// budget is what one request may take. The least patient SDK gives up after
// five seconds; the others after ten.
const budget = 5 * time.Second

type accounts interface {
	KeyHolder(ctx context.Context, id string) (secret []byte, holder account.Principal, err error)
	KeyUsed(id string)
}

type rules interface {
	WriteRule(ctx context.Context, in access.WholeRule) (access.Rule, error)
	EnableRule(ctx context.Context, domain, vhost, app string, scene media.Scene, on bool) (access.Rule, error)
	RevealRules(ctx context.Context, f access.RuleFilter) ([]access.RevealedRule, error)
	SignWith(l media.Link, expires time.Time, verbatim bool) access.Signed
}

type bans interface {
	Forbid(ctx context.Context, b access.Ban) error
	Resume(ctx context.Context, vhost, domain, app, stream string) error
	Bans(ctx context.Context, f access.BanFilter) (bans []access.Ban, total int64, err error)
	Banned(now time.Time, host string, st media.Stream) bool
}

type streams interface {
	Live(ctx context.Context, f ledger.LiveFilter) ([]ledger.LiveStream, int64, error)
	Closed(ctx context.Context, f ledger.ClosedFilter) ([]ledger.Session, int64, error)
}

type kicker interface {
	KickStream(ctx context.Context, st media.Stream) (int, error)
}

// Links says where URLs point, as they do in rooms. Domains may carry a port.
type Links struct {
	PushDomain, PullDomain, HTTPPullDomain string
	HTTPScheme                             string // of FLV and HLS URLs
}

// Server serves the dialect. Every field is needed but Home.
type Server struct {
	Accounts accounts
	Rules    rules
	Bans     bans
	Streams  streams
	Kicks    kicker
	Links    Links
	Now      func() time.Time
	Log      *slog.Logger
	// Home answers a browser that asks for / without an action; nil: there is
	// nothing to see.
	Home http.HandlerFunc

	limits  limits
	unknown http.HandlerFunc // answers what is not for this dialect
	handler http.Handler
}

var _ gen.ServerInterface = (*Server)(nil)

// Register mounts the dialect. It answers for requests to / that are evidently
// meant for it, wrong methods and panics included; the rest of / stays with
// whoever has it.
func (s *Server) Register(rt *httpx.Router) {
	s.unknown = rt.NotFound
	s.handler = httpx.NoStore(httpx.WithinBudget(budget)(http.HandlerFunc(s.serve)))
	gen.HandlerWithOptions(s, gen.StdHTTPServerOptions{
		BaseRouter: rt,
		// What the generated code cannot bind is refused in the dialect's own
		// order of checks, as everything is.
		ErrorHandlerFunc: func(w http.ResponseWriter, r *http.Request, _ error) { s.handler.ServeHTTP(w, r) },
	})
	rt.ErrorsFor(s.writeError, speaks)
}

// CallVolcengine serves POST /.
func (s *Server) CallVolcengine(w http.ResponseWriter, r *http.Request, _ gen.CallVolcengineParams) {
	s.handler.ServeHTTP(w, r)
}

// QueryVolcengine serves GET /.
func (s *Server) QueryVolcengine(w http.ResponseWriter, r *http.Request, _ gen.QueryVolcengineParams) {
	s.handler.ServeHTTP(w, r)
}

// speaks recognises a request of this dialect. Anything else that asks for /,
// a browser for one, knows nothing of it.
func speaks(r *http.Request) bool {
	if r.URL.Path != "/" && r.URL.Path != "" {
		return false
	}
	q := r.URL.Query()
	for _, name := range [...]string{"Action", "Version", "X-Date", "X-Signature", "X-Credential", "X-Algorithm"} {
		if q.Has(name) {
			return true
		}
	}
	return r.Header.Get("X-Date") != "" || hasScheme(r.Header.Get("Authorization"))
}

// answerOthers answers what is not for this dialect: people find their page at
// the same path.
func (s *Server) answerOthers(w http.ResponseWriter, r *http.Request) {
	if s.Home != nil && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
		s.Home(w, r)
		return
	}
	s.unknown(w, r)
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	if !speaks(r) {
		s.answerOthers(w, r)
		return
	}
	c := &call{region: defaultRegion}
	result, err := s.call(w, r, c)
	if err != nil {
		s.fail(w, r, c.region, err)
		return
	}
	httpx.WriteJSON(w, http.StatusOK, answer{s.metadata(r, c.region), result})
}
