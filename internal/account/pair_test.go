package account

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/stagedoor-live/stagedoor/internal/errs"
)

func (b *bundle) pair(t testing.TB, username string) Pair {
	t.Helper()
	p, err := b.LoginPair(t.Context(), username, goodPassword, home())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (b *bundle) refresh(t testing.TB, refresh string) Pair {
	t.Helper()
	p, err := b.Refresh(t.Context(), refresh)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// refused checks that neither token of a pair is of any use, and why.
func (b *bundle) refused(t testing.TB, p Pair, access, refresh string) {
	t.Helper()
	_, err := b.Authenticate(t.Context(), p.Access.Value)
	wantErr(t, err, errs.Unauthorized, access)
	_, err = b.Refresh(t.Context(), p.Refresh)
	wantErr(t, err, errs.Unauthorized, refresh)
}

func TestAPairLivesAsLongAsDocumented(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "alice")
	p := b.pair(t, "ALICE")
	now := b.clock.now()
	if want := now.Add(2 * time.Hour).Truncate(time.Second); !p.Access.ExpiresAt.Equal(want) {
		t.Errorf("access until %s, want %s", p.Access.ExpiresAt, want)
	}
	if want := now.Add(7 * 24 * time.Hour); !p.RefreshExpires.Equal(want) || len(p.Refresh) != 43 {
		t.Errorf("refresh %q until %s, want %s", p.Refresh, p.RefreshExpires, want)
	}
	if len(p.Access.Value) > 512 {
		t.Errorf("the token has %d bytes", len(p.Access.Value))
	}
	b.authenticate(t, p.Access)
	b.clock.add(7*24*time.Hour - time.Nanosecond)
	b.authenticate(t, b.refresh(t, p.Refresh).Access)
	late := b.pair(t, "alice")
	b.clock.add(7 * 24 * time.Hour)
	b.refused(t, late, "token_expired", "token_expired")
}

func TestRefreshEndsTheOldPairAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "alice")
	bystander := b.pair(t, "alice")
	old := b.pair(t, "alice")
	b.clock.add(time.Hour)
	fresh := b.refresh(t, old.Refresh)
	if fresh.Refresh == old.Refresh || !fresh.RefreshExpires.Equal(b.clock.now().Add(PairRefreshTTL)) {
		t.Errorf("got %+v", fresh)
	}
	_, err := b.Authenticate(t.Context(), old.Access.Value)
	wantErr(t, err, errs.Unauthorized, "token_revoked")
	b.authenticate(t, fresh.Access)
	b.authenticate(t, bystander.Access)
	_, err = b.another(t).Authenticate(t.Context(), old.Access.Value) // a process that starts afterwards
	wantErr(t, err, errs.Unauthorized, "token_revoked")
}

func TestARefreshTokenUsedTwiceEndsAllThatCameOfItsLogin(t *testing.T) {
	t.Parallel()
	b := setup(t)
	other := b.another(t)
	there := other.follow(t)
	b.create(t, "alice")
	there.CatchUp(t)
	bystander := b.pair(t, "alice")
	first := b.pair(t, "alice")
	second := b.refresh(t, first.Refresh)
	there.CatchUp(t)
	third := b.refresh(t, second.Refresh)
	there.CatchUp(t)
	other.authenticate(t, third.Access)

	_, err := other.Refresh(t.Context(), first.Refresh)
	wantErr(t, err, errs.Unauthorized, "token_revoked")
	there.CatchUp(t)
	for _, s := range []*bundle{b, other} {
		// Gone from the database altogether, so nothing is told of them.
		for _, p := range []Pair{first, second, third} {
			_, err := s.Refresh(t.Context(), p.Refresh)
			wantErr(t, err, errs.Unauthorized, "token_invalid")
		}
	}
	_, err = other.Authenticate(t.Context(), third.Access.Value)
	wantErr(t, err, errs.Unauthorized, "token_revoked")
	_, err = b.another(t).Authenticate(t.Context(), third.Access.Value)
	wantErr(t, err, errs.Unauthorized, "token_revoked")
	b.authenticate(t, bystander.Access)
	b.refresh(t, bystander.Refresh)
}

