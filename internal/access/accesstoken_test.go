package access

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/argon2id"

	"github.com/stagedoor-live/stagedoor/internal/account"
	"github.com/stagedoor-live/stagedoor/internal/dbtest"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/media"
)

const password = "correct horse battery staple"

// people is a bundle with accounts that log in.
type people struct {
	*bundle
	accounts *account.Service
}

func populated(t testing.TB) people {
	t.Helper()
	return setup(t).populate(t)
}

func (b *bundle) populate(t testing.TB) people {
	t.Helper()
	accounts, err := account.New(t.Context(), account.Config{DB: b.spy, Box: dbtest.Box(), Now: b.clock.now, Log: dbtest.Log(t),
		Params: &argon2id.Params{Memory: 64, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32}})
	if err != nil {
		t.Fatal(err)
	}
	b.Accounts = accounts
	return people{b, accounts}
}

func (p people) add(t testing.TB, n account.NewAccount) account.Token {
	t.Helper()
	system := account.System()
	n.Password = password
	if _, err := p.accounts.Register(t.Context(), &system, n); err != nil {
		t.Fatal(err)
	}
	return p.login(t, n.Username, time.Hour)
}

func (p people) login(t testing.TB, username string, ttl time.Duration) account.Token {
	t.Helper()
	token, err := p.accounts.Login(t.Context(), username, password, netip.MustParseAddr("192.0.2.7"), ttl)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func (p people) change(t testing.TB, username string, ch account.Changes) {
	t.Helper()
	if _, err := p.accounts.Update(t.Context(), account.System(), username, ch); err != nil {
		t.Fatal(err)
	}
}

func (p people) recheck(t testing.TB, e media.Event, want media.Reason) {
	t.Helper()
	before := p.spy.statements.Load()
	if d := p.Recheck(p.clock.now(), e); d.Reason != want || d.Allow != (want == media.Allowed) {
		t.Errorf("recheck of %s %s: %v, %s, want %s", e.Action, e.Stream, d.Allow, d.Reason, want)
	}
	if n := p.spy.statements.Load() - before; n != 0 {
		t.Errorf("a recheck cost %d statements", n)
	}
}

func in(e media.Event, vhost, app string) media.Event {
	e.Stream.Vhost, e.Stream.App = vhost, app
	return e
}

func TestAnAccessTokenOpensWhatItsAccountHasTheRightTo(t *testing.T) {
	t.Parallel()
	p := populated(t)
	alice := "token=" + p.add(t, account.NewAccount{Username: "Alice", Push: "/live/alice; /edge.example/live/+", Pull: "/live/*"}).Value
	root := "token=" + p.add(t, account.NewAccount{Username: "root", Admin: true, Push: "/nothing"}).Value
	nobody := "token=" + p.add(t, account.NewAccount{Username: "nobody"}).Value
	before := p.spy.statements.Load()
	for _, tc := range []struct {
		e    media.Event
		want media.Reason
	}{
		{publish("alice", alice), media.Allowed},
		{publish("ALICE", alice), media.Allowed}, // rights know no case
		{publish("bob", alice), media.NoRight},
		{publish("alicex", alice), media.NoRight},
		{in(publish("alice", alice), media.DefaultVhost, "vod"), media.NoRight},
		{in(publish("alice", alice), "", "live"), media.Allowed},
		{in(publish("alice", alice), "other.example", "live"), media.NoRight},
		{in(publish("bob", alice), "edge.example", "live"), media.Allowed},
		{in(publish("bob", alice), "edge.example", "vod"), media.NoRight},
		{in(publish("bob", alice), "edge.example", "live/deep"), media.NoRight},
		{play("alice", alice), media.Allowed},
		{play("bob", alice), media.Allowed},
		{play("bob", strings.Replace(alice, "token=", "play_token=", 1)), media.Allowed},
		{in(play("bob", alice), media.DefaultVhost, "live/deep"), media.Allowed},
		{in(play("bob", alice), media.DefaultVhost, "vod"), media.NoRight},
		{in(play("bob", alice), "edge.example", "live"), media.NoRight},
		{publish("any", root), media.Allowed},
		{in(play("any", root), "edge.example", "vod"), media.Allowed},
		{publish("alice", nobody), media.NoRight},
		{play("alice", nobody), media.NoRight},
		{publish("alice/../bob", alice), media.InvalidStream},
		{publish("alice", alice+"&token=x"), media.CredentialConflict},
		{publish("alice", alice+"&"+alice), media.Allowed},
	} {
		p.reason(t, tc.e, tc.want)
	}
	if n := p.spy.statements.Load() - before; n != 0 {
		t.Errorf("%d statements, want memory alone", n)
	}
}

func TestAnAccessTokenIsACredentialOfItsAccount(t *testing.T) {
	t.Parallel()
	p := populated(t)
	token := p.add(t, account.NewAccount{Username: "Alice", Push: "*"})
	holder, err := p.accounts.Authenticate(t.Context(), token.Value)
	if err != nil {
		t.Fatal(err)
	}
	want := Credential{Kind: ByAccessToken, ID: holder.Credential(), Subject: "Alice"}
	for name, d := range map[string]Decision{
		"door":    p.ask(t, publish("x", "token="+token.Value)),
		"running": p.Recheck(p.clock.now(), publish("x", "token="+token.Value)),
	} {
		if d.Credential != want || holder.TokenID == "" {
			t.Errorf("%s: got %+v, want %+v", name, d.Credential, want)
		}
	}
}

func TestABadAccessTokenIsRefusedAsWhatItIs(t *testing.T) {
	t.Parallel()
	p := populated(t)
	p.Policy = OpenByDefault // which makes no difference
	good := p.add(t, account.NewAccount{Username: "alice", Push: "*", Pull: "*"})
	expired := p.login(t, "alice", time.Minute)
	p.clock.advance(time.Minute)
	p.reason(t, publish("x", "token="+expired.Value), media.TokenExpired)
	p.reason(t, publish("x", ""), media.OpenPolicy)

	loggedOut := p.login(t, "alice", 0)
	holder, err := p.accounts.Authenticate(t.Context(), loggedOut.Value)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.accounts.Logout(t.Context(), holder); err != nil {
		t.Fatal(err)
	}
	p.reason(t, publish("x", "token="+loggedOut.Value), media.TokenRevoked)

	pair, err := p.accounts.LoginPair(t.Context(), "alice", password, netip.MustParseAddr("192.0.2.7"))
	if err != nil {
		t.Fatal(err)
	}
	p.reason(t, publish("x", "token="+pair.Access.Value), media.Allowed)
	p.reason(t, publish("x", "token="+pair.Refresh), media.TokenUnknown)
	if _, err := p.accounts.Refresh(t.Context(), pair.Refresh); err != nil {
		t.Fatal(err)
	}
	p.reason(t, publish("x", "token="+pair.Access.Value), media.TokenRevoked)

	part := strings.Split(good.Value, ".")
	for _, forged := range []string{
		"eyJ..", "eyJ.eyJ.x", part[0] + "." + part[1] + ".", part[0] + "." + part[1] + "." + strings.Repeat("A", len(part[2])),
		good.Value[:len(good.Value)-4] + "AAAA", good.Value + "x", good.Value + ".x", "x" + good.Value, strings.ToUpper(good.Value),
		"eyJ" + strings.Repeat("A", 4000) + ".A.A",
	} {
		p.reason(t, publish("x", "token="+forged), media.TokenUnknown)
		p.recheck(t, publish("x", "token="+forged), media.TokenUnknown)
	}
	p.change(t, "alice", account.Changes{Disabled: new(true)})
	p.reason(t, publish("x", "token="+good.Value), media.TokenRevoked)
}

func TestTheFirstValidCredentialAdmits(t *testing.T) {
	t.Parallel()
	p := populated(t)
	p.rule(t, NewRule{Scene: media.Publish, Secret: "a-secret-of-the-rule"})
	token := p.add(t, account.NewAccount{Username: "alice", Push: "/live/x"})
	signed := p.SignQuery(media.Publish, "push.example", stream("y"), "/live/y", start.Add(time.Hour))
	p.reason(t, publish("x", "token="+token.Value+"&sd=nonsense"), media.Allowed)
	p.reason(t, publish("y", "token="+token.Value+"&"+signed), media.Allowed)
	p.reason(t, publish("y", "token="+token.Value), media.NoRight)
	lt := p.token(t, p.account(t, "bob", 0), "z")
	p.reason(t, publish("z", "token="+lt.Token), media.Allowed)
	if d := p.ask(t, publish("y", "token="+token.Value+"&"+signed)); d.Credential.Kind != BySignature {
		t.Errorf("admitted by %s", d.Credential.Kind)
	}
}

func TestARunningSessionEndsWithItsRightAndNotWithItsToken(t *testing.T) {
	t.Parallel()
	p := populated(t)
	token := p.add(t, account.NewAccount{Username: "alice", Push: "/live/*", Pull: "/live/*"})
	e := publish("x", "token="+token.Value)
	p.reason(t, e, media.Allowed)
	p.clock.advance(2 * time.Hour)
	p.reason(t, e, media.TokenExpired)
	p.recheck(t, e, media.Allowed)
	p.change(t, "alice", account.Changes{Push: new("/live/y")})
	p.recheck(t, e, media.NoRight)
	p.recheck(t, play("x", "token="+token.Value), media.Allowed)
	p.change(t, "alice", account.Changes{Push: new("*")})
	p.recheck(t, e, media.Allowed)
	p.change(t, "alice", account.Changes{Disabled: new(true)})
	p.recheck(t, e, media.TokenRevoked)
	p.change(t, "alice", account.Changes{Disabled: new(false)})
	p.recheck(t, e, media.TokenRevoked) // enabling brings no login back
}

func TestARunningSessionOutlivesARefreshButNoLogout(t *testing.T) {
	t.Parallel()
	p := populated(t)
	p.add(t, account.NewAccount{Username: "alice", Push: "*"})
	pair, err := p.accounts.LoginPair(t.Context(), "alice", password, netip.MustParseAddr("192.0.2.7"))
	if err != nil {
		t.Fatal(err)
	}
	first := publish("x", "token="+pair.Access.Value)
	p.reason(t, first, media.Allowed)
	next, err := p.accounts.Refresh(t.Context(), pair.Refresh)
	if err != nil {
		t.Fatal(err)
	}
	p.recheck(t, first, media.Allowed)
	second := publish("y", "token="+next.Access.Value)
	p.recheck(t, second, media.Allowed)
	if _, err := p.accounts.Refresh(t.Context(), pair.Refresh); errs.KindOf(err) != errs.Unauthorized { // stolen
		t.Fatal(err)
	}
	p.recheck(t, first, media.TokenRevoked)
	p.recheck(t, second, media.TokenRevoked)

	third := p.login(t, "alice", 0)
	holder, err := p.accounts.Authenticate(t.Context(), third.Value)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.accounts.Logout(t.Context(), holder); err != nil {
		t.Fatal(err)
	}
	p.recheck(t, publish("z", "token="+third.Value), media.TokenRevoked)
}

func TestSessionsOfADeletedAccountEnd(t *testing.T) {
	t.Parallel()
	p := populated(t)
	token := p.add(t, account.NewAccount{Username: "alice", Push: "*"})
	p.add(t, account.NewAccount{Username: "root", Admin: true})
	e := publish("x", "token="+token.Value)
	p.recheck(t, e, media.Allowed)
	if err := p.accounts.DeleteAccount(t.Context(), account.System(), "alice"); err != nil {
		t.Fatal(err)
	}
	p.recheck(t, e, media.TokenUnknown) // which the ledger then asks Decide about
	p.reason(t, e, media.TokenRevoked)
}

// Another process with the same database learns through the feed, and before
// the feed by one look-up.
func TestRightsReachTheDecisionOfAnotherProcess(t *testing.T) {
	t.Parallel()
	here := populated(t)
	there := here.another(t).populate(t)
	following := dbtest.Follow(t, there.pool, there.accounts)
	token := here.add(t, account.NewAccount{Username: "alice", Push: "/live/x"})
	e := publish("x", "token="+token.Value)
	there.reason(t, e, media.Allowed) // by the feed or by a look-up
	following.CatchUp(t)
	here.change(t, "alice", account.Changes{Push: new("")})
	following.CatchUp(t)
	there.reason(t, e, media.NoRight)
	there.recheck(t, e, media.NoRight)
}

func TestAccessTokensWithoutADatabase(t *testing.T) {
	t.Parallel()
	here := populated(t)
	known := here.add(t, account.NewAccount{Username: "alice", Push: "*"})
	there := here.another(t).populate(t)
	there.reason(t, publish("x", "token="+known.Value), media.Allowed) // looked up
	newer := here.add(t, account.NewAccount{Username: "bob", Push: "*"})
	there.spy.down.Store(true)
	there.reason(t, publish("x", "token="+known.Value), media.Allowed)
	there.reason(t, publish("x", "token="+newer.Value), media.TemporarilyUnavailable)
	there.spy.down.Store(false)
	there.reason(t, publish("x", "token="+newer.Value), media.Allowed)
}

func TestWithoutAccountsNoAccessTokenIsKnown(t *testing.T) {
	t.Parallel()
	b := pure(t)
	b.reason(t, publish("x", "token=eyJ.eyJ.x"), media.TokenUnknown)
	if d := b.Recheck(start, publish("x", "token=eyJ.eyJ.x")); d.Reason != media.TokenUnknown {
		t.Errorf("recheck: %s", d.Reason)
	}
}

func TestIsAccessToken(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]bool{
		"eyJ.b.c": true, "eyJhbGci.eyJ.": true, "": false, "eyJ": false, "eyJ.b": false, "eyJ.b.c.d": false, "EYJ.b.c": false, "a.b.c": false,
		strings.Repeat("A", 48): false,
	} {
		if isAccessToken(value) != want {
			t.Errorf("%q: want %v", value, want)
		}
	}
}
