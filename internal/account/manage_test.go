package account

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/errs"
)

func TestRegisterStoresTheAccountAsTyped(t *testing.T) {
	t.Parallel()
	b := setup(t)
	system := System()
	got, err := b.Register(t.Context(), &system, NewAccount{
		Username: "Al.Ice@x-1_", Email: "Alice@Example.com", FullName: " 爱丽丝 O'Hara ",
		Password: goodPassword, Admin: true, PermissionLevel: 4,
	})
	if err != nil {
		t.Fatal(err)
	}
	want := Account{
		ID: got.ID, Username: "Al.Ice@x-1_", Email: "Alice@Example.com", FullName: " 爱丽丝 O'Hara ",
		Admin: true, PermissionLevel: 4, Push: "*", Pull: "*", CreatedAt: got.CreatedAt, UpdatedAt: got.UpdatedAt,
	}
	if got != want || !got.CreatedAt.Equal(b.clock.now()) || got.ID == 0 {
		t.Errorf("got %+v, want %+v", got, want)
	}
	stored, err := b.Get(t.Context(), "AL.ICE@X-1_")
	if err != nil || stored != want {
		t.Errorf("Get: got %+v, %v", stored, err)
	}
}

func TestRegisterIsForAdministratorsUnlessOpen(t *testing.T) {
	t.Parallel()
	b := setup(t)
	n := NewAccount{Username: "new", Password: goodPassword}
	for name, caller := range map[string]*Principal{"nobody": nil, "somebody": {Account: Account{Username: "alice"}}} {
		hashes := b.hashes.Load()
		_, err := b.Register(t.Context(), caller, n)
		wantErr(t, err, errs.Forbidden, "registration_closed")
		if b.hashes.Load() != hashes {
			t.Errorf("%s: a refused registration cost a hash", name)
		}
	}
	admin := Principal{Account: Account{Username: "root", Admin: true}}
	if _, err := b.Register(t.Context(), &admin, n); err != nil {
		t.Errorf("administrator: %v", err)
	}
}

func TestRegisterOpenGrantsNothing(t *testing.T) {
	t.Parallel()
	b := setup(t, openRegistration)
	for i, caller := range []*Principal{nil, {Account: Account{Username: "alice", PermissionLevel: 9}}} {
		a, err := b.Register(t.Context(), caller, NewAccount{
			Username: fmt.Sprintf("new%d", i), Password: goodPassword, Admin: true, PermissionLevel: 9,
		})
		if err != nil {
			t.Fatal(err)
		}
		if a.Admin || a.PermissionLevel != 0 {
			t.Errorf("got %+v, want no rights", a)
		}
	}
	system := System()
	if a, err := b.Register(t.Context(), &system, NewAccount{Username: "boss", Password: goodPassword, Admin: true}); err != nil || !a.Admin {
		t.Errorf("an administrator may still grant rights: got %+v, %v", a, err)
	}
}

func TestRegisterNamesTheFieldAtFault(t *testing.T) {
	t.Parallel()
	b := setup(t, openRegistration)
	for name, tc := range map[string]struct {
		field  string
		change func(*NewAccount)
	}{
		"no username":          {"username", func(n *NewAccount) { n.Username = "" }},
		"username with blank":  {"username", func(n *NewAccount) { n.Username = "a b" }},
		"long username":        {"username", func(n *NewAccount) { n.Username = strings.Repeat("a", 65) }},
		"bad email":            {"email", func(n *NewAccount) { n.Email = "nope" }},
		"NUL in the full name": {"full_name", func(n *NewAccount) { n.FullName = "a\x00b" }},
		"long full name":       {"full_name", func(n *NewAccount) { n.FullName = strings.Repeat("名", 257) }},
		"short password":       {"password", func(n *NewAccount) { n.Password = "1234567" }},
		"common password":      {"password", func(n *NewAccount) { n.Password = "Password123" }},
		"username as password": {"password", func(n *NewAccount) { n.Username, n.Password = "stagehand", "StageHand" }},
	} {
		n := NewAccount{Username: "alice", Email: "a@example.com", FullName: "A", Password: goodPassword}
		tc.change(&n)
		_, err := b.Register(t.Context(), nil, n)
		if got := errs.As(err); got.Kind != errs.Invalid || got.Field != tc.field || got.Reason != "invalid_"+tc.field {
			t.Errorf("%s: got %v, want invalid_%s", name, err, tc.field)
		}
		if strings.Contains(fmt.Sprint(err), n.Password) {
			t.Errorf("%s: the error repeats the password", name)
		}
	}
	system := System()
	_, err := b.Register(t.Context(), &system, NewAccount{Username: "alice", Password: goodPassword, PermissionLevel: -1})
	wantField(t, err, errs.Invalid, "invalid_permission_level", "permission_level")
	if n := b.count(t, "SELECT count(*) FROM accounts"); n != 0 {
		t.Errorf("%d accounts were stored", n)
	}
}

