package account

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/stagedoor-live/stagedoor/internal/errs"
)

func TestAuthenticateAnswersFromMemory(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "alice")
	token := b.login(t, "alice")
	b.db.statements.Store(0)
	b.db.down.Store(true)
	for range 100 {
		b.authenticate(t, token)
	}
	if n := b.db.statements.Load(); n != 0 {
		t.Errorf("%d statements, want none", n)
	}
}

func TestAuthenticateRefusesMalformedTokens(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "alice")
	good := b.login(t, "alice").Value
	part := strings.Split(good, ".")
	for name, token := range map[string]string{
		"empty":             "",
		"one part":          part[0],
		"two parts":         part[0] + "." + part[1],
		"no signature":      part[0] + "." + part[1] + ".",
		"no claims":         part[0] + ".." + part[2],
		"four parts":        good + "." + part[2],
		"cut short":         good[:len(good)-1],
		"one byte more":     good + "A",
		"padded":            good + "=",
		"blank in front":    " " + good,
		"newline behind":    good + "\n",
		"not base64":        "!" + good[1:],
		"NUL":               good[:10] + "\x00" + good[11:],
		"dots only":         "..",
		"not JSON":          b64("nonsense") + "." + part[1] + "." + part[2],
		"header is a list":  b64("[]") + "." + part[1] + "." + part[2],
		"header is null":    b64("null") + "." + part[1] + "." + part[2],
		"alg is a number":   b64(`{"alg":1,"typ":"JWT","kid":"x"}`) + "." + part[1] + "." + part[2],
		"other signature":   part[0] + "." + part[1] + "." + strings.Repeat("A", len(part[2])),
		"other claims":      part[0] + "." + b64(`{"sub":"admin"}`) + "." + part[2],
		"huge":              part[0] + "." + strings.Repeat("A", 1<<20) + "." + part[2],
		"a little too long": part[0] + "." + strings.Repeat("A", maxToken) + "." + part[2],
		"deep":              b64(strings.Repeat("[", 1000)) + "." + part[1] + "." + part[2],
		"bearer kept":       "Bearer " + good,
	} {
		p, err := b.Authenticate(t.Context(), token)
		if got := errs.As(err); got.Kind != errs.Unauthorized || got.Reason != "token_invalid" {
			t.Errorf("%s: got %v, want token_invalid", name, err)
		}
		if p != (Principal{}) {
			t.Errorf("%s: got a principal", name)
		}
	}
}

func TestAuthenticateRefusesOtherAlgorithms(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "alice")
	good := b.login(t, "alice").Value
	kid := b.JWKS().Keys[0].KeyID
	public := &b.keys.Load().signing.private.PublicKey
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	point, err := public.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, try := range map[string]struct {
		method jwt.SigningMethod
		key    any
	}{
		"none":                            {jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType},
		"HS256 with the public key, PEM":  {jwt.SigningMethodHS256, pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})},
		"HS256 with the public key, DER":  {jwt.SigningMethodHS256, der},
		"HS256 with the public key, raw":  {jwt.SigningMethodHS256, point},
		"HS256 with the JWK's x":          {jwt.SigningMethodHS256, []byte(b.JWKS().Keys[0].X)},
		"HS256 with nothing":              {jwt.SigningMethodHS256, []byte{}},
		"ES384 with a key of that length": {jwt.SigningMethodES384, p384},
	} {
		var c claims
		if _, _, err := jwt.NewParser().ParseUnverified(good, &c); err != nil {
			t.Fatal(err)
		}
		forged := jwt.NewWithClaims(try.method, c)
		forged.Header["kid"] = kid
		value, err := forged.SignedString(try.key)
		if err != nil {
			t.Fatal(err)
		}
		_, err = b.Authenticate(t.Context(), value)
		if got := errs.As(err).Reason; got != "token_invalid" {
			t.Errorf("%s: got %q, want token_invalid", name, got)
		}
	}
	for _, alg := range []string{"None", "NONE", "nOnE", "", "RS256", "EdDSA", "ES256K"} {
		part := strings.Split(good, ".")
		for _, signature := range []string{"", part[2]} {
			token := b64(`{"alg":"`+alg+`","kid":"`+kid+`","typ":"JWT"}`) + "." + part[1] + "." + signature
			_, err := b.Authenticate(t.Context(), token)
			wantErr(t, err, errs.Unauthorized, "token_invalid")
		}
	}
}

