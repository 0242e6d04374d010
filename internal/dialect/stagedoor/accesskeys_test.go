package stagedoor

import (
	"net/http"
	"strings"
	"testing"
	"time"

	gen "github.com/stagedoor-live/stagedoor/gen/stagedoor"
	"github.com/stagedoor-live/stagedoor/internal/account"
	"github.com/stagedoor-live/stagedoor/internal/dialect/dialecttest"
)

func newKey(token, body string) dialecttest.Request {
	return dialecttest.JSON("/api/v1/access-keys", token, body)
}

func (b *bench) createKey(t *testing.T, body string) gen.CreatedAccessKey {
	t.Helper()
	r := b.send(t, newKey(b.admin, body)).want(t, http.StatusCreated, "")
	if r.Header.Get("Cache-Control") != "no-store" {
		t.Error("the secret may be cached")
	}
	r.Status = http.StatusOK
	return decode[gen.CreatedAccessKey](t, r)
}

func (b *bench) listKeys(t *testing.T, query string) []gen.AccessKey {
	t.Helper()
	r := b.send(t, ask("GET", "/api/v1/access-keys"+query, b.admin))
	if strings.Contains(string(r.Body), "secret") {
		t.Errorf("a list with secrets: %s", r.Body)
	}
	return decode[gen.AccessKeyList](t, r).AccessKeys
}

