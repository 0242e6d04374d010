package urlsign

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"
)

// asServersSee signs a target with everything that some scheme asks for.
func asServersSee(t testing.TB, name string, key Key) (s Scheme, query string, target Target) {
	t.Helper()
	s, target = lookup(t, name), testTarget(Play)
	if !ServesScene(s, Play) {
		target.Scene = Publish
	}
	target.Path, target.Origin = "/live/cam1", "rtmp://h"
	url := string(AppendURL(nil, s, target, key, SignOptions{Expires: time.Unix(testExpiry, 0)}))
	path, query, _ := strings.Cut(url, "?")
	target.Path = path
	return s, query, target
}

// withSecrets are the schemes whose keys are secrets.
func withSecrets() []string {
	return slices.DeleteFunc(Names(), func(name string) bool { return KeysOf(name) != SecretKeys })
}

func TestNoSchemeTakesAnEmptyKey(t *testing.T) {
	t.Parallel()
	for _, name := range withSecrets() {
		s, query, target := asServersSee(t, name, testKey())
		wantStatus(t, s.Verify(query, target, []Key{testKey()}, VerifyOptions{Now: testNow}), Valid)
		for _, keys := range [][]Key{nil, {{ID: "k1"}}, {{ID: "k1", Secret: []byte{}}}} {
			if r := s.Verify(query, target, keys, VerifyOptions{Now: testNow}); r.Status != Mismatch {
				t.Errorf("%s: %s with %d keys", name, r.Status, len(keys))
			}
		}
		if got := AppendURL(nil, s, target, Key{ID: "k1"}, SignOptions{Expires: testNow}); len(got) > 0 {
			t.Errorf("%s signs with an empty key: %s", name, got)
		}
	}
}

func TestEverySchemeTriesAllKeysAndNamesTheFirst(t *testing.T) {
	t.Parallel()
	for _, name := range withSecrets() {
		s, query, target := asServersSee(t, name, testKey())
		other := Key{ID: "k2", Secret: []byte("something else")}
		for _, keys := range [][]Key{{testKey(), other}, {other, testKey()}, {other, testKey(), {ID: "k3", Secret: testKey().Secret}}} {
			if r := s.Verify(query, target, keys, VerifyOptions{Now: testNow}); r.Status != Valid || r.KeyID != "k1" {
				t.Errorf("%s: %+v", name, r)
			}
		}
		wantStatus(t, s.Verify(query, target, []Key{other}, VerifyOptions{Now: testNow}), Mismatch)
	}
}

// Two readers of a query could disagree on which of two values counts.
func TestDifferentRepeatsOfASignatureAreRefused(t *testing.T) {
	t.Parallel()
	for _, name := range withSecrets() {
		s, query, target := asServersSee(t, name, testKey())
		for _, pair := range strings.Split(query, "&") {
			param, _, ok := strings.Cut(pair, "=")
			if !ok {
				continue // it stands in the path
			}
			if r := s.Verify(query+"&"+param+"=1", target, []Key{testKey()}, VerifyOptions{Now: testNow}); r.Status == Valid {
				t.Errorf("%s takes two %s", name, param)
			}
		}
	}
}

// lal and the old mode of nginx take digits of either case; Node-Media-Server
// does not, nor do we where nobody says so. We write lower case everywhere.
func TestHexadecimalDigestsAreReadAsTheirVerifiersDo(t *testing.T) {
	t.Parallel()
	either := []string{"lal_simple_auth", "nginx_secure_link_secret"}
	for _, name := range withSecrets() {
		s, query, target := asServersSee(t, name, testKey())
		h, ok := s.(*hashed)
		if !ok || h.digest == md5Base64 {
			continue
		}
		digest := regexpDigest(strings.ReplaceAll(target.Path+"?"+query, "-", "/"), h.digest.length())
		if digest != strings.ToLower(digest) {
			t.Errorf("%s signs %s", name, digest)
		}
		upper := strings.ToUpper(digest)
		target.Path = strings.Replace(target.Path, digest, upper, 1)
		r := s.Verify(strings.Replace(query, digest, upper, 1), target, []Key{testKey()}, VerifyOptions{Now: testNow})
		if want := slices.Contains(either, name); (r.Status == Valid) != want {
			t.Errorf("%s in upper case: %s", name, r.Status)
		}
	}
}

