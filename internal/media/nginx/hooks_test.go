package nginx

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	gen "github.com/stagedoor-live/stagedoor/gen/callback"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/media/mediatest"
)

const callbackPath = "/callback/nginx"

func TestConformance(t *testing.T) {
	t.Parallel()
	mediatest.Run(t, mediatest.Suite{
		New: func(l media.Ledger, log *slog.Logger) http.Handler { return routes(t, l, log, time.Now) },
		Recordings: []mediatest.Recording{{Name: "edge", Payloads: []mediatest.Payload{
			named("flv", asks("/live/room1.flv?token=abc")),
			named("playlist", asks("/live/room1.m3u8?token=abc&x=y")),
			named("playlist in a folder", asks("/live/room1/index.m3u8?token=abc")),
			named("segment with a credential", asks("/live/room1-17.ts?token=abc")),
			named("token in front", asks("/~token=abc/live/room1.m3u8")),
			named("bearer", asks("/live/room1.m3u8").With("Authorization", "Bearer abc")),
			named("basic", asks("/live/room1.m3u8").With("Authorization", "Basic YWxpY2U6cHc=")),
			named("port in the host", asks("/live/room1.flv").With("X-Original-Host", "play.example.com:8443")),
		}}},
		Exchanges:       exchanges(),
		Bad:             badRequests(),
		Publish:         func(query string) mediatest.Payload { return asks("/live/room1.flv?" + query) },
		Unauthenticated: refused(403, "callback_unauthenticated"),
	})
}

func routes(t testing.TB, l media.Ledger, log *slog.Logger, now func() time.Time) http.Handler {
	t.Helper()
	sessions, err := NewSessions([]byte(strings.Repeat("k", 32)), rand.Reader, 10*time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	hooks := Hooks{Ledger: l, Sessions: sessions, Now: now, Log: log}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+callbackPath, func(w http.ResponseWriter, r *http.Request) {
		hooks.NginxAuthRequest(w, r, gen.NginxAuthRequestParams{App: r.URL.Query().Get("app"), XOriginalURI: r.Header.Get("X-Original-URI"),
			XOriginalHost: r.Header.Get("X-Original-Host"), XOriginalAddr: r.Header.Get("X-Original-Addr"),
			XOriginalProto: r.Header.Get("X-Original-Proto")})
	})
	return mux
}

// asks is a question as nginx sends it.
func asks(uri string) mediatest.Payload {
	return mediatest.Payload{Method: http.MethodGet, Path: callbackPath, Header: http.Header{
		"X-Original-Uri": {uri}, "X-Original-Host": {"play.example.com"}, "X-Original-Addr": {"192.0.2.10"}, "X-Original-Proto": {"https"},
	}}
}

func named(name string, p mediatest.Payload) mediatest.Payload {
	p.Name = name
	return p
}

func refused(status int, reason string) mediatest.Reply {
	return mediatest.Reply{Status: status, ContentType: "application/json", Body: `{"detail":"` + reason + `"}`}
}

func exchanges() []mediatest.Exchange {
	var list []mediatest.Exchange
	for name, uri := range map[string]string{"flv": "/live/room1.flv", "playlist": "/live/room1.m3u8", "segment": "/live/room1-1.ts"} {
		for _, x := range []mediatest.Exchange{
			{Name: name + " allowed", Verdict: media.Verdict{Allow: true, Reason: media.Allowed}, Want: mediatest.Reply{Status: 200}},
			{Name: name + " refused", Verdict: media.Verdict{Reason: media.TokenExpired}, Want: refused(403, "token_expired")},
			{Name: name + " fails closed", Err: errors.New("connection refused"), Want: refused(503, "temporarily_unavailable")},
			{Name: name + " undecided", Verdict: media.Verdict{Reason: media.TemporarilyUnavailable}, Want: refused(503, "temporarily_unavailable")},
		} {
			x.Payload = asks(uri)
			list = append(list, x)
		}
	}
	return list
}

