package account

import (
	"sync"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/gen/db"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/pg"
)

func TestFollowerLearnsOfLogoutDisablingAndNewPasswords(t *testing.T) {
	t.Parallel()
	b := setup(t)
	other := b.another(t)
	there := other.follow(t)

	for _, username := range []string{"alice", "bob", "carol"} {
		b.create(t, username)
		there.CatchUp(t)
	}
	alice, bob, carol := b.login(t, "alice"), b.login(t, "bob"), b.login(t, "carol")
	for _, token := range []Token{alice, bob, carol} {
		other.authenticate(t, token) // cached from here on
	}

	if err := b.Logout(t.Context(), b.authenticate(t, alice)); err != nil {
		t.Fatal(err)
	}
	there.CatchUp(t)
	b.update(t, "bob", Changes{Disabled: ptr(true)})
	there.CatchUp(t)
	b.update(t, "carol", Changes{Password: ptr("a new password")})
	there.CatchUp(t)

	for reason, token := range map[string]Token{"token_revoked": alice, "account_disabled": bob} {
		_, err := other.Authenticate(t.Context(), token.Value)
		wantErr(t, err, errs.Unauthorized, reason)
	}
	_, err := other.Authenticate(t.Context(), carol.Value)
	wantErr(t, err, errs.Unauthorized, "token_revoked")
}

func TestFollowerKnowsAccountsWithoutAsking(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "before")
	other := b.another(t)
	there := other.follow(t)
	b.create(t, "after")
	there.CatchUp(t)
	before, after := b.login(t, "before"), b.login(t, "after")
	other.db.statements.Store(0)
	other.authenticate(t, before)
	other.authenticate(t, after)
	if n := other.db.statements.Load(); n != 0 {
		t.Errorf("%d statements, want none", n)
	}
}

func TestFollowerForgetsDeletedAccounts(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "Alice")
	token := b.login(t, "alice")
	other := b.another(t)
	there := other.follow(t)
	other.authenticate(t, token)
	b.exec(t, "DELETE FROM accounts")
	there.CatchUp(t)
	_, err := other.Authenticate(t.Context(), token.Value)
	wantErr(t, err, errs.Unauthorized, "token_revoked")
}

func TestFollowerSignsWithANewKey(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "alice")
	there := b.follow(t)
	old := kidOf(t, b.login(t, "alice"))
	b.exec(t, "UPDATE token_keys SET retired_at = $1", b.clock.now())
	there.CatchUp(t)
	b.clock.add(time.Second)
	b.another(t)
	there.CatchUp(t)
	if kidOf(t, b.login(t, "alice")) == old {
		t.Error("still signing with the retired key")
	}
}

func TestReloadReplacesWhatChangedUnheard(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "alice")
	b.create(t, "bob")
	alice, bob := b.login(t, "alice"), b.login(t, "bob")
	p := b.authenticate(t, bob)

	other := b.another(t)
	if err := other.Reload(t.Context(), other.pool); err != nil {
		t.Fatal(err)
	}
	b.exec(t, "DELETE FROM accounts WHERE username = 'alice'")
	if err := b.Logout(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	if err := other.Reload(t.Context(), other.pool); err != nil {
		t.Fatal(err)
	}
	for _, token := range []Token{alice, bob} {
		_, err := other.Authenticate(t.Context(), token.Value)
		wantErr(t, err, errs.Unauthorized, "token_revoked")
	}
}

func TestReloadAndApplyReportALostDatabase(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "alice")
	token := b.login(t, "alice")
	b.db.down.Store(true)
	wantErr(t, b.Reload(t.Context(), b.db), errs.Unavailable, "temporarily_unavailable")
	for _, table := range b.Tables() {
		err := b.Apply(t.Context(), b.db, pg.Change{Table: table, Key: "x"})
		wantErr(t, err, errs.Unavailable, "temporarily_unavailable")
	}
	b.authenticate(t, token) // what was known stays known
}

func TestApplyOfARevocationThatIsGoneDoesNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, c := range []pg.Change{{Table: "revoked_tokens", Key: "x"}, {Table: "accounts", Key: "x"}, {Table: "rooms", Key: "x"}} {
		if err := b.Apply(t.Context(), b.pool, c); err != nil {
			t.Errorf("%v: %v", c, err)
		}
	}
}

