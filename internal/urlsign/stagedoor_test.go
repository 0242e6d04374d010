package urlsign

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"time"
)

// referenceMAC is the rule of the scheme written with crypto/hmac.
func referenceMAC(head, prefix, secret string) string {
	m := hmac.New(sha256.New, []byte(secret))
	fmt.Fprintf(m, "stagedoor-url-1\n%s\n%s", head, prefix)
	return base64.RawURLEncoding.EncodeToString(m.Sum(nil)[:16])
}

// The values were computed with Python's hmac module. They pin the scheme: URLs
// in the hands of clients must verify after every change of this package.
func TestStagedoorVectors(t *testing.T) {
	t.Parallel()
	const v6 = "2001:db8::1"
	for _, c := range []struct {
		target  Target
		keyID   string
		expires int64
		bind    string
		app     bool
		want    string
	}{
		{Target{Scene: Publish, App: "live", Stream: "cam1"}, "k1", testExpiry, "", false, "p2-1893456000-k1-i2L4CBgBouo2c5n9OxylBQ"},
		{Target{Scene: Play, App: "live", Stream: "cam1"}, "k1", testExpiry, "", false, "v2-1893456000-k1-kjFvgpzrYwDP6oPsCpn4kw"},
		{Target{Scene: Play, App: "live", Stream: "cam1"}, "k1", testExpiry, "", true, "v1-1893456000-k1-fGAq2cORWAvX2vfWdT7k_Q"},
		{Target{Scene: Publish, App: "live"}, "k1", 0, "", true, "p1-0-k1-oUOProKOhtTaNhIZV4zrVw"},
		{Target{Scene: Play, App: "live", Stream: "cam1"}, "k1", testExpiry, "203.0.113.9", false, "v2acb007109-1893456000-k1-YF4bQVcCakeBR_hxeAmg-A"},
		{Target{Scene: Publish, App: "live", Stream: "cam1"}, "key_2026_ABCDEFG", testExpiry, v6, false, "p2a20010db8000000000000000000000001-1893456000-key_2026_ABCDEFG-9xsVBxroHGOT3fKwJhFhrg"},
		{Target{Scene: Play, App: "live", Stream: "摄像机 1-2.x"}, "K_9", maxTime, "", false, "v2-99999999999-K_9-YSLQ-gMOmKbcBPxk9NYhuA"},
	} {
		o := SignOptions{Expires: time.Unix(c.expires, 0), AppScope: c.app}
		if c.bind != "" {
			o.BindAddr = netip.MustParseAddr(c.bind)
			c.target.Addr = o.BindAddr
		}
		key := Key{ID: c.keyID, Secret: []byte(testSecret)}
		got := string((&stagedoor{}).AppendQuery(nil, c.target, key, o))
		if got != "sd="+c.want {
			t.Errorf("%s, want %s", got, c.want)
		}
		wantStatus(t, (&stagedoor{}).Verify(got, c.target, []Key{key}, VerifyOptions{Now: time.Unix(c.expires, 0)}), Valid)
	}
}

