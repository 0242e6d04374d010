package account

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/stagedoor-live/stagedoor/internal/dbtest"
	"github.com/stagedoor-live/stagedoor/internal/errs"
)

func TestLoginReturnsATokenThatAuthenticates(t *testing.T) {
	t.Parallel()
	b := setup(t)
	created := b.create(t, "Alice", func(n *NewAccount) {
		n.Email, n.FullName, n.PermissionLevel = "alice@example.com", "Alice 爱丽丝", 3
	})

	token, err := b.Login(t.Context(), "aLICE", goodPassword, home(), time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if token.Account != created {
		t.Errorf("got account %+v, want %+v", token.Account, created)
	}
	if want := b.clock.now().Add(time.Hour).Truncate(time.Second); !token.ExpiresAt.Equal(want) {
		t.Errorf("got expiry %s, want %s", token.ExpiresAt, want)
	}
	p := b.authenticate(t, token)
	if p.Account != created || !p.ExpiresAt.Equal(token.ExpiresAt) || len(p.TokenID) != 22 {
		t.Errorf("got principal %+v", p)
	}
}

func TestLoginTokenCarriesTheDocumentedClaims(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *Config) { c.Issuer = "https://live.example.com" })
	b.create(t, "Alice")
	token := b.login(t, "alice")

	parsed, _, err := jwt.NewParser().ParseUnverified(token.Value, jwt.MapClaims{})
	if err != nil {
		t.Fatal(err)
	}
	now := b.clock.now().Unix()
	c := parsed.Claims.(jwt.MapClaims)
	for name, want := range map[string]any{
		"iss": "https://live.example.com", "sub": "Alice", "aud": []any{"stagedoor"},
		"iat": float64(now), "nbf": float64(now), "exp": float64(now + 86400),
	} {
		if fmt.Sprint(c[name]) != fmt.Sprint(want) {
			t.Errorf("%s: got %v, want %v", name, c[name], want)
		}
	}
	if parsed.Header["alg"] != "ES256" || parsed.Header["typ"] != "JWT" || parsed.Header["kid"] != b.JWKS().Keys[0].KeyID {
		t.Errorf("got header %v", parsed.Header)
	}
	if len(token.Value) > 512 {
		t.Errorf("the token has %d bytes; an SRT stream id holds 512", len(token.Value))
	}
}

func TestLoginTimeToLiveIsBounded(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "alice")
	for _, tc := range []struct{ ask, want time.Duration }{
		{0, DefaultTTL}, {-time.Hour, DefaultTTL}, {time.Minute, time.Minute}, {10 * 365 * 24 * time.Hour, MaxTTL},
	} {
		token, err := b.Login(t.Context(), "alice", goodPassword, home(), tc.ask)
		if err != nil {
			t.Fatal(err)
		}
		if want := b.clock.now().Add(tc.want).Truncate(time.Second); !token.ExpiresAt.Equal(want) {
			t.Errorf("asked for %s: got %s, want %s", tc.ask, token.ExpiresAt, want)
		}
	}
}

func TestLoginTokensDifferEachTime(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "alice")
	first, second := b.login(t, "alice"), b.login(t, "alice")
	if first.Value == second.Value || b.authenticate(t, first).TokenID == b.authenticate(t, second).TokenID {
		t.Error("two logins share a token or its id")
	}
}

