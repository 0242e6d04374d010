package access

import (
	"context"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/account"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/media"
)

// doorman knows one account, and how often he was asked for it.
type doorman struct {
	nobody
	push, pull string
	err        error
	asked      int
	source     netip.Addr
}

func (d *doorman) AtDoor(_ context.Context, username, password string, source netip.Addr) (account.Principal, error) {
	d.asked++
	d.source = source
	switch {
	case d.err != nil:
		return account.Principal{}, d.err
	case username != "alice" || password != "open sesame":
		return account.Principal{}, errs.New(errs.Unauthorized, "invalid_credentials", "no")
	}
	return account.Principal{Account: account.Account{ID: 7, Username: "alice", Push: d.push, Pull: d.pull}}, nil
}

// besides returns a Service with one live token for live/x, one rule and alice.
func besides(t *testing.T) (*bundle, *doorman) {
	t.Helper()
	b, d := pure(t), &doorman{push: "/live/*", pull: "/live/+"}
	b.Accounts = d
	b.putToken(1, "publish-secret", "play-secret", false)
	b.putRule(t, db.AuthRule{ID: 3, Scene: "publish", Enabled: true}, key(1, "k1", "sign-secret", KeyActive))
	b.putRule(t, db.AuthRule{ID: 4, Scene: "play", Enabled: true}, key(2, "k2", "sign-secret", KeyActive))
	return b, d
}

func showing(e media.Event, username, password, bearer string) media.Event {
	e.Username, e.Password, e.Bearer = username, password, bearer
	return e
}

func TestACredentialBesideTheQueryCountsLikeOneInIt(t *testing.T) {
	t.Parallel()
	b, d := besides(t)
	signed := b.SignQuery(media.Publish, "push.example", stream("x"), "/live/x", start.Add(time.Hour))
	old := b.SignQuery(media.Publish, "push.example", stream("x"), "/live/x", start.Add(-time.Hour))
	for name, c := range map[string]struct {
		e    media.Event
		want media.Reason
	}{
		"a live token as bearer":                   {showing(publish("x", ""), "", "", "publish-secret"), media.Allowed},
		"a live token as query in the password":    {showing(publish("x", ""), "any", "token=publish-secret", ""), media.Allowed},
		"a play token as bearer":                   {showing(play("x", ""), "", "", "play-secret"), media.Allowed},
		"a play token at the publish door":         {showing(publish("x", ""), "", "", "play-secret"), media.WrongScene},
		"a token of another stream":                {showing(publish("y", ""), "", "", "publish-secret"), media.WrongStream},
		"a whole signed query as bearer":           {showing(publish("x", ""), "", "", signed), media.Allowed},
		"a whole signed query as password":         {showing(publish("x", ""), "", "?"+signed, ""), media.Allowed},
		"a signature that is too old":              {showing(publish("x", ""), "", old, ""), media.SignatureExpired},
		"a bearer that nobody knows":               {showing(publish("x", ""), "", "", "what"), media.TokenUnknown},
		"a good bearer after a bad query":          {showing(publish("x", "token=what"), "", "", "publish-secret"), media.Allowed},
		"a bad bearer after a good query":          {showing(publish("x", "token=publish-secret"), "", "", "what"), media.Allowed},
		"two bad ones, and the first is told":      {showing(publish("y", "token=publish-secret"), "", "", "what"), media.WrongStream},
		"a password alone that is none":            {showing(publish("x", ""), "", "what", ""), media.NoCredential},
		"a username alone":                         {showing(publish("x", ""), "alice", "", ""), media.NoCredential},
		"an access token that nobody knows":        {showing(publish("x", ""), "", "eyJ.eyJ.c2ln", ""), media.TokenUnknown},
		"an account with the right":                {showing(publish("x", ""), "alice", "open sesame", ""), media.Allowed},
		"an account with the right to play":        {showing(play("x", "cam=1"), "alice", "open sesame", ""), media.Allowed},
		"an account and a wrong password":          {showing(publish("x", ""), "alice", "open sesam", ""), media.InvalidCredentials},
		"an account after a bad query":             {showing(publish("x", "token=what"), "alice", "open sesame", ""), media.Allowed},
		"a wrong password after a bad query":       {showing(publish("x", "token=what"), "alice", "no", ""), media.TokenUnknown},
		"an account whose password looks signed":   {showing(publish("x", ""), "alice", "a=b", ""), media.InvalidCredentials},
		"a stream that cannot be, with an account": {showing(publish("a b", ""), "alice", "open sesame", ""), media.InvalidStream},
	} {
		if got := b.ask(t, c.e); got.Reason != c.want || got.Allow != (c.want == media.Allowed) {
			t.Errorf("%s: %v %s, want %s", name, got.Allow, got.Reason, c.want)
		}
	}
	if d.source != netip.MustParseAddr("192.0.2.7") {
		t.Errorf("guesses are counted by %v", d.source)
	}
}