func TestRegisterKeepsNamesAndAddressesUnique(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "Alice", func(n *NewAccount) { n.Email = "alice@example.com" })
	b.create(t, "bob")
	b.create(t, "carol") // two accounts without an address do not collide
	system := System()
	_, err := b.Register(t.Context(), &system, NewAccount{Username: "aLICE", Password: goodPassword})
	wantField(t, err, errs.Conflict, "account_exists", "username")
	if got := errs.As(err).Message; got != "Username already registered" {
		t.Errorf("got message %q", got)
	}
	_, err = b.Register(t.Context(), &system, NewAccount{Username: "dave", Email: "ALICE@example.COM", Password: goodPassword})
	wantField(t, err, errs.Conflict, "account_exists", "email")
}

func TestRegisterRaceHasOneWinner(t *testing.T) {
	t.Parallel()
	for _, field := range []string{"username", "email"} {
		t.Run(field, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			results := race(12, func(i int) error {
				n := NewAccount{Username: "Alice", Password: goodPassword}
				if field == "email" {
					n.Username, n.Email = fmt.Sprintf("alice%d", i), "alice@example.com"
				} else if i%2 == 0 {
					n.Username = "aLICE"
				}
				system := System()
				_, err := b.Register(t.Context(), &system, n)
				return err
			})
			won := 0
			for _, err := range results {
				if err == nil {
					won++
					continue
				}
				wantField(t, err, errs.Conflict, "account_exists", field)
			}
			if won != 1 {
				t.Errorf("%d winners, want 1", won)
			}
		})
	}
}

func TestGetOfAnUnknownNameIsNotFound(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, username := range []string{"nobody", "", "a b", "\xff", strings.Repeat("a", 1000)} {
		_, err := b.Get(t.Context(), username)
		wantErr(t, err, errs.NotFound, "account_not_found")
	}
}

func TestListPagesInOrderOfNames(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, username := range []string{"delta", "Bravo", "alfa", "Charlie", "echo"} {
		b.create(t, username)
	}
	var got []string
	for after := ""; ; {
		page, err := b.List(t.Context(), after, 2)
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, a := range page {
			got = append(got, a.Username)
		}
		after = page[len(page)-1].Username
	}
	if want := "alfa Bravo Charlie delta echo"; strings.Join(got, " ") != want {
		t.Errorf("got %v, want %s", got, want)
	}
	for _, limit := range []int{0, -1, 1 << 40} {
		if page, err := b.List(t.Context(), "", limit); err != nil || len(page) != 5 {
			t.Errorf("limit %d: got %d accounts, %v", limit, len(page), err)
		}
	}
	_, err := b.List(t.Context(), "a\x00b", 10)
	wantErr(t, err, errs.Invalid, "invalid_after")
}

