package urlsign

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// pairVector is one entry of testdata/url-signing.json: the vendor's example,
// and entries that two independent implementations agreed on.
type pairVector struct {
	ID, Scheme, Role string
	Inputs           struct {
		App, Stream, Domain string
		SecretKey           string            `json:"secret_key"`
		EncryptField        []string          `json:"encrypt_field"`
		Field               map[string]string `json:"auth_field"`
		TimeBase            int               `json:"time_stamp_base"`
		Time                int64             `json:"time"`
		VolcTime            int64             `json:"volcTime"`
		URL                 string
	}
	Digest      string
	ExpectedURL string `json:"expected_url"`
	NotAfter    int64  `json:"not_after_unix"`
}

func pairVectors(t *testing.T) []pairVector {
	t.Helper()
	all := vectorsOf[pairVector](t, "volcengine_b", "volcengine_custom")
	if len(all) != 9 {
		t.Fatalf("%d vectors, want 9", len(all))
	}
	return all
}

func (v pairVector) options() Options {
	o := Options{TimeBase: v.Inputs.TimeBase, Fields: v.Inputs.EncryptField}
	if v.Scheme == "volcengine_custom" {
		o.SignatureParam, o.TimeParam = v.Inputs.Field["volcSecret"], v.Inputs.Field["volcTime"]
	}
	return o
}

func (v pairVector) target() Target {
	t := Target{Scene: Play, App: v.Inputs.App, Stream: v.Inputs.Stream, Host: v.Inputs.Domain}
	if v.Role == "publish" {
		t.Scene = Publish
	}
	_, rest, _ := strings.Cut(v.Inputs.URL, "://")
	t.Path = rest[strings.IndexByte(rest, '/'):]
	return t
}

func (v pairVector) key() Key { return Key{ID: "vendor", Secret: []byte(v.Inputs.SecretKey)} }

// covers says whether the hash has a name in it.
func (v pairVector) covers(field string) bool {
	return v.Scheme == "volcengine_b" && field != "Domain" || slices.Contains(v.Inputs.EncryptField, field)
}

func TestVolcengineVectorsVerifyUntilTheirLastSecond(t *testing.T) {
	t.Parallel()
	for _, v := range pairVectors(t) {
		t.Run(v.ID, func(t *testing.T) {
			t.Parallel()
			s, query := build(t, v.Scheme, v.options()), queryOf(v.ExpectedURL)
			other := Key{ID: "other", Secret: []byte("another")}
			for _, keys := range [][]Key{{v.key()}, {v.key(), other}, {other, v.key()}, {other, other, v.key()}} {
				for _, validity := range []time.Duration{0, time.Second, 7 * 24 * time.Hour} {
					last := v.NotAfter + int64(validity/time.Second)
					o := VerifyOptions{Now: time.Unix(last, 999999999), Validity: validity}
					r := s.Verify(query, v.target(), keys, o)
					if r.Status != Valid || r.KeyID != "vendor" || r.Expires.Unix() != last {
						t.Errorf("at the last second, validity %v: %+v", validity, r)
					}
					o.Now = time.Unix(last+1, 0)
					wantStatus(t, s.Verify(query, v.target(), keys, o), Expired)
					o.IgnoreExpiry = true
					wantStatus(t, s.Verify(query, v.target(), keys, o), Valid)
				}
			}
			wantStatus(t, s.Verify(query, v.target(), []Key{other}, VerifyOptions{}), Mismatch)
			wantStatus(t, s.Verify(query, v.target(), nil, VerifyOptions{}), Mismatch)
		})
	}
}

func TestVolcengineVectorsAreSignedAlike(t *testing.T) {
	t.Parallel()
	for _, v := range pairVectors(t) {
		s := build(t, v.Scheme, v.options())
		got := string(s.AppendQuery(nil, v.target(), v.key(), SignOptions{Expires: time.Unix(v.Inputs.Time+v.Inputs.VolcTime, 0)}))
		if got != queryOf(v.ExpectedURL) || !strings.HasSuffix(got, "="+v.Digest) {
			t.Errorf("%s: %s, want %s", v.ID, got, v.ExpectedURL)
		}
	}
}

