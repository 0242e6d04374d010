package urlsign

import (
	"crypto/md5"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

func build(tb testing.TB, name string, o Options) Scheme {
	tb.Helper()
	s, err := New(name, o)
	if err != nil {
		tb.Fatalf("%s %+v: %v", name, o, err)
	}
	return s
}

func queryOf(url string) string {
	_, query, _ := strings.Cut(url, "?")
	return query
}

func TestVolcengineATimesInAnotherBaseAreHashedAsWritten(t *testing.T) {
	t.Parallel()
	s := build(t, "volcengine_a", Options{TimeBase: 16})
	for _, digits := range []string{"70dbd880", "70DBD880", "070DbD880"} {
		head := digits + "-0-0"
		query := "auth_key=" + head + "-" + referenceAliyunA("/live/cam1", head, testSecret)
		r := s.Verify(query, testTarget(Play), []Key{testKey()}, VerifyOptions{Now: testNow})
		if r.Status != Valid || r.Expires.Unix() != testExpiry {
			t.Errorf("%s: %+v", query, r)
		}
	}
	got := string(s.AppendQuery(nil, testTarget(Play), testKey(), SignOptions{Expires: time.Unix(testExpiry, 0)}))
	if !strings.HasPrefix(got, "auth_key=70dbd880-0-0-") {
		t.Errorf("signed %s", got)
	}
}

// The digits of a time are hashed as they stand, so a signer may write
// hexadecimal ones in either case, but nobody can change the case afterwards.
func TestHexadecimalTimesAreHashedInTheCaseOfTheURL(t *testing.T) {
	t.Parallel()
	o := Options{TimeBase: 16, Fields: []string{"key", "StreamName", "volcTime"}}
	custom, b := build(t, "volcengine_custom", o), build(t, "volcengine_b", Options{TimeBase: 16})
	for _, digits := range []string{"70dbd880", "70DBD880", "70DbD880"} {
		for _, c := range []struct {
			s    Scheme
			text string
		}{{custom, testSecret + "cam1" + digits}, {b, "/live/cam1" + testSecret + digits}} {
			query := fmt.Sprintf("volcTime=%s&volcSecret=%x", digits, md5.Sum([]byte(c.text)))
			r := c.s.Verify(query, testTarget(Play), []Key{testKey()}, VerifyOptions{Now: testNow})
			if r.Status != Valid || r.Expires.Unix() != testExpiry {
				t.Errorf("%s %s: %+v", c.s.Name(), query, r)
			}
			for _, other := range []string{strings.ToLower(digits), strings.ToUpper(digits)} {
				if changed := strings.Replace(query, digits, other, 1); changed != query {
					wantStatus(t, c.s.Verify(changed, testTarget(Play), []Key{testKey()}, VerifyOptions{Now: testNow}), Mismatch)
				}
			}
		}
	}
	upper := strings.ToUpper(string(b.AppendQuery(nil, testTarget(Play), testKey(), SignOptions{Expires: time.Unix(testExpiry, 0)})))
	upper = strings.NewReplacer("VOLCTIME", "volcTime", "VOLCSECRET", "volcSecret").Replace(upper)
	wantStatus(t, b.Verify(upper, testTarget(Play), []Key{testKey()}, VerifyOptions{Now: testNow}), Malformed)
}

// Without a fixed length of the time, a URL of "cam1" that ends in 1998 would
// be one of "cam" that ends in 2030, and the other way round.
func TestATimeCannotBorrowDigitsFromAName(t *testing.T) {
	t.Parallel()
	for base, digits := range map[int]string{10: "1893456000", 16: "70dbd880", 8: "16066754200", 2: "1110000110110111101100010000000"} {
		for _, fields := range [][]string{{"key", "StreamName", "volcTime"}, {"volcTime", "StreamName", "key"}, {"StreamName", "volcTime", "AppName", "key"}} {
			s := build(t, "volcengine_custom", Options{TimeBase: base, Fields: fields})
			target := Target{Scene: Play, App: "1", Stream: "1cam1"}
			query := string(s.AppendQuery(nil, target, testKey(), SignOptions{Expires: time.Unix(testExpiry, 0)}))
			if !strings.Contains(query, "volcTime="+digits+"&") {
				t.Fatalf("signed %s", query)
			}
			for _, c := range []struct{ stream, digits string }{
				{"1cam", "1" + digits}, {"1cam1" + digits[:1], digits[1:]}, {"cam1", digits + "1"}, {digits[len(digits)-1:] + "1cam1", digits[:len(digits)-1]},
			} {
				target.Stream = c.stream
				r := s.Verify(strings.Replace(query, digits, c.digits, 1), target, []Key{testKey()}, VerifyOptions{IgnoreExpiry: true})
				if r.Status == Valid {
					t.Errorf("%v: %q at %s opens with the URL of 1cam1 at %s", fields, c.stream, c.digits, digits)
				}
			}
		}
	}
}

// reference is the vendor's rule as it is documented.
func reference(fields []string, t Target, secret, digits string) string {
	values := map[string]string{"key": secret, "SecretKey": secret, "volcTime": digits, "expireTime": digits,
		"Domain": t.Host, "AppName": t.App, "StreamName": t.Stream}
	text := ""
	for _, f := range fields {
		text += values[f]
	}
	return fmt.Sprintf("%x", md5.Sum([]byte(text)))
}

// permutations calls f with every order of every choice of names.
func permutations(names, chosen []string, f func([]string)) {
	f(chosen)
	for i, name := range names {
		rest := slices.Concat(names[:i], names[i+1:])
		permutations(rest, append(slices.Clone(chosen), name), f)
	}
}

func TestFieldsAreHashedInTheirOrder(t *testing.T) {
	t.Parallel()
	tried := 0
	permutations([]string{"key", "volcTime", "Domain", "AppName", "StreamName"}, nil, func(fields []string) {
		o := Options{Fields: fields, SignatureParam: "sign", TimeParam: "expire"}
		if !slices.Contains(fields, "key") || !slices.Contains(fields, "volcTime") {
			if _, err := New("volcengine_custom", o); err == nil {
				t.Errorf("%v are taken", fields)
			}
			return
		}
		tried++
		s, target := build(t, "volcengine_custom", o), testTarget(Play)
		got := string(s.AppendQuery(nil, target, testKey(), SignOptions{Expires: time.Unix(testExpiry, 0)}))
		want := "expire=1893456000&sign=" + reference(fields, target, testSecret, strconv.Itoa(testExpiry))
		if got != want {
			t.Errorf("%v: %s, want %s", fields, got, want)
		}
		wantStatus(t, s.Verify(got, target, []Key{testKey()}, VerifyOptions{Now: testNow}), Valid)
		// The parameters may come in any order, among others.
		time, sign, _ := strings.Cut(got, "&")
		wantStatus(t, s.Verify("?"+sign+"?vhost=x&"+time, target, []Key{testKey()}, VerifyOptions{Now: testNow}), Valid)
	})
	if tried != 212 {
		t.Errorf("%d orders tried, want 212", tried)
	}
}

func TestAVolcenginePairIsSearchedAsMediaServersReportIt(t *testing.T) {
	t.Parallel()
	for _, s := range []Scheme{lookup(t, "volcengine_b"), lookup(t, "volcengine_custom")} {
		query := sign(t, s.Name(), testTarget(Publish), SignOptions{})
		at, secret, _ := strings.Cut(query, "&")
		for name, c := range map[string]struct {
			query string
			want  Status
		}{
			"bare":                 {query, Valid},
			"leading question":     {"?" + query, Valid},
			"merged twice":         {"?" + query + "?" + query, Valid},
			"among others":         {"a=1&" + secret + "&vhost=b&" + at, Valid},
			"absent":               {"a=1", Absent},
			"empty":                {"", Absent},
			"time alone":           {at, Absent},
			"signature alone":      {secret, Malformed},
			"other case":           {strings.ToLower(query), Absent},
			"signature differs":    {query + "&volcSecret=0", Repeated},
			"time differs":         {query + "&volcTime=1", Repeated},
			"time differs in form": {query + "&volcTime=01893456000", Repeated},
			"time is empty":        {"volcTime=&" + secret, Malformed},
			"signature is empty":   {at + "&volcSecret=", Malformed},
			"signature no value":   {at + "&volcSecret", Malformed},
			"signature cut":        {query[:len(query)-1], Malformed},
			"signature longer":     {query + "0", Malformed},
			"signature no hex":     {query[:len(query)-1] + "g", Malformed},
			"time no number":       {"volcTime=x&" + secret, Malformed},
			"time of the future":   {"volcTime=999999999999&" + secret, Malformed},
			"time escaped":         {"volcTime=%31893456000&" + secret, Malformed},
			"time with a sign":     {"volcTime=%2B1893456000&" + secret, Malformed},
			"line break behind":    {query + "%0A", Malformed},
			"null behind":          {query + "\x00", Malformed},
			"long time":            {"volcTime=" + strings.Repeat("0", 300) + "&" + secret, Malformed},
			"another time":         {strings.Replace(query, "1893456000", "1893456001", 1), Mismatch},
		} {
			if got := verify(t, s.Name(), c.query, testTarget(Publish)); got.Status != c.want {
				t.Errorf("%s, %s: %s, want %s", s.Name(), name, got.Status, c.want)
			}
		}
	}
}

func TestVolcengineSignsNothingThatItCannotExpress(t *testing.T) {
	t.Parallel()
	domain := Options{Fields: []string{"key", "volcTime", "Domain"}}
	long := strings.Repeat("x", maxPath)
	changed := func(f func(*Target)) Target {
		target := testTarget(Play)
		f(&target)
		return target
	}
	for name, c := range map[string]struct {
		target Target
		key    Key
		o      SignOptions
	}{
		"a bound address":  {testTarget(Play), testKey(), SignOptions{BindAddr: testAddr}},
		"an empty secret":  {testTarget(Play), Key{ID: "k1"}, SignOptions{}},
		"no app":           {changed(func(t *Target) { t.App = "" }), testKey(), SignOptions{}},
		"no stream":        {changed(func(t *Target) { t.Stream = "" }), testKey(), SignOptions{}},
		"a long stream":    {changed(func(t *Target) { t.Stream = long }), testKey(), SignOptions{}},
		"no domain":        {changed(func(t *Target) { t.Host = "" }), testKey(), SignOptions{}},
		"a long domain":    {changed(func(t *Target) { t.Host = long }), testKey(), SignOptions{}},
		"an app, not one ": {Target{Scene: Play, App: "live", Host: "h"}, testKey(), SignOptions{AppScope: true}},
	} {
		s := build(t, "volcengine_custom", domain)
		c.o.Expires = time.Unix(testExpiry, 0)
		if got := s.AppendQuery([]byte("a=b"), c.target, c.key, c.o); string(got) != "a=b" {
			t.Errorf("%s: signed %q", name, got)
		}
		valid := string(s.AppendQuery(nil, testTarget(Play), testKey(), SignOptions{Expires: c.o.Expires}))
		if c.o.BindAddr.IsValid() || len(c.key.Secret) == 0 {
			continue
		}
		wantStatus(t, s.Verify(valid, c.target, []Key{testKey()}, VerifyOptions{Now: testNow}), Mismatch)
	}
	forged := fmt.Sprintf("volcTime=%d&volcSecret=%x", testExpiry, md5.Sum([]byte("/live/cam1"+strconv.Itoa(testExpiry))))
	wantStatus(t, verify(t, "volcengine_b", forged, testTarget(Play), Key{ID: "k1"}), Mismatch)
	wantStatus(t, verify(t, "volcengine_b", forged, testTarget(Play), Key{ID: "k1", Secret: []byte{}}, testKey()), Mismatch)
}

// The extension is not hashed: one signature opens a stream in every format.
func TestOneVolcengineSignatureOpensEveryFormat(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"volcengine_b", "volcengine_custom"} {
		query := sign(t, name, testTarget(Play), SignOptions{})
		for _, ext := range []string{"", ".flv", ".m3u8", "/index.m3u8"} {
			target := testTarget(Play)
			target.Path = path.Join("/live/cam1") + ext
			wantStatus(t, verify(t, name, query, target), Valid)
		}
	}
}