func TestPurgeForgetsExpiredRevocationsOnly(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "alice")
	logout := func(ttl time.Duration) Token {
		token, err := b.Login(t.Context(), "alice", goodPassword, home(), ttl)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Logout(t.Context(), b.authenticate(t, token)); err != nil {
			t.Fatal(err)
		}
		return token
	}
	short, long := logout(time.Minute), logout(48*time.Hour)
	purge := func(wantRows int) {
		t.Helper()
		if err := b.Purge(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := b.count(t, "SELECT count(*) FROM revoked_tokens"); n != wantRows || len(b.memory.revoked) != wantRows {
			t.Errorf("%d rows and %d in memory, want %d", n, len(b.memory.revoked), wantRows)
		}
	}
	b.clock.add(2 * time.Minute)
	purge(2) // another process may think it is earlier
	b.clock.add(revokedSlack)
	purge(2) // Renew may still ask
	b.clock.add(MaxRenewal)
	purge(1)
	_, err := b.Authenticate(t.Context(), short.Value)
	wantErr(t, err, errs.Unauthorized, "token_expired")
	_, err = b.Authenticate(t.Context(), long.Value)
	wantErr(t, err, errs.Unauthorized, "token_revoked")

	b.db.down.Store(true)
	wantErr(t, b.Purge(t.Context()), errs.Unavailable, "temporarily_unavailable")
}

func TestMemoryKeepsTheNewerOfTwoCopies(t *testing.T) {
	t.Parallel()
	at := newClock().now()
	row := func(id int64, level int32, updated time.Duration) db.Account {
		return db.Account{ID: id, Username: "Alice", PermissionLevel: level, UpdatedAt: at.Add(updated)}
	}
	for name, tc := range map[string]struct {
		first, second db.Account
		want          int
	}{
		"newer after older":          {row(1, 1, 0), row(1, 2, time.Microsecond), 2},
		"older after newer":          {row(1, 2, time.Microsecond), row(1, 1, 0), 2},
		"the same twice":             {row(1, 1, 0), row(1, 1, 0), 1},
		"a namesake created later":   {row(1, 1, time.Hour), row(2, 2, 0), 2},
		"a namesake that is deleted": {row(2, 2, 0), row(1, 1, time.Hour), 2},
	} {
		m := newMemory()
		m.put(tc.first, m.mark())
		m.put(tc.second, m.mark())
		if h, ok := m.account("alice"); !ok || h.PermissionLevel != tc.want {
			t.Errorf("%s: got %+v, want level %d", name, h.Account, tc.want)
		}
	}
}

func TestMemoryReplaceKeepsWhatWasWrittenDuringTheRead(t *testing.T) {
	t.Parallel()
	at := newClock().now()
	m := newMemory()
	for _, name := range []string{"deleted", "changed", "same"} {
		m.put(db.Account{ID: 1, Username: name, UpdatedAt: at}, m.mark())
	}
	mark := m.mark()
	rows := []db.Account{{ID: 1, Username: "changed", UpdatedAt: at}, {ID: 1, Username: "same", UpdatedAt: at}}
	m.put(db.Account{ID: 1, Username: "changed", UpdatedAt: at.Add(time.Microsecond), PermissionLevel: 5}, m.mark())
	m.put(db.Account{ID: 2, Username: "created", UpdatedAt: at}, m.mark())
	m.replace(rows, mark)

	if _, ok := m.account("deleted"); ok {
		t.Error("a deleted account stayed")
	}
	if h, _ := m.account("changed"); h.PermissionLevel != 5 {
		t.Error("an older row replaced a newer one")
	}
	for _, name := range []string{"created", "same"} {
		if _, ok := m.account(name); !ok {
			t.Errorf("%s is missing", name)
		}
	}
}

func TestMemoryIsConsistentUnderConcurrentUse(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "root", asAdmin)
	b.create(t, "alice")
	other := b.another(t)
	other.follow(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 10 {
				token := b.login(t, "alice")
				p := b.authenticate(t, token)
				if err := b.Logout(t.Context(), p); err != nil {
					t.Error(err)
				}
				if _, err := b.Authenticate(t.Context(), token.Value); err == nil {
					t.Error("a token outlived its logout")
				}
			}
		})
	}
	wg.Go(func() {
		for range 10 {
			if err := b.Reload(t.Context(), b.pool); err != nil {
				t.Error(err)
			}
			b.update(t, "alice", Changes{PermissionLevel: ptr(1)})
		}
	})
	wg.Wait()
}