// The refusals must agree in every visible part and in the work behind them, or
// a stranger learns which names exist.
func TestLoginRefusalsCannotBeToldApart(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "alice")
	b.create(t, "gone")
	b.update(t, "gone", Changes{Disabled: ptr(true)})

	for name, try := range map[string]struct{ username, password string }{
		"wrong password":                     {"alice", "not the password"},
		"password of other case":             {"alice", strings.ToUpper(goodPassword)},
		"password with a blank":              {"alice", goodPassword + " "},
		"empty password":                     {"alice", ""},
		"overlong password":                  {"alice", strings.Repeat("x", 100_000)},
		"unknown account":                    {"nobody", goodPassword},
		"disabled account":                   {"gone", goodPassword},
		"disabled account, wrong password":   {"gone", "not the password"},
		"unknown account, overlong password": {"nobody", strings.Repeat("x", 100_000)},
	} {
		hashes, statements := b.hashes.Load(), b.db.statements.Load()
		token, err := b.Login(t.Context(), try.username, try.password, netip.MustParseAddr("203.0.113.9"), 0)
		b.clock.add(time.Hour) // throttling is another test's business
		want := errs.Error{Kind: errs.Unauthorized, Reason: "invalid_credentials", Message: "Incorrect username or password"}
		if got := *errs.As(err); got != want {
			t.Errorf("%s: got %+v, want %+v", name, got, want)
		}
		if token != (Token{}) {
			t.Errorf("%s: got a token", name)
		}
		if n := b.hashes.Load() - hashes; n != 1 {
			t.Errorf("%s: %d hashes, want 1", name, n)
		}
		if n := b.db.statements.Load() - statements; n != 1 {
			t.Errorf("%s: %d statements, want 1", name, n)
		}
	}
}

func TestLoginWithImpossibleNamesIsRefusedLikeAnyOther(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, username := range []string{"", "a b", "a\x00b", "\xff", "名字", strings.Repeat("a", 65), "' OR 1=1 --"} {
		hashes := b.hashes.Load()
		_, err := b.Login(t.Context(), username, goodPassword, home(), 0)
		b.clock.add(time.Hour)
		wantErr(t, err, errs.Unauthorized, "invalid_credentials")
		if n := b.hashes.Load() - hashes; n != 1 {
			t.Errorf("%q: %d hashes, want 1", username, n)
		}
	}
}

func TestLoginTakesThePasswordExactlyAsTyped(t *testing.T) {
	t.Parallel()
	b := setup(t)
	// The same word in two Unicode forms, and blanks at both ends.
	composed, decomposed := "caf\u00e9 au lait", "cafe\u0301 au lait"
	b.create(t, "composed", func(n *NewAccount) { n.Password = composed })
	b.create(t, "blanks", func(n *NewAccount) { n.Password = "  two blanks  " })
	b.create(t, "longest", func(n *NewAccount) { n.Password = strings.Repeat("界", maxPassword) })

	for _, tc := range []struct {
		username, password string
		ok                 bool
	}{
		{"composed", composed, true}, {"composed", decomposed, false},
		{"blanks", "  two blanks  ", true}, {"blanks", "two blanks", false},
		{"longest", strings.Repeat("界", maxPassword), true}, {"longest", strings.Repeat("界", maxPassword+1), false},
	} {
		if _, err := b.Login(t.Context(), tc.username, tc.password, home(), 0); (err == nil) != tc.ok {
			t.Errorf("%s with %.20q: got %v, want ok=%v", tc.username, tc.password, err, tc.ok)
		}
	}
}

func TestLoginIsRefusedAfterTooManyFailures(t *testing.T) {
	t.Parallel()
	for _, username := range []string{"alice", "nobody"} {
		t.Run(username, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.create(t, "alice")
			fail := func() error {
				_, err := b.Login(t.Context(), username, "wrong password", home(), 0)
				return err
			}
			for range b.throttle.perPair.burst {
				wantErr(t, fail(), errs.Unauthorized, "invalid_credentials")
			}
			hashes := b.hashes.Load()
			err := fail()
			wantErr(t, err, errs.RateLimited, "too_many_attempts")
			if got := errs.As(err).RetryAfter; got != b.throttle.perPair.every {
				t.Errorf("got RetryAfter %s, want %s", got, b.throttle.perPair.every)
			}
			if b.hashes.Load() != hashes {
				t.Error("a refused attempt cost a hash")
			}
			b.clock.add(errs.As(err).RetryAfter)
			wantErr(t, fail(), errs.Unauthorized, "invalid_credentials")
			wantErr(t, fail(), errs.RateLimited, "too_many_attempts")
		})
	}
}