// TypeA has the string to sign of the vendor's other products.
func TestVolcengineAVectorsVerify(t *testing.T) {
	t.Parallel()
	tried := 0
	for _, v := range vectors(t) {
		if v.Scheme != "volcengine_a" {
			continue
		}
		tried++
		for param, o := range map[string]Options{"auth_key": {}, "token2": {SignatureParam: "token2"}} {
			s, query := build(t, "volcengine_a", o), strings.Replace(queryOf(v.ExpectedURL), "auth_key", param, 1)
			keys := []Key{{ID: "vendor", Secret: []byte(v.Inputs.Key)}}
			opts := VerifyOptions{Now: time.Unix(v.NotAfter, 0), Validity: time.Duration(v.Inputs.Validity) * time.Second}
			wantStatus(t, s.Verify(query, v.target(), keys, opts), Valid)
			opts.Now = opts.Now.Add(time.Second)
			wantStatus(t, s.Verify(query, v.target(), keys, opts), Expired)
		}
	}
	if tried != 3 {
		t.Errorf("%d vectors tried, want 3", tried)
	}
}

func TestEveryChangedByteOfAVolcengineURLIsRefused(t *testing.T) {
	t.Parallel()
	for _, v := range pairVectors(t) {
		t.Run(v.ID, func(t *testing.T) {
			t.Parallel()
			s, query, keys := build(t, v.Scheme, v.options()), queryOf(v.ExpectedURL), []Key{v.key()}
			refuse := func(changed string) {
				r := s.Verify(changed, v.target(), keys, VerifyOptions{IgnoreExpiry: true})
				// A byte more can end one parameter and begin another, but then
				// nothing of what counts has changed.
				if r.Status == Valid && !strings.Contains(changed, query) && !sameParams(s, changed, query) {
					t.Errorf("%q: %+v", changed, r)
				}
			}
			for i := range len(query) {
				for c := range 256 {
					b := string([]byte{byte(c)})
					if b != query[i:i+1] {
						refuse(query[:i] + b + query[i+1:])
					}
					refuse(query[:i] + b + query[i:])
				}
				refuse(query[:i] + query[i+1:])
				refuse(query[:i])
			}
		})
	}
}

// sameParams says whether both parameters of s have the same values in a and b.
func sameParams(s Scheme, a, b string) bool {
	v := s.(*hashed)
	for _, name := range []string{v.signature, v.time} {
		x, _, conflicting := rawParam(a, name)
		if y, _, _ := rawParam(b, name); x != y || conflicting {
			return false
		}
	}
	return true
}

func TestEveryChangedByteOfANameThatIsHashedIsRefused(t *testing.T) {
	t.Parallel()
	for _, v := range pairVectors(t) {
		s, query, keys := build(t, v.Scheme, v.options()), queryOf(v.ExpectedURL), []Key{v.key()}
		for field, name := range map[string]func(*Target) *string{
			"AppName":    func(t *Target) *string { return &t.App },
			"StreamName": func(t *Target) *string { return &t.Stream },
			"Domain":     func(t *Target) *string { return &t.Host },
		} {
			want := Mismatch
			if !v.covers(field) {
				want = Valid
			}
			target := v.target()
			whole := *name(&target)
			for i := range len(whole) {
				for _, changed := range []string{whole[:i] + "~" + whole[i+1:], whole[:i] + "~" + whole[i:], whole[:i] + whole[i+1:]} {
					if *name(&target) = changed; changed == "" {
						continue
					}
					if r := s.Verify(query, target, keys, VerifyOptions{IgnoreExpiry: true}); r.Status != want {
						t.Errorf("%s: %s %q is %s, want %s", v.ID, field, changed, r.Status, want)
					}
				}
			}
		}
	}
}