func TestUpdateChangesOnlyWhatIsGiven(t *testing.T) {
	t.Parallel()
	b := setup(t)
	before := b.create(t, "Alice", func(n *NewAccount) { n.Email, n.FullName, n.PermissionLevel = "a@example.com", "A", 2 })
	b.clock.add(time.Minute)

	same := b.update(t, "alice", Changes{})
	want := before
	want.UpdatedAt = b.clock.now()
	if same != want {
		t.Errorf("nothing given: got %+v, want %+v", same, want)
	}
	got := b.update(t, "ALICE", Changes{
		Admin: ptr(true), PermissionLevel: ptr(0), Email: ptr("b@example.com"), FullName: ptr(""),
	})
	want.Admin, want.PermissionLevel, want.Email, want.FullName = true, 0, "b@example.com", ""
	want.Push, want.Pull = "*", "*"
	want.UpdatedAt = got.UpdatedAt
	if got != want || !got.UpdatedAt.After(same.UpdatedAt) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if cleared := b.update(t, "alice", Changes{Email: ptr("")}); cleared.Email != "" {
		t.Errorf("the address stayed: %+v", cleared)
	}
	b.login(t, "alice") // with the password it had
}

func TestUpdateIsForAdministrators(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "alice")
	p := b.authenticate(t, b.login(t, "alice"))
	for _, caller := range []Principal{{}, p} {
		_, err := b.Update(t.Context(), caller, "alice", Changes{Admin: ptr(true)})
		wantErr(t, err, errs.Forbidden, "admin_only")
	}
}

func TestUpdateNamesWhatIsWrong(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "alice-in-chains")
	b.create(t, "bob", func(n *NewAccount) { n.Email = "bob@example.com" })
	for field, ch := range map[string]Changes{
		"email":            {Email: ptr("nope")},
		"full_name":        {FullName: ptr("a\nb")},
		"permission_level": {PermissionLevel: ptr(1 << 40)},
		"password":         {Password: ptr("Alice-In-Chains")},
	} {
		_, err := b.Update(t.Context(), System(), "alice-in-chains", ch)
		wantField(t, err, errs.Invalid, "invalid_"+field, field)
	}
	_, err := b.Update(t.Context(), System(), "alice-in-chains", Changes{Email: ptr("BOB@example.com")})
	wantField(t, err, errs.Conflict, "account_exists", "email")
	for _, username := range []string{"nobody", "", "a b"} {
		_, err := b.Update(t.Context(), System(), username, Changes{Disabled: ptr(true)})
		wantErr(t, err, errs.NotFound, "account_not_found")
	}
	b.db.down.Store(true)
	_, err = b.Update(t.Context(), System(), "bob", Changes{Disabled: ptr(true)})
	wantErr(t, err, errs.Unavailable, "temporarily_unavailable")
}

func TestUpdateOfThePasswordReplacesIt(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "alice")
	b.update(t, "alice", Changes{Password: ptr("a new password")})
	_, err := b.Login(t.Context(), "alice", goodPassword, home(), 0)
	wantErr(t, err, errs.Unauthorized, "invalid_credentials")
	if _, err := b.Login(t.Context(), "alice", "a new password", home(), 0); err != nil {
		t.Error(err)
	}
}

func TestUpdateSparesTheLastAdministrator(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "root", asAdmin)
	b.create(t, "spare", asAdmin)
	b.create(t, "alice")
	b.update(t, "spare", Changes{Disabled: ptr(true)}) // so it does not count
	token := b.login(t, "root")

	for _, ch := range []Changes{
		{Disabled: ptr(true)}, {Admin: ptr(false)}, {Disabled: ptr(true), Admin: ptr(false), FullName: ptr("x")},
	} {
		_, err := b.Update(t.Context(), System(), "root", ch)
		wantErr(t, err, errs.Conflict, "last_admin")
	}
	if p := b.authenticate(t, token); !p.Admin || p.FullName != "" {
		t.Errorf("a refused change left traces: %+v", p)
	}
	b.update(t, "alice", Changes{Disabled: ptr(true), Admin: ptr(false)}) // others may go
	b.update(t, "spare", Changes{Admin: ptr(false)})
	b.update(t, "root", Changes{Disabled: ptr(false), Admin: ptr(true)})
}

