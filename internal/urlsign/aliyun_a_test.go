package urlsign

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path"
	"strings"
	"testing"
	"time"
)

// referenceAliyunA is the rule as the vendors print it.
func referenceAliyunA(path, head, secret string) string {
	return fmt.Sprintf("%x", md5.Sum([]byte(path+"-"+head+"-"+secret)))
}

func TestHexAgreesWithTheStandardLibrary(t *testing.T) {
	t.Parallel()
	for b := range 256 {
		sum := [md5.Size]byte{0: byte(b), 3: byte(b) ^ 0xff, 7: byte(b), 12: byte(b), 15: byte(b)}
		if got, want := hexMD5(sum), hex.EncodeToString(sum[:]); string(got[:]) != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	for _, text := range []string{"0123456789abcdef", ""} {
		if !isLowerHex(text) {
			t.Errorf("%q refused", text)
		}
	}
	for _, text := range []string{"A", "F", "0g", "/", ":", "`", " ", "\x00"} {
		if isLowerHex(text) {
			t.Errorf("%q taken", text)
		}
	}
}

// vector is one entry of testdata/url-signing.json: published examples of the
// vendors, and entries that two independent implementations agreed on.
type vector struct {
	ID, Scheme, Role string
	Inputs           struct {
		Validity  int64 `json:"domain_validity_seconds"`
		Key       string
		Rand      string
		Timestamp json.Number
		URI       string
	}
	StringToSign string `json:"string_to_sign"`
	Digest       string
	ExpectedURL  string `json:"expected_url"`
	NotAfter     int64  `json:"not_after_unix"`
}

// vectors are those of type A under its three names.
func vectors(t *testing.T) []vector {
	t.Helper()
	all := vectorsOf[vector](t, "aliyun_a", "huawei_a", "volcengine_a")
	if len(all) != 13 {
		t.Fatalf("%d vectors, want 13", len(all))
	}
	return all
}

// target is the stream that the vector's path names.
func (v vector) target() Target {
	scene := Play
	if v.Role == "publish" {
		scene = Publish
	}
	app, stream := path.Split(v.Inputs.URI)
	stream = strings.TrimSuffix(stream, path.Ext(stream))
	return Target{Scene: scene, App: strings.Trim(app, "/"), Stream: stream, Path: v.Inputs.URI}
}

func TestVectorsOfTheThreeVendorsVerify(t *testing.T) {
	t.Parallel()
	for _, v := range vectors(t) {
		t.Run(v.ID, func(t *testing.T) {
			t.Parallel()
			_, query, _ := strings.Cut(v.ExpectedURL, "?")
			keys := []Key{{ID: "other", Secret: []byte("another")}, {ID: "vendor", Secret: []byte(v.Inputs.Key)}}
			o := VerifyOptions{Now: time.Unix(v.NotAfter, 0), Validity: time.Duration(v.Inputs.Validity) * time.Second}
			r := newTypeA("aliyun_a").Verify(query, v.target(), keys, o)
			if r.Status != Valid || r.KeyID != "vendor" || r.Expires.Unix() != v.NotAfter {
				t.Errorf("at the last second: %+v", r)
			}
			o.Now = time.Unix(v.NotAfter+1, 0)
			wantStatus(t, newTypeA("aliyun_a").Verify(query, v.target(), keys, o), Expired)
			other := v.target()
			other.Path += "x"
			wantStatus(t, newTypeA("aliyun_a").Verify(query, other, keys, o), Mismatch)
		})
	}
}

func TestVectorsOfTheThreeVendorsAreSignedAlike(t *testing.T) {
	t.Parallel()
	signed := 0
	for _, v := range vectors(t) {
		if v.Inputs.Rand != "0" {
			continue // we sign with 0, which every verifier takes
		}
		signed++
		ts, err := v.Inputs.Timestamp.Int64()
		if err != nil {
			t.Fatal(err)
		}
		key := Key{Secret: []byte(v.Inputs.Key)}
		got := string(newTypeA("aliyun_a").AppendQuery(nil, v.target(), key, SignOptions{Expires: time.Unix(ts, 0)}))
		if want := fmt.Sprintf("auth_key=%d-0-0-%s", ts, v.Digest); got != want || !strings.HasSuffix(v.ExpectedURL, got) {
			t.Errorf("%s: %s, want %s", v.ID, got, want)
		}
	}
	if signed != 9 {
		t.Errorf("%d vectors compared, want 9", signed)
	}
}

// The URLs that a room hands out. A co-stream's CDN name has the same shape.
func TestRoomURLsAreSignedAsTheMobileSDKsExpect(t *testing.T) {
	t.Parallel()
	const (
		push     = "pushkey0123456789"
		pull     = "pullkey9876543210"
		costream = "7c61616e-480b-4de6-b3fc-95cef48f5b53_66584c06-347f-47c6-8a18-fa2860c563ba_Cedric8_camera"
	)
	for _, c := range []struct {
		secret, stream, ext string
		expires             int64
		want                string
	}{
		{push, testRoom, "", 1700000000, "1700000000-0-0-523b274c6a48b65036d6228ff206d4d7"},
		{pull, testRoom, "", 1700000000, "1700000000-0-0-6dc962cc8fd24977820e8ee16e236fa1"},
		{pull, testRoom, ".flv", 1700000000, "1700000000-0-0-9a183c726ff0e7d83bc61a2485e6bfda"},
		{pull, testRoom, ".m3u8", 1700000000, "1700000000-0-0-347e44fa7db75408f2ac688d12f2c765"},
		{pull, testRoom + "_oriaac", "", 1700000000, "1700000000-0-0-e3b46298ad7edfc212d9f41fc2195abd"},
		{pull, testRoom + "_oriaac", ".flv", 1700000000, "1700000000-0-0-6b1a1b531376e7a74546d3265f393e73"},
		{pull, testRoom + "_oriaac", ".m3u8", 1700000000, "1700000000-0-0-58a39b9bedb95e11a80ea1fb08d7b9c5"},
		{pull, costream, "", 1700086400, "1700086400-0-0-33882fde123091b203126a27df18e781"},
		{pull, costream, ".flv", 1700086400, "1700086400-0-0-ccda736595eaf88be4de4aa0c352594e"},
		{pull, costream, ".m3u8", 1700086400, "1700086400-0-0-5ca435fbf03db1e2284161b6640731f1"},
	} {
		keys := []Key{{ID: "k", Secret: []byte(c.secret)}}
		exact := Target{Scene: Play, App: "live", Stream: c.stream, Path: "/live/" + c.stream + c.ext}
		got := string(newTypeA("aliyun_a").AppendQuery(nil, exact, keys[0], SignOptions{Expires: time.Unix(c.expires, 0)}))
		if got != "auth_key="+c.want {
			t.Errorf("%s%s: %s, want %s", c.stream, c.ext, got, c.want)
		}
		o := VerifyOptions{Now: time.Unix(c.expires, 0)}
		wantStatus(t, newTypeA("aliyun_a").Verify(got, exact, keys, o), Valid)
		unknown := exact
		unknown.Path = ""
		wantStatus(t, newTypeA("aliyun_a").Verify(got, unknown, keys, o), Valid)
	}
}

func TestAliyunAWithoutPathSignsTheBareStream(t *testing.T) {
	t.Parallel()
	target := testTarget(Publish)
	bare := sign(t, "aliyun_a", target, SignOptions{})
	target.Path = "/live/cam1"
	if got := sign(t, "aliyun_a", target, SignOptions{}); got != bare {
		t.Errorf("%s, want %s", got, bare)
	}
}

func TestAliyunAOpensOneFormatWhenThePathIsKnown(t *testing.T) {
	t.Parallel()
	extensions := []string{"", ".flv", ".m3u8", ".sdp"}
	for _, signed := range extensions {
		target := testTarget(Play)
		target.Path = "/live/cam1" + signed
		query := sign(t, "aliyun_a", target, SignOptions{})
		for _, asked := range extensions {
			target.Path = "/live/cam1" + asked
			want := Mismatch
			if asked == signed {
				want = Valid
			}
			wantStatus(t, verify(t, "aliyun_a", query, target), want)
		}
		target.Path = ""
		want := Valid
		if signed == ".sdp" {
			want = Mismatch
		}
		wantStatus(t, verify(t, "aliyun_a", query, target), want)
	}
}

func TestAliyunANamesTheFirstOfTwoKeysWithOneSecret(t *testing.T) {
	t.Parallel()
	for _, ext := range []string{"", ".flv", ".m3u8"} {
		target := testTarget(Play)
		target.Path = "/live/cam1" + ext
		query := sign(t, "aliyun_a", target, SignOptions{})
		target.Path = ""
		keys := []Key{{ID: "z", Secret: []byte("x")}, {ID: "a", Secret: []byte(testSecret)}, {ID: "b", Secret: []byte(testSecret)}}
		if r := verify(t, "aliyun_a", query, target, keys...); r.Status != Valid || r.KeyID != "a" {
			t.Errorf("%q: %+v", ext, r)
		}
	}
}

func TestAliyunARefusesOtherShapes(t *testing.T) {
	t.Parallel()
	const sum = "b0c75fe9bd15a3a4b7f9a4379a759786"
	for name, value := range map[string]string{
		"nothing but separators": "---",
		"one part":               sum,
		"two parts":              "1893456000-" + sum,
		"three parts":            "1893456000-0-" + sum,
		"five parts":             "1893456000-0-0-0-" + sum,
		"empty time":             "-0-0-" + sum,
		"empty rand":             "1893456000--0-" + sum,
		"empty uid":              "1893456000-0--" + sum,
		"no digest":              "1893456000-0-0-",
		"upper-case digest":      "1893456000-0-0-" + strings.ToUpper(sum),
		"short digest":           "1893456000-0-0-" + sum[1:],
		"long digest":            "1893456000-0-0-" + sum + "0",
		"digest not hex":         "1893456000-0-0-" + sum[1:] + "g",
		"time with a sign":       "+1893456000-0-0-" + sum,
		"negative time":          "-1893456000-0-0-" + sum,
		"time in hex":            "70dbd880-0-0-" + sum,
		"time with a fraction":   "1893456000.0-0-0-" + sum,
		"time too long":          "189345600000-0-0-" + sum,
		"blank":                  " 1893456000-0-0-" + sum,
		"too long":               "1893456000-" + strings.Repeat("0", maxValue) + "-0-" + sum,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wantStatus(t, verify(t, "aliyun_a", "auth_key="+value, testTarget(Publish)), Malformed)
		})
	}
}

