package account

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/pg"
)

func TestSaveCreatesAnAccount(t *testing.T) {
	t.Parallel()
	b := setup(t)
	got := b.save(t, Save{Username: "Alice", Password: goodPassword, Push: "/live/alice", Pull: "*"}) // whatever SetPassword says
	want := Account{ID: got.ID, Username: "Alice", Push: "/live/alice", Pull: "*", CreatedAt: got.CreatedAt, UpdatedAt: got.UpdatedAt}
	if got != want || got.ID == 0 {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if a, err := b.Get(t.Context(), "alice"); err != nil || a != want {
		t.Errorf("Get: %+v, %v", a, err)
	}
	b.login(t, "alice")
	if root := b.save(t, Save{Username: "root", Admin: true, Pull: "/live/*"}); root.Push != "*" || root.Pull != "/live/*" {
		t.Errorf("got %+v", root)
	}
}

func TestSaveReplacesRightsAndKeepsTheRest(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "root", asAdmin)
	before := b.create(t, "Alice", func(n *NewAccount) {
		n.Email, n.FullName, n.PermissionLevel, n.Admin, n.Push = "a@example.com", "Alice", 3, true, "/a"
	})
	b.update(t, "alice", Changes{Disabled: ptr(true)})
	b.clock.add(time.Minute)
	got := b.save(t, Save{Username: "aLICE", Password: "never looked at", Pull: "/b"})
	want := before
	want.Admin, want.Push, want.Pull, want.Disabled, want.UpdatedAt = false, "", "/b", true, got.UpdatedAt
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	b.update(t, "alice", Changes{Disabled: ptr(false)})
	b.login(t, "alice") // with the password it had
	if again := b.save(t, Save{Username: "alice", Admin: true}); again.Push != "*" || again.Pull != "*" {
		t.Errorf("got %+v", again)
	}
	if again := b.save(t, Save{Username: "alice"}); again.Push != "" || again.Pull != "" || again.Admin {
		t.Errorf("a demoted administrator keeps %+v", again)
	}
}

func TestSaveSetsThePasswordOnlyWhenTold(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "alice")
	token := b.login(t, "alice")
	b.save(t, Save{Username: "alice", Push: "/x"})
	b.authenticate(t, token)
	b.save(t, Save{Username: "alice", Password: "another good password", SetPassword: true})
	_, err := b.Authenticate(t.Context(), token.Value)
	wantErr(t, err, errs.Unauthorized, "token_revoked")
	if b.opens(t, "alice", goodPassword) || !b.opens(t, "alice", "another good password") {
		t.Error("not the password that was saved")
	}
	b.save(t, Save{Username: "alice", SetPassword: true})
	if b.opens(t, "alice", "") || b.opens(t, "alice", "another good password") {
		t.Error("an account without a password opens")
	}
}

func TestSaveSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "root", asAdmin)
	for _, name := range []string{"", "a/b", "sp ace", "名字", strings.Repeat("a", 65)} {
		_, err := b.Save(t.Context(), System(), Save{Username: name, Password: goodPassword})
		wantField(t, err, errs.Invalid, "invalid_username", "username")
	}
	_, err := b.Save(t.Context(), System(), Save{Username: "root"})
	wantErr(t, err, errs.Conflict, "last_admin")
	_, err = b.Save(t.Context(), System(), Save{Username: "root", Admin: true, Password: "short", SetPassword: true})
	wantField(t, err, errs.Invalid, "invalid_password", "password")
	if a, err := b.Get(t.Context(), "root"); err != nil || !a.Admin || a.Push != "*" {
		t.Errorf("a refused save left %+v, %v", a, err)
	}
	b.create(t, "alice")
	for _, caller := range []Principal{{}, b.authenticate(t, b.login(t, "alice"))} {
		_, err := b.Save(t.Context(), caller, Save{Username: "alice", Admin: true})
		wantErr(t, err, errs.Forbidden, "admin_only")
		wantErr(t, b.DeleteAccount(t.Context(), caller, "alice"), errs.Forbidden, "admin_only")
	}
	b.db.down.Store(true)
	_, err = b.Save(t.Context(), System(), Save{Username: "alice"})
	wantErr(t, err, errs.Unavailable, "temporarily_unavailable")
}

func TestSaveByManyCreatesOne(t *testing.T) {
	t.Parallel()
	b := setup(t)
	other := b.another(t)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			if _, err := []*bundle{b, other}[i%2].Save(t.Context(), System(), Save{Username: "alice", Push: fmt.Sprintf("/%d", i)}); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if n, err := b.CountAccounts(t.Context()); err != nil || n != 1 {
		t.Errorf("%d accounts, %v", n, err)
	}
}

func TestCountAccounts(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for i := range 3 {
		if n, err := b.CountAccounts(t.Context()); err != nil || n != int64(i) {
			t.Errorf("got %d, %v, want %d", n, err, i)
		}
		b.create(t, fmt.Sprintf("user%d", i))
	}
	b.db.down.Store(true)
	_, err := b.CountAccounts(t.Context())
	wantErr(t, err, errs.Unavailable, "temporarily_unavailable")
}