func TestStagedoorTakesSecretsLongerThanABlock(t *testing.T) {
	t.Parallel()
	key := Key{ID: "k1", Secret: []byte(strings.Repeat("k", 100))}
	got := string((&stagedoor{}).AppendQuery(nil, testTarget(Publish), key, SignOptions{Expires: time.Unix(testExpiry, 0)}))
	if want := "sd=p2-1893456000-k1-WtKNoSb4H_BeULcb4twCtQ"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestHMACAgreesWithTheStandardLibrary(t *testing.T) {
	t.Parallel()
	bytes := make([]byte, 300)
	for i := range bytes {
		bytes[i] = byte(i * 7)
	}
	for secret := range 140 {
		for _, text := range []int{0, 1, 55, 56, 63, 64, 65, 119, 120, 300} {
			m := hmac.New(sha256.New, bytes[:secret])
			m.Write(bytes[:text])
			padded := append(make([]byte, sha256.BlockSize), bytes[:text]...)
			if got := hmacSHA256(bytes[:secret], padded); !hmac.Equal(got[:], m.Sum(nil)) {
				t.Fatalf("secret of %d bytes, text of %d: %x", secret, text, got)
			}
		}
	}
}

func TestStagedoorValuesAreShortAndNeedNoEscaping(t *testing.T) {
	t.Parallel()
	safe := regexp.MustCompile(`^sd=[A-Za-z0-9_-]+$`)
	plainOne := sign(t, "stagedoor", testTarget(Publish), SignOptions{})
	bound := sign(t, "stagedoor", testTarget(Publish), SignOptions{BindAddr: netip.MustParseAddr("2001:db8::1")})
	if !safe.MatchString(plainOne) || !safe.MatchString(bound) {
		t.Errorf("%s %s", plainOne, bound)
	}
	if len(plainOne) > 48 || len(bound) > 90 {
		t.Errorf("%d and %d bytes", len(plainOne), len(bound))
	}
}

func TestOneStagedoorSignatureOpensEveryFormat(t *testing.T) {
	t.Parallel()
	query := sign(t, "stagedoor", testTarget(Play), SignOptions{})
	for _, path := range []string{"", "/live/cam1", "/live/cam1.flv", "/live/cam1.m3u8", "/hls/live/cam1-12.ts"} {
		target := testTarget(Play)
		target.Path, target.Host = path, "other.example.com"
		wantStatus(t, verify(t, "stagedoor", query, target), Valid)
	}
}

func TestStagedoorScenesDoNotImplyEachOther(t *testing.T) {
	t.Parallel()
	for _, app := range []bool{false, true} {
		publish := sign(t, "stagedoor", testTarget(Publish), SignOptions{AppScope: app})
		play := sign(t, "stagedoor", testTarget(Play), SignOptions{AppScope: app})
		wantStatus(t, verify(t, "stagedoor", publish, testTarget(Play)), WrongScene)
		wantStatus(t, verify(t, "stagedoor", play, testTarget(Publish)), WrongScene)
		wantStatus(t, verify(t, "stagedoor", play, testTarget(0)), WrongScene)
		// Renaming the scene in the value breaks the mac.
		wantStatus(t, verify(t, "stagedoor", strings.Replace(play, "=v", "=p", 1), testTarget(Publish)), Mismatch)
	}
	for _, scene := range []Scene{0, 3, 255} {
		if got := (&stagedoor{}).AppendQuery(nil, testTarget(scene), testKey(), SignOptions{}); len(got) != 0 {
			t.Errorf("scene %d signed: %s", scene, got)
		}
	}
}

func TestStagedoorAppScopeOpensTheAppAndNothingElse(t *testing.T) {
	t.Parallel()
	query := sign(t, "stagedoor", Target{Scene: Play, App: "live"}, SignOptions{AppScope: true})
	for _, stream := range []string{"cam1", "cam2", "a/b", ""} {
		wantStatus(t, verify(t, "stagedoor", query, Target{Scene: Play, App: "live", Stream: stream}), Valid)
	}
	for _, app := range []string{"live2", "Live", "liv", "live/", "live/cam1", ""} {
		wantStatus(t, verify(t, "stagedoor", query, Target{Scene: Play, App: app, Stream: "cam1"}), Mismatch)
	}
	// A stream signature for "/live/cam1" is not one for an app of that name.
	stream := sign(t, "stagedoor", testTarget(Play), SignOptions{})
	widened := strings.Replace(stream, "=v2", "=v1", 1)
	wantStatus(t, verify(t, "stagedoor", widened, Target{Scene: Play, App: "live/cam1", Stream: "x"}), Mismatch)
	wantStatus(t, verify(t, "stagedoor", widened, testTarget(Play)), Mismatch)
}

func TestStagedoorBindsTheClientAddress(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		bound, client string
		want          Status
	}{
		{"203.0.113.9", "203.0.113.9", Valid},
		{"203.0.113.9", "::ffff:203.0.113.9", Valid},
		{"::ffff:203.0.113.9", "203.0.113.9", Valid},
		{"203.0.113.9", "203.0.113.10", WrongAddress},
		{"203.0.113.9", "2001:db8::1", WrongAddress},
		{"2001:db8::1", "2001:db8::1", Valid},
		{"2001:db8::1", "2001:0db8:0:0::1", Valid},
		{"2001:db8::1", "2001:db8::2", WrongAddress},
		{"fe80::1%eth0", "fe80::1", Valid},
		{"fe80::1", "fe80::1%eth1", Valid},
		{"0.0.0.0", "::", WrongAddress},
		{"::", "::", Valid},
	} {
		query := sign(t, "stagedoor", testTarget(Play), SignOptions{BindAddr: netip.MustParseAddr(c.bound)})
		target := testTarget(Play)
		target.Addr = netip.MustParseAddr(c.client)
		if r := verify(t, "stagedoor", query, target); r.Status != c.want {
			t.Errorf("bound to %s, from %s: %s, want %s", c.bound, c.client, r.Status, c.want)
		}
		target.Addr = netip.Addr{}
		wantStatus(t, verify(t, "stagedoor", query, target), WrongAddress)
	}
	unbound := testTarget(Play)
	unbound.Addr = netip.Addr{}
	wantStatus(t, verify(t, "stagedoor", sign(t, "stagedoor", testTarget(Play), SignOptions{}), unbound), Valid)
}