func TestLoginThrottlingDoesNotLockOutTheOwner(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "alice")
	b.create(t, "bob")
	for range 100 {
		b.Login(t.Context(), "alice", "wrong password", elsewhere(), 0)
	}
	_, err := b.Login(t.Context(), "alice", goodPassword, elsewhere(), 0)
	wantErr(t, err, errs.RateLimited, "too_many_attempts")

	if _, err := b.Login(t.Context(), "alice", goodPassword, home(), 0); err != nil {
		t.Errorf("the owner, from home: %v", err)
	}
	if _, err := b.Login(t.Context(), "bob", goodPassword, elsewhere(), 0); err != nil {
		t.Errorf("somebody else behind the guesser's address: %v", err)
	}
	b.clock.add(b.throttle.perPair.every)
	if _, err := b.Login(t.Context(), "alice", goodPassword, elsewhere(), 0); err != nil {
		t.Errorf("the owner behind the guesser's address, later: %v", err)
	}
}

func TestLoginThatSucceedsClearsTheSourceForThatAccount(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "alice")
	for range 5 {
		for range b.throttle.perPair.burst - 1 {
			_, err := b.Login(t.Context(), "alice", "wrong password", home(), 0)
			wantErr(t, err, errs.Unauthorized, "invalid_credentials")
		}
		b.login(t, "alice")
	}
}

func TestLoginGuessesManyAtOnceAreCountedBeforeTheyFail(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "alice")
	reasons := make(chan string, 60)
	var wg sync.WaitGroup
	for range cap(reasons) {
		wg.Go(func() {
			_, err := b.Login(t.Context(), "alice", "wrong password", home(), 0)
			reasons <- errs.As(err).Reason
		})
	}
	wg.Wait()
	close(reasons)
	got := map[string]int{}
	for r := range reasons {
		got[r]++
	}
	burst := b.throttle.perPair.burst
	if got["invalid_credentials"] != burst || got["too_many_attempts"] != cap(reasons)-burst {
		t.Errorf("got %v, want %d guesses tried", got, burst)
	}
}

func TestLoginManyGoodOnesAtOnceAreNotMistakenForGuesses(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "alice")
	failures := make(chan error, 60)
	var wg sync.WaitGroup
	for range cap(failures) {
		wg.Go(func() {
			_, err := b.Login(t.Context(), "alice", goodPassword, home(), 0)
			failures <- err
		})
	}
	wg.Wait()
	close(failures)
	for err := range failures {
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestLoginWithoutADatabaseIsUnavailableAndCostsNoAttempt(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "alice")
	b.db.down.Store(true)
	for range 3 * b.throttle.perPair.burst {
		_, err := b.Login(t.Context(), "alice", goodPassword, home(), 0)
		wantErr(t, err, errs.Unavailable, "temporarily_unavailable")
	}
	b.db.down.Store(false)
	b.login(t, "alice")
}

func TestLoginGivesUpWaitingForAHashWithItsContext(t *testing.T) {
	t.Parallel()
	b := setup(t, func(c *Config) { c.HashConcurrency = 1 })
	b.create(t, "alice")
	if err := b.passwords.line.enter(t.Context(), sourceOf(home()), false); err != nil {
		t.Fatal(err)
	}
	defer b.passwords.line.leave()

	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := b.Login(ctx, "alice", goodPassword, home(), 0)
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want the deadline as cause", err)
	}
	wantErr(t, err, errs.RateLimited, "busy")
}

