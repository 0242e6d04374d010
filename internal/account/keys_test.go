package account

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/stagedoor-live/stagedoor/internal/dbtest"
	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/pg"
	"github.com/stagedoor-live/stagedoor/internal/seal"
)

// What a verifier elsewhere does: read the JSON, build the key, parse.
func TestJWKSVerifiesATokenWithoutOurHelp(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "alice")
	published, err := json.Marshal(b.JWKS())
	if err != nil {
		t.Fatal(err)
	}
	var set struct{ Keys []map[string]string }
	if err := json.Unmarshal(published, &set); err != nil {
		t.Fatal(err)
	}
	keyFunc := func(token *jwt.Token) (any, error) {
		for _, k := range set.Keys {
			if k["kid"] == token.Header["kid"] {
				return publicKey(t, k), nil
			}
		}
		return nil, jwt.ErrTokenUnverifiable
	}
	parser := jwt.NewParser(jwt.WithValidMethods([]string{"ES256"}), jwt.WithAudience("stagedoor"), jwt.WithTimeFunc(b.clock.now))
	token, err := parser.Parse(b.login(t, "alice").Value, keyFunc)
	if err != nil {
		t.Fatal(err)
	}
	if sub, _ := token.Claims.GetSubject(); sub != "alice" {
		t.Errorf("got subject %q", sub)
	}
}

func TestJWKSHasThePublicHalfOnly(t *testing.T) {
	t.Parallel()
	b := setup(t)
	published, err := json.Marshal(b.JWKS())
	if err != nil {
		t.Fatal(err)
	}
	var set struct{ Keys []map[string]string }
	if err := json.Unmarshal(published, &set); err != nil {
		t.Fatal(err)
	}
	if len(set.Keys) != 1 {
		t.Fatalf("got %d keys, want 1", len(set.Keys))
	}
	k := set.Keys[0]
	for name, want := range map[string]string{"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig"} {
		if k[name] != want {
			t.Errorf("%s: got %q, want %q", name, k[name], want)
		}
	}
	if len(k["x"]) != 43 || len(k["y"]) != 43 || len(k["kid"]) != 16 || len(k) != 7 {
		t.Errorf("got %v", k)
	}
}

// The example of RFC 7638 has an RSA key, so this one was computed apart from
// this code: SHA-256 over {"crv":"P-256","kty":"EC","x":…,"y":…} of the key of
// RFC 7515, appendix A.3.
func TestKeyIDIsTheStartOfTheThumbprint(t *testing.T) {
	t.Parallel()
	public := publicKey(t, map[string]string{
		"x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
		"y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
	})
	kid, err := keyID(public)
	if err != nil {
		t.Fatal(err)
	}
	if want := "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U"[:16]; kid != want {
		t.Errorf("got %s, want %s", kid, want)
	}
}

func TestNewCreatesOneKeyHoweverManyProcessesStart(t *testing.T) {
	t.Parallel()
	pool := dbtest.Pool(t)
	kids := make(chan string, 8)
	var wg sync.WaitGroup
	for range cap(kids) {
		wg.Go(func() {
			s, err := New(t.Context(), Config{DB: pool, Box: dbtest.Box(), Params: cheapParams()})
			if err != nil {
				t.Error(err)
				kids <- ""
				return
			}
			kids <- s.JWKS().Keys[0].KeyID
		})
	}
	wg.Wait()
	close(kids)
	first := <-kids
	for kid := range kids {
		if kid != first {
			t.Errorf("two keys sign: %s and %s", first, kid)
		}
	}
}

func TestTokensSurviveARestart(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "alice")
	token := b.login(t, "alice")
	if p := b.another(t).authenticate(t, token); p.Username != "alice" {
		t.Errorf("got %+v", p)
	}
}

func TestTokensOfAnotherInstallationAreRefused(t *testing.T) {
	t.Parallel()
	b, foreign := setup(t), setup(t)
	b.create(t, "alice")
	foreign.create(t, "alice")
	_, err := b.Authenticate(t.Context(), foreign.login(t, "alice").Value)
	wantErr(t, err, errs.Unauthorized, "token_invalid")
}