// The last of the 22 characters of an MD5 in base64 carries two bits: nginx takes
// four texts for one digest. We take the canonical one, with its padding or not.
func TestSecureLinksHaveOneSpelling(t *testing.T) {
	t.Parallel()
	s, query, target := asServersSee(t, "nginx_secure_link_md5", testKey())
	value, rest, _ := strings.Cut(strings.TrimPrefix(query, "md5="), "&")
	last := strings.IndexByte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", value[21])
	for text, want := range map[string]Status{
		value: Valid, value + "==": Valid, value + "=": Malformed, value + "===": Malformed,
		value[:21] + string("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"[last+1]): Malformed,
	} {
		if r := s.Verify("md5="+text+"&"+rest, target, []Key{testKey()}, VerifyOptions{Now: testNow}); r.Status != want {
			t.Errorf("%q: %s, want %s", text, r.Status, want)
		}
	}
}

func TestTimesOfSecureLinksKeepTheirWidth(t *testing.T) {
	t.Parallel()
	// "cam1" until 893456000 hashes like "cam" until 1893456000.
	s := build(t, "tencent_css", Options{})
	own := testTarget(Play)
	own.Stream = "cam7"
	query := string(s.AppendQuery(nil, own, testKey(), SignOptions{Expires: time.Unix(testExpiry, 0)}))
	shifted := strings.Replace(query, "txTime=", "txTime=7", 1)
	victim := testTarget(Play)
	victim.Stream = "cam"
	wantStatus(t, s.Verify(shifted, victim, []Key{testKey()}, VerifyOptions{Now: testNow}), Malformed)
}

func TestNodeMediaServersClockAndNames(t *testing.T) {
	t.Parallel()
	s := build(t, "nms_sign", Options{})
	query := string(s.AppendQuery(nil, testTarget(Play), testKey(), SignOptions{Expires: time.Unix(1<<40, 0)}))
	if !strings.HasPrefix(query, "sign=2147483647-") {
		t.Errorf("beyond 32 bits: %s", query)
	}
	for _, stream := range []string{"a.b", "a b", "é", "a/b"} {
		target := testTarget(Play)
		if target.Stream = stream; len(s.AppendQuery(nil, target, testKey(), SignOptions{})) > 0 {
			t.Errorf("signs %q, which that server refuses", stream)
		}
	}
}

func TestStampsAreMinutesOfTheCalendar(t *testing.T) {
	t.Parallel()
	if got := string(appendStamp(nil, time.Unix(testExpiry+59, 0))); got != "203001010800" {
		t.Errorf("stamp %s", got)
	}
	for stamp, ok := range map[string]bool{"203001010800": true, "202402292359": true, "202302290000": false, "203013010800": false,
		"203001010860": false, "203001012400": false, "20300101080": false, "2030010108 0": false, "000001010000": false} {
		if _, got := parseStamp(stamp); got != ok {
			t.Errorf("%q: %v", stamp, got)
		}
	}
	for _, at := range []time.Time{{}, time.Unix(1<<60, 0)} {
		if stamp := string(appendStamp(nil, at)); len(stamp) != stampText {
			t.Errorf("stamp %s", stamp)
		}
	}
}

