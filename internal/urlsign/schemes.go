package urlsign

// entry is one scheme: its name, how it is made, which options it takes, and the
// only scene that its URLs are for, where there is one.
type entry struct {
	name    string
	build   func(Options) (Scheme, error)
	options []string
	only    Scene
	keys    KeyKind
	usual   Options // what New needs at the least
}

// entries are all schemes: the default of new rules first, then those that can
// be chosen afresh, those of media servers, those of vendors, and those of which
// a part is inferred.
var entries = [...]entry{
	{name: "stagedoor", build: fixed(&stagedoor{})},
	{name: "mediamtx_jwt", build: newMediaMTX, keys: ServiceKeys},
	{name: "huawei_d", build: newHuaweiD},
	{name: "nginx_secure_link_md5", build: newSecureLinkMD5, options: []string{"expression", "signature_param", "time_param", "path_prefix"}},
	{name: "nginx_secure_link_secret", build: newSecureLinkSecret, options: []string{"path_prefix"}, usual: Options{PathPrefix: "/p"}},
	{name: "nms_sign", build: newNMS},
	{name: "lal_simple_auth", build: newLal},
	{name: "ome_signed_policy", build: newOMEPolicy},
	{name: "wowza_securetoken_v2", build: newWowza, options: []string{"param_prefix", "hash"}},
	{name: "aliyun_a", build: fixed(newTypeA("aliyun_a"))},
	{name: "aliyun_b", build: newAliyunB},
	{name: "aliyun_c", build: newAliyunC, options: []string{"format", "signature_param", "time_param"}},
	{name: "aliyun_f", build: newAliyunF, options: []string{"signature_param", "time_param"}},
	{name: "huawei_a", build: fixed(newTypeA("huawei_a"))},
	{name: "huawei_b", build: func(Options) (Scheme, error) { return newTencentCSS("huawei_b") }},
	{name: "cloudfront_canned", build: newCloudFront, options: []string{"key_id", "hash"}, only: Play, keys: PrivateKeys, usual: Options{KeyID: "K1"}},
	{name: "mux_playback", build: newMux, options: []string{"key_id"}, only: Play, keys: PrivateKeys},
	{name: "cloudflare_stream", build: newCloudflare, options: []string{"key_id"}, only: Play, keys: PrivateKeys},
	{name: "qiniu_pili_publish", build: newQiniuPili, options: []string{"key_id"}, only: Publish},
	{name: "qiniu_timestamp", build: newQiniuTimestamp, options: []string{"time_base"}, only: Play},
	{name: "tencent_css", build: func(Options) (Scheme, error) { return newTencentCSS("tencent_css") }},
	{name: "volcengine_b", build: func(o Options) (Scheme, error) { return newVolcenginePair("volcengine_b", o) },
		options: []string{"signature_param", "time_param", "time_base"}},
	{name: "volcengine_custom", build: func(o Options) (Scheme, error) { return newVolcenginePair("volcengine_custom", o) },
		options: []string{"fields", "signature_param", "time_param", "time_base"}, usual: Options{Fields: []string{"key", "volcTime", "AppName", "StreamName"}}},
	{name: "antmedia_jwt", build: newAntMedia},
	{name: "baidu_lss_publish", build: newBaiduLSS, only: Publish},
	{name: "tencent_css_sha256", build: func(Options) (Scheme, error) { return newTencentCSS("tencent_css_sha256") }, only: Play},
	{name: "volcengine_a", build: newVolcengineA, options: []string{"signature_param", "time_base"}, only: Play},
}

// KeyKind says what the keys of a scheme are.
type KeyKind uint8

// The kinds of keys.
const (
	SecretKeys  KeyKind = iota // a secret that signer and verifier share
	PrivateKeys                // a private key, of which the verifier has the public half
	ServiceKeys                // the key pairs that the service publishes as a JWKS
)

// KeysOf says what the keys of the scheme of that name are.
func KeysOf(name string) KeyKind {
	if e, ok := entryOf(name); ok {
		return e.keys
	}
	return SecretKeys
}

// ReadsToken reports whether a scheme has its signature in the parameter that
// live tokens and access tokens travel in too: what is no token of those may
// still be a signature of this scheme.
func ReadsToken(s Scheme) bool {
	switch s.Name() {
	case "mediamtx_jwt", "mux_playback", "antmedia_jwt", "qiniu_pili_publish", "baidu_lss_publish":
		return true
	}
	return false
}

// Description is what there is to know before choosing a scheme.
type Description struct {
	Name, Strength string
	// Options are the names of what can be chosen, as in the JSON of Options.
	Options       []string
	Publish, Play bool
}

// Schemes describes every scheme in the order of Names.
func Schemes() []Description {
	out := make([]Description, 0, len(entries))
	for _, e := range entries {
		s, err := New(e.name, e.usual)
		if err != nil {
			panic(err) // the tests build every one
		}
		out = append(out, Description{Name: e.name, Strength: s.Strength(), Options: e.options,
			Publish: ServesScene(s, Publish), Play: ServesScene(s, Play)})
	}
	return out
}

// fixed builds a scheme without options: there is one of it.
func fixed(s Scheme) func(Options) (Scheme, error) {
	return func(Options) (Scheme, error) { return s, nil }
}

func entryOf(name string) (*entry, bool) {
	for i := range entries {
		if entries[i].name == name {
			return &entries[i], true
		}
	}
	return nil, false
}

// Lookup returns the scheme of that exact name without options. A scheme that
// needs some, which volcengine_custom does, is not found.
func Lookup(name string) (Scheme, bool) {
	s, err := New(name, Options{})
	return s, err == nil
}

// Names lists the schemes, the default of new rules first.
func Names() []string {
	names := make([]string, len(entries))
	for i := range entries {
		names[i] = entries[i].name
	}
	return names
}

// ServesScene reports whether the URLs of a scheme can open a scene. A signature
// that stands before the path is for playing only: a media server that is
// published to takes it for a part of the application.
func ServesScene(s Scheme, scene Scene) bool {
	if p, ok := s.(pathSigner); ok && p.inPath() && scene != Play {
		return false
	}
	e, ok := entryOf(s.Name())
	return ok && (e.only == 0 || e.only == scene)
}

// NeedsAddress reports whether a scheme signs for one client address only.
func NeedsAddress(s Scheme) bool {
	h, ok := s.(*hashed)
	return ok && h.recipe.addr
}

// pathSigner is a scheme that writes more of a URL than its query.
type pathSigner interface {
	inPath() bool
	appendURL(dst []byte, t Target, k Key, o SignOptions) []byte
}

// AppendURL appends path and query of a signed URL: Target.Path, or that of the
// stream without extension, and Target.Query. It returns dst unchanged if k
// cannot sign t as asked.
func AppendURL(dst []byte, s Scheme, t Target, k Key, o SignOptions) []byte {
	if p, ok := s.(pathSigner); ok && p.inPath() {
		out := p.appendURL(dst, t, k, o)
		if len(out) > len(dst) && t.Query != "" {
			out = append(append(out, '?'), t.Query...)
		}
		return out
	}
	out := append(appendBare(dst, &t), '?')
	if t.Query != "" {
		out = append(append(out, t.Query...), '&')
	}
	if signed := s.AppendQuery(out, t, k, o); len(signed) > len(out) {
		return signed
	}
	return dst
}
