package ipchub

import (
	"context"
	"net/http"
	"strings"

	"github.com/stagedoor-live/stagedoor/internal/account"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/httpx"
)

var (
	errAdminOnly = errs.New(errs.Forbidden, "admin_only", "only administrators may do this")
	errNoSuch    = errs.New(errs.NotFound, "not_found", "no such thing")
)

// open are the paths that need no token. Whether a path is among them is asked
// without regard to case, whether it exists is not.
var open = map[string]bool{"/api/v1/server": true, "/api/v1/runtime": true, loginPath: true, "/api/v1/refreshtoken": true}

// door registers the generated handlers under patterns that net/http accepts,
// and stands before each of them.
type door struct {
	*httpx.Router
	server   *Server
	consumer http.HandlerFunc // of the path with the verb, which is no pattern
}

// HandleFunc makes door a base router of the generated code.
func (d *door) HandleFunc(pattern string, h func(http.ResponseWriter, *http.Request)) {
	switch method, path, _ := strings.Cut(pattern, " "); path {
	case streamsPath + "/{path}:consumer":
		d.consumer = h
	case streamsPath + "/{path}":
		d.Router.HandleFunc(method+" "+streamsPath+"/{path...}", d.guard(d.verbs(h)))
	case routesPath + "/{pattern}":
		d.Router.HandleFunc(method+" "+routesPath+"/{pattern...}", d.guard(d.named("pattern", h)))
	default:
		d.Router.HandleFunc(pattern, d.guard(h))
	}
}

// visitor is who calls and what they show. Nobody is asked who they are where
// no access token is needed.
type visitor struct {
	account.Principal
	token string
}

type visitorKey struct{}

func from(ctx context.Context) visitor {
	v, _ := ctx.Value(visitorKey{}).(visitor)
	return v
}

// caller returns who is calling.
func caller(ctx context.Context) account.Principal { return from(ctx).Principal }

// sent returns the token of the request.
func sent(ctx context.Context) string { return from(ctx).token }

// guard settles who is calling before anything is said about the request. A HEAD
// that net/http takes for a GET is one of the methods that do not exist.
func (d *door) guard(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		p, err := d.server.admit(r)
		if err == nil && p.Username != "" {
			err = httpx.ChargeAccount(r.Context(), w.Header(), p.Username)
		}
		if err == nil && r.Method == http.MethodHead {
			err = errNoSuch
		}
		if err != nil {
			d.server.writeError(w, r, err)
			return
		}
		firstValues(r)
		h(w, r.WithContext(context.WithValue(r.Context(), visitorKey{}, visitor{p, credential(r)})))
	}
}

// admit checks the token and then the role. Reading streams is all that is left
// to those who are no administrators.
func (s *Server) admit(r *http.Request) (account.Principal, error) {
	if open[strings.ToLower(r.URL.Path)] {
		return account.Principal{}, nil
	}
	p, err := s.Accounts.Authenticate(r.Context(), credential(r))
	if err != nil {
		return p, err
	}
	httpx.SetPrincipal(r.Context(), p.Username)
	if !p.Admin && (r.Method != http.MethodGet || !strings.HasPrefix(r.URL.Path, streamsPath)) {
		return p, errAdminOnly
	}
	return p, nil
}

// credential is the first token of the query or, where there is none at all, the
// bearer token.
func credential(r *http.Request) string {
	if sent, ok := r.URL.Query()["token"]; ok {
		return sent[0]
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "bearer") {
		return ""
	}
	return token
}

// verbs keeps paths from h whose last segment has a colon: what follows it is a
// verb, and only one exists.
func (d *door) verbs(h http.HandlerFunc) http.HandlerFunc {
	return d.named("path", func(w http.ResponseWriter, r *http.Request) {
		path, verb, found := cutVerb(r.PathValue("path"))
		switch {
		case !found:
			h(w, r)
		case path != "" && verb == "consumer" && r.Method == http.MethodDelete:
			r.SetPathValue("path", path)
			d.consumer(w, r)
		default:
			d.server.writeError(w, r, errNoSuch)
		}
	})
}

// named wants at least one character of a path that net/http lets be empty.
func (d *door) named(name string, h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.PathValue(name) == "" {
			d.server.writeError(w, r, errNoSuch)
			return
		}
		h(w, r)
	}
}
