package stagedoor

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	gen "github.com/stagedoor-live/stagedoor/gen/stagedoor"
	"github.com/stagedoor-live/stagedoor/internal/account"
	"github.com/stagedoor-live/stagedoor/internal/dialect/dialecttest"
)

func TestLogoutEndsTheTokenThatItCarries(t *testing.T) {
	t.Parallel()
	b := setup(t)
	other, err := b.login(t, "alice", password)
	if err != nil {
		t.Fatal(err)
	}
	r := b.send(t, ask("POST", "/api/v1/logout", b.alice)).want(t, http.StatusNoContent, "")
	if len(r.Body) > 0 {
		t.Errorf("a body: %s", r.Body)
	}
	b.send(t, ask("POST", "/api/v1/logout", b.alice)).want(t, http.StatusUnauthorized, "token_revoked")
	b.send(t, ask("POST", "/api/v1/logout", other)).want(t, http.StatusNoContent, "")
}

func TestGetShowsAnAccountWhateverTheCase(t *testing.T) {
	t.Parallel()
	b := setup(t)
	got := decode[gen.Account](t, b.send(t, ask("GET", "/api/v1/accounts/ALICE", b.admin)))
	now := b.clock.now().UTC()
	want := gen.Account{Username: "alice", Email: "alice@example.com", FullName: "Alice Example", CreatedAt: now, UpdatedAt: now}
	if got != want {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	admin := decode[gen.Account](t, b.send(t, ask("GET", "/api/v1/accounts/admin", b.admin)))
	if !admin.Admin || admin.PermissionLevel != 1 || admin.Push != "*" || admin.Pull != "*" {
		t.Errorf("got %+v", admin)
	}
}

func TestAllButLogoutIsForAdministrators(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, r := range []dialecttest.Request{
		ask("GET", "/api/v1/accounts", b.alice), ask("GET", "/api/v1/accounts/alice", b.alice), ask("GET", "/api/v1/accounts/nobody", b.alice),
		patch("alice", b.alice, `{"admin":true}`), patch("alice", b.alice, `{`), patch("nobody", b.alice, `{}`),
		ask("DELETE", "/api/v1/accounts/alice", b.alice), ask("DELETE", "/api/v1/accounts/nobody", b.alice),
		ask("GET", "/api/v1/access-keys", b.alice), ask("GET", "/api/v1/access-keys?username=alice", b.alice),
		newKey(b.alice, `{"username":"alice"}`), newKey(b.alice, `{`), ask("DELETE", "/api/v1/access-keys/AKSD00000000000000000000", b.alice),
	} {
		b.bad(t, r).want(t, http.StatusForbidden, "admin_only")
	}
}

func TestAnAdministratorWhoIsDemotedLosesTheRightAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.send(t, patch("alice", b.admin, `{"admin":true}`)).want(t, http.StatusOK, "")
	b.send(t, ask("GET", "/api/v1/accounts", b.alice)).want(t, http.StatusOK, "")
	b.send(t, patch("alice", b.admin, `{"admin":false}`)).want(t, http.StatusOK, "")
	b.send(t, ask("GET", "/api/v1/accounts", b.alice)).want(t, http.StatusForbidden, "admin_only")
}

func TestUpdateChangesOnlyWhatIsNamed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.clock.advance(time.Minute)
	before := decode[gen.Account](t, b.send(t, ask("GET", "/api/v1/accounts/alice", b.admin)))
	got := decode[gen.Account](t, b.send(t, patch("alice", b.admin, `{"permission_level":5,"full_name":""}`)))
	want := before
	want.PermissionLevel, want.FullName, want.UpdatedAt = 5, "", b.clock.now().UTC()
	if got != want {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	all := decode[gen.Account](t, b.send(t, patch("alice", b.admin,
		`{"disabled":true,"admin":true,"permission_level":0,"email":"new@example.com","full_name":"New","password":"another fine one"}`)))
	if !all.Disabled || !all.Admin || all.PermissionLevel != 0 || all.Email != "new@example.com" || all.FullName != "New" {
		t.Errorf("got %+v", all)
	}
}

func TestANewPasswordEndsTheTokensOfTheOld(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.send(t, patch("alice", b.admin, `{"password":"another fine one"}`)).want(t, http.StatusOK, "")
	b.send(t, ask("POST", "/api/v1/logout", b.alice)).want(t, http.StatusUnauthorized, "token_revoked")
	if _, err := b.login(t, "alice", password); err == nil {
		t.Error("the old password still opens")
	}
	if _, err := b.login(t, "alice", "another fine one"); err != nil {
		t.Error(err)
	}
}

func TestDisablingEndsTokensAndLogins(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.send(t, patch("alice", b.admin, `{"disabled":true}`)).want(t, http.StatusOK, "")
	b.send(t, ask("POST", "/api/v1/logout", b.alice)).want(t, http.StatusUnauthorized, "account_disabled")
	if _, err := b.login(t, "alice", password); err == nil {
		t.Error("a disabled account logs in")
	}
}