func TestPrivateKeysAreSealedAndBoundToTheirRow(t *testing.T) {
	t.Parallel()
	b := setup(t)
	raw, err := b.keys.Load().signing.private.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	var sealed []byte
	if err := b.pool.QueryRow(t.Context(), "SELECT private_sealed FROM token_keys").Scan(&sealed); err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(sealed, raw) {
		t.Error("the private key is stored in the clear")
	}
	b.exec(t, "UPDATE token_keys SET kid = 'AAAAAAAAAAAAAAAA'")
	if err := b.Reload(t.Context(), b.pool); err == nil {
		t.Error("a key opened under another id")
	}
}

func TestNewRefusesAnotherMasterKey(t *testing.T) {
	t.Parallel()
	b := setup(t)
	box, err := seal.New(bytes.Repeat([]byte{8}, seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := New(t.Context(), Config{DB: b.pool, Box: box}); err == nil {
		t.Error("started with a key set that it cannot open")
	}
}

func TestRetiredKeysVerifyAndTheNewestSigns(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "alice")
	old := b.login(t, "alice")
	b.exec(t, "UPDATE token_keys SET retired_at = $1", b.clock.now())
	b.clock.add(time.Minute)
	next := b.another(t) // finds no key that signs, so makes one
	fresh := next.login(t, "alice")

	if kidOf(t, old) == kidOf(t, fresh) {
		t.Error("a retired key signed")
	}
	next.authenticate(t, old)
	b.authenticate(t, fresh) // b has not heard of the new key and looks it up
	if err := b.Apply(t.Context(), b.pool, pg.Change{Table: "token_keys", Key: kidOf(t, fresh)}); err != nil {
		t.Fatal(err)
	}
	if got := kidOf(t, b.login(t, "alice")); got != kidOf(t, fresh) {
		t.Error("the older key still signs")
	}
	if n := len(b.JWKS().Keys); n != 2 {
		t.Errorf("%d keys published, want 2", n)
	}
}

func TestADeletedKeyTakesItsTokensAlong(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "alice")
	token := b.login(t, "alice")
	b.authenticate(t, token)
	b.exec(t, "UPDATE token_keys SET retired_at = $1", b.clock.now())
	b.another(t)
	b.exec(t, "DELETE FROM token_keys WHERE retired_at IS NOT NULL")
	if err := b.Reload(t.Context(), b.pool); err != nil {
		t.Fatal(err)
	}
	_, err := b.Authenticate(t.Context(), token.Value)
	wantErr(t, err, errs.Unauthorized, "token_invalid")
}

func TestInventedKeyIDsCannotFloodTheDatabase(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "alice")
	b.db.statements.Store(0)
	invent := func() {
		raw := make([]byte, kidBytes)
		rand.Read(raw)
		kid := base64.RawURLEncoding.EncodeToString(raw)
		_, err := b.Authenticate(t.Context(), b64(`{"alg":"ES256","typ":"JWT","kid":"`+kid+`"}`)+"."+b64(`{}`)+"."+b64("x"))
		wantErr(t, err, errs.Unauthorized, "token_invalid")
	}
	for range 200 {
		invent()
	}
	if n := b.db.statements.Load(); n != 1 {
		t.Errorf("%d statements, want 1", n)
	}
	b.clock.add(keyLookUpEvery)
	invent()
	if n := b.db.statements.Load(); n != 2 {
		t.Errorf("%d statements after a while, want 2", n)
	}
}

func kidOf(t testing.TB, token Token) string {
	t.Helper()
	parsed, _, err := jwt.NewParser().ParseUnverified(token.Value, jwt.MapClaims{})
	if err != nil {
		t.Fatal(err)
	}
	return parsed.Header["kid"].(string)
}

func publicKey(t testing.TB, jwk map[string]string) *ecdsa.PublicKey {
	t.Helper()
	point := []byte{4}
	for _, name := range []string{"x", "y"} {
		raw, err := base64.RawURLEncoding.DecodeString(jwk[name])
		if err != nil {
			t.Fatal(err)
		}
		point = append(point, raw...)
	}
	public, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	if err != nil {
		t.Fatal(err)
	}
	return public
}
