package urlsign

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"strings"
	"testing"
	"time"
)

func pairs(t testing.TB) map[string]Key {
	t.Helper()
	es, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rs, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]Key{"ES256": {ID: "es", Private: es}, "EdDSA": {ID: "ed", Private: ed}, "RS256": {ID: "rs", Private: rs}}
}

func publicOf(k Key) Key { return Key{ID: k.ID, Public: k.Private.Public()} }

func tokenFor(t testing.TB, k Key, target Target) string {
	t.Helper()
	o := SignOptions{Expires: time.Unix(testExpiry, 0), NotBefore: testNow, TokenID: "jti-1"}
	query := string(build(t, "mediamtx_jwt", Options{}).AppendQuery(nil, target, k, o))
	if query == "" {
		t.Fatalf("%s did not sign", k.algorithm())
	}
	return query
}

func TestTokensOfEveryAlgorithmOpenOneStreamInOneScene(t *testing.T) {
	t.Parallel()
	for alg, k := range pairs(t) {
		s, query := build(t, "mediamtx_jwt", Options{}), tokenFor(t, k, testTarget(Play))
		if k.algorithm() != alg {
			t.Errorf("%s is %s", alg, k.algorithm())
		}
		if alg != "RS256" && len(query) > 400 {
			t.Errorf("%s: %d bytes", alg, len(query))
		}
		other, publish := testTarget(Play), testTarget(Publish)
		other.Stream = "cam2"
		for name, c := range map[string]struct {
			target Target
			now    time.Time
			want   Status
		}{
			"right":         {testTarget(Play), testNow, Valid},
			"last second":   {testTarget(Play), time.Unix(testExpiry-1, 0), Valid},
			"expired":       {testTarget(Play), time.Unix(testExpiry, 0), Expired},
			"not yet":       {testTarget(Play), testNow.Add(-time.Second), Expired},
			"other stream":  {other, testNow, WrongStream},
			"to publish":    {publish, testNow, WrongScene},
			"without names": {Target{Scene: Play}, testNow, Mismatch},
		} {
			r := s.Verify("a=b&"+query, c.target, []Key{{ID: "x", Public: pairs(t)["ES256"].Private.Public()}, publicOf(k)}, VerifyOptions{Now: c.now})
			if r.Status != c.want || (c.want != Mismatch) != (r.TokenID == "jti-1") {
				t.Errorf("%s, %s: %+v, want %s", alg, name, r, c.want)
			}
		}
		if r := s.Verify(query, testTarget(Play), []Key{k}, VerifyOptions{Now: time.Unix(testExpiry, 0), IgnoreExpiry: true}); r.Status != Valid {
			t.Errorf("%s: %+v of a running session", alg, r)
		}
	}
}

// reheaded puts another header before a token's payload and signs nothing anew.
func reheaded(query, header string) string {
	value := strings.TrimPrefix(query, "token=")
	parts := strings.Split(value, ".")
	return "token=" + base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + parts[1] + "." + parts[2]
}

func TestTokensThatNobodyOfUsMadeAreRefused(t *testing.T) {
	t.Parallel()
	k, foreign := pairs(t)["ES256"], pairs(t)["ES256"]
	query := tokenFor(t, k, testTarget(Play))
	value := strings.TrimPrefix(query, "token=")
	parts := strings.Split(value, ".")
	empty := Key{ID: "es"}
	for name, c := range map[string]struct {
		query string
		key   Key
		want  Status
	}{
		"another key":          {query, publicOf(foreign), Mismatch},
		"another name":         {query, Key{ID: "other", Public: k.Private.Public()}, Mismatch},
		"no key":               {query, empty, Mismatch},
		"alg none":             {reheaded(query, `{"alg":"none","kid":"es"}`), publicOf(k), Mismatch},
		"alg none, unsigned":   {"token=" + base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + parts[1] + ".", publicOf(k), Mismatch},
		"alg of a secret":      {reheaded(query, `{"alg":"HS256","kid":"es"}`), publicOf(k), Mismatch},
		"a critical extension": {reheaded(query, `{"alg":"ES256","kid":"es","crit":["b64"]}`), publicOf(k), Malformed},
		"signature cut":        {"token=" + parts[0] + "." + parts[1] + "." + parts[2][:40], publicOf(k), Mismatch},
		"padded":               {query + "=", publicOf(k), Malformed},
		"a line break":         {query + "\n", publicOf(k), Malformed},
		"no token":             {"token=0123456789abcdef", publicOf(k), Absent},
		"huge":                 {"token=eyJ." + strings.Repeat("A", maxToken) + ".x", publicOf(k), Malformed},
		"twice":                {query + "&token=eyJ.e.e", publicOf(k), Repeated},
		"by its other name":    {"jwt=" + value, publicOf(k), Valid},
	} {
		if r := build(t, "mediamtx_jwt", Options{}).Verify(c.query, testTarget(Play), []Key{c.key}, VerifyOptions{Now: testNow}); r.Status != c.want {
			t.Errorf("%s: %+v, want %s", name, r, c.want)
		}
	}
	s := build(t, "mediamtx_jwt", Options{})
	if got := s.AppendQuery(nil, testTarget(Play), testKey(), SignOptions{}); len(got) > 0 {
		t.Errorf("signed with a secret: %s", got)
	}
	if got := s.AppendQuery(nil, testTarget(Play), publicOf(k), SignOptions{}); len(got) > 0 {
		t.Errorf("signed with a public key: %s", got)
	}
	wild := testTarget(Play)
	wild.App = "~.*"
	if got := s.AppendQuery(nil, wild, k, SignOptions{}); len(got) > 0 {
		t.Errorf("signed an expression: %s", got)
	}
}

func FuzzVerifyToken(f *testing.F) {
	k := pairs(f)["ES256"]
	query := tokenFor(f, k, testTarget(Play))
	f.Add(query, "live", "cam1")
	f.Add("token=eyJhbGciOiJub25lIn0.e30.", "live", "cam1")
	f.Add(reheaded(query, `{"alg":"ES256","kid":1}`), "", "")
	f.Add("jwt=eyJ..&token=eyJ..", "a", "b")
	f.Fuzz(func(t *testing.T, asked, app, stream string) {
		s, target := build(t, "mediamtx_jwt", Options{}), Target{Scene: Play, App: app, Stream: stream}
		r := s.Verify(asked, target, []Key{publicOf(k)}, VerifyOptions{Now: testNow})
		if r.Status == Valid && (app != "live" || stream != "cam1") {
			t.Errorf("%q opens %s/%s", asked, app, stream)
		}
		s.Canonical(asked, target, VerifyOptions{})
	})
}