func TestVolcengineTimesThatNoURLCanCarryAreBounded(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"volcengine_b", "volcengine_custom"} {
		for _, expires := range []time.Time{{}, time.Unix(-5, 0), time.Unix(0, 0)} {
			query := string(lookup(t, name).AppendQuery(nil, testTarget(Play), testKey(), SignOptions{Expires: expires}))
			wantStatus(t, verify(t, name, query, testTarget(Play)), Expired)
		}
		query := sign(t, name, testTarget(Play), SignOptions{Expires: time.Unix(1<<60, 0)})
		r := lookup(t, name).Verify(query, testTarget(Play), []Key{testKey()}, VerifyOptions{Now: testNow, Validity: 1<<63 - 1})
		wantStatus(t, r, Valid)
		if _, err := json.Marshal(r); err != nil {
			t.Errorf("the latest expiry cannot be shown: %v", err)
		}
	}
}

// Not parallel: testing.AllocsPerRun counts the whole process.
func TestVerifyingAVolcenginePairAllocatesNothing(t *testing.T) {
	for _, name := range []string{"volcengine_b", "volcengine_custom"} {
		query := sign(t, name, roomTarget(), SignOptions{})
		keys := []Key{{ID: "k0", Secret: []byte("older")}, testKey()}
		huge := roomTarget()
		huge.Stream, huge.Host = strings.Repeat("x", 1<<20), strings.Repeat("h", 1<<20)
		million := strings.Repeat("%41", 1<<20)
		for _, c := range []struct {
			what   string
			query  string
			target Target
			want   Status
		}{
			{"valid", query, roomTarget(), Valid},
			{"escaped", strings.ReplaceAll(query, "=1", "=%31"), roomTarget(), Malformed},
			{"huge time", "volcTime=" + million + "&" + query[strings.IndexByte(query, '&'):], roomTarget(), Malformed},
			{"huge signature", query + million, roomTarget(), Malformed},
			{"huge query", strings.Repeat("a=b&", 1<<18) + query, roomTarget(), Valid},
			{"many repeats", strings.Repeat(query+"?", 1<<12), roomTarget(), Valid},
			{"huge names", query, huge, Mismatch},
		} {
			s, o := lookup(t, name), VerifyOptions{Now: testNow}
			var r Result
			if n := testing.AllocsPerRun(10, func() { r = s.Verify(c.query, c.target, keys, o) }); n > 0 {
				t.Errorf("%s, %s: %v allocations", name, c.what, n)
			}
			if r.Status != c.want {
				t.Errorf("%s, %s: %s, want %s", name, c.what, r.Status, c.want)
			}
		}
	}
}