// Somebody who knows the old password must not get a lasting token by logging
// in at the very moment of its change.
func TestLoginOvertakenByAPasswordChangeYieldsAVoidToken(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "alice")
	other := b.another(t)
	b.passwords.onHash = func() {
		other.update(t, "alice", Changes{Password: ptr("a new password")})
	}
	token, err := b.Login(t.Context(), "alice", goodPassword, home(), 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = other.Authenticate(t.Context(), token.Value)
	wantErr(t, err, errs.Unauthorized, "token_revoked")
}

func TestLogoutRevokesThisTokenAndNoOther(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "alice")
	first, second := b.login(t, "alice"), b.login(t, "alice")
	p := b.authenticate(t, first)
	for range 2 { // once more does no harm
		if err := b.Logout(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	_, err := b.Authenticate(t.Context(), first.Value)
	wantErr(t, err, errs.Unauthorized, "token_revoked")
	b.authenticate(t, second)

	// Also on a process that starts afterwards.
	_, err = b.another(t).Authenticate(t.Context(), first.Value)
	wantErr(t, err, errs.Unauthorized, "token_revoked")
}

func TestLogoutWithoutADatabaseSaysSo(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "alice")
	token := b.login(t, "alice")
	p := b.authenticate(t, token)
	b.db.down.Store(true)
	wantErr(t, b.Logout(t.Context(), p), errs.Unavailable, "temporarily_unavailable")
	b.authenticate(t, token) // or this process alone would think it revoked
}

func TestLogoutOfAPrincipalWithoutTokenIsRefused(t *testing.T) {
	t.Parallel()
	b := setup(t)
	wantErr(t, b.Logout(t.Context(), System()), errs.Unauthorized, "token_invalid")
}

func TestNothingSecretIsLogged(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	b := setup(t, func(c *Config) {
		c.Log = slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	generated, _, err := b.EnsureAdmin(t.Context(), "admin", "")
	if err != nil {
		t.Fatal(err)
	}
	b.create(t, "alice")
	token := b.login(t, "alice")
	b.update(t, "alice", Changes{Password: ptr("another good password")})
	_, refused := b.Login(t.Context(), "alice", "typed by mistake", home(), 0)
	_, bad := b.Authenticate(t.Context(), token.Value+"x")
	// The door logs errors, so they count.
	fmt.Fprintln(&out, refused, bad, b.Logout(t.Context(), Principal{TokenID: "x"}))

	for _, secret := range []string{generated, goodPassword, "another good password", "typed by mistake", token.Value, "argon2id$"} {
		if strings.Contains(out.String(), secret) {
			t.Errorf("%.12q… is in the log:\n%s", secret, out.String())
		}
	}
}

func TestNewNeedsADatabaseAndABox(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]Config{"nothing": {}, "no database": {Box: dbtest.Box()}, "no box": {DB: &spyDB{}}} {
		if _, err := New(t.Context(), c); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestRefusedLoginsAreCountedByTheirLimit(t *testing.T) {
	t.Parallel()
	counted := map[string]int{}
	b := setup(t, func(c *Config) {
		c.HashConcurrency, c.HashQueue, c.LoginAttempts, c.LoginAttemptsPerAddress = 1, 1, 2, 3
		c.Limited = func(limit string) { counted[limit]++ }
	})
	for _, username := range []string{"alice", "alice", "alice", "bob", "carol"} {
		_, _ = b.Login(t.Context(), username, "a wrong password", home(), 0)
	}
	want := map[string]int{"login_attempts": 1, "login_attempts_per_address": 1}
	if !maps.Equal(counted, want) {
		t.Errorf("counted %v, want %v", counted, want)
	}
	// As many as there are places, in and before the line, and one more.
	_ = b.passwords.line.enter(t.Context(), netip.Prefix{}, false)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := b.Login(gone, "alice", goodPassword, netip.MustParseAddr("203.0.113.77"), 0)
	wantErr(t, err, errs.RateLimited, "busy")
	if want["hash_queue"] = 1; !maps.Equal(counted, want) {
		t.Errorf("counted %v, want %v", counted, want)
	}
}