func TestAnAccessKeyIsCreatedListedUsedAndRevoked(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if keys := b.listKeys(t, ""); len(keys) != 0 {
		t.Errorf("listed %+v", keys)
	}
	key := b.createKey(t, `{"username":"ALICE","comment":"studio 3"}`)
	now := b.clock.now().UTC()
	if key.Username != "alice" || key.Comment != "studio 3" || !key.CreatedAt.Equal(now) || len(key.SecretAccessKey) < 40 {
		t.Errorf("created %+v", key)
	}
	secret, holder, err := b.accounts.KeyHolder(t.Context(), key.AccessKeyID)
	if err != nil || string(secret) != key.SecretAccessKey || holder.Username != "alice" {
		t.Errorf("held by %+v, %v", holder, err)
	}
	b.accounts.KeyUsed(key.AccessKeyID)
	if err := b.accounts.FlushKeyUse(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.clock.advance(time.Minute)
	other := b.createKey(t, `{"username":"admin"}`)
	path := "/api/v1/access-keys/" + key.AccessKeyID
	for range 2 {
		if r := b.send(t, ask("DELETE", path, b.admin)).want(t, http.StatusNoContent, ""); len(r.Body) > 0 {
			t.Errorf("a body: %s", r.Body)
		}
	}
	if _, _, err := b.accounts.KeyHolder(t.Context(), key.AccessKeyID); err == nil {
		t.Error("a revoked key has a holder")
	}
	keys := b.listKeys(t, "")
	if len(keys) != 2 || keys[0].AccessKeyID != other.AccessKeyID || keys[0].LastUsedAt != nil || keys[0].RevokedAt != nil {
		t.Fatalf("listed %+v", keys)
	}
	if k := keys[1]; k.LastUsedAt == nil || !k.LastUsedAt.Equal(now) || k.RevokedAt == nil || !k.RevokedAt.Equal(b.clock.now()) {
		t.Errorf("listed %+v", k)
	}
	if keys := b.listKeys(t, "?username=Alice"); len(keys) != 1 || keys[0].AccessKeyID != key.AccessKeyID {
		t.Errorf("listed %+v", keys)
	}
	if keys := b.listKeys(t, "?username=nobody"); len(keys) != 0 {
		t.Errorf("listed %+v", keys)
	}
}

func TestAccessKeyRequestsNameWhatIsWrong(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for body, code := range map[string]string{
		`{`: "malformed_request", ``: "malformed_request", `null`: "malformed_request", `[]`: "malformed_request",
		`{"username":1}`:                    "invalid_username",
		`{"username":"alice","comment":{}}`: "invalid_comment",
		`{"username":"alice","comment":"` + strings.Repeat("x", 257) + `"}`: "invalid_comment",
		`{"username":"alice","comment":"a\nb"}`:                             "invalid_comment",
	} {
		b.bad(t, newKey(b.admin, body)).want(t, http.StatusBadRequest, code)
	}
	for _, body := range []string{`{}`, `{"username":""}`, `{"username":"nobody"}`, `{"username":"a/b"}`} {
		b.bad(t, newKey(b.admin, body)).want(t, http.StatusNotFound, "account_not_found")
	}
	for _, id := range []string{"AKSD00000000000000000000", "nonsense", "AKSD" + strings.Repeat("x", 300), "a%2Fb"} {
		b.bad(t, ask("DELETE", "/api/v1/access-keys/"+id, b.admin)).want(t, http.StatusNotFound, "access_key_not_found")
	}
	b.bad(t, ask("GET", "/api/v1/access-keys?username=a&username=b", b.admin)).want(t, http.StatusBadRequest, "invalid_username")
}

func TestAnAccountHasUpToFiftyAccessKeys(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for range 50 {
		b.createKey(t, `{"username":"alice"}`)
	}
	b.send(t, newKey(b.admin, `{"username":"alice"}`)).want(t, http.StatusConflict, "access_key_limit")
}

func TestDeletingAnAccountEndsItsTokens(t *testing.T) {
	t.Parallel()
	b := setup(t)
	key := b.createKey(t, `{"username":"alice"}`)
	pair, err := b.accounts.LoginPair(t.Context(), "alice", password, home)
	if err != nil {
		t.Fatal(err)
	}
	if r := b.send(t, ask("DELETE", "/api/v1/accounts/Alice", b.admin)).want(t, http.StatusNoContent, ""); len(r.Body) > 0 {
		t.Errorf("a body: %s", r.Body)
	}
	for _, token := range []string{b.alice, pair.Access.Value} {
		b.send(t, ask("POST", "/api/v1/logout", token)).want(t, http.StatusUnauthorized, "token_revoked")
	}
	if _, err := b.accounts.Refresh(t.Context(), pair.Refresh); err == nil {
		t.Error("a refresh token outlived its account")
	}
	if _, _, err := b.accounts.KeyHolder(t.Context(), key.AccessKeyID); err == nil {
		t.Error("an access key outlived its account")
	}
	b.send(t, ask("DELETE", "/api/v1/accounts/alice", b.admin)).want(t, http.StatusNotFound, "account_not_found")
	b.send(t, ask("DELETE", "/api/v1/accounts/admin", b.admin)).want(t, http.StatusConflict, "last_admin")
}

func TestRightsAreShownAndChanged(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.addAccount(t, account.NewAccount{Username: "bob", Push: "/live/bob", Pull: "/live/*"})
	bob := decode[gen.Account](t, b.send(t, ask("GET", "/api/v1/accounts/bob", b.admin)))
	if bob.Push != "/live/bob" || bob.Pull != "/live/*" {
		t.Errorf("got %+v", bob)
	}
	for _, step := range []struct{ body, push, pull string }{
		{`{"push":"/a; /b/+/*"}`, "/a; /b/+/*", "/live/*"},
		{`{"pull":""}`, "/a; /b/+/*", ""},
		{`{"admin":true}`, "/a; /b/+/*", "*"},
		{`{"admin":false}`, "/a; /b/+/*", ""},
	} {
		got := decode[gen.Account](t, b.send(t, patch("bob", b.admin, step.body)))
		if got.Push != step.push || got.Pull != step.pull {
			t.Errorf("after %s: %q and %q", step.body, got.Push, got.Pull)
		}
	}
	for body, code := range map[string]string{
		`{"push":1}`: "invalid_push", `{"push":"a\u0000"}`: "invalid_push",
		`{"pull":"` + strings.Repeat("x", 1025) + `"}`: "invalid_pull",
	} {
		b.bad(t, patch("bob", b.admin, body)).want(t, http.StatusBadRequest, code)
	}
}
