package urlsign

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestSchemesAreBuiltFromTheirOptions(t *testing.T) {
	t.Parallel()
	fields := []string{"SecretKey", "volcTime"}
	for _, c := range []struct {
		name     string
		o        Options
		strength string
	}{
		{"stagedoor", Options{}, "strong"},
		{"aliyun_a", Options{}, "compatibility"},
		{"volcengine_a", Options{SignatureParam: "auth"}, "unconfirmed"},
		{"volcengine_b", Options{}, "compatibility"},
		{"volcengine_b", Options{SignatureParam: "sign", TimeParam: "expire", TimeBase: 10}, "compatibility"},
		{"volcengine_b", Options{TimeBase: 16}, "unconfirmed"},
		{"volcengine_custom", Options{Fields: fields}, "compatibility"},
		{"volcengine_custom", Options{Fields: []string{"StreamName", "key", "AppName", "expireTime", "Domain"}, TimeParam: strings.Repeat("t", maxParam)}, "compatibility"},
		{"volcengine_custom", Options{Fields: fields, TimeBase: 2}, "unconfirmed"},
		{"volcengine_custom", Options{Fields: fields, TimeBase: 8}, "unconfirmed"},
	} {
		s, err := New(c.name, c.o)
		if err != nil || s.Name() != c.name || s.Strength() != c.strength {
			t.Errorf("%s %+v: %v, %v", c.name, c.o, s, err)
		}
	}
}

func TestOptionsThatMakeNoSchemeAreRefused(t *testing.T) {
	t.Parallel()
	good := []string{"key", "volcTime"}
	for name, c := range map[string]struct {
		scheme string
		o      Options
		say    string
	}{
		"options of stagedoor":      {"stagedoor", Options{TimeBase: 10}, "no options"},
		"options of aliyun_a":       {"aliyun_a", Options{SignatureParam: "auth_key"}, "no options"},
		"base 3":                    {"volcengine_b", Options{TimeBase: 3}, "2, 8, 10 or 16"},
		"negative base":             {"volcengine_b", Options{TimeBase: -16}, "2, 8, 10 or 16"},
		"fields of b":               {"volcengine_b", Options{Fields: good}, "does not take fields"},
		"fields of a":               {"volcengine_a", Options{Fields: good}, "does not take fields"},
		"time of a":                 {"volcengine_a", Options{TimeParam: "t"}, "does not take time_param"},
		"no fields":                 {"volcengine_custom", Options{}, "key and volcTime"},
		"no key":                    {"volcengine_custom", Options{Fields: []string{"volcTime", "StreamName"}}, "key and volcTime"},
		"no time":                   {"volcengine_custom", Options{Fields: []string{"key", "StreamName"}}, "key and volcTime"},
		"key by both names":         {"volcengine_custom", Options{Fields: []string{"key", "volcTime", "SecretKey"}}, "twice"},
		"time by both names":        {"volcengine_custom", Options{Fields: []string{"key", "volcTime", "expireTime"}}, "twice"},
		"other case":                {"volcengine_custom", Options{Fields: []string{"Key", "volcTime"}}, "a field is"},
		"unknown field":             {"volcengine_custom", Options{Fields: []string{"key", "volcTime", "IP"}}, "a field is"},
		"empty field":               {"volcengine_custom", Options{Fields: []string{"key", "volcTime", ""}}, "a field is"},
		"one parameter for both":    {"volcengine_b", Options{SignatureParam: "s", TimeParam: "s"}, "different"},
		"the other's default":       {"volcengine_b", Options{SignatureParam: "volcTime"}, "different"},
		"parameter with an equals":  {"volcengine_b", Options{SignatureParam: "a=b"}, "parameter name"},
		"parameter with ampersand":  {"volcengine_b", Options{TimeParam: "a&b"}, "parameter name"},
		"parameter with a question": {"volcengine_b", Options{TimeParam: "a?b"}, "parameter name"},
		"parameter with an escape":  {"volcengine_b", Options{TimeParam: "a%62"}, "parameter name"},
		"long parameter":            {"volcengine_a", Options{SignatureParam: strings.Repeat("t", maxParam+1)}, "parameter name"},
	} {
		s, err := New(c.scheme, c.o)
		if err == nil || s != nil || !strings.Contains(err.Error(), c.say) {
			t.Errorf("%s: %v, %v; want %q", name, s, err, c.say)
		}
	}
}

func TestUnknownAndUnconfirmedSchemesAreToldApart(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]error{"": ErrUnknownScheme, "rot13": ErrUnknownScheme, "Volcengine_b": ErrUnknownScheme, "volcengine_c": ErrUnconfirmed} {
		if s, err := New(name, Options{}); s != nil || !errors.Is(err, want) {
			t.Errorf("%q: %v, %v; want %v", name, s, err, want)
		}
	}
	for _, name := range Names() {
		want := !slices.Contains([]string{"aliyun_b", "aliyun_c", "nginx_secure_link_secret", "qiniu_timestamp", "tencent_css_sha256", "volcengine_a",
			"cloudfront_canned", "mux_playback", "cloudflare_stream"}, name)
		play := name != "qiniu_pili_publish" && name != "baidu_lss_publish"
		if s := lookup(t, name); ServesScene(s, Publish) != want || ServesScene(s, Play) != play {
			t.Errorf("%s for publishing: %v", name, !want)
		}
	}
}