func FuzzVerifyVolcengine(f *testing.F) {
	f.Add("volcTime=1653632422&volcSecret=e5bb77201cbaa2f9ccdd316fcda4c212", "live", "livestream", "push.example.com", "A1B2C3d4e5f6", "", 10, int64(testExpiry))
	f.Add("expire=1893456000&sign=7318a61e5c5ada5ee4cf2269cad72409", "live", "livestream", "pull.example.com", "1asd111", "SecretKey,volcTime,Domain", 10, int64(0))
	f.Add("?expire=70DBD880&sign=53a478412838c72091a4e0948c4e5902", "live", "livestream", "", "1asd111", "SecretKey,AppName,StreamName,volcTime", 16, int64(-1))
	f.Add("expire=%31&sign=%00&sign=1", "", "", "", "", "key,volcTime", 2, int64(1)<<62)
	f.Fuzz(func(t *testing.T, query, app, stream, host, secret, fields string, base int, expires int64) {
		name, o := "volcengine_b", Options{TimeBase: base}
		if fields != "" {
			name, o = "volcengine_custom", Options{TimeBase: base, Fields: strings.Split(fields, ","), SignatureParam: "sign", TimeParam: "expire"}
		}
		s, err := New(name, o)
		if err != nil {
			return
		}
		target := Target{Scene: Play, App: app, Stream: stream, Host: host}
		keys := []Key{{ID: "other", Secret: []byte("x" + secret)}, {ID: "mine", Secret: []byte(secret)}}
		if r := s.Verify(query, target, keys, VerifyOptions{Now: testNow}); r.Status == Valid {
			checkVolcengine(t, s.(*hashed), o.Fields, query, target, keys)
		}
		signed := string(s.AppendQuery(nil, target, keys[1], SignOptions{Expires: time.Unix(expires, 0)}))
		if signed == "" {
			return
		}
		if r := s.Verify(signed, target, keys, VerifyOptions{Now: testNow, IgnoreExpiry: true}); r.Status != Valid {
			t.Errorf("%s: %+v", signed, r)
		}
	})
}

// checkVolcengine recomputes by the documented rule what Verify called valid.
func checkVolcengine(t *testing.T, s *hashed, fields []string, query string, target Target, keys []Key) {
	t.Helper()
	digest, _, _ := referenceParam(query, s.signature)
	digits, _, _ := referenceParam(query, s.time)
	for _, k := range keys {
		want := reference(fields, target, string(k.Secret), digits)
		if fields == nil {
			want = fmt.Sprintf("%x", md5.Sum([]byte("/"+target.App+"/"+target.Stream+string(k.Secret)+digits)))
		}
		if len(k.Secret) > 0 && digest == want {
			return
		}
	}
	t.Errorf("%s is called valid", query)
}