// The digits are hashed as they stand in the URL and are not reprinted.
func TestAliyunAHashesTheTimeAsWritten(t *testing.T) {
	t.Parallel()
	head := fmt.Sprintf("0%d-0-0", testExpiry)
	query := "auth_key=" + head + "-" + referenceAliyunA("/live/cam1", head, testSecret)
	wantStatus(t, verify(t, "aliyun_a", query, testTarget(Play)), Valid)
	reprinted := strings.Replace(query, "=0", "=", 1)
	wantStatus(t, verify(t, "aliyun_a", reprinted, testTarget(Play)), Mismatch)
}

// "/live/cam-1999999999-0-0" signed until t and "/live/cam" with a later time
// hash the same text when the separators are counted carelessly.
func TestAliyunADoesNotTakeTheEndOfAStreamNameForATime(t *testing.T) {
	t.Parallel()
	own := testTarget(Publish)
	own.Stream = "cam-1999999999-0-0"
	query := sign(t, "aliyun_a", own, SignOptions{})
	wantStatus(t, verify(t, "aliyun_a", query, own), Valid)
	_, value, _ := strings.Cut(query, "=")
	victim := testTarget(Publish)
	victim.Stream = "cam"
	shifted := "auth_key=1999999999-0-0-" + value
	if r := verify(t, "aliyun_a", shifted, victim); r.Status != Malformed {
		t.Errorf("%s: %+v", shifted, r)
	}
}