func TestAnAccountOpensOnlyWhatItHasTheRightTo(t *testing.T) {
	t.Parallel()
	b, d := besides(t)
	d.push = ""
	if got := b.ask(t, showing(publish("x", ""), "alice", "open sesame", "")); got.Reason != media.NoRight || got.Credential.Subject != "alice" {
		t.Errorf("without the right to push: %+v", got)
	}
	got := b.ask(t, showing(play("x", ""), "alice", "open sesame", ""))
	if want := (Credential{Kind: ByPassword, ID: "alice", Subject: "alice"}); !got.Allow || got.Credential != want {
		t.Errorf("with the right to pull: %+v", got)
	}
}

func TestNoPasswordIsTriedWhereNoneCanHelp(t *testing.T) {
	t.Parallel()
	b, d := besides(t)
	for _, e := range []media.Event{
		showing(publish("x", "token=publish-secret"), "alice", "guess", ""),
		showing(publish("x", ""), "alice", "token=publish-secret", ""),
		showing(publish("a b", ""), "alice", "guess", ""),
		showing(publish("x", ""), "", "guess", ""),
		showing(publish("x", ""), "alice", "", ""),
	} {
		b.ask(t, e)
	}
	if d.asked != 0 {
		t.Errorf("%d passwords were tried", d.asked)
	}
}

func TestABadPasswordIsRefusedUnderAnOpenPolicyToo(t *testing.T) {
	t.Parallel()
	b, _ := besides(t)
	b.Policy = OpenByDefault
	b.view.rules.drop(3)
	b.reason(t, publish("x", ""), media.OpenPolicy)
	b.reason(t, showing(publish("x", ""), "alice", "guess", ""), media.InvalidCredentials)
	b.reason(t, showing(publish("x", ""), "", "", "what"), media.TokenUnknown)
	b.reason(t, showing(publish("x", ""), "alice", "open sesame", ""), media.Allowed)
}

func TestFailuresOfAccountsAreToldApart(t *testing.T) {
	t.Parallel()
	b, d := besides(t)
	for reason, err := range map[media.Reason]error{
		media.TooManyAttempts:        errs.New(errs.RateLimited, "too_many_attempts", "slow down"),
		media.TemporarilyUnavailable: errs.New(errs.RateLimited, "busy", "later"),
		media.InvalidCredentials:     errs.New(errs.Unauthorized, "invalid_credentials", "no"),
	} {
		d.err = err
		b.reason(t, showing(publish("x", ""), "alice", "open sesame", ""), reason)
	}
	d.err = context.DeadlineExceeded
	b.reason(t, showing(publish("x", ""), "alice", "open sesame", ""), media.TemporarilyUnavailable)
}

func TestARunningSessionIsJudgedByItsBearerToo(t *testing.T) {
	t.Parallel()
	b, _ := besides(t)
	running := showing(publish("x", ""), "", "", "publish-secret")
	running.Action, running.On = media.Updated, media.Publish
	if d := b.Recheck(start, running); !d.Allow {
		t.Errorf("a running session: %+v", d)
	}
	b.putToken(1, "publish-secret", "play-secret", true)
	if d := b.Recheck(start, running); d.Reason != media.TokenRevoked {
		t.Errorf("after the token was revoked: %+v", d)
	}
}

func FuzzBesideTheQuery(f *testing.F) {
	for _, s := range []string{"", "token=publish-secret", "?a=b&c", "eyJ.eyJ.c2ln", strings.Repeat("x", 48), "=", "%zz=%", "a\x00b"} {
		f.Add(s, s, s)
	}
	f.Fuzz(func(t *testing.T, username, password, bearer string) {
		b := pure(t)
		b.Accounts = &doorman{}
		if d := b.ask(t, showing(publish("x", ""), username, password, bearer)); d.Allow {
			t.Errorf("%q %q %q: let in", username, password, bearer)
		}
	})
}