func TestOptionsAreEqualWordByWord(t *testing.T) {
	t.Parallel()
	full := Options{SignatureParam: "s", TimeParam: "t", TimeBase: 16, Fields: []string{"key", "volcTime"}}
	if !full.Equal(full) || full.IsZero() || !(Options{}).IsZero() {
		t.Error("options differ from themselves")
	}
	for _, o := range []Options{
		{}, {SignatureParam: "s"},
		{SignatureParam: "x", TimeParam: "t", TimeBase: 16, Fields: []string{"key", "volcTime"}},
		{SignatureParam: "s", TimeParam: "x", TimeBase: 16, Fields: []string{"key", "volcTime"}},
		{SignatureParam: "s", TimeParam: "t", TimeBase: 10, Fields: []string{"key", "volcTime"}},
		{SignatureParam: "s", TimeParam: "t", TimeBase: 16, Fields: []string{"volcTime", "key"}},
		{SignatureParam: "s", TimeParam: "t", TimeBase: 16, Fields: []string{"SecretKey", "volcTime"}},
	} {
		if o.Equal(full) || full.Equal(o) {
			t.Errorf("%+v equals %+v", o, full)
		}
	}
}

// Whatever is taken for options is kept through JSON, and its scheme opens what
// it has signed and nothing else.
func FuzzNew(f *testing.F) {
	f.Add("volcengine_custom", "sign", "expire", 16, "SecretKey,volcTime,Domain")
	f.Add("volcengine_custom", "", "", 0, "key,expireTime,AppName,StreamName")
	f.Add("volcengine_b", "s", "", 8, "")
	f.Add("volcengine_a", "auth", "", 2, "")
	f.Add("stagedoor", "", "", 0, "")
	for _, name := range Names() {
		f.Add(name, "", "", 0, "")
	}
	f.Add("volcengine_custom", "a&b", "c=d", 7, "key,key")
	f.Fuzz(func(t *testing.T, name, signature, timeParam string, base int, fields string) {
		o := Options{SignatureParam: signature, TimeParam: timeParam, TimeBase: base}
		if fields != "" {
			o.Fields = strings.Split(fields, ",")
		}
		s, err := New(name, o)
		if err != nil {
			return
		}
		raw, err := json.Marshal(o)
		var back Options
		if err != nil || json.Unmarshal(raw, &back) != nil || !back.Equal(o) {
			t.Fatalf("%+v became %+v: %v", o, back, err)
		}
		if KeysOf(name) != SecretKeys {
			return
		}
		target := testTarget(Play)
		target.Path, target.Origin = "/live/cam1", "rtmp://h"
		o2 := SignOptions{Expires: testNow.Add(time.Hour)}
		if NeedsAddress(s) {
			o2.BindAddr = target.Addr
		}
		url := string(AppendURL(nil, s, target, testKey(), o2))
		path, query, _ := strings.Cut(url, "?")
		if target.Path = path; url == "" {
			t.Fatalf("%s %+v signs nothing", name, o)
		}
		keys := []Key{testKey()}
		if r := s.Verify(query, target, keys, VerifyOptions{Now: testNow}); r.Status != Valid {
			t.Errorf("%q: %+v", query, r)
		}
		other := Key{ID: "k1", Secret: []byte("another")}
		if r := s.Verify(query, target, []Key{other}, VerifyOptions{Now: testNow}); r.Status != Mismatch {
			t.Errorf("%q under another key: %+v", query, r)
		}
	})
}

func TestOptionsAreReadAsTheyAreListed(t *testing.T) {
	t.Parallel()
	for _, o := range []Options{{}, {TimeBase: 16}, {SignatureParam: "s", TimeParam: "t", TimeBase: 2, Fields: []string{"key", "volcTime"}, Format: 2,
		Expression: "$secure_link_expires$uri $key", PathPrefix: "/p", ParamPrefix: "w", Hash: "sha512", KeyID: "K=1"}} {
		got, err := ParseOptions(o.Chosen())
		if err != nil || !got.Equal(o) {
			t.Errorf("%v is read as %+v, %v", o.Chosen(), got, err)
		}
	}
	for text, want := range map[string]error{"time-base": errOptionForm, "hash=": errOptionForm, "": errOptionForm, "time-base=x": errOptionNumber,
		"time_base=16": errOptionUnknown, "=": errOptionForm} {
		if o, err := ParseOptions([]string{text}); err != want || !o.IsZero() {
			t.Errorf("%q: %+v, %v", text, o, err)
		}
	}
	if _, err := ParseOptions([]string{"hash=sha1", "hash=sha256"}); err != errOptionForm {
		t.Errorf("one option twice: %v", err)
	}
}