func TestStagedoorSaysWhyOnlyWhenTheMACMatches(t *testing.T) {
	t.Parallel()
	o := SignOptions{Expires: testNow.Add(-time.Hour), BindAddr: netip.MustParseAddr("192.0.2.1")}
	query := sign(t, "stagedoor", testTarget(Publish), o)
	wantStatus(t, verify(t, "stagedoor", query, testTarget(Play)), WrongScene)
	wantStatus(t, verify(t, "stagedoor", query, testTarget(Publish)), WrongAddress)
	at := testTarget(Publish)
	at.Addr = o.BindAddr
	wantStatus(t, verify(t, "stagedoor", query, at), Expired)
	stranger := Key{ID: "k1", Secret: []byte("another")}
	wantStatus(t, verify(t, "stagedoor", query, testTarget(Play), stranger), Mismatch)
	other := testTarget(Play)
	other.Stream = "cam2"
	wantStatus(t, verify(t, "stagedoor", query, other), Mismatch)
}

func TestStagedoorTakesTheKeyByItsID(t *testing.T) {
	t.Parallel()
	secret := []byte(testSecret)
	query := sign(t, "stagedoor", testTarget(Play), SignOptions{})
	// The right secret under another id is not the key that the URL names, and
	// renaming it in the URL breaks the mac.
	wantStatus(t, verify(t, "stagedoor", query, testTarget(Play), Key{ID: "k2", Secret: secret}), Mismatch)
	renamed := strings.Replace(query, "-k1-", "-k2-", 1)
	wantStatus(t, verify(t, "stagedoor", renamed, testTarget(Play), Key{ID: "k2", Secret: secret}), Mismatch)
	first := Key{ID: "k1", Secret: []byte("older")}
	wantStatus(t, verify(t, "stagedoor", query, testTarget(Play), first, testKey()), Mismatch)
	// An unknown id is hashed with no secret; that must not let in who does so too.
	head := fmt.Sprintf("v2-%d-nobody", testExpiry)
	forged := "sd=" + head + "-" + referenceMAC(head, "/live/cam1", "")
	wantStatus(t, verify(t, "stagedoor", forged, testTarget(Play)), Mismatch)
	for _, id := range []string{"", "a-b", "a.b", "ключ", "k 1", "k1\n", strings.Repeat("k", maxKeyID+1)} {
		if got := (&stagedoor{}).AppendQuery(nil, testTarget(Play), Key{ID: id, Secret: secret}, SignOptions{}); len(got) != 0 {
			t.Errorf("key id %q signed: %s", id, got)
		}
	}
}

// 22 characters carry four bits more than 16 bytes need, so each mac has 16
// spellings that a lenient decoder takes for the same.
func TestStagedoorRefusesNonCanonicalBase64(t *testing.T) {
	t.Parallel()
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	query := sign(t, "stagedoor", testTarget(Play), SignOptions{})
	body, last := query[:len(query)-1], query[len(query)-1]
	want, err := base64.RawURLEncoding.DecodeString(query[len(query)-macText:])
	if err != nil {
		t.Fatal(err)
	}
	malformed, alike := 0, 0
	for _, c := range []byte(alphabet) {
		changed := body + string(c)
		got, err := base64.RawURLEncoding.DecodeString(changed[len(changed)-macText:])
		if err == nil && string(got) == string(want) {
			alike++
		}
		r := verify(t, "stagedoor", changed, testTarget(Play))
		if r.Status == Malformed {
			malformed++
		}
		if (r.Status == Valid) != (c == last) {
			t.Errorf("%s: %s", changed, r.Status)
		}
	}
	if malformed != 60 || alike != 16 {
		t.Errorf("%d of 64 endings malformed, %d decode alike; want 60 and 16", malformed, alike)
	}
}