func TestAuthenticateTakesKeysFromOurSetOnly(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "alice")
	attacker, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := keyID(&attacker.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	jwk, err := publicJWK(theirs, &attacker.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	ours := b.JWKS().Keys[0].KeyID
	for name, header := range map[string]map[string]any{
		"our kid, their signature": {"kid": ours},
		"their kid":                {"kid": theirs},
		"their key in the header":  {"kid": theirs, "jwk": jwk},
		"our kid and their key":    {"kid": ours, "jwk": jwk},
		"a key address":            {"kid": theirs, "jku": "https://attacker.example/jwks.json"},
		"no kid":                   {},
		"a path as kid":            {"kid": "../../../../dev/null"},
		"a query as kid":           {"kid": "x' UNION SELECT 1--"},
		"a number as kid":          {"kid": 7},
		"a list as kid":            {"kid": []string{ours}},
		"an empty kid":             {"kid": ""},
	} {
		var c *claims
		b.mint(t, "alice", func(_ *jwt.Token, minted *claims) { c = minted })
		forged := jwt.NewWithClaims(jwt.SigningMethodES256, c)
		for k, v := range header {
			forged.Header[k] = v
		}
		value, err := forged.SignedString(attacker)
		if err != nil {
			t.Fatal(err)
		}
		_, err = b.Authenticate(t.Context(), value)
		if got := errs.As(err).Reason; got != "token_invalid" {
			t.Errorf("%s: got %q, want token_invalid", name, got)
		}
	}
}

func TestAuthenticateChecksTheClaims(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "alice")
	at := func(d time.Duration) *jwt.NumericDate { return jwt.NewNumericDate(b.clock.now().Add(d)) }
	for name, tc := range map[string]struct {
		reason string
		change func(*jwt.Token, *claims)
	}{
		"unchanged":            {"", func(*jwt.Token, *claims) {}},
		"another audience":     {"token_invalid", func(_ *jwt.Token, c *claims) { c.Audience = jwt.ClaimStrings{"elsewhere"} }},
		"no audience":          {"token_invalid", func(_ *jwt.Token, c *claims) { c.Audience = nil }},
		"ours among audiences": {"", func(_ *jwt.Token, c *claims) { c.Audience = jwt.ClaimStrings{"elsewhere", audience} }},
		"another issuer":       {"token_invalid", func(_ *jwt.Token, c *claims) { c.Issuer = "somebody" }},
		"no issuer":            {"token_invalid", func(_ *jwt.Token, c *claims) { c.Issuer = "" }},
		"no subject":           {"token_invalid", func(_ *jwt.Token, c *claims) { c.Subject = "" }},
		"impossible subject":   {"token_invalid", func(_ *jwt.Token, c *claims) { c.Subject = "a b" }},
		"unknown subject":      {"token_revoked", func(_ *jwt.Token, c *claims) { c.Subject = "nobody" }},
		"no id":                {"token_invalid", func(_ *jwt.Token, c *claims) { c.ID = "" }},
		"no expiry":            {"token_invalid", func(_ *jwt.Token, c *claims) { c.ExpiresAt = nil }},
		"expired":              {"token_expired", func(_ *jwt.Token, c *claims) { c.ExpiresAt = at(-time.Second) }},
		"expires now":          {"token_expired", func(_ *jwt.Token, c *claims) { c.ExpiresAt = at(0) }},
		"expires in a second":  {"", func(_ *jwt.Token, c *claims) { c.ExpiresAt = at(time.Second) }},
		"not before later":     {"token_invalid", func(_ *jwt.Token, c *claims) { c.NotBefore = at(2 * clocksDiffer) }},
		"of a clock ahead":     {"", func(_ *jwt.Token, c *claims) { c.NotBefore = at(clocksDiffer / 2) }},
		"no generation":        {"token_revoked", func(_ *jwt.Token, c *claims) { c.Generation = 0 }},
		"older generation":     {"token_revoked", func(_ *jwt.Token, c *claims) { c.Generation-- }},
		"later generation":     {"token_revoked", func(_ *jwt.Token, c *claims) { c.Generation++ }},
		"another type":         {"token_invalid", func(t *jwt.Token, _ *claims) { t.Header["typ"] = "refresh+jwt" }},
		"no type":              {"token_invalid", func(t *jwt.Token, _ *claims) { delete(t.Header, "typ") }},
	} {
		_, err := b.Authenticate(t.Context(), b.mint(t, "alice", tc.change))
		if tc.reason == "" {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if got := errs.As(err); got.Kind != errs.Unauthorized || got.Reason != tc.reason {
			t.Errorf("%s: got %v, want %s", name, err, tc.reason)
		}
	}
}

func TestAuthenticateExpiryEndsCachedTokensToo(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "alice")
	token := b.login(t, "alice")
	b.clock.add(token.ExpiresAt.Sub(b.clock.now()) - time.Nanosecond)
	b.authenticate(t, token)
	b.clock.add(time.Nanosecond)
	_, err := b.Authenticate(t.Context(), token.Value)
	wantErr(t, err, errs.Unauthorized, "token_expired")
}

