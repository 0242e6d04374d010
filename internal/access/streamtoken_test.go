package access

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"github.com/stagedoor-live/stagedoor/internal/errs"
	"github.com/stagedoor-live/stagedoor/internal/media"
	"github.com/stagedoor-live/stagedoor/internal/urlsign"
)

// ring has one key pair, and forgets it at will.
type ring struct {
	keys    []urlsign.Key
	revoked map[string]bool
}

func (r *ring) URLKeys() []urlsign.Key            { return r.keys }
func (r *ring) StreamTokenRevoked(id string) bool { return r.revoked[id] }

func newRing(t *testing.T) *ring {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &ring{keys: []urlsign.Key{{ID: "kid1", Private: k}}, revoked: map[string]bool{}}
}

func withTokens(t *testing.T) (*bundle, *ring) {
	t.Helper()
	b, r := setup(t), newRing(t)
	b.StreamTokens = r
	for _, scene := range []media.Scene{media.Publish, media.Play} {
		b.rule(t, NewRule{Scene: scene, Scheme: "mediamtx_jwt"})
	}
	return b, r
}

func TestStreamTokensOpenOneStreamInOneScene(t *testing.T) {
	t.Parallel()
	b, _ := withTokens(t)
	query := b.SignQuery(media.Play, "pull.example", stream("x"), "/live/x.m3u8", start.Add(time.Hour))
	if query == b.SignQuery(media.Play, "pull.example", stream("x"), "/live/x.m3u8", start.Add(time.Hour)) {
		t.Error("two URLs have one token")
	}
	d := b.ask(t, play("x", query))
	if !d.Allow || d.Credential.Kind != ByStreamToken || len(d.Credential.ID) != 32 {
		t.Errorf("decision %+v", d)
	}
	b.reason(t, play("y", query), media.WrongStream)
	b.reason(t, publish("x", query), media.WrongScene)
	b.reason(t, play("x", query[:len(query)-3]+"AAA"), media.SignatureMismatch)
	b.reason(t, play("x", "token=nothing-of-ours"), media.TokenUnknown)
	b.reason(t, play("x", ""), media.NoCredential)
	b.clock.advance(time.Hour)
	b.reason(t, play("x", query), media.TokenExpired)
	if d := b.Recheck(b.clock.now(), play("x", query)); !d.Allow {
		t.Errorf("a running session ends: %s", d.Reason)
	}
}

// Players of HLS and WebRTC cannot put a token into every URL.
func TestStreamTokensAreTakenAsBearerOrPassword(t *testing.T) {
	t.Parallel()
	b, _ := withTokens(t)
	value := strings.TrimPrefix(b.SignQuery(media.Play, "pull.example", stream("x"), "/live/x", start.Add(time.Hour)), "token=")
	bearer, password := play("x", ""), play("x", "")
	bearer.Bearer, password.Password = value, value
	b.reason(t, bearer, media.Allowed)
	b.reason(t, password, media.Allowed)
	bearer.Stream.Name = "y"
	b.reason(t, bearer, media.WrongStream)
}

func TestARevokedStreamTokenOpensNothing(t *testing.T) {
	t.Parallel()
	b, r := withTokens(t)
	query := b.SignQuery(media.Publish, "push.example", stream("x"), "/live/x", start.Add(time.Hour))
	d := b.ask(t, publish("x", query))
	r.revoked[d.Credential.ID] = true
	b.reason(t, publish("x", query), media.TokenRevoked)
	if d := b.Recheck(start, publish("x", query)); d.Allow {
		t.Error("a running session goes on")
	}
}

func TestStreamTokensFollowTheKeysOfTheService(t *testing.T) {
	t.Parallel()
	b, r := withTokens(t)
	older := b.SignQuery(media.Play, "pull.example", stream("x"), "/live/x", start.Add(time.Hour))
	r.keys = append(newRing(t).keys, r.keys...)
	r.keys[0].ID = "kid2"
	b.reason(t, play("x", older), media.Allowed)
	b.reason(t, play("x", b.SignQuery(media.Play, "pull.example", stream("x"), "/live/x", start.Add(time.Hour))), media.Allowed)
	r.keys = r.keys[:1]
	b.reason(t, play("x", older), media.SignatureMismatch)
	r.keys = nil
	if q := b.SignQuery(media.Play, "pull.example", stream("x"), "/live/x", start.Add(time.Hour)); q != "" {
		t.Errorf("signed without a key: %s", q)
	}
}

func TestARuleOfStreamTokensHasNoKeysOfItsOwn(t *testing.T) {
	t.Parallel()
	b, _ := withTokens(t)
	r := b.rule(t, NewRule{Scene: media.Play, App: "a", Scheme: "mediamtx_jwt"})
	if len(r.Keys) != 0 || r.Strength != "strong" {
		t.Errorf("rule %+v", r)
	}
	_, err := b.AddKey(t.Context(), r.ID, "", true)
	wantErr(t, err, errs.Conflict, "service_keys")
	for _, n := range []NewRule{
		{Scene: media.Play, App: "b", Scheme: "mediamtx_jwt", Secret: "0123456789"},
		{Scene: media.Play, App: "b", Scheme: "mediamtx_jwt", Validity: time.Minute},
	} {
		if _, err := b.CreateRule(t.Context(), n); errs.KindOf(err) != errs.Invalid {
			t.Errorf("%+v: %v", n, err)
		}
	}
	// Another process compiles it from the database.
	other := b.another(t)
	other.StreamTokens = b.StreamTokens
	if err := other.Reload(t.Context(), b.pool); err != nil {
		t.Fatal(err)
	}
	other.reason(t, play("x", b.SignQuery(media.Play, "pull.example", stream("x"), "/live/x", start.Add(time.Hour))), media.Allowed)
}
