package jump

import (
	"context"
	"crypto/rand"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/stagedoor-live/stagedoor/internal/account"
	"github.com/stagedoor-live/stagedoor/internal/errs"
)

const (
	vectorKey = "unit-test-jump-secret-0123456789"
	roomID    = "c8d619e2e7ec445db8a1e1ebf967d6c3"
	server    = "https://live.example.com"
)

// The vector of the reference: what is ours beside the documented claims is
// left out when it is empty.
const vectorToken = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ1c2VyX2lkIjoidXNlcjEiLCJsaXZlX2lkIjoiYzhkNjE5ZTJlN2VjNDQ1ZGI4YTFlMWViZjk2N2Q2YzMiLCJ1c2VyX25hbWUiOiLnvo7lpbPkuLvmkq0iLCJhcHBfc2VydmVyIjoiaHR0cHM6Ly9saXZlLmV4YW1wbGUuY29tIiwiZXhwIjoxNzAwMDAzNjAwfQ.trcl13MUoRbgKjk5D0oNtW-FWMuhpE2kaZvjCdj5JyY"

func vectorClaims() claims {
	return claims{UserID: "user1", LiveID: roomID, UserName: "美女主播", AppServer: server,
		RegisteredClaims: jwt.RegisteredClaims{ExpiresAt: jwt.NewNumericDate(time.Unix(1_700_003_600, 0))}}
}

func TestTheTokenMatchesTheReference(t *testing.T) {
	t.Parallel()
	s, err := New(Config{Key: []byte(vectorKey), Now: func() time.Time { return time.Unix(1_700_000_000, 0) }})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := s.sign(vectorClaims()); err != nil || got != vectorToken {
		t.Errorf("%v, %s", err, got)
	}
	if got, err := s.verify(vectorToken); err != nil || got.UserID != "user1" || got.UserName != "美女主播" || got.LiveID != roomID || got.AppServer != server {
		t.Errorf("%v, %+v", err, got)
	}
}

func TestValuesAreEncodedAsTheReferenceDoes(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"https://live.example.com": "https%3A%2F%2Flive.example.com",
		"美女主播":                     "%E7%BE%8E%E5%A5%B3%E4%B8%BB%E6%92%AD",
		"a b&c=d+e/f":              "a%20b%26c%3Dd%2Be%2Ff",
		"A-Za-z0-9-._~":            "A-Za-z0-9-._~",
	} {
		if got := escape(text); got != want {
			t.Errorf("%q becomes %s, want %s", text, got, want)
		}
	}
	want := "auipusher://page/live-room?app_server=https%3A%2F%2Flive.example.com&token=T.T.T&user_id=user1" +
		"&user_name=%E7%BE%8E%E5%A5%B3%E4%B8%BB%E6%92%AD&live_id=" + roomID
	if got := address(vectorClaims(), "T.T.T", ""); got != want {
		t.Errorf("%s", got)
	}
	if got := address(vectorClaims(), "T.T.T", "1.0 b"); got != want+"&version=1.0%20b" {
		t.Errorf("%s", got)
	}
	nameless := vectorClaims()
	nameless.UserName = ""
	if got := address(nameless, "T", ""); !strings.Contains(got, "&user_name=&live_id=") {
		t.Errorf("%s", got)
	}
}

func TestAShortKeyIsRefused(t *testing.T) {
	t.Parallel()
	if _, err := New(Config{Key: []byte(vectorKey[:31])}); err == nil {
		t.Error("31 bytes are taken")
	}
}

// presented is what the desktop client finds in a link.
func presented(t *testing.T, link string) Presented {
	t.Helper()
	u, err := url.Parse(link)
	if err != nil || u.Scheme != "auipusher" {
		t.Fatalf("%v in %s", err, link)
	}
	q := u.Query()
	return Presented{UserID: q.Get("user_id"), UserName: q.Get("user_name"), LiveID: q.Get("live_id"), AppServer: q.Get("app_server"), Token: q.Get("token")}
}

func (b *bundle) link(t *testing.T) Presented {
	t.Helper()
	link, err := b.Link(t.Context(), b.as(t, "alice"), Request{RoomID: b.room, UserName: "Alice & Co"})
	if err != nil {
		t.Fatal(err)
	}
	return presented(t, link)
}

func wantRefused(t *testing.T, what string, err error, reason string) {
	t.Helper()
	if e := errs.As(err); err == nil || e.Kind != errs.Unauthorized || e.Reason != reason {
		t.Errorf("%s: %v, want %s", what, err, reason)
	}
}

func TestALinkIsALoginOfItsAnchorOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := b.link(t)
	if p.UserID != "alice" || p.UserName != "Alice & Co" || p.LiveID != b.room || p.AppServer != server {
		t.Errorf("%+v", p)
	}
	token, err := b.Redeem(t.Context(), p, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	who, err := b.accounts.Authenticate(t.Context(), token.Value)
	if err != nil || who.Username != "alice" || !token.ExpiresAt.Equal(b.now().Add(time.Hour)) {
		t.Errorf("%v: %s until %v", err, who.Username, token.ExpiresAt)
	}
	_, err = b.Redeem(t.Context(), p, time.Hour)
	wantRefused(t, "again", err, "jump_token_used")
	_, err = b.another(t).Redeem(t.Context(), p, time.Hour)
	wantRefused(t, "again, at another process", err, "jump_token_used")
}

func TestTwoLinksOfOneSecondAreTwo(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, p := range []Presented{b.link(t), b.link(t)} {
		if _, err := b.Redeem(t.Context(), p, time.Hour); err != nil {
			t.Error(err)
		}
	}
}

