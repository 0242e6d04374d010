package ops

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/alexedwards/argon2id"
	"github.com/golang-jwt/jwt/v5"
	"github.com/prometheus/client_golang/prometheus"
	"go.yaml.in/yaml/v3"

	"github.com/stagedoor-live/stagedoor/internal/account"
	"github.com/stagedoor-live/stagedoor/internal/dbtest"
	"github.com/stagedoor-live/stagedoor/internal/httpx"
)

func TestTheSpecIsServedAsItIsKeptAndAsJSON(t *testing.T) {
	t.Parallel()
	b := setup(t)
	spec := realSpec(t)
	resp := b.get(t, "/openapi.yaml")
	if got := text(t, resp); got != string(spec) {
		t.Errorf("%d bytes, want the %d of the file", len(got), len(spec))
	}
	wantHeader(t, resp, "Content-Type", "application/yaml")
	wantHeader(t, resp, "Cache-Control", "public, max-age=300")

	resp = b.get(t, "/openapi.json")
	wantHeader(t, resp, "Content-Type", "application/json")
	var fromJSON, fromYAML map[string]any
	if err := json.Unmarshal([]byte(text(t, resp)), &fromJSON); err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(spec, &fromYAML); err != nil {
		t.Fatal(err)
	}
	paths, want := fromJSON["paths"].(map[string]any), fromYAML["paths"].(map[string]any)
	if len(paths) != len(want) || fromJSON["openapi"] != "3.0.3" {
		t.Errorf("%d paths, want %d", len(paths), len(want))
	}
}

func TestDocumentsAreNotSentTwice(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.client.Transport = nil // the spec does not know 304
	for _, path := range []string{"/openapi.yaml", "/openapi.json"} {
		first := b.get(t, path)
		text(t, first)
		etag := first.Header.Get("ETag")
		again := b.do(t, "GET", path, http.Header{"If-None-Match": {etag}})
		if body := text(t, again); again.StatusCode != http.StatusNotModified || body != "" || etag == "" {
			t.Errorf("%s with ETag %q: %d and %d bytes", path, etag, again.StatusCode, len(body))
		}
		other := b.do(t, "GET", path, http.Header{"If-None-Match": {`"other"`}})
		if body := text(t, other); other.StatusCode != http.StatusOK || body == "" {
			t.Errorf("%s for somebody with another version: %d", path, other.StatusCode)
		}
	}
}

func TestASpecThatIsNoYAMLIsAFaultOfOurs(t *testing.T) {
	t.Parallel()
	for _, spec := range []string{"a: [", "\t- x", "{1: 2}"} {
		b := &Server{Registry: prometheus.NewRegistry(), Spec: []byte(spec), Log: dbtest.Log(t)}
		rt := httpx.NewRouter()
		b.Register(rt)
		w := httptest.NewRecorder()
		rt.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/openapi.json", nil))
		if w.Code != http.StatusInternalServerError || strings.Contains(w.Body.String(), "yaml") {
			t.Errorf("%q is served as %d %s", spec, w.Code, w.Body)
		}
	}
}

func TestRegisterServesSeveralRouters(t *testing.T) {
	t.Parallel()
	b := &Server{Registry: prometheus.NewRegistry(), Spec: []byte("openapi: 3.0.3"), Accounts: noKeys{}, Log: dbtest.Log(t)}
	for range 2 {
		rt := httpx.NewRouter()
		b.Register(rt)
		w := httptest.NewRecorder()
		rt.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/openapi.json", nil))
		if w.Body.String() != `{"openapi":"3.0.3"}` {
			t.Errorf("got %s", w.Body)
		}
	}
}

func TestJWKSVerifiesAccessTokensAndHoldsNothingElse(t *testing.T) {
	t.Parallel()
	accounts, token := logIn(t)
	b := setup(t, func(b *bench) { b.Accounts = accounts })
	resp := b.get(t, "/.well-known/jwks.json")
	wantHeader(t, resp, "Cache-Control", "public, max-age=300")
	wantHeader(t, resp, "Content-Type", "application/json")
	var set struct{ Keys []map[string]string }
	if err := json.Unmarshal([]byte(text(t, resp)), &set); err != nil {
		t.Fatal(err)
	}
	if len(set.Keys) != 1 || set.Keys[0]["d"] != "" || len(set.Keys[0]) != 7 {
		t.Fatalf("got %v", set.Keys)
	}
	key := publicKey(t, set.Keys[0])
	if _, err := jwt.Parse(token, func(tok *jwt.Token) (any, error) {
		if tok.Header["kid"] != set.Keys[0]["kid"] {
			return nil, errors.New("another key")
		}
		return key, nil
	}); err != nil {
		t.Error(err)
	}
}

func logIn(t *testing.T) (*account.Service, string) {
	t.Helper()
	s, err := account.New(t.Context(), account.Config{DB: dbtest.Pool(t), Box: dbtest.Box(),
		Params: &argon2id.Params{Memory: 64, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32}})
	if err != nil {
		t.Fatal(err)
	}
	system := account.System()
	if _, err := s.Register(t.Context(), &system, account.NewAccount{Username: "alice", Password: "a fine password"}); err != nil {
		t.Fatal(err)
	}
	token, err := s.Login(t.Context(), "alice", "a fine password", httpx.ClientAddr(t.Context()), 0)
	if err != nil {
		t.Fatal(err)
	}
	return s, token.Value
}

func publicKey(t *testing.T, jwk map[string]string) *ecdsa.PublicKey {
	t.Helper()
	point := []byte{4}
	for _, name := range []string{"x", "y"} {
		raw, err := base64.RawURLEncoding.DecodeString(jwk[name])
		if err != nil {
			t.Fatal(err)
		}
		point = append(point, raw...)
	}
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	if err != nil {
		t.Fatal(err)
	}
	return key
}