func TestAliyunANeverSignsMoreThanWasAskedFor(t *testing.T) {
	t.Parallel()
	o := SignOptions{Expires: time.Unix(testExpiry, 0), BindAddr: testAddr}
	if got := newTypeA("aliyun_a").AppendQuery(nil, testTarget(Play), testKey(), o); len(got) != 0 {
		t.Errorf("an address cannot be bound, but %q was signed", got)
	}
	whole := sign(t, "aliyun_a", testTarget(Play), SignOptions{AppScope: true})
	if one := sign(t, "aliyun_a", testTarget(Play), SignOptions{}); whole != one {
		t.Errorf("%s, want %s", whole, one)
	}
}

func FuzzVerifyAliyunA(f *testing.F) {
	f.Add("auth_key=1893456000-0-0-b0c75fe9bd15a3a4b7f9a4379a759786", "/live/cam1", "live", "cam1", "Push0Key0Primary1", int64(testExpiry))
	f.Add("?auth_key=1444435200-0-0-80cd3862d699b7118eed99103f2a3a4f", "/video/standard/1K.html", "video", "1K", "aliyuncdnexp1234", int64(0))
	f.Add("auth_key=1-2-3-4", "", "live", "a-1-0-0", "k", int64(-1))
	f.Add("auth_key=%31&auth_key=1", "", "", "", "", int64(1)<<62)
	f.Fuzz(func(t *testing.T, query, path, app, stream, secret string, expires int64) {
		target := Target{Scene: Play, App: app, Stream: stream, Path: path}
		keys := []Key{{ID: "other", Secret: []byte("x" + secret)}, {ID: "mine", Secret: []byte(secret)}}
		if r := newTypeA("aliyun_a").Verify(query, target, keys, VerifyOptions{Now: testNow}); r.Status == Valid {
			checkAliyunA(t, query, target, keys)
		}
		signed := string(newTypeA("aliyun_a").AppendQuery(nil, target, keys[1], SignOptions{Expires: time.Unix(expires, 0)}))
		if signed == "" {
			return
		}
		r := newTypeA("aliyun_a").Verify(signed, target, keys, VerifyOptions{Now: testNow, IgnoreExpiry: true})
		if r.Status != Valid || r.KeyID != "mine" {
			t.Errorf("%s: %+v", signed, r)
		}
	})
}

// checkAliyunA recomputes by the published rule what Verify called valid.
func checkAliyunA(t *testing.T, query string, target Target, keys []Key) {
	t.Helper()
	value, _, _ := referenceParam(query, "auth_key")
	cut := strings.LastIndexByte(value, '-')
	paths := []string{target.Path}
	if target.Path == "" {
		bare := "/" + target.App + "/" + target.Stream
		paths = []string{bare, bare + ".flv", bare + ".m3u8"}
	}
	for _, p := range paths {
		for _, k := range keys {
			if len(k.Secret) > 0 && referenceAliyunA(p, value[:cut], string(k.Secret)) == value[cut+1:] {
				return
			}
		}
	}
	t.Errorf("%s is called valid", query)
}