func TestOneOfManyAtOnceGetsIn(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p, processes := b.link(t), []*bundle{b, b.another(t), b.another(t)}
	var in atomic.Int64
	var wg sync.WaitGroup
	for i := range 24 {
		wg.Go(func() {
			token, err := processes[i%len(processes)].Redeem(t.Context(), p, time.Hour)
			if err == nil {
				in.Add(1)
			} else if token.Value != "" {
				t.Error("a refusal with a token")
			}
		})
	}
	wg.Wait()
	if in.Load() != 1 {
		t.Errorf("%d got in", in.Load())
	}
}

func TestOnlyWhatTheLinkSaysIsAccepted(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := b.link(t)
	for what, change := range map[string]func(*Presented){
		"user":               func(p *Presented) { p.UserID = "bob" },
		"user in other case": func(p *Presented) { p.UserID = "Alice" },
		"room":               func(p *Presented) { p.LiveID = "x" },
		"server":             func(p *Presented) { p.AppServer = "https://evil.example.com" },
		"name":               func(p *Presented) { p.UserName = "Bob" },
		"no token":           func(p *Presented) { p.Token = "" },
		"signature":          func(p *Presented) { p.Token = p.Token[:len(p.Token)-2] + "AA" },
		"line break":         func(p *Presented) { p.Token += "\n" },
		"long":               func(p *Presented) { p.Token = strings.Repeat("a", 1<<20) },
		"no algorithm":       func(p *Presented) { p.Token = "eyJhbGciOiJub25lIn0." + strings.Split(p.Token, ".")[1] + "." },
	} {
		changed := p
		change(&changed)
		_, err := b.Redeem(t.Context(), changed, time.Hour)
		wantRefused(t, what, err, "jump_token_invalid")
	}
	// None of that used the token up, and a name that is not there is not compared.
	p.UserName = ""
	if _, err := b.Redeem(t.Context(), p, time.Hour); err != nil {
		t.Error(err)
	}
}

func TestALinkEnds(t *testing.T) {
	t.Parallel()
	for what, c := range map[string]struct {
		happens func(*testing.T, *bundle)
		reason  string
	}{
		"after an hour":     {func(_ *testing.T, b *bundle) { b.advance(TTL) }, "jump_token_invalid"},
		"with the password": {func(t *testing.T, b *bundle) { b.update(t, account.Changes{Password: new("another good password")}) }, "token_revoked"},
		"with the account":  {func(t *testing.T, b *bundle) { b.update(t, account.Changes{Disabled: new(true)}) }, "account_disabled"},
		"with its login": {func(t *testing.T, b *bundle) {
			if err := b.accounts.Logout(t.Context(), b.as(t, "alice")); err != nil {
				t.Fatal(err)
			}
		}, "token_revoked"},
		"when the key is new": {func(_ *testing.T, b *bundle) { b.Key = []byte("another key of thirty-two bytes!") }, "jump_token_invalid"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			p := b.link(t)
			c.happens(t, b)
			_, err := b.Redeem(t.Context(), p, time.Hour)
			wantRefused(t, what, err, c.reason)
		})
	}
	b := setup(t)
	p := b.link(t)
	b.advance(TTL - time.Second)
	if _, err := b.Redeem(t.Context(), p, time.Hour); err != nil {
		t.Errorf("before its end: %v", err)
	}
}

func TestALoginIsNoLinkAndALinkNoLogin(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := b.link(t)
	if _, err := b.accounts.Authenticate(t.Context(), p.Token); errs.KindOf(err) != errs.Unauthorized {
		t.Errorf("a jump token logs in: %v", err)
	}
	login, err := b.Redeem(t.Context(), p, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	p.Token = login.Value
	_, err = b.Redeem(t.Context(), p, time.Hour)
	wantRefused(t, "an access token", err, "jump_token_invalid")
}

func TestOnlyTheAnchorGetsALink(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for who, c := range map[string]struct {
		room string
		kind errs.Kind
	}{"bob": {b.room, errs.Forbidden}, "alice": {"none", errs.NotFound}} {
		if link, err := b.Link(t.Context(), b.as(t, who), Request{RoomID: c.room}); errs.KindOf(err) != c.kind || link != "" {
			t.Errorf("%s: %q, %v", who, link, err)
		}
	}
}

func TestUsedTokensAreForgottenWhenTheyHaveExpired(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := b.link(t)
	if _, err := b.Redeem(t.Context(), p, time.Hour); err != nil {
		t.Fatal(err)
	}
	count := func() (n int) {
		t.Helper()
		if err := b.Purge(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := b.pool.QueryRow(t.Context(), `SELECT count(*) FROM used_jump_tokens`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if n := count(); n != 1 {
		t.Errorf("%d are remembered, want 1", n)
	}
	b.advance(TTL + keepUsed + time.Second)
	if n := count(); n != 0 {
		t.Errorf("%d are remembered, want 0", n)
	}
}

func TestWithoutADatabaseNobodyGetsIn(t *testing.T) {
	t.Parallel()
	b := setup(t)
	p := b.link(t)
	ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	if token, err := b.Redeem(ctx, p, time.Hour); errs.KindOf(err) != errs.Unavailable || token.Value != "" {
		t.Errorf("%q, %v", token.Value, err)
	}
	if _, err := b.Redeem(t.Context(), p, time.Hour); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// FuzzVerify looks for a token that is taken though we did not sign it.
func FuzzVerify(f *testing.F) {
	f.Add(vectorToken)
	f.Add("eyJhbGciOiJub25lIn0.eyJleHAiOjQxMDI0NDQ4MDB9.")
	f.Add("..")
	s, err := New(Config{Key: []byte(vectorKey), Rand: rand.Reader, Now: func() time.Time { return time.Unix(1_700_000_000, 0) }})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, token string) {
		if _, err := s.verify(token); err == nil && token != vectorToken {
			t.Errorf("%q is taken", token)
		}
	})
}