func badRequests() []mediatest.BadRequest {
	var list []mediatest.BadRequest
	for _, uri := range []string{"", "live/room1.flv", "/live/../room1.flv", "/live/room1", "/live/room1.php", "/live/%zz.flv", "/room1.flv",
		"/live/" + strings.Repeat("r", 5000) + ".flv"} {
		list = append(list, mediatest.BadRequest{Name: "path " + uri[:min(len(uri), 20)], Payload: asks(uri), Want: refused(403, "invalid_stream")})
	}
	return list
}

// core is a decision with one credential, which may be revoked, and a clock.
type core struct {
	mu      sync.Mutex
	now     time.Time
	revoked bool
	expired bool
	heard   []media.Event
}

func (c *core) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *core) set(change func(*core)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change(c)
}

func (c *core) Handle(_ context.Context, e media.Event) (media.Verdict, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.heard = append(c.heard, e)
	switch {
	case e.Query == "" && e.Bearer == "" && e.Password == "":
		return media.Verdict{Reason: media.NoCredential}, nil
	case c.revoked:
		return media.Verdict{Reason: media.TokenRevoked}, nil
	case e.Stream.Name != "room1":
		return media.Verdict{Reason: media.WrongStream}, nil
	case c.expired && e.Action != media.Updated:
		return media.Verdict{Reason: media.SignatureExpired}, nil
	}
	return media.Verdict{Allow: true, Reason: media.Allowed}, nil
}

// player keeps cookies, as browsers do for one folder.
type player struct {
	t       *testing.T
	core    *core
	edge    http.Handler
	cookies map[string]*http.Cookie
	last    *http.Response
}

func newPlayer(t *testing.T) *player {
	c := &core{now: time.Unix(1_900_000_000, 0)}
	edge := routes(t, c, slog.New(slog.NewTextHandler(t.Output(), nil)), c.Now)
	return &player{t: t, core: c, cookies: map[string]*http.Cookie{}, edge: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		edge.ServeHTTP(w, r.WithContext(media.WithNode(r.Context(), media.Node{Name: "edge"})))
	})}
}

// get asks for a path with what the player has, and returns the status.
func (p *player) get(uri string, header ...string) int {
	p.t.Helper()
	r := httptest.NewRequestWithContext(p.t.Context(), http.MethodGet, callbackPath, nil)
	r.Header = asks(uri).Header
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	for _, c := range p.cookies {
		if strings.HasPrefix(uri, c.Path) {
			r.AddCookie(&http.Cookie{Name: c.Name, Value: c.Value})
		}
	}
	rec := httptest.NewRecorder()
	p.edge.ServeHTTP(rec, r)
	p.last = rec.Result()
	for _, c := range p.last.Cookies() {
		p.cookies[c.Name] = c
	}
	return rec.Code
}

func (p *player) wants(want int, uri string, header ...string) {
	p.t.Helper()
	if got := p.get(uri, header...); got != want {
		p.t.Errorf("%s: status %d, want %d", uri, got, want)
	}
}

func TestAPlaylistAdmitsToItsSegments(t *testing.T) {
	t.Parallel()
	p := newPlayer(t)
	p.wants(403, "/live/room1-1.ts")
	p.wants(200, "/live/room1.m3u8?token=good")
	p.wants(200, "/live/room1-1.ts")
	p.wants(200, "/live/room1.m3u8") // a later look at the playlist
	p.wants(403, "/live/room2.m3u8")
	p.wants(403, "/live/room2-1.ts")
	p.wants(403, "/live/room1.flv")
	p.core.set(func(c *core) { c.expired = true })
	p.wants(200, "/live/room1.m3u8?token=good")
	p.wants(200, "/live/room1-2.ts")
	p.core.set(func(c *core) { c.revoked = true })
	p.wants(403, "/live/room1-3.ts")
}

// Who has an old session of a revoked credential may come in by a new one.
func TestANewCredentialHelpsWhereASessionHasEnded(t *testing.T) {
	t.Parallel()
	p := newPlayer(t)
	p.wants(200, "/live/room1.m3u8?token=good")
	p.core.set(func(c *core) { c.now = c.now.Add(11 * time.Minute) })
	p.wants(403, "/live/room1-1.ts")
	p.wants(200, "/live/room1.m3u8?token=good")
	p.wants(200, "/live/room1-2.ts")
}

