package account

import (
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/stagedoor-live/stagedoor/internal/errs"
)

func TestRenewTakesATokenThatHasExpired(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "alice")
	at := b.clock.now()
	old, err := b.Login(t.Context(), "alice", goodPassword, home(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	b.clock.add(2 * time.Hour)
	_, err = b.Authenticate(t.Context(), old.Value)
	wantErr(t, err, errs.Unauthorized, "token_expired")
	fresh, err := b.Renew(t.Context(), old.Value, 24*time.Hour, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if want := b.clock.now().Add(time.Hour).Truncate(time.Second); !fresh.ExpiresAt.Equal(want) {
		t.Errorf("until %s, want %s", fresh.ExpiresAt, want)
	}
	if p := b.authenticate(t, fresh); p.Username != "alice" {
		t.Errorf("got %+v", p)
	}
	if c := claimsOf(t, fresh); c["auth_time"] != float64(at.Unix()) {
		t.Errorf("claims %v, want auth_time %d", c, at.Unix())
	}
}

func TestNoChainOfRenewalsIsEndless(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "alice")
	token := b.login(t, "alice")
	for i := range 4 {
		b.clock.add(6*time.Hour - 100*time.Millisecond) // iat is whole seconds, the login was at .4
		next, err := b.Renew(t.Context(), token.Value, 24*time.Hour, time.Minute)
		if err != nil {
			t.Fatalf("renewal %d: %v", i+1, err)
		}
		token = next
	}
	b.clock.add(time.Second)
	_, err := b.Renew(t.Context(), token.Value, 24*time.Hour, time.Minute)
	wantErr(t, err, errs.Unauthorized, "token_expired")
	b.authenticate(t, token) // which has not ended by that

	again := b.login(t, "alice")
	b.clock.add(time.Hour)
	_, err = b.Renew(t.Context(), again.Value, 30*time.Minute, time.Minute)
	wantErr(t, err, errs.Unauthorized, "token_expired")
	b.clock.add(MaxRenewal)
	_, err = b.Renew(t.Context(), again.Value, 1000*time.Hour, time.Minute)
	wantErr(t, err, errs.Unauthorized, "token_expired")
}

func TestRenewRefusesWhatHasEnded(t *testing.T) {
	t.Parallel()
	b := setup(t)
	renew := func(token string, reason string) {
		t.Helper()
		_, err := b.Renew(t.Context(), token, 24*time.Hour, time.Hour)
		wantErr(t, err, errs.Unauthorized, reason)
	}
	b.create(t, "alice")
	renew("garbage", "token_invalid")
	renew(b.pair(t, "alice").Access.Value, "token_invalid")
	renew(b.mint(t, "alice", func(_ *jwt.Token, c *claims) { c.Issuer = "somebody else" }), "token_invalid")
	renew(b.mint(t, "alice", func(_ *jwt.Token, c *claims) { c.IssuedAt = nil }), "token_expired")

	short, err := b.Login(t.Context(), "alice", goodPassword, home(), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Logout(t.Context(), b.authenticate(t, short)); err != nil {
		t.Fatal(err)
	}
	kept := b.login(t, "alice")
	// Long after the token itself ended, purged or not, on any process.
	b.clock.add(MaxRenewal - time.Hour)
	for range 2 {
		renew(short.Value, "token_revoked")
		_, err := b.another(t).Renew(t.Context(), short.Value, 24*time.Hour, time.Hour)
		wantErr(t, err, errs.Unauthorized, "token_revoked")
		if err := b.Purge(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	b.update(t, "alice", Changes{Password: ptr("another good password")})
	renew(kept.Value, "token_revoked")
	b.update(t, "alice", Changes{Disabled: ptr(true)})
	renew(kept.Value, "account_disabled")
}

func TestHolderOfARunningSessionOutlivesExpiryOnly(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "alice", func(n *NewAccount) { n.Push = "/live/*" })
	hold := func(token Token) (Principal, error) {
		t.Helper()
		before := b.db.statements.Load()
		defer func() {
			if n := b.db.statements.Load() - before; n != 0 {
				t.Errorf("%d statements", n)
			}
		}()
		return b.Holder(token.Value)
	}
	token, loggedOut := b.login(t, "alice"), b.login(t, "alice")
	b.verified.Purge()
	b.clock.add(48 * time.Hour)
	if p, err := hold(token); err != nil || p.Username != "alice" || !p.MayPush("/live/x") {
		t.Errorf("got %+v, %v", p, err)
	}
	b.update(t, "alice", Changes{Push: ptr("/vod/*")})
	if p, err := hold(token); err != nil || p.MayPush("/live/x") {
		t.Errorf("got %+v, %v", p, err)
	}
	b.memory.revoke(loggedOut.id, revocation{until: b.clock.now()})
	_, err := hold(loggedOut)
	wantErr(t, err, errs.Unauthorized, "token_revoked")
	b.update(t, "alice", Changes{Disabled: ptr(true)})
	_, err = hold(token)
	wantErr(t, err, errs.Unauthorized, "account_disabled")
	b.update(t, "alice", Changes{Disabled: ptr(false)})
	_, err = hold(token)
	wantErr(t, err, errs.Unauthorized, "token_revoked")
	_, err = hold(Token{Value: b.mint(t, "alice", func(j *jwt.Token, _ *claims) { j.Header["kid"] = "AAAAAAAAAAAAAAAA" })})
	wantErr(t, err, errs.Unauthorized, "token_invalid")
}

// A password that another process changed a moment ago gives tokens that are
// newer than memory here; they have not ended.
func TestHolderBelievesATokenThatIsNewerThanMemory(t *testing.T) {
	t.Parallel()
	b := setup(t)
	other := b.another(t)
	b.create(t, "alice")
	other.authenticate(t, b.login(t, "alice"))
	b.clock.add(time.Second)
	b.update(t, "alice", Changes{Password: ptr(goodPassword + "!")})
	token, err := b.Login(t.Context(), "alice", goodPassword+"!", home(), 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Holder(token.Value); err != nil {
		t.Error(err)
	}
}
