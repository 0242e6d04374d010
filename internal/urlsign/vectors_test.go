package urlsign

import (
	"crypto"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"net/netip"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
	"time"
)

// vectorsOf reads the entries of these schemes from the vectors: published
// examples of the vendors, and entries on which two independent implementations
// agreed.
func vectorsOf[T any](t *testing.T, schemes ...string) (out []T) {
	t.Helper()
	raw, err := os.ReadFile("testdata/url-signing.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []json.RawMessage
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	for _, entry := range all {
		var of struct{ Scheme string }
		var v T
		if err := json.Unmarshal(entry, &of); err != nil {
			t.Fatal(err)
		}
		if len(schemes) > 0 && !slices.Contains(schemes, of.Scheme) {
			continue
		}
		if err := json.Unmarshal(entry, &v); err != nil {
			t.Fatal(err)
		}
		out = append(out, v)
	}
	return out
}

// anyVector is one entry, whatever its scheme.
type anyVector struct {
	ID, Scheme, Role string
	Inputs           map[string]any
	StringToSign     string `json:"string_to_sign"`
	Digest           string
	ExpectedURL      string `json:"expected_url"`
	NotAfter         int64  `json:"not_after_unix"`
}

func (v anyVector) text(name string) string { s, _ := v.Inputs[name].(string); return s }

func (v anyVector) number(name string) int64 { n, _ := v.Inputs[name].(float64); return int64(n) }

// setting is what a vector asks of the scheme that is to make its URL.
type setting struct {
	options  Options
	key      Key
	target   Target // as it is signed
	validity time.Duration
	bind     bool // to target.Addr
	// respelled URLs are valid, but we write them in another way: with digits in
	// lower case, or without what somebody else put there.
	respelled bool
	exclusive bool // the time itself is past the end
	still     bool // a picture, which plays nothing
}

// setting has what most of the vectors have in common: a key, a validity, and
// the target that the signed URL names.
func (v anyVector) setting() setting {
	s := setting{key: Key{ID: "vendor"}, validity: time.Duration(v.number("domain_validity_seconds")) * time.Second}
	for _, name := range []string{"key", "secret_key", "secret"} {
		if text := v.text(name); text != "" {
			s.key.Secret = []byte(text)
		}
	}
	s.target = targetOf(v.ExpectedURL, v.Role)
	s.target.Query = queryOf(v.text("url"))
	digits := v.text("timestamp_hex") + v.text("txTime") + v.text("hwTime")
	s.respelled = digits != strings.ToLower(digits) || v.Inputs["rand"] != nil && v.text("rand") != "0"
	return s
}

// targetOf reads what a signed URL names; a prefix of its path stays in Path.
func targetOf(url, role string) Target {
	t := Target{Scene: Play}
	if role == "publish" {
		t.Scene = Publish
	}
	protocol, rest, _ := strings.Cut(url, "://")
	slash := strings.IndexByte(rest, '/')
	host, full := rest[:slash], rest[slash:]
	t.Origin = protocol + "://" + host
	t.Host, _, _ = strings.Cut(host, ":")
	t.Path, _, _ = strings.Cut(full, "?")
	_, inner := SplitPath(t.Path)
	app, stream := path.Split(inner)
	t.App, t.Stream = strings.Trim(app, "/"), strings.TrimSuffix(stream, path.Ext(stream))
	return t
}

// unsigned is the target before a signature is put into its path.
func (s setting) unsigned() Target {
	t := s.target
	_, t.Path = SplitPath(t.Path)
	if first, rest, ok := strings.Cut(t.Path[1:], "/"); ok && isJWS(first) {
		t.Path = "/" + t.Stream + "/" + rest
	}
	return t
}

// settings adapts the vectors of each scheme.
var settings = map[string]func(anyVector) setting{
	"aliyun_a": anyVector.setting, "huawei_b": anyVector.setting, "huawei_d": anyVector.setting,
	"tencent_css": anyVector.setting, "tencent_css_sha256": anyVector.setting, "aliyun_b": anyVector.setting,
	"volcengine_a": anyVector.setting, "nms_sign": anyVector.setting, "lal_simple_auth": anyVector.setting,
	"huawei_a": func(v anyVector) setting {
		s := v.setting()
		s.target.Path = v.text("uri") // which low-latency URLs do not have
		return s
	},
	"aliyun_c": func(v anyVector) setting {
		s := v.setting()
		s.options.Format = int(v.number("format"))
		return s
	},
	"aliyun_f": anyVector.setting,
	"qiniu_timestamp": func(v anyVector) setting {
		s := v.setting()
		s.options.TimeBase = int(v.number("t_base"))
		return s
	},
	"volcengine_b": anyVector.setting,
	"volcengine_custom": func(v anyVector) setting {
		s := v.setting()
		names := v.Inputs["auth_field"].(map[string]any)
		s.options = Options{SignatureParam: names["volcSecret"].(string), TimeParam: names["volcTime"].(string), TimeBase: int(v.number("time_stamp_base"))}
		for _, f := range v.Inputs["encrypt_field"].([]any) {
			s.options.Fields = append(s.options.Fields, f.(string))
		}
		// The vendor's own example has the digits in upper case.
		s.respelled = strings.Contains(v.StringToSign, "70DBD880")
		return s
	},
	"baidu_lss_publish": anyVector.setting,
	"mediamtx_jwt":      tokenSetting,
	"antmedia_jwt": func(v anyVector) setting {
		s := tokenSetting(v)
		s.target.App = "LiveApp"
		return s
	},
	"mux_playback": func(v anyVector) setting {
		s := tokenSetting(v)
		s.options.KeyID, s.key.ID = "test-key-1", "ours"
		s.target.Stream = "VCiL2P1GqGDHk5uHQDjHxWsrzXU4dsZv"
		s.still = !strings.Contains(v.text("payload_json"), `"aud":"v"`)
		return s
	},
	"cloudflare_stream": func(v anyVector) setting {
		s := tokenSetting(v)
		s.options.KeyID, s.key.ID = "test-key-1", "ours"
		s.target.Stream = "6b9e68b07dfee8cc2d116e4c51d6a957"
		return s
	},
	"cloudfront_canned": func(v anyVector) setting {
		s := v.setting()
		s.options = Options{KeyID: v.text("key_pair_id"), Hash: strings.ToLower(v.text("hash_algorithm"))}
		s.key.Private, s.exclusive = privateKey(v.text("private_key_pem")), true
		return s
	},
	"ome_signed_policy": func(v anyVector) setting {
		s := v.setting()
		policy := v.text("policy_json")
		s.respelled = strings.Contains(policy, ",") || !strings.HasSuffix(policy, "000}")
		s.target.Addr = netip.MustParseAddr("192.168.100.7")
		return s
	},
	"wowza_securetoken_v2": func(v anyVector) setting {
		s := v.setting()
		s.key.Secret = []byte(v.text("shared_secret"))
		s.options = Options{ParamPrefix: v.text("prefix"), Hash: strings.ToLower(strings.Replace(v.text("algorithm"), "-", "", 1))}
		s.target.App, s.target.Stream = path.Split(v.text("content_path"))
		s.target.App = strings.TrimSuffix(s.target.App, "/")
		if ip := v.text("client_ip"); ip != "" {
			s.target.Addr, s.bind = netip.MustParseAddr(ip), true
		}
		s.respelled = len(v.Inputs["params"].(map[string]any)) > 1
		return s
	},
	"qiniu_pili_publish": func(v anyVector) setting {
		s := v.setting()
		s.key.Secret = []byte(v.text("publish_key") + v.text("secret_key"))
		s.options.KeyID = v.text("access_key")
		s.respelled = s.target.Query != "" // we keep the order of what is there
		return s
	},
	"nginx_secure_link_md5": secureLinkSetting,
	"nginx_secure_link_secret": func(v anyVector) setting {
		s := v.setting()
		s.options.PathPrefix = v.text("prefix")
		return s
	},
}

// tokenSetting has the key pair of a token, and what of it we would write in
// other words.
func tokenSetting(v anyVector) setting {
	s := v.setting()
	s.target.Query, s.key = "", Key{ID: "test-key-1"}
	if pem := v.text("private_key_pem"); pem != "" {
		s.key.Private = privateKey(pem)
	} else {
		s.key.Secret = []byte(v.text("secret"))
	}
	payload := v.text("payload_json")
	for _, other := range []string{"~", `"[{`, "nbf", "accessRules", "time", `"s"`, `"t"`} {
		s.respelled = s.respelled || strings.Contains(payload, other)
	}
	s.exclusive = true
	return s
}

func privateKey(text string) crypto.Signer {
	block, _ := pem.Decode([]byte(text))
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		panic(err)
	}
	return key.(crypto.Signer)
}

