package urlsign

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"strings"
	"testing"
	"time"
)

func pemOf(t testing.TB, kind string, raw []byte, err error) []byte {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: raw})
}

func TestKeysAreReadAsTheirSchemesHaveThem(t *testing.T) {
	t.Parallel()
	if k, err := NewKey("aliyun_a", "k", []byte("secret")); err != nil || string(k.Secret) != "secret" || k.ID != "k" {
		t.Errorf("%+v, %v", k, err)
	}
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	for name, text := range map[string][]byte{"PKCS 8": pemOf(t, "PRIVATE KEY", pkcs8, err),
		"PKCS 1": pemOf(t, "RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(private), nil)} {
		if k, err := NewKey("cloudfront_canned", "k", text); err != nil || k.algorithm() != "RS256" {
			t.Errorf("%s: %+v, %v", name, k, err)
		}
	}
	es, err := x509.MarshalPKCS8PrivateKey(pairs(t)["ES256"].Private)
	for name, text := range map[string][]byte{
		"nothing": nil, "no PEM": []byte("secret"), "another kind": pemOf(t, "PRIVATE KEY", es, err),
		"garbage": pemOf(t, "PRIVATE KEY", []byte("x"), nil), "huge": []byte(strings.Repeat("x", maxPEM+1)),
	} {
		if _, err := NewKey("mux_playback", "k", text); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A URL of CloudFront opens one resource and nothing else.
func TestCloudFrontRefusesWhatItDidNotSign(t *testing.T) {
	t.Parallel()
	s, k := build(t, "cloudfront_canned", Options{KeyID: "K1"}), pairs(t)["RS256"]
	target := Target{Scene: Play, App: "live", Stream: "cam1", Path: "/live/cam1.m3u8", Origin: "https://d.example", Query: "a=b"}
	url := string(AppendURL(nil, s, target, k, SignOptions{Expires: time.Unix(testExpiry, 0)}))
	query := queryOf(url)
	other, plain := target, target
	other.Path, plain.Origin = "/live/cam2.m3u8", "http://d.example"
	for name, c := range map[string]struct {
		query  string
		target Target
		want   Status
	}{
		"right":            {query, target, Valid},
		"another path":     {query, other, Mismatch},
		"another protocol": {query, plain, Mismatch},
		"another query":    {strings.Replace(query, "a=b", "a=c", 1), target, Mismatch},
		"another time":     {strings.Replace(query, "1893456000", "1893456001", 1), target, Mismatch},
		"another pair":     {strings.Replace(query, "=K1", "=K2", 1), target, Malformed},
		"no time":          {strings.Replace(query, "Expires=", "x=", 1), target, Malformed},
		"twice":            {query + "&Expires=1", target, Repeated},
		"unsigned":         {"a=b", target, Absent},
		"no origin":        {query, Target{Scene: Play, App: "live", Stream: "cam1", Path: "/live/cam1.m3u8"}, Mismatch},
	} {
		if r := s.Verify(c.query, c.target, []Key{publicOf(k)}, VerifyOptions{Now: testNow}); r.Status != c.want {
			t.Errorf("%s: %+v, want %s", name, r, c.want)
		}
	}
	quoted := target
	quoted.Path = `/live/a".m3u8`
	if got := AppendURL(nil, s, quoted, k, SignOptions{}); len(got) > 0 {
		t.Errorf("signed a quote: %s", got)
	}
}