func TestASessionLivesWhileItIsUsedAndADayAtMost(t *testing.T) {
	t.Parallel()
	p := newPlayer(t)
	p.wants(200, "/live/room1.m3u8?token=good")
	p.core.set(func(c *core) { c.expired = true })
	for used := time.Duration(0); used < 23*time.Hour; used += 5 * time.Minute {
		p.core.set(func(c *core) { c.now = c.now.Add(5 * time.Minute) })
		p.wants(200, "/live/room1-1.ts")
	}
	p.core.set(func(c *core) { c.now = c.now.Add(9 * time.Minute) })
	p.wants(200, "/live/room1-1.ts")
	for range 12 {
		p.core.set(func(c *core) { c.now = c.now.Add(5 * time.Minute) })
		p.get("/live/room1-1.ts")
	}
	p.wants(403, "/live/room1-1.ts")
	p.wants(403, "/live/room1.m3u8?token=good")
}

func TestSessionsReachPlayersWithoutCookies(t *testing.T) {
	t.Parallel()
	p := newPlayer(t)
	p.wants(200, "/live/room1/index.m3u8?token=good")
	session := p.last.Header.Get("X-Stagedoor-Session")
	p.cookies = map[string]*http.Cookie{}
	p.wants(200, "/live/room1/1.ts?stagedoor_session="+session)
	p.wants(200, "/~stagedoor_session="+session+"/live/room1/1.ts")
	p.wants(403, "/live/room1/1.ts?stagedoor_session="+session[1:])
	p.wants(403, "/live/room2/1.ts?stagedoor_session="+session)
	p.wants(403, "/live/room1/1.ts?stagedoor_session="+session, "X-Original-Host", "other.example.com")
	p.wants(200, "/~token=good/live/room1/1.ts")
	for _, e := range p.core.heard {
		if strings.Contains(e.Query, sessionParam) {
			t.Errorf("a session was taken for a credential: %+v", e)
		}
	}
}

func TestCookiesAreForTheFolderOfThePlaylist(t *testing.T) {
	t.Parallel()
	p := newPlayer(t)
	for uri, folder := range map[string]string{"/live/room1.m3u8?token=a": "/live/", "/live/room1/index.m3u8?token=a": "/live/room1/",
		"/~token=a/live/room1.m3u8": "/~token=a/live/"} {
		p.cookies = map[string]*http.Cookie{}
		p.wants(200, uri)
		for _, c := range p.cookies {
			if c.Path != folder || !c.HttpOnly || !c.Secure || c.SameSite != http.SameSiteNoneMode || c.MaxAge != 600 {
				t.Errorf("%s: %+v", uri, c)
			}
		}
		p.wants(200, uri, "X-Original-Proto", "http")
		for _, c := range p.last.Cookies() {
			if c.Secure || c.SameSite != http.SameSiteLaxMode {
				t.Errorf("%s over http: %+v", uri, c)
			}
		}
	}
}

// What a player may keep is bounded, and a password is not kept at all.
func TestWhatNoSessionIsMadeOf(t *testing.T) {
	t.Parallel()
	p := newPlayer(t)
	p.wants(200, "/live/room1.m3u8", "Authorization", "Basic YWxpY2U6cHc=")
	p.wants(200, "/live/room1.m3u8?token="+strings.Repeat("t", 3500))
	p.wants(200, "/live/room1.flv?token=good")
	p.wants(200, "/live/room1-1.ts?token=good")
	if len(p.cookies) != 0 {
		t.Errorf("cookies: %v", p.cookies)
	}
	p.wants(200, "/live/room1.m3u8", "Authorization", "Bearer good")
	p.wants(200, "/live/room1-1.ts")
}

func FuzzSessions(f *testing.F) {
	s, err := NewSessions([]byte(strings.Repeat("k", 32)), rand.Reader, time.Minute)
	if err != nil {
		f.Fatal(err)
	}
	now := time.Unix(1_900_000_000, 0)
	good, err := s.seal(session{Base: "/live/room1", App: "live", Stream: "room1", Query: "token=a", Began: now.Unix(), Used: now.Unix()})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add("AAAA")
	f.Fuzz(func(t *testing.T, text string) {
		if v, ok := s.open(text, now); ok && text != good {
			t.Errorf("%q opened as %+v", text, v)
		}
	})
}