func TestOneOfSeveralRefreshesWins(t *testing.T) {
	t.Parallel()
	b := setup(t)
	other := b.another(t)
	b.create(t, "alice")
	for range 5 {
		p := b.pair(t, "alice")
		var won []Pair
		var mu sync.Mutex
		var wg sync.WaitGroup
		for i := range 8 {
			s := []*bundle{b, other}[i%2]
			wg.Go(func() {
				got, err := s.Refresh(t.Context(), p.Refresh)
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					won = append(won, got)
				} else if errs.KindOf(err) != errs.Unauthorized {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if len(won) != 1 {
			t.Fatalf("%d callers got a pair", len(won))
		}
		// Who came too late either lost a race, which does no harm, or came after
		// it, which ends the family. Never are there two pairs.
		if n := b.count(t, "SELECT count(*) FROM refresh_tokens WHERE used_at IS NULL"); n > 1 {
			t.Errorf("%d usable tokens", n)
		}
		b.exec(t, "DELETE FROM refresh_families")
	}
}

// Two who found the token unused race for it: the loser ends nothing.
func TestALostRaceDoesNotEndTheFamily(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "alice")
	p := b.pair(t, "alice")
	seen, err := b.q.RefreshTokenByHash(t.Context(), b.pool, hashRefresh(p.Refresh))
	if err != nil {
		t.Fatal(err)
	}
	row, _, err := b.find(t.Context(), "alice")
	if err != nil {
		t.Fatal(err)
	}
	winner := b.refresh(t, p.Refresh)
	_, err = b.rotate(t.Context(), seen, row, b.clock.now())
	wantErr(t, err, errs.Unauthorized, "token_revoked")
	b.authenticate(t, winner.Access)
	b.refresh(t, winner.Refresh)

	b.exec(t, "DELETE FROM refresh_families")
	_, err = b.rotate(t.Context(), seen, row, b.clock.now())
	wantErr(t, err, errs.Unauthorized, "token_revoked")
	wantErr(t, b.reuse(t.Context(), seen), errs.Unauthorized, "token_revoked")
}

// A page that refreshes its token must not cut off the stream that it plays;
// a stolen one must.
func TestRefreshSupersedesAndReuseRevokes(t *testing.T) {
	t.Parallel()
	b := setup(t)
	other := b.another(t)
	there := other.follow(t)
	b.create(t, "alice")
	there.CatchUp(t)
	p := b.pair(t, "alice")
	running := func(want string) {
		t.Helper()
		for i, s := range []*bundle{b, other, b.another(t)} {
			if i == 2 { // a process that starts now
				if err := s.Reload(t.Context(), s.pool); err != nil {
					t.Fatal(err)
				}
			}
			_, err := s.Authenticate(t.Context(), p.Access.Value)
			wantErr(t, err, errs.Unauthorized, "token_revoked")
			if _, err = s.Holder(p.Access.Value); want != "" {
				wantErr(t, err, errs.Unauthorized, want)
			} else if err != nil {
				t.Errorf("process %d: %v", i, err)
			}
		}
	}
	b.refresh(t, p.Refresh)
	there.CatchUp(t)
	running("")
	if _, err := b.Refresh(t.Context(), p.Refresh); err == nil {
		t.Fatal("a refresh token worked twice")
	}
	there.CatchUp(t)
	running("token_revoked")
	b.memory.revoke(p.Access.id, revocation{b.clock.now(), true}) // late news
	running("token_revoked")
}

func TestReuseEndsSessionsOfExpiredTokensToo(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "alice")
	p := b.pair(t, "alice")
	b.clock.add(3 * time.Hour)
	b.refresh(t, p.Refresh)
	if _, err := b.Holder(p.Access.Value); err != nil {
		t.Error(err)
	}
	_, err := b.Refresh(t.Context(), p.Refresh)
	wantErr(t, err, errs.Unauthorized, "token_revoked")
	b.clock.add(revokedSlack)
	if err := b.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, err = b.Holder(p.Access.Value)
	wantErr(t, err, errs.Unauthorized, "token_revoked")
}

func TestTokensOfAPairAreNotInterchangeable(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "alice")
	p := b.pair(t, "alice")
	b.db.statements.Store(0)
	for _, garbage := range []string{p.Access.Value, "", "x", strings.Repeat("A", 42), p.Refresh + "A", p.Refresh[:42]} {
		_, err := b.Refresh(t.Context(), garbage)
		wantErr(t, err, errs.Unauthorized, "token_invalid")
	}
	if n := b.db.statements.Load(); n != 0 {
		t.Errorf("%d statements for what cannot be a refresh token", n)
	}
	for _, unknown := range []string{strings.Repeat("A", 43), strings.Repeat("\x00", 43), strings.ToUpper(p.Refresh)} {
		_, err := b.Refresh(t.Context(), unknown)
		wantErr(t, err, errs.Unauthorized, "token_invalid")
	}
	_, err := b.Authenticate(t.Context(), p.Refresh)
	wantErr(t, err, errs.Unauthorized, "token_invalid")
	b.authenticate(t, p.Access)
	b.refresh(t, p.Refresh)
}

func TestRefreshTokensAreStoredHashed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "alice")
	p := b.pair(t, "alice")
	if n := b.count(t, "SELECT count(*) FROM refresh_tokens t WHERE strpos(t::text, $1) > 0 OR strpos(encode(token_hash, 'escape'), $1) > 0", p.Refresh); n != 0 {
		t.Error("the refresh token itself is stored")
	}
}