func TestStagedoorRefusesOtherShapes(t *testing.T) {
	t.Parallel()
	const mac = "i2L4CBgBouo2c5n9OxylBQ"
	for name, value := range map[string]string{
		"nothing but separators":  "---",
		"mac only":                mac,
		"no key id":               "p2-1893456000-" + mac,
		"empty key id":            "p2-1893456000--" + mac,
		"long key id":             "p2-1893456000-k2345678901234567-" + mac,
		"key id with a dot":       "p2-1893456000-k.1-" + mac,
		"no mac":                  "p2-1893456000-k1-",
		"no mac, no separator":    "p2-1893456000-k1",
		"short mac":               "p2-1893456000-k1-" + mac[1:],
		"long mac":                "p2-1893456000-k1-" + mac + "A",
		"padded mac":              "p2-1893456000-k1-" + mac + "==",
		"mac in plain base64":     "p2-1893456000-k1-+" + mac[1:],
		"line break in the mac":   "p2-1893456000-k1-\n" + mac[1:],
		"unknown scene":           "x2-1893456000-k1-" + mac,
		"upper-case scene":        "P2-1893456000-k1-" + mac,
		"unknown scope":           "p3-1893456000-k1-" + mac,
		"no scope":                "p-1893456000-k1-" + mac,
		"no door":                 "-1893456000-k1-" + mac,
		"unknown binding":         "p2b-1893456000-k1-" + mac,
		"binding letter changed":  "p2bcb007109-1893456000-k1-" + mac,
		"empty address":           "p2a-1893456000-k1-" + mac,
		"short address":           "p2acb00710-1893456000-k1-" + mac,
		"long address":            "p2acb00710900-1893456000-k1-" + mac,
		"upper-case address":      "p2aCB007109-1893456000-k1-" + mac,
		"IPv4 written as IPv6":    "p2a00000000000000000000ffffcb007109-1893456000-k1-" + mac,
		"upper-case IPv6 address": "p2a20010DB8000000000000000000000001-1893456000-k1-" + mac,
		"empty expiry":            "p2--k1-" + mac,
		"expiry with a zero":      "p2-01893456000-k1-" + mac,
		"expiry of zeros":         "p2-00-k1-" + mac,
		"expiry with a sign":      "p2-+1893456000-k1-" + mac,
		"expiry in hex":           "p2-70dbd880-k1-" + mac,
		"expiry too long":         "p2-189345600000-k1-" + mac,
		"too long":                "p2-1893456000-k1-" + strings.Repeat("A", maxValue),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wantStatus(t, verify(t, "stagedoor", "sd="+value, testTarget(Publish)), Malformed)
		})
	}
}

func FuzzVerifyStagedoor(f *testing.F) {
	f.Add("sd=p2-1893456000-k1-i2L4CBgBouo2c5n9OxylBQ", "live", "cam1", testSecret, "k1", int64(testExpiry), uint8(1), []byte(nil))
	f.Add("sd=v2acb007109-1893456000-k1-YF4bQVcCakeBR_hxeAmg-A", "live", "cam1", testSecret, "k1", int64(0), uint8(2), []byte{203, 0, 113, 9})
	f.Add("sd=v1-1893456000-k1-fGAq2cORWAvX2vfWdT7k_Q", "live", "", testSecret, "k1", int64(-1), uint8(6), make([]byte, 16))
	f.Add("sd=---&sd=%2d--", "a/b", "c\nd", "", "a-b", int64(1)<<62, uint8(0), []byte{1})
	f.Fuzz(func(t *testing.T, query, app, stream, secret, id string, expires int64, bits uint8, addr []byte) {
		target := Target{Scene: Scene(bits & 3), App: app, Stream: stream}
		target.Addr, _ = netip.AddrFromSlice(addr)
		keys := []Key{{ID: "other", Secret: []byte("x" + secret)}, {ID: id, Secret: []byte(secret)}}
		if r := (&stagedoor{}).Verify(query, target, keys, VerifyOptions{Now: testNow}); r.Status == Valid {
			checkStagedoor(t, query, target, keys)
		}
		o := SignOptions{Expires: time.Unix(expires, 0), AppScope: bits&4 != 0, BindAddr: target.Addr}
		signed := string((&stagedoor{}).AppendQuery(nil, target, keys[1], o))
		if signed == "" || id == "other" {
			return
		}
		r := (&stagedoor{}).Verify(signed, target, keys, VerifyOptions{Now: testNow, IgnoreExpiry: true})
		if r.Status != Valid || r.KeyID != id {
			t.Errorf("%s: %+v", signed, r)
		}
	})
}

// checkStagedoor recomputes by the documented rule what Verify called valid.
func checkStagedoor(t *testing.T, query string, target Target, keys []Key) {
	t.Helper()
	value, _, _ := referenceParam(query, "sd")
	parts := strings.SplitN(value, "-", 4)
	prefix := "/" + target.App
	if parts[0][1] == '2' {
		prefix += "/" + target.Stream
	}
	for _, k := range keys {
		head := strings.Join(parts[:3], "-")
		if len(k.Secret) > 0 && k.ID == parts[2] && referenceMAC(head, prefix, string(k.Secret)) == parts[3] {
			return
		}
	}
	t.Errorf("%s is called valid", query)
}
