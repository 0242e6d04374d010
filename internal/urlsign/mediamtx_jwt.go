package urlsign

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
)

// newMediaMTX returns the tokens that MediaMTX verifies offline against a JWKS:
//
//	token=<JWT with exp, nbf, jti and mediamtx_permissions: [{action, path}]>
//
// One token opens one stream, to publish or to read, in every protocol. RTMP and
// RTSP carry it in the query; for HLS and WebRTC that server wants it as a
// bearer token or password, for SRT as the password of the stream id. ES256 keys
// keep the URL short: encoders cut RTMP URLs at 1024 bytes and SRT stream ids at
// 512.
//
// Verifying takes what that server takes: the claim as a list or as text that
// holds one, an empty path for all, and a path beginning with "~" for a regular
// expression. Unlike that server we look at no token without a key of ours.
func newMediaMTX(Options) (Scheme, error) {
	return &tokenScheme{name: "mediamtx_jwt", strength: strong, params: []string{"token", "jwt"},
		header: headerWithType, claims: mediaMTXClaims, opens: mediaMTXOpens}, nil
}

func headerWithType(k *Key) []byte {
	h := []byte(`{"alg":"` + k.algorithm() + `","typ":"JWT"`)
	if k.ID != "" {
		h = appendText(append(h, `,"kid":`...), k.ID)
	}
	return append(h, '}')
}

// appendText writes a JSON string.
func appendText(dst []byte, s string) []byte {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err) // of a string, never
	}
	return append(dst, text...)
}

var mediaMTXActions = map[Scene]string{Publish: "publish", Play: "read"}

func mediaMTXClaims(t *Target, _ *Key, o *SignOptions) []byte {
	action := mediaMTXActions[t.Scene]
	path := t.App + "/" + t.Stream
	if action == "" || strings.HasPrefix(path, "~") { // which would be an expression
		return nil
	}
	c := strconv.AppendInt([]byte(`{"exp":`), unixSeconds(o.Expires), 10)
	c = append(c, `,"mediamtx_permissions":[{"action":"`+action+`","path":`...)
	c = append(appendText(c, path), `}]`...)
	if !o.NotBefore.IsZero() {
		c = strconv.AppendInt(append(c, `,"nbf":`...), unixSeconds(o.NotBefore), 10)
	}
	if o.TokenID != "" {
		c = appendText(append(c, `,"jti":`...), o.TokenID)
	}
	return append(c, '}')
}

type mediaMTXPermission struct{ Action, Path string }

// mediaMTXOpens wants one permission for this scene and stream.
func mediaMTXOpens(payload []byte, t *Target) Status {
	var c struct {
		Permissions json.RawMessage `json:"mediamtx_permissions"`
	}
	if json.Unmarshal(payload, &c) != nil || len(c.Permissions) == 0 {
		return Mismatch
	}
	var list []mediaMTXPermission
	var text string
	if json.Unmarshal(c.Permissions, &text) == nil {
		c.Permissions = json.RawMessage(text)
	}
	if json.Unmarshal(c.Permissions, &list) != nil {
		return Mismatch
	}
	status := WrongStream
	for _, p := range list {
		if !p.covers(t.App + "/" + t.Stream) {
			continue
		}
		if p.Action == mediaMTXActions[t.Scene] {
			return Valid
		}
		status = WrongScene
	}
	return status
}

// covers matches a path as that server does. The expression is bounded and Go's
// take linear time; besides, the token has been found genuine.
func (p mediaMTXPermission) covers(path string) bool {
	expression, ok := strings.CutPrefix(p.Path, "~")
	if !ok {
		return p.Path == "" || p.Path == path
	}
	if len(expression) > maxValue {
		return false
	}
	re, err := regexp.Compile(expression)
	return err == nil && re.MatchString(path)
}
