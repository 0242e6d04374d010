package account

import (
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/errs"
)

func TestAVoucherIsALoginWhileItsLoginIs(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "alice")
	v := Vouch(b.authenticate(t, b.login(t, "alice")))
	for _, name := range []string{"alice", "ALICE"} {
		token, err := b.LoginFor(t.Context(), name, v, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		if p := b.authenticate(t, token); p.Username != "alice" || p.TokenID == v.TokenID || !p.ExpiresAt.Equal(b.clock.now().Add(time.Hour).Truncate(time.Second)) {
			t.Errorf("%+v", p)
		}
	}
	other := b.another(t) // which has not read the accounts yet
	if _, err := other.LoginFor(t.Context(), "alice", v, time.Hour); err != nil {
		t.Errorf("at another process: %v", err)
	}
}

func TestAVoucherEndsWithItsLogin(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		happens func(*testing.T, *bundle, Principal)
		reason  string
	}{
		"logged out": {func(t *testing.T, b *bundle, p Principal) {
			if err := b.Logout(t.Context(), p); err != nil {
				t.Fatal(err)
			}
		}, "token_revoked"},
		"new password": {func(t *testing.T, b *bundle, _ Principal) {
			b.update(t, "alice", Changes{Password: new("another good password")})
		}, "token_revoked"},
		"disabled":      {func(t *testing.T, b *bundle, _ Principal) { b.update(t, "alice", Changes{Disabled: new(true)}) }, "account_disabled"},
		"long after":    {func(_ *testing.T, b *bundle, _ Principal) { b.clock.add(MaxTTL) }, "token_expired"},
		"no such login": {func(_ *testing.T, _ *bundle, _ Principal) {}, "token_invalid"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.create(t, "alice")
			p := b.authenticate(t, b.login(t, "alice"))
			v := Vouch(p)
			b.clock.add(time.Second)
			c.happens(t, b, p)
			if c.reason == "token_invalid" {
				v = Vouch(System())
			}
			if _, err := b.LoginFor(t.Context(), "alice", v, time.Hour); errs.As(err).Reason != c.reason {
				t.Errorf("%v, want %s", err, c.reason)
			}
		})
	}
}

func TestAVoucherIsForItsAccount(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "alice")
	b.clock.add(time.Second)
	b.create(t, "bob")
	v := Vouch(b.authenticate(t, b.login(t, "alice")))
	for _, name := range []string{"bob", "nobody", ""} {
		if token, err := b.LoginFor(t.Context(), name, v, time.Hour); errs.KindOf(err) != errs.Unauthorized || token.Value != "" {
			t.Errorf("%q: %q, %v", name, token.Value, err)
		}
	}
}

func TestAChainOfVouchersEndsThirtyDaysAfterThePassword(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "alice")
	token, end := b.login(t, "alice"), b.clock.now().Add(MaxTTL)
	for range 40 {
		b.clock.add(20 * time.Hour)
		p, err := b.Authenticate(t.Context(), token.Value)
		if err != nil {
			break
		}
		if token, err = b.LoginFor(t.Context(), "alice", Vouch(p), 0); err != nil {
			t.Fatal(err)
		}
		if token.ExpiresAt.After(end) {
			t.Fatalf("until %v, past %v", token.ExpiresAt, end)
		}
	}
	if b.clock.now().Before(end) {
		t.Error("the chain ended early")
	}
}