func TestTheLastAdministratorStays(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.send(t, patch("admin", b.admin, `{"disabled":true}`)).want(t, http.StatusConflict, "last_admin")
	b.send(t, patch("admin", b.admin, `{"admin":false}`)).want(t, http.StatusConflict, "last_admin")
	b.send(t, ask("GET", "/api/v1/accounts", b.admin)).want(t, http.StatusOK, "")
}

func TestUpdateNamesTheFieldAtFault(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for body, code := range map[string]string{
		`{"email":"nope"}`:                                 "invalid_email",
		`{"password":"short"}`:                             "invalid_password",
		`{"permission_level":-1}`:                          "invalid_permission_level",
		`{"permission_level":"1"}`:                         "invalid_permission_level",
		`{"permission_level":99999999999}`:                 "invalid_permission_level",
		`{"disabled":"yes"}`:                               "invalid_disabled",
		`{"full_name":"` + strings.Repeat("x", 257) + `"}`: "invalid_full_name",
		`{"Disabled":7}`:                                   "invalid_disabled",
		`{`:                                                "malformed_request",
		``:                                                 "malformed_request",
		`[]`:                                               "malformed_request",
		`null`:                                             "malformed_request",
		`{"disabled":true}x`:                               "malformed_request",
		`{"disabled":true}{}`:                              "malformed_request",
		"{\"password\":\"a fine \xff one\"}":               "malformed_request",
		`"x"`:                                              "malformed_request",
	} {
		r := b.bad(t, patch("alice", b.admin, body)).want(t, http.StatusBadRequest, code)
		if strings.Contains(string(r.Body), "json:") {
			t.Errorf("%s: %s", body, r.Body)
		}
	}
}

func TestListPagesThroughAllAccountsByCursor(t *testing.T) {
	t.Parallel()
	b := setup(t)
	want := []string{"admin", "alice"}
	for i := range 5 {
		name := fmt.Sprintf("user%d", i)
		b.addAccount(t, account.NewAccount{Username: name})
		want = append(want, name)
	}
	for _, limit := range []int{1, 2, 6, 7, 8, 100} {
		var got []string
		pages := 0
		for path := fmt.Sprintf("/api/v1/accounts?limit=%d", limit); path != ""; pages++ {
			page := decode[gen.AccountPage](t, b.send(t, ask("GET", path, b.admin)))
			if len(page.Accounts) > limit || len(page.Accounts) == 0 {
				t.Fatalf("%d accounts on a page of %d", len(page.Accounts), limit)
			}
			for _, a := range page.Accounts {
				got = append(got, a.Username)
			}
			path = ""
			if page.NextCursor != "" {
				path = fmt.Sprintf("/api/v1/accounts?limit=%d&cursor=%s", limit, page.NextCursor)
			}
		}
		if !slices.Equal(got, want) || pages != (len(want)+limit-1)/limit {
			t.Errorf("limit %d: %d pages with %q", limit, pages, got)
		}
	}
}

func TestListHasTwentyPerPageUnlessToldOtherwise(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for i := range 20 {
		b.addAccount(t, account.NewAccount{Username: fmt.Sprintf("user%02d", i)})
	}
	page := decode[gen.AccountPage](t, b.send(t, ask("GET", "/api/v1/accounts", b.admin)))
	if len(page.Accounts) != 20 || page.NextCursor == "" {
		t.Errorf("%d accounts, cursor %q", len(page.Accounts), page.NextCursor)
	}
}

func TestListRefusesForeignCursorsAndLimits(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for query, code := range map[string]string{
		"limit=101": "invalid_limit", "limit=-1": "invalid_limit", "limit=x": "invalid_limit", "limit=": "invalid_limit",
		"limit=99999999999": "invalid_limit", "limit=1&limit=2": "invalid_limit",
		"cursor=!": "invalid_cursor", "cursor=Lw": "invalid_cursor", "cursor=" + cursor(strings.Repeat("a", 65)): "invalid_cursor",
		"cursor=a": "invalid_cursor", "cursor=YQ&cursor=Yg": "invalid_cursor",
	} {
		b.bad(t, ask("GET", "/api/v1/accounts?"+query, b.admin)).want(t, http.StatusBadRequest, code)
		b.bad(t, ask("GET", "/api/v1/accounts?"+query, "")).want(t, http.StatusUnauthorized, "not_authenticated")
	}
}

func TestEveryOperationIsHeldAgainstTheSpec(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.send(t, ask("GET", "/api/v1/accounts?limit=1", b.admin))
	b.send(t, ask("GET", "/api/v1/accounts/alice", b.admin))
	b.send(t, patch("alice", b.admin, `{"permission_level":1}`))
	b.send(t, ask("GET", "/api/v1/access-keys", b.admin))
	key := b.createKey(t, `{"username":"alice"}`)
	b.send(t, ask("DELETE", "/api/v1/access-keys/"+key.AccessKeyID, b.admin))
	b.send(t, ask("DELETE", "/api/v1/accounts/alice", b.admin))
	b.send(t, ask("POST", "/api/v1/logout", b.admin))
	want := []string{"createAccessKey", "deleteAccount", "getAccount", "listAccessKeys", "listAccounts", "logout", "revokeAccessKey", "updateAccount"}
	if got := b.spec.Covered(); !slices.Equal(got, want) {
		t.Errorf("covered %q, want %q", got, want)
	}
}
