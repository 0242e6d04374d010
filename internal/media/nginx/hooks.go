// Package nginx answers edges of nginx that ask by auth_request who may play
// what they serve: HTTP-FLV that they pass on, and HLS or DASH files. Any proxy
// that asks in the same way will do.
package nginx

import (
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	gen "github.com/stagedoor-live/stagedoor/gen/callback"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/media/hook"
)

// Hooks answers the questions of edges. Each request must carry the node that
// it was proved to come from (media.WithNode); without one it is refused.
type Hooks struct {
	Ledger   media.Ledger
	Sessions *Sessions
	Now      func() time.Time
	Log      *slog.Logger
}

// NginxAuthRequest says whether a player may have what it asked an edge for. A
// playlist is decided by its credential and begins a session; a segment is
// decided by the session of its playlist, or by a credential of its own.
// Nothing is recorded: an edge does not tell when a player leaves.
func (h Hooks) NginxAuthRequest(w http.ResponseWriter, r *http.Request, p gen.NginxAuthRequestParams) {
	node := media.NodeFrom(r.Context())
	if node.Name == "" {
		refuse(w, r, http.StatusForbidden, media.Unauthenticated)
		return
	}
	a, err := parse(p.XOriginalURI, layoutOf(p))
	if err != nil {
		refuse(w, r, http.StatusForbidden, media.InvalidStream)
		return
	}
	q := question{Hooks: h, r: r, params: p, node: node.Name, asked: a, now: h.Now()}
	verdict, granted, err := q.decide()
	if err != nil {
		h.Log.ErrorContext(r.Context(), "callback failed", "node", node.Name, "stream", a.stream, "error", err)
		verdict = media.Verdict{Reason: media.TemporarilyUnavailable}
	}
	switch {
	case verdict.Reason == media.TemporarilyUnavailable && !verdict.Allow:
		refuse(w, r, http.StatusServiceUnavailable, verdict.Reason)
	case !verdict.Allow:
		refuse(w, r, http.StatusForbidden, verdict.Reason)
	default:
		q.grant(w, granted)
		w.Header().Set("Content-Length", "0")
		w.WriteHeader(http.StatusOK)
	}
}

func layoutOf(p gen.NginxAuthRequestParams) layout {
	l := layout{app: p.App, skip: max(int(p.Skip), 0)}
	for suffix := range strings.SplitSeq(p.Variants, ",") {
		if suffix != "" {
			l.variants = append(l.variants, suffix)
		}
	}
	return l
}

// question is one request of an edge.
type question struct {
	Hooks
	r      *http.Request
	params gen.NginxAuthRequestParams
	node   string
	asked  asked
	now    time.Time
}

// decide asks the core: about the session that the player brings, and where
// that is none or not good any more about the credential that it brings now. A
// player without either hears why its session ended.
func (q *question) decide() (media.Verdict, *session, error) {
	if len(q.r.Header["Cookie"]) == 0 && !strings.Contains(q.asked.query, sessionParam) {
		return q.byCredential()
	}
	held, found := q.Sessions.find(&q.asked, hostOf(q.params.XOriginalHost), q.r.Cookies(), q.now)
	if !found {
		return q.byCredential()
	}
	ended, err := q.Ledger.Handle(q.r.Context(), q.running(held))
	if err != nil || ended.Allow {
		return ended, &held, err
	}
	v, granted, err := q.byCredential()
	if v.Reason == media.NoCredential {
		return ended, nil, err
	}
	return v, granted, err
}

// byCredential asks about what the player brings in this very request.
func (q *question) byCredential() (media.Verdict, *session, error) {
	e := q.event()
	v, err := q.Ledger.Handle(q.r.Context(), e)
	return v, q.begin(&e), err
}

// event asks about the credential of this very request.
func (q *question) event() media.Event {
	a := q.asked
	e := q.common(a.stream)
	e.Action, e.Tentative, e.Path, e.Query = media.Playing, true, a.path, withoutSession(a.query)
	e.Username, e.Password, e.Bearer = credentials(q.r)
	return e
}

// running asks about a player that was admitted before.
func (q *question) running(s session) media.Event {
	e := q.common(media.Stream{Vhost: media.DefaultVhost, App: s.App, Name: s.Stream})
	e.Action, e.On = media.Updated, media.Play
	e.Host, e.Path, e.Query, e.Bearer = s.Host, s.Path, s.Query, s.Bearer
	return e
}

func (q *question) common(st media.Stream) media.Event {
	e := media.Event{Node: q.node, Stream: st, Address: q.params.XOriginalAddr, Protocol: "hls", Host: hostOf(q.params.XOriginalHost),
		PageURL: q.r.Referer(), Source: hook.Source(q.r)}
	if q.asked.part == whole {
		e.Protocol = "http-flv"
	}
	return e
}

// begin makes a session of the credential that a playlist was admitted by. One
// of HTTP Basic is not put into it: players repeat that themselves.
func (q *question) begin(e *media.Event) *session {
	if q.asked.part != playlist || e.Password != "" {
		return nil
	}
	return &session{Base: q.asked.base, App: e.Stream.App, Stream: e.Stream.Name, Host: e.Host, Path: e.Path, Query: e.Query, Bearer: e.Bearer,
		Folder: q.asked.folder, Began: q.now.Unix()}
}

// grant hands the session to the player: in a cookie, and in a header for
// edges that write it into playlists.
func (q *question) grant(w http.ResponseWriter, s *session) {
	if s == nil || s.Used != 0 && q.asked.part != playlist && !q.Sessions.stale(*s, q.now) {
		return
	}
	s.Used = q.now.Unix()
	text, err := q.Sessions.seal(*s)
	if err != nil || text == "" {
		q.Log.WarnContext(q.r.Context(), "no session for a player", "stream", q.asked.stream, "error", err)
		return
	}
	w.Header().Set("X-Stagedoor-Session", text)
	w.Header().Set("Set-Cookie", q.Sessions.cookie(*s, text, q.params.XOriginalProto == "https").String())
	w.Header().Set("Cache-Control", "no-store")
}

func credentials(r *http.Request) (username, password, bearer string) {
	if username, password, ok := r.BasicAuth(); ok {
		return username, password, ""
	}
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if strings.EqualFold(scheme, "bearer") {
		return "", "", strings.TrimSpace(token)
	}
	return "", "", ""
}

func hostOf(host string) string {
	if strings.IndexByte(host, ':') < 0 { // whose error would cost more than all else
		return host
	}
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return host
}

// refuse answers with the only status that auth_request takes for a no; any
// other one but 401 is a failure to it, which nginx tells the player as 500.
var refuse = hook.Refusal("header", "not the question of an edge")
