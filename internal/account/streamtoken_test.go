package account

import (
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/urlsign"
)

func streamToken(t *testing.T, b *bundle, id string) string {
	t.Helper()
	s, ok := urlsign.Lookup("mediamtx_jwt")
	if !ok {
		t.Fatal("no scheme")
	}
	target := urlsign.Target{Scene: urlsign.Play, App: "live", Stream: "x"}
	query := string(s.AppendQuery(nil, target, b.URLKeys()[0], urlsign.SignOptions{Expires: b.clock.now().Add(time.Hour), TokenID: id}))
	return strings.TrimPrefix(query, "token=")
}

// What MediaMTX does: a JWT library and our JWKS.
func TestStreamTokensAreVerifiedByOtherLibraries(t *testing.T) {
	t.Parallel()
	b := setup(t)
	parser := jwt.NewParser(jwt.WithValidMethods([]string{"ES256"}), jwt.WithExpirationRequired(), jwt.WithTimeFunc(b.clock.now))
	token, err := parser.Parse(streamToken(t, b, "id1"), func(token *jwt.Token) (any, error) {
		if token.Header["kid"] != b.JWKS().Keys[0].KeyID {
			t.Errorf("kid %v", token.Header["kid"])
		}
		return &b.keys.Load().signing.private.PublicKey, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	c := token.Claims.(jwt.MapClaims)
	if c["jti"] != "id1" || c["mediamtx_permissions"] == nil {
		t.Errorf("claims %v", c)
	}
}

// One key set signs both; neither passes for the other.
func TestAStreamTokenIsNoAccessTokenAndTheOtherWayRound(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "alice")
	if _, err := b.Authenticate(t.Context(), streamToken(t, b, "id1")); errs.As(err).Reason != "token_invalid" {
		t.Errorf("a stream token logs in: %v", err)
	}
	s, _ := urlsign.Lookup("mediamtx_jwt")
	r := s.Verify("token="+b.login(t, "alice").Value, urlsign.Target{Scene: urlsign.Play, App: "live", Stream: "x"}, b.URLKeys(),
		urlsign.VerifyOptions{Now: b.clock.now()})
	if r.Status != urlsign.Mismatch {
		t.Errorf("an access token opens a stream: %+v", r)
	}
}

func TestARevokedStreamTokenIsRefusedEverywhere(t *testing.T) {
	t.Parallel()
	b := setup(t)
	until := b.clock.now().Add(time.Hour)
	if err := b.RevokeStreamToken(t.Context(), "id1", until); err != nil {
		t.Fatal(err)
	}
	if err := b.RevokeStreamToken(t.Context(), "id1", until); err != nil {
		t.Errorf("a second time: %v", err)
	}
	other := b.another(t)
	if err := other.Reload(t.Context(), other.pool); err != nil {
		t.Fatal(err)
	}
	for _, s := range []*bundle{b, other} {
		if !s.StreamTokenRevoked("id1") || s.StreamTokenRevoked("id2") {
			t.Error("revocation is not known, or of another token")
		}
	}
	for _, id := range []string{"", strings.Repeat("x", maxStreamTokenID+1)} {
		if err := b.RevokeStreamToken(t.Context(), id, until); errs.KindOf(err) != errs.Invalid {
			t.Errorf("%q: %v", id, err)
		}
	}
}