// iat has whole seconds, and two password changes, a disabling and five logins
// fit into one. Not even a clock that stands still may mix them up.
func TestAuthenticatePasswordChangeIsExactWithinOneInstant(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "alice")
	before := b.login(t, "alice")

	b.update(t, "alice", Changes{Password: ptr("the second password")})
	between, err := b.Login(t.Context(), "alice", "the second password", home(), 0)
	if err != nil {
		t.Fatal(err)
	}
	b.authenticate(t, between)
	_, err = b.Authenticate(t.Context(), before.Value)
	wantErr(t, err, errs.Unauthorized, "token_revoked")

	b.update(t, "alice", Changes{Password: ptr(goodPassword)})
	after := b.login(t, "alice")
	b.authenticate(t, after)
	for _, old := range []Token{before, between} {
		_, err = b.Authenticate(t.Context(), old.Value)
		wantErr(t, err, errs.Unauthorized, "token_revoked")
	}
}

// A process whose clock runs behind must not issue tokens that are void at once.
func TestAuthenticateSurvivesAClockThatRunsBehind(t *testing.T) {
	t.Parallel()
	ahead := setup(t)
	ahead.create(t, "alice")
	ahead.clock.add(time.Minute)
	ahead.update(t, "alice", Changes{Password: ptr("a new password")})

	behind := setupOn(t, ahead.pool, newClock())
	token, err := behind.Login(t.Context(), "alice", "a new password", home(), 0)
	if err != nil {
		t.Fatal(err)
	}
	behind.authenticate(t, token)
	ahead.authenticate(t, token)
}

func TestAuthenticateDisablingEndsTokensForGood(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "alice")
	token := b.login(t, "alice")
	b.authenticate(t, token)

	b.update(t, "alice", Changes{Disabled: ptr(true)})
	_, err := b.Authenticate(t.Context(), token.Value)
	wantErr(t, err, errs.Unauthorized, "account_disabled")

	b.update(t, "alice", Changes{Disabled: ptr(false)})
	_, err = b.Authenticate(t.Context(), token.Value)
	wantErr(t, err, errs.Unauthorized, "token_revoked")
	b.authenticate(t, b.login(t, "alice"))
}

func TestAuthenticateShowsTheRightsOfThisMoment(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "alice")
	token := b.login(t, "alice")
	b.update(t, "alice", Changes{Admin: ptr(true), PermissionLevel: ptr(7)})
	if p := b.authenticate(t, token); !p.Admin || p.PermissionLevel != 7 {
		t.Errorf("got %+v", p)
	}
	b.create(t, "root", asAdmin)
	b.update(t, "alice", Changes{Admin: ptr(false)})
	if p := b.authenticate(t, token); p.Admin {
		t.Error("a demoted administrator kept the right")
	}
}

func TestAuthenticateLooksUpWhatIsNewerThanMemory(t *testing.T) {
	t.Parallel()
	b := setup(t)
	other := b.another(t) // without a feed: as if the change were still on its way

	b.create(t, "alice")
	old := b.login(t, "alice")
	other.authenticate(t, old)

	b.update(t, "alice", Changes{Password: ptr("a new password")})
	fresh, err := b.Login(t.Context(), "alice", "a new password", home(), 0)
	if err != nil {
		t.Fatal(err)
	}
	other.authenticate(t, fresh)
	_, err = other.Authenticate(t.Context(), old.Value)
	wantErr(t, err, errs.Unauthorized, "token_revoked")

	statements := other.db.statements.Load()
	other.authenticate(t, fresh)
	if n := other.db.statements.Load() - statements; n != 0 {
		t.Errorf("%d more statements, want none", n)
	}
}

func TestAuthenticateLooksForAMissingAccountOnlyNowAndThen(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "alice")
	token := b.login(t, "alice")
	b.exec(t, "DELETE FROM accounts")
	other := b.another(t)
	other.db.statements.Store(0)
	for range 50 {
		_, err := other.Authenticate(t.Context(), token.Value)
		wantErr(t, err, errs.Unauthorized, "token_revoked")
	}
	if n := other.db.statements.Load(); n != 1 {
		t.Errorf("%d statements, want 1", n)
	}
	other.clock.add(missingFor)
	_, err := other.Authenticate(t.Context(), token.Value)
	wantErr(t, err, errs.Unauthorized, "token_revoked")
	if n := other.db.statements.Load(); n != 2 {
		t.Errorf("%d statements, want 2", n)
	}
}

func TestAuthenticateANamesakeOfADeletedAccountIsSomebodyElse(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "alice")
	token := b.login(t, "alice")
	b.exec(t, "DELETE FROM accounts")
	b.clock.add(time.Millisecond)
	other := b.another(t)
	other.create(t, "alice")
	for _, s := range []*bundle{other, b.another(t)} {
		_, err := s.Authenticate(t.Context(), token.Value)
		wantErr(t, err, errs.Unauthorized, "token_revoked")
	}
}

func TestAuthenticateWithoutADatabaseRefusesOnlyWhatMemoryLacks(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "alice")
	token := b.login(t, "alice")
	other := b.another(t)
	other.db.down.Store(true)
	b.db.down.Store(true)
	b.authenticate(t, token)
	_, err := other.Authenticate(t.Context(), token.Value)
	wantErr(t, err, errs.Unavailable, "temporarily_unavailable")

	other.db.down.Store(false) // and all goes on by itself
	other.authenticate(t, token)
}

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }
