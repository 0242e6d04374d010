package urlsign

import (
	"encoding/json"
	"strconv"
	"strings"
)

// newMux returns the playback tokens of Mux:
//
//	/<playback id><extension>?token=<JWT: sub, aud "v", exp, kid>
//
// The stream is the playback id; Mux knows no application. The key is an RSA key
// of Mux, whose id is the option key_id.
func newMux(o Options) (Scheme, error) {
	return &pathToken{tokenScheme{name: "mux_playback", strength: compatibility, params: []string{"token"},
		header: headerWithType, claims: muxClaims, opens: opensSubject("v")}, o.KeyID, muxPath}, nil
}

func muxClaims(t *Target, k *Key, o *SignOptions) []byte {
	c := appendText([]byte(`{"sub":`), t.Stream)
	c = strconv.AppendInt(append(c, `,"aud":"v","exp":`...), unixSeconds(o.Expires), 10)
	return append(appendText(append(c, `,"kid":`...), k.ID), '}')
}

func muxPath(dst []byte, t *Target, token []byte) []byte {
	_, ext, _ := strings.Cut(t.Path[strings.LastIndexByte(t.Path, '/')+1:], ".")
	dst = append(append(dst, '/'), t.Stream...)
	if ext != "" {
		dst = append(append(dst, '.'), ext...)
	}
	return append(append(dst, "?token="...), token...)
}

// newCloudflare returns the signed URLs of Cloudflare Stream: the token stands in
// the place of the video id.
//
//	/<JWT: sub, kid, exp>/manifest/video.m3u8
//
// The stream is the video id. The key is an RSA key of Cloudflare, whose id is
// the option key_id.
func newCloudflare(o Options) (Scheme, error) {
	return &pathToken{tokenScheme{name: "cloudflare_stream", strength: compatibility, header: headerWithKey,
		claims: cloudflareClaims, opens: opensSubject("")}, o.KeyID, cloudflarePath}, nil
}

func headerWithKey(k *Key) []byte {
	return append(appendText([]byte(`{"alg":"`+k.algorithm()+`","kid":`), k.ID), '}')
}

func cloudflareClaims(t *Target, k *Key, o *SignOptions) []byte {
	c := appendText([]byte(`{"sub":`), t.Stream)
	c = strconv.AppendInt(append(appendText(append(c, `,"kid":`...), k.ID), `,"exp":`...), unixSeconds(o.Expires), 10)
	return append(c, '}')
}

func cloudflarePath(dst []byte, t *Target, token []byte) []byte {
	dst = append(append(dst, '/'), token...)
	if rest, ok := strings.CutPrefix(t.Path, "/"+t.Stream+"/"); ok {
		return append(append(dst, '/'), rest...)
	}
	return append(dst, "/manifest/video.m3u8"...)
}

// opensSubject wants a token of this stream, and for this audience.
func opensSubject(audience string) func([]byte, *Target) Status {
	return func(payload []byte, t *Target) Status {
		var c struct{ Sub, Aud string }
		if json.Unmarshal(payload, &c) != nil || c.Sub == "" {
			return Mismatch
		}
		if c.Sub != t.Stream {
			return WrongStream
		}
		if t.Scene != Play || audience != "" && c.Aud != audience {
			return WrongScene
		}
		return Valid
	}
}

// pathToken is a token of a service that has paths of its own, in which the
// stream is an id that the service gave.
type pathToken struct {
	tokenScheme
	keyID string
	path  func(dst []byte, t *Target, token []byte) []byte
}

func (s *pathToken) inPath() bool { return true }

func (s *pathToken) AppendQuery(dst []byte, _ Target, _ Key, _ SignOptions) []byte { return dst }

func (s *pathToken) appendURL(dst []byte, t Target, k Key, o SignOptions) []byte {
	if s.keyID != "" {
		k.ID = s.keyID
	}
	if !s.usable(&k) || o.BindAddr.IsValid() || t.Stream == "" || len(t.Stream) > maxPath || t.Scene != Play {
		return dst
	}
	token := appendJWS(nil, s.header(&k), s.claims(&t, &k, &o), &k)
	if len(token) == 0 {
		return dst
	}
	return s.path(dst, &t, token)
}

func (s *pathToken) Verify(query string, t Target, keys []Key, o VerifyOptions) Result {
	// The token names the key as its vendor does.
	named := make([]Key, len(keys))
	for i, k := range keys {
		named[i] = k
		if s.keyID != "" {
			named[i].ID = s.keyID
		}
	}
	r, i := s.verify(s.query(query, &t), &t, named, &o)
	if i >= 0 {
		r.KeyID = keys[i].ID
	}
	return r
}

func (s *pathToken) Canonical(query string, t Target, o VerifyOptions) Canonical {
	return s.canonical(s.query(query, &t), o)
}

// query finds a token in the path where it stands there.
func (s *pathToken) query(query string, t *Target) string {
	if len(s.params) > 0 {
		return query
	}
	token, _, _ := strings.Cut(strings.TrimPrefix(t.Path, "/"), "/")
	return "=" + token
}