func TestDeletingAnAccountEndsEverythingOfIt(t *testing.T) {
	t.Parallel()
	b := setup(t)
	other := b.another(t)
	there := other.follow(t)
	b.create(t, "root", asAdmin)
	there.CatchUp(t)
	b.create(t, "Alice")
	there.CatchUp(t)
	token, pair := b.login(t, "alice"), b.pair(t, "alice")
	key, _ := b.key(t, "alice")
	there.CatchUp(t)
	for _, s := range []*bundle{b, other} {
		s.authenticate(t, token)
		s.holder(t, key.ID)
	}
	b.exec(t, `INSERT INTO live_tokens (account_id, app, stream, token_hash, play_hash, token_sealed, play_sealed, created_at)
		SELECT id, 'live', 'x', 'a', 'b', '', '', now() FROM accounts WHERE username = 'Alice'`)

	if err := b.DeleteAccount(t.Context(), System(), "ALICE"); err != nil {
		t.Fatal(err)
	}
	there.CatchUp(t)
	for _, s := range []*bundle{b, other} {
		_, err := s.Authenticate(t.Context(), token.Value)
		wantErr(t, err, errs.Unauthorized, "token_revoked")
		_, err = s.Holder(token.Value)
		wantErr(t, err, errs.Unauthorized, "token_invalid")
		s.refused(t, pair, "token_revoked", "token_invalid")
		_, _, err = s.KeyHolder(t.Context(), key.ID)
		wantErr(t, err, errs.Unauthorized, "access_key_unknown")
	}
	if n := b.count(t, "SELECT (SELECT count(*) FROM live_tokens) + (SELECT count(*) FROM access_keys) + (SELECT count(*) FROM refresh_families) + (SELECT count(*) FROM refresh_tokens)"); n != 0 {
		t.Errorf("%d rows stayed", n)
	}
	wantErr(t, b.DeleteAccount(t.Context(), System(), "alice"), errs.NotFound, "account_not_found")
	wantErr(t, b.DeleteAccount(t.Context(), System(), "a/b"), errs.NotFound, "account_not_found")

	// A namesake starts from nothing.
	b.clock.add(time.Microsecond)
	b.create(t, "alice")
	_, err := b.Authenticate(t.Context(), token.Value)
	wantErr(t, err, errs.Unauthorized, "token_revoked")
}

func TestTheLastAdministratorCannotBeDeleted(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "root", asAdmin)
	b.create(t, "off", asAdmin)
	b.update(t, "off", Changes{Disabled: ptr(true)}) // does not count
	wantErr(t, b.DeleteAccount(t.Context(), System(), "root"), errs.Conflict, "last_admin")
	b.login(t, "root")
	if err := b.DeleteAccount(t.Context(), System(), "off"); err != nil {
		t.Error(err)
	}
	b.db.down.Store(true)
	wantErr(t, b.DeleteAccount(t.Context(), System(), "root"), errs.Unavailable, "temporarily_unavailable")
}

func TestTwoAdministratorsCannotDeleteEachOther(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for range 5 {
		b.create(t, "one", asAdmin)
		b.create(t, "two", asAdmin)
		errors := make([]error, 2)
		var wg sync.WaitGroup
		for i, name := range []string{"one", "two"} {
			wg.Go(func() { errors[i] = b.DeleteAccount(t.Context(), System(), name) })
		}
		wg.Wait()
		if (errors[0] == nil) == (errors[1] == nil) {
			t.Fatalf("got %v and %v", errors[0], errors[1])
		}
		b.exec(t, "DELETE FROM accounts")
	}
}

// A login reads the account, hashes for a while, and then puts what it read into
// memory. Whoever was deleted in between must not come back by that.
func TestALoginThatIsOvertakenByDeletionOpensNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	other := b.another(t)
	there := other.follow(t)
	b.create(t, "root", asAdmin)
	there.CatchUp(t)
	b.create(t, "alice")
	there.CatchUp(t)
	other.passwords.onHash = func() {
		if err := b.DeleteAccount(t.Context(), System(), "alice"); err != nil {
			t.Error(err)
		}
		there.CatchUp(t)
	}
	token, err := other.Login(t.Context(), "alice", goodPassword, home(), 0)
	if err != nil {
		t.Fatal(err)
	}
	_, err = other.Authenticate(t.Context(), token.Value)
	wantErr(t, err, errs.Unauthorized, "token_revoked")

	b.create(t, "alice")
	there.CatchUp(t)
	_, err = other.LoginPair(t.Context(), "alice", goodPassword, home())
	wantErr(t, err, errs.Unauthorized, "invalid_credentials")

	other.passwords.onHash = func() {}
	b.create(t, "alice")
	there.CatchUp(t)
	other.authenticate(t, other.login(t, "alice"))
}

func TestRemovalsAreForgottenInTime(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, name := range []string{"alice", "bob"} {
		b.create(t, name)
		if err := b.Apply(t.Context(), b.pool, pg.Change{Table: "accounts", Key: "gone-" + name}); err != nil {
			t.Fatal(err)
		}
		b.clock.add(removalKept)
	}
	if err := b.Purge(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, kept := b.memory.removed["gone-bob"]; len(b.memory.removed) != 1 || !kept {
		t.Errorf("kept %v", b.memory.removed)
	}
}