func TestExpressionsThatProtectNothingAreRefused(t *testing.T) {
	t.Parallel()
	for expression, say := range map[string]string{
		"$secure_link_expires$uri s3cr3t": "$key", "$uri $key": "$secure_link_expires", "$secure_link_expires $key": "$uri",
		"$secure_link_expires$uri$args $key": "knows", "$secure_link_expires$uri$uri $key": "twice", "${uri $key": "knows", "$": "knows",
		"$expires$uri\n$key": "printable", strings.Repeat("x", maxExpression) + "$key": "at most",
	} {
		if _, err := New("nginx_secure_link_md5", Options{Expression: expression}); err == nil || !strings.Contains(err.Error(), say) {
			t.Errorf("%q: %v, want %q", expression, err, say)
		}
	}
	for _, o := range []Options{{PathPrefix: "p"}, {PathPrefix: "/"}, {PathPrefix: "/a/"}, {PathPrefix: "/a b"}, {PathPrefix: "/a/b/c/d"},
		{PathPrefix: "/p", SignatureParam: "md5"}, {SignatureParam: "x", TimeParam: "x"}} {
		if _, err := New("nginx_secure_link_md5", o); err == nil {
			t.Errorf("%+v is taken", o)
		}
	}
	if s := build(t, "nginx_secure_link_md5", Options{Expression: "$expires$uri$remote_addr $key"}); !NeedsAddress(s) {
		t.Error("an expression with an address needs none")
	}
}

func TestPathsAreSplitFromTheirSignatures(t *testing.T) {
	t.Parallel()
	hash, short := strings.Repeat("a", 32), strings.Repeat("A", 22)
	for path, prefix := range map[string]string{
		"/203001010800/" + hash + "/live/x.flv": "/203001010800/" + hash, "/" + hash + "/70dbd880/live/x.flv": "/" + hash + "/70dbd880",
		"/t/" + short + "/1893456000/live/x.ts": "/t/" + short + "/1893456000", "/p/" + hash + "/live/x.m3u8": "/p/" + hash,
		"/live/x.flv": "", "/live/" + hash + ".flv": "", "/live/" + hash: "", "": "", "/": "", "live": "", "//": "",
	} {
		if got, rest := SplitPath(path); got != prefix || got+rest != path {
			t.Errorf("%s: %q and %q", path, got, rest)
		}
	}
}

func TestPoliciesOfOvenMediaEngine(t *testing.T) {
	t.Parallel()
	s, o := build(t, "ome_signed_policy", Options{}), SignOptions{Expires: time.Unix(testExpiry, 0), NotBefore: testNow, BindAddr: testAddr}
	target := testTarget(Play)
	target.Path, target.Origin = "/live/cam1", "ws://h"
	query := string(s.AppendQuery(nil, target, testKey(), o))
	with := func(change func(*Target)) Target {
		out := target
		change(&out)
		return out
	}
	for name, c := range map[string]struct {
		target Target
		query  string
		now    time.Time
		want   Status
	}{
		"right":                    {target, query, testNow, Valid},
		"with its port":            {with(func(t *Target) { t.Origin = "ws://h:80" }), query, testNow, Valid},
		"another port":             {with(func(t *Target) { t.Origin = "ws://h:81" }), query, testNow, Mismatch},
		"another path":             {with(func(t *Target) { t.Path = "/live/cam2" }), query, testNow, Mismatch},
		"nobody tells the URL":     {with(func(t *Target) { t.Origin = "" }), query, testNow, Mismatch},
		"another address":          {with(func(t *Target) { t.Addr = netip.MustParseAddr("203.0.113.8") }), query, testNow, WrongAddress},
		"last millisecond":         {target, query, time.UnixMilli(testExpiry * 1000), Valid},
		"a millisecond later":      {target, query, time.UnixMilli(testExpiry*1000 + 1), Expired},
		"not yet":                  {target, query, testNow.Add(-time.Second), Expired},
		"another parameter":        {target, "a=b&" + query, testNow, Mismatch},
		"no signature":             {target, query[:strings.IndexByte(query, '&')], testNow, Malformed},
		"no policy":                {target, query[strings.IndexByte(query, '&')+1:], testNow, Absent},
		"signature in capitals":    {target, strings.Replace(query, "signature=", "Signature=", 1), testNow, Malformed},
		"a policy that is no JSON": {target, "policy=AAAA&signature=x", testNow, Malformed},
	} {
		if r := s.Verify(c.query, c.target, []Key{testKey()}, VerifyOptions{Now: c.now}); r.Status != c.want {
			t.Errorf("%s: %+v, want %s", name, r, c.want)
		}
	}
	o.BindAddr = netip.MustParseAddr("2001:db8::1")
	if got := s.AppendQuery(nil, target, testKey(), o); len(got) > 0 {
		t.Errorf("bound to IPv6, which that server does not know: %s", got)
	}
}