func TestUpdateTwoAdministratorsCannotTurnEachOtherOff(t *testing.T) {
	t.Parallel()
	b := setup(t)
	names := []string{"left", "right"}
	b.create(t, names[0], asAdmin)
	b.create(t, names[1], asAdmin)
	processes := []*bundle{b, b.another(t)}
	for range 10 {
		results := race(2, func(i int) error {
			_, err := processes[i].Update(t.Context(), System(), names[i], Changes{Disabled: ptr(true)})
			return err
		})
		won := 0
		for _, err := range results {
			if err == nil {
				won++
				continue
			}
			wantErr(t, err, errs.Conflict, "last_admin")
		}
		if n := b.count(t, "SELECT count(*) FROM accounts WHERE disabled_at IS NULL"); won != 1 || n != 1 {
			t.Fatalf("%d were turned off and %d are left, want one each", won, n)
		}
		for _, name := range names {
			b.update(t, name, Changes{Disabled: ptr(false)})
		}
	}
}

func TestEnsureAdminCreatesTheFirstOneOnly(t *testing.T) {
	t.Parallel()
	b := setup(t)
	password, created, err := b.EnsureAdmin(t.Context(), "admin", "")
	if err != nil || !created || len(password) != 24 {
		t.Fatalf("got %q, %v, %v", password, created, err)
	}
	token, err := b.Login(t.Context(), "admin", password, home(), 0)
	if err != nil {
		t.Fatal(err)
	}
	if p := b.authenticate(t, token); !p.Admin || p.PermissionLevel < 1 {
		t.Errorf("got %+v", p)
	}
	hashes := b.hashes.Load()
	for _, again := range []struct{ username, password string }{{"admin", ""}, {"admin", "another password"}, {"other", ""}} {
		generated, created, err := b.EnsureAdmin(t.Context(), again.username, again.password)
		if err != nil || created || generated != "" {
			t.Errorf("%v: got %q, %v, %v", again, generated, created, err)
		}
	}
	if b.hashes.Load() != hashes {
		t.Error("a start with an administrator present cost a hash")
	}
	b.authenticate(t, token)
}

func TestEnsureAdminTakesAGivenPasswordAndDoesNotRepeatIt(t *testing.T) {
	t.Parallel()
	b := setup(t)
	generated, created, err := b.EnsureAdmin(t.Context(), "admin", goodPassword)
	if err != nil || !created || generated != "" {
		t.Fatalf("got %q, %v, %v", generated, created, err)
	}
	b.login(t, "admin")
}

func TestEnsureAdminRefusesBadSettings(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, tc := range []struct{ username, password, field string }{
		{"admin", "admin", "password"}, {"admin", "changeme", "password"},
		{"administrator", "administrator", "password"}, {"", "", "username"}, {"a b", "", "username"},
	} {
		_, _, err := b.EnsureAdmin(t.Context(), tc.username, tc.password)
		wantField(t, err, errs.Invalid, "invalid_"+tc.field, tc.field)
	}
	b.create(t, "admin") // somebody has the name, without the right
	_, created, err := b.EnsureAdmin(t.Context(), "Admin", "")
	wantField(t, err, errs.Conflict, "account_exists", "username")
	if created {
		t.Error("says it created somebody")
	}
	b.db.down.Store(true)
	_, _, err = b.EnsureAdmin(t.Context(), "root", "")
	wantErr(t, err, errs.Unavailable, "temporarily_unavailable")
}

func TestEnsureAdminByManyProcessesCreatesOne(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var mu sync.Mutex
	made := map[string]string{}
	results := race(8, func(i int) error {
		username := fmt.Sprintf("admin%d", i%3)
		password, created, err := b.another(t).EnsureAdmin(context.Background(), username, "")
		if created {
			mu.Lock()
			defer mu.Unlock()
			made[username] = password
		}
		return err
	})
	for _, err := range results {
		if err != nil {
			t.Error(err)
		}
	}
	if n := b.count(t, "SELECT count(*) FROM accounts"); n != 1 || len(made) != 1 {
		t.Fatalf("%d accounts, %d reports, want 1", n, len(made))
	}
	for username, password := range made {
		if _, err := b.Login(t.Context(), username, password, home(), 0); err != nil {
			t.Error(err)
		}
	}
}

// race runs f n times at once and returns what each returned.
func race(n int, f func(i int) error) []error {
	results := make([]error, n)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			<-start
			results[i] = f(i)
		})
	}
	close(start)
	wg.Wait()
	return results
}