func TestPairsEndWithPasswordAndAccount(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "root", asAdmin)
	for name, tc := range map[string]struct {
		end             func() error
		access, refresh string
	}{
		"password": {func() error {
			_, err := b.Update(t.Context(), System(), "alice", Changes{Password: ptr("another good password")})
			return err
		}, "token_revoked", "token_revoked"},
		"saved password": {func() error {
			_, err := b.Save(t.Context(), System(), Save{Username: "alice", Password: "another good password", SetPassword: true})
			return err
		}, "token_revoked", "token_revoked"},
		"disabled": {func() error {
			_, err := b.Update(t.Context(), System(), "alice", Changes{Disabled: ptr(true)})
			return err
		}, "account_disabled", "account_disabled"},
		"deleted": {func() error { return b.DeleteAccount(t.Context(), System(), "alice") }, "token_revoked", "token_invalid"},
	} {
		b.exec(t, "DELETE FROM accounts WHERE username = 'alice'")
		b.create(t, "alice")
		p := b.pair(t, "alice")
		used := b.refresh(t, p.Refresh)
		if err := tc.end(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		b.refused(t, used, tc.access, tc.refresh)
	}
}

func TestEnablingAnAccountBringsNoPairBack(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "alice")
	p := b.pair(t, "alice")
	b.update(t, "alice", Changes{Disabled: ptr(true)})
	b.update(t, "alice", Changes{Disabled: ptr(false)})
	b.refused(t, p, "token_revoked", "token_revoked")
}

func TestLogoutEndsTheWholePair(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "alice")
	bystander := b.pair(t, "alice")
	p := b.pair(t, "alice")
	if err := b.Logout(t.Context(), b.authenticate(t, p.Access)); err != nil {
		t.Fatal(err)
	}
	b.refused(t, p, "token_revoked", "token_invalid")

	// With what an older token of the same login has opened.
	p = b.pair(t, "alice")
	fresh := b.refresh(t, p.Refresh)
	principal := b.authenticate(t, fresh.Access)
	for range 2 { // once more does no harm
		if err := b.Logout(t.Context(), principal); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range []*bundle{b, b.another(t)} {
		for _, token := range []Token{p.Access, fresh.Access} {
			_, err := s.Authenticate(t.Context(), token.Value)
			wantErr(t, err, errs.Unauthorized, "token_revoked")
			if s == b {
				_, err = s.Holder(token.Value)
				wantErr(t, err, errs.Unauthorized, "token_revoked")
			}
		}
	}
	b.authenticate(t, bystander.Access)
	b.refresh(t, bystander.Refresh)
}

func TestNoChainOfPairsIsEndless(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "alice")
	p := b.pair(t, "alice")
	end := b.clock.now().Add(maxPairAge)
	for b.clock.now().Add(6 * 24 * time.Hour).Before(end) {
		b.clock.add(6 * 24 * time.Hour)
		p = b.refresh(t, p.Refresh)
		if p.RefreshExpires.After(end) {
			t.Fatalf("refresh until %s, after %s", p.RefreshExpires, end)
		}
	}
	if !p.RefreshExpires.Equal(end) {
		t.Errorf("refresh until %s, want %s", p.RefreshExpires, end)
	}
}

func TestAccessTokensOfAChainRememberTheLogin(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "alice")
	at := b.clock.now()
	p := b.pair(t, "alice")
	if c := claimsOf(t, p.Access); c["auth_time"] != nil || c["pair"] != true {
		t.Errorf("claims %v", c)
	}
	b.clock.add(time.Hour)
	if c := claimsOf(t, b.refresh(t, p.Refresh).Access); c["auth_time"] != float64(at.Unix()) {
		t.Errorf("claims %v, want auth_time %d", c, at.Unix())
	}
}

func claimsOf(t testing.TB, token Token) jwt.MapClaims {
	t.Helper()
	parsed, _, err := jwt.NewParser().ParseUnverified(token.Value, jwt.MapClaims{})
	if err != nil {
		t.Fatal(err)
	}
	return parsed.Claims.(jwt.MapClaims)
}

func TestPairsWithoutADatabase(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "alice")
	p := b.pair(t, "alice")
	b.db.down.Store(true)
	_, err := b.Refresh(t.Context(), p.Refresh)
	wantErr(t, err, errs.Unavailable, "temporarily_unavailable")
	_, err = b.LoginPair(t.Context(), "alice", goodPassword, home())
	wantErr(t, err, errs.Unavailable, "temporarily_unavailable")
	b.authenticate(t, p.Access)
	b.db.down.Store(false)
	b.refresh(t, p.Refresh)
}

func TestPurgeForgetsExpiredPairsOnly(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "alice")
	b.pair(t, "alice")
	kept := b.pair(t, "alice")
	b.clock.add(6 * 24 * time.Hour)
	kept = b.refresh(t, kept.Refresh)
	b.clock.add(24*time.Hour + revokedSlack + time.Second)
	if err := b.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := b.count(t, "SELECT count(*) FROM refresh_tokens"); n != 1 {
		t.Errorf("%d tokens", n)
	}
	if n := b.count(t, "SELECT count(*) FROM refresh_families"); n != 1 {
		t.Errorf("%d families", n)
	}
	b.refresh(t, kept.Refresh)
}