// secureLinkSetting puts $key where the operator wrote the secret, and our
// names of variables for those that a configuration made up.
func secureLinkSetting(v anyVector) setting {
	s := v.setting()
	expression := v.text("secure_link_md5")
	secret := expression[strings.LastIndexByte(expression, ' ')+1:]
	s.key.Secret = []byte(secret)
	s.options.Expression = strings.NewReplacer(secret, "$key", "$sl_app", "$app", "$sl_stream", "$stream", "$t_app", "$app",
		"$t_stream", "$stream", "$t_exp", "$expires").Replace(expression[:len(expression)-len(secret)]) + "$key"
	if strings.Contains(expression, "$remote_addr") {
		s.target.Addr, s.bind = netip.MustParseAddr("127.0.0.1"), true
	}
	s.target.Stream = strings.TrimSuffix(s.target.Stream, "-0") // a segment of the stream
	if v.text("token_in") == "path" {
		s.options.PathPrefix = "/t"
	}
	return s
}

func (s setting) sign() SignOptions {
	o := SignOptions{}
	if s.bind {
		o.BindAddr = s.target.Addr
	}
	return o
}

func TestEveryVectorVerifiesUntilItsLastSecond(t *testing.T) {
	t.Parallel()
	for _, v := range vectorsOf[anyVector](t) {
		t.Run(v.ID, func(t *testing.T) {
			t.Parallel()
			set := settings[v.Scheme](v)
			s := build(t, v.Scheme, set.options)
			keys := []Key{{ID: "other", Secret: []byte("another")}, set.key}
			last := v.NotAfter
			if set.exclusive {
				last--
			}
			o := VerifyOptions{Now: time.Unix(last, 0), Validity: set.validity}
			r := s.Verify(queryOf(v.ExpectedURL), set.target, keys, o)
			if set.still {
				wantStatus(t, r, WrongScene)
				return
			}
			if r.Status != Valid || r.KeyID != set.key.ID || v.NotAfter > 0 && r.Expires.Unix() != last || v.NotAfter == 0 && !r.Expires.IsZero() {
				t.Errorf("at the last second: %+v", r)
			}
			o.Now = time.Unix(last+1, 0)
			want := Expired
			if v.NotAfter == 0 {
				want = Valid
			}
			wantStatus(t, s.Verify(queryOf(v.ExpectedURL), set.target, keys, o), want)
			wantStatus(t, s.Verify(queryOf(v.ExpectedURL), set.target, keys[:1], o), Mismatch)
		})
	}
}

func TestEveryVectorIsTakenApartAsItWasMade(t *testing.T) {
	t.Parallel()
	for _, v := range vectorsOf[anyVector](t) {
		set := settings[v.Scheme](v)
		c := build(t, v.Scheme, set.options).Canonical(queryOf(v.ExpectedURL), set.target, VerifyOptions{Validity: set.validity})
		got := strings.ReplaceAll(c.Text, keyMark, string(set.key.Secret))
		if list, addr, ok := strings.Cut(got, "?"); ok && v.Scheme == "wowza_securetoken_v2" {
			pairs := strings.Split(addr, "&") // the address and the secret, where they belong
			if set.bind {
				pairs = append(pairs, set.target.Addr.String())
			}
			got = list + "?" + sorted(pairs)
		}
		if got != v.StringToSign {
			t.Errorf("%s: %q, want %q", v.ID, got, v.StringToSign)
		}
		last := v.NotAfter
		if set.exclusive {
			last--
		}
		if v.NotAfter != 0 && c.Expires.Unix() != last || v.NotAfter == 0 && !c.Expires.IsZero() {
			t.Errorf("%s: until %v, want %d", v.ID, c.Expires, v.NotAfter)
		}
	}
}

func TestEveryVectorIsSignedAlike(t *testing.T) {
	t.Parallel()
	for _, v := range vectorsOf[anyVector](t) {
		set := settings[v.Scheme](v)
		s, o := build(t, v.Scheme, set.options), set.sign()
		o.Expires = time.Unix(v.NotAfter, 0).Add(-set.validity)
		got := set.target.Origin + string(AppendURL(nil, s, set.unsigned(), set.key, o))
		if set.respelled {
			want := strings.ToLower(v.Digest)
			if strings.Contains(got, want) {
				t.Errorf("%s: %s is not respelled", v.ID, got)
			}
			continue
		}
		if got != v.ExpectedURL {
			t.Errorf("%s: %s, want %s", v.ID, got, v.ExpectedURL)
		}
	}
}

func TestThereAreNinetyFourVectors(t *testing.T) {
	t.Parallel()
	if n := len(vectorsOf[anyVector](t)); n != 94 {
		t.Errorf("%d vectors", n)
	}
}