func TestTokensOfWowza(t *testing.T) {
	t.Parallel()
	s := build(t, "wowza_securetoken_v2", Options{})
	for _, addr := range []netip.Addr{{}, testAddr} {
		o := SignOptions{Expires: time.Unix(testExpiry, 0), NotBefore: testNow, BindAddr: addr}
		query := string(s.AppendQuery(nil, testTarget(Play), testKey(), o))
		verify := func(query string, target Target, now time.Time) Status {
			return s.Verify(query, target, []Key{testKey()}, VerifyOptions{Now: now}).Status
		}
		elsewhere := testTarget(Play)
		elsewhere.Addr = netip.MustParseAddr("203.0.113.8")
		want := Valid
		if addr.IsValid() {
			want = Mismatch
		}
		for name, c := range map[string]struct{ got, want Status }{
			"right":           {verify(query, testTarget(Play), testNow), Valid},
			"padding escaped": {verify(strings.ReplaceAll(query, "hash=", "hash=")+"", testTarget(Play), testNow), Valid},
			"elsewhere":       {verify(query, elsewhere, testNow), want},
			"not yet":         {verify(query, testTarget(Play), testNow.Add(-time.Second)), Expired},
			"over":            {verify(query, testTarget(Play), time.Unix(testExpiry+1, 0)), Expired},
			"one more of its": {verify(query+"&wowzatokenx=1", testTarget(Play), testNow), Mismatch},
			"one of others":   {verify(query+"&x=1", testTarget(Play), testNow), Valid},
			"no number":       {verify(strings.Replace(query, "endtime=", "endtime=x", 1), testTarget(Play), testNow), Malformed},
			"many":            {verify(query+strings.Repeat("&x=1", maxPairs), testTarget(Play), testNow), Malformed},
		} {
			if c.got != c.want {
				t.Errorf("bound to %v, %s: %s, want %s", addr, name, c.got, c.want)
			}
		}
	}
	if _, err := New("wowza_securetoken_v2", Options{Hash: "md5"}); err == nil {
		t.Error("another hash is taken")
	}
}

// Every verifier takes any query, path and names without panic, and opens
// nothing that nobody signed.
func FuzzVerifyEveryScheme(f *testing.F) {
	for _, name := range withSecrets() {
		_, query, target := asServersSee(f, name, testKey())
		f.Add(name, query, target.Path, target.Origin, target.App, target.Stream)
	}
	f.Add("aliyun_b", "", "/203001010800//", "", "", "")
	f.Add("ome_signed_policy", "policy=e30&signature=", "", "://", "a", "b")
	f.Add("wowza_securetoken_v2", "wowzatokenhash=%3D&wowzatokenendtime=&&", "", "", "", "")
	f.Fuzz(func(t *testing.T, name, query, path, origin, app, stream string) {
		if KeysOf(name) != SecretKeys {
			return
		}
		s, ok := Lookup(name)
		if !ok {
			return
		}
		target := Target{Scene: Play, App: app, Stream: stream, Path: path, Origin: origin, Host: "h", Addr: testAddr}
		o := VerifyOptions{Now: testNow}
		foreign := []Key{{ID: "other", Secret: []byte("nobody has signed with this")}}
		if r := s.Verify(query, target, foreign, o); r.KeyID != "" {
			t.Errorf("%s: %q %q is called genuine: %+v", name, query, path, r)
		}
		if r := s.Verify(query, target, nil, o); r.KeyID != "" {
			t.Errorf("%s: genuine without a key", name)
		}
		c := s.Canonical(query, target, o)
		if len(c.Text) > 4*(maxQuery+maxToken) {
			t.Errorf("%d bytes of text", len(c.Text))
		}
		AppendURL(nil, s, target, testKey(), SignOptions{Expires: testNow})
	})
}
